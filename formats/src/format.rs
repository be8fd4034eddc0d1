//! The ways in which people write a filter down.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// A way of writing a filter down.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The array as it lies in memory: 8 bytes an instruction, in the byte order of the machine.
    Raw,
    /// The bytes of the raw array as hex digits.
    Hex,
    /// `N`, then `code jt jf k` a line, all decimal: `tcpdump -ddd`.
    Decimal,
    /// `N,code jt jf k,...` on one line, all decimal: `bpf_asm`, `bpf_dbg`, `iptables -m bpf`.
    DecimalLine,
    /// A C initialiser of `struct sock_filter[]`.
    C,
    /// Assembler text of the kernel's `bpf_asm`.
    Asm,
    /// The table that `seccomp-tools dump` prints.
    SeccompTools,
    /// Assembler text of `seccomp-tools asm`.
    SeccompToolsAsm,
    /// The table that libseccomp's `scmp_bpf_disasm` prints.
    Libseccomp,
    /// The calls that install filters, as `strace -v` prints them.
    Strace,
}

struct Facts {
    name: &'static str,
    extensions: &'static [&'static str],
    doc: &'static str,
}

impl Format {
    /// Every format, in the order of the enum.
    pub const ALL: &'static [Self] = &[
        Self::Raw,
        Self::Hex,
        Self::Decimal,
        Self::DecimalLine,
        Self::C,
        Self::Asm,
        Self::SeccompTools,
        Self::SeccompToolsAsm,
        Self::Libseccomp,
        Self::Strace,
    ];

    #[rustfmt::skip] // one row a format
    const fn facts(self) -> Facts {
        match self {
            Self::Raw => facts("raw", &["bpf", "bin", "raw"], "array of 8-byte instructions, as it lies in memory"),
            Self::Hex => facts("hex", &["hex"], "the raw array as hex digits"),
            Self::Decimal => facts("decimal", &["ddd"], "count, then `code jt jf k` a line (tcpdump -ddd)"),
            Self::DecimalLine => facts("decimal-line", &["dec"], "`N,code jt jf k,...` on one line (bpf_asm, bpf_dbg)"),
            Self::C => facts("c", &["c", "h", "inc"], "C initialiser of struct sock_filter[]"),
            Self::Asm => facts("asm", &["asm", "bpfasm", "s"], "assembler text of bpf_asm, with labels"),
            Self::SeccompTools => facts("seccomp-tools", &["dump"], "table of seccomp-tools dump"),
            Self::SeccompToolsAsm => facts("seccomp-tools-asm", &["sasm"], "assembler text of seccomp-tools asm"),
            Self::Libseccomp => facts("libseccomp", &["scmp"], "table of libseccomp's scmp_bpf_disasm"),
            Self::Strace => facts("strace", &["strace"], "seccomp and prctl lines of strace -v"),
        }
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The file extensions that suggest the format, without the dot.
    ///
    /// They only decide between formats that fit the contents equally.
    #[must_use]
    pub const fn extensions(self) -> &'static [&'static str] {
        self.facts().extensions
    }

    /// One line of documentation.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        self.facts().doc
    }

    /// Whether it is text, so that it can be shown on a terminal.
    #[must_use]
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Raw)
    }

    /// The format of this name.
    ///
    /// # Errors
    /// When no format has the name: with the nearest one.
    pub fn from_name(name: &str) -> Result<Self, UnknownFormat> {
        let same = |format: &&Self| format.name().eq_ignore_ascii_case(name);
        Self::ALL.iter().find(same).copied().ok_or_else(|| UnknownFormat {
            name: name.chars().take(40).collect(),
            nearest: crate::text::nearest(name, Self::ALL.iter().map(|format| format.name())),
        })
    }

    /// The names of all formats, for a message.
    pub(crate) fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
        names.join(", ")
    }

    /// A few formats, for a message.
    pub(crate) fn list(formats: &[Self]) -> String {
        let names: Vec<_> = formats.iter().map(|format| format!("`{format}`")).collect();
        names.join(" and as ")
    }
}

const fn facts(name: &'static str, extensions: &'static [&'static str], doc: &'static str) -> Facts {
    Facts { name, extensions, doc }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::from_name(name)
    }
}

/// No format has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown format `{name}`{}", .nearest.map_or_else(|| format!("; known are {}", Format::names()), |name| format!("; did you mean `{name}`?")))]
pub struct UnknownFormat {
    name: String,
    nearest: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extensions_are_unique() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Ok(*format));
            for extension in format.extensions() {
                let owners = Format::ALL
                    .iter()
                    .filter(|other| other.extensions().contains(extension));
                assert_eq!(owners.count(), 1, "{extension}");
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = Format::from_name("deciml").unwrap_err();
        assert_eq!(error.to_string(), "unknown format `deciml`; did you mean `decimal`?");
        let error = Format::from_name("elf").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unknown format `elf`; known are raw, hex,")
        );
    }
}

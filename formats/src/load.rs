//! From bytes of any format to programs.

use callproof_abi::Abi;
use callproof_vm::{Endian, Insn};

use crate::error::{Fault, Parsed, Problem, ReadError};
use crate::{Format, asm, c, decimal, detect, hex, raw, seccomp_tools, strace, table};

/// The largest input that is read, in bytes: 64 MiB, which is a long strace log.
pub const MAX_BYTES: usize = 64 << 20;

/// The most instructions that one filter may have here: what the 16-bit `len` of `struct sock_fprog` can say.
///
/// The kernel installs at most 4,096; longer programs are read so that admission can say so.
pub const MAX_INSNS: usize = 65_535;

/// A filter as it was written down. Nothing says yet that the kernel would install it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Program {
    /// The instructions, with every field as written
    pub insns: Vec<Insn>,
    /// The format it was read from
    pub format: Format,
    /// The byte order it was read with; only raw and hex depend on it
    pub endian: Endian,
    /// The line of the input on which it begins, from 1
    pub line: usize,
    /// For a line of strace: the task that made the call, when strace printed it
    pub pid: Option<u32>,
    /// For a line of strace: what the call returned, when it is on the same line
    pub returned: Option<i64>,
}

impl Program {
    pub(crate) const fn new(insns: Vec<Insn>, format: Format) -> Self {
        Self {
            insns,
            format,
            endian: Endian::Little,
            line: 1,
            pid: None,
            returned: None,
        }
    }
}

/// How to read an input.
///
/// ```
/// use callproof_formats::{Format, ReadOptions};
/// let program = ReadOptions::default().read(b"ld [0]\njeq #39, no\nret #0x7fff0000\nno: ret #0x50001")?;
/// assert_eq!((program.format, program.insns.len()), (Format::Asm, 4));
/// # Ok::<(), callproof_formats::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions<'p> {
    /// The format; detected when `None`
    pub format: Option<Format>,
    /// The byte order of raw and hex input
    pub endian: Endian,
    /// The ABI that `__NR_*` and system-call names in C and assembler text belong to
    pub abi: Option<Abi>,
    /// The path of the input: its extension decides between formats that fit equally
    pub path: Option<&'p str>,
}

impl ReadOptions<'_> {
    /// Reads an input that holds one filter.
    ///
    /// # Errors
    /// When the input cannot be read ([`Problem`] lists why), or holds several filters.
    pub fn read(&self, bytes: &[u8]) -> Result<Program, ReadError> {
        let mut programs = self.read_all(bytes)?;
        match (programs.pop(), programs.len()) {
            (Some(program), 0) => Ok(program),
            (_, before) => Err(ReadError::whole(Problem::Several {
                count: before.saturating_add(1),
            })),
        }
    }

    /// Reads all filters of an input, in the order in which they are written: at least one.
    ///
    /// Several filters can stand in a strace log and in a C file.
    ///
    /// # Errors
    /// When the input cannot be read: [`Problem`] lists why.
    pub fn read_all(&self, bytes: &[u8]) -> Result<Vec<Program>, ReadError> {
        if bytes.len() > MAX_BYTES {
            return Err(ReadError::whole(Problem::TooLarge { bytes: bytes.len() }));
        }
        let format = match self.format {
            Some(format) => format,
            None => detect::detect_with(bytes, self)?,
        };
        let mut programs = self.read_as(format, bytes)?;
        for program in &mut programs {
            program.endian = self.endian;
        }
        Ok(programs)
    }

    pub(crate) fn read_as(&self, format: Format, bytes: &[u8]) -> Result<Vec<Program>, ReadError> {
        if format == Format::Raw {
            return raw::read(bytes, self.endian).map(|insns| vec![Program::new(insns, format)]);
        }
        let text = text_of(bytes, format)?;
        self.read_text(format, text)
            .map_err(|fault| ReadError::in_text(fault, text).named(self.path.unwrap_or("input")))
    }

    fn read_text(&self, format: Format, text: &str) -> Parsed<Vec<Program>> {
        let one = |insns| vec![Program::new(insns, format)];
        match format {
            Format::Raw | Format::Hex => hex::read(text, self.endian).map(one),
            Format::Decimal | Format::DecimalLine => decimal::read(text).map(one),
            Format::C => c::read_all(text, self.abi),
            Format::Asm => asm::read(text).map(one),
            Format::SeccompTools | Format::Libseccomp => table::read_all(text, format),
            Format::SeccompToolsAsm => seccomp_tools::read(text, self.abi).map(one),
            Format::Strace => strace::read_all(text),
        }
    }
}

/// Reads an input that holds one filter, in the given format or in the one that is detected.
///
/// `endian` is the byte order of raw and hex input.
///
/// # Errors
/// As for [`ReadOptions::read`].
pub fn read(bytes: &[u8], format: Option<Format>, endian: Endian) -> Result<Program, ReadError> {
    let options = ReadOptions {
        format,
        endian,
        ..ReadOptions::default()
    };
    options.read(bytes)
}

/// Reads all filters of an input, in order.
///
/// # Errors
/// As for [`ReadOptions::read_all`].
pub fn read_all(bytes: &[u8], format: Option<Format>, endian: Endian) -> Result<Vec<Program>, ReadError> {
    let options = ReadOptions {
        format,
        endian,
        ..ReadOptions::default()
    };
    options.read_all(bytes)
}

fn text_of(bytes: &[u8], format: Format) -> Result<&str, ReadError> {
    core::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        ReadError::whole(Problem::NotText { offset, format })
    })
}

/// Adds an instruction, of which there may not be too many.
pub(crate) fn push(insns: &mut Vec<Insn>, insn: Insn, span: core::ops::Range<usize>) -> Parsed<()> {
    if insns.len() >= MAX_INSNS {
        return Err(Fault::new(Problem::TooManyInsns, span));
    }
    insns.push(insn);
    Ok(())
}

//! The first line of a file of vectors that another kernel than the usual one answered.
//!
//! `{"kernel": {"release", "machine", "engine", "endian", "shift", "package", "version", "sha256", "date", "seed"}}`. The
//! lines behind it are those of [`vectors`](crate::vectors), and hold for this kernel.

use callproof_vm::{Endian, Machine, ShiftByX};
use serde::{Deserialize, Serialize};

use crate::vectors::VectorError;

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// What `uname -r` said
    pub release: String,
    /// What `uname -m` said
    pub machine: String,
    /// `jit`, `interpreter`, or `unknown` where the kernel does not tell
    pub engine: String,
    /// `little` or `big`; the lines themselves are little-endian always
    pub endian: String,
    /// `masked`, `arm8` or `six-bit-zero`
    pub shift: String,
    /// Package that the kernel came in, when it came in one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Version of the package, when it came in one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the package, when it came in one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Day of the recording, `2026-11-26`
    pub date: String,
    /// Seed of the programs
    pub seed: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kernel: Recording,
}

impl Recording {
    /// Whether a line means to be one.
    #[must_use]
    pub fn is_meant(line: &str) -> bool {
        line.starts_with("{\"kernel\"")
    }

    /// Reads a line.
    ///
    /// # Errors
    /// When the line is no such line.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let line: Line = serde_json::from_str(line).map_err(|error| VectorError::Json(error.to_string()))?;
        Ok(line.kernel)
    }

    /// Writes a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let line = Line { kernel: self.clone() };
        // Strings and numbers always have a JSON text.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// How the emulator models this kernel, or `None` when a word means nothing.
    #[must_use]
    pub fn model(&self) -> Option<Machine> {
        Some(Machine {
            kernel: self.release.parse().ok()?,
            endian: match self.endian.as_str() {
                "little" => Endian::Little,
                "big" => Endian::Big,
                _ => return None,
            },
            shift: ShiftByX::ALL.into_iter().find(|rule| shift_name(*rule) == self.shift)?,
        })
    }
}

/// The name of a byte order.
#[must_use]
pub const fn endian_name(endian: Endian) -> &'static str {
    match endian {
        Endian::Little => "little",
        Endian::Big => "big",
    }
}

/// The name of a rule for shifts by X, as `--shift` has it.
#[must_use]
pub const fn shift_name(rule: ShiftByX) -> &'static str {
    match rule {
        ShiftByX::Masked => "masked",
        ShiftByX::Arm8 => "arm8",
        ShiftByX::SixBitZero => "six-bit-zero",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        Recording {
            release: "7.2.12+deb14-s390x".to_owned(),
            machine: "s390x".to_owned(),
            engine: "interpreter".to_owned(),
            endian: "big".to_owned(),
            shift: "masked".to_owned(),
            package: Some("linux-binary-7.2.12+deb14-s390x".to_owned()),
            version: Some("7.2.12-1".to_owned()),
            sha256: None,
            date: "2026-11-26".to_owned(),
            seed: 1,
        }
    }

    #[test]
    fn lines_come_back() {
        let line = recording().to_line();
        assert!(Recording::is_meant(&line));
        assert_eq!(Recording::parse(&line).unwrap(), recording());
        let model = recording().model().unwrap();
        assert_eq!((model.endian, model.shift), (Endian::Big, ShiftByX::Masked));
        assert_eq!(model.kernel.to_string(), "7.2");
    }

    #[test]
    fn other_words_are_refused() {
        for line in ["{\"kernel\": {}}", "{\"kernel\": 1}", "{\"prog\": \"\"}", "{"] {
            assert!(Recording::parse(line).is_err(), "{line}");
        }
        let other = |change: fn(&mut Recording)| {
            let mut recording = recording();
            change(&mut recording);
            recording.model()
        };
        assert_eq!(other(|recording| recording.shift.clear()), None);
        assert_eq!(other(|recording| recording.endian.clear()), None);
        assert_eq!(other(|recording| recording.release.clear()), None);
    }
}

//! Exit codes: what scripts and CI rely on. This is the only place that defines them.

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Accepted, allowed, no difference, done
    Success = 0,
    /// A finding: refused by the kernel's rules, denied by the filter, a failing case, a difference
    Finding = 1,
    /// The command line or an input could not be understood, read or written
    Usage = 2,
    /// Undecided within the limits that were set
    Undecided = 3,
    /// A kernel, a feature of it or a privilege that was needed is missing
    Environment = 4,
    /// The emulator and the kernel disagree
    Disagreement = 5,
    /// A bug in callproof
    Bug = 70,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table that `--help` prints.
pub(crate) const HELP: &str = "\
Exit codes:
  0   accepted, allowed, no difference, done
  1   finding: refused, denied, a failing case, a difference
  2   usage error, or unreadable input
  3   undecided within the limits that were set
  4   a kernel, a feature of it or a privilege that was needed is missing
  5   the emulator and the kernel disagree
  70  bug in callproof";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_contract() {
        let codes = [
            Exit::Success,
            Exit::Finding,
            Exit::Usage,
            Exit::Undecided,
            Exit::Environment,
            Exit::Disagreement,
            Exit::Bug,
        ];
        assert_eq!(codes.map(|code| code as u8), [0, 1, 2, 3, 4, 5, 70]);
        for code in codes {
            assert!(HELP.contains(&format!("\n  {:<2}  ", code as u8)), "{code:?}");
        }
    }
}

//! What comparisons come to.

use core::fmt;

use callproof_formats::{Format, WriteOptions, write};
use callproof_verifier::Proof;
use callproof_vm::{Kernel, Machine, SeccompData};

use super::side::Side;
use crate::exhibit::Exhibit;

/// What a comparison comes to, over every call that it is about.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Decision {
    /// It holds for every one of them; the checker accepted this proof
    Holds(Proof),
    /// It does not hold for this one
    Fails(Box<Witness>),
    /// A limit was reached: this was tried
    Undecided(String),
}

/// A call that two sides answer differently, replayed in the emulator.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The call
    pub call: SeccompData,
    /// What the left side, or the policy, says to it
    pub left: Exhibit,
    /// What the right side, or the filter, says to it
    pub right: Exhibit,
    /// A command line that evaluates the call once more
    pub replay: String,
}

/// Where two sides differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Differences {
    /// One call for each number of each ABI, as far as they were looked for
    pub calls: Vec<Witness>,
    /// What is known of all other numbers
    pub rest: Rest,
}

/// What is known of the numbers that a list of differences lacks.
#[derive(Clone, Debug, PartialEq)]
pub enum Rest {
    /// They are the same; the checker accepted these proofs, one for each ABI
    Same(Vec<Proof>),
    /// As many differences as were wanted are found, and there are more
    More,
    /// A limit was reached: this was tried
    Undecided(String),
}

impl Decision {
    /// Whether it is proved to hold.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self, Self::Holds(_))
    }

    /// The call that shows that it does not hold.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        match self {
            Self::Fails(witness) => Some(witness),
            Self::Holds(_) | Self::Undecided(_) => None,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(_) => f.write_str("it holds for every such call; the checker accepted a proof"),
            Self::Fails(witness) => write!(f, "it does not hold for this call\n{witness}"),
            Self::Undecided(tried) => write!(f, "undecided: {tried}"),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [left, right] = [&self.left, &self.right].map(Exhibit::lines);
        let lines = left.into_iter().chain(right.into_iter().skip(1));
        for line in lines {
            writeln!(f, "  {line}")?;
        }
        write!(f, "  replay: {}", self.replay)
    }
}

/// Programs of more instructions are not written out in a line.
const LONGEST_LINE: usize = 64;

/// A command line that evaluates a call: with the one filter written out, when that is short.
pub(super) fn replay(call: &str, sides: [&Side; 2], machine: Machine) -> String {
    let kernel = match machine.kernel {
        Kernel::LATEST => String::new(),
        kernel => format!("--kernel {kernel} "),
    };
    // The right side is what was made of the left, if one was made of the other.
    let programs = sides.iter().rev().map(|side| side.programs());
    let short = programs
        .filter_map(|programs| <&[Vec<_>; 1]>::try_from(programs).ok())
        .find(|[program]| program.len() <= LONGEST_LINE);
    let Some([program]) = short else {
        return format!("callproof eval {kernel}FILTER '{call}'");
    };
    // A format without a byte order.
    let line = write(program, Format::DecimalLine, &WriteOptions::default());
    let line = String::from_utf8_lossy(&line);
    format!("echo '{}' | callproof eval {kernel}- '{call}'", line.trim())
}

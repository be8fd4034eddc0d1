//! How much work the commands that decide about every call may do, and by which engine.

use core::str::FromStr;
use core::time::Duration;

use callproof_verifier::{Engines, Limit, Limits};
use clap::{Args, ValueEnum};

use crate::error::{Failure, Result};

/// Options of every command that decides about every call.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Effort")]
pub(crate) struct Effort {
    /// What may answer: `auto` asks decision diagrams first, and a SAT solver where they take too much
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineArg,
    /// How much work may be done, such as `time=30s` or `memory=1G` (repeatable, or joined by commas)
    ///
    /// Limits are time, memory, nodes (of diagrams), steps (of diagrams), states (of programs), values (that a filter
    /// may return before its bits are kept apart), gates (of a circuit) and conflicts (of the SAT solver). `k`, `M` and `G` multiply by powers
    /// of 1024; times end in `s` or `ms`. Reaching a limit makes an answer undecided.
    #[arg(long, value_name = "LIMIT=N", value_delimiter = ',')]
    limit: Vec<LimitArg>,
}

impl Effort {
    /// The limits, the usual ones where nothing was said.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits {
            engines: self.engine.into(),
            ..Limits::default()
        };
        self.limit.iter().for_each(|limit| limit.set(&mut limits));
        limits
    }
}

impl Effort {
    /// The limits of a command that diagrams alone can carry out.
    ///
    /// # Errors
    /// When the SAT solver was asked for.
    pub(crate) fn of_diagrams(&self) -> Result<Limits> {
        if self.engine == EngineArg::Sat {
            return Err(
                Failure::usage("the SAT solver answers claims; this command lists what diagrams say")
                    .with_help("leave `--engine sat` away, or ask it with `callproof prove`"),
            );
        }
        Ok(self.limits())
    }
}

/// `--engine`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineArg {
    Auto,
    Diagram,
    Sat,
}

impl From<EngineArg> for Engines {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Auto => Self::Chosen,
            EngineArg::Diagram => Self::Diagram,
            EngineArg::Sat => Self::Sat,
        }
    }
}

/// One `--limit`: milliseconds for the time, else a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LimitArg {
    limit: Limit,
    most: u64,
}

impl LimitArg {
    fn set(self, limits: &mut Limits) {
        let narrow = u32::try_from(self.most).unwrap_or(u32::MAX);
        match self.limit {
            Limit::States => limits.states = narrow,
            Limit::Nodes => limits.nodes = narrow,
            Limit::Steps => limits.steps = self.most,
            Limit::Bytes => limits.bytes = self.most,
            Limit::Values => limits.values = narrow,
            Limit::Gates => limits.gates = narrow,
            Limit::Conflicts => limits.conflicts = self.most,
            Limit::Time => limits.time = Duration::from_millis(self.most),
        }
    }
}

impl FromStr for LimitArg {
    type Err = String;

    fn from_str(text: &str) -> core::result::Result<Self, String> {
        let names = || Limit::ALL.map(Limit::name).join(", ");
        let (name, amount) = text
            .split_once('=')
            .ok_or_else(|| format!("write `LIMIT=N`; the limits are {}", names()))?;
        let known = Limit::ALL.into_iter().find(|limit| limit.name() == name);
        let limit = known.ok_or_else(|| format!("`{name}` is no limit; they are {}", names()))?;
        let most = if limit == Limit::Time {
            milliseconds(amount)
        } else {
            number(amount)
        };
        let most = most.ok_or_else(|| match limit {
            Limit::Time => format!("`{amount}` is no time; write `30s` or `500ms`"),
            _ => format!("`{amount}` is no number; write `5000`, `64k`, `8M` or `1G`"),
        })?;
        Ok(Self { limit, most })
    }
}

/// A time such as `30s` or `500ms`, in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok();
    }
    let seconds: u64 = text.strip_suffix('s').unwrap_or(text).parse().ok()?;
    seconds.checked_mul(1000)
}

fn number(text: &str) -> Option<u64> {
    let shifts = [('k', 10), ('M', 20), ('G', 30)];
    let scaled = shifts
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (digits, shift) = scaled.unwrap_or((text, 0));
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(1_u64 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> core::result::Result<(Limit, u64), String> {
        LimitArg::from_str(text).map(|arg| (arg.limit, arg.most))
    }

    #[test]
    fn limits_have_units() {
        assert_eq!(parse("time=30s"), Ok((Limit::Time, 30_000)));
        assert_eq!(parse("time=5"), Ok((Limit::Time, 5000)));
        assert_eq!(parse("time=250ms"), Ok((Limit::Time, 250)));
        assert_eq!(parse("memory=1G"), Ok((Limit::Bytes, 1 << 30)));
        assert_eq!(parse("nodes=64k"), Ok((Limit::Nodes, 65_536)));
        assert_eq!(parse("conflicts=7"), Ok((Limit::Conflicts, 7)));
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_is() {
        for wrong in [
            "time",
            "time=",
            "time=soon",
            "nodes=-1",
            "nodes=1T",
            "memory=99999999999999999999",
            "size=3",
        ] {
            let message = parse(wrong).unwrap_err();
            assert!(message.contains('`'), "{message}");
        }
        assert!(parse("size=3").unwrap_err().contains("conflicts"));
    }
}

//! Sets of verdicts.

use super::lex::Kind;
use super::{Parsed, Parser};
use crate::names::did_you_mean;
use crate::problem::Problem;
use crate::verdict_set::{ErrnoValue, VerdictKind, VerdictSet};

/// Every word that names verdicts.
pub const VERDICT_WORDS: &[&str] = &[
    "allow",
    "log",
    "errno",
    "kill",
    "kill_process",
    "kill_thread",
    "trap",
    "trace",
    "notify",
    "user_notif",
    "unknown",
    "deny",
    "permit",
    "killed",
];

impl Parser {
    pub(super) fn verdict_set(&mut self) -> Parsed<VerdictSet> {
        let mut kinds = vec![self.verdict_kind()?];
        while self.eat("|") {
            kinds.push(self.verdict_kind()?);
        }
        Ok(VerdictSet { kinds })
    }

    fn verdict_kind(&mut self) -> Parsed<VerdictKind> {
        let (word, span) = self.word("a verdict")?;
        Ok(match word.as_str() {
            "allow" => VerdictKind::Allow,
            "log" => VerdictKind::Log,
            "errno" => VerdictKind::Errno(self.data(Self::errno_value)?),
            "kill" | "kill_process" => VerdictKind::Kill,
            "kill_thread" => VerdictKind::KillThread,
            "trap" => VerdictKind::Trap(self.data(|parser| parser.small("data of an action", 0xffff))?),
            "trace" => VerdictKind::Trace(self.data(|parser| parser.small("data of an action", 0xffff))?),
            "notify" | "user_notif" => VerdictKind::Notify,
            "unknown" => VerdictKind::Unknown,
            "deny" => VerdictKind::Deny,
            "permit" => VerdictKind::Permit,
            "killed" => VerdictKind::Killed,
            _ => {
                let help = "verdicts are `allow log errno(EPERM|n) kill kill_thread trap(n) trace(n) notify unknown`, \
                            sets of them `deny permit killed`";
                let message = format!(
                    "unknown verdict `{word}`{}",
                    did_you_mean(&word, VERDICT_WORDS.iter().copied())
                );
                return Err(Problem::new(message, span).help(help));
            }
        })
    }

    /// `(a|b)`, or nothing.
    fn data<T>(&mut self, mut read: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut list = Vec::new();
        if !self.eat("(") {
            return Ok(list);
        }
        loop {
            list.push(read(self)?);
            if !self.eat("|") {
                break;
            }
        }
        self.expect(")")?;
        Ok(list)
    }

    fn errno_value(&mut self) -> Parsed<ErrnoValue> {
        if let Some(Kind::Number(_) | Kind::Mark("-")) = self.kind() {
            return self.small("errno", 4095).map(ErrnoValue::Number);
        }
        let (name, span) = self.word("an error such as `EPERM`")?;
        Ok(ErrnoValue::Name(name, span))
    }
}

//! Writing responses.

use callproof_vm::{Rejected, Verdict};
use serde::Serialize;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The chain's decision
    Verdict {
        /// The combined 32-bit value, not clamped
        value: u32,
        /// The action's name, as in `/proc/sys/kernel/seccomp/actions_avail`
        action: &'static str,
        /// The low 16 bits of the value
        data: u16,
        /// How many instructions ran, in all filters of the chain
        insns: u64,
    },
    /// The kernel would not install one of the filters
    Rejected(Rejection),
    /// The line is no request
    Error(String),
}

/// Why the kernel would not install a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The errno's name
    pub errno: &'static str,
    /// The instruction at fault; `null` when the whole program is
    pub pc: Option<usize>,
    /// The rule that it breaks
    pub rule: String,
}

impl Response {
    /// The answer for a decision that took so many instructions.
    #[must_use]
    pub const fn verdict(verdict: &Verdict, insns: u64) -> Self {
        Self::Verdict {
            value: verdict.value,
            action: verdict.action.name(),
            data: verdict.data(),
            insns,
        }
    }

    /// The answer for a filter that the kernel would not install: the first rule that it breaks.
    #[must_use]
    pub fn rejected(rejected: &Rejected<'_>) -> Self {
        let first = rejected.violations().next();
        let at = first.as_ref().and_then(|violation| violation.at);
        Self::Rejected(Rejection {
            errno: "EINVAL",
            pc: at.map(|(pc, _)| pc),
            rule: first.map_or_else(String::new, |violation| violation.rule.name().to_owned()),
        })
    }

    /// Appends the answer as a line.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        match self {
            // By hand, because a batch writes millions of these; the names of actions need no escapes.
            Self::Verdict {
                value,
                action,
                data,
                insns,
            } => {
                use std::io::Write as _;
                let _ = write!(
                    out,
                    r#"{{"value":{value},"action":"{action}","data":{data},"insns":{insns}}}"#
                );
            }
            Self::Rejected(rejected) => object(out, &RejectedLine { rejected }),
            Self::Error(error) => object(out, &ErrorLine { error }),
        }
        out.push(b'\n');
    }
}

/// Writing to memory and escaping strings cannot fail.
fn object(out: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(out, value);
}

#[derive(Serialize)]
struct RejectedLine<'a> {
    rejected: &'a Rejection,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    error: &'a str,
}

//! Calls that were treated alike.

use callproof_abi::errno_name;
use callproof_formats::trace::Outcome;
use callproof_vm::{Action, SeccompData, Verdict};
use serde::Serialize;

use super::Against;
use super::fallback::fallback;
use super::settle::{Settled, Settler};
use super::traced::Traced;
use crate::exhibit::{Exhibit, abi, permits, shown, verdict_text};
use crate::nearest::nearest;

/// Calls of one number that a chain treats alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The ABI; null for an `arch` word of none
    pub abi: Option<&'static str>,
    /// The name of the call, or its number
    pub call: String,
    /// The line, or the record, of the first one, from 1
    pub line: u64,
    /// How many
    pub count: u64,
    /// The first one as the log shows it, with `_` for what it does not tell
    pub example: String,
    /// What the log says of it, if it says anything
    pub said: Option<String>,
    /// What the filters say
    pub answer: Answer,
    /// A call for each verdict that is possible, with its path
    pub shown: Vec<Exhibit>,
    /// The line of the policy that decides about the first call that is shown; for whoever made the filters of a policy
    /// to fill in
    pub rule: Option<String>,
    /// How log and filters contradict each other
    pub contradiction: Option<String>,
    /// What happens next in a program, where that is known
    pub next: Option<String>,
}

/// What filters say of calls of which a log tells only a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Every such call is permitted
    Permitted(String),
    /// None is
    Denied(String),
    /// It depends on what the log does not tell; `another` is last when there are more verdicts than are told apart
    Depends(Vec<String>),
    /// A limit was reached
    Undecided(String),
}

impl Answer {
    /// What was settled, in words.
    pub(super) fn new(settled: &Settled, against: &Against<'_>) -> Self {
        let machine = against.machine;
        let text = |(call, verdict): &(SeccompData, Verdict)| verdict_text(verdict, call, machine);
        match settled {
            Settled::One { call, verdict } if permits(verdict, machine) => Self::Permitted(text(&(*call, *verdict))),
            Settled::One { call, verdict } => Self::Denied(text(&(*call, *verdict))),
            Settled::Depends { all, whole: false } => {
                Self::Depends(all.iter().map(text).chain(["another".to_owned()]).collect())
            }
            Settled::Depends { all, .. } => {
                let permitted = all.iter().filter(|(_, verdict)| permits(verdict, machine)).count();
                match permitted {
                    0 => Self::Denied(list(all.iter().map(text))),
                    _ if permitted == all.len() => Self::Permitted(list(all.iter().map(text))),
                    _ => Self::Depends(all.iter().map(text).collect()),
                }
            }
            Settled::Undecided(limit) => Self::Undecided(limit.clone()),
        }
    }
}

fn list(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(" or ")
}

/// A group with its first call.
pub(super) fn begin(settler: &mut Settler<'_>, against: &Against<'_>, traced: &Traced, settled: &Settled) -> Group {
    let call = traced.call;
    let nr = call.nr.cast_unsigned();
    let name = abi(&call).and_then(|abi| abi.syscall_name(nr));
    let calls: Vec<(SeccompData, Verdict)> = match settled {
        Settled::One { call, verdict } => vec![(*call, *verdict)],
        Settled::Depends { all, .. } => all.clone(),
        Settled::Undecided(_) => Vec::new(),
    };
    // What is said of every verdict needs every verdict.
    let whole = !matches!(settled, Settled::Depends { whole: false, .. });
    let alone = calls.len() == 1;
    let shown = calls
        .iter()
        .map(|(call, verdict)| exhibit(settler, against, call, verdict, alone));
    Group {
        abi: abi(&call).map(callproof_abi::Abi::name),
        call: name.map_or_else(|| call.nr.to_string(), str::to_owned),
        line: traced.line,
        count: traced.count,
        example: traced.text(),
        said: said(traced),
        answer: Answer::new(settled, against),
        shown: shown.collect(),
        rule: None,
        contradiction: if whole {
            contradiction(traced, &calls, against)
        } else {
            None
        },
        next: next(name.unwrap_or_default(), &calls, against),
    }
}

fn exhibit(
    settler: &mut Settler<'_>,
    against: &Against<'_>,
    call: &SeccompData,
    verdict: &Verdict,
    with_nearest: bool,
) -> Exhibit {
    let machine = settler.machine(call);
    let shown = shown(against.filters, call, against.machine, against.order);
    let mut exhibit = Exhibit::new(&shown, "the filter", Some(against.filters), machine);
    if with_nearest && !permits(verdict, machine) {
        exhibit.nearest = nearest(settler.session(), against.filters, call, against.machine, against.order);
    }
    exhibit
}

/// What the log says.
pub(super) fn said(traced: &Traced) -> Option<String> {
    let abi = abi(&traced.call);
    match traced.outcome() {
        Outcome::Unknown => None,
        Outcome::Returned(value) => Some(format!("returned {value}")),
        Outcome::Failed(error) => {
            let name = abi.and_then(|abi| errno_name(abi, error));
            Some(name.map_or_else(
                || format!("failed with error {error}"),
                |name| format!("failed with {name}"),
            ))
        }
        Outcome::Verdict(value) => {
            let action = Action::of(value, callproof_vm::Kernel::LATEST);
            Some(format!("a filter said {}", action.name()))
        }
        Outcome::Signal => Some("SIGSYS was sent".to_owned()),
    }
}

/// How a log contradicts the filters, if it does: whatever it does not tell, they say something else.
fn contradiction(traced: &Traced, calls: &[(SeccompData, Verdict)], against: &Against<'_>) -> Option<String> {
    let machine = against.machine;
    let every = |test: &dyn Fn(&Verdict) -> bool| !calls.is_empty() && calls.iter().all(|(_, verdict)| test(verdict));
    let action = |verdict: &Verdict| Action::of(verdict.value, machine.kernel);
    let permitted = |verdict: &Verdict| permits(verdict, machine);
    let answer = list(calls.iter().map(|(call, verdict)| verdict_text(verdict, call, machine)));
    let other = "another filter, another kernel, or another version of this one was at work";
    match traced.outcome() {
        // The record has the action of the verdict, without its data.
        Outcome::Verdict(value) => {
            let logged = Action::of(value, machine.kernel);
            every(&|verdict| action(verdict) != logged).then(|| {
                format!(
                    "the log says {}, and these filters say {answer}: {other}",
                    logged.name()
                )
            })
        }
        Outcome::Signal => {
            let silent = |verdict: &Verdict| permitted(verdict) || action(verdict) == Action::Errno;
            every(&silent).then(|| format!("SIGSYS was sent, and these filters say {answer}: {other}"))
        }
        Outcome::Failed(error) if every(&permitted) && is_denial(traced, error) => Some(format!(
            "these filters permit it: the error comes from the kernel itself, or {other}"
        )),
        Outcome::Failed(error) => {
            let same = |verdict: &Verdict| verdict.errno(machine.kernel).is_some_and(|own| u32::from(own) == error);
            every(&|verdict| action(verdict) == Action::Errno && !same(verdict))
                .then(|| format!("these filters say {answer}: {other}"))
        }
        Outcome::Returned(0..) => {
            let refused = |verdict: &Verdict| action(verdict) == Action::Errno && verdict.data() != 0;
            every(&refused)
                .then(|| format!("the call was made, and these filters say {answer}: they were not in force"))
        }
        Outcome::Unknown | Outcome::Returned(_) => None,
    }
}

/// Whether an error is one that filters are wont to give.
pub(super) fn is_denial(traced: &Traced, error: u32) -> bool {
    let name = abi(&traced.call).and_then(|abi| errno_name(abi, error));
    matches!(name, Some("EPERM" | "ENOSYS"))
}

/// What a program does next.
fn next(name: &str, calls: &[(SeccompData, Verdict)], against: &Against<'_>) -> Option<String> {
    let known = fallback(name)?;
    let [(call, verdict)] = calls else { return None };
    let number = verdict.errno(against.machine.kernel)?;
    let errno = errno_name(abi(call)?, number.into())?;
    (!permits(verdict, against.machine)).then(|| known.after(errno))
}

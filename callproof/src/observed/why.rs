//! Denials explained.

use std::collections::HashMap;
use std::io::Read;

use callproof_formats::trace::Outcome;
use callproof_vm::Action;
use serde::Serialize;

use super::group::{Answer, Group, begin, is_denial, said};
use super::settle::{Settled, Settler};
use super::traced::{Traced, traced};
use super::{Against, Unread};
use crate::error::Error;

/// Groups that are told apart.
const GROUPS: usize = 1000;

/// What a log tells of denials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Why {
    /// Calls that were read
    pub calls: u64,
    /// Calls that the filters permit, and of which the log says nothing else
    pub permitted: u64,
    /// All others, those alike together, in the order of the log
    pub groups: Vec<Group>,
    /// Calls in no group, because there were too many groups
    pub more: u64,
    /// Lines that could not be read
    pub unread: Unread,
}

/// Explains the calls of a log that were denied. `name` is what the log is called; `each` is told how many calls were
/// read so far.
///
/// # Errors
/// When the log is of no known format, or has no call.
pub fn why(name: &str, log: impl Read, against: Against<'_>, each: &mut dyn FnMut(u64)) -> Result<Why, Error> {
    let mut settler = Settler::new(against);
    let (mut why, mut known) = (Why::default(), HashMap::new());
    for call in traced(name, log, against.abi)? {
        match call {
            Ok(call) => add(&mut why, &mut known, &mut settler, &against, &call),
            Err(error) => why.unread.add(&error.message),
        }
        each(why.calls);
    }
    if why.calls == 0 {
        let what = why.unread.first.first().map_or("it tells of no call", String::as_str);
        return Err(Error::input(what).at(name).help(
            "give a line of an audit or kernel log, a SIGSYS, a line of strace, or a file of them; see docs/TRACES.md",
        ));
    }
    Ok(why)
}

/// What calls of a group have in common: ABI, number, answer, the returns of the filters, and what the log says.
type Alike = (u32, i32, Answer, Vec<usize>, Option<String>);

fn add(
    why: &mut Why,
    known: &mut HashMap<Alike, usize>,
    settler: &mut Settler<'_>,
    against: &Against<'_>,
    traced: &Traced,
) {
    why.calls = why.calls.saturating_add(traced.count);
    let settled = settler.settle(traced);
    let answer = Answer::new(&settled, against);
    if matches!(answer, Answer::Permitted(_)) && !is_told(traced, &settled, against) {
        why.permitted = why.permitted.saturating_add(traced.count);
        return;
    }
    let ends = match &settled {
        Settled::One { call, .. } => settler.returns(call),
        _ => Vec::new(),
    };
    let key = (traced.call.arch, traced.call.nr, answer, ends, said(traced));
    if let Some(group) = known.get(&key).and_then(|at| why.groups.get_mut(*at)) {
        group.count = group.count.saturating_add(traced.count);
    } else if why.groups.len() < GROUPS {
        known.insert(key, why.groups.len());
        why.groups.push(begin(settler, against, traced, &settled));
    } else {
        why.more = why.more.saturating_add(traced.count);
    }
}

/// Whether the log has something to say of a call that the filters permit.
fn is_told(traced: &Traced, settled: &Settled, against: &Against<'_>) -> bool {
    let logged = matches!(settled, Settled::One { verdict, .. } if verdict.action == Action::Log);
    match traced.outcome() {
        Outcome::Verdict(value) => logged || Action::of(value, against.machine.kernel) != Action::Log,
        Outcome::Signal => true,
        Outcome::Failed(error) => is_denial(traced, error),
        Outcome::Unknown | Outcome::Returned(_) => false,
    }
}

impl Why {
    /// How many calls the filters deny, whatever the log does not tell.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.count(|answer| matches!(answer, Answer::Denied(_)))
    }

    /// How many calls depend on what the log does not tell, or are undecided.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.count(|answer| matches!(answer, Answer::Depends(_) | Answer::Undecided(_)))
    }

    fn count(&self, wanted: fn(&Answer) -> bool) -> u64 {
        let groups = self.groups.iter().filter(|group| wanted(&group.answer));
        groups.fold(0, |sum, group| sum.saturating_add(group.count))
    }
}

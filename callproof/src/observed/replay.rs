//! Traces held against filters.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use callproof_engines::{Kind, Specialised};
use callproof_vm::observe::{Count, WordsRead};
use callproof_vm::{Chain, Machine, SeccompData, Verdict};
use serde::Serialize;

use super::group::{Answer, Group, begin};
use super::settle::Settler;
use super::traced::{Traced, traced};
use super::used::{Unused, Used};
use super::{Against, Unread};
use crate::error::Error;
use crate::exhibit::{abi, permits};

/// Groups that are told apart.
const GROUPS: usize = 1000;
/// Numbers whose costs are told apart.
const CALLS: usize = 1 << 16;

/// What filters make of a trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Calls that were read
    pub calls: u64,
    /// Calls that are permitted, whatever the trace does not tell
    pub permitted: u64,
    /// Calls that are not, those alike together, in the order of the trace
    pub denied: Vec<Group>,
    /// Calls that depend on what the trace does not tell, or are undecided
    pub open: Vec<Group>,
    /// Calls in no group, because there were too many groups
    pub more: u64,
    /// Calls of which the path through the filters is known: those that figures of cost are about
    pub measured: u64,
    /// Instructions that they execute, all together
    pub insns: u64,
    /// The most instructions of one call
    pub worst: u64,
    /// What each call costs, the largest share first
    pub by_call: Vec<OfCall>,
    /// Tests and returns that no measured call ran through
    pub unused: Vec<Unused>,
    /// The numbers that marked filters gave to measured calls
    #[serde(skip)]
    pub marks: BTreeSet<u16>,
    /// Lines that could not be read
    pub unread: Unread,
}

/// What the calls of one number cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OfCall {
    /// The ABI; null for an `arch` word of none
    pub abi: Option<&'static str>,
    /// The name of the call, or its number
    pub call: String,
    /// How many
    pub count: u64,
    /// Instructions, all together
    pub insns: u64,
    /// The most instructions of one
    pub worst: u64,
}

/// Holds the calls of a trace against filters. `name` is what the trace is called; `each` is told how many calls were
/// read so far.
///
/// # Errors
/// When the trace is of no known format, or has no call.
pub fn replay(
    name: &str,
    trace: impl Read,
    against: Against<'_>,
    each: &mut dyn FnMut(u64),
) -> Result<Replayed, Error> {
    let mut replay = Replay {
        settler: Settler::new(against),
        against,
        used: Used::new(against.filters),
        costs: HashMap::new(),
        engine: (against.engine == Kind::Specialised).then(|| Specialised::new(against.filters, against.machine)),
        settled: HashMap::new(),
        groups: HashMap::new(),
        found: Replayed::default(),
    };
    for call in traced(name, trace, against.abi)? {
        match call {
            Ok(call) => replay.add(&call),
            Err(error) => replay.found.unread.add(&error.message),
        }
        each(replay.found.calls);
    }
    let found = replay.finish();
    if found.calls == 0 {
        let what = found
            .unread
            .first
            .first()
            .map_or("the trace has no calls", String::as_str);
        return Err(Error::input(what).at(name).help("see docs/TRACES.md for what is read"));
    }
    Ok(found)
}

/// What the filters did with a call.
#[derive(Clone, Copy, Debug)]
struct Run {
    verdict: Verdict,
    words: WordsRead,
    insns: Count,
}

struct Replay<'f> {
    settler: Settler<'f>,
    against: Against<'f>,
    used: Used,
    costs: HashMap<(u32, i32), OfCall>,
    engine: Option<Specialised>,
    /// What calls do whose number settles it, by ABI and number
    settled: HashMap<(u32, i32), Run>,
    /// Where a group stands: by ABI, number and answer
    groups: HashMap<(u32, i32, Answer), usize>,
    found: Replayed,
}

impl Replay<'_> {
    fn add(&mut self, traced: &Traced) {
        let (call, count) = (&traced.call, traced.count);
        self.found.calls = self.found.calls.saturating_add(count);
        let machine = self.settler.machine(call);
        let (mut words, mut insns) = (WordsRead::default(), Count::default());
        let chain = Chain::new(self.against.filters);
        let known = traced.unknown(machine.endian);
        let before = self.settled.get(&(call.arch, call.nr)).copied();
        // Most calls are known well enough: one run decides, counts and marks.
        let verdict = if let Some(before) = before {
            (words, insns) = (before.words, before.insns);
            before.verdict
        } else if known == 0 {
            chain.run_observed(call, machine, &mut (&mut insns, &mut self.used))
        } else {
            chain.run_observed(call, machine, &mut (&mut words, &mut insns))
        };
        let first = before.is_none();
        if words.0 & known == 0 {
            if known != 0 && first {
                chain.run_observed(call, machine, &mut self.used);
            }
            self.measure(traced, insns.0);
            if first {
                self.mark(call, machine);
                self.keep(call, Run { verdict, words, insns });
            }
            if permits(&verdict, machine) {
                self.found.permitted = self.found.permitted.saturating_add(count);
                return;
            }
        }
        let settled = self.settler.settle(traced);
        let answer = Answer::new(&settled, &self.against);
        if matches!(answer, Answer::Permitted(_)) {
            self.found.permitted = self.found.permitted.saturating_add(count);
            return;
        }
        let groups = match answer {
            Answer::Denied(_) => &mut self.found.denied,
            _ => &mut self.found.open,
        };
        let key = (call.arch, call.nr, answer);
        if let Some(group) = self.groups.get(&key).and_then(|at| groups.get_mut(*at)) {
            group.count = group.count.saturating_add(count);
        } else if self.groups.len() < GROUPS {
            self.groups.insert(key, groups.len());
            groups.push(begin(&mut self.settler, &self.against, traced, &settled));
        } else {
            self.found.more = self.found.more.saturating_add(count);
        }
    }

    /// Takes note of the number that marked filters give.
    fn mark(&mut self, call: &SeccompData, machine: Machine) {
        if let Some(marked) = self.against.marked {
            let [low, high, ..] = Chain::new(marked).run(call, machine).value.to_le_bytes();
            self.found.marks.insert(u16::from_le_bytes([low, high]));
        }
    }

    /// Keeps what a call did if every call of its number does the same.
    fn keep(&mut self, call: &SeccompData, run: Run) {
        if self.engine.as_ref().is_some_and(|engine| engine.is_settled(call)) {
            self.settled.insert((call.arch, call.nr), run);
        }
    }

    fn measure(&mut self, traced: &Traced, insns: u64) {
        let total = insns.saturating_mul(traced.count);
        self.found.measured = self.found.measured.saturating_add(traced.count);
        self.found.insns = self.found.insns.saturating_add(total);
        self.found.worst = self.found.worst.max(insns);
        let key = (traced.call.arch, traced.call.nr);
        if self.costs.len() >= CALLS && !self.costs.contains_key(&key) {
            return;
        }
        let of_call = self.costs.entry(key).or_insert_with(|| of_call(traced));
        of_call.count = of_call.count.saturating_add(traced.count);
        of_call.insns = of_call.insns.saturating_add(total);
        of_call.worst = of_call.worst.max(insns);
    }

    fn finish(self) -> Replayed {
        let mut found = self.found;
        found.by_call = self.costs.into_values().collect();
        found.by_call.sort_by(|a, b| {
            b.insns
                .cmp(&a.insns)
                .then_with(|| a.call.cmp(&b.call))
                .then(a.abi.cmp(&b.abi))
        });
        found.unused = self.used.unused(self.against.filters, self.against.machine.endian);
        found
    }
}

fn of_call(traced: &Traced) -> OfCall {
    let abi = abi(&traced.call);
    let name = abi.and_then(|abi| abi.syscall_name(traced.call.nr.cast_unsigned()));
    OfCall {
        abi: abi.map(callproof_abi::Abi::name),
        call: name.map_or_else(|| traced.call.nr.to_string(), str::to_owned),
        ..OfCall::default()
    }
}

impl Replayed {
    /// Instructions of a measured call, on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        share(self.insns, self.measured)
    }

    /// How many calls are denied.
    #[must_use]
    pub fn count_denied(&self) -> u64 {
        self.calls
            .saturating_sub(self.permitted)
            .saturating_sub(self.count_open())
            .saturating_sub(self.more)
    }

    /// How many calls depend on what the trace does not tell.
    #[must_use]
    pub fn count_open(&self) -> u64 {
        self.open.iter().fold(0, |sum, group| sum.saturating_add(group.count))
    }
}

impl OfCall {
    /// Instructions of one, on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        share(self.insns, self.count)
    }
}

/// Counts of instructions stay far below 2^53.
fn share(insns: u64, calls: u64) -> f64 {
    insns as f64 / calls.max(1) as f64
}

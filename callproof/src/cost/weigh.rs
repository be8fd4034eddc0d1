//! What a workload costs: the calls of a trace, each counted as exactly as the trace tells it.

use std::collections::HashMap;
use std::io::Read;

use callproof_abi::Abi;
use callproof_verifier::{Failure, Session};
use callproof_vm::Chain;
use callproof_vm::observe::{Count, WordsRead};
use serde::Serialize;

use super::{Asked, Bitmap};
use crate::error::{Error, ErrorKind};
use crate::exhibit::{abi, machine_of};
use crate::observed::{Traced, Unread, traced};

/// Numbers that are told apart.
const CALLS: usize = 1 << 16;

/// Instructions: between the two, which are the same where the trace tells all that the filters read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Range {
    /// No fewer
    pub least: u64,
    /// No more
    pub most: u64,
}

/// What a trace costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Weighed {
    /// Calls that were weighed
    pub calls: u64,
    /// Their instructions, all together, as if every call ran the filters
    pub insns: Range,
    /// Those of the calls for which no filter is run: the bitmap answers them, or the kernel lets them pass
    pub skipped: u64,
    /// The instructions of those
    pub skipped_insns: Range,
    /// The most that one call costs
    pub worst: u64,
    /// What the calls of each number cost, the largest share first
    pub by_call: Vec<Load>,
    /// Calls that could not be weighed, because the trace does not tell their number
    pub unknown: u64,
    /// Lines that could not be read
    pub unread: Unread,
}

/// What the calls of one number cost in a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Load {
    /// The ABI; null for an `arch` word of none
    pub abi: Option<&'static str>,
    /// The `arch` word
    pub arch: u32,
    /// The name of the call, or its number
    pub call: String,
    /// The number
    pub nr: u32,
    /// How many
    pub count: u64,
    /// Their instructions, all together
    pub insns: Range,
    /// Whether no filter is run for them
    pub skipped: bool,
}

/// Weighs the calls of a trace. `name` is what the trace is called, `native` the ABI of lines that tell none; `each` is
/// told how many calls were read so far.
///
/// # Errors
/// When the trace is of no known format or has no call, at a limit, and when emulator and verifier disagree.
pub fn weigh(
    name: &str,
    trace: impl Read,
    asked: Asked<'_>,
    native: Abi,
    each: &mut dyn FnMut(u64),
) -> Result<Weighed, Error> {
    let mut scale = Scale::new(asked);
    for call in traced(name, trace, native)? {
        match call {
            Ok(call) => scale.add(&call)?,
            Err(error) => scale.found.unread.add(&error.message),
        }
        each(scale.found.calls);
    }
    let found = scale.finish();
    if found.calls == 0 {
        let first = found.unread.first.first();
        let what = first.map_or("the trace has no calls that can be weighed", String::as_str);
        return Err(Error::input(what).at(name).help("see docs/TRACES.md for what is read"));
    }
    Ok(found)
}

struct Scale<'f> {
    asked: Asked<'f>,
    session: Session<'f>,
    /// What the calls of a number cost, over all arguments
    ranges: HashMap<(u32, u32), Range>,
    loads: HashMap<(u32, u32), Load>,
    found: Weighed,
}

impl<'f> Scale<'f> {
    fn new(asked: Asked<'f>) -> Self {
        Self {
            asked,
            session: Session::new(asked.filters, Vec::new(), asked.machine, asked.order, asked.limits),
            ranges: HashMap::new(),
            loads: HashMap::new(),
            found: Weighed::default(),
        }
    }

    fn add(&mut self, traced: &Traced) -> Result<(), Error> {
        let (call, count) = (&traced.call, traced.count);
        let machine = machine_of(call, self.asked.machine, self.asked.order);
        let unknown = traced.unknown(machine.endian);
        let key = (call.arch, call.nr.cast_unsigned());
        if unknown & 1 != 0 || self.loads.len() >= CALLS && !self.loads.contains_key(&key) {
            self.found.unknown = self.found.unknown.saturating_add(count);
            return Ok(());
        }
        let mut watch = (WordsRead::default(), Count::default());
        Chain::new(self.asked.filters).run_observed(call, machine, &mut watch);
        let (WordsRead(read), Count(insns)) = watch;
        let each = if read & unknown == 0 {
            let (least, most) = (insns, insns);
            Range { least, most }
        } else {
            self.range(key)?
        };
        let asked = self.asked;
        let load = self.loads.entry(key).or_insert_with(|| Load::new(traced, asked));
        load.count = load.count.saturating_add(count);
        let all = each.times(count);
        load.insns = load.insns.plus(all);
        self.found.calls = self.found.calls.saturating_add(count);
        self.found.insns = self.found.insns.plus(all);
        self.found.worst = self.found.worst.max(each.most);
        if load.skipped {
            self.found.skipped = self.found.skipped.saturating_add(count);
            self.found.skipped_insns = self.found.skipped_insns.plus(all);
        }
        Ok(())
    }

    /// What the calls of a number cost, over all arguments.
    fn range(&mut self, key: (u32, u32)) -> Result<Range, Error> {
        if let Some(known) = self.ranges.get(&key) {
            return Ok(*known);
        }
        let range = self.count(key).map_err(|failure| match failure {
            Failure::Undecided(_) => {
                let message =
                    format!("what calls whose arguments the trace does not tell cost is undecided: {failure}");
                Error::new(ErrorKind::Undecided, message).help("raise the limit with `--limit`")
            }
            Failure::Disagreement(_) => Error::new(ErrorKind::Bug, failure),
        })?;
        self.ranges.insert(key, range);
        Ok(range)
    }

    fn count(&mut self, (arch, nr): (u32, u32)) -> Result<Range, Failure> {
        let space = self.session.space();
        space.restart();
        let (of_arch, of_number) = (space.arch(arch)?, space.numbers(nr, nr)?);
        let within = space.and(of_arch, of_number)?;
        let least = self.session.best_case(within)?.map_or(0, |shown| shown.insns);
        let most = self.session.worst_case(within)?.map_or(0, |shown| shown.insns);
        Ok(Range { least, most })
    }

    fn finish(self) -> Weighed {
        let mut found = self.found;
        found.by_call = self.loads.into_values().collect();
        found.by_call.sort_by(|a, b| {
            let by_cost = b.insns.most.cmp(&a.insns.most);
            by_cost.then(a.arch.cmp(&b.arch)).then(a.nr.cmp(&b.nr))
        });
        found
    }
}

impl Load {
    fn new(traced: &Traced, asked: Asked<'_>) -> Self {
        let (call, nr) = (&traced.call, traced.call.nr.cast_unsigned());
        let abi = abi(call);
        let name = abi.and_then(|abi| abi.syscall_name(nr));
        Self {
            abi: abi.map(Abi::name),
            arch: call.arch,
            call: name.map_or_else(|| nr.to_string(), str::to_owned),
            nr,
            count: 0,
            insns: Range::default(),
            skipped: abi.is_some_and(|abi| Bitmap::of(asked, abi, nr).skips()),
        }
    }
}

impl Range {
    pub(super) const fn times(self, count: u64) -> Self {
        Self {
            least: self.least.saturating_mul(count),
            most: self.most.saturating_mul(count),
        }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
        }
    }

    /// Of one call, on average: no fewer, no more.
    #[must_use]
    pub fn mean(self, calls: u64) -> (f64, f64) {
        // Counts of instructions stay far below 2^53.
        let of = |insns: u64| insns as f64 / calls.max(1) as f64;
        (of(self.least), of(self.most))
    }
}

//! What of the filters the cases of a file exercise.
//!
//! A case speaks of a set of calls. It exercises a return, or one way of a test, when some call of the set goes there:
//! that is decided exactly, not sampled.

use std::path::Path;

use callproof_formats::call;
use callproof_formats::cases::{Case, What};
use callproof_formats::disasm;
use callproof_policy::property::Hazard;
use callproof_policy::{CallPattern, Claim, Env, Predicate, Selector};
use callproof_verifier::{Answer, Finding, Query, Session};
use callproof_vm::isa::Op;
use callproof_vm::{Chain, Filter, Machine, SeccompData};
use serde::Serialize;

use super::run::Prepared;
use crate::error::Error;
use crate::exhibit::{machine_of, reads};
use crate::observed::{Used, traced};
use crate::options::Options;
use crate::source::{Reading, admit, read};

/// What of the filters the cases of a file exercise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The case file
    pub file: String,
    /// Cases that were counted: those about verdicts of calls, and replayed traces
    pub counted: usize,
    /// Cases that compare with something else, or speak of costs or of the filters as a whole: they would exercise
    /// everything or nothing
    pub uncounted: usize,
    /// Cases about which a limit kept the answer, with the limit
    pub undecided: Vec<(usize, String)>,
    /// The filters, oldest first
    pub filters: Vec<OfFilter>,
    /// How many ways and returns are exercised
    pub exercised: usize,
    /// Of how many that some call reaches
    pub reachable: usize,
    /// The limit that kept the answer about what any call can exercise: unreachable parts then count as reachable
    pub limit: Option<String>,
}

/// What of one filter is exercised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OfFilter {
    /// What it is called
    pub filter: String,
    /// The ways of its tests, two each, in order
    pub branches: Vec<Spot>,
    /// Its returns, in order
    pub returns: Vec<Spot>,
}

/// A way of a test, or a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The instruction, from 0
    pub pc: usize,
    /// Whether this is the way when the test's condition is met; null for a return
    pub met: Option<bool>,
    /// How many cases exercise it
    pub hits: u64,
    /// Whether some call goes there
    pub reachable: bool,
    /// A call that goes there, when no case does: a case about it is missing
    pub missing: Option<String>,
    /// The instruction as it is disassembled
    pub instruction: String,
}

/// Tells what of the filters the cases of a file exercise.
///
/// # Errors
/// As for [`run_file`](super::run_file).
pub fn coverage(path: &Path, options: &Options) -> Result<Coverage, Error> {
    let prepared = Prepared::read(path, options)?;
    let machine = prepared.machine(options);
    let filters = admit(&prepared.subject.programs, &prepared.subject.names, machine)?;
    let session = Session::new(&filters, Vec::new(), machine, options.order, &options.limits);
    let mut counter = Counter {
        session,
        filters: &filters,
        machine,
        options,
        hits: filters
            .iter()
            .map(|filter| vec![[0; 3]; filter.program().len()])
            .collect(),
        found: Coverage {
            file: prepared.name().to_owned(),
            ..Coverage::default()
        },
    };
    let reading = prepared.reading(options);
    for case in prepared.cases() {
        counter.case(case, &prepared, &reading)?;
    }
    counter.finish(&prepared.subject.names)
}

struct Counter<'c> {
    session: Session<'c>,
    filters: &'c [Filter<'c>],
    machine: Machine,
    options: &'c Options,
    /// For each instruction of each filter, the cases that execute it, and those that take each way
    hits: Vec<Vec<[u64; 3]>>,
    found: Coverage,
}

impl Counter<'_> {
    fn case(&mut self, case: &Case, prepared: &Prepared, reading: &Reading) -> Result<(), Error> {
        let calls = match &case.what {
            What::Verdict(line) => &line.calls,
            What::Claim(claim) => match &**claim {
                Claim::Verdict { calls, .. } => calls,
                _ => return self.pass_over(),
            },
            What::Replay { file, .. } => return self.replay(&prepared.folder().join(file), reading),
            What::SubsetOf { .. } | What::Equiv { .. } | What::Snapshot { .. } => return self.pass_over(),
        };
        let calls = calls
            .ground(&reading.env)
            .map_err(|problems| prepared.refuse(&problems))?;
        match self.session.exercised(&calls) {
            Ok(calls) => self.count(&calls),
            Err(undecided) => self.found.undecided.push((case.line, undecided.to_string())),
        }
        Ok(())
    }

    fn pass_over(&mut self) -> Result<(), Error> {
        self.found.uncounted = self.found.uncounted.saturating_add(1);
        Ok(())
    }

    /// A trace exercises what those of its calls run through that are known well enough.
    fn replay(&mut self, path: &Path, reading: &Reading) -> Result<(), Error> {
        let bytes = read(path)?;
        let name = path.display().to_string();
        let mut calls = Vec::new();
        for traced in traced(
            &name,
            &bytes[..],
            reading.abis.first().copied().unwrap_or(callproof_abi::Abi::X86_64),
        )? {
            let traced = traced?;
            let order = self.options.order;
            let read = reads(self.filters, &traced.call, self.machine, order);
            if read & traced.unknown(order.of(traced.call.arch)) == 0 {
                calls.push(traced.call);
            }
        }
        self.count(&calls);
        Ok(())
    }

    /// Counts one case by its calls.
    fn count(&mut self, calls: &[SeccompData]) {
        self.found.counted = self.found.counted.saturating_add(1);
        let mut used = Used::new(self.filters);
        calls.iter().for_each(|call| self.watch(call, &mut used));
        for (hits, seen) in self.hits.iter_mut().flatten().zip(used.seen().iter().flatten()) {
            for (hits, seen) in hits.iter_mut().zip(seen) {
                *hits = hits.saturating_add(u64::from(*seen));
            }
        }
    }

    fn watch(&self, call: &SeccompData, used: &mut Used) {
        let machine = machine_of(call, self.machine, self.options.order);
        Chain::new(self.filters).run_observed(call, machine, used);
    }

    fn finish(mut self, names: &[String]) -> Result<Coverage, Error> {
        let dead = self.dead()?;
        let everything = Predicate::of(CallPattern::new(Selector::Any));
        let env = Env::new(callproof_policy::AbiList::of([callproof_policy::AbiItem::Any]));
        let examples = match everything.ground(&env).map(|all| self.session.exercised(&all)) {
            Ok(Ok(calls)) => calls,
            Ok(Err(undecided)) => {
                self.found.limit.get_or_insert_with(|| undecided.to_string());
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let mut filters = Vec::new();
        for (number, (filter, name)) in self.filters.iter().zip(names).enumerate() {
            let mut of_filter = OfFilter {
                filter: name.clone(),
                ..OfFilter::default()
            };
            let hits = self.hits.get(number).map_or(&[][..], Vec::as_slice);
            for (line, hits) in disasm::lines(filter.program(), self.machine.endian).iter().zip(hits) {
                let spots = spots(line, *hits).into_iter().map(|spot| Spot {
                    reachable: !dead.contains(&(number, spot.pc, spot.met)),
                    ..spot
                });
                match line.insn.op() {
                    Some(Op::Jump(..)) => of_filter.branches.extend(spots),
                    _ => of_filter.returns.extend(spots),
                }
            }
            filters.push(of_filter);
        }
        self.show_missing(&mut filters, &examples);
        self.found.filters = filters;
        let reachable = || self.found.spots().filter(|(_, spot)| spot.reachable);
        let exercised = reachable().filter(|(_, spot)| spot.hits > 0).count();
        (self.found.exercised, self.found.reachable) = (exercised, reachable().count());
        Ok(self.found)
    }

    /// A call for each spot that no case exercises.
    fn show_missing(&self, filters: &mut [OfFilter], examples: &[SeccompData]) {
        for example in examples {
            let mut used = Used::new(self.filters);
            self.watch(example, &mut used);
            for (of_filter, seen) in filters.iter_mut().zip(used.seen()) {
                let spots = of_filter.branches.iter_mut().chain(&mut of_filter.returns);
                for spot in spots.filter(|spot| spot.hits == 0 && spot.missing.is_none()) {
                    let [executed, met, unmet] = seen.get(spot.pc).copied().unwrap_or_default();
                    let there = match spot.met {
                        None => executed,
                        Some(true) => met,
                        Some(false) => unmet,
                    };
                    spot.missing = there.then(|| as_case(example));
                }
            }
        }
    }

    /// What no call reaches, if that is proved.
    fn dead(&mut self) -> Result<Vec<(usize, usize, Option<bool>)>, Error> {
        let query = Query {
            claim: &Claim::Free(Hazard::DeadCode),
            env: &Env::default(),
        };
        let outcome = self.session.ask(&query);
        let outcome = outcome.map_err(|error| Error::new(crate::error::ErrorKind::Bug, error))?;
        match outcome.answer {
            Answer::Fails(found) => {
                let Finding::DeadCode { dead, one_way } = found.finding else {
                    return Ok(Vec::new());
                };
                let never = dead
                    .iter()
                    .flat_map(|&(filter, pc)| [None, Some(true), Some(false)].map(|way| (filter, pc, way)));
                // A test that always goes one way never goes the other.
                let other = one_way.iter().map(|&(filter, pc, held)| (filter, pc, Some(!held)));
                Ok(never.chain(other).collect())
            }
            Answer::Undecided(tried) => {
                self.found.limit = Some(super::judge::undecided(&tried));
                Ok(Vec::new())
            }
            Answer::Holds { .. } | Answer::Vacuous => Ok(Vec::new()),
        }
    }
}

/// A call as a case names it, where a case can: one without a name, or of no ABI, is shown as `callproof eval` reads it.
fn as_case(call: &SeccompData) -> String {
    let text = call::print(call);
    let abi = crate::exhibit::abi(call).filter(|abi| abi.syscall_name(call.nr.cast_unsigned()).is_some());
    match abi {
        Some(abi) if call.instruction_pointer == 0 => text.replace(&format!(" arch={abi}"), &format!(" on {abi}")),
        _ => text,
    }
}

/// The spots of an instruction.
fn spots(line: &disasm::Line, [executed, met, unmet]: [u64; 3]) -> Vec<Spot> {
    let spot = |met, hits| Spot {
        pc: line.pc,
        met,
        hits,
        reachable: true,
        missing: None,
        instruction: line.to_string(),
    };
    match line.insn.op() {
        Some(Op::Jump(..)) if line.insn.jt != line.insn.jf => vec![spot(Some(true), met), spot(Some(false), unmet)],
        Some(Op::RetK | Op::RetA) => vec![spot(None, executed)],
        _ => Vec::new(),
    }
}

impl Coverage {
    /// Every spot, with the number of its filter.
    pub fn spots(&self) -> impl Iterator<Item = (usize, &Spot)> {
        let filters = self.filters.iter().enumerate();
        filters.flat_map(|(number, filter)| {
            let spots = filter.branches.iter().chain(&filter.returns);
            spots.map(move |spot| (number, spot))
        })
    }

    /// Whether no limit kept an answer. Else the figures are what was found until then, and no finding.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.undecided.is_empty() && self.limit.is_none()
    }

    /// How much of what calls can reach is exercised, in percent; 100 when nothing can be reached.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.reachable == 0 {
            return 100.0;
        }
        100.0 * self.exercised as f64 / self.reachable as f64
    }

    /// The same in the format of lcov's trace files. The lines are those of `callproof disasm`: instruction 0 is line 1.
    #[must_use]
    pub fn lcov(&self) -> String {
        self.filters.iter().map(OfFilter::lcov).collect()
    }
}

impl OfFilter {
    /// Without what no call reaches, which no case could make better.
    fn lcov(&self) -> String {
        use core::fmt::Write as _;
        let reachable = |spots: &[Spot]| -> Vec<Spot> { spots.iter().filter(|spot| spot.reachable).cloned().collect() };
        let (branches, returns) = (reachable(&self.branches), reachable(&self.returns));
        let mut text = format!("TN:\nSF:{}\n", self.filter);
        for pair in branches.chunk_by(|a, b| a.pc == b.pc) {
            let reached: u64 = pair.iter().map(|spot| spot.hits).sum();
            for spot in pair {
                // A test that no case reaches has no counts.
                let taken = if reached == 0 {
                    "-".to_owned()
                } else {
                    spot.hits.to_string()
                };
                let number = u8::from(spot.met == Some(false));
                let _ = writeln!(text, "BRDA:{},0,{number},{taken}", spot.pc.saturating_add(1));
            }
        }
        let hit = |spots: &[Spot]| spots.iter().filter(|spot| spot.hits > 0).count();
        let _ = writeln!(text, "BRF:{}\nBRH:{}", branches.len(), hit(&branches));
        for spot in &returns {
            let _ = writeln!(text, "DA:{},{}", spot.pc.saturating_add(1), spot.hits);
        }
        let _ = writeln!(text, "LF:{}\nLH:{}\nend_of_record", returns.len(), hit(&returns));
        text
    }
}

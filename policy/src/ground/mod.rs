//! Names to numbers: a predicate gets its meaning on each ABI.

mod args;
mod calls;
mod cells;

use std::collections::BTreeSet;

use callproof_abi::Abi;
use callproof_vm::{Endian, SeccompData};

use crate::builtin;
use crate::condition::{Condition, Field, Test};
use crate::formula::Formula;
use crate::names::did_you_mean;
use crate::predicate::Predicate;
use crate::problem::Problem;
use crate::region::Region;
use crate::sets::{Env, Member};
use crate::span::Span;
pub use cells::Cell;

/// How many names, numbers and tests one predicate can come to, over all its ABIs.
const MOST: usize = 1 << 18;
/// How many problems are told.
const TOLD: usize = 50;
/// How deep sets can be made of sets.
const DEEPEST: usize = 64;

/// A predicate in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounded {
    /// One part for each ABI that the predicate speaks of, in the order of [`Abi::ALL`], unknown `arch` words last
    pub parts: Vec<Part>,
}

/// What a predicate means on one ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The ABI
    pub cell: Cell,
    /// The calls; true of calls of this ABI only
    pub condition: Condition,
    /// Calls that the predicate names and that do not exist here, each once, so that it says nothing of them.
    ///
    /// A predicate all of whose calls are absent selects nothing: what is claimed of it is skipped, not shown.
    pub absent: Vec<Absent>,
}

/// A call that a predicate names and that an ABI does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The name, pattern or number as written
    pub call: String,
    /// Where it is written
    pub span: Span,
}

/// Which byte order the words of a call have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ByteOrder {
    /// For each call that which its `arch` word suggests: [`Endian::of_audit_arch`]
    #[default]
    OfArch,
    /// One for all; big-endian arm and arm64, 32-bit tasks on ppc64le and xtensa need it
    Fixed(Endian),
}

impl ByteOrder {
    /// The byte order of a call with this `arch` word.
    #[must_use]
    pub const fn of(self, arch: u32) -> Endian {
        match self {
            Self::OfArch => Endian::of_audit_arch(arch),
            Self::Fixed(endian) => endian,
        }
    }
}

impl Grounded {
    /// Whether the call is one of those meant.
    #[must_use]
    pub fn holds_for(&self, call: &SeccompData) -> bool {
        self.parts.iter().any(|part| part.condition.holds_for(call))
    }

    /// All parts as one condition.
    #[must_use]
    pub fn condition(&self) -> Condition {
        Formula::any(self.parts.iter().map(|part| part.condition.clone()))
    }

    /// All parts as tests on the words that a filter loads.
    ///
    /// For every call, `holds_for(call)` equals `region(order).holds_for(&call.words(order.of(call.arch)))`.
    #[must_use]
    pub fn region(&self, order: ByteOrder) -> Region {
        Formula::any(self.parts.iter().map(|part| part.region(order)))
    }
}

impl Part {
    /// The condition as tests on the words that a filter loads, the ABI's own test included.
    #[must_use]
    pub fn region(&self, order: ByteOrder) -> Region {
        let endian = match (order, self.cell) {
            (ByteOrder::Fixed(endian), _) => endian,
            (ByteOrder::OfArch, Cell::Abi(abi)) => Endian::of_audit_arch(abi.audit_arch()),
            (ByteOrder::OfArch, Cell::Unknown) => return self.region_by_arch(),
        };
        self.condition.lower(endian)
    }

    /// Without an ABI, bit 30 of the word itself tells the byte order.
    fn region_by_arch(&self) -> Region {
        let little = Condition::Atom(Test {
            mask: 0x4000_0000,
            ..Test::equal(Field::Arch, 0x4000_0000)
        });
        let (as_little, as_big) = (self.condition.lower(Endian::Little), self.condition.lower(Endian::Big));
        if as_little == as_big {
            return as_little;
        }
        let little = little.lower(Endian::Little);
        let big = little.clone().negated();
        Region::any([Region::all([little, as_little]), Region::all([big, as_big])])
    }
}

impl Predicate {
    /// Replaces names by numbers on each ABI that is meant: those of the `on` list, or those in force.
    ///
    /// # Errors
    /// Names that exist nowhere; constants, arguments and values that an ABI does not have or that do not fit there;
    /// conditions that need to know the call. At most fifty, each with the ABIs concerned.
    pub fn ground(&self, env: &Env) -> Result<Grounded, Vec<Problem>> {
        let list = self.on.as_ref().unwrap_or(&env.abis);
        let cells = cells::cells(list, &env.abis).map_err(|problem| vec![problem])?;
        let mut found = Found::default();
        let mut parts = Vec::new();
        let mut steps = 0;
        for &cell in &cells {
            let mut grounder = Grounder {
                env,
                cell,
                steps,
                absent: Vec::new(),
                absent_names: BTreeSet::new(),
                problems: Vec::new(),
            };
            let condition = grounder.predicate(self);
            steps = grounder.steps;
            let enough = found.add(cell, grounder.problems);
            let absent = grounder.absent;
            parts.push(Part {
                cell,
                condition,
                absent,
            });
            if enough {
                break;
            }
        }
        found.into_result(cells.len()).map(|()| Grounded { parts })
    }

    /// One predicate for each of the call patterns, all with the same exceptions and ABIs.
    #[must_use]
    pub fn split(&self) -> Vec<Self> {
        let of = |pattern| Self {
            calls: vec![pattern],
            ..self.clone()
        };
        self.calls.iter().cloned().map(of).collect()
    }
}

/// The work on one ABI.
struct Grounder<'e> {
    env: &'e Env,
    cell: Cell,
    /// What has been done so far, on the ABIs before too.
    steps: usize,
    absent: Vec<Absent>,
    absent_names: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'e> Grounder<'e> {
    fn predicate(&mut self, predicate: &Predicate) -> Condition {
        let calls = self.patterns(&predicate.calls);
        // An exception that does not exist takes nothing away, and nobody needs to be told.
        let absent = self.absent.len();
        let except = self.patterns(&predicate.except);
        self.absent.truncate(absent);
        Condition::all([self.cell.arch(), calls, except.negated()])
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Counts work; false once there is too much of it.
    fn step(&mut self, count: usize, span: Span) -> bool {
        let before = self.steps;
        self.steps = self.steps.saturating_add(count);
        if before <= MOST && self.steps > MOST {
            let message = format!("the predicate comes to more than {MOST} names and tests");
            self.problem(Problem::new(message, span).help("claim less at once"));
        }
        self.steps <= MOST && self.problems.len() < TOLD
    }

    /// The members of a set, or a problem. A set of the file hides a built-in one of the same name.
    fn set(&mut self, name: &str, span: Span) -> &'e [Member] {
        let env = self.env;
        let found = env.sets.get(name).or_else(|| builtin::members(name));
        found.unwrap_or_else(|| {
            let near = did_you_mean(name, env.sets.names().chain(builtin::names()));
            let help = match builtin::misuse(name) {
                Some(help) => help.to_owned(),
                None => format!("define it: `set {name} = {{ ... }}`"),
            };
            self.problem(Problem::new(format!("no set is called `{name}`{near}"), span).help(help));
            &[]
        })
    }

    /// Whether a set is one of ours, which have what some ABIs lack.
    fn is_built_in(&self, name: &str) -> bool {
        self.env.sets.get(name).is_none() && builtin::members(name).is_some()
    }

    fn abi(&self) -> Option<Abi> {
        self.cell.abi()
    }
}

/// Problems of all ABIs, each told once.
#[derive(Default)]
struct Found {
    problems: Vec<(Problem, BTreeSet<Cell>)>,
}

impl Found {
    /// Adds what an ABI's part came to; true when there is more than anybody would read.
    fn add(&mut self, cell: Cell, problems: Vec<Problem>) -> bool {
        for problem in problems {
            let place = (problem.span.start, problem.span.end);
            let same =
                |(known, _): &&mut (Problem, _)| *known == problem && (known.span.start, known.span.end) == place;
            match self.problems.iter_mut().find(same) {
                Some((_, cells)) => drop(cells.insert(cell)),
                None => self.problems.push((problem, BTreeSet::from([cell]))),
            }
        }
        self.problems.len() >= TOLD
    }

    fn into_result(mut self, all: usize) -> Result<(), Vec<Problem>> {
        self.problems.truncate(TOLD);
        let named = self.problems.into_iter().map(|(mut problem, cells)| {
            if cells.len() < all {
                problem.message += &cells::on(&cells);
            }
            problem
        });
        let problems: Vec<Problem> = named.collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

//! Claims over all calls.

use std::sync::Arc;

use crate::ground::Part;
use crate::names::did_you_mean;
use crate::predicate::{AbiList, Predicate};
use crate::problem::Problem;
use crate::sets::{Env, Member};
use crate::span::Span;
use crate::verdict_set::VerdictSet;

/// How many problems are told.
const TOLD: usize = 50;

/// A file of properties: what is claimed, and the definitions that the claims use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyFile {
    /// The statements in the order of the text
    pub items: Vec<Item>,
}

/// One statement of a property file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `abi x86_64, i386`: the ABIs in force for the lines below
    Abis(AbiList),
    /// `set NAME = { ... }`
    Set(String, Vec<Member>),
    /// `use "FILE" as NAME`: a filter or policy to compare with
    Use {
        /// The path as written
        path: String,
        /// How operands call it
        name: String,
    },
    /// A claim
    Property(Property),
}

/// A claim, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// What is claimed
    pub claim: Claim,
    /// Where it is written
    pub span: Span,
}

/// Something that is true or false of a filter, over all possible inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `[always|never|sometimes] VERDICTS CALLS`
    Verdict {
        /// For how many of the calls
        quantifier: Quantifier,
        /// What the filter answers
        verdicts: VerdictSet,
        /// Which calls
        calls: Predicate,
    },
    /// `cost(CALLS) <= N`: for each of the calls the filter (a chain: all its filters together) executes at most so
    /// many instructions, the return included
    Cost {
        /// Which calls
        calls: Predicate,
        /// The bound
        at_most: u32,
    },
    /// `cached CALLS`: the kernel's constant-allow bitmap answers every one of the calls
    Cached {
        /// Which calls
        calls: Predicate,
    },
    /// `LEFT <= RIGHT`: no ABI of the left is more permissive than any of the right (see [`crate::pairs`])
    AbiOrder {
        /// The ABIs that must not permit more
        left: AbiList,
        /// The ABIs that they are held against
        right: AbiList,
    },
    /// `same kernel view, same verdict`: two of the calls that differ only in bits which the kernel does not read get
    /// the same 32-bit value
    SameView {
        /// Which calls
        calls: Predicate,
    },
    /// `whole arguments`: no verdict depends on the low half of an argument that the kernel reads in 64 bits without
    /// depending on its high half as well
    WholeArguments {
        /// Which calls
        calls: Predicate,
    },
    /// `A refines B` and the like
    Relation {
        /// The one that is judged
        left: Operand,
        /// How
        relation: Comparison,
        /// The one it is held against
        right: Operand,
        /// Over which calls
        calls: Predicate,
    },
    /// `no dead code` and the like
    Free(Hazard),
}

/// For how many calls a claim about verdicts is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// Each of the calls gets a verdict in the set
    Always,
    /// None of the calls gets a verdict in the set
    Never,
    /// For each pattern of the list, on each ABI that has the call: at least one of its calls gets a verdict in the set
    Sometimes,
}

/// How two filters or policies stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `refines`: for every call the left action is at least as severe, in the kernel's order
    Refines,
    /// `within`: every call that the left permits (allow or log) the right permits too
    Within,
    /// `equals`: for every call both come to the same action and, where an action has data, the same data
    Equals,
}

/// A filter or policy in a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// `self`: the filter or chain that the properties are proved of
    Own,
    /// A name that a `use` line gave
    Named(String, Span),
    /// A file by its path
    File(String),
    /// `stack(a, b, ...)`: a chain, oldest first
    Stack(Vec<Self>),
}

/// Something that a program should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hazard {
    /// `dead code`: an instruction no input reaches, or a test that always goes one way
    DeadCode,
    /// `wide shift`: a shift by X of 32 or more, whose result depends on the machine
    WideShift,
    /// `division by zero`: a division by X when it is 0, for which the kernel kills the thread
    ZeroDivision,
}

impl Operand {
    fn problems(&self, used: &[&str], problems: &mut Vec<Problem>) {
        match self {
            Self::Named(name, span) if !used.contains(&name.as_str()) => {
                let message = format!("no file is called `{name}`{}", did_you_mean(name, used.iter().copied()));
                let help = format!("name one: `use \"FILE\" as {name}`");
                problems.push(Problem::new(message, *span).help(help));
            }
            Self::Stack(parts) => parts.iter().for_each(|part| part.problems(used, problems)),
            Self::Own | Self::File(_) | Self::Named(..) => {}
        }
    }
}

impl PropertyFile {
    /// The claims, each with the surroundings in which it has its meaning: `base`, the sets of the file, and the
    /// nearest `abi` line above.
    #[must_use]
    pub fn properties(&self, base: &Env) -> Vec<(&Property, Arc<Env>)> {
        let mut env = base.clone();
        for item in &self.items {
            if let Item::Set(name, members) = item {
                env.sets.insert(name.clone(), members.clone());
            }
        }
        let mut env = Arc::new(env);
        let mut properties = Vec::new();
        for item in &self.items {
            match item {
                Item::Abis(list) => {
                    let (abis, sets) = (list.clone(), env.sets.clone());
                    env = Arc::new(Env { abis, sets });
                }
                Item::Property(property) => properties.push((property, Arc::clone(&env))),
                Item::Set(..) | Item::Use { .. } => {}
            }
        }
        properties
    }
}

impl PropertyFile {
    /// Looks for everything that keeps a claim from having a meaning: what [`Predicate::ground`] and
    /// [`VerdictSet::on`] refuse, and files that no `use` line names.
    ///
    /// # Errors
    /// The problems in the order of the claims, no further than the claim with the fiftieth.
    pub fn check(&self, base: &Env) -> Result<(), Vec<Problem>> {
        let used: Vec<&str> = self.items.iter().filter_map(Item::used).collect();
        let mut problems: Vec<Problem> = Vec::new();
        for (property, env) in self.properties(base) {
            for problem in property.claim.problems(&env, &used) {
                let place = (problem.span.start, &problem.message);
                if !problems.iter().any(|known| (known.span.start, &known.message) == place) {
                    problems.push(problem);
                }
            }
            if problems.len() >= TOLD {
                break;
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl Item {
    /// The name that a `use` line gives.
    fn used(&self) -> Option<&str> {
        match self {
            Self::Use { name, .. } => Some(name),
            Self::Abis(_) | Self::Set(..) | Self::Property(_) => None,
        }
    }
}

impl Claim {
    fn problems(&self, env: &Env, used: &[&str]) -> Vec<Problem> {
        let grounded = self.calls().map(|calls| calls.ground(env));
        let parts = match grounded {
            None => Vec::new(),
            Some(Ok(grounded)) => grounded.parts,
            Some(Err(problems)) => return problems,
        };
        match self {
            Self::Verdict { verdicts, .. } => {
                let on = |part: Part| verdicts.on(part.cell.abi()).err().unwrap_or_default();
                parts.into_iter().flat_map(on).collect()
            }
            Self::Relation { left, right, .. } => {
                let mut problems = Vec::new();
                left.problems(used, &mut problems);
                right.problems(used, &mut problems);
                problems
            }
            _ => Vec::new(),
        }
    }

    /// The calls that the claim speaks of; `None` when it is about ABIs or about the program as a whole.
    #[must_use]
    pub const fn calls(&self) -> Option<&Predicate> {
        match self {
            Self::Verdict { calls, .. }
            | Self::Cost { calls, .. }
            | Self::Cached { calls }
            | Self::SameView { calls }
            | Self::WholeArguments { calls }
            | Self::Relation { calls, .. } => Some(calls),
            Self::AbiOrder { .. } | Self::Free(_) => None,
        }
    }
}

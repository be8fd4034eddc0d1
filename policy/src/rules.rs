//! Policies: ordered rules and a default.

use callproof_abi::Abi;
use callproof_vm::{Action, SeccompData};

use crate::condition::Condition;
use crate::ground::{Cell, Grounded};
use crate::names;
use crate::predicate::Predicate;
use crate::problem::Problem;
use crate::sets::Env;
use crate::span::Span;

/// What each call gets: the answer of the first rule that has it, or the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For calls that no rule has
    pub default: Answer,
    /// In the order in which they are tried
    pub rules: Vec<Rule>,
}

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For which calls
    pub calls: Predicate,
    /// What they get
    pub answer: Answer,
}

/// One value that a filter can return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The action; [`Action::Unknown`] has no value and is refused
    pub action: Action,
    /// What goes with it
    pub data: Data,
    /// Where it is written
    pub span: Span,
}

/// The low 16 bits of a return value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// As they are
    Number(u16),
    /// The number of an error on the ABI
    Errno(String),
}

/// A policy in numbers, for every input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroundPolicy {
    /// One element for each [`Cell`], in the order of [`Cell::all`]
    pub cells: Vec<CellRules>,
}

/// A policy on one ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellRules {
    /// The ABI
    pub cell: Cell,
    /// Condition, and the 32-bit value that the call gets; the first that holds counts
    pub rules: Vec<(Condition, u32)>,
    /// The value of other calls
    pub default: u32,
}

impl Answer {
    /// An action without data.
    #[must_use]
    pub const fn new(action: Action) -> Self {
        let data = Data::Number(0);
        Self {
            action,
            data,
            span: Span { start: 0, end: 0 },
        }
    }

    /// An errno by name.
    pub fn errno(name: impl Into<String>) -> Self {
        let data = Data::Errno(name.into());
        Self {
            data,
            ..Self::new(Action::Errno)
        }
    }

    /// The 32-bit value on an ABI; `None` stands for an `arch` word that the tables do not know, where errors have
    /// the numbers of `asm-generic`.
    ///
    /// # Errors
    /// When the action has no value or the error no number.
    pub fn value(&self, abi: Option<Abi>) -> Result<u32, Problem> {
        let Some(action) = self.action.value() else {
            return Err(Problem::new(
                "an unknown action cannot be returned on purpose",
                self.span,
            ));
        };
        let data = match &self.data {
            Data::Number(data) => *data,
            Data::Errno(name) => names::errno(name, abi).map_err(|message| Problem::new(message, self.span))?,
        };
        Ok(action | u32::from(data))
    }
}

impl Policy {
    /// Replaces names by numbers. Rules without an `on` list are for the ABIs in force; other calls get the default.
    ///
    /// Calls that an ABI does not have have no effect there; [`Predicate::ground`] of a rule tells which.
    ///
    /// # Errors
    /// As for [`Predicate::ground`], of all rules together.
    pub fn ground(&self, env: &Env) -> Result<GroundPolicy, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut rules: Vec<(Grounded, &Answer)> = Vec::new();
        for rule in &self.rules {
            match rule.calls.ground(env) {
                Ok(calls) => rules.push((calls, &rule.answer)),
                Err(found) => problems.extend(found),
            }
        }
        let mut value = |answer: &Answer, cell: Cell| {
            answer.value(cell.abi()).unwrap_or_else(|problem| {
                problems.push(problem);
                0
            })
        };
        let cells = Cell::all().map(|cell| CellRules {
            cell,
            rules: on(&rules, cell)
                .map(|(condition, answer)| (condition, value(answer, cell)))
                .collect(),
            default: value(&self.default, cell),
        });
        let cells = cells.collect();
        problems.dedup();
        if problems.is_empty() {
            Ok(GroundPolicy { cells })
        } else {
            Err(problems)
        }
    }
}

/// The rules that say something on an ABI.
fn on<'r>(rules: &'r [(Grounded, &'r Answer)], cell: Cell) -> impl Iterator<Item = (Condition, &'r Answer)> {
    let parts = rules.iter().flat_map(move |(calls, answer)| {
        let here = calls.parts.iter().filter(move |part| part.cell == cell);
        here.map(|part| (part.condition.clone(), *answer))
    });
    parts.filter(|(condition, _)| !condition.is_false())
}

impl GroundPolicy {
    /// The value that a call gets.
    #[must_use]
    pub fn decide(&self, call: &SeccompData) -> u32 {
        let cell = Abi::from_call(call.arch, call.nr.cast_unsigned()).map_or(Cell::Unknown, Cell::Abi);
        let rules = self.cells.iter().find(|rules| rules.cell == cell);
        rules.map_or(0, |rules| rules.decide(call))
    }
}

impl CellRules {
    fn decide(&self, call: &SeccompData) -> u32 {
        let rule = self.rules.iter().find(|(condition, _)| condition.holds_for(call));
        rule.map_or(self.default, |(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_policy;

    const TEXT: &str = "default errno(ENOSYS)\nallow read\nlog read, write on x86_64\ntrap(7) *(raw:1) on unknown\n";

    fn decide(arch: u32, nr: i32, first: u64) -> u32 {
        let policy = parse_policy("test", TEXT).unwrap().ground(&Env::default()).unwrap();
        policy.decide(&SeccompData::new(arch, nr, [first, 0, 0, 0, 0, 0]))
    }

    #[test]
    fn the_first_rule_wins() {
        let arch = Abi::X86_64.audit_arch();
        assert_eq!(decide(arch, 0, 0), 0x7fff_0000);
        assert_eq!(decide(arch, 1, 0), 0x7ffc_0000);
        assert_eq!(decide(arch, 2, 0), 0x0005_0026);
    }

    #[test]
    fn each_abi_has_its_own_numbers() {
        assert_eq!(decide(Abi::I386.audit_arch(), 3, 0), 0x7fff_0000);
        assert_eq!(decide(Abi::I386.audit_arch(), 4, 0), 0x0005_0026);
        assert_eq!(decide(Abi::Mips.audit_arch(), 4004, 0), 0x0005_0059);
        assert_eq!(decide(1, 0, 1), 0x0003_0007);
        assert_eq!(decide(1, 0, 2), 0x0005_0026);
    }

    #[test]
    fn prints_as_it_reads() {
        let policy = parse_policy("test", TEXT).unwrap();
        assert_eq!(policy.to_string(), TEXT);
    }

    #[test]
    fn an_unknown_action_is_refused() {
        let default = Answer::new(Action::Unknown);
        let problems = Policy {
            default,
            rules: Vec::new(),
        }
        .ground(&Env::default())
        .unwrap_err();
        assert_eq!(problems.len(), 1);
    }
}

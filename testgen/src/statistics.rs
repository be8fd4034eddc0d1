//! What a run exercised.

use core::fmt;
use std::collections::BTreeMap;

use callproof_policy::predicate::{Check, Cond};
use callproof_policy::{Policy, Selector};
use callproof_vm::isa::TABLE;
use callproof_vm::{Action, Insn, Kernel};

/// Counts of what programs, policies and verdicts of a run had. It prints as a table.
///
/// ```
/// use callproof_testgen::{Seed, Statistics, program};
/// let mut statistics = Statistics::default();
/// for number in 0..100 {
///     statistics.program(&program(&mut Seed::new(1, number)));
/// }
/// assert!(statistics.count("opcode", "RetA") > Some(50));
/// print!("{statistics}"); // a table, a row for each opcode and for each order of length
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    counts: BTreeMap<(&'static str, String), u64>,
}

impl Statistics {
    /// Counts a program: its opcodes, and its length by powers of two.
    pub fn program(&mut self, program: &[Insn]) {
        self.add("program length", below(program.len()));
        for insn in program {
            let row = TABLE.iter().find(|row| row.code == insn.code);
            self.add(
                "opcode",
                row.map_or_else(|| "unknown".to_owned(), |row| format!("{:?}", row.op)),
            );
        }
    }

    /// Counts a policy: its rules, the answers they give, how they name calls, the tests of arguments.
    pub fn policy(&mut self, policy: &Policy) {
        self.add("rules", below(policy.rules.len()));
        for rule in &policy.rules {
            self.add("answer", rule.answer.action.name().to_owned());
            for pattern in &rule.calls.calls {
                self.add("calls by", selector(&pattern.selector).to_owned());
                let tested = pattern.args.iter().flatten().count();
                self.add("arguments tested", tested.to_string());
                pattern.args.iter().flatten().for_each(|cond| self.cond(cond));
            }
        }
    }

    /// Counts an answer of a filter, by its action.
    pub fn verdict(&mut self, value: u32) {
        self.add("verdict", Action::of(value, Kernel::LATEST).name().to_owned());
    }

    /// Counts anything else that the run wants to tell.
    pub fn add(&mut self, kind: &'static str, what: String) {
        let count = self.counts.entry((kind, what)).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds what another run counted.
    pub fn merge(&mut self, other: &Self) {
        for (key, more) in &other.counts {
            let count = self.counts.entry(key.clone()).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// How often something occurred; `None` for never.
    #[must_use]
    pub fn count(&self, kind: &'static str, what: &str) -> Option<u64> {
        self.counts.get(&(kind, what.to_owned())).copied()
    }

    /// How many different things of a kind occurred.
    #[must_use]
    pub fn different(&self, kind: &str) -> usize {
        self.counts.keys().filter(|(known, _)| *known == kind).count()
    }

    fn cond(&mut self, cond: &Cond) {
        match cond {
            Cond::Test(test) => {
                self.add("view", format!("{:?}", test.view).to_lowercase());
                self.add("operator", operator(&test.check));
            }
            Cond::Not(inner) => {
                self.add("joined by", "!".to_owned());
                self.cond(inner);
            }
            Cond::All(parts) => {
                self.add("joined by", "&&".to_owned());
                parts.iter().for_each(|part| self.cond(part));
            }
            Cond::Either(parts) => {
                self.add("joined by", "|".to_owned());
                parts.iter().for_each(|part| self.cond(part));
            }
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, what), count) in &self.counts {
            writeln!(f, "{kind:<18}{what:<26}{count:>10}")?;
        }
        Ok(())
    }
}

/// `1 to 3`, `4 to 7`: so that rows are few.
fn below(count: usize) -> String {
    let Some(power) = count.checked_ilog2() else {
        return "0".to_owned();
    };
    let low = 1_usize << power;
    format!("{low:>4} to {}", low.saturating_mul(2).saturating_sub(1))
}

const fn selector(selector: &Selector) -> &'static str {
    match selector {
        Selector::Any => "any",
        Selector::Unallocated => "unallocated",
        Selector::Name(_) => "name",
        Selector::Number(_) => "number",
        Selector::Range(..) => "range",
        Selector::Set(_) => "set",
    }
}

fn operator(check: &Check) -> String {
    match check {
        Check::AnyBit(_) => "&".to_owned(),
        Check::Compare(None, relation, _) => relation.to_string(),
        Check::Compare(Some(_), relation, _) => format!("& mask {relation}"),
        Check::Range(..) => "..=".to_owned(),
        Check::In(_) => "in".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use callproof_policy::Env;
    use callproof_vm::{Filter, Machine};

    use super::*;
    use crate::policy::{PolicyCalls, PolicyShape, policy};
    use crate::{Caller, Harvest, Seed, program};

    #[test]
    fn a_run_exercises_everything_and_says_so() {
        let mut statistics = Statistics::default();
        for number in 0..1500 {
            let mut seed = Seed::new(41, number);
            let program = program(&mut seed);
            statistics.program(&program);
            let filter = Filter::load(&program[..]).unwrap();
            let caller = Caller::any(&mut seed);
            let call = Harvest::of(&program).call(&mut seed, caller);
            statistics.verdict(filter.run(&call, Machine::default()));
            let policy = policy(&mut seed, &PolicyShape::default());
            statistics.policy(&policy);
            let ground = policy.ground(&Env::default()).unwrap();
            statistics.verdict(ground.decide(&PolicyCalls::of(&ground).call(&mut seed)));
        }
        assert_eq!(statistics.different("opcode"), 41);
        assert_eq!(statistics.different("verdict"), 9, "{statistics}");
        assert_eq!(statistics.different("answer"), 8);
        assert_eq!(statistics.different("view"), 4);
        assert_eq!(statistics.different("joined by"), 3);
        assert_eq!(statistics.different("calls by"), 5);
        assert_eq!(statistics.different("operator"), 14, "{statistics}");
        assert!(statistics.count("rules", " 256 to 511").is_some(), "{statistics}");
        let (mut twice, rows) = (statistics.clone(), statistics.to_string().lines().count());
        twice.merge(&statistics);
        assert_eq!(
            twice.count("view", "raw"),
            statistics.count("view", "raw").map(|count| count * 2)
        );
        assert_eq!(rows, statistics.counts.len());
    }

    #[test]
    fn counts_are_of_what_was_there() {
        let mut statistics = Statistics::default();
        statistics.program(&[Insn::stmt(0x20, 0), Insn::stmt(0x16, 0), Insn::stmt(0xffff, 0)]);
        assert_eq!(statistics.count("opcode", "RetA"), Some(1));
        assert_eq!(statistics.count("opcode", "unknown"), Some(1));
        assert_eq!(statistics.count("program length", "   2 to 3"), Some(1));
        assert_eq!(statistics.count("verdict", "allow"), None);
        statistics.program(&[]);
        assert_eq!(statistics.count("program length", "0"), Some(1));
    }
}

//! A policy by ABI and number.

use core::fmt::Display;
use std::collections::BTreeSet;

use callproof_abi::Abi;
use callproof_policy::{Answer, Cell, Compare, Condition, Data, Env, Field, Formula, Policy, Problem, Test};
use callproof_vm::Action;

use super::Refused;
use crate::text::shown;

/// Everything that a policy says.
#[derive(Debug)]
pub(super) struct Flat<'p> {
    policy: &'p Policy,
    pub(super) cells: Vec<FlatCell>,
}

/// What a policy says on an ABI.
#[derive(Debug)]
pub(super) struct FlatCell {
    pub(super) cell: Cell,
    rules: Vec<Line>,
    default: u32,
    /// Numbers that rules are about one by one, and those of the tables
    known: BTreeSet<u32>,
}

/// One step of a call: what it gets when the condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The place of the rule
    pub(super) rule: usize,
    /// On arguments alone, once the number of the call is known
    pub(super) condition: Condition,
    pub(super) value: u32,
}

/// What a policy says of one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) number: u32,
    /// In order; the first whose condition holds decides
    pub(super) lines: Vec<Line>,
    /// When none does
    pub(super) otherwise: u32,
    /// The place of the rule that says so, unless it is the default
    pub(super) last: Option<usize>,
}

impl Call {
    /// The place of the first rule that says anything of the call; none for the default.
    pub(super) fn first_rule(&self) -> Option<usize> {
        self.lines.first().map(|line| line.rule).or(self.last)
    }
}

impl<'p> Flat<'p> {
    /// Takes a policy apart.
    pub(super) fn of(policy: &'p Policy, env: &Env) -> Result<Self, Vec<Problem>> {
        // Its problems are those of all rules and answers together.
        policy.ground(env)?;
        let mut cells = Vec::new();
        for cell in Cell::all() {
            let default = policy.default.value(cell.abi()).map_err(|problem| vec![problem])?;
            cells.push(FlatCell {
                cell,
                rules: Vec::new(),
                default,
                known: BTreeSet::new(),
            });
        }
        for (place, rule) in policy.rules.iter().enumerate() {
            let grounded = rule.calls.ground(env)?;
            for part in grounded.parts {
                let value = rule.answer.value(part.cell.abi()).map_err(|problem| vec![problem])?;
                let home = cells.iter_mut().find(|cell| cell.cell == part.cell);
                if let (Some(home), false) = (home, part.condition.is_false()) {
                    home.rules.push(Line {
                        rule: place,
                        condition: part.condition,
                        value,
                    });
                }
            }
        }
        cells.iter_mut().for_each(FlatCell::learn);
        Ok(Self { policy, cells })
    }

    /// Refuses what a rule says, or the default when there is none.
    pub(super) fn refuse(&self, rule: Option<usize>, message: impl Display, help: &str, refused: &mut Refused) {
        let written = rule.and_then(|place| Some((place.saturating_add(1), self.policy.rules.get(place)?)));
        let (by, span) = match written {
            Some((number, rule)) => {
                let text = format!("{} {}", rule.answer, rule.calls);
                let of_calls = rule.calls.calls.first().map(|call| call.span);
                let span = of_calls.filter(|span| span.end > 0).unwrap_or(rule.answer.span);
                (format!("rule {number}, `{}`", shown(&text)), span)
            }
            None => ("the default".to_owned(), self.policy.default.span),
        };
        refused.push_at(span, format!("{by}: {message}"), help);
    }

    /// Refuses answers that a format has no words for: `actions` are those that it has, `with_data` those that carry a
    /// number there.
    pub(super) fn check_answers(&self, format: &str, actions: &[Action], with_data: &[Action], refused: &mut Refused) {
        let rules = self.policy.rules.iter().enumerate();
        let of_rules = rules.map(|(place, rule)| (Some(place), &rule.answer));
        for (place, answer) in of_rules.chain([(None, &self.policy.default)]) {
            let data = answer.data != Data::Number(0);
            let sayable = actions.contains(&answer.action) && (!data || with_data.contains(&answer.action));
            if !sayable {
                let known: Vec<String> = actions.iter().map(|action| Answer::new(*action).to_string()).collect();
                let help = format!("its answers are {}", known.join(", "));
                self.refuse(
                    place,
                    format_args!("{format} has no words for {answer}"),
                    &help,
                    refused,
                );
            }
        }
    }

    /// Refuses errnos that our own language takes for a mistake; some tools write them, and the kernel cuts them.
    pub(super) fn check_errnos(&self, refused: &mut Refused) {
        let rules = self.policy.rules.iter().enumerate();
        let answers = rules.map(|(place, rule)| (Some(place), &rule.answer));
        for (place, answer) in answers.chain([(None, &self.policy.default)]) {
            if answer.action == Action::Errno && matches!(answer.data, Data::Number(4096..)) {
                let help = "the kernel makes 4095 of it; write that";
                self.refuse(place, format_args!("{answer}: errnos go from 0 to 4095"), help, refused);
            }
        }
    }

    /// The part of an ABI.
    pub(super) fn of_abi(&self, abi: Abi) -> Option<&FlatCell> {
        self.cells.iter().find(|cell| cell.cell == Cell::Abi(abi))
    }
}

impl FlatCell {
    fn learn(&mut self) {
        if self.rules.is_empty() {
            return;
        }
        let mut tests = Vec::new();
        self.rules
            .iter()
            .for_each(|line| number_tests(&line.condition, &mut tests));
        let equal = tests.iter().filter(|test| test.compare == Compare::Eq && whole(test));
        let mut known: BTreeSet<u32> = equal.filter_map(|test| u32::try_from(test.value).ok()).collect();
        known.extend(
            self.cell
                .abi()
                .into_iter()
                .flat_map(Abi::syscalls)
                .map(|call| call.number),
        );
        known.retain(|number| self.has(*number));
        self.known = known;
    }

    /// Whether a call of this ABI can have the number.
    fn has(&self, number: u32) -> bool {
        let home = self.cell.abi();
        home.is_none_or(|abi| Abi::from_call(abi.audit_arch(), number) == Some(abi))
    }

    /// Whether the ABI is one of those that count; none counts all.
    pub(super) fn counts(&self, only: &[Abi]) -> bool {
        only.is_empty() || self.cell.abi().is_some_and(|abi| only.contains(&abi))
    }

    /// What the number gets.
    pub(super) fn call(&self, number: u32) -> Call {
        let (mut lines, mut otherwise, mut last) = (Vec::new(), self.default, None);
        for line in &self.rules {
            let condition = at(&line.condition, number);
            if condition.is_true() {
                (otherwise, last) = (line.value, Some(line.rule));
                break;
            }
            if !condition.is_false() {
                lines.push(Line {
                    condition,
                    ..line.clone()
                });
            }
        }
        // What ends in the same answer anyway says nothing.
        while lines.last().is_some_and(|line| line.value == otherwise) {
            lines.pop();
        }
        Call {
            number,
            lines,
            otherwise,
            last,
        }
    }

    /// The numbers that get something else than `other`, in order.
    pub(super) fn calls(&self, other: u32) -> Vec<Call> {
        let calls = self.known.iter().map(|number| self.call(*number));
        calls
            .filter(|call| !call.lines.is_empty() || call.otherwise != other)
            .collect()
    }

    /// What numbers get that are neither in the tables nor in a rule by themselves, with a number for which it is so:
    /// one element where all get the same. Only numbers that are `counted` do.
    pub(super) fn others(&self, counted: impl Fn(u32) -> bool) -> Vec<Call> {
        let mut found: Vec<Call> = Vec::new();
        for number in self.samples().into_iter().filter(|number| counted(*number)) {
            let call = self.call(number);
            let same = |other: &Call| other.otherwise == call.otherwise && other.lines == call.lines;
            if !found.iter().any(same) {
                found.push(call);
            }
        }
        found
    }

    /// A number of each run of numbers that no test tells apart and that are not known.
    fn samples(&self) -> BTreeSet<u32> {
        let mut tests = Vec::new();
        self.rules
            .iter()
            .for_each(|line| number_tests(&line.condition, &mut tests));
        // Where bits 30 and 31 change, which is how x32 and x86_64 are told apart.
        let bits = [0, 0x3fff_ffff, 0x7fff_ffff, 0xbfff_ffff, u32::MAX];
        let bounds = tests.iter().filter(|test| test.compare == Compare::Gt);
        let bounds = bounds.filter_map(|test| u32::try_from(test.value).ok()).chain(bits);
        let mut samples = BTreeSet::new();
        for bound in bounds {
            let free = |number: &u32| self.has(*number) && !self.known.contains(number);
            let steps = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
            samples.extend((bound.saturating_sub(steps)..=bound).rev().find(free));
            let above = bound.saturating_add(1);
            samples.extend((above..=above.saturating_add(steps)).find(free));
        }
        samples
    }

    /// The one answer that every call gets.
    pub(super) fn uniform(&self) -> Option<u32> {
        if self.rules.is_empty() {
            return Some(self.default);
        }
        match self.others(|_| true).as_slice() {
            [only] if only.lines.is_empty() && self.calls(only.otherwise).is_empty() => Some(only.otherwise),
            _ => None,
        }
    }

    /// The first rule that says anything here.
    pub(super) fn first_rule(&self) -> Option<usize> {
        self.rules.first().map(|line| line.rule)
    }
}

fn whole(test: &Test) -> bool {
    test.mask & u64::from(u32::MAX) == u64::from(u32::MAX)
}

fn number_tests(condition: &Condition, found: &mut Vec<Test>) {
    match condition {
        Formula::Atom(test) if test.field == Field::Nr => found.push(*test),
        Formula::Atom(_) => {}
        Formula::Not(inner) => number_tests(inner, found),
        Formula::All(parts) | Formula::Any(parts) => parts.iter().for_each(|part| number_tests(part, found)),
    }
}

/// What is left of a condition when the number is known. The cell has settled the `arch` word.
fn at(condition: &Condition, number: u32) -> Condition {
    match settled(condition, number) {
        Some(true) => Condition::TRUE,
        Some(false) => Condition::FALSE,
        None => condition.map(&|test| match of_number(test, number) {
            Some(true) => Condition::TRUE,
            Some(false) => Condition::FALSE,
            None => Condition::Atom(*test),
        }),
    }
}

/// Whether the number alone settles the condition. Most rules are about other numbers, so that this saves much work.
fn settled(condition: &Condition, number: u32) -> Option<bool> {
    match condition {
        Formula::Atom(test) => of_number(test, number),
        Formula::Not(inner) => settled(inner, number).map(|holds| !holds),
        Formula::All(parts) => decided(parts, number, false),
        Formula::Any(parts) => decided(parts, number, true),
    }
}

/// The parts together, of which one that is `decisive` settles the whole.
fn decided(parts: &[Condition], number: u32, decisive: bool) -> Option<bool> {
    let mut whole = Some(!decisive);
    for part in parts {
        match settled(part, number) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => whole = None,
        }
    }
    whole
}

fn of_number(test: &Test, number: u32) -> Option<bool> {
    match test.field {
        Field::Nr => Some(test.compare.holds(u64::from(number) & test.mask, test.value)),
        Field::Arch => Some(true),
        // Without bits to look at nothing depends on the call.
        _ if test.mask == 0 => Some(test.compare.holds(0, test.value)),
        _ => None,
    }
}

//! Selectors to numbers.

use std::collections::BTreeSet;

use callproof_abi::{Abi, Syscall};

use super::{Absent, Cell, DEEPEST, Grounder};
use crate::condition::{Condition, Field, Test};
use crate::names;
use crate::parse::call_number;
use crate::predicate::{CallPattern, Selector};
use crate::problem::Problem;
use crate::sets::Member;
use crate::span::Span;

/// A number, or many, and what is known of the arguments there.
#[derive(Clone, Debug)]
pub(super) struct Target {
    numbers: Condition,
    pub(super) callee: Callee,
}

/// What a condition on arguments is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// A call in the tables
    Known(Syscall),
    /// A number that is no call in the tables
    Number,
    /// Many numbers, whose calls differ in what they read
    Many,
}

impl Grounder<'_> {
    /// The calls of any of the patterns.
    pub(super) fn patterns(&mut self, patterns: &[CallPattern]) -> Condition {
        let mut sets = BTreeSet::new();
        let parts: Vec<Condition> = patterns
            .iter()
            .map(|pattern| self.pattern(pattern, &mut sets, 0))
            .collect();
        Condition::any(parts)
    }

    /// `sets` are those that the list has taken in already: once is enough.
    fn pattern(&mut self, pattern: &CallPattern, sets: &mut BTreeSet<String>, depth: usize) -> Condition {
        if !self.step(1, pattern.span) {
            return Condition::FALSE;
        }
        if let Selector::Set(name) = &pattern.selector {
            return self.set_of_calls(name, pattern.span, sets, depth);
        }
        let targets = self.targets(&pattern.selector, pattern.span);
        if pattern.args.iter().all(Option::is_none) {
            return Condition::any(targets.into_iter().map(|target| target.numbers));
        }
        // Calls with the same condition share it: it is stated once for all their numbers.
        let mut groups: Vec<(Condition, Vec<Condition>)> = Vec::new();
        for target in targets {
            let args = self.args(&pattern.args, target.callee, pattern);
            match groups.iter_mut().find(|(known, _)| *known == args) {
                Some((_, numbers)) => numbers.push(target.numbers),
                None => groups.push((args, vec![target.numbers])),
            }
        }
        let group = |(args, numbers)| Condition::all([Condition::any(numbers), args]);
        Condition::any(groups.into_iter().map(group))
    }

    fn set_of_calls(&mut self, name: &str, span: Span, sets: &mut BTreeSet<String>, depth: usize) -> Condition {
        if depth >= DEEPEST {
            let message = format!("sets of sets go deeper than {DEEPEST} levels");
            self.problem(Problem::new(message, span));
            return Condition::FALSE;
        }
        if !sets.insert(name.to_owned()) {
            return Condition::FALSE;
        }
        let members = self.set(name, span);
        let told = self.absent.len();
        let mut parts = Vec::new();
        for member in members {
            let pattern = self.member(member);
            parts.extend(pattern.map(|pattern| self.pattern(&pattern, sets, depth + 1)));
        }
        let calls = Condition::any(parts);
        if self.is_built_in(name) {
            // No ABI has all calls of a built-in set; only one that has none is worth a word.
            self.absent.truncate(told);
            if calls.is_false() {
                self.is_absent(format!("@{name}"), span);
            }
        }
        calls
    }

    /// A member of a set as calls.
    fn member(&mut self, member: &Member) -> Option<CallPattern> {
        let (selector, span) = match member {
            Member::Call(pattern) => return Some(pattern.clone()),
            Member::Word(name, span) => (Selector::Name(name.clone()), *span),
            Member::Set(name, span) => (Selector::Set(name.clone()), *span),
            Member::Number(number, span) => (Selector::Number(self.member_number(*number, *span)?), *span),
            Member::Range(low, high, span) => {
                let (low, high) = (self.member_number(*low, *span)?, self.member_number(*high, *span)?);
                (Selector::Range(low, high), *span)
            }
        };
        let pattern = CallPattern::new(selector);
        Some(CallPattern { span, ..pattern })
    }

    fn member_number(&mut self, number: i128, span: Span) -> Option<u32> {
        let found = call_number(number);
        if found.is_none() {
            let message = format!("`{number}` is no number of a call: those have 32 bits");
            self.problem(Problem::new(message, span));
        }
        found
    }

    fn targets(&mut self, selector: &Selector, span: Span) -> Vec<Target> {
        let many = |numbers| {
            vec![Target {
                numbers,
                callee: Callee::Many,
            }]
        };
        match selector {
            Selector::Any => many(self.cell.numbers()),
            Selector::Unallocated => many(self.unallocated()),
            Selector::Name(name) if name.contains('*') => self.matching(name, span),
            Selector::Name(name) => self.named(name, span),
            Selector::Number(number) => self.numbered(*number, span),
            Selector::Range(low, high) if low > high => {
                let message = format!("the range {low}..={high} is empty");
                self.problem(Problem::new(message, span).help("the lower end comes first"));
                Vec::new()
            }
            Selector::Range(low, high) => {
                let within = Condition::within(Field::Nr, u64::from(u32::MAX), u64::from(*low), u64::from(*high));
                many(Condition::all([self.cell.numbers(), within]))
            }
            // Taken care of where patterns are.
            Selector::Set(_) => Vec::new(),
        }
    }

    fn named(&mut self, name: &str, span: Span) -> Vec<Target> {
        if self.absent_names.contains(name) {
            return Vec::new();
        }
        let found = self.abi().and_then(|abi| abi.syscall_named(name).ok());
        match found {
            Some(call) => vec![known(call)],
            None => {
                match names::nowhere(name) {
                    Some(message) => self.problem(Problem::new(message, span)),
                    None => self.is_absent(name.to_owned(), span),
                }
                Vec::new()
            }
        }
    }

    fn matching(&mut self, pattern: &str, span: Span) -> Vec<Target> {
        if self.absent_names.contains(pattern) {
            return Vec::new();
        }
        if pattern.len() > names::LONGEST {
            let message = format!("no system call matches `{}`", names::shortened(pattern));
            self.problem(Problem::new(message, span));
            return Vec::new();
        }
        let fits = |call: &Syscall| names::fits(pattern, call.name);
        let on = |abi: Abi| abi.syscalls().filter(fits);
        let targets: Vec<Target> = self.abi().into_iter().flat_map(on).map(known).collect();
        // Comparing with a few hundred names is more work than looking one up.
        self.step(64 + targets.len(), span);
        if targets.is_empty() {
            if names::all_calls().iter().any(|name| names::fits(pattern, name)) {
                self.is_absent(pattern.to_owned(), span);
            } else {
                self.problem(Problem::new(format!("no system call matches `{pattern}`"), span));
            }
        }
        targets
    }

    fn numbered(&mut self, number: u32, span: Span) -> Vec<Target> {
        if !self.cell.has_number(number) {
            self.is_absent(number.to_string(), span);
            return Vec::new();
        }
        let call = self.abi().and_then(|abi| abi.syscall(number));
        let numbers = is_number(number);
        let callee = Callee::Number;
        vec![call.map_or(Target { numbers, callee }, known)]
    }

    /// The numbers of the cell without a call.
    fn unallocated(&self) -> Condition {
        let Cell::Abi(abi) = self.cell else {
            return Condition::TRUE;
        };
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in abi.syscalls().map(|call| u64::from(call.number)) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => runs.push((number, number)),
            }
        }
        let run = |(low, high)| Condition::within(Field::Nr, u64::from(u32::MAX), low, high);
        let allocated = Condition::any(runs.into_iter().map(run));
        Condition::all([self.cell.numbers(), allocated.negated()])
    }

    fn is_absent(&mut self, call: String, span: Span) {
        // Told once, and not looked up again: a failing lookup is slow.
        if self.absent_names.insert(call.clone()) {
            self.absent.push(Absent { call, span });
        }
    }
}

fn known(call: Syscall) -> Target {
    Target {
        numbers: is_number(call.number),
        callee: Callee::Known(call),
    }
}

fn is_number(number: u32) -> Condition {
    Condition::Atom(Test::equal(Field::Nr, u64::from(number)))
}

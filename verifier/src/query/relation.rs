//! Filters, policies and ABIs held against each other.

use std::collections::BTreeMap;

use callproof_abi::{Abi, Syscall};
use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{AbiList, Cell, Env, Predicate, Problem, pairs};
use callproof_vm::{Action, Endian, Kernel, SeccompData};

use super::Session;
use super::answer::{Answer, Counterexample, Finding, Outcome, Stop};
use super::values::{has_data, same};
use super::verdict::with_absent;
use crate::diagram::{Diagram, Ref};
use crate::function::{Form, Function};
use crate::limits::{Limit, Undecided};
use crate::space::{Set, Space};
use crate::verdicts::Verdicts;
use crate::view::View;
use crate::witness::disagreement;

pub(super) fn answer(
    session: &mut Session<'_>,
    (left, comparison, right): (&Operand, Comparison, &Operand),
    calls: &Predicate,
    env: &Env,
) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let (a, b) = (session.operand_function(left)?, session.operand_function(right)?);
    let kernel = session.kernel();
    let asked = session.asked(&grounded)?;
    let bad = session.space.apart(&a, comparison, &b, kernel)?;
    let bad = session.space.and(bad, asked)?;
    let answer = match session.space.example(bad)? {
        _ if asked.is_empty() => Answer::Vacuous,
        None => Answer::Holds {
            proof: None,
            shown: Vec::new(),
        },
        Some(call) => {
            let shown = vec![
                session.replay(&call, &session.operand(left)?, &a)?,
                session.replay(&call, &session.operand(right)?, &b)?,
            ];
            Answer::Fails(Counterexample::of(Finding::Relation, shown))
        }
    };
    Ok(with_absent(answer, grounded))
}

impl Space {
    /// The calls for which a comparison of two functions does not hold.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn apart(
        &mut self,
        a: &Function,
        comparison: Comparison,
        b: &Function,
        kernel: Kernel,
    ) -> Result<Set, Undecided> {
        match comparison {
            Comparison::Refines => self.less_severe(a, b, kernel),
            Comparison::Within => self.permitted_beyond(a, b, kernel),
            Comparison::Equals => self.unequal(a, b, kernel),
        }
    }

    /// The calls that get another action, or the same with other data where the action has data.
    fn unequal(&mut self, a: &Function, b: &Function, kernel: Kernel) -> Result<Set, Undecided> {
        if let (Form::Whole(a), Form::Whole(b)) = (&a.form, &b.form) {
            let op = self.arena.own_op();
            let mut differ = |a, b| u32::from(!same(a, b, kernel));
            return self.arena.apply(op, *a, *b, &mut differ).map(Set);
        }
        let mut differ = self.difference(a, b)?;
        for action in Action::ALL.into_iter().chain([Action::Unknown]) {
            if !has_data(action) {
                let verdicts = Verdicts::actions(&[action], kernel);
                let (a, b) = (self.calls(a, &verdicts)?, self.calls(b, &verdicts)?);
                let both = self.and(a, b)?;
                differ = self.minus(differ, both)?;
            }
        }
        Ok(differ)
    }

    /// Which two values each call gets from two functions: a function to the places of pairs in a list, whose first pair
    /// stands for equal verdicts. A list that has pairs already, of another space, is continued, so that equal places
    /// mean equal pairs in both.
    ///
    /// # Errors
    /// [`Undecided`] at a limit; [`Limit::Values`] when a function has more values than can be listed.
    pub fn paired(&mut self, a: &Function, b: &Function, pairs: &mut Vec<(u32, u32)>) -> Result<Function, Undecided> {
        let (Form::Whole(root_a), Form::Whole(root_b)) = (&a.form, &b.form) else {
            return Err(self.arena.meter().stop(Limit::Values));
        };
        let kernel = self.machine().kernel;
        if pairs.is_empty() {
            pairs.push((0, 0));
        }
        let mut places: BTreeMap<(u32, u32), u32> = (0_u32..)
            .zip(pairs.iter())
            .skip(1)
            .map(|(at, pair)| (*pair, at))
            .collect();
        let op = self.arena.own_op();
        let mut place = |a, b| {
            if same(a, b, kernel) {
                return 0;
            }
            *places.entry((a, b)).or_insert_with(|| {
                pairs.push((a, b));
                u32::try_from(pairs.len().saturating_sub(1)).unwrap_or(0)
            })
        };
        let root = self.arena.apply(op, *root_a, *root_b, &mut place)?;
        let mut function = a.clone();
        function.form = Form::Whole(root);
        Ok(function)
    }

    /// A set where architecture and number are known.
    fn at(&mut self, set: Set, arch: u32, number: u32) -> Result<Ref, Undecided> {
        let op = self.arena.own_op();
        let here = self.arena.restrict(op, set.0, 1, arch)?;
        let op = self.arena.own_op();
        self.arena.restrict(op, here, 0, number)
    }
}

/// No ABI of the left permits more than any of the right.
pub(super) fn abi_order(
    session: &mut Session<'_>,
    left: &AbiList,
    right: &AbiList,
    env: &Env,
) -> Result<Outcome, Stop> {
    let (lefts, rights) = (abis(left, env)?, abis(right, env)?);
    let unmatched = unmatched(left, right, env)?;
    let function = session.function_for(View::Permits)?;
    let kernel = session.kernel();
    let permitted = session.space.calls(&function, &Verdicts::permitted(kernel))?;
    let mut outcome = Outcome::new(Answer::Vacuous);
    outcome.unmatched = unmatched;
    for &a in &lefts {
        for &b in &rights {
            for (of_a, of_b) in &pairs(a, b).common {
                if let Some(found) = counterpart(session, permitted, (a, *of_a), (b, *of_b), &function)? {
                    outcome.answer = Answer::Fails(found);
                    return Ok(outcome);
                }
                outcome.answer = Answer::Holds {
                    proof: None,
                    shown: Vec::new(),
                };
            }
        }
    }
    Ok(outcome)
}

/// The calls that are compared with nothing.
pub(super) fn unmatched(left: &AbiList, right: &AbiList, env: &Env) -> Result<Vec<(Cell, &'static str)>, Stop> {
    let (lefts, rights) = (abis(left, env)?, abis(right, env)?);
    let mut unmatched = Vec::new();
    for a in lefts {
        for &b in &rights {
            let lonely = pairs(a, b).left_only.into_iter();
            unmatched.extend(lonely.map(|call| (Cell::Abi(a), call.name)));
        }
    }
    Ok(unmatched)
}

/// Registers of two ABIs can be compared when their halves are in the same places.
pub(super) fn same_order(session: &Session<'_>, a: Abi, b: Abi) -> Result<Endian, Stop> {
    let endian = session.order.of(a.audit_arch());
    if endian == session.order.of(b.audit_arch()) {
        return Ok(endian);
    }
    let message = format!("{a} and {b} cannot be compared: their byte orders differ");
    Err(Problem::new(message, callproof_policy::Span::default()).into())
}

pub(super) fn abis(list: &AbiList, env: &Env) -> Result<Vec<Abi>, Stop> {
    Ok(list.cells(&env.abis)?.into_iter().filter_map(Cell::abi).collect())
}

/// A call of one ABI that is permitted while its counterpart on the other is not.
fn counterpart(
    session: &mut Session<'_>,
    permitted: Set,
    (a, of_a): (Abi, Syscall),
    (b, of_b): (Abi, Syscall),
    function: &Function,
) -> Result<Option<Counterexample>, Stop> {
    let (arch_a, arch_b) = (a.audit_arch(), b.audit_arch());
    let endian = same_order(session, a, b)?;
    let first = session.space.at(permitted, arch_a, of_a.number)?;
    let mut second = session.space.at(permitted, arch_b, of_b.number)?;
    let cut = a.register_bits() < 64;
    if cut {
        for word in high_words(endian) {
            let op = session.space.arena.own_op();
            second = session.space.arena.restrict(op, second, word, 0)?;
        }
    }
    let beyond = session.space.arena.choose(second, Ref::FALSE, first)?;
    let Some(words) = session.space.arena.smallest(beyond) else {
        return Ok(None);
    };
    let mut others = words;
    for word in high_words(endian).into_iter().filter(|_| cut) {
        if let Some(word) = others.get_mut(usize::from(word)) {
            *word = 0;
        }
    }
    let mut shown = Vec::new();
    for (mut words, number, arch, permits) in [(words, of_a.number, arch_a, true), (others, of_b.number, arch_b, false)]
    {
        words[0] = number;
        words[1] = arch;
        let call = SeccompData::from_words(words, session.space.machine().endian);
        let one = session.replay_own(&call, function)?;
        if one.verdict.action.permits() != permits {
            return Err(disagreement(one.call, u64::from(permits), u64::from(one.verdict.value)).into());
        }
        shown.push(one);
    }
    Ok(Some(Counterexample::of(Finding::AbiOrder, shown)))
}

/// The words with the high halves of the arguments.
pub(super) fn high_words(endian: Endian) -> [u8; 6] {
    let high = match endian {
        Endian::Little => 5,
        Endian::Big => 4,
    };
    core::array::from_fn(|argument| u8::try_from(argument * 2 + high).unwrap_or(0))
}

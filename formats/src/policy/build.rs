//! Policies, put together.

use callproof_abi::Abi;
use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};
use callproof_policy::{AbiItem, AbiList, Answer, CallPattern, Policy, Predicate, Rule, Selector, Span};

/// A test of one argument register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arg {
    /// Which one, 0 to 5
    pub(super) index: u8,
    /// What it must be
    pub(super) test: Test,
}

/// What a register must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    Eq(u64),
    Ne(u64),
    Lt(u64),
    Le(u64),
    Gt(u64),
    Ge(u64),
    /// These bits, as in the second
    Masked(u64, u64),
    /// At least one of these bits
    Any(u64),
}

impl Arg {
    /// The test of the bits of a view; what lies beyond them is cut off the values.
    pub(super) fn cond(self, view: View) -> Cond {
        let cut = |value: u64| Value::Number(i128::from(if view == View::Raw { value } else { value & LOW }));
        let compare = |relation, value| Check::Compare(None, relation, cut(value));
        let check = match self.test {
            Test::Eq(value) => compare(Relation::Eq, value),
            Test::Ne(value) => compare(Relation::Ne, value),
            Test::Lt(value) => compare(Relation::Lt, value),
            Test::Le(value) => compare(Relation::Le, value),
            Test::Gt(value) => compare(Relation::Gt, value),
            Test::Ge(value) => compare(Relation::Ge, value),
            Test::Masked(mask, value) => Check::Compare(Some(cut(mask)), Relation::Eq, cut(value & mask)),
            Test::Any(mask) => Check::AnyBit(cut(mask)),
        };
        Cond::Test(ArgTest {
            subject: Subject::Here,
            view,
            check,
            span: Span::default(),
        })
    }
}

/// The low half of a register.
pub(super) const LOW: u64 = 0xffff_ffff;

/// The view of a register in tools that compare 32 bits on 32-bit ABIs.
pub(super) const fn word_view(bits: u32) -> View {
    if bits == 32 { View::Lo } else { View::Raw }
}

/// A call with tests of its arguments, all of which must hold.
pub(super) fn pattern(selector: Selector, conds: Vec<(u8, Cond)>, span: Span) -> CallPattern {
    let mut args: Vec<Vec<Cond>> = Vec::new();
    for (index, cond) in conds {
        let index = usize::from(index);
        if args.len() <= index {
            args.resize_with(index.saturating_add(1), Vec::new);
        }
        if let Some(place) = args.get_mut(index) {
            place.push(cond);
        }
    }
    let joined = |mut conds: Vec<Cond>| match conds.len() {
        0 => None,
        1 => conds.pop(),
        _ => Some(Cond::All(conds)),
    };
    CallPattern {
        selector,
        args: args.into_iter().map(joined).collect(),
        span,
    }
}

/// Calls of these ABIs get an answer.
pub(super) fn rule(calls: Vec<CallPattern>, abis: &[Abi], answer: Answer) -> Rule {
    let on = AbiList::of(abis.iter().map(|abi| AbiItem::Abi(*abi)));
    let calls = Predicate {
        calls,
        except: Vec::new(),
        on: Some(on),
    };
    Rule { calls, answer }
}

/// Every call of these ABIs gets an answer.
pub(super) fn everything(abis: &[Abi], answer: Answer) -> Rule {
    rule(vec![CallPattern::new(Selector::Any)], abis, answer)
}

/// The whole policy: rules, what other calls of these ABIs get, and what calls of any other ABI get.
pub(super) fn policy(mut rules: Vec<Rule>, abis: &[Abi], other_calls: Answer, other_abis: Answer) -> Policy {
    rules.push(everything(abis, other_calls));
    Policy {
        default: other_abis,
        rules,
    }
}

/// The ABI with those that a filter which only looks at `arch` takes for it.
pub(super) fn same_arch(abi: Abi) -> Vec<Abi> {
    let others = Abi::ALL.iter().copied().filter(|other| *other != abi);
    let same = others.filter(|other| other.audit_arch() == abi.audit_arch());
    core::iter::once(abi).chain(same).collect()
}

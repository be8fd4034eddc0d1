//! Generators of everything the language can say.
#![allow(dead_code, reason = "each test uses what it needs")]

use callproof_abi::Abi;
use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};
use callproof_policy::property::{Comparison, Hazard, Operand, Quantifier};
use callproof_policy::{
    AbiItem, AbiList, CallPattern, Claim, ErrnoValue, Item, Member, Predicate, Property, PropertyFile, Selector, Span,
    VerdictKind, VerdictSet,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const CALLS: &[&str] = &[
    "read",
    "openat",
    "ioctl",
    "clone",
    "socket",
    "process_vm_*",
    "*at",
    "_llseek",
    "io_uring_*",
];
const CONSTANTS: &[&str] = &["O_CREAT", "AF_UNIX", "TIOCSTI", "CLONE_NEWUSER", "PROT_EXEC"];
const ARGUMENTS: &[&str] = &["flags", "fd", "dfd", "cmd", "family", "mode"];
const SETS: &[&str] = &["priv", "families", "new-since(6.6)", "io_uring"];

fn name(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(names).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = i128> {
    prop_oneof![
        (0_i128..16),
        (-4_i128..0),
        Just(i128::from(i64::MIN)),
        Just(i128::from(u64::MAX)),
        any::<u32>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![number().prop_map(Value::Number), name(CONSTANTS).prop_map(Value::named)];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Value::Bits),
            inner.prop_map(|value| Value::Flipped(Box::new(value))),
        ]
    })
}

pub(crate) fn relation() -> impl Strategy<Value = Relation> {
    select(
        &[
            Relation::Eq,
            Relation::Ne,
            Relation::Lt,
            Relation::Le,
            Relation::Gt,
            Relation::Ge,
        ][..],
    )
}

fn test() -> impl Strategy<Value = ArgTest> {
    let subject = prop_oneof![
        3 => Just(Subject::Here),
        1 => name(ARGUMENTS).prop_map(Subject::Named),
        1 => (0_u8..6).prop_map(Subject::Index),
        1 => Just(Subject::Ip),
    ];
    let view = select(&[View::Kernel, View::Kernel, View::Raw, View::Lo, View::Hi][..]);
    let check = prop_oneof![
        2 => value().prop_map(Check::AnyBit),
        4 => (option::of(value()), relation(), value()).prop_map(|(m, r, v)| Check::Compare(m, r, v)),
        1 => (value(), value()).prop_map(|(low, high)| Check::Range(low, high)),
        1 => name(SETS).prop_map(Check::In),
    ];
    (subject, view, check).prop_map(|(subject, view, check)| ArgTest {
        subject,
        view,
        check,
        span: Span::default(),
    })
}

pub(crate) fn cond() -> impl Strategy<Value = Cond> {
    test().prop_map(Cond::Test).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|cond| Cond::Not(Box::new(cond))),
            vec(inner.clone(), 2..4).prop_map(Cond::All),
            vec(inner, 2..4).prop_map(Cond::Either),
        ]
    })
}

fn selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        5 => name(CALLS).prop_map(Selector::Name),
        1 => Just(Selector::Any),
        1 => Just(Selector::Unallocated),
        1 => any::<u32>().prop_map(Selector::Number),
        1 => any::<(u32, u32)>().prop_map(|(low, high)| Selector::Range(low, high)),
        1 => name(SETS).prop_map(Selector::Set),
    ]
}

fn pattern() -> impl Strategy<Value = CallPattern> {
    (selector(), vec(option::of(cond()), 0..7)).prop_map(|(selector, args)| {
        let args = if matches!(selector, Selector::Set(_)) {
            Vec::new()
        } else {
            args
        };
        CallPattern {
            args,
            ..CallPattern::new(selector)
        }
    })
}

pub(crate) fn abi_item() -> impl Strategy<Value = AbiItem> {
    prop_oneof![
        4 => select(Abi::ALL).prop_map(AbiItem::Abi),
        1 => select(&[AbiItem::All, AbiItem::Unknown, AbiItem::Any, AbiItem::Other][..]),
    ]
}

fn abi_list() -> impl Strategy<Value = AbiList> {
    vec(abi_item(), 1..4).prop_map(AbiList::of)
}

fn known_abis() -> impl Strategy<Value = AbiList> {
    let item = prop_oneof![select(Abi::ALL).prop_map(AbiItem::Abi), Just(AbiItem::All)];
    vec(item, 1..3).prop_map(AbiList::of)
}

pub(crate) fn predicate() -> impl Strategy<Value = Predicate> {
    let parts = (vec(pattern(), 1..4), vec(pattern(), 0..2), option::of(abi_list()));
    parts.prop_map(|(calls, except, on)| Predicate { calls, except, on })
}

fn verdict_kind() -> impl Strategy<Value = VerdictKind> {
    let errno = prop_oneof![
        (0_u16..4096).prop_map(ErrnoValue::Number),
        select(&["EPERM", "ENOSYS"][..]).prop_map(|name| ErrnoValue::Name(name.to_owned(), Span::default())),
    ];
    prop_oneof![
        vec(errno, 0..3).prop_map(VerdictKind::Errno),
        vec(any::<u16>(), 0..3).prop_map(VerdictKind::Trap),
        vec(any::<u16>(), 0..3).prop_map(VerdictKind::Trace),
        select(vec![
            VerdictKind::Allow,
            VerdictKind::Log,
            VerdictKind::Kill,
            VerdictKind::KillThread,
            VerdictKind::Notify,
            VerdictKind::Unknown,
            VerdictKind::Deny,
            VerdictKind::Permit,
            VerdictKind::Killed,
        ]),
    ]
}

fn operand() -> impl Strategy<Value = Operand> {
    let leaf = prop_oneof![
        Just(Operand::Own),
        Just(Operand::Named("base".to_owned(), Span::default())),
        any::<String>().prop_map(Operand::File),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| vec(inner, 1..3).prop_map(Operand::Stack))
}

fn claim() -> impl Strategy<Value = Claim> {
    let quantifier = select(&[Quantifier::Always, Quantifier::Never, Quantifier::Sometimes][..]);
    let verdicts = vec(verdict_kind(), 1..3).prop_map(|kinds| VerdictSet { kinds });
    let relation = select(&[Comparison::Refines, Comparison::Within, Comparison::Equals][..]);
    let hazard = select(&[Hazard::DeadCode, Hazard::WideShift, Hazard::ZeroDivision][..]);
    prop_oneof![
        4 => (quantifier, verdicts, predicate())
            .prop_map(|(quantifier, verdicts, calls)| Claim::Verdict { quantifier, verdicts, calls }),
        1 => (predicate(), any::<u32>()).prop_map(|(calls, at_most)| Claim::Cost { calls, at_most }),
        1 => predicate().prop_map(|calls| Claim::Cached { calls }),
        1 => (known_abis(), known_abis()).prop_map(|(left, right)| Claim::AbiOrder { left, right }),
        1 => predicate().prop_map(|calls| Claim::SameView { calls }),
        1 => predicate().prop_map(|calls| Claim::WholeArguments { calls }),
        1 => (operand(), relation, operand(), predicate())
            .prop_map(|(left, relation, right, calls)| Claim::Relation { left, relation, right, calls }),
        1 => hazard.prop_map(Claim::Free),
    ]
}

fn member() -> impl Strategy<Value = Member> {
    let conditioned = (name(CALLS), vec(option::of(cond()), 1..4)).prop_map(|(name, args)| {
        Member::Call(CallPattern {
            args,
            ..CallPattern::named(name)
        })
    });
    let span = Span::default();
    prop_oneof![
        name(CALLS).prop_map(move |name| Member::Word(name, span)),
        number().prop_map(move |number| Member::Number(number, span)),
        (number(), number()).prop_map(move |(low, high)| Member::Range(low, high, span)),
        name(SETS).prop_map(move |name| Member::Set(name, span)),
        conditioned,
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let abis = vec(
        abi_item().prop_filter("an abi line", |item| *item != AbiItem::Other),
        1..4,
    );
    let span = Span::default();
    prop_oneof![
        abis.prop_map(|items| Item::Abis(AbiList::of(items))),
        ("[a-z][a-z0-9]{0,8}", vec(member(), 0..4)).prop_map(|(name, members)| Item::Set(name, members)),
        (any::<String>(), "[b-z][a-z0-9]{8}").prop_map(|(path, name)| Item::Use { path, name }),
        claim().prop_map(move |claim| Item::Property(Property { claim, span })),
    ]
}

/// A property file in which no name is defined twice.
pub(crate) fn file() -> impl Strategy<Value = PropertyFile> {
    vec(item(), 0..6).prop_map(|items| {
        let mut seen = Vec::new();
        let fresh = |item: &Item| {
            let name = match item {
                Item::Set(name, _) => format!("@{name}"),
                Item::Use { name, .. } => name.clone(),
                _ => return true,
            };
            let fresh = !seen.contains(&name);
            seen.push(name);
            fresh
        };
        let items = items.into_iter().filter(fresh).collect();
        PropertyFile { items }
    })
}

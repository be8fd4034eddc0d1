//! What a predicate means, against a second reading of it that knows no masks and no words; and that lowering keeps
//! the meaning.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking"
)]

mod common;

use callproof_abi::{Abi, Syscall};
use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};
use callproof_policy::{
    AbiItem, AbiList, ByteOrder, CallPattern, Compare, Condition, Env, Field, Formula, Grounded, Predicate, Selector,
    Span, Test,
};
use callproof_vm::{Endian, SeccompData};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const ABIS: &[Abi] = &[
    Abi::X86_64,
    Abi::X32,
    Abi::I386,
    Abi::Aarch64,
    Abi::S390x,
    Abi::S390,
    Abi::Mips64,
    Abi::MipsN32,
];
/// Calls with at least three arguments of several widths.
const CALLS: &[&str] = &["ioctl", "openat", "lseek", "socket", "sendmsg", "mount", "*at", "prctl"];

/// Views, and the greatest value that fits in any of their widths.
const VIEWS: &[(View, u64)] = &[
    (View::Kernel, 0xffff),
    (View::Raw, u64::MAX),
    (View::Lo, 0xffff_ffff),
    (View::Hi, 0xffff_ffff),
];

// ---- values that fit every width they are compared in ----

fn value_below(most: u64) -> BoxedStrategy<Value> {
    let top = i128::from(most);
    let leaf = prop_oneof![
        0..=top,
        Just(0),
        Just(top),
        (0..=top).prop_map(move |n| n & !0xff),
        0..4_i128
    ];
    let leaf = leaf.prop_map(Value::Number);
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..3).prop_map(Value::Bits),
            inner.prop_map(|value| Value::Flipped(Box::new(value)))
        ]
    })
    .boxed()
}

fn check(most: u64) -> impl Strategy<Value = Check> {
    let range = (0..=most, 0..=most).prop_map(|(a, b)| {
        let number = |n: u64| Value::Number(i128::from(n));
        Check::Range(number(a.min(b)), number(a.max(b)))
    });
    let negative = (-0x8000_i128..0).prop_map(|number| Check::Compare(None, Relation::Eq, Value::Number(number)));
    prop_oneof![
        2 => value_below(most).prop_map(Check::AnyBit),
        5 => (option::of(value_below(most)), common::relation(), value_below(most))
            .prop_map(|(mask, relation, value)| Check::Compare(mask, relation, value)),
        1 => range,
        1 => negative,
    ]
}

fn arg_test(views: &'static [(View, u64)]) -> impl Strategy<Value = ArgTest> {
    let subject =
        prop_oneof![3 => Just(Subject::Here), 2 => (0_u8..2).prop_map(Subject::Index), 1 => Just(Subject::Ip)];
    let viewed = select(views).prop_flat_map(|(view, most)| (Just(view), check(most)));
    (subject, viewed).prop_map(|(subject, (view, check))| ArgTest {
        subject,
        view,
        check,
        span: Span::default(),
    })
}

fn cond(views: &'static [(View, u64)]) -> impl Strategy<Value = Cond> {
    arg_test(views).prop_map(Cond::Test).prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|cond| Cond::Not(Box::new(cond))),
            vec(inner.clone(), 2..4).prop_map(Cond::All),
            vec(inner, 2..4).prop_map(Cond::Either),
        ]
    })
}

fn pattern() -> impl Strategy<Value = CallPattern> {
    let with_args = (select(CALLS), vec(option::of(cond(VIEWS)), 0..3));
    let named = with_args.prop_map(|(name, args)| CallPattern {
        args,
        ..CallPattern::named(name)
    });
    let open = select(vec![
        Selector::Any,
        Selector::Unallocated,
        Selector::Number(16),
        Selector::Number(0x4000_0010),
        Selector::Range(10, 300),
        Selector::Range(0x3fff_ffff, 0x4000_0002),
    ]);
    // Calls that differ in what the kernel reads: their registers alone can be spoken of.
    let open = (open, vec(option::of(cond(&VIEWS[1..])), 0..3)).prop_map(|(selector, args)| CallPattern {
        args,
        ..CallPattern::new(selector)
    });
    prop_oneof![2 => named, 1 => open]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let item = prop_oneof![4 => select(ABIS).prop_map(AbiItem::Abi), 1 => common::abi_item()];
    let on = vec(item, 1..4).prop_map(AbiList::of);
    let parts = (vec(pattern(), 1..4), vec(pattern(), 0..2), on);
    parts.prop_map(|(calls, except, on)| Predicate {
        calls,
        except,
        on: Some(on),
    })
}

// ---- the second reading ----

fn means(predicate: &Predicate, call: &SeccompData, in_force: &[Abi]) -> bool {
    let abi = Abi::from_call(call.arch, call.nr.cast_unsigned());
    let on = predicate.on.as_ref().unwrap().items.iter().any(|item| match item {
        AbiItem::Abi(one) => abi == Some(*one),
        AbiItem::All => abi.is_some(),
        AbiItem::Unknown => abi.is_none(),
        AbiItem::Any => true,
        AbiItem::Other => !abi.is_some_and(|abi| in_force.contains(&abi)),
    });
    let any = |patterns: &[CallPattern]| patterns.iter().any(|pattern| pattern_means(pattern, call, abi));
    on && any(&predicate.calls) && !any(&predicate.except)
}

fn pattern_means(pattern: &CallPattern, call: &SeccompData, abi: Option<Abi>) -> bool {
    let number = call.nr.cast_unsigned();
    let known = abi.and_then(|abi| abi.syscall(number));
    let selected = match &pattern.selector {
        Selector::Any => true,
        Selector::Unallocated => known.is_none(),
        Selector::Number(wanted) => number == *wanted,
        Selector::Range(low, high) => (*low..=*high).contains(&number),
        Selector::Name(name) => known.is_some_and(|known| match name.strip_prefix('*') {
            Some(end) => known.name.ends_with(end),
            None => known.name == name,
        }),
        Selector::Set(_) => panic!("no sets here"),
    };
    let args = pattern.args.iter().enumerate();
    selected
        && args
            .into_iter()
            .all(|(at, cond)| cond.as_ref().is_none_or(|cond| cond_means(cond, at, call, known)))
}

fn cond_means(cond: &Cond, at: usize, call: &SeccompData, known: Option<Syscall>) -> bool {
    match cond {
        Cond::Test(test) => test_means(test, at, call, known),
        Cond::Not(inner) => !cond_means(inner, at, call, known),
        Cond::All(parts) => parts.iter().all(|part| cond_means(part, at, call, known)),
        Cond::Either(parts) => parts.iter().any(|part| cond_means(part, at, call, known)),
    }
}

fn test_means(test: &ArgTest, at: usize, call: &SeccompData, known: Option<Syscall>) -> bool {
    let (register, width) = match test.subject {
        Subject::Here => (call.args[at], read_bits(known, at)),
        Subject::Index(at) => (call.args[usize::from(at)], read_bits(known, usize::from(at))),
        Subject::Ip => (call.instruction_pointer, 64),
        Subject::Named(_) => panic!("no names here"),
    };
    let (seen, width) = match test.view {
        View::Kernel => (i128::from(register) % (1_i128 << width), width),
        View::Raw => (i128::from(register), 64),
        View::Lo => (i128::from(register) % (1 << 32), 32),
        View::Hi => (i128::from(register) / (1 << 32), 32),
    };
    let number = |value: &Value| number_of(value, width);
    match &test.check {
        Check::AnyBit(mask) => seen & number(mask) != 0,
        Check::Range(low, high) => seen >= number(low) && seen <= number(high),
        Check::Compare(mask, relation, value) => {
            let (left, right) = (mask.as_ref().map_or(seen, |mask| seen & number(mask)), number(value));
            match relation {
                Relation::Eq => left == right,
                Relation::Ne => left != right,
                Relation::Lt => left < right,
                Relation::Le => left <= right,
                Relation::Gt => left > right,
                Relation::Ge => left >= right,
            }
        }
        Check::In(_) => panic!("no sets here"),
    }
}

fn read_bits(known: Option<Syscall>, at: usize) -> u32 {
    let Some(known) = known else { return 64 };
    let args = known.prototype().map_or(&[][..], |prototype| prototype.args);
    args.get(at)
        .map_or(64, |arg| arg.width(known.abi).bits.min(known.abi.register_bits()))
}

fn number_of(value: &Value, width: u32) -> i128 {
    match value {
        Value::Number(number) => number.rem_euclid(1 << width),
        Value::Flipped(inner) => (1 << width) - 1 - number_of(inner, width),
        Value::Bits(parts) => parts.iter().fold(0, |bits, part| bits | number_of(part, width)),
        Value::Name(..) => panic!("no names here"),
    }
}

// ---- calls at the edges of what a predicate speaks of ----

/// Every number in a condition.
fn numbers(cond: &Cond, found: &mut Vec<u64>) {
    let mut add = |value: &Value| found.extend([number_of(value, 64) as u64, number_of(value, 32) as u64]);
    match cond {
        Cond::Not(inner) => numbers(inner, found),
        Cond::All(parts) | Cond::Either(parts) => parts.iter().for_each(|part| numbers(part, found)),
        Cond::Test(test) => match &test.check {
            Check::AnyBit(mask) => add(mask),
            Check::Range(low, high) => [low, high].into_iter().for_each(add),
            Check::Compare(mask, _, value) => mask.iter().chain([value]).for_each(add),
            Check::In(_) => {}
        },
    }
}

/// Picks among the values near those that a predicate names.
struct Edges {
    values: Vec<u64>,
    /// `arch` and number of calls that the predicate names, on its ABIs.
    named: Vec<(u32, u32)>,
}

impl Edges {
    fn of(predicate: &Predicate) -> Self {
        let mut values = vec![0, 1];
        let patterns = || predicate.calls.iter().chain(&predicate.except);
        patterns()
            .flat_map(|pattern| pattern.args.iter().flatten())
            .for_each(|cond| numbers(cond, &mut values));
        let mut named = vec![(Abi::X86_64.audit_arch(), 0)];
        for item in &predicate.on.as_ref().unwrap().items {
            let AbiItem::Abi(abi) = item else { continue };
            let names = patterns().filter_map(|pattern| match &pattern.selector {
                Selector::Name(name) => abi.number(&name.replace("*at", "openat")).ok(),
                _ => None,
            });
            named.extend(names.chain([16]).map(|number| (abi.audit_arch(), number)));
        }
        Self { values, named }
    }

    /// A register from 64 random bits.
    fn value(&self, seed: u64) -> u64 {
        let near = self.values[(seed >> 8) as usize % self.values.len()];
        let value = match seed & 7 {
            0 => near,
            1 => near.wrapping_add(1),
            2 => near.wrapping_sub(1),
            3 => near ^ (1 << ((seed >> 40) & 63)),
            4 => !near,
            5 => near.rotate_left(32),
            _ => near & 0xffff_ffff,
        };
        match (seed >> 4) & 3 {
            0 => value | (seed & 0xffff_ffff_0000_0000),
            1 => value | 0xffff_ffff_0000_0000,
            _ => value,
        }
    }

    fn call(&self, seeds: &[u64; 8]) -> SeccompData {
        let (mut arch, mut nr) = self.named[seeds[0] as usize % self.named.len()];
        if seeds[0] >> 61 == 0 {
            let archs: Vec<u32> = ABIS
                .iter()
                .map(|abi| abi.audit_arch())
                .chain([0x1234, 0x4000_1234])
                .collect();
            arch = archs[(seeds[0] >> 32) as usize % archs.len()];
        }
        if seeds[1] >> 61 == 0 {
            let other = [
                nr + 1,
                nr ^ 0x4000_0000,
                0,
                10,
                300,
                301,
                0x4000_0010,
                0x4000_0000,
                0x3fff_ffff,
                u32::MAX,
            ];
            nr = other[(seeds[1] >> 32) as usize % other.len()];
        }
        SeccompData {
            arch,
            nr: nr.cast_signed(),
            instruction_pointer: self.value(seeds[7]),
            args: core::array::from_fn(|at| self.value(seeds[at + 1])),
        }
    }
}

/// All ways of asking give the same answer.
fn lowers(grounded: &Grounded, call: &SeccompData) -> bool {
    let expected = grounded.holds_for(call);
    let orders = [
        ByteOrder::OfArch,
        ByteOrder::Fixed(Endian::Little),
        ByteOrder::Fixed(Endian::Big),
    ];
    let regions = orders.map(|order| grounded.region(order).holds_for(&call.words(order.of(call.arch))));
    regions == [expected; 3] && grounded.condition().holds_for(call) == expected
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let field = prop_oneof![
        select(vec![Field::Nr, Field::Arch, Field::Ip]),
        (0_u8..7).prop_map(Field::Arg)
    ];
    let word = || {
        prop_oneof![
            Just(0),
            Just(u64::MAX),
            Just(0xffff_ffff),
            Just(1 << 32),
            0..4_u64,
            any::<u64>()
        ]
    };
    let compare = select(vec![Compare::Eq, Compare::Gt]);
    let test = (field, word(), compare, word()).prop_map(|(field, mask, compare, value)| Test {
        field,
        mask,
        compare,
        value,
    });
    let leaf = prop_oneof![8 => test.prop_map(Formula::Atom), 1 => Just(Formula::TRUE), 1 => Just(Formula::FALSE)];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Formula::Not(Box::new(inner))),
            vec(inner.clone(), 0..4).prop_map(Formula::All),
            vec(inner, 0..4).prop_map(Formula::Any),
        ]
    })
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn grounding_means_what_is_written(predicate in predicate(), seeds in vec(any::<[u64; 8]>(), 60)) {
        let in_force = [Abi::X86_64, Abi::I386];
        let env = Env::new(AbiList::of(in_force.map(AbiItem::Abi)));
        let Ok(grounded) = predicate.ground(&env) else {
            // An argument that some call of `*at` does not read, on some ABI.
            return Err(TestCaseError::reject("no meaning"));
        };
        let edges = Edges::of(&predicate);
        for seed in &seeds {
            let call = edges.call(seed);
            prop_assert_eq!(grounded.holds_for(&call), means(&predicate, &call, &in_force), "{} {:x?}", predicate, call);
            prop_assert!(lowers(&grounded, &call), "{} {:x?}", predicate, call);
        }
    }

    #[test]
    fn lowering_keeps_the_meaning(condition in condition(), seeds in vec(any::<[u64; 8]>(), 40)) {
        let mut values = vec![0, 1, u64::MAX];
        values.extend(tests(&condition).iter().flat_map(|test| [test.value, test.mask]));
        let edges = Edges { values, named: vec![(0, 0)] };
        for seed in &seeds {
            let mut call = edges.call(seed);
            call.arch = edges.value(seed[0]) as u32;
            call.nr = edges.value(seed[1]) as i32;
            for endian in [Endian::Little, Endian::Big] {
                let region = condition.lower(endian);
                prop_assert_eq!(region.contains(&call, endian), condition.holds_for(&call), "{:?} {:x?}", condition, call);
            }
        }
    }
}

fn tests(condition: &Condition) -> Vec<Test> {
    match condition {
        Formula::Atom(test) => vec![*test],
        Formula::Not(inner) => tests(inner),
        Formula::All(parts) | Formula::Any(parts) => parts.iter().flat_map(tests).collect(),
    }
}

/// How often the generated calls are inside: a test that only sees the outside shows little.
#[test]
fn the_generators_reach_both_sides() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut inside, mut outside, mut meaningless) = (0, 0, 0);
    for _ in 0..500 {
        let predicate = predicate().new_tree(&mut runner).unwrap().current();
        let Ok(grounded) = predicate.ground(&Env::default()) else {
            meaningless += 1;
            continue;
        };
        let edges = Edges::of(&predicate);
        for _ in 0..20 {
            let call = edges.call(&any::<[u64; 8]>().new_tree(&mut runner).unwrap().current());
            if grounded.holds_for(&call) {
                inside += 1;
            } else {
                outside += 1;
            }
        }
    }
    println!("{inside} inside, {outside} outside, {meaningless} predicates without meaning");
    assert!(inside > 2000 && outside > 2000 && meaningless < 100);
}

#[test]
fn what_an_abi_does_not_have_is_seen() {
    let predicate =
        callproof_policy::parse_predicate("waitpid, read, mmap2*, 0x40000001 on x86_64, i386, unknown").unwrap();
    let parts = predicate.ground(&Env::default()).unwrap().parts;
    let absent = |at: usize| {
        parts[at]
            .absent
            .iter()
            .map(|absent| absent.call.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(absent(0), ["waitpid", "mmap2*", "1073741825"]);
    assert_eq!(absent(1), [""; 0]);
    assert_eq!(absent(2), ["waitpid", "read", "mmap2*"]);
    let only = callproof_policy::parse_predicate("waitpid on x86_64")
        .unwrap()
        .ground(&Env::default())
        .unwrap();
    assert!(only.parts[0].condition.is_false());
}

#[test]
fn named_arguments_follow_the_abi() {
    let predicate = callproof_policy::parse_predicate("clone(flags & CLONE_NEWUSER) on x86_64, s390x").unwrap();
    let grounded = predicate.ground(&Env::default()).unwrap();
    let clone = |abi: Abi, args| SeccompData::new(abi.audit_arch(), abi.number("clone").unwrap().cast_signed(), args);
    let (first, second) = ([0x1000_0000, 0, 0, 0, 0, 0], [0, 0x1000_0000, 0, 0, 0, 0]);
    assert!(grounded.holds_for(&clone(Abi::X86_64, first)) && !grounded.holds_for(&clone(Abi::X86_64, second)));
    assert!(!grounded.holds_for(&clone(Abi::S390x, first)) && grounded.holds_for(&clone(Abi::S390x, second)));
}

/// `int 0x80` from 64-bit code: the filter sees what the kernel ignores.
#[test]
fn the_kernel_reads_low_halves_on_i386() {
    let ground = |text: &str| {
        callproof_policy::parse_predicate(text)
            .unwrap()
            .ground(&Env::default())
            .unwrap()
    };
    let garbage = 0xdead_beef_0000_0000;
    let call = SeccompData::new(Abi::I386.audit_arch(), 54, [garbage | 1, garbage | 0x5412, 0, 0, 0, 0]);
    assert!(ground("ioctl(1, TIOCSTI) on i386").holds_for(&call));
    assert!(!ground("ioctl(raw:1) on i386").holds_for(&call));
    assert!(ground("ioctl(lo:1, hi:0xdeadbeef) on i386").holds_for(&call));
    let mmap = SeccompData::new(Abi::I386.audit_arch(), 192, [0, garbage | 4096, 0, 0, 0, 0]);
    assert!(ground("mmap2(_, 4096) on i386").holds_for(&mmap));
    let long = SeccompData::new(Abi::X86_64.audit_arch(), 9, [0, garbage | 4096, 0, 0, 0, 0]);
    assert!(!ground("mmap(_, 4096) on x86_64").holds_for(&long));
}

#[test]
fn constants_have_the_value_of_the_abi_and_the_width_of_the_argument() {
    let ground = |text: &str| {
        callproof_policy::parse_predicate(text)
            .unwrap()
            .ground(&Env::default())
            .unwrap()
    };
    let call =
        |abi: Abi, name: &str, args| SeccompData::new(abi.audit_arch(), abi.number(name).unwrap().cast_signed(), args);
    for (abi, tiocsti) in [(Abi::X86_64, 0x5412), (Abi::Mips64, 0x5472)] {
        let ioctl = |request| call(abi, "ioctl", [0, request, 0, 0, 0, 0]);
        let calls = ground("ioctl(_, TIOCSTI) on x86_64, mips64");
        assert!(
            calls.holds_for(&ioctl(tiocsti)) && calls.holds_for(&ioctl(tiocsti | 1 << 32)),
            "{abi}"
        );
        assert!(!calls.holds_for(&ioctl(tiocsti ^ 0x60)), "{abi}");
    }
    let openat = |dfd| call(Abi::X86_64, "openat", [dfd, 0, 0, 0, 0, 0]);
    let calls = ground("openat(AT_FDCWD) on x86_64");
    assert!(calls.holds_for(&openat(0xffff_ff9c)) && calls.holds_for(&openat(0xffff_ffff_ffff_ff9c)));
    assert!(!ground("openat(raw:AT_FDCWD) on x86_64").holds_for(&openat(0xffff_ff9c)));
}

#[test]
fn sets_serve_as_calls_and_as_values() {
    let text = "set calls = { read, @more }\nset more = { write(1), 335, 400..=401 }\nset few = { AF_UNIX, 16..=17, -1 }\n\
                deny @calls on x86_64\ndeny socket(@few) on x86_64\ndeny socket(!@few, SOCK_STREAM) on x86_64";
    let file = callproof_policy::parse_properties("test", text).unwrap();
    let env = Env::default();
    let grounded: Vec<Grounded> = file
        .properties(&env)
        .iter()
        .map(|(property, env)| property.claim.calls().unwrap().ground(env).unwrap())
        .collect();
    let x86 = |nr, args| SeccompData::new(Abi::X86_64.audit_arch(), nr, args);
    let first = |value| [value, 1, 0, 0, 0, 0];
    let calls: Vec<bool> = [(0, 9), (1, 1), (1, 2), (335, 0), (399, 0), (400, 0), (401, 0), (402, 0)]
        .map(|(nr, value)| grounded[0].holds_for(&x86(nr, first(value))))
        .to_vec();
    assert_eq!(calls, [true, true, false, true, false, true, true, false]);
    for value in [0, 1, 2, 15, 16, 17, 18, 0xffff_ffff, 0xffff_fffe, 0x1_0000_0001] {
        let low = value & 0xffff_ffff;
        let member = [1, 16, 17, 0xffff_ffff].contains(&low);
        assert_eq!(grounded[1].holds_for(&x86(41, first(value))), member, "{value:#x}");
        assert_eq!(grounded[2].holds_for(&x86(41, first(value))), !member, "{value:#x}");
    }
}

#[test]
fn split_keeps_the_rest() {
    let predicate = callproof_policy::parse_predicate("read, write except read(0) on i386").unwrap();
    let parts: Vec<String> = predicate.split().iter().map(Predicate::to_string).collect();
    assert_eq!(parts, ["read except read(0) on i386", "write except read(0) on i386"]);
}

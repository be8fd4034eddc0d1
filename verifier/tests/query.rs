//! Questions about small filters, each a pattern that public filters had wrong: found with a witness, and gone when
//! mended.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{AbiItem, AbiList, ByteOrder, Claim, Env, parse_predicate, parse_properties};
use callproof_testgen::{Caller, Choose, Harvest, Seed, program};
use callproof_verifier::{Answer, Counterexample, Finding, Limits, Query, Session, Side, ask};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine, SeccompData};

const X86_64: u32 = 0xc000_003e;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const KILL: u32 = 0x8000_0000;
const IOCTL: u32 = 16;
const TIOCSTI: u32 = 0x5412;

const fn load(offset: u32) -> Insn {
    Insn::stmt(0x20, offset)
}

const fn equal(k: u32, yes: u8, no: u8) -> Insn {
    Insn::jump(0x15, k, yes, no)
}

const fn ret(value: u32) -> Insn {
    Insn::stmt(0x06, value)
}

fn answer(program: &[Insn], property: &str) -> Answer {
    let filters = [Filter::load(program).unwrap()];
    let file = parse_properties("test", property).unwrap();
    let (property, env) = file.properties(&Env::default()).remove(0);
    let query = Query {
        claim: &property.claim,
        env: &env,
    };
    let order = ByteOrder::OfArch;
    ask(&query, &filters, Machine::default(), order, &Limits::default())
        .unwrap()
        .answer
}

fn holds(program: &[Insn], property: &str) {
    let answer = answer(program, property);
    let Answer::Holds { proof, shown } = &answer else {
        panic!("{property}: {answer:?}")
    };
    // Nothing holds because an engine says so.
    assert!(
        proof.is_some() || !shown.is_empty() || property.starts_with("cached"),
        "{property}"
    );
}

fn fails(program: &[Insn], property: &str) -> Counterexample {
    match answer(program, property) {
        Answer::Fails(found) => found,
        other => panic!("{property}: {other:?}"),
    }
}

/// `if arch is x86-64 and the number is below the x32 ones then CHECKS (default: allow) else kill`.
fn guarded(checks: &[Insn]) -> Vec<Insn> {
    let mut program = vec![
        load(4),
        equal(X86_64, 1, 0),
        ret(KILL),
        load(0),
        Insn::jump(0x35, 0x4000_0000, 0, 1),
        ret(KILL),
    ];
    program.extend_from_slice(checks);
    program.push(ret(ALLOW));
    program
}

#[test]
fn a_request_compared_in_64_bits() {
    // The high half must be zero for the request to count, and the kernel does not look at it.
    let whole = guarded(&[
        equal(IOCTL, 0, 5),
        load(28),
        equal(0, 0, 3),
        load(24),
        equal(TIOCSTI, 0, 1),
        ret(EPERM),
    ]);
    let low = guarded(&[equal(IOCTL, 0, 3), load(24), equal(TIOCSTI, 0, 1), ret(EPERM)]);
    let property = "deny ioctl(_, TIOCSTI) on x86_64";
    let found = fails(&whole, property);
    let shown = &found.shown[0];
    assert_eq!(found.finding, Finding::Verdict);
    assert_eq!(
        (shown.call.nr.cast_unsigned(), shown.call.args[1]),
        (IOCTL, 0x1_0000_5412)
    );
    assert_eq!(shown.verdict.value, ALLOW);
    holds(&low, property);
    holds(&whole, "deny ioctl(_, raw:TIOCSTI) on x86_64");

    let view = "same kernel view, same verdict on x86_64";
    let found = fails(&whole, view);
    assert_eq!(found.finding, Finding::SameView);
    let [a, b] = &found.shown[..] else { panic!() };
    assert_ne!(a.verdict.value, b.verdict.value);
    assert_eq!(a.call.args[1] as u32, b.call.args[1] as u32, "the same to the kernel");
    holds(&low, view);
    holds(&whole, "same kernel view, same verdict for read, write on x86_64");
}

#[test]
fn garbage_in_the_high_half_denies_a_legitimate_call() {
    // socket(AF_UNIX) is allowed when all 64 bits say so.
    let whole = guarded(&[
        equal(41, 0, 5),
        load(20),
        equal(0, 0, 2),
        load(16),
        equal(1, 1, 0),
        ret(EPERM),
    ]);
    let found = fails(&whole, "allow socket(AF_UNIX) on x86_64");
    assert_eq!(found.shown[0].call.args[0] & 0xffff_ffff, 1);
    assert_ne!(found.shown[0].call.args[0] >> 32, 0);
}

#[test]
fn half_of_a_long_compared() {
    // An offset of which only the low half is looked at.
    let half = guarded(&[equal(8, 0, 3), load(24), equal(7, 0, 1), ret(EPERM)]);
    let whole = guarded(&[
        equal(8, 0, 5),
        load(28),
        equal(0, 0, 3),
        load(24),
        equal(7, 0, 1),
        ret(EPERM),
    ]);
    let property = "whole arguments for lseek on x86_64";
    assert_eq!(fails(&half, property).finding, Finding::HalfArgument { argument: 1 });
    holds(&whole, property);
}

#[test]
fn a_64_bit_comparison_of_each_half_alone() {
    // `arg > 0x1_0000_0005` as `high > 1 and low > 5`.
    let halves = guarded(&[
        equal(8, 0, 5),
        load(28),
        Insn::jump(0x25, 1, 0, 3),
        load(24),
        Insn::jump(0x25, 5, 0, 1),
        ret(EPERM),
    ]);
    let right = guarded(&[
        equal(8, 0, 6),
        load(28),
        Insn::jump(0x25, 1, 3, 0),
        equal(1, 0, 3),
        load(24),
        Insn::jump(0x25, 5, 0, 1),
        ret(EPERM),
    ]);
    let property = "errno(EPERM) lseek(_, > 0x100000005) on x86_64";
    let found = fails(&halves, property);
    assert!(found.shown[0].call.args[1] > 0x1_0000_0005);
    holds(&right, property);
}

#[test]
fn numbers_of_x32_slip_through() {
    let mut open = guarded(&[equal(101, 0, 1), ret(EPERM)]);
    let closed = open.clone();
    open[4] = Insn::jump(0x35, 0x4000_0000, 1, 1);
    for (property, finding) in [
        ("deny ptrace on x86_64, x32", Finding::Verdict),
        ("x32 <= x86_64", Finding::AbiOrder),
    ] {
        let found = fails(&open, property);
        assert_eq!(found.finding, finding);
        assert_eq!(found.shown[0].call.nr & 0x4000_0000, 0x4000_0000);
        holds(&closed, property);
    }
}

#[test]
fn the_architecture_is_not_checked() {
    let unchecked = [load(0), equal(101, 0, 1), ret(EPERM), ret(ALLOW)];
    let found = fails(&unchecked, "unknown arch killed");
    assert_ne!(found.shown[0].call.arch, X86_64);
    holds(&guarded(&[]), "unknown arch killed");
    fails(&unchecked, "deny ptrace on i386");
    holds(&guarded(&[]), "deny * on i386, aarch64, s390x");
}

#[test]
fn a_jump_that_was_cut_to_8_bits() {
    // 300 numbers; the jump of the first to the end is 300 - 256 instructions too short.
    let mut program = vec![load(0), equal(1000, 44, 0)];
    program.extend((0..298).map(|number| equal(2000 + number, 0, 0)));
    program.extend([ret(EPERM), ret(ALLOW)]);
    fails(&program, "allow 1000 on x86_64");
}

#[test]
fn later_rules_are_dead() {
    // The first group's miss goes to the default.
    let dead = [
        load(0),
        equal(1, 1, 0),
        ret(EPERM),
        ret(ALLOW),
        equal(2, 0, 1),
        ret(ALLOW),
        ret(EPERM),
    ];
    let found = fails(&dead, "no dead code");
    assert_eq!(
        found.finding,
        Finding::DeadCode {
            dead: vec![(0, 4), (0, 5), (0, 6)],
            one_way: Vec::new()
        }
    );
    holds(&dead[..4], "no dead code");
    fails(&dead, "sometimes allow 2 on x86_64");
    holds(&dead, "sometimes allow 1 on x86_64");
}

#[test]
fn costs_and_the_bitmap() {
    let program = guarded(&[equal(IOCTL, 0, 3), load(24), equal(TIOCSTI, 0, 1), ret(EPERM)]);
    let found = fails(&program, "cost(ioctl) <= 7 on x86_64");
    assert_eq!(found.shown[0].insns, 8);
    holds(&program, "cost(ioctl) <= 8 on x86_64");
    holds(&program, "cached read, write on x86_64");
    assert_eq!(fails(&program, "cached ioctl on x86_64").finding, Finding::NotCached);
    fails(&program, "cached read on x32");
}

#[test]
fn shifts_and_divisions() {
    let by_x = [
        load(16),
        Insn::stmt(0x07, 0),
        load(0),
        Insn::stmt(0x3c, 0),
        Insn::stmt(0x16, 0),
    ];
    let found = fails(&by_x, "no division by zero");
    assert_eq!(
        (found.finding, found.shown[0].call.args[0] as u32),
        (Finding::Hazard { filter: 0, pc: 3 }, 0)
    );
    holds(&by_x, "no wide shift");
    let shift = [
        load(16),
        Insn::stmt(0x07, 0),
        load(0),
        Insn::stmt(0x6c, 0),
        Insn::stmt(0x16, 0),
    ];
    assert!(fails(&shift, "no wide shift").shown[0].call.args[0] & 0xffff_ffff > 31);
}

#[test]
fn claims_about_nothing_do_not_hold() {
    assert_eq!(answer(&guarded(&[]), "deny open on aarch64"), Answer::Vacuous);
    assert_eq!(answer(&guarded(&[]), "sometimes deny open on aarch64"), Answer::Vacuous);
}

#[test]
fn filters_and_policies_compared() {
    let strict = [Filter::load(guarded(&[equal(101, 0, 1), ret(EPERM)])).unwrap()];
    let loose = [Filter::load(guarded(&[equal(101, 0, 1), ret(ALLOW)])).unwrap()];
    let policy = callproof_policy::parse_policy(
        "test",
        "default kill\nerrno(EPERM) ptrace on x86_64\nallow * on x86_64\n",
    )
    .unwrap()
    .ground(&Env::default())
    .unwrap();
    let others = vec![
        ("loose".to_owned(), Side::Chain(&loose)),
        ("policy".to_owned(), Side::Policy(policy)),
    ];
    let (machine, order) = (Machine::default(), ByteOrder::OfArch);
    let mut session = Session::new(&strict, others, machine, order, &Limits::default());
    let mut said = |text: &str| {
        let text = format!("use \"x\" as loose\nuse \"y\" as policy\n{text}");
        let file = parse_properties("test", &text).unwrap();
        let (property, env) = file.properties(&Env::default()).remove(0);
        let claim = &property.claim;
        let outcome = session.ask(&Query { claim, env: &env }).unwrap();
        match outcome.answer {
            Answer::Holds { .. } => None,
            Answer::Fails(found) => Some(found.shown.iter().map(|one| one.verdict.value).collect::<Vec<_>>()),
            other => panic!("{text}: {other:?}"),
        }
    };
    assert_eq!(said("self refines loose"), None);
    assert_eq!(said("self within loose"), None);
    assert_eq!(said("loose refines self"), Some(vec![ALLOW, EPERM]));
    assert_eq!(said("self equals loose"), Some(vec![EPERM, ALLOW]));
    assert_eq!(said("self equals loose for read on x86_64"), None);
    assert_eq!(said("stack(loose, self) equals self"), None);
    // The filter kills the number -1, which the policy allows on x86-64.
    assert_eq!(said("self equals policy"), Some(vec![KILL, ALLOW]));
    assert_eq!(said("self equals policy for ptrace, read on x86_64"), None);
    assert_eq!(said("self refines policy"), None);
}

#[test]
fn registers_lie_as_the_abi_has_them() {
    // On s390x the word at 20 is the low half of the first argument.
    let program = [
        load(4),
        equal(0x8000_0016, 0, 3),
        load(20),
        equal(1, 0, 1),
        ret(EPERM),
        ret(ALLOW),
    ];
    holds(&program, "deny *(lo(args[0]) == 1) on s390x");
    let found = fails(&program, "deny *(lo(args[0]) == 1) on s390x, x86_64");
    assert_eq!(found.shown[0].call.arch, X86_64);
    let found = fails(&program, "never deny *(raw(args[0]) <= 1) on s390x");
    assert_eq!(found.shown[0].call.args[0], 1);
}

#[test]
fn what_holds_is_proved_where_a_file_can_say_it() {
    let program = guarded(&[equal(IOCTL, 0, 3), load(24), equal(TIOCSTI, 0, 1), ret(EPERM)]);
    let proved = |property: &str| match answer(&program, property) {
        Answer::Holds { proof, .. } => proof.is_some(),
        other => panic!("{property}: {other:?}"),
    };
    for property in [
        "deny ioctl(_, TIOCSTI) on x86_64",
        "never log *",
        "errno(EPERM) ioctl(_, raw:TIOCSTI) on x86_64",
        "killed * on unknown, i386, s390x",
        "cost(*) <= 9",
        "self equals self",
        "self refines self for ioctl",
        "self within self",
        "stack(self, self) equals self",
        "x32 <= x86_64",
        "same kernel view, same verdict",
        "same kernel view, same verdict for mmap on x86_64",
        "whole arguments on x86_64",
        "no wide shift",
        "no division by zero",
    ] {
        assert!(proved(property), "{property}");
    }
}

/// Random programs and random claims, held against what the emulator says of sampled calls, and witnesses against the
/// meaning of the claim.
#[test]
fn random_questions() {
    let cases: u64 = std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3000);
    let limits = Limits {
        states: 20_000,
        nodes: 60_000,
        steps: 400_000,
        values: 512,
        ..Limits::default()
    };
    let (mut held, mut failed) = (0, 0);
    for case in 0..cases {
        let mut seed = Seed::new(77, case);
        let filters = [Filter::load(program(&mut seed)).unwrap()];
        let text = claim(&mut seed);
        let file = parse_properties("test", &text).unwrap();
        let (property, env) = file.properties(&Env::default()).remove(0);
        let claim = &property.claim;
        let Claim::Verdict { verdicts, calls, .. } = claim else {
            panic!()
        };
        let machine = Machine::default();
        let outcome = ask(
            &Query { claim, env: &env },
            &filters,
            machine,
            ByteOrder::OfArch,
            &limits,
        )
        .unwrap();
        let meant = calls.ground(&env).unwrap();
        let good = |call: &SeccompData| {
            let endian = Endian::of_audit_arch(call.arch);
            let verdict = Chain::new(&filters).run(call, Machine { endian, ..machine });
            !meant.holds_for(call)
                || verdicts
                    .on(callproof_abi::Abi::from_call(call.arch, call.nr.cast_unsigned()))
                    .unwrap()
                    .contains(&verdict, Kernel::LATEST)
        };
        match outcome.answer {
            Answer::Fails(found) => {
                failed += 1;
                assert!(!good(&found.shown[0].call), "{text}: {found:?}");
            }
            Answer::Holds { .. } => {
                held += 1;
                let callers: Vec<_> = (0..4).map(|_| Caller::any(&mut seed)).collect();
                for call in Harvest::of(filters[0].program()).calls(&mut seed, 64, &callers) {
                    assert!(good(&call), "{text}: {call:x?}");
                }
            }
            Answer::Vacuous => panic!("{text}"),
            Answer::Undecided(_) => {}
        }
    }
    assert!(
        held > cases / 20 && failed > cases / 20,
        "{held} held, {failed} failed of {cases}"
    );
}

fn claim(choose: &mut impl Choose) -> String {
    let verdicts = choose.pick(&[
        "deny",
        "permit",
        "allow",
        "killed",
        "errno",
        "errno(1..)",
        "log|trace|unknown|kill",
    ]);
    let verdicts = if verdicts == "errno(1..)" {
        "errno(1|4095)|trap(0)|deny"
    } else {
        verdicts
    };
    let calls = choose.pick(&[
        "*",
        "0..=9",
        "*(raw(args[0]) < 0x100000001)",
        "*(lo(args[1]) & 3 == 1 | hi(ip) > 7)",
        "-1, 335",
    ]);
    let on = choose.pick(&["any", "x86_64", "x32, i386", "s390x, unknown", "all"]);
    format!("{verdicts} {calls} on {on}")
}

#[test]
fn a_claim_made_by_hand() {
    let filters = [Filter::load(vec![ret(ALLOW)]).unwrap()];
    let claim = Claim::Relation {
        left: Operand::Own,
        relation: Comparison::Equals,
        right: Operand::Stack(vec![Operand::Own, Operand::Own]),
        calls: parse_predicate("*").unwrap(),
    };
    let env = Env::new(AbiList::of([AbiItem::Any]));
    let query = Query {
        claim: &claim,
        env: &env,
    };
    let outcome = ask(
        &query,
        &filters,
        Machine::default(),
        ByteOrder::OfArch,
        &Limits::default(),
    )
    .unwrap();
    assert!(matches!(outcome.answer, Answer::Holds { .. }));
}

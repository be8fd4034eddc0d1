//! What is told of a run, beside its verdict, against the run itself.

use callproof_testgen::{Bytes, Caller, Choose as _, Harvest, constant, near_valid, program, realistic};
use callproof_vm::bitmap::{Bypass, Platform, constantly_allows, obstacle};
use callproof_vm::length::{check_budget, check_chain};
use callproof_vm::observe::{Converted, Count, Coverage, Next, Observer, Step, WordsRead};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine, Outcome, SeccompData, Verdict};

use crate::emulator::instructions;

/// The verdict of ALLOW without data.
const ALLOW: u32 = 0x7fff_0000;

/// Observers, the bitmap and the list of broken rules tell nothing else than what happens.
pub fn watched(bytes: &[u8]) {
    refused(&instructions(bytes));
    let mut choices = Bytes::new(bytes);
    refused(&near_valid(&mut choices.clone()));
    let program = match choices.below(3) {
        0 => program(&mut choices),
        1 => realistic(&mut choices),
        _ => small(&mut choices),
    };
    let Ok(filter) = Filter::load(&program[..]) else { return };
    let filters = [filter];
    let machine = Machine {
        endian: if choices.one_in(2) { Endian::Big } else { Endian::Little },
        kernel: kernel(&mut choices),
        ..Machine::default()
    };
    room(&filters, choices.below(1000), machine);
    let harvest = Harvest::of(&program);
    for _ in 0..4 {
        let caller = Caller::any(&mut choices);
        let call = harvest.call(&mut choices, caller);
        let verdict = run(&filters, &call, machine);
        unread(&filters, &call, machine, &verdict);
        told(&verdict);
        bitmap(&filters, &call, machine);
    }
}

/// A return, or a test of the number before one of two: what the bitmap was made for.
pub(crate) fn small(choices: &mut Bytes<'_>) -> Vec<Insn> {
    const MASK: u16 = 0x54;
    let test = [0x15, 0x25, 0x35, 0x45].map(|code| Insn::jump(code, constant(choices), 0, 1));
    let ret = |choices: &mut Bytes<'_>| Insn::stmt(0x06, callproof_testgen::action_word(choices));
    let mut program = vec![ret(choices)];
    if choices.one_in(2) {
        let word = choices.pick(&[0, 4, 16]);
        let test = choices.pick(&test);
        program = vec![
            Insn::stmt(0x20, word),
            Insn::stmt(MASK, constant(choices)),
            test,
            ret(choices),
            ret(choices),
        ];
    }
    program
}

/// A release from before the first filters to the next ones.
pub(crate) fn kernel(choices: &mut Bytes<'_>) -> Kernel {
    let [major, minor] = [choices.below(6), choices.below(21)].map(|number| u16::try_from(number).unwrap_or(0));
    let kernel = Kernel::new(major.saturating_add(3), minor);
    assert_eq!(kernel.to_string().parse(), Ok(kernel));
    if choices.one_in(2) { kernel } else { Kernel::LATEST }
}

/// A refused program breaks a rule, and each broken rule names an instruction that is there.
fn refused(program: &[Insn]) {
    let Err(rejected) = Filter::load(program) else { return };
    assert!(rejected.violations().next().is_some(), "{program:?}");
    for violation in rejected.violations() {
        let named = violation.at.is_none_or(|(pc, insn)| program.get(pc) == Some(&insn));
        assert!(named && !violation.to_string().is_empty(), "{violation:?}");
        assert!(!violation.rule.name().is_empty());
    }
    assert!(!rejected.to_string().is_empty());
    assert_eq!(rejected.program(), program);
}

/// A thread has room for 32,768 instructions, and each filter below another takes four more.
fn room(filters: &[Filter<'_>], copies: u32, machine: Machine) {
    const ROOM: u64 = 32_768;
    const PENALTY: u64 = 4;
    for filter in filters {
        let length = filter.charged_len(machine.kernel);
        let below = u64::from(copies).saturating_mul(u64::from(length).saturating_add(PENALTY));
        let fits = below.saturating_add(length.into()) <= ROOM;
        let all = copies.saturating_add(1) as usize;
        assert_eq!(
            check_chain(core::iter::repeat_n(length, all)).is_ok(),
            fits,
            "{all} filters of {length}"
        );
        assert_eq!(
            check_budget(core::iter::repeat_n(length, copies as usize), length).is_ok(),
            fits
        );
    }
}

/// Remembers where the last step led.
#[derive(Default)]
struct Path {
    steps: u64,
    expected: Option<Next>,
}

impl Observer for Path {
    fn filter(&mut self, _: usize) {
        self.expected = None;
    }

    fn step(&mut self, step: &Step) {
        let at = self.expected.unwrap_or(Next::Pc(0));
        assert_eq!(at, Next::Pc(step.pc), "a step is where the one before did not lead");
        self.steps = self.steps.saturating_add(1);
        self.expected = Some(step.next);
    }
}

/// The verdict, which is the same when all observers watch, and they agree with each other.
fn run(filters: &[Filter<'_>], call: &SeccompData, machine: Machine) -> Verdict {
    let chain = Chain::new(filters);
    let (mut path, mut count, mut coverage, mut converted) = (
        Path::default(),
        Count::default(),
        Coverage::default(),
        Converted::default(),
    );
    let mut all = ((&mut path, &mut count), (&mut coverage, &mut converted));
    let verdict = chain.run_observed(call, machine, &mut all);
    assert_eq!(verdict, chain.run(call, machine), "watched and alone");
    let returned =
        matches!(path.expected, Some(Next::Return(value)) if value == verdict.value || verdict.filter.is_none());
    assert!(returned, "{verdict:?} after {:?}", path.expected);
    // There are no loops: what is executed is executed once.
    assert_eq!([path.steps, coverage.count().into()], [count.0; 2]);
    assert!(coverage.contains(0));
    assert_eq!(converted.filters, 1);
    assert!(
        converted.insns >= count.0 && converted.taken <= count.0,
        "{converted:?} of {count:?}"
    );
    verdict
}

/// Words that were not read may hold anything.
fn unread(filters: &[Filter<'_>], call: &SeccompData, machine: Machine, verdict: &Verdict) {
    let mut read = WordsRead::default();
    let chain = Chain::new(filters);
    let _ = chain.run_observed(call, machine, &mut read);
    let mut words = call.words(machine.endian);
    for (index, word) in words.iter_mut().enumerate() {
        if read.0 >> index & 1 == 0 {
            *word = !*word;
        }
    }
    let other = SeccompData::from_words(words, machine.endian);
    assert_eq!(other.words(machine.endian), words);
    assert_eq!(
        chain.run(&other, machine),
        *verdict,
        "{call:x?} and {other:x?} differ in words not read"
    );
}

/// What a call shows of a verdict is read as it is printed.
fn told(verdict: &Verdict) {
    let outcome = Outcome::of(verdict);
    assert_eq!(outcome.to_string().parse(), Ok(outcome));
    assert!(!verdict.to_string().is_empty());
}

/// What the bitmap lets pass is allowed whatever the arguments are, and what it does not has an obstacle.
fn bitmap(filters: &[Filter<'_>], call: &SeccompData, machine: Machine) {
    let chain = Chain::new(filters);
    for filter in filters {
        let allows = constantly_allows(filter.program(), call.nr, call.arch);
        assert_eq!(allows, obstacle(filter.program(), call.nr, call.arch).is_none());
        if allows {
            let [mut least, mut most] = [*call; 2];
            (least.args, least.instruction_pointer) = ([0; 6], 0);
            (most.args, most.instruction_pointer) = ([u64::MAX; 6], u64::MAX);
            for call in [least, *call, most] {
                assert_eq!(chain.run(&call, machine).value, ALLOW, "{call:x?} is in the bitmap");
            }
        }
    }
    let bypass = Platform::X86_64.bypasses(&chain, call, machine.kernel);
    if bypass == Some(Bypass::ConstantAllow) {
        assert_eq!(chain.run(call, machine).value, ALLOW);
    }
}

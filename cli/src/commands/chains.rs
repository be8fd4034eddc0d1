//! Chains and calls that a kernel can be asked about.

use callproof_testgen::{Caller, Choose as _, Harvest, Seed, constant};
use callproof_vm::{Action, Insn, SeccompData};

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
/// Where the words of a call are.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const SECCOMP: u32 = 317;
const SIGRETURN: u32 = 15;
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

/// The chain of a seed and a number with at most so many filters, oldest first, and calls for it.
///
/// Every filter lets `seccomp` pass, so that the next can be installed, and `rt_sigreturn`; none looks at the instruction pointer, which
/// is the kernel's choice. The calls are `getpid` and `gettid`, which do no harm when they are made.
pub(super) fn generated(seed: u64, number: u64, most: u32, calls: usize) -> (Vec<Vec<Insn>>, Vec<SeccompData>) {
    let mut choose = Seed::new(seed.rotate_left(16), number);
    let mut programs: Vec<Vec<Insn>> = Vec::new();
    let filters = choose.below(most).saturating_add(1) as usize;
    for _ in 0..filters {
        programs.push(filter(&mut choose));
    }
    let harvest = Harvest::of(&programs.concat());
    let calls = (0..calls).map(|_| {
        let (arch, numbers) = choose.pick(&[(X86_64, [39, 186]), (X86_64, [39, 186]), (I386, [20, 224])]);
        let mut call = harvest.call(&mut choose, Caller { arch, ip: 0 });
        call.nr = choose.pick(&numbers);
        if arch == I386 {
            call.args = call.args.map(|arg| arg & 0xffff_ffff);
        }
        call
    });
    let calls = calls.collect();
    (programs, calls)
}

/// Some comparisons of words of the call, each with a verdict.
fn filter(choose: &mut Seed) -> Vec<Insn> {
    let mut program = vec![
        Insn::stmt(LOAD, NUMBER),
        Insn::jump(JUMP_EQUAL, SECCOMP, 1, 0),
        Insn::jump(JUMP_EQUAL, SIGRETURN, 0, 1),
        Insn::stmt(RETURN, ALLOW),
    ];
    for _ in 0..choose.below(4) {
        let word = choose.pick(&[NUMBER, ARCH, 16, 20, 24, 28, 56, 60]);
        let compared = match word {
            NUMBER => choose.pick(&[39, 186, 20, 224]),
            ARCH => choose.pick(&[X86_64, I386]),
            _ => constant(choose),
        };
        let jump = choose.pick(&[JUMP_EQUAL, JUMP_GREATER, JUMP_SET]);
        let (yes, no) = choose.pick(&[(0, 1), (1, 0)]);
        program.push(Insn::stmt(LOAD, word));
        program.push(Insn::jump(jump, compared, yes, no));
        program.push(Insn::stmt(RETURN, value(choose)));
    }
    let last = if choose.one_in(2) { value(choose) } else { ALLOW };
    program.push(Insn::stmt(RETURN, last));
    program
}

/// Actions as often as they are drawn: what kills hides everything else.
const ACTIONS: [Action; 12] = [
    Action::KillProcess,
    Action::KillThread,
    Action::Trap,
    Action::Trap,
    Action::Errno,
    Action::Errno,
    Action::UserNotif,
    Action::Trace,
    Action::Trace,
    Action::Trace,
    Action::Log,
    Action::Allow,
];

/// A return value, with data that often are the same.
fn value(choose: &mut Seed) -> u32 {
    let known = choose.pick(&ACTIONS.map(Action::value));
    let unknown = choose.pick(&[0x0001_0000, 0x7fc1_0000, 0xffff_0000, 0x8001_0000]);
    let action = known.filter(|_| !choose.one_in(24));
    action.unwrap_or(unknown) | choose.pick(&[0, 1, 2, 3, 4095, 4096, 0xffff])
}

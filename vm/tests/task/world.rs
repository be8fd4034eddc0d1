//! Small worlds for tests.

use callproof_vm::effect::{Effect, Return};
use callproof_vm::install::Success;
use callproof_vm::task::{Admin, Failed, Host, Nobody, Observed, ThreadId, World};
use callproof_vm::{Insn, Machine, SeccompData};

pub(crate) const X86_64: u32 = 0xc000_003e;
pub(crate) const I386: u32 = 0x4000_0003;
pub(crate) const ALLOW: u32 = 0x7fff_0000;
pub(crate) const KILL_THREAD: u32 = 0;
pub(crate) const KILL_PROCESS: u32 = 0x8000_0000;
pub(crate) const ERRNO: u32 = 0x0005_0000;
pub(crate) const NOTIFY: u32 = 0x7fc0_0000;
pub(crate) const TRACE: u32 = 0x7ff0_0000;
/// A number without a call, which the filters below decide about.
pub(crate) const NR: i32 = 1023;

/// A world with one thread that may install filters and inspect others.
pub(crate) fn world(host: impl Into<Host>) -> (World, ThreadId) {
    let mut world = World::new(host);
    let thread = world.spawn();
    world.environment(thread).unwrap().admin = Admin::Initial;
    (world, thread)
}

pub(crate) fn latest() -> (World, ThreadId) {
    world(Machine::default())
}

/// A program that answers some numbers with a value, and allows the rest.
pub(crate) fn program(answers: &[(i32, u32)]) -> Vec<Insn> {
    let mut program = vec![Insn::stmt(0x20, 0)];
    for &(nr, value) in answers {
        program.push(Insn::jump(0x15, nr.cast_unsigned(), 0, 1));
        program.push(Insn::stmt(0x06, value));
    }
    program.push(Insn::stmt(0x06, ALLOW));
    program
}

pub(crate) fn add(world: &mut World, thread: ThreadId, value: u32) {
    install(world, thread, value, 0).unwrap();
}

pub(crate) fn install(world: &mut World, thread: ThreadId, value: u32, flags: u32) -> Result<Success, Failed> {
    world.install(thread, &program(&[(NR, value)]), flags)
}

pub(crate) fn call(nr: i32) -> SeccompData {
    SeccompData::new(X86_64, nr, [0; 6])
}

/// A call to which nobody outside has anything to say.
pub(crate) fn make(world: &mut World, thread: ThreadId, nr: i32) -> Observed {
    world.syscall(thread, &call(nr), &mut Nobody, &mut Nobody).unwrap()
}

pub(crate) fn effect(world: &mut World, thread: ThreadId, nr: i32) -> Effect {
    make(world, thread, nr).effect
}

pub(crate) fn returns(register: i64) -> Effect {
    Effect::Returns(Return { register, flag: None })
}

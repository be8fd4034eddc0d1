//! Every version gate, on both sides of it.
//!
//! Each gate has a test here or a reason why this crate cannot show it; a new gate without either does not compile.

#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_vm::bitmap::{Bypass, Platform};
use callproof_vm::effect::{Disposition, Effect, Logged, Scope, Situation, consequence};
use callproof_vm::install::{Caller, Fprog, Mode, Pointer, Refusal, Request, flag, known_flags, outcome};
use callproof_vm::length::charged_len;
use callproof_vm::task::{
    AddFd, Admin, Conversation, EntryStops, Nobody, Notification, Observed, Registers, Response, Resume, Stop,
    StopKind, ThreadId, World, add, option, set_flags,
};
use callproof_vm::{Action, Errno, Evidence, Filter, Gate, Insn, Kernel, Machine, SeccompData, Verdict, combine};

const X86_64: u32 = 0xc000_003e;
const NR: i32 = 39;
const BUFFER: Pointer<()> = Pointer::To(());

/// Writes one test per gate, and a match over all gates so that none is forgotten.
macro_rules! gates {
    (
        shown { $($gate:ident => $test:ident |$before:ident, $since:ident| $body:block)* }
        not_shown { $($hidden:ident => $why:literal)* }
    ) => {
        $(
            #[test]
            fn $test() {
                let $since = Gate::$gate.since();
                let $before = last_before($since);
                $body
            }
        )*

        /// Why a gate has no test, or `None` when it has one.
        fn excuse(gate: Gate) -> Option<&'static str> {
            match gate {
                $(Gate::$gate => None,)*
                $(Gate::$hidden => Some($why),)*
            }
        }
    };
}

gates! {
    shown {
        Filters => filters |before, since| {
            let fprog = Fprog::of(&ALLOWS);
            let request = Request::PrctlSetSeccomp { mode: 2, filter: fprog.into() };
            assert_eq!(outcome(&request, &caller(), before), Err(Refusal::UnknownMode));
            assert!(outcome(&request, &caller(), since).is_ok());
            let strict = Request::PrctlSetSeccomp { mode: 1, filter: Pointer::Null };
            assert!(outcome(&strict, &caller(), before).is_ok(), "strict mode is older");
            for request in [Request::PrctlSetNoNewPrivs([1, 0, 0, 0]), Request::PrctlGetNoNewPrivs([0; 4])] {
                assert_eq!(outcome(&request, &caller(), before), Err(Refusal::UnknownOperation));
                assert!(outcome(&request, &caller(), since).is_ok());
            }
        }
        Xor => xor |before, since| {
            for code in [0xa4, 0xac] {
                let program = [Insn::stmt(code, 1), ALLOWS[0]];
                let request = Request::PrctlSetSeccomp { mode: 2, filter: Fprog::of(&program).into() };
                assert_eq!(outcome(&request, &caller(), before), Err(Refusal::BadProgram));
                assert!(outcome(&request, &caller(), since).is_ok());
            }
        }
        ConvertedLength => converted_length |before, since| {
            let program = [Insn::stmt(0x3c, 0), ALLOWS[0]];
            assert_eq!((charged_len(&program, before), charged_len(&program, since)), (2, 10));
            let caller = Caller { budget_left: 9, ..caller() };
            let request = Request::PrctlSetSeccomp { mode: 2, filter: Fprog::of(&program).into() };
            assert!(outcome(&request, &caller, before).is_ok());
            assert_eq!(outcome(&request, &caller, since), Err(Refusal::OverBudget));
        }
        SeccompSyscall => seccomp_syscall |before, since| {
            let request = Request::SetModeFilter { flags: flag::TSYNC, args: Fprog::of(&ALLOWS).into() };
            assert_eq!(outcome(&request, &caller(), before).unwrap_err().errno(), Some(Errno::ENOSYS));
            assert!(outcome(&request, &caller(), since).is_ok());
            assert_eq!(outcome(&Request::OtherOperation, &caller(), before), Err(Refusal::NoSeccompCall));
            assert_eq!(outcome(&Request::OtherOperation, &caller(), since), Err(Refusal::UnknownOperation));
        }
        ErrnoCap => errno_cap |before, since| {
            assert_eq!(effect(0x0005_ffff, before), returns(-65_535));
            assert_eq!(effect(0x0005_ffff, since), returns(-4095));
        }
        SuspendSeccomp => suspend_seccomp |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EINVAL)), (since, Ok(()))] {
                let (mut world, tracer, thread) = traced(kernel, 0x0005_0001);
                assert_eq!(world.set_options(tracer, thread, option::SUSPEND_SECCOMP), expected);
                let other = world.spawn();
                let seized = world.seize(tracer, other, option::SUSPEND_SECCOMP);
                assert_eq!(seized, expected.map_err(|_| Errno::EIO));
                let runs = make(&mut world, thread).effect == Effect::Runs;
                assert_eq!(runs, expected.is_ok());
            }
        }
        GetFilter => get_filter |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EIO)), (since, Ok(1))] {
                let (world, tracer, thread) = traced(kernel, ALLOW);
                let length = world.get_filter(tracer, thread, 0, BUFFER).map(<[Insn]>::len);
                assert_eq!(length, expected);
            }
        }
        PtraceBeforeSeccomp => ptrace_before_seccomp |before, since| {
            // What the tracer changes at the entry of a call, or at a TRACE, is judged since 4.8.
            for (value, stops, kind) in [
                (ALLOW, EntryStops::Syscall, StopKind::Entry),
                (0x7ff0_0000, EntryStops::No, StopKind::Seccomp { message: 0 }),
            ] {
                let effect = |kernel| {
                    let (mut world, tracer, thread) = traced(kernel, value);
                    world.install(thread, &denies(1), 0).unwrap();
                    world.resume(tracer, thread, stops).unwrap();
                    let mut changes = |stop: &Stop, registers: &mut Registers| {
                        assert_eq!(stop.kind, kind);
                        registers.call.nr = 1;
                        Resume::Continue
                    };
                    let seen = world.syscall(thread, &call(NR), &mut changes, &mut Nobody).unwrap();
                    assert_eq!(seen.call.nr, 1);
                    seen.effect
                };
                assert_eq!(effect(before), Effect::Runs, "{kind:?}");
                assert_eq!(effect(since), returns(-1), "{kind:?}");
            }
            // A denied call reaches no entry stop before 4.8, so the tracer cannot change it into another.
            for (kernel, expected) in [(before, returns(-1)), (since, Effect::Runs)] {
                let (mut world, tracer, thread) = traced(kernel, ALLOW);
                world.install(thread, &denies(NR), 0).unwrap();
                world.resume(tracer, thread, EntryStops::Syscall).unwrap();
                let mut changes = |_: &Stop, registers: &mut Registers| {
                    registers.call.nr = 1;
                    Resume::Continue
                };
                let seen = world.syscall(thread, &call(NR), &mut changes, &mut Nobody).unwrap();
                assert_eq!(seen.effect, expected);
            }
        }
        KillDumpsCore => kill_dumps_core |before, since| {
            for value in [0x0000_0000, 0x0001_0000] {
                assert_eq!(effect(value, before).to_string(), "the process dies of signal 31");
                assert_eq!(effect(value, since).to_string(), "the process dies of signal 31, with a core dump");
            }
        }
        KillProcess => kill_process |before, since| {
            let threads = |kernel| Situation { other_threads: true, ..situation(kernel) };
            let text = |value, kernel| effect_in(value, &threads(kernel)).to_string();
            assert_eq!(text(0x8000_0000, before), "the thread dies of signal 31");
            assert_eq!(text(0x8000_0000, since), "the process dies of signal 31, with a core dump");
            assert_eq!(text(0x7ffc_0000, before), "the thread dies of signal 31");
            assert_eq!(effect(0x7ffc_0000, since), Effect::Runs);
            assert_eq!(effect(0xffff_1234, before), Effect::Runs, "the top bit is ignored");
            assert_eq!(text(0xffff_1234, since), "the thread dies of signal 31", "unknown, and below zero");
            assert_eq!(effect(0x8005_0007, before), returns(-7));
            for (kernel, known) in [(before, 0), (since, flag::LOG)] {
                assert_eq!(known_flags(kernel) & flag::LOG, known);
                assert_eq!(Logged::parse("trap", kernel).is_ok(), known != 0);
                let avail = Request::GetActionAvail { flags: 0, args: ALLOW.into() };
                assert_eq!(outcome(&avail, &caller(), kernel).is_ok(), known != 0);
                let flagged = Situation { flag_log: true, ..situation(kernel) };
                let errno = verdict(0x0005_0001, kernel);
                assert_eq!(consequence(&errno, &call(NR), &flagged).record.is_some(), known != 0);
                let silent = Situation { logged: Logged::parse("", Kernel::LATEST).unwrap(), ..situation(kernel) };
                let kill = verdict(0, kernel);
                assert_eq!(consequence(&kill, &call(NR), &silent).record.is_some(), known == 0);
            }
        }
        GetMetadata => get_metadata |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EIO)), (since, Ok(16))] {
                let (world, tracer, thread) = traced(kernel, ALLOW);
                assert_eq!(world.get_metadata(tracer, thread, 16, 0).map(|found| found.size), expected);
            }
        }
        SpecAllow => spec_allow |before, since| { flag_came(flag::SPEC_ALLOW, flag::SPEC_ALLOW, before, since); }
        UserNotif => user_notif |before, since| {
            flag_came(flag::NEW_LISTENER, flag::NEW_LISTENER, before, since);
            let sizes = Request::GetNotifSizes { flags: 0, args: BUFFER };
            assert_eq!(outcome(&sizes, &caller(), before), Err(Refusal::UnknownOperation));
            assert!(outcome(&sizes, &caller(), since).is_ok());
            let avail = Request::GetActionAvail { flags: 0, args: 0x7fc0_0000.into() };
            assert_eq!(outcome(&avail, &caller(), before), Err(Refusal::UnknownAction));
            assert!(outcome(&avail, &caller(), since).is_ok());
            assert!(Logged::parse("user_notif", before).is_err() && Logged::parse("user_notif", since).is_ok());
            assert!(matches!(effect(0x7fc0_0000, before), Effect::Dies(_)));
            assert_eq!(effect(0x7fc0_0000, since), returns(-38));
        }
        GetSyscallInfo => get_syscall_info |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EIO)), (since, Ok(3))] {
                let (mut world, _, thread) = traced(kernel, 0x7ff0_0000);
                let mut asks = |stop: &Stop, _: &mut Registers| {
                    assert_eq!(stop.syscall_info().map(|info| info.op), expected);
                    Resume::Continue
                };
                world.syscall(thread, &call(NR), &mut asks, &mut Nobody).unwrap();
            }
        }
        NotifContinue => notif_continue |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EINVAL)), (since, Ok(()))] {
                let seen = converse(kernel, |id, conversation| {
                    assert_eq!(conversation.send(&Response::proceed(id)), expected);
                });
                assert_eq!(seen.effect == Effect::Runs, expected.is_ok());
            }
        }
        RecvZeroBuffer => recv_zero_buffer |before, since| {
            for (kernel, expected) in [(before, Ok(())), (since, Err(Errno::EINVAL))] {
                let (world, thread) = world(kernel, 0x7fc0_0000);
                assert_eq!(world.check_recv(world.chain(thread)[0], false), expected);
            }
        }
        TsyncEsrch => tsync_esrch |before, since| {
            flag_came(flag::TSYNC_ESRCH, flag::TSYNC_ESRCH, before, since);
            let both = flag::TSYNC | flag::NEW_LISTENER;
            assert_eq!(install(both, before), Err(Refusal::SyncWithListener), "not at all before");
            assert!(install(both | flag::TSYNC_ESRCH, since).is_ok());
        }
        AddFd => add_fd |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EINVAL)), (since, Ok(4))] {
                converse(kernel, |id, conversation| {
                    assert_eq!(conversation.add_fd(&descriptor(id, 0)), expected);
                });
            }
        }
        StatusFilterCount => status_filter_count |before, since| {
            for (kernel, expected) in [(before, None), (since, Some(1))] {
                let (world, thread) = world(kernel, ALLOW);
                assert_eq!(world.status(thread).unwrap().filters, expected);
            }
        }
        Bitmap => bitmap |before, since| {
            assert_eq!(bypass(&ALLOWS, NR, before), None);
            assert_eq!(bypass(&ALLOWS, NR, since), Some(Bypass::ConstantAllow));
            for (kernel, judged) in [(before, true), (since, false)] {
                let (mut world, thread) = world(kernel, ALLOW);
                assert_eq!(make(&mut world, thread).verdict.is_some(), judged);
            }
        }
        UnknownKillsProcess => unknown_kills_process |before, since| {
            for (kernel, expected) in [
                (before, "the thread dies of signal 31"),
                (since, "the process dies of signal 31, with a core dump"),
            ] {
                let threads = Situation { other_threads: true, ..situation(kernel) };
                for value in [0x0001_0000, 0x8001_0000] {
                    assert_eq!(effect_in(value, &threads).to_string(), expected);
                }
            }
            assert_eq!(effect(0x0001_0000, before).to_string(), "the process dies of signal 31, with a core dump");
        }
        AddFdSend => add_fd_send |before, since| {
            for (kernel, expected) in [(before, Err(Errno::EINVAL)), (since, Ok(4))] {
                let seen = converse(kernel, |id, conversation| {
                    assert_eq!(conversation.add_fd(&descriptor(id, add::SEND)), expected);
                });
                assert_eq!(seen.effect == returns(4), expected.is_ok());
            }
        }
        DeadMode => dead_mode |before, since| {
            for (kernel, mode) in [(before, Mode::Filter), (since, Mode::Dead)] {
                let (mut world, thread) = world(kernel, 0);
                world.process(thread).unwrap().sigsys = Disposition::Handled;
                assert!(matches!(make(&mut world, thread).effect, Effect::Dies(_)), "no handler either way");
                assert_eq!(world.thread(thread).unwrap().mode(), mode);
            }
        }
        LiveThreadsCounted => live_threads_counted |before, since| {
            for (kernel, expected) in [
                (before, "the process dies of signal 31"),
                (since, "the process dies of signal 31, with a core dump"),
            ] {
                let (mut world, leader) = world(kernel, 0);
                let last = world.clone_thread(leader).unwrap();
                assert_eq!(make(&mut world, leader).effect.to_string(), "the thread dies of signal 31");
                assert_eq!(make(&mut world, last).effect.to_string(), expected);
            }
            // A leader that is there, or that `execve` made, is no other.
            for exec in [false, true] {
                let (mut world, leader) = world(before, 0);
                let other = world.clone_thread(leader).unwrap();
                let last = if exec { other } else { leader };
                if exec {
                    world.execve(other).unwrap();
                } else {
                    world.exit(other, Scope::Thread).unwrap();
                }
                let said = make(&mut world, last).effect.to_string();
                assert_eq!(said, "the process dies of signal 31, with a core dump");
            }
        }
        SeizeChecksSuspend => seize_checks_suspend |before, since| {
            for (kernel, expected) in [(before, Ok(())), (since, Err(Errno::EPERM))] {
                let (mut world, thread) = world(kernel, 0x0005_0001);
                let tracer = world.spawn();
                assert_eq!(world.seize(tracer, thread, option::SUSPEND_SECCOMP), expected);
                let suspended = make(&mut world, thread).effect == Effect::Runs;
                assert_eq!(suspended, expected.is_ok());
            }
        }
        WaitKillable => wait_killable |before, since| {
            flag_came(flag::WAIT_KILLABLE_RECV, flag::WAIT_KILLABLE_RECV | flag::NEW_LISTENER, before, since);
        }
        NotifSetFlags => notif_set_flags |before, since| {
            assert_eq!(set_flags(1, before), Err(Errno::EINVAL));
            assert_eq!(set_flags(1, since), Ok(()));
        }
        RecvNoticesNobody => recv_notices_nobody |before, since| {
            for (kernel, expected) in [(before, Ok(())), (since, Err(Errno::ENOENT))] {
                let (mut world, thread) = world(kernel, ALLOW);
                let filter = world.chain(thread)[0];
                assert_eq!(world.check_recv(filter, true), Ok(()));
                world.exit(thread, Scope::Process).unwrap();
                assert_eq!(world.check_recv(filter, true), expected);
            }
        }
        UretprobeBypass => uretprobe_bypass |before, since| {
            bypass_came(335, Bypass::Uretprobe, before, since);
        }
        UprobeBypass => uprobe_bypass |before, since| {
            bypass_came(336, Bypass::Uprobe, before, since);
        }
    }
    not_shown {
        ExactDivision => "which operands were divided wrongly, and into what, is not known"
        ModernConversion => "the smaller costs before it are not known; division by X = 0 gives 0 on both sides"
        MaskedInterpreterShift => "before it the result was undefined in C; the shift rule is a field of `Machine`"
    }
}

#[test]
fn few_gates_have_an_excuse() {
    let excused: Vec<Gate> = Gate::ALL
        .iter()
        .copied()
        .filter(|&gate| excuse(gate).is_some())
        .collect();
    assert_eq!(
        excused,
        [
            Gate::ExactDivision,
            Gate::ModernConversion,
            Gate::MaskedInterpreterShift
        ]
    );
}

/// The table in the documentation has a row for each gate, in the same order.
#[test]
fn the_documentation_lists_every_gate() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SEMANTICS.md");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (_, table) = text.split_once("| since | what | release |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with("| "));
    let found: Vec<String> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            format!("{} {}", cells[0], cells[2])
        })
        .collect();
    let expected = Gate::ALL.iter().map(|gate| match gate.evidence() {
        Evidence::Documented => format!("{} documented", gate.since()),
        Evidence::ReleaseUnchecked => format!("{} recalled", gate.since()),
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn division_by_x_0_is_the_same_in_every_release() {
    let program = [Insn::stmt(0x3c, 0), ALLOWS[0]];
    let filter = Filter::load(&program[..]).unwrap();
    for &gate in Gate::ALL {
        let machine = Machine {
            kernel: last_before(gate.since()),
            ..Machine::default()
        };
        assert_eq!(filter.run(&call(NR), machine), 0);
    }
}

const ALLOW: u32 = 0x7fff_0000;
const ALLOWS: [Insn; 1] = [Insn::stmt(0x06, ALLOW)];

/// The release before another one.
fn last_before(kernel: Kernel) -> Kernel {
    match (kernel.major, kernel.minor) {
        (4, 0) => Kernel::new(3, 19),
        (5, 0) => Kernel::new(4, 20),
        (major, minor) => Kernel::new(major, minor.checked_sub(1).unwrap()),
    }
}

fn caller() -> Caller {
    Caller {
        no_new_privs: true,
        ..Caller::default()
    }
}

fn install(flags: u32, kernel: Kernel) -> Result<(), Refusal> {
    let args = Fprog::of(&ALLOWS).into();
    outcome(&Request::SetModeFilter { flags, args }, &caller(), kernel).map(drop)
}

/// A flag is unknown before a release. Some are of use only with others.
fn flag_came(flag: u32, with: u32, before: Kernel, since: Kernel) {
    assert_eq!(known_flags(before) & flag, 0);
    assert_eq!(install(with, before), Err(Refusal::UnknownFlag));
    assert_eq!(install(with, since), Ok(()));
}

fn bypass(program: &[Insn], nr: i32, kernel: Kernel) -> Option<Bypass> {
    Platform::X86_64.bypasses_programs([program], X86_64, nr, kernel)
}

/// A call passes every filter, and strict mode, from a release on.
fn bypass_came(nr: i32, reason: Bypass, before: Kernel, since: Kernel) {
    let kills = [Insn::stmt(0x06, 0x8000_0000)];
    assert_eq!(bypass(&kills, nr, before), None);
    assert_eq!(bypass(&kills, nr, since), Some(reason));
    for (kernel, runs) in [(before, false), (since, true)] {
        let (mut world, thread) = world(kernel, 0x8000_0000);
        let strict = world.spawn();
        let request = Request::PrctlSetSeccomp {
            mode: 1,
            filter: Pointer::Null,
        };
        world.seccomp(strict, &request).unwrap();
        for thread in [thread, strict] {
            let seen = world.syscall(thread, &call(nr), &mut Nobody, &mut Nobody).unwrap();
            assert_eq!(seen.effect == Effect::Runs, runs);
        }
    }
}

fn call(nr: i32) -> SeccompData {
    SeccompData::new(X86_64, nr, [0; 6])
}

fn verdict(value: u32, kernel: Kernel) -> Verdict {
    let verdict = combine([(0, value)], kernel);
    assert_eq!(verdict.action, Action::of(value, kernel));
    verdict
}

fn situation(kernel: Kernel) -> Situation {
    Situation {
        kernel,
        ..Situation::default()
    }
}

fn effect_in(value: u32, situation: &Situation) -> Effect {
    consequence(&verdict(value, situation.kernel), &call(NR), situation).effect
}

fn effect(value: u32, kernel: Kernel) -> Effect {
    effect_in(value, &situation(kernel))
}

fn returns(register: i64) -> Effect {
    Effect::Returns(callproof_vm::effect::Return { register, flag: None })
}

/// A program that denies one number with EPERM.
fn denies(nr: i32) -> [Insn; 4] {
    [
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, nr.cast_unsigned(), 0, 1),
        Insn::stmt(0x06, 0x0005_0001),
        ALLOWS[0],
    ]
}

/// A world with a thread under one filter, which returns one value.
fn world(kernel: Kernel, value: u32) -> (World, ThreadId) {
    let mut world = World::new(Machine {
        kernel,
        ..Machine::default()
    });
    let thread = world.spawn();
    world.environment(thread).unwrap().admin = Admin::Initial;
    let program = [Insn::stmt(0x06, value)];
    let filter = Fprog::of(&program).into();
    world
        .seccomp(thread, &Request::PrctlSetSeccomp { mode: 2, filter })
        .unwrap();
    (world, thread)
}

/// The same with a privileged tracer that listens for TRACE.
fn traced(kernel: Kernel, value: u32) -> (World, ThreadId, ThreadId) {
    let (mut world, thread) = world(kernel, value);
    let tracer = world.spawn();
    world.environment(tracer).unwrap().admin = Admin::Initial;
    world.attach(tracer, thread).unwrap();
    world.set_options(tracer, thread, option::TRACE_SECCOMP).unwrap();
    (world, tracer, thread)
}

fn make(world: &mut World, thread: ThreadId) -> Observed {
    world.syscall(thread, &call(NR), &mut Nobody, &mut Nobody).unwrap()
}

/// A supervisor's conversation about one call.
fn converse(kernel: Kernel, mut talk: impl FnMut(u64, &mut Conversation<'_>)) -> Observed {
    let (mut world, thread) = world(kernel, ALLOW);
    world
        .install(thread, &[Insn::stmt(0x06, 0x7fc0_0000)], flag::NEW_LISTENER)
        .unwrap();
    let mut supervisor =
        |notification: &Notification, conversation: &mut Conversation<'_>| talk(notification.id, conversation);
    world.syscall(thread, &call(NR), &mut Nobody, &mut supervisor).unwrap()
}

fn descriptor(id: u64, flags: u32) -> AddFd {
    AddFd {
        id,
        flags,
        source_is_open: true,
        newfd: 0,
        newfd_flags: 0,
    }
}

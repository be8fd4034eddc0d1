//! Tracers and supervisors under test, without a kernel.

use crate::world::*;
use callproof_vm::effect::{Convention, Effect, Interruption, Restart};
use callproof_vm::install::flag;
use callproof_vm::task::{
    AddFd, Added, Arrival, Conversation, EntryStops, Host, Nobody, Notification, Observed, Registers, Response, Resume,
    Stop, StopKind, Supervisor, ThreadId, Tracer, World, add as fd, option, set_flags,
};
use callproof_vm::{Errno, Kernel, Machine};

/// A world with a thread and a tracer of it.
fn traced(machine: Machine, answers: &[(i32, u32)], flags: u32) -> (World, ThreadId, ThreadId) {
    let (mut world, thread) = world(machine);
    world.install(thread, &program(answers), flags).unwrap();
    let tracer = world.spawn();
    world.attach(tracer, thread).unwrap();
    world.set_options(tracer, thread, option::TRACE_SECCOMP).unwrap();
    (world, thread, tracer)
}

fn observe(world: &mut World, thread: ThreadId, nr: i32, mut tracer: impl Tracer) -> Observed {
    world.syscall(thread, &call(nr), &mut tracer, &mut Nobody).unwrap()
}

/// A tracer that sets the number and the result.
fn sets(nr: i32, result: Option<i64>) -> impl Tracer {
    move |_: &Stop, registers: &mut Registers| {
        registers.call.nr = nr;
        registers.result = result.unwrap_or(registers.result);
        Resume::Continue
    }
}

#[test]
fn trace_without_the_option_fails() {
    let (mut world, thread, tracer) = traced(Machine::default(), &[(NR, TRACE)], 0);
    world.set_options(tracer, thread, 0).unwrap();
    assert_eq!(observe(&mut world, thread, NR, sets(39, None)).effect, returns(-38));
    world.set_options(tracer, thread, option::TRACE_SECCOMP).unwrap();
    assert_eq!(observe(&mut world, thread, NR, sets(39, None)).effect, Effect::Runs);
    world.detach(tracer, thread).unwrap();
    assert_eq!(observe(&mut world, thread, NR, sets(39, None)).effect, returns(-38));
}

#[test]
fn a_tracer_that_ended_traces_nobody() {
    let (mut world, thread, tracer) = traced(Machine::default(), &[(NR, TRACE)], 0);
    for child in [world.fork(thread).unwrap(), world.clone_thread(thread).unwrap()] {
        let seen = observe(&mut world, child, NR, sets(39, None));
        assert_eq!(seen.effect, returns(-38), "nor is a child traced");
    }
    world.exit(tracer, callproof_vm::effect::Scope::Process).unwrap();
    assert_eq!(observe(&mut world, thread, NR, sets(39, None)).effect, returns(-38));
}

#[test]
fn the_stop_tells_the_data() {
    let (mut world, thread, _) = traced(Machine::default(), &[(NR, TRACE | 0xbeef)], 0);
    let mut stops = Vec::new();
    let tracer = |stop: &Stop, registers: &mut Registers| {
        stops.push((stop.kind, stop.syscall_info().unwrap(), registers.result));
        Resume::Continue
    };
    let seen = observe(&mut world, thread, NR, tracer);
    let [(kind, info, result)] = stops[..] else {
        panic!("{stops:?}");
    };
    assert_eq!(kind, StopKind::Seccomp { message: 0xbeef });
    assert_eq!((info.op, info.ret_data, result), (3, Some(0xbeef), -38));
    assert_eq!(seen.effect, Effect::Runs, "the untouched call is TRACE again, and made");
}

#[test]
fn a_negative_number_skips_the_call() {
    for (nr, result, expected) in [
        (-1, None, -38),
        (-1, Some(77), 77),
        (-5, Some(55), 55),
        (i32::MIN, Some(66), 66),
    ] {
        let (mut world, thread, _) = traced(Machine::default(), &[(NR, TRACE), (-1, ERRNO | 1)], 0);
        let seen = observe(&mut world, thread, NR, sets(nr, result));
        assert_eq!(
            seen.effect,
            returns(expected),
            "{nr}: the filters are not asked about it"
        );
    }
}

#[test]
fn a_changed_call_is_judged_again() {
    let answers = [
        (NR, TRACE | 1),
        (40, ERRNO | 9),
        (41, TRACE | 2),
        (42, KILL_PROCESS),
        (43, NOTIFY),
    ];
    for (nr, expected) in [
        (39, Effect::Runs),
        (40, returns(-9)),
        (41, Effect::Runs),
        (43, returns(-38)),
        (335, Effect::Runs),
    ] {
        let (mut world, thread, _) = traced(Machine::default(), &answers, 0);
        let mut stops = 0;
        let tracer = |_: &Stop, registers: &mut Registers| {
            stops += 1;
            registers.call.nr = nr;
            Resume::Continue
        };
        let seen = observe(&mut world, thread, NR, tracer);
        assert_eq!((seen.effect, seen.call.nr, stops), (expected, nr, 1), "{nr}");
    }
    let (mut world, thread, _) = traced(Machine::default(), &answers, 0);
    let seen = observe(&mut world, thread, NR, sets(42, None));
    assert!(matches!(seen.effect, Effect::Dies(_)));
}

#[test]
fn arguments_and_address_are_judged_again_too() {
    let (mut world, thread, _) = traced(Machine::default(), &[(NR, TRACE)], 0);
    let by_argument = [
        callproof_vm::Insn::stmt(0x20, 16),
        callproof_vm::Insn::jump(0x15, 5, 0, 1),
        callproof_vm::Insn::stmt(0x06, ERRNO | 5),
        callproof_vm::Insn::stmt(0x20, 12),
        callproof_vm::Insn::jump(0x15, 0xfedc_ba98, 0, 1),
        callproof_vm::Insn::stmt(0x06, ERRNO | 6),
        callproof_vm::Insn::stmt(0x06, ALLOW),
    ];
    world.install(thread, &by_argument, 0).unwrap();
    let seen = observe(&mut world, thread, NR, |_: &Stop, registers: &mut Registers| {
        registers.call.args[0] = 5;
        Resume::Continue
    });
    assert_eq!(seen.effect, returns(-5));
    let seen = observe(&mut world, thread, NR, |_: &Stop, registers: &mut Registers| {
        registers.call.instruction_pointer = 0xfedc_ba98_7654_3210;
        Resume::Continue
    });
    assert_eq!(seen.effect, returns(-6));
}

#[test]
fn trace_is_recorded_when_it_skips() {
    for (nr, flags, recorded) in [
        (-1, flag::LOG, true),
        (-1, 0, false),
        (39, flag::LOG, false),
        (NR, flag::LOG, false),
    ] {
        let (mut world, thread, _) = traced(Machine::default(), &[(NR, TRACE)], flags);
        let seen = observe(&mut world, thread, NR, sets(nr, None));
        assert_eq!(seen.record.map(|record| record.code), recorded.then_some(TRACE), "{nr}");
    }
    let (mut world, thread) = latest();
    install(&mut world, thread, TRACE, flag::LOG).unwrap();
    assert!(make(&mut world, thread, NR).record.is_some(), "no tracer");
}

#[test]
fn a_fatal_signal_during_the_stop_kills() {
    let (mut world, thread, _) = traced(Machine::default(), &[(NR, TRACE)], 0);
    let seen = observe(&mut world, thread, NR, |_: &Stop, _: &mut Registers| Resume::Killed);
    assert_eq!(seen.effect.to_string(), "the process dies of signal 9");
    assert!(!world.thread(thread).unwrap().is_running());
}

#[test]
fn the_entry_stop_comes_before_the_filters() {
    let (mut world, thread, tracer) = traced(Machine::default(), &[(NR, ERRNO | 3), (-1, ERRNO | 8)], 0);
    world.resume(tracer, thread, EntryStops::Syscall).unwrap();
    assert_eq!(observe(&mut world, thread, 1022, sets(NR, None)).effect, returns(-3));
    assert_eq!(observe(&mut world, thread, NR, sets(1022, None)).effect, Effect::Runs);
    assert_eq!(
        observe(&mut world, thread, 39, sets(-1, Some(4))).effect,
        returns(-8),
        "-1 is judged"
    );
    assert_eq!(observe(&mut world, thread, 39, sets(-2, Some(4))).effect, returns(4));
}

#[test]
fn an_emulated_call_is_not_judged() {
    let (mut world, thread, tracer) = traced(Machine::default(), &[(NR, KILL_PROCESS)], 0);
    world.resume(tracer, thread, EntryStops::Emulated).unwrap();
    assert_eq!(observe(&mut world, thread, NR, sets(NR, Some(12))).effect, returns(12));
}

#[test]
fn an_entry_stop_and_a_seccomp_stop() {
    let (mut world, thread, tracer) = traced(Machine::default(), &[(NR, TRACE)], 0);
    world.resume(tracer, thread, EntryStops::Syscall).unwrap();
    let mut kinds = Vec::new();
    observe(&mut world, thread, NR, |stop: &Stop, _: &mut Registers| {
        kinds.push(stop.syscall_info().unwrap().op);
        Resume::Continue
    });
    assert_eq!(kinds, [1, 3]);
}

/// A world with a thread whose `NR` asks a supervisor.
fn supervised(host: impl Into<Host>, flags: u32) -> (World, ThreadId) {
    let (mut world, thread) = world(host);
    install(&mut world, thread, NOTIFY | 0xabcd, flags | flag::NEW_LISTENER).unwrap();
    (world, thread)
}

fn ask(world: &mut World, thread: ThreadId, mut supervisor: impl Supervisor) -> Observed {
    world.syscall(thread, &call(NR), &mut Nobody, &mut supervisor).unwrap()
}

/// A supervisor that sends one answer.
fn answers(val: i64, error: i32) -> impl Supervisor {
    move |notification: &Notification, conversation: &mut Conversation<'_>| {
        let (id, flags) = (notification.id, 0);
        conversation.send(&Response { id, val, error, flags }).unwrap();
    }
}

fn proceeds(notification: &Notification, conversation: &mut Conversation<'_>) {
    conversation.send(&Response::proceed(notification.id)).unwrap();
}

#[test]
fn answers_are_returned_unclamped() {
    for (val, error, expected) in [
        (5, 0, 5),
        (5, -1, -1),
        (5, 7, 7),
        (-1, 0, -1),
        (0, -4096, -4096),
        (0, -100_000, -100_000),
        (0, 0x7fff_ffff, 0x7fff_ffff),
        (0x1234_5678_9abc, 0, 0x1234_5678_9abc),
    ] {
        let (mut world, thread) = supervised(Machine::default(), 0);
        let seen = ask(&mut world, thread, answers(val, error));
        assert_eq!(seen.effect, returns(expected));
    }
}

#[test]
fn the_notification_tells_the_call_and_not_the_data() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    let mut notifications = Vec::new();
    for _ in 0..2 {
        ask(
            &mut world,
            thread,
            |notification: &Notification, conversation: &mut Conversation<'_>| {
                notifications.push(*notification);
                conversation.send(&Response::fail(notification.id, 13)).unwrap();
            },
        );
    }
    assert_eq!(notifications[0].data, call(NR));
    assert_eq!(notifications[0].thread, thread);
    assert_ne!(notifications[0].id, notifications[1].id);
}

#[test]
fn continue_makes_the_call_without_asking_again() {
    let (mut world, thread) = supervised(Machine::default(), flag::LOG);
    let seen = ask(&mut world, thread, proceeds);
    assert_eq!((seen.effect, seen.record), (Effect::Runs, None));
    let seen = ask(&mut world, thread, answers(0, -1));
    assert_eq!(seen.record.map(|record| record.code), Some(NOTIFY));
}

#[test]
fn bad_answers_are_refused_and_the_thread_waits_on() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    let seen = ask(
        &mut world,
        thread,
        |n: &Notification, conversation: &mut Conversation<'_>| {
            let mut send = |id, val, error, flags| conversation.send(&Response { id, val, error, flags });
            assert_eq!(send(n.id, 1, 0, 1), Err(Errno::EINVAL));
            assert_eq!(send(n.id, 0, 1, 1), Err(Errno::EINVAL));
            assert_eq!(send(n.id, 0, 0, 2), Err(Errno::EINVAL));
            assert_eq!(send(n.id + 1, 0, 0, 0), Err(Errno::ENOENT));
            assert_eq!(conversation.id_valid(n.id), Ok(()));
            assert_eq!(conversation.id_valid(n.id + 1), Err(Errno::ENOENT));
        },
    );
    assert_eq!((seen.effect, seen.record), (Effect::Asks, None));
}

#[test]
fn the_first_answer_counts() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    let seen = ask(
        &mut world,
        thread,
        |n: &Notification, conversation: &mut Conversation<'_>| {
            conversation.send(&Response::value(n.id, 5)).unwrap();
            assert_eq!(conversation.send(&Response::value(n.id, 6)), Err(Errno::EINPROGRESS));
            assert_eq!(conversation.id_valid(n.id), Err(Errno::ENOENT));
            assert!(conversation.interrupt(Interruption::Handler));
            conversation.close();
        },
    );
    assert_eq!(seen.effect, returns(5));
}

#[test]
fn an_older_listener_is_hidden_by_a_tie() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    add(&mut world, thread, NOTIFY | 1);
    assert_eq!(ask(&mut world, thread, answers(5, 0)).effect, returns(-38));
    let (mut world, thread) = latest();
    add(&mut world, thread, NOTIFY | 1);
    install(&mut world, thread, NOTIFY, flag::NEW_LISTENER).unwrap();
    assert_eq!(
        ask(&mut world, thread, answers(5, 0)).effect,
        returns(5),
        "here the newest has it"
    );
}

#[test]
fn a_closed_listener_fails_the_call() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    let child = world.fork(thread).unwrap();
    assert!(world.close_listener(thread));
    for task in [thread, child] {
        assert_eq!(ask(&mut world, task, answers(5, 0)).effect, returns(-38));
    }
    let (mut world, thread) = supervised(Machine::default(), 0);
    let seen = ask(
        &mut world,
        thread,
        |_: &Notification, conversation: &mut Conversation<'_>| conversation.close(),
    );
    assert_eq!(seen.effect, returns(-38));
    assert!(!world.close_listener(thread), "it is closed already");
}

#[test]
fn a_signal_ends_the_wait() {
    for (interruption, expected) in [
        (Interruption::Handler, returns(-4)),
        (Interruption::RestartingHandler, Effect::Restarts(Restart::SameCall)),
        (Interruption::NoHandler, Effect::Restarts(Restart::SameCall)),
    ] {
        let (mut world, thread) = supervised(Machine::default(), 0);
        let seen = ask(
            &mut world,
            thread,
            |n: &Notification, conversation: &mut Conversation<'_>| {
                assert!(conversation.interrupt(interruption));
                assert_eq!(
                    conversation.send(&Response::value(n.id, 5)),
                    Err(Errno::ENOENT),
                    "too late"
                );
            },
        );
        assert_eq!(seen.effect, expected, "{interruption:?}");
        assert_eq!(
            ask(&mut world, thread, answers(5, 0)).effect,
            returns(5),
            "a new notification"
        );
    }
    let (mut world, thread) = supervised(Machine::default(), 0);
    let seen = ask(
        &mut world,
        thread,
        |_: &Notification, conversation: &mut Conversation<'_>| {
            assert!(conversation.interrupt(Interruption::Fatal));
        },
    );
    assert!(matches!(seen.effect, Effect::Dies(_)));
}

/// A supervisor to which something happens before it receives.
struct Late(Arrival);

impl Supervisor for Late {
    fn arrives(&mut self, _: &Notification) -> Arrival {
        self.0
    }

    fn notified(&mut self, notification: &Notification, conversation: &mut Conversation<'_>) {
        conversation.interrupt(Interruption::Handler);
        let _ = conversation.send(&Response::value(notification.id, 5));
    }
}

#[test]
fn a_killable_wait_begins_when_the_notification_is_received() {
    for (flags, received) in [(0, returns(-4)), (flag::WAIT_KILLABLE_RECV, returns(5))] {
        let (mut world, thread) = supervised(Machine::default(), flags);
        assert_eq!(ask(&mut world, thread, Late(Arrival::Received)).effect, received);
        let early = Arrival::Interrupted(Interruption::Handler);
        assert_eq!(ask(&mut world, thread, Late(early)).effect, returns(-4));
        assert_eq!(ask(&mut world, thread, Late(Arrival::Closed)).effect, returns(-38));
    }
}

fn add_fd(id: u64) -> AddFd {
    AddFd {
        id,
        flags: 0,
        source_is_open: true,
        newfd: 0,
        newfd_flags: 0,
    }
}

#[test]
fn descriptors_are_added() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    let seen = ask(
        &mut world,
        thread,
        |n: &Notification, conversation: &mut Conversation<'_>| {
            let plain = add_fd(n.id);
            assert_eq!(conversation.add_fd(&plain), Ok(4), "3 is the listener");
            let set = AddFd {
                flags: fd::SETFD,
                newfd: 9,
                newfd_flags: fd::CLOEXEC,
                ..plain
            };
            assert_eq!(conversation.add_fd(&set), Ok(9));
            let send = AddFd {
                flags: fd::SEND,
                ..plain
            };
            assert_eq!(conversation.add_fd(&send), Ok(5));
            assert_eq!(conversation.add_fd(&plain), Err(Errno::EINPROGRESS), "answered");
        },
    );
    assert_eq!(seen.effect, returns(5));
    let added: Vec<_> = seen.added.iter().map(|added| (added.fd, added.close_on_exec)).collect();
    assert_eq!(added, [(4, false), (9, true), (5, false)]);
}

#[test]
fn descriptors_are_refused() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    world.process(thread).unwrap().next_fd = None;
    let seen = ask(
        &mut world,
        thread,
        |n: &Notification, conversation: &mut Conversation<'_>| {
            let plain = add_fd(n.id);
            for (request, errno) in [
                (AddFd { flags: 4, ..plain }, Errno::EINVAL),
                (AddFd { newfd: 9, ..plain }, Errno::EINVAL),
                (
                    AddFd {
                        newfd_flags: 1,
                        ..plain
                    },
                    Errno::EINVAL,
                ),
                (
                    AddFd {
                        source_is_open: false,
                        id: 0,
                        ..plain
                    },
                    Errno::EBADF,
                ),
                (AddFd { id: n.id + 1, ..plain }, Errno::ENOENT),
                (
                    AddFd {
                        flags: fd::SEND,
                        ..plain
                    },
                    Errno::EMFILE,
                ),
            ] {
                assert_eq!(conversation.add_fd(&request), Err(errno), "{request:?}");
            }
        },
    );
    assert_eq!(
        (seen.effect, seen.added),
        (Effect::Asks, Vec::<Added>::new()),
        "it still waits"
    );
}

#[test]
fn listener_flags() {
    assert_eq!(set_flags(1, Kernel::LATEST), Ok(()));
    assert_eq!(set_flags(0, Kernel::LATEST), Ok(()));
    assert_eq!(set_flags(2, Kernel::LATEST), Err(Errno::EINVAL));
}

#[test]
fn receiving_checks_the_buffer_and_the_users() {
    let (mut world, thread) = supervised(Machine::default(), 0);
    let filter = world.chain(thread)[0];
    assert_eq!(world.check_recv(filter, true), Ok(()));
    assert_eq!(world.check_recv(filter, false), Err(Errno::EINVAL));
    let child = world.fork(thread).unwrap();
    world.exit(thread, callproof_vm::effect::Scope::Process).unwrap();
    assert_eq!(world.check_recv(filter, true), Ok(()), "the child has it");
    world.exit(child, callproof_vm::effect::Scope::Process).unwrap();
    assert_eq!(world.check_recv(filter, true), Err(Errno::ENOENT));
}

#[test]
fn other_architectures_answer_in_their_way() {
    let host = Host {
        convention: Convention::MIPS,
        platform: None,
        ..Host::default()
    };
    let (mut world, thread) = supervised(host, 0);
    let register = |seen: Observed| match seen.effect {
        Effect::Returns(value) => (value.register, value.flag),
        other => panic!("{other:?}"),
    };
    assert_eq!(register(ask(&mut world, thread, answers(5, 0))), (5, Some(false)));
    assert_eq!(register(ask(&mut world, thread, answers(0, -13))), (13, Some(true)));
    add(&mut world, thread, TRACE);
    world.close_listener(thread);
    assert_eq!(register(make(&mut world, thread, NR)), (89, Some(true)));
    assert_eq!(register(make(&mut world, thread, -1)), (89, Some(true)));
}

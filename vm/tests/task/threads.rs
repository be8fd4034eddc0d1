//! Threads: modes, chains, inheritance, thread sync, listeners, death.

use crate::world::*;
use callproof_vm::Insn;
use callproof_vm::bitmap::Bypass;
use callproof_vm::effect::{Disposition, Effect, Logged, Scope};
use callproof_vm::install::{Mode, Pointer, Refusal, Request, Shortage, Success, flag};
use callproof_vm::task::{Admin, Environment, Failed, Host, Nobody, ThreadId, World};
use callproof_vm::{Kernel, SeccompData};

const STRICT: Request<'_> = Request::SetModeStrict {
    flags: 0,
    args: Pointer::Null,
};

fn refusal(result: Result<Success, Failed>) -> Refusal {
    match result {
        Err(Failed::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn runs(world: &World, thread: ThreadId) -> bool {
    world.thread(thread).unwrap().is_running()
}

#[test]
fn a_fresh_thread_makes_every_call() {
    let mut world = World::new(Host::default());
    let thread = world.spawn();
    assert_eq!(effect(&mut world, thread, NR), Effect::Runs);
    assert_eq!(effect(&mut world, thread, -1), returns(-38));
    assert_eq!(refusal(install(&mut world, thread, ERRNO, 0)), Refusal::NoPrivilege);
    world.set_no_new_privs(thread).unwrap();
    install(&mut world, thread, ERRNO | 7, 0).unwrap();
    assert_eq!(effect(&mut world, thread, NR), returns(-7));
}

#[test]
fn privileges_in_ones_own_namespace_suffice() {
    let (mut world, thread) = latest();
    world.environment(thread).unwrap().admin = Admin::OwnNamespace;
    add(&mut world, thread, ERRNO);
}

#[test]
fn shortages_are_passed_on() {
    let (mut world, thread) = latest();
    world.environment(thread).unwrap().shortage = Some(Shortage::Jit);
    assert_eq!(refusal(install(&mut world, thread, ERRNO, 0)), Refusal::NoJit);
    assert_eq!(world.chain(thread).len(), 0, "nothing is installed");
}

#[test]
fn a_chain_only_grows_and_the_newest_wins_ties() {
    let (mut world, thread) = latest();
    add(&mut world, thread, ERRNO | 1);
    add(&mut world, thread, ERRNO | 2);
    assert_eq!(effect(&mut world, thread, NR), returns(-2));
    add(&mut world, thread, ALLOW);
    assert_eq!(effect(&mut world, thread, NR), returns(-2), "no filter loosens another");
    assert_eq!(world.status(thread).unwrap().filters, Some(3));
    for request in [
        STRICT,
        Request::PrctlSetSeccomp {
            mode: 1,
            filter: Pointer::Null,
        },
    ] {
        assert_eq!(refusal(world.seccomp(thread, &request)), Refusal::WrongMode);
    }
    let off = Request::PrctlSetSeccomp {
        mode: 0,
        filter: Pointer::Null,
    };
    assert_eq!(refusal(world.seccomp(thread, &off)), Refusal::UnknownMode);
    let mode = world.seccomp(thread, &Request::PrctlGetSeccomp).unwrap();
    assert_eq!(mode, Success::Mode(Mode::Filter));
}

#[test]
fn the_budget_counts_inherited_filters() {
    let (mut world, parent) = latest();
    let ret_a = [Insn::stmt(0x16, 0)];
    for _ in 0..4095 {
        world.install(parent, &ret_a, 0).unwrap();
    }
    let child = world.fork(parent).unwrap();
    world.install(child, &ret_a, 0).unwrap();
    assert_eq!(refusal(world.install(child, &ret_a, 0)), Refusal::OverBudget);
    world.install(parent, &ret_a, 0).unwrap();
}

#[test]
fn filters_modes_and_no_new_privs_are_inherited() {
    let (mut world, parent) = latest();
    add(&mut world, parent, ERRNO | 3);
    world.set_no_new_privs(parent).unwrap();
    let thread = world.clone_thread(parent).unwrap();
    let process = world.fork(parent).unwrap();
    let grandchild = world.fork(process).unwrap();
    for child in [thread, process, grandchild] {
        assert_eq!(effect(&mut world, child, NR), returns(-3));
        assert!(world.thread(child).unwrap().no_new_privs());
        assert_eq!(world.chain(child), world.chain(parent));
    }
    add(&mut world, process, ERRNO | 1);
    assert_eq!(effect(&mut world, process, NR), returns(-1));
    for other in [parent, thread, grandchild] {
        assert_eq!(
            effect(&mut world, other, NR),
            returns(-3),
            "later filters are one's own"
        );
    }
}

#[test]
fn execve_keeps_filters_and_resets_handlers() {
    let (mut world, thread) = latest();
    let other = world.clone_thread(thread).unwrap();
    add(&mut world, thread, 0x0003_0000);
    world.set_no_new_privs(thread).unwrap();
    world.process(thread).unwrap().sigsys = Disposition::Handled;
    assert!(matches!(effect(&mut world, thread, NR), Effect::Traps(_)));
    world.execve(thread).unwrap();
    assert!(!runs(&world, other) && world.thread(thread).unwrap().no_new_privs());
    assert_eq!(world.process(thread).unwrap().sigsys, Disposition::Default);
    assert!(matches!(effect(&mut world, thread, NR), Effect::Dies(_)));
}

#[test]
fn an_ignored_sigsys_stays_ignored_and_kills() {
    let (mut world, thread) = latest();
    add(&mut world, thread, 0x0003_0000);
    world.process(thread).unwrap().sigsys = Disposition::Ignored;
    world.execve(thread).unwrap();
    assert_eq!(world.process(thread).unwrap().sigsys, Disposition::Ignored);
    assert!(matches!(effect(&mut world, thread, NR), Effect::Dies(_)));
}

#[test]
fn handlers_are_shared_by_threads_and_copied_by_fork() {
    let (mut world, thread) = latest();
    add(&mut world, thread, 0x0003_0000);
    let sibling = world.clone_thread(thread).unwrap();
    let child = world.fork(thread).unwrap();
    world.process(sibling).unwrap().sigsys = Disposition::Handled;
    assert!(matches!(effect(&mut world, thread, NR), Effect::Traps(_)));
    assert!(matches!(effect(&mut world, child, NR), Effect::Dies(_)));
    world.environment(thread).unwrap().sigsys_blocked = true;
    assert!(
        matches!(effect(&mut world, sibling, NR), Effect::Traps(_)),
        "masks are the thread's own"
    );
    assert!(matches!(effect(&mut world, thread, NR), Effect::Dies(_)));
    assert!(!runs(&world, sibling), "a signal takes the whole process");
}

#[test]
fn strict_mode_allows_four_calls_and_kills_at_the_rest() {
    for nr in [0, 1, 15, 60, 335, 336] {
        let (mut world, thread) = latest();
        world.seccomp(thread, &STRICT).unwrap();
        assert_eq!(effect(&mut world, thread, nr), Effect::Runs, "{nr}");
    }
    for nr in [231, -1, 39, 337, 0x4000_0000, 0x4000_0003] {
        let (mut world, thread) = latest();
        world.seccomp(thread, &STRICT).unwrap();
        let seen = make(&mut world, thread, nr);
        assert_eq!(seen.effect.to_string(), "the process dies of signal 9", "{nr}");
        assert_eq!(seen.record.map(|record| (record.code, record.signal)), Some((0, 9)));
        assert!(!runs(&world, thread));
    }
}

#[test]
fn strict_mode_uses_the_numbers_of_the_calls_abi() {
    let (mut world, thread) = latest();
    world.seccomp(thread, &STRICT).unwrap();
    let exit = SeccompData::new(I386, 1, [0; 6]);
    let seen = world.syscall(thread, &exit, &mut Nobody, &mut Nobody).unwrap();
    assert_eq!(seen.effect, Effect::Runs);
    let read = SeccompData::new(I386, 0, [0; 6]);
    let seen = world.syscall(thread, &read, &mut Nobody, &mut Nobody).unwrap();
    assert!(matches!(seen.effect, Effect::Dies(_)));
}

#[test]
fn strict_mode_kills_at_seccomp_and_prctl() {
    for request in [Request::PrctlGetSeccomp, STRICT, Request::PrctlGetNoNewPrivs([0; 4])] {
        let (mut world, thread) = latest();
        let other = world.clone_thread(thread).unwrap();
        world.seccomp(thread, &STRICT).unwrap();
        let Err(Failed::Killed(death)) = world.seccomp(thread, &request) else {
            panic!("alive after {request:?}");
        };
        assert_eq!((death.signal, death.core, death.scope), (9, false, Scope::Thread));
        assert!(!runs(&world, thread) && runs(&world, other));
    }
}

#[test]
fn tsync_gives_every_thread_the_chain() {
    let (mut world, thread) = latest();
    add(&mut world, thread, ALLOW);
    let ancestor = world.clone_thread(thread).unwrap();
    add(&mut world, thread, ALLOW);
    let equal = world.clone_thread(thread).unwrap();
    let plain = world.spawn();
    world.set_no_new_privs(thread).unwrap();
    install(&mut world, thread, ERRNO | 5, flag::TSYNC).unwrap();
    for other in [ancestor, equal] {
        assert_eq!(world.chain(other), world.chain(thread));
        assert!(world.thread(other).unwrap().no_new_privs(), "copied, too");
        assert_eq!(effect(&mut world, other, NR), returns(-5));
    }
    assert_eq!(effect(&mut world, plain, NR), Effect::Runs, "another process");
}

#[test]
fn tsync_reaches_threads_without_filters_and_does_not_invent_no_new_privs() {
    let (mut world, thread) = latest();
    let other = world.clone_thread(thread).unwrap();
    install(&mut world, thread, ERRNO | 5, flag::TSYNC).unwrap();
    let status = world.status(other).unwrap();
    assert_eq!(
        (status.seccomp, status.filters, status.no_new_privs),
        (2, Some(1), false)
    );
}

#[test]
fn tsync_fails_at_a_diverged_or_strict_thread_and_changes_nothing() {
    for diverge in [
        (|world, other| add(world, other, ALLOW)) as fn(&mut World, ThreadId),
        |world, other| {
            world.seccomp(other, &STRICT).unwrap();
        },
    ] {
        let (mut world, thread) = latest();
        let innocent = world.clone_thread(thread).unwrap();
        let other = world.clone_thread(thread).unwrap();
        diverge(&mut world, other);
        for (flags, esrch) in [(0, false), (flag::TSYNC_ESRCH, true)] {
            let refused = refusal(install(&mut world, thread, ERRNO, flags | flag::TSYNC));
            assert_eq!(
                refused,
                Refusal::Unsynced {
                    tid: other.tid(),
                    esrch
                }
            );
        }
        assert_eq!(world.status(thread).unwrap().seccomp, 0);
        assert_eq!(world.status(innocent).unwrap().seccomp, 0);
        world.exit(other, Scope::Thread).unwrap();
        install(&mut world, thread, ERRNO, flag::TSYNC).unwrap();
    }
}

#[test]
fn tsync_compares_with_the_chain_before_the_new_filter() {
    let (mut world, thread) = latest();
    add(&mut world, thread, ALLOW);
    let ahead = world.clone_thread(thread).unwrap();
    add(&mut world, ahead, ALLOW);
    let refused = refusal(install(&mut world, thread, ALLOW, flag::TSYNC));
    assert_eq!(refused.returns(), i64::from(ahead.tid()));
    install(&mut world, ahead, ALLOW, flag::TSYNC).unwrap();
    assert_eq!(world.chain(thread).len(), 3);
}

#[test]
fn one_open_listener_a_chain() {
    let (mut world, thread) = latest();
    let listener = |world: &mut World, thread| install(world, thread, NOTIFY, flag::NEW_LISTENER);
    let first = listener(&mut world, thread).unwrap();
    assert_eq!(first.returns(), 3);
    assert_eq!(refusal(listener(&mut world, thread)), Refusal::ListenerExists);
    add(&mut world, thread, ALLOW);
    assert_eq!(refusal(listener(&mut world, thread)), Refusal::ListenerExists);
    let child = world.fork(thread).unwrap();
    assert_eq!(refusal(listener(&mut world, child)), Refusal::ListenerExists);
    assert!(world.close_listener(thread) && !world.close_listener(thread));
    assert_eq!(
        listener(&mut world, child).unwrap().returns(),
        4,
        "the filter's listener is shared"
    );
    assert!(listener(&mut world, thread).is_ok(), "the chains have parted");
}

#[test]
fn a_listener_needs_a_descriptor() {
    let (mut world, thread) = latest();
    world.process(thread).unwrap().next_fd = None;
    let refused = refusal(install(&mut world, thread, NOTIFY, flag::NEW_LISTENER));
    assert_eq!(refused, Refusal::NoDescriptor);
    let bad = world.install(thread, &[Insn::stmt(0x28, 0)], flag::NEW_LISTENER);
    assert_eq!(refusal(bad), Refusal::BadProgram);
}

#[test]
fn a_full_chain_with_a_listener_is_busy_first() {
    let (mut world, thread) = latest();
    install(&mut world, thread, ALLOW, flag::NEW_LISTENER).unwrap();
    let long = [&[Insn::stmt(0x87, 0); 4095][..], &[Insn::stmt(0x06, ALLOW)]].concat();
    while world.install(thread, &long, 0).is_ok() {}
    while install(&mut world, thread, ALLOW, 0).is_ok() {}
    assert_eq!(refusal(install(&mut world, thread, ALLOW, 0)), Refusal::OverBudget);
    let busy = refusal(install(&mut world, thread, ALLOW, flag::NEW_LISTENER));
    assert_eq!(busy, Refusal::ListenerExists);
}

#[test]
fn who_dies() {
    for (value, survivors) in [
        (KILL_THREAD, true),
        (KILL_PROCESS, false),
        (0x0001_0000, false),
        (0x8001_0000, false),
        (0x0003_0000, false),
    ] {
        let (mut world, main) = latest();
        add(&mut world, main, value);
        let second = world.clone_thread(main).unwrap();
        let elsewhere = world.fork(main).unwrap();
        let seen = make(&mut world, main, NR);
        assert!(matches!(seen.effect, Effect::Dies(_)));
        assert!(!runs(&world, main) && runs(&world, elsewhere));
        assert_eq!(runs(&world, second), survivors, "{value:#x}");
        assert!(world.syscall(main, &call(NR), &mut Nobody, &mut Nobody).is_err());
    }
}

#[test]
fn the_last_thread_dumps_core_and_takes_the_process() {
    let (mut world, main) = latest();
    add(&mut world, main, KILL_THREAD);
    let second = world.clone_thread(main).unwrap();
    let text = |world: &mut World, thread| effect(world, thread, NR).to_string();
    assert_eq!(text(&mut world, main), "the thread dies of signal 31");
    assert_eq!(
        text(&mut world, second),
        "the process dies of signal 31, with a core dump"
    );
}

#[test]
fn an_unknown_action_outranks_kill_thread() {
    let (mut world, main) = latest();
    add(&mut world, main, 0x8001_0000);
    add(&mut world, main, KILL_THREAD);
    let second = world.clone_thread(main).unwrap();
    effect(&mut world, second, NR);
    assert!(!runs(&world, main));
}

#[test]
fn flag_log_of_the_matching_filter_counts() {
    let (mut world, thread) = latest();
    install(&mut world, thread, ERRNO | 1, flag::LOG).unwrap();
    assert_eq!(
        make(&mut world, thread, NR).record.map(|record| record.code),
        Some(ERRNO)
    );
    add(&mut world, thread, ERRNO | 2);
    assert_eq!(
        make(&mut world, thread, NR).record,
        None,
        "the newest wins the tie, and has no flag"
    );
    install(&mut world, thread, ERRNO | 3, flag::LOG).unwrap();
    assert!(make(&mut world, thread, NR).record.is_some());
}

#[test]
fn the_sysctl_silences_records() {
    let host = Host {
        logged: Logged::parse("kill_process", Kernel::LATEST).unwrap(),
        ..Host::default()
    };
    let (mut world, thread) = world(host);
    install(&mut world, thread, ERRNO | 1, flag::LOG).unwrap();
    assert_eq!(make(&mut world, thread, NR).record, None);
}

#[test]
fn the_bitmap_is_used() {
    let (mut world, thread) = latest();
    add(&mut world, thread, ERRNO);
    let seen = make(&mut world, thread, 39);
    assert_eq!((seen.bypass, seen.verdict), (Some(Bypass::ConstantAllow), None));
    let seen = make(&mut world, thread, NR);
    assert!(seen.bypass.is_none() && seen.verdict.is_some());
    world.install(thread, &[Insn::stmt(0x06, KILL_PROCESS)], 0).unwrap();
    let seen = make(&mut world, thread, 335);
    assert_eq!((seen.bypass, seen.effect), (Some(Bypass::Uretprobe), Effect::Runs));
    assert!(matches!(effect(&mut world, thread, 337), Effect::Dies(_)));
}

#[test]
fn restart_codes_follow_the_environment() {
    use callproof_vm::effect::{Interruption, Restart};
    let (mut world, thread) = latest();
    add(&mut world, thread, ERRNO | 512);
    assert_eq!(effect(&mut world, thread, NR), returns(-512));
    let signal = Environment {
        interruption: Interruption::RestartingHandler,
        ..Environment::default()
    };
    *world.environment(thread).unwrap() = signal;
    assert_eq!(effect(&mut world, thread, NR), Effect::Restarts(Restart::SameCall));
    let child = world.fork(thread).unwrap();
    assert_eq!(
        effect(&mut world, child, NR),
        returns(-512),
        "signals are not inherited"
    );
}

#[test]
fn what_has_ended_does_nothing() {
    let (mut world, thread) = latest();
    let stranger = {
        let mut elsewhere = World::new(Host::default());
        elsewhere.spawn();
        elsewhere.spawn()
    };
    world.exit(thread, Scope::Process).unwrap();
    for gone in [thread, stranger] {
        assert!(world.fork(gone).is_err() && world.clone_thread(gone).is_err());
        assert!(world.execve(gone).is_err() && world.exit(gone, Scope::Thread).is_err());
        assert!(world.environment(gone).is_err() && world.process(gone).is_err());
        let failed = world.set_no_new_privs(gone).unwrap_err();
        assert_eq!(failed.to_string(), format!("thread {} does not run", gone.tid()));
    }
    assert_eq!(world.status(stranger), None);
}

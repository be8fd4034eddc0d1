//! `ptrace` requests about seccomp, and `/proc`.

use crate::world::*;
use callproof_vm::effect::{Effect, Scope};
use callproof_vm::install::{Pointer, Request, flag};
use callproof_vm::task::{Admin, Host, Status, ThreadId, World, option};
use callproof_vm::{Errno, Insn, Kernel, Machine};

const BUFFER: Pointer<()> = Pointer::To(());

/// A world with a privileged tracer and a traced thread that has three filters.
fn traced(host: impl Into<Host>) -> (World, ThreadId, ThreadId) {
    let (mut world, thread) = world(host);
    world.install(thread, &[Insn::stmt(0x06, ALLOW)], 0).unwrap();
    install(&mut world, thread, ERRNO | 3, flag::LOG).unwrap();
    world.install(thread, &lengths(), flag::SPEC_ALLOW).unwrap();
    let tracer = world.spawn();
    world.environment(tracer).unwrap().admin = Admin::Initial;
    world.attach(tracer, thread).unwrap();
    (world, tracer, thread)
}

/// A program whose length instructions the kernel rewrites for itself, with operands nobody uses.
fn lengths() -> Vec<Insn> {
    vec![
        Insn::new(0x80, 1, 2, 5),
        Insn::new(0x81, 3, 4, 6),
        Insn::stmt(0x02, 0),
        Insn::stmt(0x06, ALLOW),
    ]
}

#[test]
fn filters_are_read_oldest_first_and_verbatim() {
    let (world, tracer, thread) = traced(Machine::default());
    let get = |index| world.get_filter(tracer, thread, index, BUFFER);
    assert_eq!(get(0).unwrap(), [Insn::stmt(0x06, ALLOW)]);
    assert_eq!(get(1).unwrap(), program(&[(NR, ERRNO | 3)]));
    assert_eq!(get(2).unwrap(), lengths());
    for index in [3, u64::MAX] {
        assert_eq!(get(index), Err(Errno::ENOENT));
    }
    assert_eq!(world.get_filter(tracer, thread, 1, Pointer::Null).unwrap().len(), 4);
    assert_eq!(world.get_filter(tracer, thread, 1, Pointer::Bad), Err(Errno::EFAULT));
    assert_eq!(world.get_filter(tracer, thread, 3, Pointer::Bad), Err(Errno::ENOENT));
}

#[test]
fn only_the_log_flag_is_told() {
    let (world, tracer, thread) = traced(Machine::default());
    let get = |size, index| {
        world
            .get_metadata(tracer, thread, size, index)
            .map(|found| (found.size, found.flags))
    };
    assert_eq!(get(16, 0), Ok((16, 0)));
    assert_eq!(get(16, 1), Ok((16, 2)));
    assert_eq!(get(16, 2), Ok((16, 0)));
    assert_eq!(get(8, 1), Ok((8, 2)));
    assert_eq!(get(4096, 1), Ok((16, 2)));
    assert_eq!(get(4, 9), Err(Errno::EINVAL));
    assert_eq!(get(16, 3), Err(Errno::ENOENT));
}

#[test]
fn who_may_read_filters() {
    let (mut world, tracer, thread) = traced(Machine::default());
    let stranger = world.spawn();
    world.environment(stranger).unwrap().admin = Admin::Initial;
    assert_eq!(world.get_filter(stranger, thread, 0, BUFFER), Err(Errno::ESRCH));
    for admin in [Admin::No, Admin::OwnNamespace] {
        world.environment(tracer).unwrap().admin = admin;
        assert_eq!(world.get_filter(tracer, thread, 9, BUFFER), Err(Errno::EACCES));
        assert_eq!(world.get_metadata(tracer, thread, 4, 9), Err(Errno::EACCES));
    }
    world.environment(tracer).unwrap().admin = Admin::Initial;
    let plain = world.spawn();
    world.attach(tracer, plain).unwrap();
    assert_eq!(world.get_filter(tracer, plain, 0, BUFFER), Err(Errno::EINVAL));
    let strict = Request::SetModeStrict {
        flags: 0,
        args: Pointer::Null,
    };
    world.seccomp(plain, &strict).unwrap();
    assert_eq!(world.get_filter(tracer, plain, 0, BUFFER), Err(Errno::EINVAL));
    add(&mut world, tracer, ALLOW);
    assert_eq!(world.get_filter(tracer, thread, 0, BUFFER), Err(Errno::EACCES));
}

#[test]
fn one_tracer_at_a_time() {
    let (mut world, tracer, thread) = traced(Machine::default());
    let second = world.spawn();
    assert_eq!(world.attach(second, thread), Err(Errno::EPERM));
    assert_eq!(world.detach(second, thread), Err(Errno::ESRCH));
    world.detach(tracer, thread).unwrap();
    assert_eq!(world.attach(second, thread), Ok(()));
    world.exit(second, Scope::Process).unwrap();
    assert_eq!(world.attach(second, thread), Err(Errno::ESRCH));
    assert_eq!(world.attach(tracer, thread), Ok(()));
}

#[test]
fn seccomp_is_suspended() {
    let (mut world, tracer, thread) = traced(Machine::default());
    assert_eq!(effect(&mut world, thread, NR), returns(-3));
    world.set_options(tracer, thread, option::SUSPEND_SECCOMP).unwrap();
    assert_eq!(effect(&mut world, thread, NR), Effect::Runs);
    world.set_options(tracer, thread, 0).unwrap();
    assert_eq!(effect(&mut world, thread, NR), returns(-3));
}

#[test]
fn strict_mode_is_suspended_too() {
    let (mut world, thread) = latest();
    let tracer = world.spawn();
    world.environment(tracer).unwrap().admin = Admin::Initial;
    let strict = Request::SetModeStrict {
        flags: 0,
        args: Pointer::Null,
    };
    world.seccomp(thread, &strict).unwrap();
    world.attach(tracer, thread).unwrap();
    world.set_options(tracer, thread, option::SUSPEND_SECCOMP).unwrap();
    assert_eq!(effect(&mut world, thread, NR), Effect::Runs);
    assert_eq!(world.seccomp(thread, &Request::PrctlGetSeccomp).unwrap().returns(), 1);
    world.set_options(tracer, thread, 0).unwrap();
    assert!(matches!(effect(&mut world, thread, NR), Effect::Dies(_)));
}

#[test]
fn who_may_suspend() {
    let suspend = |world: &mut World, tracer, thread| world.set_options(tracer, thread, option::SUSPEND_SECCOMP);
    let (mut world, tracer, thread) = traced(Machine::default());
    for (admin, expected) in [
        (Admin::No, Err(Errno::EPERM)),
        (Admin::OwnNamespace, Err(Errno::EPERM)),
        (Admin::Initial, Ok(())),
    ] {
        world.environment(tracer).unwrap().admin = admin;
        assert_eq!(suspend(&mut world, tracer, thread), expected);
    }
    // A suspended thread suspends nobody.
    let child = world.spawn();
    world.attach(thread, child).unwrap();
    assert_eq!(suspend(&mut world, thread, child), Err(Errno::EPERM));
    add(&mut world, tracer, ALLOW);
    assert_eq!(suspend(&mut world, tracer, thread), Err(Errno::EPERM));
    let without = Host {
        checkpoint_restore: false,
        ..Host::default()
    };
    let (mut world, tracer, thread) = traced(without);
    assert_eq!(suspend(&mut world, tracer, thread), Err(Errno::EINVAL));
}

#[test]
fn a_suspended_tracer_without_filters_suspends_nobody() {
    let (mut world, outer) = latest();
    let middle = world.spawn();
    world.environment(middle).unwrap().admin = Admin::Initial;
    let inner = world.spawn();
    world.attach(outer, middle).unwrap();
    world.attach(middle, inner).unwrap();
    let suspend = |world: &mut World| world.set_options(middle, inner, option::SUSPEND_SECCOMP);
    assert_eq!(suspend(&mut world), Ok(()));
    world.set_options(outer, middle, option::SUSPEND_SECCOMP).unwrap();
    assert_eq!(suspend(&mut world), Err(Errno::EPERM));
}

#[test]
fn options() {
    let (mut world, tracer, thread) = traced(Machine::default());
    assert_eq!(world.set_options(tracer, thread, 0x0010_00ff), Ok(()));
    assert_eq!(world.set_options(tracer, thread, 0x100), Err(Errno::EINVAL));
    let stranger = world.spawn();
    assert_eq!(world.set_options(stranger, thread, 0), Err(Errno::ESRCH));
}

#[test]
fn seizing() {
    let (mut world, thread) = latest();
    let tracer = world.spawn();
    assert_eq!(world.seize(tracer, thread, 0x100), Err(Errno::EIO));
    assert_eq!(world.seize(tracer, thread, option::SUSPEND_SECCOMP), Err(Errno::EPERM));
    assert_eq!(world.seize(tracer, thread, option::TRACE_SECCOMP), Ok(()));
    assert_eq!(world.seize(tracer, thread, 0), Err(Errno::EPERM), "traced already");
    add(&mut world, thread, TRACE);
    assert_eq!(effect(&mut world, thread, NR), Effect::Runs);
}

#[test]
fn an_older_kernel_can_have_the_check_of_a_newer_one() {
    let old = Host::from(Machine {
        kernel: Kernel::new(5, 10),
        ..Machine::default()
    });
    for (checks, expected) in [(false, Ok(())), (true, Err(Errno::EPERM))] {
        let (mut world, thread) = world(Host {
            seize_checks_suspend: checks,
            ..old
        });
        let tracer = world.spawn();
        assert_eq!(world.seize(tracer, thread, option::SUSPEND_SECCOMP), expected);
    }
    assert!(!old.seize_checks_suspend && Host::default().seize_checks_suspend);
}

#[test]
fn a_kernel_that_cannot_suspend_does_not_even_when_nobody_checked() {
    let host = Host {
        checkpoint_restore: false,
        ..Host::from(Machine {
            kernel: Kernel::new(5, 17),
            ..Machine::default()
        })
    };
    let (mut world, thread) = world(host);
    add(&mut world, thread, ERRNO | 3);
    let tracer = world.spawn();
    assert_eq!(world.seize(tracer, thread, option::SUSPEND_SECCOMP), Ok(()));
    assert_eq!(effect(&mut world, thread, NR), returns(-3));
}

#[test]
fn status_lines() {
    let (mut world, _, thread) = traced(Machine::default());
    world.set_no_new_privs(thread).unwrap();
    let expected = Status {
        seccomp: 2,
        filters: Some(3),
        no_new_privs: true,
    };
    assert_eq!(world.status(thread), Some(expected));
    let fresh = world.spawn();
    let expected = Status {
        seccomp: 0,
        filters: Some(0),
        no_new_privs: false,
    };
    assert_eq!(world.status(fresh), Some(expected));
}

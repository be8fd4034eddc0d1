//! The order of errors of whole calls: of everything that is wrong, the first thing counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof_vm::install::{Caller, Fprog, Mode, Pointer, Refusal, Request, Shortage, Success, flag, outcome};
use callproof_vm::length::MAX_INSNS_PER_PATH;
use callproof_vm::{Errno, Insn, Kernel};

const GOOD: [Insn; 1] = [Insn::stmt(0x06, 0x7fff_0000)];
const BAD: [Insn; 1] = [Insn::stmt(0x28, 0)];
const NEW: Kernel = Kernel::LATEST;

fn may_install() -> Caller {
    Caller {
        no_new_privs: true,
        ..Caller::default()
    }
}

fn filter(flags: u32, args: Pointer<Fprog<'_>>, caller: &Caller) -> Result<Success, Refusal> {
    outcome(&Request::SetModeFilter { flags, args }, caller, NEW)
}

fn install(flags: u32, program: &[Insn], caller: &Caller) -> Result<Success, Refusal> {
    filter(flags, Fprog::of(program).into(), caller)
}

/// A call in which everything is wrong that can be wrong at once, and the repairs, in the order of the checks.
struct Wrong {
    flags: u32,
    args: Pointer<Fprog<'static>>,
    caller: Caller,
}

type Repair = fn(&mut Wrong);

const REPAIRS: [(Refusal, Repair); 18] = [
    (Refusal::UnknownFlag, |w| w.flags &= !0x40),
    (Refusal::SyncWithListener, |w| w.flags |= flag::TSYNC_ESRCH),
    (Refusal::UnreadableArgument, |w| {
        w.args = Fprog {
            len: 0,
            program: Pointer::Null,
        }
        .into();
    }),
    (Refusal::ProgramLength, |w| {
        w.args = Fprog {
            len: 1,
            program: Pointer::Null,
        }
        .into();
    }),
    (Refusal::NoPrivilege, |w| w.caller.no_new_privs = true),
    (Refusal::NoMemory, |w| w.caller.shortage = None),
    (Refusal::NullProgram, |w| {
        w.args = Fprog {
            len: 1,
            program: Pointer::Bad,
        }
        .into();
        w.caller.shortage = Some(Shortage::ProgramMemory);
    }),
    (Refusal::NoMemory, |w| w.caller.shortage = None),
    (Refusal::UnreadableProgram, |w| {
        w.args = Fprog {
            len: 1,
            program: Pointer::To(&BAD),
        }
        .into();
        w.caller.shortage = Some(Shortage::ConvertedMemory);
    }),
    (Refusal::BadProgram, |w| w.args = Fprog::of(&GOOD).into()),
    (Refusal::NoMemory, |w| w.caller.shortage = Some(Shortage::Jit)),
    (Refusal::NoJit, |w| w.caller.shortage = Some(Shortage::Files)),
    (Refusal::NoDescriptor, |w| w.caller.next_fd = Some(7)),
    (Refusal::NoFile, |w| w.caller.shortage = None),
    (Refusal::Interrupted, |w| w.caller.fatal_signal = false),
    (Refusal::WrongMode, |w| w.caller.mode = Mode::Filter),
    (Refusal::ListenerExists, |w| w.caller.has_listener = false),
    (Refusal::OverBudget, |w| w.caller.budget_left = 5),
];

#[test]
fn of_all_that_is_wrong_the_first_counts() {
    let mut wrong = Wrong {
        flags: 0x40 | flag::TSYNC | flag::NEW_LISTENER,
        args: Pointer::Bad,
        caller: Caller {
            mode: Mode::Strict,
            no_new_privs: false,
            cap_sys_admin: false,
            has_listener: true,
            budget_left: 4,
            next_fd: None,
            unsyncable: Some(77),
            fatal_signal: true,
            shortage: Some(Shortage::FilterMemory),
        },
    };
    for (refusal, repair) in REPAIRS {
        assert_eq!(filter(wrong.flags, wrong.args, &wrong.caller), Err(refusal));
        repair(&mut wrong);
    }
    let unsynced = Refusal::Unsynced { tid: 77, esrch: true };
    assert_eq!(filter(wrong.flags, wrong.args, &wrong.caller), Err(unsynced));
    wrong.caller.unsyncable = None;
    let installed = Success::Installed {
        listener: Some(7),
        synced: true,
    };
    assert_eq!(filter(wrong.flags, wrong.args, &wrong.caller), Ok(installed));
    assert_eq!(installed.returns(), 7);
}

#[test]
fn flags() {
    let caller = may_install();
    let fine = |flags| install(flags, &GOOD, &caller).is_ok();
    assert!(fine(flag::TSYNC_ESRCH) && fine(flag::SPEC_ALLOW) && fine(flag::LOG) && fine(flag::TSYNC));
    assert!(fine(
        flag::LOG | flag::SPEC_ALLOW | flag::NEW_LISTENER | flag::WAIT_KILLABLE_RECV
    ));
    assert!(fine(flag::TSYNC | flag::NEW_LISTENER | flag::TSYNC_ESRCH));
    assert_eq!(
        install(flag::WAIT_KILLABLE_RECV, &GOOD, &caller),
        Err(Refusal::KillableWithoutListener)
    );
    for bit in 6..32 {
        assert_eq!(install(1 << bit, &GOOD, &caller), Err(Refusal::UnknownFlag), "{bit}");
    }
    for args in [Pointer::Null, Pointer::Bad] {
        assert_eq!(filter(0, args, &caller).unwrap_err().errno(), Some(Errno::EFAULT));
        assert_eq!(filter(0x40, args, &caller).unwrap_err().errno(), Some(Errno::EINVAL));
        assert_eq!(filter(9, args, &caller), Err(Refusal::SyncWithListener));
    }
}

/// What an experiment on Linux 6.18 printed for a process without privileges, before and after `no_new_privs`.
#[test]
fn without_privileges() {
    let null = Fprog {
        len: 1,
        program: Pointer::Null,
    };
    let unreadable = Fprog {
        len: 1,
        program: Pointer::Bad,
    };
    let long = [GOOD[0]; 4097];
    for (caller, good, null_program, bad_address, bad_program) in [
        (
            Caller::default(),
            Some(Errno::EACCES),
            Errno::EACCES,
            Errno::EACCES,
            Errno::EACCES,
        ),
        (may_install(), None, Errno::EINVAL, Errno::EFAULT, Errno::EINVAL),
    ] {
        let errno = |fprog: Fprog<'_>| filter(0, fprog.into(), &caller).err().and_then(Refusal::errno);
        assert_eq!(errno(Fprog::of(&GOOD)), good);
        assert_eq!(
            errno(Fprog::of(&[])),
            Some(Errno::EINVAL),
            "length 0 comes before privileges"
        );
        assert_eq!(errno(Fprog::of(&long)), Some(Errno::EINVAL));
        assert_eq!(errno(null), Some(null_program));
        assert_eq!(errno(unreadable), Some(bad_address));
        assert_eq!(errno(Fprog::of(&BAD)), Some(bad_program));
    }
    let in_own_namespace = Caller {
        cap_sys_admin: true,
        ..Caller::default()
    };
    assert!(install(0, &GOOD, &in_own_namespace).is_ok());
}

#[test]
fn the_length_field_decides_how_much_is_read() {
    let program = [GOOD[0], BAD[0]];
    let of_len = |len| {
        let program = Pointer::To(&program[..]);
        filter(0, Fprog { len, program }.into(), &may_install())
    };
    assert!(of_len(1).is_ok(), "what lies behind is not looked at");
    assert_eq!(of_len(2), Err(Refusal::BadProgram));
    assert_eq!(
        of_len(3),
        Err(Refusal::UnreadableProgram),
        "there is no third instruction"
    );
    assert_eq!(Fprog::of(&vec![GOOD[0]; 70_000]).len, u16::MAX);
}

#[test]
fn the_budget_is_exact() {
    let with = |budget_left| {
        let caller = Caller {
            budget_left,
            mode: Mode::Filter,
            ..may_install()
        };
        install(0, &GOOD, &caller)
    };
    assert!(with(5).is_ok());
    assert_eq!(with(4), Err(Refusal::OverBudget));
    assert_eq!(with(4).unwrap_err().errno(), Some(Errno::ENOMEM));
    assert_eq!(Caller::default().budget_left, MAX_INSNS_PER_PATH);
}

#[test]
fn tsync_fails_with_a_thread_or_an_error() {
    let caller = Caller {
        unsyncable: Some(77),
        ..may_install()
    };
    let refused = install(flag::TSYNC, &GOOD, &caller).unwrap_err();
    assert_eq!((refused.errno(), refused.returns()), (None, 77));
    let refused = install(flag::TSYNC | flag::TSYNC_ESRCH, &GOOD, &caller).unwrap_err();
    assert_eq!((refused.errno(), refused.returns()), (Some(Errno::ESRCH), -3));
    assert!(install(0, &GOOD, &caller).is_ok(), "other threads do not matter");
    let interrupted = Caller {
        fatal_signal: true,
        ..may_install()
    };
    assert!(install(0, &GOOD, &interrupted).is_ok(), "nothing is locked");
}

#[test]
fn other_operations() {
    let ask = |request: Request<'_>| outcome(&request, &Caller::default(), NEW);
    assert_eq!(ask(Request::OtherOperation), Err(Refusal::UnknownOperation));
    let strict = |flags, args| ask(Request::SetModeStrict { flags, args });
    assert_eq!(strict(0, Pointer::Null), Ok(Success::Strict));
    assert_eq!(strict(1, Pointer::Null), Err(Refusal::UnexpectedArgument));
    assert_eq!(strict(0, Pointer::Bad), Err(Refusal::UnexpectedArgument));
    let sizes = |flags, args| ask(Request::GetNotifSizes { flags, args });
    assert_eq!(sizes(0, Pointer::To(())), Ok(Success::NotifSizes([80, 24, 64])));
    assert_eq!(sizes(1, Pointer::To(())), Err(Refusal::UnexpectedArgument));
    assert_eq!(sizes(0, Pointer::Null), Err(Refusal::UnreadableArgument));
}

#[test]
fn only_exact_actions_are_available() {
    let avail = |flags, args| outcome(&Request::GetActionAvail { flags, args }, &Caller::default(), NEW);
    let known = [
        0x8000_0000,
        0,
        0x0003_0000,
        0x0005_0000,
        0x7fc0_0000,
        0x7ff0_0000,
        0x7ffc_0000,
        0x7fff_0000,
    ];
    for top in 0..=0xffff_u32 {
        let value = top << 16;
        assert_eq!(avail(0, value.into()).is_ok(), known.contains(&value), "{value:#x}");
        assert_eq!(avail(0, (value | 1).into()), Err(Refusal::UnknownAction), "{value:#x}");
    }
    assert_eq!(Refusal::UnknownAction.errno(), Some(Errno::EOPNOTSUPP));
    assert_eq!(avail(1, 0.into()), Err(Refusal::UnexpectedArgument));
    assert_eq!(avail(0, Pointer::Null), Err(Refusal::UnreadableArgument));
    assert_eq!(avail(0, Pointer::Bad), Err(Refusal::UnreadableArgument));
}

#[test]
fn prctl() {
    let good = Pointer::To(Fprog::of(&GOOD));
    let set = |mode, filter, caller: &Caller| outcome(&Request::PrctlSetSeccomp { mode, filter }, caller, NEW);
    for mode in [0, 3, 4, u64::MAX] {
        assert_eq!(set(mode, good, &may_install()), Err(Refusal::UnknownMode), "{mode}");
    }
    for filter in [good, Pointer::Null, Pointer::Bad] {
        assert_eq!(
            set(1, filter, &Caller::default()),
            Ok(Success::Strict),
            "the pointer is ignored"
        );
    }
    assert_eq!(set(2, Pointer::Null, &may_install()), Err(Refusal::UnreadableArgument));
    assert_eq!(set(2, good, &Caller::default()), Err(Refusal::NoPrivilege));
    let installed = set(2, good, &may_install()).unwrap();
    assert_eq!(
        installed,
        Success::Installed {
            listener: None,
            synced: false
        }
    );
    assert_eq!(installed.returns(), 0);
}

#[test]
fn modes_do_not_change() {
    for mode in [Mode::Disabled, Mode::Strict, Mode::Filter, Mode::Dead] {
        let caller = Caller { mode, ..may_install() };
        let may_be_strict = matches!(mode, Mode::Disabled | Mode::Strict);
        let strict = Request::SetModeStrict {
            flags: 0,
            args: Pointer::Null,
        };
        let prctl = Request::PrctlSetSeccomp {
            mode: 1,
            filter: Pointer::Null,
        };
        for request in [strict, prctl] {
            let refused = outcome(&request, &caller, NEW).err();
            assert_eq!(refused, (!may_be_strict).then_some(Refusal::WrongMode), "{mode:?}");
        }
        let may_filter = matches!(mode, Mode::Disabled | Mode::Filter);
        let refused = install(0, &GOOD, &caller).err();
        assert_eq!(refused, (!may_filter).then_some(Refusal::WrongMode), "{mode:?}");
        let got = outcome(&Request::PrctlGetSeccomp, &caller, NEW).unwrap();
        assert_eq!(got.returns(), i32::from(mode.number()));
    }
}

#[test]
fn no_new_privs_takes_exact_arguments() {
    let ask = |request: Request<'_>, caller: &Caller| outcome(&request, caller, NEW);
    let caller = Caller::default();
    for arguments in [[0, 0, 0, 0], [2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]] {
        let refused = ask(Request::PrctlSetNoNewPrivs(arguments), &caller);
        assert_eq!(refused, Err(Refusal::UnexpectedArgument), "{arguments:?}");
    }
    let set = ask(Request::PrctlSetNoNewPrivs([1, 0, 0, 0]), &caller);
    assert_eq!(set, Ok(Success::NoNewPrivsSet));
    for arguments in [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] {
        let refused = ask(Request::PrctlGetNoNewPrivs(arguments), &caller);
        assert_eq!(refused, Err(Refusal::UnexpectedArgument), "{arguments:?}");
    }
    let get = |caller: &Caller| ask(Request::PrctlGetNoNewPrivs([0; 4]), caller).unwrap().returns();
    assert_eq!((get(&caller), get(&may_install())), (0, 1));
}

#[test]
fn a_refusal_says_what_to_do() {
    let text = Refusal::NoPrivilege.to_string();
    assert!(text.contains("`no_new_privs`") && !text.ends_with('.'), "{text}");
    assert!(
        Refusal::Unsynced { tid: 9, esrch: false }
            .to_string()
            .contains("thread 9")
    );
    assert_eq!(Refusal::NoJit.returns(), -524);
}

//! What the caller observes, action by action.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof_vm::effect::{
    BelowZero, Convention, Death, Disposition, Effect, Interruption, Logged, Record, Restart, Return, Scope, SigInfo,
    Situation, Traced, consequence, record,
};
use callproof_vm::{Action, Kernel, SeccompData, Verdict, combine};

const CALL: SeccompData = SeccompData {
    nr: 1023,
    arch: 0xc000_003e,
    instruction_pointer: 0xfedc_ba98_7654_3210,
    args: [0; 6],
};

fn verdict(value: u32, situation: &Situation) -> Verdict {
    combine([(0, value)], situation.kernel)
}

fn effect_of(value: u32, situation: &Situation) -> Effect {
    consequence(&verdict(value, situation), &CALL, situation).effect
}

fn effect(value: u32) -> Effect {
    effect_of(value, &Situation::default())
}

fn record_of(value: u32, situation: &Situation) -> Option<u32> {
    consequence(&verdict(value, situation), &CALL, situation)
        .record
        .map(|record| record.code)
}

fn returns(register: i64) -> Effect {
    Effect::Returns(Return { register, flag: None })
}

fn info(si_errno: u16) -> SigInfo {
    SigInfo {
        si_signo: 31,
        si_code: 1,
        si_errno,
        si_syscall: 1023,
        si_arch: 0xc000_003e,
        si_call_addr: 0xfedc_ba98_7654_3210,
    }
}

fn dies(scope: Scope, core: Option<u16>) -> Effect {
    Effect::Dies(Death {
        scope,
        signal: 31,
        core: core.is_some(),
        info: core.map(info),
    })
}

#[test]
fn allow_and_log_make_the_call() {
    for value in [0x7fff_0000, 0x7fff_ffff, 0x7ffc_0077] {
        assert_eq!(effect(value), Effect::Runs, "{value:#x}");
    }
}

#[test]
fn errno_is_returned_negative_and_capped() {
    for (data, seen) in [
        (0, 0),
        (1, -1),
        (38, -38),
        (4095, -4095),
        (4096, -4095),
        (65_535, -4095),
    ] {
        assert_eq!(effect(0x0005_0000 | data), returns(seen), "{data}");
    }
}

#[test]
fn restart_codes_are_raw_unless_a_signal_comes() {
    use Interruption as I;
    let again = Effect::Restarts(Restart::SameCall);
    let as_restart = Effect::Restarts(Restart::RestartSyscall);
    let eintr = returns(-4);
    let table = [
        (512, again, eintr, again),
        (513, again, again, again),
        (514, again, eintr, eintr),
        (515, returns(-515), returns(-515), returns(-515)),
        (516, as_restart, eintr, eintr),
        (511, returns(-511), returns(-511), returns(-511)),
        (517, returns(-517), returns(-517), returns(-517)),
    ];
    for (data, no_handler, handler, restarting) in table {
        let with = |interruption| {
            let situation = Situation {
                interruption,
                ..Situation::default()
            };
            effect_of(0x0005_0000 | data, &situation)
        };
        assert_eq!(with(I::None), returns(-i64::from(data)), "{data}");
        assert_eq!(with(I::NoHandler), no_handler, "{data}");
        assert_eq!(with(I::Handler), handler, "{data}");
        assert_eq!(with(I::RestartingHandler), restarting, "{data}");
    }
}

#[test]
fn trap_needs_a_handler_that_is_not_blocked() {
    let with = |sigsys, sigsys_blocked| {
        let situation = Situation {
            sigsys,
            sigsys_blocked,
            ..Situation::default()
        };
        effect_of(0x0003_ffff, &situation)
    };
    assert_eq!(with(Disposition::Handled, false), Effect::Traps(info(0xffff)));
    let killed = dies(Scope::Process, Some(0xffff));
    for (sigsys, blocked) in [
        (Disposition::Handled, true),
        (Disposition::Ignored, false),
        (Disposition::Ignored, true),
        (Disposition::Default, false),
        (Disposition::Default, true),
    ] {
        assert_eq!(with(sigsys, blocked), killed, "{sigsys:?} {blocked}");
    }
    let with_threads = Situation {
        other_threads: true,
        ..Situation::default()
    };
    assert_eq!(
        effect_of(0x0003_ffff, &with_threads),
        killed,
        "a signal takes the process"
    );
}

#[test]
fn the_address_is_64_bits_for_32_bit_calls_too() {
    let call = SeccompData {
        arch: 0x4000_0003,
        ..CALL
    };
    let situation = Situation {
        sigsys: Disposition::Handled,
        ..Situation::default()
    };
    let verdict = verdict(0x0003_0007, &situation);
    let Effect::Traps(info) = consequence(&verdict, &call, &situation).effect else {
        panic!("not trapped");
    };
    assert_eq!((info.si_arch, info.si_call_addr), (0x4000_0003, 0xfedc_ba98_7654_3210));
}

#[test]
fn trace_without_a_listening_tracer_fails() {
    for (traced, expected) in [
        (Traced::No, returns(-38)),
        (Traced::WithoutSeccomp, returns(-38)),
        (Traced::Seccomp, Effect::Stops { message: 0xbeef }),
    ] {
        let situation = Situation {
            traced,
            ..Situation::default()
        };
        assert_eq!(effect_of(0x7ff0_beef, &situation), expected);
    }
}

#[test]
fn user_notif_without_a_listener_fails() {
    assert_eq!(effect(0x7fc0_0009), returns(-38));
    let situation = Situation {
        has_listener: true,
        ..Situation::default()
    };
    assert_eq!(effect_of(0x7fc0_0009, &situation), Effect::Asks);
}

#[test]
fn kills_cannot_be_caught() {
    for sigsys in [Disposition::Default, Disposition::Ignored, Disposition::Handled] {
        for other_threads in [false, true] {
            let situation = Situation {
                sigsys,
                other_threads,
                ..Situation::default()
            };
            let whole = |data| dies(Scope::Process, Some(data));
            assert_eq!(effect_of(0x8000_0005, &situation), whole(5));
            for unknown in [0x8001_0000, 0xffff_0000, 0x0001_0000, 0x7ffd_0000, 0x0006_0000] {
                assert_eq!(effect_of(unknown, &situation), whole(0), "{unknown:#x}");
            }
            let thread = if other_threads {
                dies(Scope::Thread, None)
            } else {
                whole(7)
            };
            assert_eq!(effect_of(7, &situation), thread);
        }
    }
}

#[test]
fn numbers_below_zero_have_no_call() {
    for nr in [-1, -2, i32::MIN] {
        let call = SeccompData { nr, ..CALL };
        let effect = |value| {
            let situation = Situation::default();
            consequence(&verdict(value, &situation), &call, &situation).effect
        };
        assert_eq!(effect(0x7fff_0000), returns(-38));
        assert_eq!(effect(0x7ffc_0000), returns(-38));
        assert_eq!(effect(0x0005_0005), returns(-5), "the filters are asked all the same");
    }
}

#[test]
fn records() {
    let plain = Situation::default();
    let flagged = Situation {
        flag_log: true,
        ..plain
    };
    for (value, without, with) in [
        (0x8000_0001, true, true),
        (0x0000_0001, true, true),
        (0x0001_0001, true, true),
        (0x7ffc_0001, true, true),
        (0x0003_0001, false, true),
        (0x0005_0001, false, true),
        (0x7ff0_0001, false, true),
        (0x7fc0_0001, false, true),
        (0x7fff_0001, false, false),
    ] {
        let code = value & 0xffff_0000;
        assert_eq!(record_of(value, &plain), without.then_some(code), "{value:#x}");
        assert_eq!(record_of(value, &flagged), with.then_some(code), "{value:#x}");
        let nothing = Situation {
            logged: Logged::parse("", Kernel::LATEST).unwrap(),
            ..flagged
        };
        assert_eq!(record_of(value, &nothing), None, "{value:#x}");
    }
}

#[test]
fn a_record_waits_for_the_tracer_and_the_supervisor() {
    let asked = Situation {
        flag_log: true,
        traced: Traced::Seccomp,
        has_listener: true,
        ..Situation::default()
    };
    for value in [0x7ff0_0000, 0x7fc0_0000] {
        assert_eq!(record_of(value, &asked), None);
        assert!(record(&verdict(value, &asked), &CALL, &asked).is_some());
    }
}

#[test]
fn a_record_tells_the_call() {
    let situation = Situation::default();
    let seen = consequence(&verdict(0x8000_1234, &situation), &CALL, &situation).record;
    let expected = Record {
        nr: 1023,
        arch: 0xc000_003e,
        instruction_pointer: CALL.instruction_pointer,
        signal: 31,
        code: 0x8000_0000,
    };
    assert_eq!(seen, Some(expected));
}

#[test]
fn unknown_actions_are_recorded_with_kill_process() {
    let with = |names| Situation {
        logged: Logged::parse(names, Kernel::LATEST).unwrap(),
        ..Situation::default()
    };
    assert_eq!(record_of(0x0001_0000, &with("kill_process")), Some(0x0001_0000));
    assert_eq!(record_of(0x0001_0000, &with("kill_thread trap")), None);
    assert_eq!(record_of(0x0000_0000, &with("kill_process")), None);
}

#[test]
fn the_sysctl_reads_names() {
    let parse = |text| Logged::parse(text, Kernel::LATEST);
    let all = "kill_process kill_thread trap errno user_notif trace log";
    assert_eq!(Logged::default().to_string(), all);
    assert_eq!(parse(all), Ok(Logged::default()));
    assert_eq!(parse("log kill_process\n").unwrap().to_string(), "kill_process log");
    for bad in [
        "allow",
        "bogus",
        "kill_process allow",
        "kill_process,log",
        "unknown",
        "LOG",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(!parse("").unwrap().contains(Action::KillProcess));
}

#[test]
fn architectures_return_errors_in_their_way() {
    let on = |convention, value| {
        let situation = Situation {
            convention,
            ..Situation::default()
        };
        match effect_of(value, &situation) {
            Effect::Returns(seen) => (seen.register, seen.flag, seen.errno()),
            other => panic!("{other:?}"),
        }
    };
    let (trace, errno, none) = (0x7ff0_0000, 0x0005_0001, 0x0005_0000);
    let generic = Convention::default();
    assert_eq!(on(generic, trace), (-38, None, Some(38)));
    assert_eq!(on(generic, errno), (-1, None, Some(1)));
    assert_eq!(on(generic, none), (0, None, None));
    assert_eq!(on(Convention::POWERPC, trace), (38, Some(true), Some(38)));
    assert_eq!(on(Convention::POWERPC, none), (0, Some(false), None));
    assert_eq!(on(Convention::MIPS, trace), (89, Some(true), Some(89)));
    assert_eq!(on(Convention::MIPS, errno), (1, Some(true), Some(1)));
    assert_eq!(on(Convention::MIPS, none), (0, Some(false), None));
    let mips = Situation {
        convention: Convention::MIPS,
        ..Situation::default()
    };
    let Effect::Dies(death) = effect_of(0x8000_0000, &mips) else {
        panic!("alive");
    };
    assert_eq!((death.signal, death.info.unwrap().si_signo), (12, 12));
}

#[test]
fn supervisors_values_are_not_clamped() {
    let generic = Convention::default();
    assert_eq!(generic.set(7, 5).register, 7);
    assert_eq!(generic.set(-100_000, 5).register, -100_000);
    assert_eq!(generic.set(0, -1).register, -1);
    assert_eq!(generic.set(0, 0x1234_5678_9abc).register, 0x1234_5678_9abc);
    assert_eq!(generic.set(-100_000, 0).errno(), None, "libc takes it for a result");
    let small = Convention::POWERPC.set(0, -5);
    assert_eq!((small.register, small.flag), (5, Some(true)));
    let value = Convention::MIPS.left_by_tracer(77);
    assert_eq!((value.register, value.flag), (77, Some(false)));
    let failure = Convention::MIPS.left_by_tracer(-89);
    assert_eq!((failure.register, failure.flag), (89, Some(true)));
}

#[test]
fn effects_read_as_sentences() {
    let text = |value| effect(value).to_string();
    assert_eq!(text(0x0005_0001), "the call is not made and returns -1");
    assert_eq!(text(0x8000_0000), "the process dies of signal 31, with a core dump");
    assert_eq!(text(0x7fff_0000), "the call is made");
    let situation = Situation {
        sigsys: Disposition::Handled,
        ..Situation::default()
    };
    assert_eq!(
        effect_of(0x0003_0002, &situation).to_string(),
        "the call is not made and the handler of SIGSYS runs with si_signo=31 si_code=1 si_errno=2 \
         si_syscall=1023 si_arch=0xc000003e si_call_addr=0xfedcba9876543210"
    );
}

/// Seen on a 32-bit arm kernel, Linux 7.2: -1 is passed over and leaves the first argument, any other number is SIGILL.
#[test]
fn arm_has_no_enosys_below_zero() {
    let allowed = |nr, first, convention| {
        let situation = Situation {
            convention,
            ..Situation::default()
        };
        let call = SeccompData {
            nr,
            args: [first, 0, 0, 0, 0, 0],
            ..CALL
        };
        consequence(&verdict(0x7fff_0000, &situation), &call, &situation).effect
    };
    assert_eq!(Convention::ARM.below_zero, BelowZero::Arm);
    assert_eq!(allowed(-1, 77, Convention::ARM), returns(77));
    assert_eq!(allowed(-1, 0xffff_ffff_0000_0007, Convention::ARM), returns(7));
    assert_eq!(allowed(-1, 77, Convention::default()), returns(-38));
    assert_eq!(
        allowed(-2, 77, Convention::ARM).to_string(),
        "the process dies of signal 4, with a core dump"
    );
    assert_eq!(allowed(-2, 77, Convention::default()), returns(-38));
}

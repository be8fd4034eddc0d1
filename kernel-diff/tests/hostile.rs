//! Surroundings that are in the way: sandboxes, limits, signals, and no privilege at all.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::time::Duration;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Instant;

use callproof_kernel_diff::{
    AdmissionOracle, Capabilities, Failure, Missing, NativeOracle, Oracle, Question, fits, machine, probe,
};
use callproof_testgen::{Caller, Harvest, Seed, program};
use callproof_vm::{Filter, Insn, SeccompData};

/// Whether this machine can do it all; says so when not.
fn everything_works() -> bool {
    let found = probe();
    let all = found.filters.and(found.native).and(found.admission);
    all.inspect_err(|missing| println!("skipped: {missing}")).is_ok()
}

/// What a thread finds that lives under a filter. The filter gives `value` for the calls of these numbers.
fn probe_under(numbers: &[u32], value: u32) -> Capabilities {
    let mut filter = vec![Insn::stmt(0x20, 0)];
    for &number in numbers {
        filter.extend([Insn::jump(0x15, number, 0, 1), Insn::stmt(0x06, value)]);
    }
    filter.push(Insn::stmt(0x06, 0x7fff_0000));
    thread::spawn(move || {
        let mut insns: Vec<_> = filter
            .iter()
            .map(|&Insn { code, jt, jf, k }| libc::sock_filter { code, jt, jf, k })
            .collect();
        let program = libc::sock_fprog {
            len: insns.len().try_into().unwrap(),
            filter: insns.as_mut_ptr(),
        };
        // SAFETY: the program is live, and only this thread lives under it.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            assert_eq!(libc::syscall(libc::SYS_seccomp, 1, 0, &raw const program), 0);
        }
        probe()
    })
    .join()
    .unwrap()
}

#[test]
fn a_sandbox_without_seccomp_is_named() {
    if !everything_works() {
        return;
    }
    let seccomp = u32::try_from(libc::SYS_seccomp).unwrap();
    for errno in [libc::EPERM, libc::ENOSYS] {
        let found = probe_under(&[seccomp], 0x0005_0000 | errno.cast_unsigned());
        assert_eq!(found.filters, Err(Missing::Filters { errno }));
        assert_eq!((found.native, found.admission), (found.filters.clone(), found.filters));
        assert_eq!(found.socket, Ok(()), "socket filters need no seccomp");
    }
}

#[test]
fn a_sandbox_that_forbids_calls_does_no_harm() {
    if !everything_works() {
        return;
    }
    // As container runtimes do: mount, umount2, reboot give EPERM.
    let found = probe_under(&[165, 166, 169], 0x0005_0001);
    assert_eq!((found.native, found.admission), (Ok(()), Ok(())));
}

#[test]
fn a_sandbox_that_kills_is_named() {
    if !everything_works() {
        return;
    }
    for value in [0, 0x8000_0000, 0x0003_0000] {
        let found = probe_under(&[166], value);
        let outer = matches!(found.native, Err(Missing::OuterFilter(_)));
        assert!(outer, "{value:#x}: {:?}", found.native);
        assert_eq!(found.admission, Ok(()));
    }
}

/// The children of this thread: those that oracles of this test have started.
fn children() -> Vec<i32> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn killed_and_stopped_children_cost_no_more_than_their_question() {
    if !everything_works() {
        return;
    }
    let mut oracle = NativeOracle::new().unwrap();
    let mut admission = AdmissionOracle::new().unwrap();
    let program = [Insn::stmt(0x20, 0), Insn::stmt(0x16, 0)];
    let data = [SeccompData::new(0xc000_003e, 7, [0; 6])];
    let workers = children();
    if workers.len() != 2 {
        println!("skipped: the kernel does not list children");
        return;
    }
    for pid in workers {
        // SAFETY: a child of this test.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    let how = "was killed by signal 9 (SIGKILL)".to_owned();
    assert_eq!(
        oracle.evaluate(&program, &data),
        Err(Failure::Died { how: how.clone() })
    );
    assert_eq!(admission.admits(&program), Err(Failure::Died { how }));
    assert_eq!(oracle.evaluate(&program, &data), Ok(vec![7]), "a new child answers");
    assert_eq!(admission.admits(&program), Ok(true));
    for pid in children() {
        // SAFETY: as above.
        unsafe { libc::kill(pid, libc::SIGSTOP) };
    }
    let start = Instant::now();
    let stuck = oracle.evaluate(&program, &data).unwrap_err();
    assert!(stuck.to_string().contains("no progress"), "{stuck}");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(oracle.evaluate(&program, &data), Ok(vec![7]));
    drop((oracle, admission));
    assert_eq!(children(), Vec::<i32>::new(), "nobody is left behind");
}

/// Kills a child again and again while it works.
#[test]
fn results_are_right_or_missing_when_children_die_at_work() {
    if !everything_works() {
        return;
    }
    let mut oracle = NativeOracle::new().unwrap();
    let cases: Vec<_> = (0..300)
        .map(|number| {
            let mut seed = Seed::new(31, number);
            let program = program(&mut seed);
            let caller = Caller {
                arch: 0xc000_003e,
                ip: 0,
            };
            let data = Harvest::of(&program).calls(&mut seed, 16, &[caller]);
            (program, data)
        })
        .collect();
    let questions: Vec<_> = cases.iter().map(|(program, data)| Question { program, data }).collect();
    // SAFETY: asks for the number of the calling thread.
    let list = format!("/proc/self/task/{}/children", unsafe { libc::gettid() });
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let answers = thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..20 {
                let wait = finished.recv_timeout(Duration::from_millis(5));
                if wait != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
                let children = std::fs::read_to_string(&list).unwrap_or_default();
                for pid in children.split_whitespace() {
                    // SAFETY: a child of this test; whether it is gone already does not matter.
                    unsafe { libc::kill(pid.parse().unwrap(), libc::SIGKILL) };
                }
            }
        });
        let answers = oracle.evaluate_all(&questions);
        drop(done);
        answers
    });
    let mut died = 0;
    for ((program, data), answer) in cases.iter().zip(answers) {
        let filter = Filter::load(&program[..]).unwrap();
        let expected: Vec<u32> = data.iter().map(|call| filter.run(call, machine())).collect();
        match answer {
            Ok(values) => assert_eq!(values, expected),
            Err(Failure::TooLong { .. }) => {}
            Err(failure) => {
                assert!(matches!(failure, Failure::Died { .. }), "{failure}");
                died += 1;
            }
        }
    }
    println!("{died} questions were lost to killed children");
    assert!(died <= 20);
}

/// Runs one of the functions below in a process of its own, as nobody.
fn as_nobody(what: &str) -> Option<String> {
    // SAFETY: reads a number.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: dropping privileges needs root");
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", what, "--nocapture"])
        .env("CALLPROOF_CHILD", what);
    command.uid(65_534).gid(65_534).current_dir("/");
    match command.output() {
        Err(error) => {
            println!("skipped: cannot run as another user: {error}");
            None
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{text}{errors}");
            Some(text)
        }
    }
}

fn is_child(what: &str) -> bool {
    std::env::var("CALLPROOF_CHILD").as_deref() == Ok(what)
}

#[test]
fn nobody_needs_a_privilege() {
    if everything_works()
        && let Some(text) = as_nobody("child_without_privilege")
    {
        assert!(text.contains("all is well"), "{text}");
    }
}

#[test]
fn child_without_privilege() {
    if !is_child("child_without_privilege") {
        return;
    }
    let mut oracle = NativeOracle::new().unwrap();
    for number in 0..200 {
        let mut seed = Seed::new(41, number);
        let program = program(&mut seed);
        let data = Harvest::of(&program).calls(&mut seed, 16, &[Caller::any(&mut Seed::new(42, number))]);
        let filter = Filter::load(&program[..]).unwrap();
        let expected = data.iter().map(|call| filter.run(call, machine())).collect();
        match oracle.evaluate(&program, &data) {
            Err(Failure::TooLong { .. }) => {}
            answer => assert_eq!(answer, Ok(expected)),
        }
    }
    assert_eq!(AdmissionOracle::new().unwrap().admits(&[]), Ok(false));
    assert_eq!(fits(&[Insn::stmt(0x16, 0)], 4), Ok(true));
    println!("all is well");
}

#[test]
fn a_limit_on_processes_is_an_error() {
    if everything_works()
        && let Some(text) = as_nobody("child_with_limit")
    {
        assert!(text.contains("cannot start a test process"), "{text}");
    }
}

#[test]
fn child_with_limit() {
    if !is_child("child_with_limit") {
        return;
    }
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads a live structure.
    unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const none) };
    let missing = NativeOracle::new().unwrap_err();
    println!("{missing}");
    println!("{:?}", probe().filters);
}

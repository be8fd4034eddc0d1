//! Capturing filters from processes that run, and from commands as they start.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use callproof_kernel_diff::{CaptureError, Ended, Limits, Outcome, dump, exec, probe};
use callproof_vm::Insn;

const LIMIT: Duration = Duration::from_secs(20);
static NEVER: AtomicBool = AtomicBool::new(false);
const GO_ON: Limits<'_> = Limits {
    deadline: Some(LIMIT),
    cancel: &NEVER,
};

/// Two programs that allow everything, told apart by what nobody looks at.
fn programs() -> [Vec<Insn>; 2] {
    let allow = Insn::new(0x06, 7, 8, 0x7fff_0000);
    [vec![allow], vec![Insn::new(0x80, 1, 2, 99), allow]]
}

/// This test program, run as one that installs filters.
fn installer(what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "as_a_child", "--nocapture", "--test-threads", "1"]);
    command
        .env("CALLPROOF_CHILD", what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Not a test: what [`installer`] runs.
#[test]
fn as_a_child() {
    let Ok(what) = std::env::var("CALLPROOF_CHILD") else {
        return;
    };
    let [first, second] = programs();
    assert_eq!(install_by_prctl(&first), 0);
    if what == "stay" {
        assert_eq!(install(0, &second), 0);
        // SAFETY: asks for the number of the calling thread.
        println!("\nready {}", unsafe { libc::gettid() });
        thread::sleep(LIMIT);
        return;
    }
    // A thread, a process and what they execute are followed.
    thread::spawn(move || assert_eq!(install(2, &second), 0))
        .join()
        .unwrap();
    assert_eq!(install(0, &[Insn::stmt(0x06, 0), Insn::stmt(0x00, 0)]), -1);
    assert_eq!(install(0, &[]), -1);
    if what == "forks" {
        let status = installer("last").status().unwrap();
        assert!(status.success());
    }
}

fn install(flags: libc::c_ulong, program: &[Insn]) -> i64 {
    with_program(program, |program| {
        // SAFETY: the program is live, and allows everything or is refused.
        unsafe { libc::syscall(libc::SYS_seccomp, 1, flags, program) }
    })
}

fn install_by_prctl(program: &[Insn]) -> i64 {
    with_program(program, |program| {
        // SAFETY: as above.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            i64::from(libc::prctl(libc::PR_SET_SECCOMP, 2, program))
        }
    })
}

fn with_program(program: &[Insn], call: impl Fn(*const libc::sock_fprog) -> i64) -> i64 {
    let raw = |insn: &Insn| libc::sock_filter {
        code: insn.code,
        jt: insn.jt,
        jf: insn.jf,
        k: insn.k,
    };
    let mut insns: Vec<_> = program.iter().map(raw).collect();
    call(&libc::sock_fprog {
        len: insns.len().try_into().unwrap(),
        filter: insns.as_mut_ptr(),
    })
}

/// Whether this machine lets processes install filters; says so when not.
fn filters_work() -> bool {
    let filters = probe().filters;
    filters.inspect_err(|missing| println!("skipped: {missing}")).is_ok()
}

/// A process with two filters on the thread whose number it gives.
fn filtered() -> (Child, i32) {
    let mut child = installer("stay").spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let tid = lines
        .into_iter()
        .find_map(|line| line.strip_prefix("ready ")?.parse().ok());
    (child, tid.unwrap())
}

#[test]
fn a_running_process_tells_its_filters() {
    if !filters_work() {
        return;
    }
    let (mut child, tid) = filtered();
    match dump(tid, LIMIT) {
        Ok(dumped) => {
            let found: Vec<_> = dumped.filters.iter().map(|filter| filter.program.clone()).collect();
            assert_eq!(found, programs(), "oldest first, with the fields that nobody looks at");
            assert_eq!(dumped.exe, std::env::current_exe().ok());
        }
        Err(missing @ (CaptureError::Unprivileged | CaptureError::TracerFiltered | CaptureError::Unsupported)) => {
            println!("skipped: {missing}");
        }
        Err(CaptureError::Forbidden { pid, scope }) => println!("skipped: {pid} {scope:?}"),
        Err(other) => panic!("{other}"),
    }
    let state = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap();
    assert!(state.contains("TracerPid:\t0"), "nobody traces it any more");
    assert!(!state.contains("State:\tt"), "it is not left stopped");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_dumped_is_named() {
    assert_eq!(dump(0, LIMIT), Err(CaptureError::NoProcess(0)));
    assert_eq!(dump(i32::MAX, LIMIT), Err(CaptureError::NoProcess(i32::MAX)));
    let mut child = Command::new("sleep").arg("20").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let error = dump(pid, LIMIT).unwrap_err();
    let expected = [
        CaptureError::NoFilters(pid),
        CaptureError::Unprivileged,
        CaptureError::TracerFiltered,
    ];
    let forbidden = matches!(error, CaptureError::Forbidden { .. });
    assert!(forbidden || expected.contains(&error), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_command_is_followed_into_threads_and_processes() {
    if !filters_work() {
        return;
    }
    let recording = exec(installer("forks"), GO_ON).unwrap();
    assert_eq!(recording.ended, Ended::Exited(0));
    let [first, second] = programs();
    let broken = vec![Insn::stmt(0x06, 0), Insn::stmt(0x00, 0)];
    let each = [
        (true, 0, first, Outcome::Installed),
        (false, 2, second, Outcome::Installed),
        (false, 0, broken, Outcome::Refused(libc::EINVAL)),
        (false, 0, vec![], Outcome::Refused(libc::EINVAL)),
    ];
    let seen: Vec<_> = recording
        .captured
        .iter()
        .map(|one| (one.by_prctl, one.flags, one.program.clone().unwrap(), one.outcome))
        .collect();
    assert_eq!(seen[..4], each);
    assert_eq!(seen[4..], each, "and once more by the second process");
    let tids: Vec<i32> = recording.captured.iter().map(|one| one.tid).collect();
    assert_eq!(tids[0], tids[2]);
    assert!(tids[0] != tids[1] && tids[0] != tids[4]);
    assert!(
        recording
            .captured
            .iter()
            .all(|one| one.exe == std::env::current_exe().ok())
    );
}

#[test]
fn signals_and_exit_statuses_come_through() {
    let sh = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        exec(command, GO_ON).map(|recording| recording.ended)
    };
    assert_eq!(sh("exit 7"), Ok(Ended::Exited(7)));
    assert_eq!(sh("kill -TERM $$"), Ok(Ended::Killed(libc::SIGTERM)));
    assert_eq!(sh("trap 'exit 3' USR1; kill -USR1 $$; exit 4"), Ok(Ended::Exited(3)));
    assert_eq!(
        sh("for i in 1 2 3 4 5; do (true & true) & done; wait; sh -c 'exit 0' && exit 9"),
        Ok(Ended::Exited(9))
    );
    let missing = exec(Command::new("/nonexistent/command"), GO_ON);
    assert!(
        matches!(
            missing,
            Err(CaptureError::Start {
                errno: libc::ENOENT,
                ..
            })
        ),
        "{missing:?}"
    );
}

#[test]
fn a_command_that_does_not_end_is_ended_with_its_children() {
    let marker = "20.0625";
    let sh = || {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("sleep {marker} & sleep {marker}; true")]);
        command
    };
    let start = Instant::now();
    let deadline = Limits {
        deadline: Some(Duration::from_millis(300)),
        ..GO_ON
    };
    assert_eq!(exec(sh(), deadline).unwrap().ended, Ended::Deadline);
    let cancel = AtomicBool::new(false);
    let cancelled = thread::scope(|scope| {
        let limits = Limits {
            cancel: &cancel,
            ..GO_ON
        };
        let running = scope.spawn(move || exec(sh(), limits));
        thread::sleep(Duration::from_millis(300));
        cancel.store(true, core::sync::atomic::Ordering::Relaxed);
        running.join().unwrap().unwrap().ended
    });
    assert_eq!(cancelled, Ended::Cancelled);
    // A daemon that outlives the command keeps the recording going, until the deadline.
    let mut daemon = Command::new("sh");
    daemon.args(["-c", &format!("sleep {marker} &")]);
    assert_eq!(exec(daemon, deadline).unwrap().ended, Ended::Deadline);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    thread::sleep(Duration::from_millis(200));
    let left = Command::new("sh")
        .args(["-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])
        .output()
        .unwrap();
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(!left.contains(&format!("sleep {marker}")), "no child is left behind");
}

#[test]
fn unprivileged_users_learn_what_they_lack() {
    // SAFETY: reads a number.
    if unsafe { libc::geteuid() } != 0 || !filters_work() {
        println!("skipped: dropping privileges needs root");
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "as_nobody", "--nocapture"])
        .env("CALLPROOF_CHILD", "nobody");
    command.uid(65_534).gid(65_534).current_dir("/");
    match command.output() {
        Err(error) => println!("skipped: cannot run as another user: {error}"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
            assert!(text.contains("Unprivileged"), "{text}");
        }
    }
}

/// Not a test: what [`unprivileged_users_learn_what_they_lack`] runs.
#[test]
fn as_nobody() {
    if std::env::var("CALLPROOF_CHILD").as_deref() != Ok("nobody") {
        return;
    }
    let (mut child, tid) = filtered();
    println!("{:?}", dump(tid, LIMIT));
    child.kill().unwrap();
    child.wait().unwrap();
}

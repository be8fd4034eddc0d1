//! Scenarios where things are in the way: signals, limits, no privilege, children that die, and files that are wrong.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::time::Duration;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use callproof_kernel_diff::Missing;
use callproof_kernel_diff::scenario::{Played, Runner, Running, SHIPPED, Scenario, read};

/// Children and signals belong to the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn shipped() -> Vec<Scenario> {
    SHIPPED.iter().flat_map(|(_, text)| read(text).unwrap()).collect()
}

fn running() -> Option<Running> {
    Running::new()
        .inspect_err(|missing| println!("skipped: {missing}"))
        .ok()
}

/// The file that lists the children of this thread.
fn list() -> String {
    // SAFETY: asks for the number of the calling thread.
    format!("/proc/self/task/{}/children", unsafe { libc::gettid() })
}

fn children(list: &str) -> Vec<i32> {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Directories of scenarios that were not removed.
fn rooms() -> usize {
    let ours = format!("callproof-scenario-{}-", std::process::id());
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(&ours)).count()
}

#[test]
fn nobody_and_nothing_is_left_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut running) = running() else { return };
    let waits = "[[scenario]]\nname = 'waits'\nsteps = [{ do = 'no_new_privs' }, { do = 'install', filter = { getpid = \
                 'user_notif' }, flags = ['new_listener'], expect = 'returns a listener' }, { do = 'fork', name = 'child' }, \
                 { do = 'thread', name = 'other' }, { do = 'call', nr = 'getpid', expect = 'waits' }, \
                 { who = 'child', do = 'call', nr = 'getpid', expect = 'waits' }, { do = 'get_mode', expect = 'wrong' }]";
    let scenario = &read(waits).unwrap()[0];
    for _ in 0..5 {
        assert!(matches!(running.play(scenario), Played::Differed { .. }));
        assert_eq!(children(&list()), Vec::<i32>::new());
        assert_eq!(rooms(), 0);
    }
}

#[test]
fn what_would_be_inherited_is_named() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if running().is_none() {
        return;
    }
    let missing = thread::spawn(|| {
        // SAFETY: only this thread is changed.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        Running::new().map(drop)
    });
    assert_eq!(missing.join().unwrap(), Err(Missing::Inherited("`no_new_privs`")));
    let missing = thread::spawn(|| {
        let mut insns = [libc::sock_filter {
            code: 6,
            jt: 0,
            jf: 0,
            k: 0x7fff_0000,
        }];
        let program = libc::sock_fprog {
            len: 1,
            filter: insns.as_mut_ptr(),
        };
        // SAFETY: the program is live, and only this thread lives under it.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::syscall(libc::SYS_seccomp, 1, 0, &raw const program);
        }
        Running::new().map(drop)
    });
    assert_eq!(missing.join().unwrap(), Err(Missing::Inherited("filters")));
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut running) = running() else { return };
    extern "C" fn nothing(_: libc::c_int) {}
    let every = |microseconds| libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let set = |microseconds| {
        let timer = libc::itimerval {
            it_interval: every(microseconds),
            it_value: every(microseconds),
        };
        // SAFETY: the handler does nothing, and interrupts calls, as it has no SA_RESTART; the timer is live.
        unsafe {
            let mut action = core::mem::zeroed::<libc::sigaction>();
            action.sa_sigaction = nothing as *const () as usize;
            libc::sigaction(libc::SIGALRM, &raw const action, core::ptr::null_mut());
            libc::setitimer(libc::ITIMER_REAL, &raw const timer, core::ptr::null_mut());
        }
    };
    set(300);
    let played: Vec<(String, Played)> = shipped()
        .iter()
        .step_by(3)
        .map(|scenario| (scenario.name.clone(), running.play(scenario)))
        .collect();
    set(0);
    for (name, played) in played {
        assert!(
            matches!(played, Played::Agreed | Played::Skipped(_)),
            "{name}: {played:?}"
        );
    }
}

/// Whatever dies, every scenario comes to an end in time, and what is said to agree is a whole story.
#[test]
fn children_that_die_are_noticed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut running) = running() else { return };
    let list = list();
    let ours = list.clone();
    let (done, finished) = channel::<()>();
    let mut lost = 0;
    thread::scope(|scope| {
        scope.spawn(move || {
            while finished.recv_timeout(Duration::from_millis(7)) == Err(RecvTimeoutError::Timeout) {
                for pid in children(&list).into_iter().take(1) {
                    // SAFETY: a child of this test; whether it is gone already does not matter.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                }
            }
        });
        for scenario in shipped().iter().step_by(4) {
            let start = Instant::now();
            lost += usize::from(!matches!(running.play(scenario), Played::Agreed | Played::Skipped(_)));
            assert!(start.elapsed() < Duration::from_secs(15), "{}", scenario.name);
        }
        drop(done);
    });
    println!("{lost} scenarios were lost to killed children");
    assert!(lost > 0);
    assert_eq!(children(&ours), Vec::<i32>::new());
    assert_eq!(rooms(), 0);
}

#[test]
fn a_stopped_child_is_given_up() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut running) = running() else { return };
    let (list, ours) = (list(), list());
    let (done, finished) = channel::<()>();
    let text = format!(
        "[[scenario]]\nname = 'long'\nsteps = [{}]",
        "{ do = 'get_mode' },".repeat(10_000)
    );
    let scenario = &read(&text).unwrap()[0];
    let start = Instant::now();
    let played = thread::scope(|scope| {
        scope.spawn(move || {
            while finished.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
                for pid in children(&list) {
                    // SAFETY: as above.
                    unsafe { libc::kill(pid, libc::SIGSTOP) };
                }
            }
        });
        let played = running.play(scenario);
        drop(done);
        played
    });
    assert!(
        matches!(&played, Played::Failed(why) if why.contains("not over after")),
        "{played:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(children(&ours), Vec::<i32>::new());
}

/// Runs one of the functions below in a process of its own, as nobody.
fn as_nobody(what: &str) {
    // SAFETY: reads a number.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: dropping privileges needs root");
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", what, "--nocapture"])
        .env("CALLPROOF_CHILD", what);
    command.uid(65_534).gid(65_534).current_dir("/");
    match command.output() {
        Err(error) => println!("skipped: cannot run as another user: {error}"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}{errors}");
            assert!(text.contains("all is well") || text.contains("skipped: "), "{text}");
        }
    }
}

fn is_child(what: &str) -> bool {
    std::env::var("CALLPROOF_CHILD").as_deref() == Ok(what)
}

#[test]
fn nobody_needs_no_privilege() {
    as_nobody("child_without_privilege");
}

#[test]
fn limits_are_no_obstacle() {
    as_nobody("child_with_limits");
}

#[test]
fn a_limit_on_processes_is_named() {
    as_nobody("child_without_processes");
}

fn all_agree(running: &mut Running, step: usize) {
    let mut skipped = 0;
    for scenario in shipped().iter().step_by(step) {
        match running.play(scenario) {
            Played::Agreed => {}
            Played::Skipped(_) => skipped += 1,
            other => panic!("{}: {other:?}", scenario.name),
        }
    }
    println!("all is well, {skipped} skipped");
}

#[test]
fn child_without_privilege() {
    if is_child("child_without_privilege")
        && let Some(mut running) = running()
    {
        all_agree(&mut running, 1);
    }
}

#[test]
fn child_with_limits() {
    if !is_child("child_with_limits") {
        return;
    }
    for (resource, value) in [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, 64),
        (libc::RLIMIT_MEMLOCK, 0),
    ] {
        let limit = libc::rlimit {
            rlim_cur: value,
            rlim_max: value,
        };
        // SAFETY: reads a live structure.
        assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
    }
    if let Some(mut running) = running() {
        all_agree(&mut running, 3);
    }
}

#[test]
fn child_without_processes() {
    if !is_child("child_without_processes") {
        return;
    }
    let Some(mut running) = running() else { return };
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads a live structure.
    unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const none) };
    let played = running.play(&shipped()[0]);
    assert!(
        matches!(&played, Played::Failed(why) if why.contains("cannot start a process")),
        "{played:?}"
    );
    println!("all is well");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let step = |step: &str| format!("[[scenario]]\nname = 'x'\n\nsteps = [\n  {{ do = 'get_mode' }},\n  {step},\n]\n");
    let cases = [
        ("{ do = 'dance' }", "`dance` is no step"),
        ("{ do = 'call' }", "`nr` is missing"),
        ("{ do = 'call', nr = 'dance' }", "`dance` is no call"),
        ("{ do = 'call', nr = 335 }", "not made here"),
        ("{ do = 'call', nr = 336 }", "not made here"),
        ("{ do = 'edit', nr = 336 }", "not made here"),
        ("{ do = 'exec', nr = 336 }", "not made here"),
        ("{ do = 'call', nr = 1, abi = 'arm' }", "`arm` is not"),
        ("{ do = 'call', nr = 99999999999 }", "more than 32 bits"),
        ("{ do = 'call', nr = 1, args = [1,2,3,4,5,6,7] }", "six arguments"),
        ("{ do = 'call', nr = 1, during = 'hup' }", "`hup` is not"),
        ("{ do = 'get_mode', nr = 1 }", "no field `nr`"),
        ("{ do = 'get_mode', who = 'bob' }", "nobody is called `bob`"),
        ("{ do = 'thread', name = 'main' }", "called `main` already"),
        ("{ do = 'fork' }", "`name` is missing"),
        (
            "{ do = 'install', filter = { getpid = 'err 1' } }",
            "`err` is no action",
        ),
        (
            "{ do = 'install', filter = { getpid = 'errno 65536' } }",
            "`65536` is no data",
        ),
        ("{ do = 'install', filter = { getpid = '0x1ffffffff' } }", "32 bits"),
        ("{ do = 'install', filter = { dance = 'allow' } }", "`dance` is no call"),
        (
            "{ do = 'install', filter = { 'close[6]==1' = 'allow' } }",
            "no condition",
        ),
        ("{ do = 'install', filter = { 'close[0' = 'allow' } }", "no condition"),
        ("{ do = 'install', flags = ['fast'] }", "`fast` is none of tsync"),
        ("{ do = 'install', pad = 5000 }", "at most 4096"),
        ("{ do = 'install', filter = {}, insns = [] }", "not both"),
        ("{ do = 'seccomp', op = 1 }", "step `install`"),
        ("{ do = 'trace', stops = 'never' }", "`never` is not"),
        ("{ do = 'get_mode', colour = 'red' }", "unknown field"),
        ("{ }", "missing field"),
    ];
    for (text, message) in cases {
        let mistake = read(&step(text)).unwrap_err();
        assert!(mistake.message.contains(message), "{text}: {mistake}");
        assert_eq!(mistake.line, 6, "{text}: {mistake}");
    }
    let many: Vec<String> = (0..9)
        .map(|number| format!("{{ do = 'fork', name = 'a{number}' }}"))
        .collect();
    let many = many.join(", ");
    let mistake = read(&step(&many)).unwrap_err();
    assert!(mistake.message.contains("at most 8 actors"), "{mistake}");
    let mistake = read("[[scenario]]\nname = 'x'\nneeds = ['luck']\nsteps = []").unwrap_err();
    assert_eq!((mistake.line, mistake.message.contains("`luck`")), (3, true));
}

#[test]
fn broken_files_are_refused_and_not_more() {
    for (_, text) in SHIPPED {
        for at in (0..text.len()).step_by(97) {
            let _ = read(&text[..at]);
            let _ = read(&format!("{}]{}", &text[..at], &text[at..]));
        }
    }
    let deep = format!("[[scenario]]\nname = {}", "[".repeat(100_000));
    assert!(read(&deep).is_err());
}

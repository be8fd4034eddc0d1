//! Every oracle in bad company: killed, stopped and signalled processes, and no resources. What is answered is right, what
//! is not answered says why, and nothing hangs.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use callproof_kernel_diff::{
    AdmissionOracle, Answer, ChainOracle, Entry, Failure, NativeOracle, NotifyOracle, Oracle, PtraceOracle, Query,
    Question, RoomOracle, oracles, probe,
};
use callproof_vm::{Insn, Outcome, SeccompData};

/// Longer than every deadline of every oracle.
const LONG: Duration = Duration::from_secs(60);

fn everything_works() -> bool {
    let found = probe();
    let all = found.filters.and(found.native).and(found.admission);
    all.inspect_err(|missing| println!("skipped: {missing}")).is_ok()
}

type Open = fn() -> Box<dyn Oracle>;

/// The oracles that ask in children.
const WITH_CHILDREN: [Open; 6] = [
    || Box::new(NativeOracle::new().unwrap()),
    || Box::new(PtraceOracle::new().unwrap()),
    || Box::new(ChainOracle::new().unwrap()),
    || Box::new(AdmissionOracle::new().unwrap()),
    || Box::new(RoomOracle::new().unwrap()),
    || Box::new(NotifyOracle::new().unwrap()),
];

const NUMBER: [Insn; 2] = [Insn::stmt(0x20, 16), Insn::stmt(0x16, 0)];

/// Asks something that takes a while; checks the answer, if there is one.
fn ask(oracle: &mut dyn Oracle, round: u64) -> Result<(), Failure> {
    let call = |arg: u64| SeccompData::new(0xc000_003e, 39, [arg & 0xff | 0x0005_0000, 0, 0, 0, 0, 0]);
    let count = if ["native", "chain"].contains(&oracle.name()) {
        4000
    } else {
        200
    };
    let data: Vec<SeccompData> = (round..round + count).map(call).collect();
    let values: Vec<u32> = data.iter().map(|call| u32::try_from(call.args[0]).unwrap()).collect();
    let records: Vec<_> = data.iter().map(|call| (Entry::Syscall, 39, call.args)).collect();
    let chain = [NUMBER.to_vec(), vec![Insn::stmt(0x06, 0x7fff_0000)]];
    let allow = [Insn::stmt(0x06, 0x7fff_0000)];
    let queries = [
        Query::Results(Question {
            program: &NUMBER,
            data: &data,
        }),
        Query::Outcomes {
            chain: &chain,
            data: &data,
        },
        Query::Admission(&NUMBER),
        Query::Room {
            chain: &[&allow, &allow],
            room: 13,
        },
        Query::Records(&records),
    ];
    let query = queries.into_iter().find(|query| oracle.sees().contains(&query.sight()));
    let started = Instant::now();
    let answer = oracle.ask(query.unwrap());
    assert!(started.elapsed() < LONG, "{}: {:?}", oracle.name(), started.elapsed());
    let errnos = |values: &[u32]| {
        values
            .iter()
            .map(|value| Outcome::Errno((value & 0xffff) as u16))
            .collect::<Vec<_>>()
    };
    match answer? {
        Answer::Results(seen) => assert_eq!(seen, values, "{}", oracle.name()),
        Answer::Outcomes(seen) => assert_eq!(seen, errnos(&values)),
        Answer::Admission(seen) => assert!(seen),
        Answer::Room(seen) => assert_eq!(seen, 1),
        Answer::Records(seen) => {
            assert_eq!(seen.len(), data.len());
            assert!(
                seen.iter()
                    .zip(&data)
                    .all(|(one, call)| one.seen == one.made && one.seen.args == call.args)
            );
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// Every process that descends from a thread of this one, whoever made it.
fn descendants(tid: i32) -> Vec<i32> {
    let list = |path: String| -> Vec<i32> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    };
    let mut found = list(format!("/proc/self/task/{tid}/children"));
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        found.extend(list(format!("/proc/{pid}/task/{pid}/children")));
        at += 1;
    }
    found
}

fn tid() -> i32 {
    // SAFETY: asks for the number of the calling thread.
    unsafe { libc::gettid() }
}

/// Between two signals.
const PAUSE: Duration = Duration::from_millis(3);

/// Asks each oracle again and again while somebody sends signals to the chosen ones of its processes.
fn under_fire(signals: &'static [i32], choose: fn(usize) -> bool, rounds: u64) -> Vec<(&'static str, u64, u64)> {
    let mut results = Vec::new();
    for open in WITH_CHILDREN {
        let mut oracle = open();
        let (done, tid) = (AtomicBool::new(false), tid());
        let (mut answered, mut lost) = (0, 0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let chosen = descendants(tid)
                        .into_iter()
                        .enumerate()
                        .filter(|(index, _)| choose(*index));
                    for (_, pid) in chosen {
                        for &signal in signals {
                            // SAFETY: a process that this test has started; whether it is gone does not matter.
                            unsafe { libc::kill(pid, signal) };
                            thread::sleep(PAUSE);
                        }
                    }
                    thread::sleep(PAUSE);
                }
            });
            for round in 0..rounds {
                match ask(oracle.as_mut(), round) {
                    Ok(()) => answered += 1,
                    Err(_) => lost += 1,
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(answered + lost, rounds);
        // What was killed after the last answer may still cost the next question, and no more than that.
        let in_peace = ask(oracle.as_mut(), 1).or_else(|_| ask(oracle.as_mut(), 2));
        assert_eq!(in_peace, Ok(()), "{}: asked again in peace", oracle.name());
        results.push((oracle.name(), answered, lost));
        drop(oracle);
        assert_eq!(descendants(tid), Vec::<i32>::new(), "nobody is left behind");
    }
    println!("{results:?}");
    results
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    if !everything_works() {
        return;
    }
    let results = under_fire(
        &[
            libc::SIGUSR1,
            libc::SIGALRM,
            libc::SIGCHLD,
            libc::SIGINT,
            libc::SIGTERM,
            libc::SIGCONT,
            libc::SIGSEGV,
        ],
        |_| true,
        20,
    );
    for (name, answered, lost) in results {
        assert_eq!((answered, lost), (20, 0), "{name}");
    }
}

#[test]
fn killed_processes_lose_their_question_and_no_other() {
    if everything_works() {
        let results = under_fire(&[libc::SIGKILL], |_| true, 20);
        assert!(
            results.iter().map(|(_, _, lost)| lost).sum::<u64>() > 5,
            "the net is not wide: {results:?}"
        );
    }
}

#[test]
fn a_child_that_loses_its_child_says_so() {
    if everything_works() {
        under_fire(&[libc::SIGKILL], |index| index > 0, 20);
    }
}

#[test]
fn stopped_processes_go_on() {
    if everything_works() {
        under_fire(&[libc::SIGSTOP, libc::SIGCONT], |_| true, 20);
    }
}

/// Stops everybody, for good, in the middle of work.
#[test]
fn a_process_that_stays_stopped_is_not_waited_for() {
    if !everything_works() {
        return;
    }
    let stop = |open: Open| {
        let mut oracle = open();
        for pid in descendants(tid()) {
            // SAFETY: a process that this thread has started.
            unsafe { libc::kill(pid, libc::SIGSTOP) };
        }
        let lost = ask(oracle.as_mut(), 0);
        assert!(matches!(lost, Err(Failure::Died { .. })), "{}: {lost:?}", oracle.name());
        assert_eq!(ask(oracle.as_mut(), 1), Ok(()), "{}: asked again", oracle.name());
    };
    // Each is waited for as long as a child may be silent, so all at once. The others have a new child for each question.
    thread::scope(|scope| {
        let [native, ptrace, chain, admission, ..] = WITH_CHILDREN;
        for open in [native, ptrace, chain, admission] {
            scope.spawn(move || stop(open));
        }
    });
}

/// A process that asks for ever is killed: nobody of its family stays.
#[test]
fn when_the_asking_process_is_lost_so_are_all_its_children() {
    const NAME: &str = "when_the_asking_process_is_lost_so_are_all_its_children";
    if std::env::var(ROLE).is_ok() {
        let mut all = WITH_CHILDREN.map(|open| open());
        for round in 0.. {
            all.iter_mut().for_each(|oracle| ask(oracle.as_mut(), round).unwrap());
        }
    }
    if !everything_works() {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(ROLE, "ask");
    let mut asker = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let mut family = Vec::new();
    let started = Instant::now();
    while family.len() < 6 && started.elapsed() < LONG {
        thread::sleep(Duration::from_millis(50));
        family = family_of(asker.id());
    }
    asker.kill().unwrap();
    asker.wait().unwrap();
    let gone = |pid: &i32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    while !family.iter().all(gone) && started.elapsed() < LONG {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(family.iter().all(gone), "{family:?}");
}

/// Children of all threads of a process, and theirs.
fn family_of(pid: u32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children = tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = children
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    let theirs = children.iter().flat_map(|child| family_of(*child));
    let own = children.iter().filter_map(|child| i32::try_from(*child).ok());
    own.chain(theirs).collect()
}

/// Set in the environment of a test that is run again in a process of its own.
const ROLE: &str = "CALLPROOF_ROLE";

/// In a process of its own: opens every oracle, and tells what it found.
fn open_all(role: &str) {
    for (name, opened) in oracles() {
        match opened {
            Ok(_) => println!("{role}: {name} works"),
            Err(why) => println!("{role}: {name}: {why}"),
        }
    }
}

fn limit(resource: libc::__rlimit_resource_t, most: u64) {
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most.saturating_add(1),
    };
    // SAFETY: a live structure is read.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

#[test]
fn without_files_nothing_can_be_asked() {
    starved("without_files_nothing_can_be_asked", "cannot", 8, || {
        limit(libc::RLIMIT_NOFILE, 4);
    });
}

#[test]
fn without_processes_only_sockets_can_be_asked() {
    starved(
        "without_processes_only_sockets_can_be_asked",
        "cannot start a test process",
        7,
        || {
            // SAFETY: plain system calls. The limit is not for root.
            unsafe {
                libc::setgid(65_534);
                libc::setuid(65_534);
            }
            limit(libc::RLIMIT_NPROC, 0);
        },
    );
}

#[test]
fn without_memory_oracles_say_so() {
    starved(
        "without_memory_oracles_say_so",
        "cannot start a test process",
        1,
        || {
            let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
            let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
            limit(libc::RLIMIT_AS, pages * 4096 + (1 << 20));
        },
    );
}

/// Runs the test of this name again in a process that lacks something; so many oracles must say that they cannot.
fn starved(test: &str, complaint: &str, least: usize, lack: fn()) {
    if std::env::var(ROLE).is_ok() {
        lack();
        open_all(test);
        println!("all is well");
    } else if everything_works() {
        let text = in_another_process(test);
        println!("{text}");
        assert!(
            text.lines().filter(|line| line.contains(complaint)).count() >= least,
            "{text}"
        );
    }
}

/// A child uses up its processor time: it is killed, that is told, and another one answers.
#[test]
fn a_child_out_of_time_is_replaced() {
    if std::env::var(ROLE).is_ok() {
        limit(libc::RLIMIT_CPU, 1);
        let mut oracle = AdmissionOracle::new().unwrap();
        let mut program = vec![Insn::stmt(0x04, 1); 4095];
        program.push(Insn::stmt(0x16, 0));
        let many = vec![program.as_slice(); 32];
        let started = Instant::now();
        while started.elapsed() < LONG {
            for answer in oracle.admits_all(&many) {
                match answer {
                    Ok(admitted) => assert!(admitted),
                    Err(failure) => {
                        assert!(matches!(failure, Failure::Died { .. }), "{failure}");
                        assert_eq!(oracle.admits(&program), Ok(true));
                        println!("all is well: {failure}");
                        return;
                    }
                }
            }
        }
    } else if everything_works() {
        println!("{}", in_another_process("a_child_out_of_time_is_replaced"));
    }
}

/// What a test writes that is run in a process of its own. That must end well, and in time.
fn in_another_process(test: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ROLE, test);
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(started.elapsed() < 2 * LONG, "{:?}", started.elapsed());
    assert!(
        output.status.success() && text.contains("all is well"),
        "{text}{errors}"
    );
    text
}

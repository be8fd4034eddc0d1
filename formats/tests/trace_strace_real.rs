//! strace itself, when it is at hand: the words that it prints against the registers that it prints with `-e raw=all`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::BTreeSet;
use std::process::Command;

use callproof_formats::trace::{ArgSeen, TraceCall, TraceFormat, TraceOptions, read_trace};

/// What strace prints of a command, with addresses that are the same each time.
fn log(options: &[&str], command: &[&str]) -> Option<Vec<u8>> {
    static LOGS: AtomicU32 = AtomicU32::new(0);
    let number = LOGS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("callproof-strace-{}-{number}", std::process::id()));
    let mut strace = Command::new("setarch");
    strace
        .args(["-R", "strace", "-o"])
        .arg(&path)
        .args(options)
        .args(command);
    let output = strace
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let log = std::fs::read(&path).ok();
    let _ = std::fs::remove_file(&path);
    output.status.success().then_some(log)?
}

fn calls(log: &[u8]) -> Vec<TraceCall> {
    let reader = read_trace(log, &TraceOptions::default()).unwrap();
    assert_eq!(reader.format(), TraceFormat::Strace);
    reader.map(|call| call.unwrap()).collect()
}

const COMMANDS: &[&[&str]] = &[
    &["true"],
    &["ls", "-l", "/"],
    &["cat", "/etc/passwd"],
    &["sh", "-c", "echo a | cat; sleep 0.01; kill -0 $$; umask 022"],
    &[
        "python3",
        "-c",
        "import socket,os,mmap; s=socket.socket(); s.close(); os.pipe(); mmap.mmap(-1, 4096)",
    ],
    &["dd", "if=/dev/zero", "of=/dev/null", "bs=1k", "count=3", "status=none"],
];

/// The first registers that differ, and how many agree.
fn compare(shown: &[TraceCall], raw: &[TraceCall]) -> (usize, Vec<String>) {
    let (mut agreed, mut wrong) = (0, Vec::new());
    for (shown, raw) in shown.iter().zip(raw) {
        if shown.name != raw.name {
            // The two runs went apart: what comes behind is no longer the same calls.
            break;
        }
        assert_eq!(shown.nr, raw.nr, "{shown:?}");
        for (index, (seen, register)) in shown.args.iter().zip(raw.args).enumerate() {
            // Without a prototype of its own a register is unknown in both.
            let value = match register {
                ArgSeen::Known(value) | ArgSeen::Bits { value, .. } => value,
                ArgSeen::Unknown => continue,
            };
            let fits = match *seen {
                ArgSeen::Bits { mask, value: shown } => value & mask == shown,
                seen => seen.fits(value),
            };
            agreed += usize::from(fits && *seen != ArgSeen::Unknown);
            // The two runs differ in their processes and in where their stacks begin.
            if !fits && !matches!(shown.name.as_deref(), Some("execve" | "kill" | "wait4")) {
                wrong.push(format!(
                    "{:?} argument {index}: {seen:x?}, raw {register:x?}",
                    shown.name
                ));
            }
        }
    }
    (agreed, wrong)
}

#[test]
fn words_are_the_registers_that_raw_shows() {
    if log(&[], &["true"]).is_none() {
        println!("skipped: no strace, or it may not trace");
        return;
    }
    let (mut agreed, mut wrong, mut total) = (0, Vec::new(), 0);
    for command in COMMANDS {
        let (Some(shown), Some(raw)) = (log(&[], command), log(&["-e", "raw=all"], command)) else {
            println!("skipped: {command:?}");
            continue;
        };
        let (shown, raw) = (calls(&shown), calls(&raw));
        total += shown.len();
        let (fit, differ) = compare(&shown, &raw);
        agreed += fit;
        wrong.extend(differ);
    }
    println!(
        "{total} calls, {agreed} registers agree, {} do not: {:#?}",
        wrong.len(),
        wrong.iter().take(40).collect::<Vec<_>>()
    );
    assert!(agreed > 500, "{agreed}");
    assert!(wrong.is_empty(), "{}", wrong.len());
}

#[test]
fn every_decoration_reads_as_the_same_calls() {
    let (command, forks) = (["cat", "/dev/null"], ["sh", "-c", "/bin/true & wait"]);
    let Some(plain) = log(&[], &command) else {
        println!("skipped: no strace, or it may not trace");
        return;
    };
    let names = |log: &[u8]| {
        calls(log)
            .into_iter()
            .map(|call| call.name.unwrap())
            .collect::<Vec<_>>()
    };
    let plain = names(&plain);
    for options in [
        &["-t"][..],
        &["-tt"],
        &["-ttt"],
        &["-r"],
        &["-T"],
        &["-i"],
        &["-n"],
        &["-y"],
        &["-yy"],
        &["-v"],
        &["-i", "-n", "-T", "-ttt"],
    ] {
        let log = log(options, &command).unwrap();
        let calls = calls(&log);
        let own: Vec<_> = calls.iter().map(|call| call.name.clone().unwrap()).collect();
        assert_eq!(own, plain, "{options:?}");
        if options.contains(&"-n") {
            assert!(calls.iter().all(|call| call.nr.is_some()));
        }
        if options.contains(&"-i") {
            assert!(calls.iter().skip(1).all(|call| call.ip.is_some()));
        }
    }
    let log = log(&["-f"], &forks).unwrap();
    let pids: BTreeSet<_> = calls(&log).iter().map(|call| call.pid).collect();
    assert!(pids.len() >= 2 && !pids.contains(&None), "{pids:?}");
}

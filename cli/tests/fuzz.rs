//! `fuzz` as scripts see it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a panic in a test is a failing test"
)]

#[path = "common/canary.rs"]
mod canary;
mod common;

use common::{Ran, run};
use serde_json::Value;

fn fuzz(out: &str, compiler: &str, more: &[&str]) -> Ran {
    let line = [
        "fuzz",
        "--out",
        out,
        "--compiler",
        compiler,
        "--seed=3",
        "--arch=x86_64,i386",
    ];
    run(&[&line[..], more].concat())
}

/// The command of the compiler with a bug, or without one.
fn compiler(bug: Option<&str>) -> String {
    let bug = bug.map(|bug| format!("--bug {bug} ")).unwrap_or_default();
    let path = canary::folder().join("canary_compiler");
    format!("{} {bug}{{policy}}", path.display())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
}

#[test]
fn codes_and_answers_are_the_contract() {
    let room = tempfile::tempdir().unwrap();
    let out = |name: &str| room.path().join(name).to_str().unwrap().to_owned();

    let right = fuzz(&out("right"), &compiler(None), &["--cases=6", "--format=json"]);
    assert_eq!(right.code, 0, "{right:?}");
    let answer = &json(&right)["answer"];
    assert_eq!(
        (&answer["now"]["wrong"], &answer["seed"]),
        (&Value::from(0), &Value::from(3))
    );
    let again = fuzz(&out("right"), &compiler(None), &["--cases=4", "--format=json"]);
    let count = |of: &str| json(&again)["answer"][of]["proved"].as_u64().unwrap();
    assert!(count("now") <= 4 && count("all") > count("now"), "{again:?}");

    let wrong = fuzz(
        &out("wrong"),
        &compiler(Some("wrong-numbers")),
        &["--max-findings=1", "--format=json"],
    );
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let finding = &json(&wrong)["answer"]["findings"][0];
    assert_eq!(finding["kind"], "differs");
    assert!(finding["rules"].as_u64().unwrap() <= 3 && finding["replay"].as_str().unwrap().contains("--replay"));

    let folder = finding["folder"].as_str().unwrap();
    let there = run(&["fuzz", "--replay", folder, "--format=json"]);
    assert_eq!(
        (there.code, &json(&there)["answer"]["is"]),
        (1, &Value::from("differs"))
    );
    let gone = run(&[
        "fuzz",
        "--replay",
        folder,
        "--compiler",
        &compiler(None),
        "--format=json",
    ]);
    assert_eq!((gone.code, &json(&gone)["answer"]["is"]), (0, &Value::from("proved")));

    let nothing = fuzz(&out("nothing"), "false", &["--cases=3"]);
    assert_eq!(nothing.code, 3, "{nothing:?}");
    let report = fuzz(&out("report"), "true", &["--cases=3", "--format=junit"]);
    assert!(report.code == 1 && report.stdout.contains("unreadable"), "{report:?}");
}

/// The compiler of policies that is callproof's own, in every format that is offered.
#[test]
fn our_own_compiler_is_right_in_every_format() {
    let command = format!(
        "{} convert {{policy}} --to hex -o {{out}} --arch {{arch}}",
        env!("CARGO_BIN_EXE_callproof")
    );
    for offer in ["policy", "oci", "seccompiler", "minijail", "kafel", "pfc"] {
        let room = tempfile::tempdir().unwrap();
        let out = room.path().to_str().unwrap();
        let more = ["--cases=8", "--deadline=120s", "--format=json", "--offer", offer];
        let ran = fuzz(out, &command, &more);
        let answer = &json(&ran)["answer"]["now"];
        assert_eq!((ran.code, answer["proved"].as_u64()), (0, Some(8)), "{offer}: {ran:?}");
    }
}

/// Two campaigns do not write into one folder; the second one says why, and the first one is not disturbed.
#[test]
fn a_folder_is_for_one_campaign_at_a_time() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out").to_str().unwrap().to_owned();
    let begun = room.path().join("begun");
    // The first waits for a file that comes when the second is refused.
    let go = room.path().join("go");
    let wait = format!(
        "sh -c 'touch {}; until [ -e {} ]; do sleep 0.1; done; exit 1'",
        begun.display(),
        go.display()
    );
    let first = std::thread::spawn({
        let out = out.clone();
        move || fuzz(&out, &wait, &["--cases=2", "--jobs=1", "--deadline=600s"])
    });
    while !begun.exists() {
        std::thread::sleep(core::time::Duration::from_millis(20));
    }
    let second = fuzz(&out, "false", &["--cases=2"]);
    std::fs::write(&go, "").unwrap();
    assert_eq!(second.code, 2, "{second:?}");
    for says in [
        "another campaign (process ",
        &out,
        "wait for its end, or name another folder with `--out`",
    ] {
        assert!(second.stderr.contains(says), "{says}: {second:?}");
    }
    let first = first.join().unwrap();
    assert!(first.code == 3 && first.stdout.contains("refused     2"), "{first:?}");
    // And then the folder is free.
    let third = fuzz(&out, "false", &["--cases=2"]);
    assert!(third.stderr.contains("belongs to another campaign"), "{third:?}");
}

/// Where there is no terminal a line comes every ten seconds, on standard error, unless it is to be quiet.
#[test]
fn progress_comes_in_lines() {
    let room = tempfile::tempdir().unwrap();
    let slow = format!(
        "sh -c 'sleep 1; exec {} \"$1\"' sh {{policy}}",
        compiler(None).replace(" {policy}", "")
    );
    let run = |name: &str, more: &[&str]| {
        let out = room.path().join(name).to_str().unwrap().to_owned();
        fuzz(
            &out,
            &slow,
            &[&["--time=12", "--jobs=2", "--deadline=60s"], more].concat(),
        )
    };
    let (told, quiet) = std::thread::scope(|scope| {
        let quiet = scope.spawn(|| run("quiet", &["--quiet"]));
        (run("told", &[]), quiet.join().unwrap())
    });
    let lines: Vec<&str> = told.stderr.lines().collect();
    let [line, ..] = lines.as_slice() else {
        panic!("{told:?}")
    };
    assert!(lines.len() <= 3, "{told:?}");
    for part in [" policies, ", " proofs a second, 0 findings, about ", " s left"] {
        assert!(line.contains(part), "{part}: {told:?}");
    }
    assert!(!told.stdout.contains("a second, 0 findings"), "{told:?}");
    assert_eq!(quiet.stderr, "", "{quiet:?}");
}

#[test]
fn wrong_lines_are_refused_with_advice() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out").to_str().unwrap().to_owned();
    for (compiler, more, says) in [
        (
            "/nowhere/cc {policy}",
            &[][..],
            "cannot start the compiler `/nowhere/cc`",
        ),
        ("cc 'policy", &[], "a quote that is not closed"),
        ("cc {file}", &[], "`{file}` is no placeholder"),
        ("true", &["--deadline=soon"], "`soon` is no time"),
        ("true", &["--offer=docker"], "possible values"),
        ("true", &["--replay=/nowhere"], "name the folder of a finding"),
        ("true", &["--keep-going", "--max-findings=2"], "cannot be used with"),
    ] {
        let ran = fuzz(&out, compiler, more);
        assert!(
            ran.code == 2 && ran.stderr.contains(says),
            "{compiler} {more:?}: {ran:?}"
        );
    }
    // A compiler that could not be run leaves nothing behind that would be in the way of the right one.
    let right = fuzz(&out, &compiler(None), &["--cases=1"]);
    assert_eq!(right.code, 0, "{right:?}");
    let file = fuzz("/proc/version", "true", &[]);
    let says = "cannot make `/proc/version`";
    assert!(
        file.code == 2 && file.stderr.contains(says) && file.stderr.contains("--out"),
        "{file:?}"
    );
}

//! `lint` as scripts see it: exit codes, baselines and formats.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "a panic in a test is a failing test"
)]

mod common;

use common::run;
use serde_json::Value;

const FAULTY: &str = "examples/no-new-files.c";
const RIGHT: &str = "examples/web-server.bpf";

#[test]
fn codes_are_the_contract() {
    for (code, line) in [
        (0, vec!["lint", RIGHT]),
        (1, vec!["lint", FAULTY]),
        (1, vec!["lint", "--fail-on=error", FAULTY]),
        (0, vec!["lint", "--fail-on=error", "--allow=x32-open=no x32", FAULTY]),
        (1, vec!["lint", "--allow=x32-open=no x32", FAULTY]),
        (3, vec!["lint", "--limit=nodes=8,conflicts=1", RIGHT]),
        (1, vec!["lint", "hex:2000000002000000"]),
        (0, vec!["lint", "--list-rules"]),
        (2, vec!["lint"]),
        (2, vec!["lint", "--allow=x32-open", FAULTY]),
        (2, vec!["lint", "--allow=no-such-rule=x", FAULTY]),
        (2, vec!["lint", "--baseline=not-there.json", FAULTY]),
        (2, vec!["lint", "--baseline=Cargo.toml", FAULTY]),
    ] {
        let ran = run(&line);
        assert_eq!(ran.code, code, "{line:?}: {ran:?}");
    }
}

#[test]
fn a_baseline_keeps_known_findings_back_and_no_others() {
    let file = std::env::temp_dir().join(format!("callproof-baseline-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let written = run(&["lint", "--write-baseline", path, FAULTY]);
    assert_eq!(written.code, 1, "{written:?}");
    let quiet = run(&["lint", "--baseline", path, "--format=json", FAULTY]);
    assert_eq!(quiet.code, 0, "{quiet:?}");
    let answer: Value = serde_json::from_str(&quiet.stdout).unwrap();
    assert_eq!(answer["answer"]["findings"].as_array().unwrap().len(), 0);
    assert!(answer["answer"]["suppressed"].as_array().unwrap().len() >= 4);
    // One entry taken away comes back.
    let mut known: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let findings = known["findings"].as_array_mut().unwrap();
    findings.retain(|finding| finding["rule"] != "x32-open");
    findings[0]["reason"] = "as it should be".into();
    std::fs::write(&file, known.to_string()).unwrap();
    let loud = run(&["lint", "--baseline", path, "--format=json", FAULTY]);
    let answer: Value = serde_json::from_str(&loud.stdout).unwrap();
    let left = answer["answer"]["findings"].as_array().unwrap();
    assert_eq!((loud.code, left.len(), &left[0]["rule"]), (1, 1, &"x32-open".into()));
    assert!(loud.stdout.contains("as it should be"));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn severities_reach_every_format() {
    let sarif = run(&["lint", "--format=sarif", FAULTY]);
    let log: Value = serde_json::from_str(&sarif.stdout).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<&str> = results.iter().map(|result| result["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "warning", "warning", "note"]);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(
        rules
            .iter()
            .all(|rule| rule["help"]["text"].as_str().unwrap().contains("docs/LINT.md#"))
    );
    let github = run(&["lint", "--format=github", FAULTY]).stdout;
    for command in ["::error ", "::warning ", "::notice ", "0 passed, 1 failed"] {
        assert!(github.contains(command), "{github}");
    }
    // What is info alone fails nothing.
    for (format, passes) in [
        ("junit", "failures=\"0\""),
        ("tap", "\nok 1 - "),
        ("markdown", "1 passed, 0 failed"),
        ("github", "1 passed, 0 failed"),
    ] {
        let text = run(&["lint", "--format", format, RIGHT]).stdout;
        assert!(text.contains(passes) && text.contains("self-lock"), "{text}");
    }
}

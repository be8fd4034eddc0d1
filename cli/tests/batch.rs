//! `eval --batch`: order, bad lines, conversations, size.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a panic in a test is a failing test"
)]

mod common;

use core::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use common::{callproof, run_with};
use serde_json::Value;

/// Returns the call's number as an errno.
const ECHO: &str = "200000000000000054000000ff0f000044000000000005001600000000000000";

fn answers(input: &[u8], args: &[&str]) -> Vec<Value> {
    let line = ["eval", "--batch", "-"].iter().chain(args);
    let ran = run_with(&line.copied().collect::<Vec<_>>(), input);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn answer(request: &str) -> Value {
    let mut all = answers(request.as_bytes(), &[]);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn order_is_kept_over_a_hundred_thousand_lines_and_any_number_of_threads() {
    let mut input = String::new();
    for number in 0..100_000 {
        let nr = number % 4096;
        if number % 1000 == 7 {
            input.push_str("not a request\n");
        } else {
            let _ = writeln!(input, r#"{{"filter":"{ECHO}","arch":"x86_64","nr":{nr}}}"#);
        }
    }
    for jobs in ["1", "3"] {
        let answers = answers(input.as_bytes(), &["--jobs", jobs]);
        assert_eq!(answers.len(), 100_000);
        for (number, answer) in answers.iter().enumerate() {
            if number % 1000 == 7 {
                assert!(answer["error"].is_string(), "{number}: {answer}");
            } else {
                assert_eq!(answer["data"], number % 4096, "{number}: {answer}");
            }
        }
    }
}

#[test]
fn every_engine_gives_the_same_answers() {
    // Many filters in turn, so that engines are made, forgotten and made again.
    let mut input = String::new();
    for number in 0..60_000_u32 {
        let filter = format!(
            "200000000000000015000001{:02x}00000006000000000005000600000000000000",
            if number > 20_000 { 7 } else { number % 50 }
        );
        let _ = writeln!(input, r#"{{"filter":"{filter}","arch":"x86_64","nr":{}}}"#, number % 61);
    }
    let reference = answers(input.as_bytes(), &["--engine", "reference"]);
    for engine in ["predecoded", "specialised", "auto"] {
        assert!(
            answers(input.as_bytes(), &["--engine", engine, "--jobs", "1"]) == reference,
            "{engine}"
        );
    }
}

#[test]
fn every_bad_line_gets_an_error_and_the_run_goes_on() {
    let good = format!(r#"{{"filter":"{ECHO}","arch":"x86_64","nr":5}}"#);
    let bad: [Vec<u8>; 17] = [
        b"".to_vec(),
        b"   ".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{".to_vec(),
        b"\xff\xfe".to_vec(),
        b"\0".to_vec(),
        vec![b'['; 100_000],
        vec![b'x'; 5 << 20],
        br#"{"filter":"","data":""}"#.to_vec(),
        br#"{"filter":"06","arch":"x86_64","nr":0}"#.to_vec(),
        br#"{"filter":[],"arch":"x86_64","nr":0}"#.to_vec(),
        br#"{"filter":[1],"arch":"x86_64","nr":0}"#.to_vec(),
        br#"{"filter":"","arch":"x86_64","nr":0,"more":1}"#.to_vec(),
        br#"{"filter":"","arch":"x86_64","nr":99999999999}"#.to_vec(),
        br#"{"filter":"","arch":"x86_64","nr":0,"args":[1,2,3,4,5,6,7]}"#.to_vec(),
        br#"{"filter":"","arch":"nonsense","nr":0}"#.to_vec(),
    ];
    let mut input = Vec::new();
    for line in &bad {
        input.extend_from_slice(line);
        input.push(b'\n');
        input.extend_from_slice(good.as_bytes());
        input.push(b'\n');
    }
    let answers = answers(&input, &[]);
    assert_eq!(answers.len(), 2 * bad.len());
    for (number, pair) in answers.chunks(2).enumerate() {
        assert!(pair[0]["error"].is_string(), "{number}: {}", pair[0]);
        assert_eq!(pair[1]["data"], 5, "{number}");
    }
}

#[test]
fn a_decision_has_four_members_in_order() {
    let request = format!(r#"{{"filter":["{ECHO}","060000000000ff7f"],"arch":3221225534,"nr":7,"args":[0],"ip":0}}"#);
    let ran = run_with(&["eval", "--batch", "-"], request.as_bytes());
    assert_eq!(
        ran.stdout,
        "{\"value\":327687,\"action\":\"errno\",\"data\":7,\"insns\":5}\n"
    );
}

#[test]
fn a_refusal_names_the_first_rule() {
    let refused = answer(r#"{"filter":["0600000000000000","2000000002000000"],"arch":"x86_64","nr":0}"#);
    assert_eq!(
        refused,
        serde_json::json!({"rejected": {"errno": "EINVAL", "pc": 0, "rule": "load-offset"}})
    );
    let empty = answer(r#"{"filter":"","arch":"x86_64","nr":0}"#);
    assert_eq!(
        empty,
        serde_json::json!({"rejected": {"errno": "EINVAL", "pc": null, "rule": "empty"}})
    );
}

#[test]
fn a_chain_too_long_for_a_thread_is_refused_with_enomem() {
    let longest = "0000000001000000".repeat(4095) + "1600000000000000";
    let chain = |count: usize| {
        let filters = vec![longest.as_str(); count];
        answer(&serde_json::json!({"filter": filters, "arch": "x86_64", "nr": 0}).to_string())
    };
    // Each counts 4,099, and 4 more once another one comes on top.
    assert_eq!(chain(7)["value"], 1);
    assert_eq!(
        chain(8),
        serde_json::json!({"rejected": {"errno": "ENOMEM", "pc": null, "rule": "chain-budget"}})
    );
}

#[test]
fn byte_order_follows_the_abi_or_the_request() {
    // Returns the word at offset 16: the low half of the first argument, or on big-endian machines the high half.
    let (little, big) = ("20000000100000001600000000000000", "00200000000000100016000000000000");
    let value = |filter: &str, rest: &str| {
        answer(&format!(r#"{{"filter":"{filter}",{rest},"nr":0,"args":[4294967298]}}"#))["value"].clone()
    };
    assert_eq!(value(little, r#""arch":"x86_64""#), 2);
    assert_eq!(value(big, r#""arch":"s390x""#), 1);
    assert_eq!(value(big, r#""arch":"x86_64","endian":"big""#), 1);
    assert_eq!(value(little, r#""arch":"s390x","endian":"little""#), 2);
}

#[test]
fn raw_records_are_read_in_the_byte_order_of_the_request() {
    let data = format!("{:0<128}", "00000007c000003e");
    let request = format!(r#"{{"filter":"00200000000000000016000000000000","data":"{data}","endian":"big"}}"#);
    assert_eq!(answer(&request)["value"], 7);
}

#[test]
fn a_line_is_answered_before_the_next_one_is_written() {
    let mut child = callproof(&["eval", "--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for nr in [3, 1, 2] {
        writeln!(stdin, r#"{{"filter":"{ECHO}","arch":"x86_64","nr":{nr}}}"#).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains(&format!("\"data\":{nr},")), "{line}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn many_different_filters_do_not_fill_the_memory() {
    let mut input = String::new();
    for number in 0..5000 {
        let filter = format!("06000000{:08x}", u32::from_be(number));
        let _ = writeln!(input, r#"{{"filter":"{filter}","arch":"x86_64","nr":0}}"#);
    }
    let answers = answers(input.as_bytes(), &["--jobs", "1"]);
    let values: Vec<u64> = answers.iter().map(|answer| answer["value"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..5000).collect();
    assert_eq!(values, expected);
}

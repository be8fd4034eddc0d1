//! `eval --records`: values of 4 bytes for records of 64.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a panic in a test is a failing test")]

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Returns the low half of the first argument as an errno: `ld [16]; and #0xfff; or #0x50000; ret a`.
const ECHO: &str = "hex:200000001000000054000000ff0f000044000000000005001600000000000000";
/// The same, in the byte order of a big-endian machine.
const ECHO_BIG: &str = "hex:00200000000000140054000000000fff00440000000500000016000000000000";

/// What is written for an input, and the exit code.
fn values(args: &[&str], input: &[u8]) -> (Vec<u8>, i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_callproof"))
        .args(["eval", "--records", "-"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // Who refuses the filter does not read the records.
    let _ = writer.join().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.stdout, output.status.code().unwrap(), stderr)
}

fn record(argument: u32) -> [u8; 64] {
    let mut record = [0; 64];
    record[16..20].copy_from_slice(&argument.to_le_bytes());
    record
}

#[test]
fn every_engine_writes_a_value_for_each_record() {
    // More than are judged at once.
    let records: Vec<u8> = (0..70_000).flat_map(record).collect();
    let wanted: Vec<u8> = (0..70_000_u32)
        .flat_map(|number| (0x5_0000 | number & 0xfff).to_le_bytes())
        .collect();
    for engine in ["reference", "predecoded", "specialised", "auto"] {
        for jobs in ["1", "3"] {
            let (values, code, stderr) = values(&["--engine", engine, "--jobs", jobs, ECHO], &records);
            assert_eq!((code, stderr.as_str()), (0, ""));
            assert!(values == wanted, "{engine}");
        }
    }
    assert_eq!(values(&[ECHO], &[]), (Vec::new(), 0, String::new()));
}

#[test]
fn byte_order_is_that_of_the_machine() {
    let mut record = [0; 64];
    record[20..24].copy_from_slice(&7_u32.to_be_bytes());
    let (values, code, stderr) = values(&["--arch", "s390x", ECHO_BIG], &record);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(values, 0x5_0007_u32.to_be_bytes());
}

#[test]
fn half_a_record_is_told_after_the_whole_ones() {
    let mut records = record(5).to_vec();
    records.extend([0; 9]);
    let (values, code, stderr) = values(&[ECHO], &records);
    assert_eq!((values, code), (0x5_0005_u32.to_le_bytes().to_vec(), 2));
    assert!(
        stderr.contains("the records end with 9 bytes that are none"),
        "{stderr}"
    );
}

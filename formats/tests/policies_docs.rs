//! The examples of docs/POLICIES.md are read as it says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof_formats::policy::{PolicyFormat, PolicyOptions, detect_policy, read_policy};
use callproof_policy::Env;

const DOCS: &str = include_str!("../../docs/POLICIES.md");

#[test]
fn every_example_is_detected_and_read() {
    let mut read = 0;
    for fence in DOCS.split("```").skip(1).step_by(2) {
        let (name, text) = fence.split_once('\n').unwrap();
        // The command's own tests run those.
        if name == "console" {
            continue;
        }
        let format = PolicyFormat::from_name(name).unwrap_or_else(|| panic!("{name} is no format"));
        assert_eq!(detect_policy("-", text), Ok(format));
        let policy = read_policy("example", text.as_bytes(), None, &PolicyOptions::default());
        let policy = policy.unwrap_or_else(|problems| panic!("{name}: {:#?}", problems.problems));
        for policy in &policy.policies {
            assert!(policy.ground(&Env::default()).is_ok(), "{name}");
        }
        read += 1;
    }
    assert!(read >= 3);
}

//! TAP version 14.

use core::fmt::Write as _;

use crate::report::{Level, Outcome, Report};

/// One test point a case; findings are in its diagnostic block.
pub(super) fn render(report: &Report) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", report.cases.len());
    for (case, number) in report.cases.iter().zip(1_usize..) {
        let name = description(&case.name);
        let _ = match &case.outcome {
            Outcome::Passed | Outcome::Noted(_) => writeln!(text, "ok {number} - {name}"),
            Outcome::Skipped(why) => writeln!(text, "ok {number} - {name} # SKIP {}", one_line(why)),
            Outcome::Failed(_) => writeln!(text, "not ok {number} - {name}"),
        };
        if case.findings().is_empty() {
            continue;
        }
        text.push_str("  ---\n  findings:\n");
        for finding in case.findings() {
            // A JSON string is a YAML string.
            let message = serde_json::Value::from(finding.message.as_str());
            let _ = writeln!(text, "    - rule: {}\n      message: {message}", finding.rule);
            if finding.level != Level::Error {
                let _ = writeln!(text, "      severity: {}", finding.level.name());
            }
        }
        text.push_str("  ...\n");
    }
    text
}

/// `#` starts a directive and `\` an escape.
fn description(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn every_case_is_a_test_point() {
        let expected = r#"TAP version 14
1..3
ok 1 - good.bpf
not ok 2 - bad.bpf
  ---
  findings:
    - rule: load-offset
      message: "a <bad> \"load\", 100%"
    - rule: no-final-return
      message: "two\nlines"
  ...
ok 3 - live # SKIP no | kernel
"#;
        assert_eq!(render(&sample()), expected);
        assert_eq!(description("a # b\\c\nd"), "a \\# b\\\\c d");
    }
}

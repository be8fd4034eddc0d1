//! JUnit XML, as CI servers read it.

use core::fmt::Write as _;

use crate::report::{Case, Finding, Outcome, Report};

/// One `testsuite` with a `testcase` for each case.
pub(super) fn render(report: &Report) -> String {
    let (_, failures, skipped) = report.totals();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!(
        "name=\"callproof {}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" errors=\"0\"",
        escaped(report.suite),
        report.cases.len()
    );
    let _ = writeln!(xml, "<testsuites {counts}>\n  <testsuite {counts}>");
    for case in &report.cases {
        write_case(&mut xml, report.suite, case);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, suite: &str, case: &Case) {
    let head = format!(
        "    <testcase classname=\"callproof.{}\" name=\"{}\"",
        escaped(suite),
        escaped(&case.name)
    );
    let _ = match &case.outcome {
        Outcome::Passed => writeln!(xml, "{head}/>"),
        Outcome::Noted(findings) => {
            let all: Vec<String> = findings.iter().map(noted).collect();
            writeln!(
                xml,
                "{head}>\n      <system-out>{}</system-out>\n    </testcase>",
                escaped(&all.join("\n"))
            )
        }
        Outcome::Skipped(why) => writeln!(
            xml,
            "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>",
            escaped(why)
        ),
        Outcome::Failed(findings) => {
            let first = findings.first();
            let rule = first.map_or("", |finding| finding.rule);
            let message = first.map_or("", |finding| &finding.message);
            let all: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
            writeln!(
                xml,
                "{head}>\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
                escaped(rule),
                escaped(message),
                escaped(&all.join("\n"))
            )
        }
    };
}

/// A finding that fails nothing.
fn noted(finding: &Finding) -> String {
    format!("{}: {}: {}", finding.level.name(), finding.rule, finding.message)
}

/// Text as XML 1.0 may hold it: most control characters cannot even be escaped.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn every_case_is_a_testcase() {
        let xml = render(&sample());
        assert!(xml.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{xml}");
        assert!(
            xml.contains("<testcase classname=\"callproof.check\" name=\"good.bpf\"/>"),
            "{xml}"
        );
        assert!(
            xml.contains("<failure type=\"load-offset\" message=\"a &lt;bad&gt; &quot;load&quot;, 100%\">"),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"no | kernel\"/>"), "{xml}");
    }

    #[test]
    fn control_characters_do_not_break_the_document() {
        assert_eq!(escaped("a\0b\u{1b}&"), "a\u{fffd}b\u{fffd}&amp;");
    }
}

//! GitHub Actions workflow commands: each finding becomes an annotation.

use core::fmt::Write as _;

use crate::report::{Level, Outcome, Report};

/// One `::error`, `::warning` or `::notice` line a finding, one `::notice` line a skipped case, and the totals.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    for (case, finding) in report.findings() {
        let mut properties = format!(
            "title={}",
            property(&format!("callproof {}: {}", report.suite, finding.rule))
        );
        if let Some(file) = &finding.file {
            let _ = write!(properties, ",file={}", property(file));
        }
        if let Some(line) = finding.line {
            let _ = write!(properties, ",line={line}");
        }
        let _ = writeln!(
            text,
            "::{} {properties}::{}",
            match finding.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "notice",
            },
            data(&format!("{}: {}", case.name, finding.message))
        );
    }
    for case in &report.cases {
        if let Outcome::Skipped(why) = &case.outcome {
            let _ = writeln!(
                text,
                "::notice title=callproof {}::{}",
                report.suite,
                data(&format!("{} skipped: {why}", case.name))
            );
        }
    }
    let (passed, failed, skipped) = report.totals();
    let _ = writeln!(
        text,
        "callproof {}: {passed} passed, {failed} failed, {skipped} skipped",
        report.suite
    );
    text
}

/// The message of a command. Escapes are those that the runner undoes.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn findings_become_annotations() {
        assert_eq!(
            render(&sample()),
            "::error title=callproof check%3A load-offset,file=a b/bad.bpf,line=7::bad.bpf: a <bad> \"load\", 100%25\n\
             ::error title=callproof check%3A no-final-return::bad.bpf: two%0Alines\n\
             ::notice title=callproof check::live skipped: no | kernel\n\
             callproof check: 1 passed, 1 failed, 1 skipped\n"
        );
    }
}

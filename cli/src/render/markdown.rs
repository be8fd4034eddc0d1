//! A Markdown table, for pull-request comments and job summaries.

use core::fmt::Write as _;

use crate::report::{Level, Outcome, Report};

/// One row a case, or a row for each of its findings.
pub(super) fn render(report: &Report) -> String {
    let (passed, failed, skipped) = report.totals();
    let mut text = format!(
        "### callproof {}: {passed} passed, {failed} failed, {skipped} skipped\n\n| | case | finding |\n|---|---|---|\n",
        report.suite
    );
    for case in &report.cases {
        let name = cell(&case.name);
        let _ = match &case.outcome {
            Outcome::Passed => writeln!(text, "| ok | {name} | |"),
            Outcome::Skipped(why) => writeln!(text, "| skipped | {name} | {} |", cell(why)),
            Outcome::Noted(findings) | Outcome::Failed(findings) => findings.iter().try_for_each(|finding| {
                writeln!(
                    text,
                    "| {} | {name} | {}: {} |",
                    match finding.level {
                        Level::Error => "**failed**",
                        Level::Warning | Level::Note => finding.level.name(),
                    },
                    finding.rule,
                    cell(&finding.message)
                )
            }),
        };
    }
    text
}

/// Text that cannot end a cell or start HTML.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn every_finding_is_a_row() {
        assert_eq!(
            render(&sample()),
            "### callproof check: 1 passed, 1 failed, 1 skipped\n\n| | case | finding |\n|---|---|---|\n\
             | ok | good.bpf | |\n\
             | **failed** | bad.bpf | load-offset: a &lt;bad> \"load\", 100% |\n\
             | **failed** | bad.bpf | no-final-return: two lines |\n\
             | skipped | live | no \\| kernel |\n"
        );
    }
}

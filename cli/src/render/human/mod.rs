//! For people.

mod cases;
mod check;
mod claims;
mod cost;
mod demo;
mod diff;
mod disasm;
mod eval;
mod lint;
mod rules;
mod table;
mod vectors;
mod written;

use crate::commands::Answer;

/// The answer as text with colours.
pub(super) fn text(answer: &Answer) -> String {
    match answer {
        Answer::Check(check) => check::text(check),
        Answer::Eval(eval) => eval::text(eval),
        Answer::Disasm(disasm) => disasm::text(disasm),
        Answer::Written(written) => written::text(written),
        Answer::Vectors(vectors) => vectors::text(vectors),
        Answer::Diff(diff) => diff::text(diff),
        Answer::Demo(demo) => demo::text(demo),
        Answer::Claims(claims) => claims::text(claims),
        Answer::Tests(tests) => cases::text(tests),
        Answer::Lint(lints) => lint::text(lints),
        Answer::Differences(differences) => rules::differences(differences),
        Answer::Explain(explain) => rules::explain(explain),
        Answer::Cost(cost) => cost::text(cost),
        Answer::CheckProof(checked) => claims::checked(checked),
        Answer::Streamed => String::new(),
    }
}

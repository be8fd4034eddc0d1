//! For people.

mod check;
mod demo;
mod diff;
mod disasm;
mod eval;
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
        Answer::Streamed => String::new(),
    }
}

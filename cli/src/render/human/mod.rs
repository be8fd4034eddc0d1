//! For people.

mod cases;
mod check;
mod claims;
mod cost;
mod demo;
mod diff;
mod disasm;
mod eval;
mod explain;
mod fuzz;
pub(super) mod guests;
mod lint;
mod observed;
mod rules;
mod scenarios;
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
        Answer::Scenarios(found) => scenarios::text(found),
        Answer::Diff(diff) => diff::text(diff),
        Answer::Fuzz(fuzz) => fuzz::text(fuzz),
        Answer::GuestList(list) => guests::list(list),
        Answer::Guests(guests) => guests::text(guests),
        Answer::Demo(demo) => demo::text(demo),
        Answer::Claims(claims) => claims::text(claims),
        Answer::Tests(tests) => cases::text(tests),
        Answer::Lint(lints) => lint::text(lints),
        Answer::Differences(differences) => rules::differences(differences),
        Answer::Explain(explain) => explain::text(explain),
        Answer::Cost(cost) => cost::text(cost),
        Answer::CheckProof(checked) => claims::checked(checked),
        Answer::Why(why) => observed::why(why),
        Answer::Replay(replay) => observed::replay(replay),
        Answer::Streamed => String::new(),
    }
}

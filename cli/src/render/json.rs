//! JSON for programs: one document, `{"command", "exit", "schema", "answer"}`. docs/CLI.md describes every answer.

use serde::Serialize;

use crate::commands::Answer;

/// The version of what docs/CLI.md describes: another one when a member changes its meaning or goes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a, T> {
    command: &'a str,
    exit: u8,
    schema: u32,
    answer: &'a T,
}

/// The answer on one line.
pub(super) fn text(answer: &Answer) -> String {
    match answer {
        Answer::Check(inner) => document(answer, inner),
        Answer::Eval(inner) => document(answer, inner),
        Answer::Disasm(inner) => document(answer, inner),
        Answer::Written(inner) => document(answer, inner),
        Answer::Vectors(inner) => document(answer, inner),
        Answer::Scenarios(inner) => document(answer, inner),
        Answer::Diff(inner) => document(answer, inner),
        Answer::Fuzz(inner) => document(answer, inner),
        Answer::GuestList(inner) => document(answer, inner),
        Answer::Guests(inner) => document(answer, inner),
        Answer::Demo(inner) => document(answer, inner),
        Answer::Claims(inner) => document(answer, inner),
        Answer::Tests(inner) => document(answer, inner),
        Answer::Lint(inner) => document(answer, inner),
        Answer::Differences(inner) => document(answer, inner),
        Answer::Explain(inner) => document(answer, inner),
        Answer::Cost(inner) => document(answer, inner),
        Answer::CheckProof(inner) => document(answer, inner),
        Answer::Why(inner) => document(answer, inner),
        Answer::Replay(inner) => document(answer, inner),
        Answer::Streamed => String::new(),
    }
}

fn document(answer: &Answer, inner: &impl Serialize) -> String {
    let document = Document {
        command: answer.command(),
        exit: answer.exit() as u8,
        schema: SCHEMA,
        answer: inner,
    };
    // Answers are plain data: strings, numbers, lists. Writing them to memory does not fail.
    let mut text = serde_json::to_string(&document).unwrap_or_default();
    text.push('\n');
    text
}

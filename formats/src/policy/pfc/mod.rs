//! Pseudo filter code: what `seccomp_export_pfc` of libseccomp writes, read as a specification.
//!
//! The text is a decision tree by indentation. A block runs from top to bottom and ends at the first `action`; a branch
//! without one goes on below it. So each `action` is a rule whose condition is its path, in the order of the text.
//!
//! Facts beyond the text, which filters of libseccomp 2.5.4 confirm (see `docs/POLICIES.md`): arguments of 32-bit ABIs
//! are written without a half and are the low one, x32 among them; x86_64 and x32 have the same `$arch` and are told
//! apart by the comment before it, or by bit 30 of the numbers; calls of an ABI without a section get the action for
//! invalid architectures; numbers from 0x80000000 up, but for -1, go with x32.

mod line;
mod tree;

use callproof_policy::{Policy, Problem, Span};

use super::PolicyRead;
use super::parts::{ENOUGH, x32_guard};

/// Reads a text.
pub(super) fn read(text: &str) -> Result<PolicyRead, Vec<Problem>> {
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let mut start = 0_usize;
    for raw in text.split_inclusive('\n') {
        match line::read(raw, start) {
            Ok(line) => lines.extend(line),
            Err(problem) => problems.push(problem),
        }
        start = start.saturating_add(raw.len());
        if problems.len() >= ENOUGH {
            break;
        }
    }
    let (rules, last) = tree::rules(&lines, &mut problems);
    let Some(default) = last else {
        let message = "there is no action for invalid architectures";
        let span = Span::new(text.len(), text.len());
        problems.push(Problem::new(message, span).help("is the text complete? its last line is such an `action`"));
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let rules = x32_guard(rules, &default);
    let policies = vec![Policy { default, rules }];
    Ok(PolicyRead {
        policies,
        notes: Vec::new(),
    })
}

//! The call that differs as little as possible from a witness and is treated otherwise.

use callproof_formats::call;
use callproof_policy::ByteOrder;
use callproof_verifier::{Relation, Session, Set, Space, Undecided, Verdicts, View, WordTest};
use callproof_vm::{Filter, Machine, SeccompData};

use crate::exhibit::{Nearest, decide, permits, verdict_text};

/// The words of registers, in the order in which they may change: arguments first, then the instruction pointer.
const WORDS: [u8; 14] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 3];

/// The nearest call of the same number: allowed when the witness is denied, else denied. `None` when there is none, or
/// when finding it takes too much.
pub(crate) fn nearest(
    session: &mut Session<'_>,
    filters: &[Filter<'_>],
    call: &SeccompData,
    machine: Machine,
    order: ByteOrder,
) -> Option<Nearest> {
    let denied = !permits(&decide(filters, call, machine, order), machine);
    let words = call.words(order.of(call.arch));
    let found = search(session, &words, denied, machine).ok().flatten()?;
    let near = SeccompData::from_words(found, order.of(call.arch));
    // Only what the emulator confirms is shown.
    let verdict = decide(filters, &near, machine, order);
    if permits(&verdict, machine) != denied {
        return None;
    }
    Some(Nearest {
        is: if denied { "allowed" } else { "denied" },
        call: call::print(&near),
        verdict: verdict_text(&verdict, &near, machine),
        differs: differs(call, &near),
    })
}

fn search(
    session: &mut Session<'_>,
    words: &[u32; 16],
    denied: bool,
    machine: Machine,
) -> Result<Option<[u32; 16]>, Undecided> {
    let function = session.function(View::Permits)?;
    let space = session.space();
    let permitted = Verdicts::permitted(machine.kernel);
    let wanted = if denied { permitted } else { permitted.inverted() };
    let mut set = space.calls(&function, &wanted)?;
    for word in [1, 0] {
        set = kept(space, set, words, word, u32::MAX)?;
    }
    if set.is_empty() {
        return Ok(None);
    }
    // One word alone, if that is enough; otherwise as many as can stay.
    let mut fewest = None;
    for changed in WORDS {
        let mut rest = set;
        for word in WORDS.into_iter().filter(|word| *word != changed) {
            rest = kept(space, rest, words, word, u32::MAX)?;
        }
        if !rest.is_empty() {
            fewest = Some(rest);
            break;
        }
    }
    let mut set = fewest.unwrap_or(set);
    for word in WORDS.into_iter().rev() {
        let same = kept(space, set, words, word, u32::MAX)?;
        set = if same.is_empty() {
            closer(space, set, words, word)?
        } else {
            same
        };
    }
    let found = space.example(set)?;
    Ok(found.map(|call| call.words(space.machine().endian)))
}

/// As many bits of a word as can stay, the high ones first.
fn closer(space: &mut Space, set: Set, words: &[u32; 16], word: u8) -> Result<Set, Undecided> {
    (0..32).rev().try_fold(set, |set, bit| {
        let same = kept(space, set, words, word, 1 << bit)?;
        Ok(if same.is_empty() { set } else { same })
    })
}

/// The calls of a set in which some bits of a word are those of the witness.
fn kept(space: &mut Space, set: Set, words: &[u32; 16], word: u8, mask: u32) -> Result<Set, Undecided> {
    let value = words.get(usize::from(word)).copied().unwrap_or_default() & mask;
    with_bits(space, set, (word, mask, value))
}

/// The calls of a set in which some bits of a word are these.
pub(crate) fn with_bits(space: &mut Space, set: Set, (word, mask, value): (u8, u32, u32)) -> Result<Set, Undecided> {
    let relation = Relation::Equal;
    let same = space.word(&WordTest {
        word,
        relation,
        mask,
        value,
    })?;
    space.and(set, same)
}

fn differs(from: &SeccompData, to: &SeccompData) -> Vec<String> {
    let arguments = from.args.iter().zip(&to.args).enumerate();
    let mut differs: Vec<String> = arguments
        .filter(|(_, (from, to))| from != to)
        .map(|(index, (from, to))| format!("args[{index}]: {to:#x} instead of {from:#x}"))
        .collect();
    if from.instruction_pointer != to.instruction_pointer {
        let (from, to) = (from.instruction_pointer, to.instruction_pointer);
        differs.push(format!("ip: {to:#x} instead of {from:#x}"));
    }
    differs
}

//! Other layouts of a filter: the same answers, with call numbers told apart in another order or in a tree.
//!
//! A layout is a piece of program in front of the filter. It tells numbers apart, returns what the filter would return,
//! and goes on inside the filter where that looks at more than the number.

use callproof_vm::Insn;

use super::savings::Plan;
use super::shape::{Piece, Rest};

/// How the numbers of one architecture word are told apart.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) arch: u32,
    /// All numbers, in pieces
    pub(super) pieces: Vec<Piece>,
    /// Numbers that are called often enough to be worth an order of their own: how often
    pub(super) often: Vec<(u32, u64)>,
}

/// A program that says what a filter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) program: Vec<Insn>,
    /// Where the filter itself begins
    pub(super) entry: usize,
}

/// Most numbers of a piece that are tested one by one.
const SINGLES: u64 = 512;
/// Most tests whose leaves stand together: all of them stay in reach of a jump.
const CHUNK: usize = 80;

/// Lays a filter out anew, sections in the order given.
pub(super) fn lay(plan: Plan, sections: &[Section], filter: &[Insn]) -> Layout {
    let mut writer = Writer::default();
    writer.emit(Insn::stmt(LD, 4));
    for section in sections {
        writer.emit(Insn::jump(JEQ, section.arch, 1, 0));
        let over = writer.emit(Insn::stmt(JA, 0));
        writer.emit(Insn::stmt(LD, 0));
        match plan {
            Plan::Order => writer.chain(section),
            Plan::Tree => writer.tree(&section.pieces),
        }
        writer.land(over);
    }
    writer.finish(filter)
}

const LD: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const JA: u16 = 0x05;
const RET: u16 = 0x06;

/// Writes forward; jumps into the filter get their distance at the end.
#[derive(Default)]
struct Writer {
    program: Vec<Insn>,
    /// Jumps into the filter: (where, to which of its instructions)
    entries: Vec<(usize, usize)>,
}

impl Writer {
    fn emit(&mut self, insn: Insn) -> usize {
        self.program.push(insn);
        self.program.len().saturating_sub(1)
    }

    fn leaf(&mut self, rest: Rest) {
        match rest {
            Rest::Returns(value) => {
                self.emit(Insn::stmt(RET, value));
            }
            Rest::From(pc) => {
                let at = self.emit(Insn::stmt(JA, 0));
                self.entries.push((at, pc));
            }
        }
    }

    /// Makes a `ja` lead to what comes next.
    fn land(&mut self, at: usize) {
        let here = self.program.len();
        if let Some(insn) = self.program.get_mut(at) {
            insn.k = distance(at, here);
        }
    }

    /// Tests one after the other: numbers by how often they are called, then ranges, and what most numbers get is left.
    fn chain(&mut self, section: &Section) {
        let default = commonest(&section.pieces);
        let tests = tests(section, default);
        for (number, chunk) in tests.chunks(CHUNK).enumerate() {
            let last = number.saturating_add(1).saturating_mul(CHUNK) >= tests.len();
            self.chunk(chunk, last.then_some(default));
        }
        if tests.is_empty() {
            self.leaf(default);
        }
    }

    /// Some tests, and behind them their leaves. Without a default, what passes them all goes on behind the leaves.
    fn chunk(&mut self, tests: &[Probe], default: Option<Rest>) {
        let mut hits: Vec<(usize, Rest)> = Vec::new();
        for test in tests {
            if let Some(beyond) = test.beyond {
                // Numbers above the range pass over the test of its first.
                self.emit(Insn::jump(JGT, beyond, 1, 0));
            }
            hits.push((self.emit(Insn::jump(test.code, test.k, 0, 0)), test.rest));
        }
        let over = match default {
            Some(default) => {
                self.leaf(default);
                None
            }
            None => Some(self.emit(Insn::stmt(JA, 0))),
        };
        let mut leaves: Vec<(Rest, usize)> = Vec::new();
        for (at, rest) in hits {
            let known = leaves.iter().find(|(known, _)| *known == rest).map(|(_, at)| *at);
            let target = known.unwrap_or_else(|| {
                let here = self.program.len();
                leaves.push((rest, here));
                self.leaf(rest);
                here
            });
            if let Some(insn) = self.program.get_mut(at) {
                insn.jt = near(distance(at, target));
            }
        }
        if let Some(over) = over {
            self.land(over);
        }
    }

    /// A balanced tree of comparisons.
    fn tree(&mut self, pieces: &[Piece]) {
        let (left, right) = pieces.split_at(pieces.len() / 2);
        let Some(first) = right.first() else { return };
        if left.is_empty() {
            self.leaf(first.rest);
            return;
        }
        // A tree of n leaves takes at most three instructions for each.
        let is_near = left.len().saturating_mul(3) < usize::from(u8::MAX);
        let at = if is_near {
            self.emit(Insn::jump(JGE, first.first, 0, 0))
        } else {
            self.emit(Insn::jump(JGE, first.first, 0, 1));
            self.emit(Insn::stmt(JA, 0))
        };
        self.tree(left);
        let here = self.program.len();
        if is_near {
            if let Some(insn) = self.program.get_mut(at) {
                insn.jt = near(distance(at, here));
            }
        } else {
            self.land(at);
        }
        self.tree(right);
    }

    fn finish(mut self, filter: &[Insn]) -> Layout {
        let entry = self.program.len();
        for (at, pc) in self.entries {
            if let Some(insn) = self.program.get_mut(at) {
                insn.k = distance(at, entry.saturating_add(pc));
            }
        }
        self.program.extend_from_slice(filter);
        Layout {
            program: self.program,
            entry,
        }
    }
}

fn distance(from: usize, to: usize) -> u32 {
    u32::try_from(to.saturating_sub(from).saturating_sub(1)).unwrap_or(u32::MAX)
}

fn near(distance: u32) -> u8 {
    u8::try_from(distance).unwrap_or(u8::MAX)
}

/// One test of a chain.
struct Probe {
    code: u16,
    k: u32,
    /// The last number of a range that does not go on to the end
    beyond: Option<u32>,
    rest: Rest,
}

/// What most numbers get.
fn commonest(pieces: &[Piece]) -> Rest {
    let mut widths: Vec<(Rest, u64)> = Vec::new();
    for piece in pieces {
        match widths.iter_mut().find(|(rest, _)| *rest == piece.rest) {
            Some((_, width)) => *width = width.saturating_add(piece.width()),
            None => widths.push((piece.rest, piece.width())),
        }
    }
    let widest = widths.iter().max_by_key(|(_, width)| *width);
    widest.map_or(Rest::From(0), |(rest, _)| *rest)
}

fn tests(section: &Section, default: Rest) -> Vec<Probe> {
    let (mut singles, mut ranges) = (Vec::new(), Vec::new());
    for piece in section.pieces.iter().filter(|piece| piece.rest != default) {
        if piece.width() > SINGLES {
            ranges.push(Probe {
                code: JGE,
                k: piece.first,
                beyond: (piece.last != u32::MAX).then_some(piece.last),
                rest: piece.rest,
            });
            continue;
        }
        let probe = |k| Probe {
            code: JEQ,
            k,
            beyond: None,
            rest: piece.rest,
        };
        singles.extend((piece.first..=piece.last).map(probe));
    }
    let count = |k: u32| {
        let known = section.often.binary_search_by_key(&k, |(number, _)| *number);
        known
            .ok()
            .and_then(|at| section.often.get(at))
            .map_or(0, |(_, count)| *count)
    };
    singles.sort_by_cached_key(|probe| (core::cmp::Reverse(count(probe.k)), probe.k));
    singles.extend(ranges);
    singles
}

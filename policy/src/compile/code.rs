//! Instructions, written from the last to the first.

use std::collections::HashMap;

use callproof_vm::Insn;

/// `ld [k]`
const LOAD: u16 = 0x20;
/// `and #k`
const AND: u16 = 0x54;
/// `jeq #k`
const JEQ: u16 = 0x15;
/// `jgt #k`
const JGT: u16 = 0x25;
/// `jset #k`
const JSET: u16 = 0x45;
/// `ja k`
const JA: u16 = 0x05;
/// `ret #k`
const RET: u16 = 0x06;

/// The farthest that a conditional jump skips.
const FARTHEST: usize = 255;

/// A place in the code: how many instructions follow it, its own included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label(usize);

/// A test of the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    code: u16,
    k: u32,
}

impl Test {
    pub(super) const fn equal(k: u32) -> Self {
        Self { code: JEQ, k }
    }

    pub(super) const fn above(k: u32) -> Self {
        Self { code: JGT, k }
    }

    pub(super) const fn any_bit(k: u32) -> Self {
        Self { code: JSET, k }
    }
}

/// A program that grows at its front.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The last instruction first
    reversed: Vec<Insn>,
    /// Where a value is returned, the place nearest to the front
    returns: HashMap<u32, Label>,
    /// Which value is returned at a place
    values: HashMap<Label, u32>,
}

impl Code {
    fn push(&mut self, insn: Insn) -> Label {
        self.reversed.push(insn);
        Label(self.reversed.len())
    }

    /// How many instructions an instruction written next would skip to get there.
    const fn skip(&self, to: Label) -> usize {
        self.reversed.len().saturating_sub(to.0)
    }

    /// A place where the value is returned.
    pub(super) fn ret(&mut self, value: u32) -> Label {
        match self.returns.get(&value) {
            Some(known) => *known,
            None => self.fresh_ret(value),
        }
    }

    fn fresh_ret(&mut self, value: u32) -> Label {
        let label = self.push(Insn::stmt(RET, value));
        self.returns.insert(value, label);
        self.values.insert(label, value);
        label
    }

    /// Loads a word of `seccomp_data`.
    pub(super) fn load(&mut self, word: u8) -> Label {
        self.push(Insn::stmt(LOAD, u32::from(word) * 4))
    }

    /// Keeps the bits of a mask.
    pub(super) fn mask(&mut self, mask: u32) -> Label {
        self.push(Insn::stmt(AND, mask))
    }

    /// Goes one way or the other.
    pub(super) fn branch(&mut self, test: Test, then: Label, otherwise: Label) -> Label {
        // What makes the one way near makes the other one longer by an instruction, hence two rounds at most.
        let otherwise = self.near(otherwise);
        let then = self.near(then);
        let otherwise = self.near(otherwise);
        let (jt, jf) = (self.skip(then), self.skip(otherwise));
        let short = |skip: usize| u8::try_from(skip).unwrap_or(u8::MAX);
        self.push(Insn::jump(test.code, test.k, short(jt), short(jf)))
    }

    /// A place with the same effect that a conditional jump reaches, with room for one more instruction in between.
    fn near(&mut self, label: Label) -> Label {
        if self.skip(label) < FARTHEST {
            return label;
        }
        match self.values.get(&label).copied() {
            Some(value) => match self.returns.get(&value).copied() {
                Some(known) if self.skip(known) < FARTHEST => known,
                _ => self.fresh_ret(value),
            },
            None => self.jump(label),
        }
    }

    fn jump(&mut self, to: Label) -> Label {
        let skip = u32::try_from(self.skip(to)).unwrap_or(u32::MAX);
        self.push(Insn::stmt(JA, skip))
    }

    /// Lets the program begin at a place.
    pub(super) fn start_at(&mut self, label: Label) {
        if self.skip(label) > 0 {
            self.jump(label);
        }
    }

    /// The program, first instruction first.
    pub(super) fn finish(mut self) -> Vec<Insn> {
        self.reversed.reverse();
        self.reversed
    }
}

#[cfg(test)]
mod tests {
    use callproof_vm::{Filter, Machine, SeccompData};

    use super::*;

    /// `nr == 7` decides between two places that lie `between` instructions back.
    fn choice(between: usize) -> Vec<Insn> {
        let mut code = Code::default();
        let no = code.ret(1);
        let yes = code.load(0);
        code.reversed.pop();
        let yes = Label(yes.0);
        code.push(Insn::stmt(RET, 2));
        for _ in 0..between {
            code.load(0);
        }
        code.branch(Test::equal(7), yes, no);
        code.load(0);
        code.finish()
    }

    #[test]
    fn every_distance_is_reached() {
        for between in [0, 1, 2, 250, 251, 252, 253, 254, 255, 256, 257, 258, 1000] {
            let filter = Filter::load(choice(between)).unwrap();
            let run = |nr| filter.run(&SeccompData::new(0, nr, [0; 6]), Machine::default());
            assert_eq!((run(7), run(8)), (2, 1), "{between}");
        }
    }

    #[test]
    fn values_far_away_are_returned_anew() {
        let far = choice(300);
        assert_eq!(far.iter().filter(|insn| **insn == Insn::stmt(RET, 1)).count(), 2);
        assert_eq!(far.iter().filter(|insn| insn.code == JA).count(), 1);
    }
}

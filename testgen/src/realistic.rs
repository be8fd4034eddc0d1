//! Programs laid out as compilers of policies lay them out.
//!
//! They are put together from the end, so that every jump knows its target, and leads through a `ja` where it is far.

use callproof_abi::Abi;
use callproof_vm::{Endian, Insn};

use crate::choose::Choose;
use crate::constants::{action_word, constant};

/// A program that the kernel installs and that looks like a policy: it tells ABIs apart, then numbers by a list or a
/// search tree, then arguments by their halves, and returns actions.
pub fn realistic(choose: &mut impl Choose) -> Vec<Insn> {
    let mut layout = Layout::new(choose);
    let other_abis = action_word(choose);
    let mut next = layout.leaf(other_abis);
    let mut tests = Vec::new();
    for _ in 0..=choose.below(3) {
        let abi = choose.pick(&[Some(Abi::X86_64), Some(Abi::I386), Some(Abi::Aarch64), Some(Abi::S390x)]);
        let abi = abi.unwrap_or(Abi::X86_64);
        let section = layout.section(abi, next, choose);
        tests.push((abi.audit_arch(), section));
    }
    for (arch, section) in tests {
        next = layout.branch(JEQ, arch, section, next);
    }
    layout.load(ARCH);
    layout.finish()
}

const LD_ABS: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const AND: u16 = 0x54;
const NR: u32 = 0;
const ARCH: u32 = 4;
/// Longer programs are cut short of calls.
const LONGEST: usize = 2000;

/// An instruction, counted from the end.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Label(usize);

/// A program from its end to its beginning.
struct Layout {
    reversed: Vec<Insn>,
    /// Returns that jumps share, as some compilers have them at the end
    leaves: Vec<(u32, Label)>,
    sharing: bool,
    tree: bool,
}

/// One test of a register.
struct Test {
    index: u32,
    kind: u32,
    value: u64,
    mask: u64,
}

impl Layout {
    fn new(choose: &mut impl Choose) -> Self {
        Self {
            reversed: Vec::new(),
            leaves: Vec::new(),
            sharing: choose.one_in(2),
            tree: choose.one_in(2),
        }
    }

    fn finish(mut self) -> Vec<Insn> {
        self.reversed.reverse();
        self.reversed
    }

    fn push(&mut self, insn: Insn) -> Label {
        self.reversed.push(insn);
        Label(self.reversed.len().saturating_sub(1))
    }

    fn load(&mut self, offset: u32) -> Label {
        self.push(Insn::stmt(LD_ABS, offset))
    }

    /// A return of this value.
    fn leaf(&mut self, value: u32) -> Label {
        let known = self.leaves.iter().find(|(known, _)| self.sharing && *known == value);
        if let Some((_, label)) = known {
            return *label;
        }
        let label = self.push(Insn::stmt(0x06, value));
        self.leaves.push((value, label));
        label
    }

    /// How many instructions an instruction that comes before all others skips to get there.
    fn distance(&self, target: Label) -> usize {
        self.reversed.len().saturating_sub(1).saturating_sub(target.0)
    }

    /// The target, or an instruction near enough that leads there.
    fn near(&mut self, target: Label) -> Label {
        // One more instruction may come between before the branch does.
        if self.distance(target) < 254 {
            return target;
        }
        let skipped = u32::try_from(self.distance(target)).unwrap_or(u32::MAX);
        self.push(Insn::stmt(0x05, skipped))
    }

    fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        let (yes, no) = (self.near(yes), self.near(no));
        let skip = |layout: &Self, label| u8::try_from(layout.distance(label)).unwrap_or(u8::MAX);
        let insn = Insn::jump(code, k, skip(self, yes), skip(self, no));
        self.push(insn)
    }

    /// Everything for one ABI.
    fn section(&mut self, abi: Abi, elsewhere: Label, choose: &mut impl Choose) -> Label {
        let default = self.leaf(action_word(choose));
        let mut calls = Vec::new();
        let most = if choose.one_in(12) { 400 } else { 24 };
        for _ in 0..=choose.below(most) {
            if self.reversed.len() > LONGEST {
                break;
            }
            let number = some_number(abi, choose);
            let body = self.body(abi, default, choose);
            calls.push((number, body));
        }
        calls.sort_by_key(|(number, _)| *number);
        calls.dedup_by_key(|(number, _)| *number);
        let mut start = if self.tree {
            self.search(&calls, default)
        } else {
            let list = calls.iter().rev();
            list.fold(default, |next, (number, body)| self.branch(JEQ, *number, *body, next))
        };
        if abi == Abi::X86_64 && !choose.one_in(3) {
            start = self.branch(JGE, 0x4000_0000, elsewhere, start);
        }
        self.entered(NR, start)
    }

    /// A load in front of a label.
    fn entered(&mut self, offset: u32, start: Label) -> Label {
        if self.distance(start) > 0 {
            let skipped = u32::try_from(self.distance(start)).unwrap_or(u32::MAX);
            self.push(Insn::stmt(0x05, skipped));
        }
        self.load(offset)
    }

    /// A binary search over the numbers.
    fn search(&mut self, calls: &[(u32, Label)], default: Label) -> Label {
        match calls {
            [] => default,
            [(number, body)] => self.branch(JEQ, *number, *body, default),
            _ => {
                let (low, high) = calls.split_at(calls.len() / 2);
                let middle = high.first().map_or(0, |(number, _)| *number);
                let high = self.search(high, default);
                let low = self.search(low, default);
                self.branch(JGE, middle, high, low)
            }
        }
    }

    /// What happens to a call: an action, or rules with tests of arguments and then an action or the default.
    fn body(&mut self, abi: Abi, default: Label, choose: &mut impl Choose) -> Label {
        let mut next = if choose.one_in(2) {
            default
        } else {
            self.leaf(action_word(choose))
        };
        if choose.one_in(2) {
            return next;
        }
        for _ in 0..=choose.below(3) {
            let mut hit = self.leaf(action_word(choose));
            for _ in 0..=choose.below(3) {
                let test = Test {
                    index: choose.below(6),
                    kind: choose.below(5),
                    value: u64::from(constant(choose)) << 32 | u64::from(constant(choose)),
                    mask: if choose.one_in(3) { 0xffff_ffff } else { u64::MAX },
                };
                hit = self.test(&test, abi, hit, next);
            }
            next = hit;
        }
        next
    }

    /// A test of a register by its halves, the high one first.
    fn test(&mut self, test: &Test, abi: Abi, yes: Label, no: Label) -> Label {
        let endian = Endian::of_audit_arch(abi.audit_arch());
        let first = test.index.saturating_mul(8).saturating_add(16);
        let (low, high) = match endian {
            Endian::Little => (first, first.saturating_add(4)),
            Endian::Big => (first.saturating_add(4), first),
        };
        let [low_value, high_value] = halves(test.value);
        let [low_mask, high_mask] = halves(test.mask);
        let code = match test.kind {
            0 | 1 => JEQ,
            2 => JGT,
            3 => JGE,
            _ => JSET,
        };
        let start = self.branch(code, low_value, yes, no);
        if test.kind == 1 {
            self.push(Insn::stmt(AND, low_mask & low_value));
        }
        let start = self.entered(low, start);
        if high_mask == 0 {
            return start;
        }
        // JSET looks at either half; an order is settled by the high half unless it is the same.
        let start = match test.kind {
            0 | 1 => self.branch(JEQ, high_value, start, no),
            2 | 3 => {
                let same = self.branch(JEQ, high_value, start, no);
                self.branch(JGT, high_value, yes, same)
            }
            _ => self.branch(JSET, high_value, yes, start),
        };
        self.entered(high, start)
    }
}

fn some_number(abi: Abi, choose: &mut impl Choose) -> u32 {
    let mut calls = abi.syscalls();
    let count = u32::try_from(calls.len()).unwrap_or(0);
    let nth = choose.below(count) as usize;
    calls.nth(nth).map_or(0, |call| call.number)
}

const fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests {
    use callproof_vm::{Filter, Machine};

    use super::*;
    use crate::{Bytes, Caller, Harvest, Seed};

    #[test]
    fn every_program_is_installed_and_reaches_many_returns() {
        let (mut longest, mut far, mut values) = (0, 0, std::collections::BTreeSet::new());
        for number in 0..3000 {
            let mut seed = Seed::new(21, number);
            let program = realistic(&mut seed);
            let filter = Filter::load(&program[..]).unwrap_or_else(|rejected| panic!("{number}: {rejected}"));
            longest = longest.max(program.len());
            far += program.iter().filter(|insn| insn.code == 0x05 && insn.k > 255).count();
            let arches: Vec<Caller> = [0xc000_003e, 0x4000_0003, 0xc000_00b7]
                .map(|arch| Caller { arch, ip: 0 })
                .to_vec();
            for call in Harvest::of(&program).calls(&mut seed, 20, &arches) {
                values.insert(filter.run(&call, Machine::default()));
            }
        }
        assert!(longest > 1500 && longest <= 4096, "{longest}");
        assert!(far > 100, "{far}");
        assert!(values.len() > 200, "{}", values.len());
    }

    #[test]
    fn no_bytes_make_a_short_program() {
        let program = realistic(&mut Bytes::new(&[]));
        assert!(program.len() < 16, "{program:?}");
    }
}

//! What is known at one place of a program, before any argument is.

use callproof_vm::isa::{Cond, Op, Size, Src};
use callproof_vm::{Endian, Insn, SeccompData, ShiftByX};

use super::live::{Live, Register};
use super::numbers::Numbers;
use crate::place::Place;
use crate::predecoded::{RECORD_LEN, Registers};
use crate::test::Test;

/// The word of the call number, and that of the architecture.
pub(super) const NR: u8 = 0;
pub(super) const ARCH: u8 = 1;

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Value {
    /// A constant
    Known(u32),
    /// Some bits of a word of the record
    Word { index: u8, mask: u32 },
}

impl Value {
    const ZERO: Self = Self::Known(0);

    const fn word(index: u8) -> Self {
        Self::Word { index, mask: u32::MAX }
    }

    fn and(self, k: u32) -> Self {
        match self {
            Self::Known(value) => Self::Known(value & k),
            Self::Word { mask, .. } if mask & k == 0 => Self::ZERO,
            Self::Word { index, mask } => Self::Word { index, mask: mask & k },
        }
    }

    /// The value for one record.
    fn of(self, call: &SeccompData, endian: Endian) -> u32 {
        match self {
            Self::Known(value) => value,
            Self::Word { index, mask } => Place::new(index, endian).word(call) & mask,
        }
    }
}

/// Which calls are meant: their architecture word, and their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calls<'c> {
    /// The word; `None` for all but those that are listed
    pub(super) arch: Option<u32>,
    pub(super) arches: &'c [u32],
    pub(super) numbers: Numbers,
}

impl Calls<'_> {
    /// The outcome of a test of the architecture word, when all these calls have the same.
    fn arch_passes(&self, test: Test) -> Option<bool> {
        match (self.arch, test.only()) {
            (Some(arch), _) => Some(test.passes(arch)),
            (None, Some(asked)) if self.arches.contains(&asked) => Some(false),
            (None, _) => None,
        }
    }
}

/// The registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) pc: u16,
    pub(super) a: Value,
    pub(super) x: Value,
    pub(super) cells: [Value; 16],
}

/// What an instruction comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The state has changed
    Went,
    /// A value is returned
    Returns(u32),
    /// A word decides where to go on
    Asks { index: u8, test: Test, yes: u16, no: u16 },
    /// A word is needed as a number
    Needs,
}

impl State {
    pub(super) const START: Self = Self {
        pc: 0,
        a: Value::ZERO,
        x: Value::ZERO,
        cells: [Value::ZERO; 16],
    };

    /// Executes the instruction at `pc`, as far as its operands are known. The state is unchanged unless it went on.
    pub(super) fn step(&mut self, insn: Insn, calls: &Calls<'_>, shift: ShiftByX) -> Next {
        let k = insn.k;
        match insn.op() {
            Some(Op::LdImm) => self.a = Value::Known(k),
            Some(Op::LdxImm) => self.x = Value::Known(k),
            Some(Op::LdAbs(Size::Word)) => self.a = load(k / 4, calls),
            Some(Op::LdLen) => self.a = Value::Known(RECORD_LEN),
            Some(Op::LdxLen) => self.x = Value::Known(RECORD_LEN),
            Some(Op::LdMem) => self.a = self.cell(k),
            Some(Op::LdxMem) => self.x = self.cell(k),
            Some(Op::St) => self.store(k, self.a),
            Some(Op::Stx) => self.store(k, self.x),
            Some(Op::Tax) => self.x = self.a,
            Some(Op::Txa) => self.a = self.x,
            Some(Op::Neg) => match self.a {
                Value::Known(a) => self.a = Value::Known(a.wrapping_neg()),
                Value::Word { .. } => return Next::Needs,
            },
            Some(Op::Alu(alu, src)) => match (self.a, self.operand(src, k)) {
                (Value::Known(a), Value::Known(v)) => match alu.apply(a, v, src, shift) {
                    Some(result) => self.a = Value::Known(result),
                    None => return Next::Returns(0),
                },
                (a, Value::Known(v)) if alu == callproof_vm::isa::Alu::And => self.a = a.and(v),
                _ => return Next::Needs,
            },
            Some(Op::Ja) => {
                let (target, _) = targets(insn, self.pc);
                self.pc = target;
                return Next::Went;
            }
            Some(Op::Jump(cond, src)) => return self.jump(insn, cond, self.operand(src, k), calls),
            Some(Op::RetK) => return Next::Returns(k),
            Some(Op::RetA) => match self.a {
                Value::Known(a) => return Next::Returns(a),
                Value::Word { .. } => return Next::Needs,
            },
            // Admission refuses these.
            Some(Op::LdAbs(_) | Op::LdInd(_) | Op::LdxMsh | Op::RetX) | None => return Next::Returns(0),
        }
        self.pc = self.pc.wrapping_add(1);
        Next::Went
    }

    fn jump(&mut self, insn: Insn, cond: Cond, operand: Value, calls: &Calls<'_>) -> Next {
        let (yes, no) = targets(insn, self.pc);
        let Value::Known(v) = operand else { return Next::Needs };
        let (index, test) = match self.a {
            Value::Known(a) => {
                self.pc = if cond.holds(a, v) { yes } else { no };
                return Next::Went;
            }
            Value::Word { index, mask } => (index, Test::new(cond, v).keeping(mask)),
        };
        if yes == no {
            self.pc = yes;
            return Next::Went;
        }
        match calls.arch_passes(test).filter(|_| index == ARCH) {
            Some(passes) => {
                self.pc = if passes { yes } else { no };
                Next::Went
            }
            None => Next::Asks { index, test, yes, no },
        }
    }

    /// The state with the call number known.
    pub(super) fn knowing(&self, number: u32) -> Self {
        let known = |value: Value| match value {
            Value::Word { index: NR, mask } => Value::Known(number & mask),
            other => other,
        };
        Self {
            pc: self.pc,
            a: known(self.a),
            x: known(self.x),
            cells: self.cells.map(known),
        }
    }

    /// Whether a register still depends on the call number.
    pub(super) fn holds_number(&self) -> bool {
        let of_number = |value: &Value| matches!(value, Value::Word { index: NR, .. });
        of_number(&self.a) || of_number(&self.x) || self.cells.iter().any(of_number)
    }

    /// The registers for one record.
    pub(super) fn registers(&self, call: &SeccompData, endian: Endian) -> Registers {
        Registers {
            a: self.a.of(call, endian),
            x: self.x.of(call, endian),
            cells: self.cells.map(|cell| cell.of(call, endian)),
        }
    }

    /// The state without what no instruction reads any more, so that states that go on alike are equal.
    pub(super) fn forgetting(&self, live: Live) -> Self {
        let keep = |register, value| if live.has(register) { value } else { Value::ZERO };
        let mut cells = self.cells;
        for (cell, value) in (0..).zip(&mut cells) {
            *value = keep(Register::Cell(cell), *value);
        }
        Self {
            pc: self.pc,
            a: keep(Register::A, self.a),
            x: keep(Register::X, self.x),
            cells,
        }
    }

    fn operand(&self, src: Src, k: u32) -> Value {
        match src {
            Src::K => Value::Known(k),
            Src::X => self.x,
        }
    }

    fn cell(&self, cell: u32) -> Value {
        self.cells.get(cell as usize).copied().unwrap_or(Value::ZERO)
    }

    fn store(&mut self, cell: u32, value: Value) {
        if let Some(cell) = self.cells.get_mut(cell as usize) {
            *cell = value;
        }
    }
}

/// A word of the record: the number and the architecture are known where there is just one.
fn load(index: u32, calls: &Calls<'_>) -> Value {
    let [index, ..] = index.to_le_bytes();
    let known = match index {
        NR => calls.numbers.single(),
        ARCH => calls.arch,
        _ => None,
    };
    known.map_or(Value::word(index), Value::Known)
}

/// Where a jump leads. Admission keeps it inside a program of at most 4,096 instructions.
fn targets(insn: Insn, pc: u16) -> (u16, u16) {
    let (yes, no) = insn.targets(usize::from(pc)).unwrap_or_default();
    let inside = |target: u64| u16::try_from(target).unwrap_or(u16::MAX);
    (inside(yes), inside(no))
}

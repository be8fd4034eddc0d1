//! The symbolic state of a run, and running straight ahead until something has to be decided.

use callproof_vm::Insn;
use callproof_vm::ShiftByX;
use callproof_vm::isa::{Alu, Op, Size, Src};

use crate::fault::{Fault, planted};
use crate::live::{A, CELLS, Live, X};
use crate::table::{Found, Index, mix};
use crate::test::{Normal, Relation, Test, WordTest, normalise};
use crate::value::{Expr, Exprs, Field, Value, WORDS, Word};

/// What the registers and the scratch memory hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) a: Value,
    pub(crate) x: Value,
    /// Number of the scratch memory in [`Symbols`]; 0 is all zeros
    pub(crate) cells: u32,
}

impl State {
    pub(crate) const START: Self = Self {
        a: Value::Const(0),
        x: Value::Const(0),
        cells: 0,
    };

    /// The word that A holds as a whole, when X and the scratch memory hold zeros.
    #[inline]
    pub(super) fn only_word(&self) -> Option<Word> {
        match self {
            Self {
                a:
                    Value::Field(Field {
                        word,
                        shift: 0,
                        mask: u32::MAX,
                    }),
                x: Value::Const(0),
                cells: 0,
            } => Some(*word),
            _ => None,
        }
    }
}

type Cells = [Value; 16];

/// Everything that states refer to: expressions and scratch memories, each stored once.
#[derive(Clone, Debug)]
pub(crate) struct Symbols {
    pub(crate) exprs: Exprs,
    /// Whether tests of words are passed over when every word passes them, or none
    folds: bool,
    cells: Vec<Cells>,
    index: Index,
}

/// Where a straight run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) pc: usize,
    pub(crate) state: State,
    /// Instructions executed on the way, without the one at `pc`
    pub(crate) steps: u32,
    pub(crate) stop: Stop,
}

/// Why it ends there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// The instruction at `pc` tests; `true` when the test in normal form is the opposite
    Test(Test, bool),
    /// The instruction at `pc` divides by X, which may be 0
    Division,
    /// The instruction at `pc` returns this
    Return(Value),
}

/// Told about every instruction on the way: its number, the state before it, and which way a test went that always
/// goes the same way.
pub(crate) trait Visitor {
    fn visit(&mut self, pc: usize, state: &State, known: Option<bool>);
}

impl Visitor for () {
    #[inline]
    fn visit(&mut self, _: usize, _: &State, _: Option<bool>) {}
}

impl Symbols {
    pub(crate) fn new(shift: ShiftByX, folds: bool) -> Self {
        Self {
            exprs: Exprs::new(shift),
            folds,
            cells: vec![[Value::Const(0); 16]],
            index: Index::new(2),
        }
    }

    /// How many expressions and memories there are.
    pub(crate) fn len(&self) -> usize {
        self.exprs.len().saturating_add(self.cells.len())
    }

    /// Bytes of memory that they take.
    pub(crate) fn bytes(&self) -> u64 {
        let cells = self.cells.capacity().saturating_mul(size_of::<Cells>());
        let exprs = self.exprs.len().saturating_mul(size_of::<Expr>());
        cells.saturating_add(exprs) as u64
    }

    /// Forgets what is not live.
    #[inline]
    pub(crate) fn keep(&mut self, mut state: State, live: Live) -> State {
        if live & A == 0 {
            state.a = Value::Const(0);
        }
        if live & X == 0 {
            state.x = Value::Const(0);
        }
        if state.cells != 0 {
            state.cells = self.keep_cells(state.cells, live);
        }
        state
    }

    fn keep_cells(&mut self, number: u32, live: Live) -> u32 {
        if live & CELLS == 0 {
            return 0;
        }
        let mut cells = self.all_cells(number);
        for (cell, value) in cells.iter_mut().enumerate() {
            if live >> (cell + 2) & 1 == 0 {
                *value = Value::Const(0);
            }
        }
        self.intern(cells)
    }

    /// What the scratch cells of a memory hold.
    pub(crate) fn all_cells(&self, number: u32) -> Cells {
        let cells = self.cells.get(number as usize).copied();
        cells.unwrap_or([Value::Const(0); 16])
    }

    fn load(&self, number: u32, cell: u32) -> Value {
        let cells = self.cells.get(number as usize);
        let value = cells.and_then(|cells| cells.get(cell as usize));
        value.copied().unwrap_or(Value::Const(0))
    }

    fn store(&mut self, number: u32, cell: u32, value: Value) -> u32 {
        let mut cells = self.all_cells(number);
        if let Some(slot) = cells.get_mut(cell as usize) {
            *slot = value;
        }
        self.intern(cells)
    }

    fn intern(&mut self, cells: Cells) -> u32 {
        if cells == [Value::Const(0); 16] {
            return 0;
        }
        match self
            .index
            .find(hash(&cells), |number| self.cells.get(number as usize) == Some(&cells))
        {
            Found::At(number) => number,
            Found::Free(slot) => {
                let number = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
                self.cells.push(cells);
                if self.index.put(slot, number) {
                    let all = &self.cells;
                    self.index.grow(|number| all.get(number as usize).map_or(0, hash));
                }
                number
            }
        }
    }

    /// Runs from `pc` until something has to be decided.
    #[inline]
    pub(crate) fn run(
        &mut self,
        program: &[Insn],
        mut pc: usize,
        mut state: State,
        visitor: &mut impl Visitor,
    ) -> Arrival {
        let mut steps = 0_u32;
        loop {
            let insn = program.get(pc).copied().unwrap_or(Insn::stmt(0x06, 0));
            let op = insn.op().unwrap_or(Op::RetK);
            let mut known = None;
            let skip = match op {
                Op::Ja => insn.k,
                Op::RetK => return arrive(pc, state, steps, Stop::Return(Value::Const(insn.k))),
                Op::RetA => return arrive(pc, state, steps, Stop::Return(state.a)),
                Op::Jump(_, _) if insn.jt == insn.jf => u32::from(insn.jt),
                Op::Jump(cond, src) => {
                    let right = if src == Src::X { state.x } else { Value::Const(insn.k) };
                    match normalise(cond, state.a, right, &mut self.exprs) {
                        Normal::Test(test, swap) => return arrive(pc, state, steps, Stop::Test(test, swap)),
                        Normal::Known(holds) if !self.folds && !is_constant(state.a, right) => {
                            return arrive(pc, state, steps, Stop::Test(ALWAYS, !holds));
                        }
                        Normal::Known(holds) => {
                            known = Some(holds);
                            u32::from(if holds { insn.jt } else { insn.jf })
                        }
                    }
                }
                Op::Alu(Alu::Div, Src::X) => match state.x {
                    Value::Const(0) => return arrive(pc, state, steps, Stop::Return(Value::Const(0))),
                    Value::Const(_) => 0,
                    _ => return arrive(pc, state, steps, Stop::Division),
                },
                _ => 0,
            };
            visitor.visit(pc, &state, known);
            self.execute(op, insn.k, &mut state);
            steps = steps.saturating_add(1);
            pc = pc.saturating_add(1).saturating_add(skip as usize);
        }
    }

    /// The state behind the division at which a run stopped, when X is not 0.
    pub(crate) fn divided(&mut self, state: State) -> State {
        let a = self.exprs.by_value(Alu::Div, state.a, state.x);
        State { a, ..state }
    }

    #[inline]
    fn execute(&mut self, op: Op, k: u32, state: &mut State) {
        match op {
            Op::LdImm => state.a = Value::Const(k),
            Op::LdxImm => state.x = Value::Const(k),
            Op::LdAbs(Size::Word) if planted(Fault::IgnoredHighHalf) && k % 8 == 4 && k > 16 => {
                state.a = Value::Const(0);
            }
            Op::LdAbs(Size::Word) => state.a = word(k),
            Op::LdLen => state.a = Value::Const(64),
            Op::LdxLen => state.x = Value::Const(64),
            Op::LdMem => state.a = self.load(state.cells, k),
            Op::LdxMem => state.x = self.load(state.cells, k),
            Op::St => state.cells = self.store(state.cells, k, state.a),
            Op::Stx => state.cells = self.store(state.cells, k, state.x),
            Op::Tax => state.x = state.a,
            Op::Txa => state.a = state.x,
            Op::Neg => state.a = self.exprs.negate(state.a),
            Op::Alu(alu, Src::K) => state.a = self.exprs.by_constant(alu, state.a, k),
            Op::Alu(alu, Src::X) => state.a = self.exprs.by_value(alu, state.a, state.x),
            // Jumps and returns change nothing; admission refuses the rest.
            Op::Ja | Op::Jump(..) | Op::RetK | Op::RetA | Op::RetX => {}
            Op::LdAbs(_) | Op::LdInd(_) | Op::LdxMsh => {}
        }
    }
}

/// A test that every word passes.
const ALWAYS: Test = Test::Word(WordTest {
    word: 0,
    relation: Relation::Equal,
    mask: 0,
    value: 0,
});

const fn is_constant(a: Value, b: Value) -> bool {
    matches!((a, b), (Value::Const(_), Value::Const(_)))
}

const fn arrive(pc: usize, state: State, steps: u32, stop: Stop) -> Arrival {
    Arrival { pc, state, steps, stop }
}

/// The word at a byte offset, which admission keeps below 64.
#[inline]
fn word(offset: u32) -> Value {
    WORDS.get((offset / 4) as usize).copied().unwrap_or(Value::Const(0))
}

fn hash(cells: &Cells) -> u64 {
    cells.iter().fold(0, |sum, value| {
        let part = match *value {
            Value::Const(k) => mix([0, k, 0]),
            Value::Field(field) => mix([
                1,
                u32::from(field.word.number()) << 8 | u32::from(field.shift.cast_unsigned()),
                field.mask,
            ]),
            Value::Derived(number) => mix([2, number, 0]),
        };
        part ^ sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
    })
}

//! Instructions to steps.

use callproof_vm::isa::{Alu, Cond, Op, Size, Src};
use callproof_vm::{Insn, ShiftByX};

use super::{Branch, Compare, Program, Step};
use crate::test::Test;

/// Chains of equality tests shorter than this are faster one by one.
const SHORTEST_CHAIN: u16 = 3;

impl Program {
    /// Decodes an admitted program.
    pub(super) fn new(program: &[Insn], shift: ShiftByX) -> Self {
        let chains = Chains::of(program);
        let steps = (0..program.len()).map(|pc| chains.step(pc).unwrap_or_else(|| step(program, pc)));
        let cells = program
            .iter()
            .any(|insn| matches!(insn.op(), Some(Op::LdMem | Op::LdxMem)));
        Self {
            steps: steps.collect(),
            keys: chains.keys.into(),
            goals: chains.goals.into(),
            shift,
            cells,
        }
    }
}

/// The step at a place, which may take in the instructions behind it.
fn step(program: &[Insn], pc: usize) -> Step {
    let Some((insn, rest)) = program.get(pc..).and_then(<[Insn]>::split_first) else {
        return Step::Return(0);
    };
    let word = match insn.op() {
        Some(Op::LdAbs(Size::Word)) => low(insn.k / 4),
        _ => return masked(program, pc, 0).map_or_else(|| plain(*insn, pc), Step::Test),
    };
    // A chain of tests behind a load is faster as a chain.
    let chain = rest.first().is_some_and(|next| is_equality(*next)) && chained(program, pc.saturating_add(1));
    match masked(program, pc.saturating_add(1), 1) {
        Some(branch) if !chain => Step::LoadTest(word, branch),
        _ => Step::Load(word),
    }
}

/// The test at a place, perhaps behind an `and`, with this many instructions before it.
fn masked(program: &[Insn], pc: usize, before: u8) -> Option<Branch> {
    let insn = program.get(pc)?;
    let (keep, at, insns) = match insn.op()? {
        Op::Alu(Alu::And, Src::K) => (insn.k, pc.saturating_add(1), before.saturating_add(2)),
        _ => (u32::MAX, pc, before.saturating_add(1)),
    };
    let insn = program.get(at)?;
    let Op::Jump(cond, Src::K) = insn.op()? else {
        return None;
    };
    let (yes, no) = targets(*insn, at);
    Some(Branch {
        keep,
        test: Test::new(cond, insn.k),
        yes,
        no,
        insns,
    })
}

/// The step of one instruction.
fn plain(insn: Insn, pc: usize) -> Step {
    let k = insn.k;
    match insn.op() {
        Some(Op::LdImm) => Step::Constant(k),
        Some(Op::LdxImm) => Step::ConstantX(k),
        Some(Op::LdAbs(Size::Word)) => Step::Load(low(k / 4)),
        Some(Op::LdLen) => Step::Constant(RECORD_LEN),
        Some(Op::LdxLen) => Step::ConstantX(RECORD_LEN),
        Some(Op::LdMem) => Step::LoadCell(low(k)),
        Some(Op::LdxMem) => Step::LoadCellX(low(k)),
        Some(Op::St) => Step::Store(low(k)),
        Some(Op::Stx) => Step::StoreX(low(k)),
        Some(Op::Tax) => Step::ToX,
        Some(Op::Txa) => Step::FromX,
        Some(Op::Neg) => Step::Negate,
        Some(Op::Alu(alu, Src::K)) => Step::Alu(alu, k),
        Some(Op::Alu(alu, Src::X)) => Step::AluX(alu),
        Some(Op::Ja) => Step::Jump(targets(insn, pc).0),
        Some(Op::Jump(cond, _)) => {
            let (yes, no) = targets(insn, pc);
            Step::TestX(Compare { cond, yes, no })
        }
        Some(Op::RetK) => Step::Return(k),
        Some(Op::RetA) => Step::ReturnA,
        // Admission refuses these.
        Some(Op::LdAbs(_) | Op::LdInd(_) | Op::LdxMsh | Op::RetX) | None => Step::Return(0),
    }
}

/// What the length instructions load: the size of the record.
pub(crate) const RECORD_LEN: u32 = 64;

/// Where a jump leads. Admission keeps it inside a program of at most 4,096 instructions.
fn targets(insn: Insn, pc: usize) -> (u16, u16) {
    let (yes, no) = insn.targets(pc).unwrap_or_default();
    let inside = |target: u64| u16::try_from(target).unwrap_or(u16::MAX);
    (inside(yes), inside(no))
}

/// The index of a word or cell, which admission keeps below 16.
fn low(index: u32) -> u8 {
    let [index, ..] = index.to_le_bytes();
    index
}

fn is_equality(insn: Insn) -> bool {
    insn.op() == Some(Op::Jump(Cond::Jeq, Src::K))
}

/// The equality test that is reached when the one at a place is false.
fn after(program: &[Insn], pc: usize) -> Option<usize> {
    let insn = program.get(pc).filter(|insn| is_equality(**insn))?;
    let next = usize::from(targets(*insn, pc).1);
    program.get(next).filter(|insn| is_equality(**insn)).map(|_| next)
}

/// Whether a chain that is long enough begins at a place.
fn chained(program: &[Insn], pc: usize) -> bool {
    let links = core::iter::successors(Some(pc), |&pc| after(program, pc));
    links.take(usize::from(SHORTEST_CHAIN)).count() == usize::from(SHORTEST_CHAIN)
}

/// Chains of equality tests, laid out one after the other, so that each part of one that begins in its middle is a
/// slice as well.
#[derive(Default)]
struct Chains {
    keys: Vec<u32>,
    goals: Vec<u16>,
    /// For each place the number of its key
    place: Vec<Option<u16>>,
    /// For each key the end of its chain and where it leads
    ends: Vec<(u16, u16)>,
}

impl Chains {
    fn of(program: &[Insn]) -> Self {
        let mut chains = Self {
            place: vec![None; program.len()],
            ..Self::default()
        };
        for pc in 0..program.len() {
            chains.add(program, pc);
        }
        chains
    }

    /// Lays out the chain that begins at a place, up to where it runs into one that is there already.
    fn add(&mut self, program: &[Insn], start: usize) {
        let (mut pc, mut otherwise) = (start, None);
        while let Some(insn) = program.get(pc).filter(|insn| is_equality(**insn)) {
            let Some(place @ None) = self.place.get_mut(pc) else {
                break;
            };
            *place = u16::try_from(self.keys.len()).ok();
            let (yes, no) = targets(*insn, pc);
            self.keys.push(insn.k);
            self.goals.push(yes);
            otherwise = Some(no);
            pc = usize::from(no);
        }
        if let (Some(otherwise), Ok(end)) = (otherwise, u16::try_from(self.keys.len())) {
            self.ends.resize(self.keys.len(), (end, otherwise));
        }
    }

    /// The search that begins at a place, if the rest of the chain is long enough.
    fn step(&self, pc: usize) -> Option<Step> {
        let first = (*self.place.get(pc)?)?;
        let (end, otherwise) = *self.ends.get(usize::from(first))?;
        let len = end.saturating_sub(first);
        (len >= SHORTEST_CHAIN).then_some(Step::Search { first, len, otherwise })
    }
}

//! Admission: which programs the kernel installs.
//!
//! What is enforced, in the kernel's order:
//! 1. a program has 1 to 4,096 instructions;
//! 2. each opcode is one of the 41 that seccomp accepts, dead code included;
//! 3. no division by a constant 0, no constant shift of 32 or more, no scratch index above 15;
//! 4. every jump lands inside the program, even one that is never taken;
//! 5. every load reads one of the sixteen words of `seccomp_data`;
//! 6. the last instruction returns;
//! 7. the scratch pass: one linear walk, neither stronger nor weaker than data flow (see [`Rule::ScratchUnset`]).
//!
//! The kernel answers every one of them with `EINVAL`, so their order cannot be seen from outside. What is *not* here:
//! privileges, flags and the room left on the thread, which belong to a call and not to a program.

use core::fmt;
use core::ops::RangeInclusive;

use crate::insn::Insn;
use crate::isa::{self, Alu, Op, Size, Src};
use crate::kernel::{Gate, Kernel};
use crate::length::{self, MAX_INSNS};

/// How a filter keeps its program: borrowed, or owned when the `alloc` feature is on.
#[cfg(feature = "alloc")]
pub type Store<'p> = alloc::borrow::Cow<'p, [Insn]>;
/// How a filter keeps its program: borrowed, since the `alloc` feature is off.
#[cfg(not(feature = "alloc"))]
pub type Store<'p> = &'p [Insn];

/// A program that the kernel would install. [`Filter::load`] is the only way to one, and only a `Filter` can run.
///
/// It keeps the program exactly as it was handed in, as the kernel does for `PTRACE_SECCOMP_GET_FILTER`. The kernel's
/// internal rewriting (`ld #len` becomes `ld #64`) cannot be seen and is done while evaluating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<'p> {
    program: Store<'p>,
    converted_len: u32,
}

impl<'p> Filter<'p> {
    /// Admits a program as the kernel would.
    ///
    /// # Errors
    /// [`Rejected`], which lists every rule the program breaks.
    ///
    /// ```
    /// use callproof_vm::{Filter, Insn, Rule};
    /// let rejected = Filter::load(vec![Insn::stmt(0x20, 2)]).unwrap_err();
    /// let rules: Vec<Rule> = rejected.violations().map(|found| found.rule).collect();
    /// assert_eq!(rules, [Rule::LoadOffset, Rule::NoFinalReturn]);
    /// ```
    pub fn load(program: impl Into<Store<'p>>) -> Result<Self, Rejected<'p>> {
        Self::load_on(Kernel::LATEST, program)
    }

    /// Admits a program as a kernel of this release would. Only `xor` makes a difference: it came with
    /// [`Gate::Xor`].
    ///
    /// # Errors
    /// [`Rejected`], which lists every rule the program breaks.
    pub fn load_on(kernel: Kernel, program: impl Into<Store<'p>>) -> Result<Self, Rejected<'p>> {
        let program = program.into();
        if violations(&program, kernel).next().is_some() {
            return Err(Rejected { program, kernel });
        }
        let converted_len = length::converted_len(&program);
        Ok(Self { program, converted_len })
    }

    /// The program, as it was handed in.
    #[must_use]
    pub fn program(&self) -> &[Insn] {
        &self.program
    }

    /// Its length after conversion, in eBPF instructions: what the chain budget counts ([`length`]).
    #[must_use]
    pub const fn converted_len(&self) -> u32 {
        self.converted_len
    }

    /// The length that a kernel of this release charges for it ([`length::charged_len`]).
    #[must_use]
    pub fn charged_len(&self, kernel: Kernel) -> u32 {
        if kernel.has(Gate::ConvertedLength) {
            self.converted_len
        } else {
            length::charged_len(&self.program, kernel)
        }
    }

    /// The same filter with a program of its own.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn into_owned(self) -> Filter<'static> {
        Filter {
            program: alloc::borrow::Cow::Owned(self.program.into_owned()),
            converted_len: self.converted_len,
        }
    }
}

/// A program that the kernel would refuse with `EINVAL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<'p> {
    program: Store<'p>,
    kernel: Kernel,
}

impl<'p> Rejected<'p> {
    /// Every rule the program breaks, by instruction, and after those the broken scratch reads.
    pub fn violations(&self) -> impl Iterator<Item = Violation> + '_ {
        violations(&self.program, self.kernel)
    }

    /// The refused program.
    #[must_use]
    pub fn program(&self) -> &[Insn] {
        &self.program
    }

    /// The refused program, handed back.
    #[must_use]
    pub fn into_program(self) -> Store<'p> {
        self.program
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.violations();
        let Some(first) = all.next() else {
            return Ok(());
        };
        write!(f, "the kernel refuses this program with EINVAL: {first}")?;
        match all.count() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl core::error::Error for Rejected<'_> {}

/// One broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The instruction that breaks it and its number, or `None` for a rule about the whole program
    pub at: Option<(usize, Insn)>,
    /// The rule
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((pc, insn)) => write!(f, "instruction {pc}, `{}`: {}", insn.at(pc), self.rule.explain()),
            None => f.write_str(self.rule.explain()),
        }
    }
}

/// A rule of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The program has no instruction
    Empty,
    /// The program has more than 4,096 instructions
    TooLong,
    /// No classic BPF instruction has this opcode
    UnknownOpcode,
    /// A classic BPF instruction that seccomp does not accept: `mod`, narrow and indirect loads, `ldxb`
    NotForSeccomp,
    /// Division by a constant 0
    DivisionByZero,
    /// A constant shift of 32 or more
    ShiftTooFar,
    /// A scratch cell above 15
    ScratchIndex,
    /// An unconditional jump behind the end
    JumpTarget,
    /// The true branch of a conditional jump leads behind the end
    TrueTarget,
    /// The false branch of a conditional jump leads behind the end
    FalseTarget,
    /// A load that is not one of the words at 0, 4, ... 60
    LoadOffset,
    /// The last instruction is not a return
    NoFinalReturn,
    /// A scratch cell is read that the kernel's linear pass has not seen written.
    ///
    /// The pass walks the program once from the top with a set of written cells. A jump hands the set on to its
    /// targets and leaves "everything written" behind; a return changes nothing. So code behind a jump that nothing
    /// jumps to may read any cell, and a cell written only on the path around a return counts as unwritten after it.
    ScratchUnset,
}

impl Rule {
    /// Every rule, in the order of the kernel's checks.
    pub const ALL: [Self; 13] = [
        Self::Empty,
        Self::TooLong,
        Self::UnknownOpcode,
        Self::NotForSeccomp,
        Self::DivisionByZero,
        Self::ShiftTooFar,
        Self::ScratchIndex,
        Self::JumpTarget,
        Self::TrueTarget,
        Self::FalseTarget,
        Self::LoadOffset,
        Self::NoFinalReturn,
        Self::ScratchUnset,
    ];

    /// The rule's name in machine formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too-long",
            Self::UnknownOpcode => "unknown-opcode",
            Self::NotForSeccomp => "not-for-seccomp",
            Self::DivisionByZero => "division-by-zero",
            Self::ShiftTooFar => "shift-too-far",
            Self::ScratchIndex => "scratch-index",
            Self::JumpTarget => "jump-target",
            Self::TrueTarget => "true-target",
            Self::FalseTarget => "false-target",
            Self::LoadOffset => "load-offset",
            Self::NoFinalReturn => "no-final-return",
            Self::ScratchUnset => "scratch-unset",
        }
    }

    /// What is wrong and what to do about it.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Empty => "a program has no instruction; give it at least a `ret`",
            Self::TooLong => "a program has more than 4096 instructions; split it into several filters",
            Self::UnknownOpcode => "no BPF instruction has this opcode; check the byte order of the input",
            Self::NotForSeccomp => {
                "seccomp does not accept this instruction; it has only aligned 32-bit loads and no `mod`"
            }
            Self::DivisionByZero => "division by the constant 0",
            Self::ShiftTooFar => "a constant shift of 32 or more; shift by 0 to 31",
            Self::ScratchIndex => "there are scratch cells 0 to 15 only",
            Self::JumpTarget => "the jump leads behind the last instruction",
            Self::TrueTarget => "the jump when true leads behind the last instruction",
            Self::FalseTarget => "the jump when false leads behind the last instruction",
            Self::LoadOffset => "a load reads one of the words at offsets 0, 4, ... 60 of `seccomp_data`",
            Self::NoFinalReturn => "the last instruction must be `ret #k` or `ret a`",
            Self::ScratchUnset => {
                "the scratch cell is read before the kernel's linear check has seen it written; write it before the jumps and returns that lead here"
            }
        }
    }
}

/// Every violation of a program, lazily and without allocation.
fn violations(program: &[Insn], kernel: Kernel) -> impl Iterator<Item = Violation> + '_ {
    let whole = match program.len() {
        0 => Some(Rule::Empty),
        len if len > MAX_INSNS => Some(Rule::TooLong),
        _ => None,
    };
    // A program of impossible length is not looked into: the kernel does not read it either.
    let readable = if whole.is_some() { &[] } else { program };
    let whole = whole.map(|rule| Violation { at: None, rule });
    whole
        .into_iter()
        .chain(local_violations(readable, kernel))
        .chain(ScratchPass::needed_by(readable).into_iter().flatten())
}

/// The rules that look at one instruction at a time.
fn local_violations(program: &[Insn], kernel: Kernel) -> impl Iterator<Item = Violation> + '_ {
    program.iter().enumerate().flat_map(move |(pc, &insn)| {
        broken_by(insn, pc, program.len(), kernel)
            .into_iter()
            .flatten()
            .map(move |rule| Violation {
                at: Some((pc, insn)),
                rule,
            })
    })
}

/// Up to three rules can be broken by one instruction: two jump targets, and not being a return at the end.
fn broken_by(insn: Insn, pc: usize, len: usize, kernel: Kernel) -> [Option<Rule>; 3] {
    let Some(row) = isa::lookup(insn.code).filter(|row| row.classic) else {
        return [Some(Rule::UnknownOpcode), None, final_return(None, pc, len)];
    };
    let known = kernel.has(Gate::Xor) || !matches!(row.op, Op::Alu(Alu::Xor, _));
    let [first, second] = if row.seccomp && known {
        operands_of(insn, row.op, pc, len)
    } else {
        [Some(Rule::NotForSeccomp), None]
    };
    [first, second, final_return(Some(row.op), pc, len)]
}

fn operands_of(insn: Insn, op: Op, pc: usize, len: usize) -> [Option<Rule>; 2] {
    const CELLS: RangeInclusive<u32> = 0..=15;
    let k = insn.k;
    let when = |broken: bool, rule| broken.then_some(rule);
    let outside = |target: u64| target >= len as u64;
    match op {
        Op::Alu(Alu::Div | Alu::Mod, Src::K) => [when(k == 0, Rule::DivisionByZero), None],
        Op::Alu(Alu::Lsh | Alu::Rsh, Src::K) => [when(k >= 32, Rule::ShiftTooFar), None],
        Op::LdMem | Op::LdxMem | Op::St | Op::Stx => [when(!CELLS.contains(&k), Rule::ScratchIndex), None],
        Op::LdAbs(Size::Word) => [when(k >= 64 || !k.is_multiple_of(4), Rule::LoadOffset), None],
        Op::Ja | Op::Jump(..) => {
            let (yes, no) = insn.targets(pc).unwrap_or_default();
            if op == Op::Ja {
                [when(outside(yes), Rule::JumpTarget), None]
            } else {
                [
                    when(outside(yes), Rule::TrueTarget),
                    when(outside(no), Rule::FalseTarget),
                ]
            }
        }
        _ => [None, None],
    }
}

fn final_return(op: Option<Op>, pc: usize, len: usize) -> Option<Rule> {
    let last = pc.checked_add(1) == Some(len);
    let returns = matches!(op, Some(Op::RetK | Op::RetA));
    (last && !returns).then_some(Rule::NoFinalReturn)
}

/// The kernel's linear check that scratch cells are written before they are read, as an iterator over its complaints.
struct ScratchPass<'p> {
    program: &'p [Insn],
    pc: usize,
    /// Cells known to be written here, one bit each
    written: u16,
    /// For each instruction, the cells written on every jump to it seen so far
    at_target: [u16; MAX_INSNS],
}

impl<'p> ScratchPass<'p> {
    /// Only a read can break the rule, and most filters have none: they are spared the walk.
    fn needed_by(program: &'p [Insn]) -> Option<Self> {
        let reads = |insn: &Insn| matches!(insn.op(), Some(Op::LdMem | Op::LdxMem));
        program.iter().any(reads).then_some(Self {
            program,
            pc: 0,
            written: 0,
            at_target: [u16::MAX; MAX_INSNS],
        })
    }

    fn jump_to(&mut self, target: u64) {
        let cell = usize::try_from(target).ok().and_then(|pc| self.at_target.get_mut(pc));
        // A target outside the program breaks another rule; here it has nobody to hand the set to.
        if let Some(cell) = cell {
            *cell &= self.written;
        }
    }
}

impl Iterator for ScratchPass<'_> {
    type Item = Violation;

    fn next(&mut self) -> Option<Violation> {
        while let Some(&insn) = self.program.get(self.pc) {
            let pc = self.pc;
            self.pc = pc.saturating_add(1);
            self.written &= self.at_target.get(pc).copied().unwrap_or(u16::MAX);
            let cell = 1_u16.checked_shl(insn.k).unwrap_or(0);
            match insn.op() {
                Some(Op::St | Op::Stx) => self.written |= cell,
                Some(Op::LdMem | Op::LdxMem) if self.written & cell != cell => {
                    return Some(Violation {
                        at: Some((pc, insn)),
                        rule: Rule::ScratchUnset,
                    });
                }
                Some(Op::Ja | Op::Jump(..)) => {
                    let (yes, no) = insn.targets(pc).unwrap_or_default();
                    self.jump_to(yes);
                    self.jump_to(no);
                    self.written = u16::MAX;
                }
                // A return does not end the path here: what was written before it still counts behind it.
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    const RET: Insn = Insn::stmt(0x06, 0x7fff_0000);

    fn rules(program: &[Insn]) -> Vec<Rule> {
        match Filter::load(program) {
            Ok(_) => vec![],
            Err(rejected) => rejected.violations().map(|found| found.rule).collect(),
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(rules(&[]), [Rule::Empty]);
        assert_eq!(rules(&[RET; 4096]), []);
        assert_eq!(rules(&[RET; 4097]), [Rule::TooLong]);
    }

    #[test]
    fn every_16_bit_opcode() {
        for code in 0..=u16::MAX {
            // Room for every operand: a constant that is a shift, a cell, a word offset and a jump at once.
            let program = [Insn::stmt(0x02, 4), Insn::stmt(code, 4), RET, RET, RET, RET, RET, RET];
            let expected = isa::lookup(code).is_some_and(|row| row.seccomp);
            assert_eq!(Filter::load(&program[..]).is_ok(), expected, "{code:#06x}");
        }
    }

    #[test]
    fn operands() {
        let one = |code, k| rules(&[Insn::stmt(0x02, 15), Insn::stmt(code, k), RET]);
        assert_eq!(one(0x34, 0), [Rule::DivisionByZero]);
        assert_eq!(one(0x34, 1), []);
        assert_eq!(one(0x3c, 0), []);
        assert_eq!(one(0x64, 31), []);
        assert_eq!(one(0x64, 32), [Rule::ShiftTooFar]);
        assert_eq!(one(0x74, 32), [Rule::ShiftTooFar]);
        assert_eq!(one(0x6c, 99), []);
        assert_eq!(one(0x60, 15), []);
        assert_eq!(one(0x02, 15), []);
        for code in [0x60, 0x61, 0x02, 0x03] {
            assert_eq!(one(code, 16), [Rule::ScratchIndex], "{code:#x}");
            assert_eq!(one(code, u32::MAX), [Rule::ScratchIndex], "{code:#x}");
        }
        assert_eq!(one(0x20, 60), []);
        for offset in [1, 2, 62, 64, 0xffff_f000, 0xffff_fffc] {
            assert_eq!(one(0x20, offset), [Rule::LoadOffset], "{offset:#x}");
        }
        for code in [0x28, 0x30, 0x40, 0x48, 0x50, 0x94, 0x9c, 0xb1] {
            assert_eq!(one(code, 4), [Rule::NotForSeccomp], "{code:#x}");
        }
        assert_eq!(one(0x21, 4), [Rule::UnknownOpcode], "the kernel's internal load");
        assert_eq!(one(0x0e, 4), [Rule::UnknownOpcode], "ret x");
        assert_eq!(one(0x80, 77), []);
    }

    #[test]
    fn xor_came_with_3_10() {
        for code in [0xa4, 0xac] {
            let program = [Insn::stmt(code, 1), RET];
            let rejected = Filter::load_on(Kernel::new(3, 9), &program[..]).unwrap_err();
            assert_eq!(
                rejected.violations().next().map(|found| found.rule),
                Some(Rule::NotForSeccomp)
            );
            assert!(Filter::load_on(Kernel::new(3, 10), &program[..]).is_ok());
        }
    }

    #[test]
    fn jumps() {
        let ja = |k| rules(&[Insn::stmt(0x05, k), RET]);
        assert_eq!(ja(0), []);
        assert_eq!(ja(1), [Rule::JumpTarget]);
        assert_eq!(ja(u32::MAX), [Rule::JumpTarget], "no wrapping to itself");
        let jeq = |jt, jf| rules(&[Insn::jump(0x15, 0, jt, jf), RET]);
        assert_eq!(jeq(0, 0), []);
        assert_eq!(jeq(1, 0), [Rule::TrueTarget]);
        assert_eq!(jeq(0, 1), [Rule::FalseTarget]);
        assert_eq!(jeq(255, 255), [Rule::TrueTarget, Rule::FalseTarget]);
        assert_eq!(
            rules(&[RET, Insn::stmt(0x05, 0)]),
            [Rule::JumpTarget, Rule::NoFinalReturn]
        );
        assert_eq!(rules(&[Insn::stmt(0x07, 0)]), [Rule::NoFinalReturn]);
        assert_eq!(
            rules(&[Insn::stmt(0xffff, 0)]),
            [Rule::UnknownOpcode, Rule::NoFinalReturn]
        );
    }

    #[test]
    fn scratch_pass_is_linear() {
        let (st, ld, ret_a) = (Insn::stmt(0x02, 0), Insn::stmt(0x60, 0), Insn::stmt(0x16, 0));
        let leaks = [Insn::jump(0x15, 1, 0, 2), st, Insn::stmt(0x05, 1), RET, ld, ret_a];
        assert_eq!(
            rules(&leaks),
            [Rule::ScratchUnset],
            "every path writes it, and it is refused"
        );
        let moved = [Insn::jump(0x15, 1, 1, 0), RET, st, ld, ret_a];
        assert_eq!(rules(&moved), []);
        assert_eq!(
            rules(&[Insn::stmt(0x05, 1), Insn::stmt(0x60, 5), RET]),
            [],
            "nobody jumps there"
        );
        assert_eq!(rules(&[RET, Insn::stmt(0x60, 5), RET]), [Rule::ScratchUnset]);
        assert_eq!(rules(&[Insn::stmt(0x61, 3), RET]), [Rule::ScratchUnset]);
        assert_eq!(rules(&[Insn::stmt(0x03, 3), Insn::stmt(0x61, 3), RET]), []);
    }

    #[test]
    fn a_refusal_says_where_and_what() {
        let program = [Insn::stmt(0x34, 0), Insn::stmt(0x64, 40), RET];
        let rejected = Filter::load(&program[..]).unwrap_err();
        assert_eq!(
            rejected.to_string(),
            "the kernel refuses this program with EINVAL: instruction 0, `div #0x0`: division by the constant 0 (and 1 more)"
        );
        assert_eq!(rejected.into_program().len(), 3);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
    }
}

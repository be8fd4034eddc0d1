//! How long a filter is to the kernel, and how many filters fit on one thread.
//!
//! The limit on a chain counts eBPF instructions after conversion, not the classic ones that were handed in. The cost
//! table is exact for kernels since 4.16 without constant blinding (`net.core.bpf_jit_harden`); the costs of 3.15 to
//! 4.15 were slightly smaller and are not modelled.

use core::fmt;

use crate::insn::Insn;
use crate::isa::{self, Alu, Cond, Cost, Op, Src};
use crate::kernel::{Gate, Kernel};
use crate::observe::{Next, Step};

/// Most classic instructions in one program: `BPF_MAXINSNS`.
pub const MAX_INSNS: usize = 4096;

/// Most instructions on one thread: `MAX_INSNS_PER_PATH`, 2^18 bytes of eight-byte instructions.
pub const MAX_INSNS_PER_PATH: u32 = 32_768;

/// What each filter already installed is charged beside its own length.
pub const FILTER_PENALTY: u32 = 4;

/// The eBPF instructions that every converted filter starts with.
pub(crate) const PROLOGUE: u32 = 3;

/// How many eBPF instructions the kernel converts one instruction to. Unknown opcodes count one.
#[must_use]
pub fn converted_cost(insn: Insn) -> u32 {
    let Some(row) = isa::lookup(insn.code) else {
        return 1;
    };
    match (row.cost, row.op) {
        (Cost::Fixed(cost), _) => u32::from(cost),
        (Cost::Conditional, Op::Jump(cond, src)) => {
            // A constant with the sign bit set does not fit eBPF's signed immediate and is loaded first.
            let wide = u32::from(src == Src::K && insn.k >= 0x8000_0000);
            let falls_through = insn.jf == 0 || (insn.jt == 0 && cond != Cond::Jset);
            wide.saturating_add(if falls_through { 1 } else { 2 })
        }
        (Cost::Conditional, _) => 1,
    }
}

/// What one step is to the kernel after conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    /// Executed eBPF instructions
    pub(crate) insns: u32,
    /// Those of them that are jumps which do not fall through
    pub(crate) taken: u32,
}

/// What a step executes of the eBPF instructions that its instruction is converted to.
///
/// Source: kernel 6.18, `bpf_convert_filter`. A jump with two distances is a conditional jump and a `ja`, of which the
/// second is executed only when the first falls through. Where one distance is 0 one conditional jump does, inverted if
/// need be; `jset` has no inverse and stays a pair. A division by X jumps over an exit unless X is 0.
pub(crate) fn executed(step: &Step) -> Executed {
    let insn = step.insn;
    let all = converted_cost(insn);
    match insn.op() {
        Some(Op::Ja) => Executed {
            insns: all,
            taken: u32::from(insn.k != 0),
        },
        Some(Op::Jump(cond, src)) => {
            let right = if src == Src::X { step.x } else { insn.k };
            let pair = insn.jf != 0 && (insn.jt != 0 || cond == Cond::Jset);
            let first_jumps = pair && cond.holds(step.a, right);
            let goes_on = step.next == Next::Pc(step.pc.saturating_add(1));
            Executed {
                insns: all.saturating_sub(first_jumps.into()),
                taken: u32::from(pair || !goes_on),
            }
        }
        Some(Op::Alu(Alu::Div, Src::X)) => match step.next {
            Next::Return(_) => Executed { insns: 4, taken: 0 },
            Next::Pc(_) => Executed { insns: 3, taken: 1 },
        },
        _ => Executed { insns: all, taken: 0 },
    }
}

/// The length of a converted program, in eBPF instructions.
///
/// ```
/// use callproof_vm::{Insn, length::converted_len};
/// assert_eq!(converted_len(&[Insn::stmt(0x16, 0)]), 4);
/// assert_eq!(converted_len(&[Insn::stmt(0x06, 0)]), 5);
/// ```
#[must_use]
pub fn converted_len(program: &[Insn]) -> u32 {
    program
        .iter()
        .fold(PROLOGUE, |sum, &insn| sum.saturating_add(converted_cost(insn)))
}

/// The length that a kernel release charges for a program: converted, or classic before the conversion existed.
#[must_use]
pub fn charged_len(program: &[Insn], kernel: Kernel) -> u32 {
    if kernel.has(Gate::ConvertedLength) {
        converted_len(program)
    } else {
        u32::try_from(program.len()).unwrap_or(u32::MAX)
    }
}

/// A chain has no room for one more filter: the kernel answers `ENOMEM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// The charged length of the new filter
    pub needed: u32,
    /// What the filters already installed have left of [`MAX_INSNS_PER_PATH`]
    pub left: u32,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, left } = self;
        write!(
            f,
            "the filters of one thread may have {MAX_INSNS_PER_PATH} converted instructions together: this one needs {needed} and {left} are left"
        )
    }
}

impl core::error::Error for OverBudget {}

/// What filters of these charged lengths take of the budget of a thread.
#[must_use]
pub fn budget_used(installed: impl IntoIterator<Item = u32>) -> u32 {
    installed.into_iter().fold(0, |sum: u32, len| {
        sum.saturating_add(len).saturating_add(FILTER_PENALTY)
    })
}

/// What is left of the budget of a thread with filters of these charged lengths.
#[must_use]
pub fn budget_left(installed: impl IntoIterator<Item = u32>) -> u32 {
    MAX_INSNS_PER_PATH.saturating_sub(budget_used(installed))
}

/// Whether a filter of charged length `new` fits on top of filters of these charged lengths.
///
/// The penalty is charged to the filters below, not to the new one.
///
/// # Errors
/// [`OverBudget`] when it does not fit.
pub fn check_budget(installed: impl IntoIterator<Item = u32>, new: u32) -> Result<(), OverBudget> {
    fits(budget_left(installed), new)
}

/// Whether filters of these charged lengths fit on one thread, installed one after the other.
///
/// # Errors
/// The number of the first filter that does not fit, and by how much.
pub fn check_chain(lengths: impl IntoIterator<Item = u32>) -> Result<(), (usize, OverBudget)> {
    let mut left = MAX_INSNS_PER_PATH;
    for (index, len) in lengths.into_iter().enumerate() {
        fits(left, len).map_err(|over| (index, over))?;
        left = left.saturating_sub(budget_used([len]));
    }
    Ok(())
}

const fn fits(left: u32, new: u32) -> Result<(), OverBudget> {
    if new <= left {
        Ok(())
    } else {
        Err(OverBudget { needed: new, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::iter::repeat_n;

    #[test]
    fn costs_of_jumps() {
        let cost = |code, k, jt, jf| converted_cost(Insn::jump(code, k, jt, jf));
        for code in [0x15, 0x25, 0x35] {
            assert_eq!(cost(code, 1, 0, 0), 1);
            assert_eq!(cost(code, 1, 0, 1), 1);
            assert_eq!(cost(code, 1, 1, 0), 1);
            assert_eq!(cost(code, 1, 1, 1), 2);
            assert_eq!(cost(code, 0x7fff_ffff, 1, 1), 2);
            assert_eq!(cost(code, 0x8000_0000, 1, 1), 3);
            assert_eq!(cost(code | 8, 0x8000_0000, 1, 1), 2);
        }
        assert_eq!(cost(0x45, 1, 0, 1), 2, "jset has no inverse");
        assert_eq!(cost(0x45, 1, 1, 0), 1);
        assert_eq!(cost(0x05, 9, 0, 0), 1);
        assert_eq!(cost(0x3c, 0, 0, 0), 5);
    }

    #[test]
    fn what_is_executed_of_a_conversion() {
        let run = |insn: Insn, a: u32, x: u32| {
            let next = match insn.op() {
                Some(Op::RetK) => Next::Return(insn.k),
                Some(Op::Alu(Alu::Div, _)) if x == 0 => Next::Return(0),
                Some(Op::Ja) => Next::Pc(insn.k as usize + 1),
                Some(Op::Jump(cond, _)) => {
                    let skip = if cond.holds(a, insn.k) { insn.jt } else { insn.jf };
                    Next::Pc(usize::from(skip) + 1)
                }
                _ => Next::Pc(1),
            };
            let ran = executed(&Step {
                pc: 0,
                insn,
                a,
                x,
                next,
            });
            (ran.insns, ran.taken)
        };
        let jump = |code, k, jt, jf, a| run(Insn::jump(code, k, jt, jf), a, 0);
        assert_eq!((jump(0x15, 1, 0, 3, 1), jump(0x15, 1, 0, 3, 0)), ((1, 0), (1, 1)));
        assert_eq!((jump(0x15, 1, 3, 0, 1), jump(0x15, 1, 3, 0, 0)), ((1, 1), (1, 0)));
        assert_eq!((jump(0x15, 1, 2, 3, 1), jump(0x15, 1, 2, 3, 0)), ((1, 1), (2, 1)));
        assert_eq!((jump(0x15, 1, 2, 2, 1), jump(0x15, 1, 2, 2, 0)), ((1, 1), (2, 1)));
        assert_eq!(
            (jump(0x45, 1, 0, 3, 1), jump(0x45, 1, 0, 3, 0)),
            ((1, 1), (2, 1)),
            "jset"
        );
        assert_eq!(jump(0x15, 0x8000_0000, 2, 3, 0x8000_0000), (2, 1), "a wide constant");
        assert_eq!(run(Insn::stmt(0x06, 0), 0, 0), (2, 0));
        assert_eq!(run(Insn::stmt(0x05, 4), 0, 0), (1, 1));
        assert_eq!(
            (run(Insn::stmt(0x3c, 0), 9, 3), run(Insn::stmt(0x3c, 0), 9, 0)),
            ((3, 1), (4, 0))
        );
    }

    #[test]
    fn the_smallest_filter_fits_4096_times() {
        assert_eq!(check_budget(repeat_n(4, 4095), 4), Ok(()));
        assert_eq!(
            check_budget(repeat_n(4, 4096), 4),
            Err(OverBudget { needed: 4, left: 0 })
        );
        assert_eq!(check_budget([32_768 - 4 - 7], 7), Ok(()));
        assert_eq!(
            check_budget([32_768 - 4 - 7], 8),
            Err(OverBudget { needed: 8, left: 7 })
        );
        assert_eq!(check_budget([u32::MAX, 9], 1), Err(OverBudget { needed: 1, left: 0 }));
    }

    #[test]
    fn a_chain_is_checked_as_if_installed_filter_by_filter() {
        let one_by_one = |lengths: &[u32]| {
            lengths
                .iter()
                .enumerate()
                .try_for_each(|(at, &len)| check_budget(lengths[..at].iter().copied(), len).map_err(|over| (at, over)))
        };
        let chains: [&[u32]; 6] = [
            &[],
            &[32_768],
            &[32_769],
            &[16_380, 16_384],
            &[16_380, 16_384, 1],
            &[20_480, 12_000, 281, 4],
        ];
        for chain in chains {
            assert_eq!(check_chain(chain.iter().copied()), one_by_one(chain), "{chain:?}");
        }
        assert_eq!(check_chain(repeat_n(4, 4096)), Ok(()));
        assert_eq!(
            check_chain(repeat_n(4, 4097)),
            Err((4096, OverBudget { needed: 4, left: 0 }))
        );
    }

    #[test]
    fn one_program_always_fits() {
        let longest = [Insn::stmt(0x3c, 0); MAX_INSNS - 1];
        assert_eq!(converted_len(&longest) + 2, 20_480);
    }

    #[test]
    fn before_conversion_the_classic_length_counts() {
        let program = [Insn::stmt(0x3c, 0), Insn::stmt(0x06, 0)];
        assert_eq!(charged_len(&program, Kernel::new(3, 14)), 2);
        assert_eq!(charged_len(&program, Kernel::new(3, 15)), 10);
    }
}

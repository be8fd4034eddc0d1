//! The constant-allow bitmap: calls that no filter is asked about (kernels since 5.11).
//!
//! When a filter is installed, the kernel interprets it for every call number with nothing but the number and the
//! architecture word. Where every filter of the thread then returns exactly ALLOW, a bit is set, and such a call is
//! allowed without running a filter. A bit only says what the filters would have said, with two exceptions: on x86-64
//! the calls 335 (uretprobe) and 336 (uprobe) count as allowed whatever the filters are, so they pass every filter.
//!
//! Source: kernel 6.1, 6.12 and 6.18; membership was measured by time on 6.18 (x86-64). The releases in which the
//! bitmap and the exceptions came are recalled and not checked ([`Gate::evidence`](crate::Gate::evidence)).
//!
//! ```
//! use callproof_vm::bitmap::{Bypass, Platform};
//! use callproof_vm::{Chain, Filter, Insn, Kernel, SeccompData};
//!
//! let filters = [Filter::load(vec![Insn::stmt(0x06, 0x8000_0000)])?]; // kill, whatever the call
//! let uretprobe = SeccompData::new(0xc000_003e, 335, [0; 6]);
//! let bypass = Platform::X86_64.bypasses(&Chain::new(&filters), &uretprobe, Kernel::LATEST);
//! assert_eq!(bypass, Some(Bypass::Uretprobe));
//! # Ok::<(), callproof_vm::Rejected>(())
//! ```

use core::fmt;

use crate::chain::Chain;
use crate::data::SeccompData;
use crate::insn::Insn;
use crate::isa::{Alu, Cond, Op, Size, Src};
use crate::kernel::{Gate, Kernel};

/// The return value that sets a bit: ALLOW with data 0. An ALLOW with data does not.
const ALLOW: u32 = 0x7fff_0000;

/// `AUDIT_ARCH_X86_64`, the only ABI with calls that pass every filter.
pub(crate) const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// `__NR_uretprobe` on x86-64.
const URETPROBE: i32 = 335;
/// `__NR_uprobe` on x86-64.
const UPROBE: i32 = 336;

/// Why a call is made without a filter being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bypass {
    /// Every filter returns ALLOW for this number, whatever the arguments: the verdict is what it would have been
    ConstantAllow,
    /// x86-64 call 335: allowed even where the filters say otherwise ([`Gate::UretprobeBypass`])
    Uretprobe,
    /// x86-64 call 336: allowed even where the filters say otherwise ([`Gate::UprobeBypass`])
    Uprobe,
}

impl Bypass {
    /// Whether the filters might have said something else than ALLOW.
    #[must_use]
    pub const fn overrules(self) -> bool {
        matches!(self, Self::Uretprobe | Self::Uprobe)
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConstantAllow => "allowed from the bitmap: every filter allows this number whatever the arguments",
            Self::Uretprobe => "uretprobe (335) passes every filter on x86-64 since Linux 6.14",
            Self::Uprobe => "uprobe (336) passes every filter on x86-64 since Linux 6.18",
        })
    }
}

/// The call numbers of one ABI that have a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Numbers {
    /// The ABI: an `AUDIT_ARCH_*` word
    pub arch: u32,
    /// One more than the highest number with a bit: the kernel's `NR_syscalls`, which depends on the release
    pub bound: u32,
}

/// The ABIs that have bits on a machine.
///
/// Architectures without a bitmap (mips, um, microblaze, sparc) have no `Platform`. On ppc64le the compat word is
/// `0x40000014`, which no 32-bit task reports, so those calls are never found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// The machine's own ABI
    pub native: Numbers,
    /// The 32-bit ABI of a 64-bit machine. Without one the kernel does not look at a call's architecture word.
    pub compat: Option<Numbers>,
}

impl Platform {
    /// x86-64 with i386, with the numbers of Linux 6.18. x32 numbers are out of bound and never have a bit.
    pub const X86_64: Self = Self {
        native: Numbers {
            arch: AUDIT_ARCH_X86_64,
            bound: 470,
        },
        compat: Some(Numbers {
            arch: 0x4000_0003,
            bound: 470,
        }),
    };

    /// Whether a call is made without a filter of the chain being asked, and why.
    #[must_use]
    pub fn bypasses(&self, chain: &Chain<'_>, call: &SeccompData, kernel: Kernel) -> Option<Bypass> {
        let programs = chain.filters().iter().map(|filter| filter.program());
        self.bypasses_programs(programs, call.arch, call.nr, kernel)
    }

    /// As [`bypasses`](Self::bypasses), for the programs of a chain in any order. No program, no bypass.
    pub fn bypasses_programs<'p>(
        &self,
        programs: impl IntoIterator<Item = &'p [Insn]>,
        arch: u32,
        nr: i32,
        kernel: Kernel,
    ) -> Option<Bypass> {
        let numbers = self.numbers(arch)?;
        let in_bound = u32::try_from(nr).is_ok_and(|nr| nr < numbers.bound);
        let mut programs = programs.into_iter().peekable();
        if !kernel.has(Gate::Bitmap) || !in_bound || programs.peek().is_none() {
            return None;
        }
        exception(numbers.arch, nr, kernel).or_else(|| {
            programs
                .all(|program| constantly_allows(program, nr, numbers.arch))
                .then_some(Bypass::ConstantAllow)
        })
    }

    fn numbers(&self, arch: u32) -> Option<Numbers> {
        match self.compat {
            None => Some(self.native),
            Some(_) if arch == self.native.arch => Some(self.native),
            Some(compat) => (arch == compat.arch).then_some(compat),
        }
    }
}

/// The calls that pass every filter, and strict mode.
pub(crate) fn exception(arch: u32, nr: i32, kernel: Kernel) -> Option<Bypass> {
    match nr {
        _ if arch != AUDIT_ARCH_X86_64 => None,
        URETPROBE => kernel.has(Gate::UretprobeBypass).then_some(Bypass::Uretprobe),
        UPROBE => kernel.has(Gate::UprobeBypass).then_some(Bypass::Uprobe),
        _ => None,
    }
}

/// What keeps a call number out of the bitmap: the instruction at which the kernel's little interpreter gives up, or
/// finds another answer than ALLOW.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Obstacle {
    /// Number of the instruction
    pub pc: usize,
    /// What is wrong with it
    pub why: Obstructs,
}

/// What an instruction does that keeps a call number out of the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstructs {
    /// It reads an argument or the instruction pointer
    Reads,
    /// It is of no kind that the kernel's interpreter of the bitmap knows
    Unknown,
    /// It returns this constant, which is not ALLOW with data 0
    Returns(u32),
}

/// Whether the kernel's little interpreter finds that a program returns ALLOW for a number and an architecture word.
///
/// It knows loads of the two words, `ja`, jumps on a constant, `and` with a constant and `ret` of a constant, and gives
/// up at anything else on the path. Code beside the path does not matter.
#[must_use]
pub fn constantly_allows(program: &[Insn], nr: i32, arch: u32) -> bool {
    obstacle(program, nr, arch).is_none()
}

/// Why the kernel's little interpreter does not find that a program returns ALLOW for a number and an architecture
/// word; `None` when it does ([`constantly_allows`]).
#[must_use]
pub fn obstacle(program: &[Insn], nr: i32, arch: u32) -> Option<Obstacle> {
    let (mut pc, mut a) = (0_usize, 0_u32);
    while let Some(&insn) = program.get(pc) {
        let k = insn.k;
        let at = |why| Some(Obstacle { pc, why });
        let skip = match insn.op() {
            Some(Op::LdAbs(Size::Word)) if k == 0 || k == 4 => {
                a = if k == 0 { nr.cast_unsigned() } else { arch };
                0
            }
            Some(Op::Alu(Alu::And, Src::K)) => {
                a &= k;
                0
            }
            Some(Op::Ja) => k,
            Some(Op::Jump(cond, Src::K)) => u32::from(if holds(cond, a, k) { insn.jt } else { insn.jf }),
            Some(Op::RetK) if k == ALLOW => return None,
            Some(Op::RetK) => return at(Obstructs::Returns(k)),
            Some(Op::LdAbs(Size::Word)) => return at(Obstructs::Reads),
            _ => return at(Obstructs::Unknown),
        };
        pc = pc.saturating_add(1).saturating_add(skip as usize);
    }
    let why = Obstructs::Unknown;
    Some(Obstacle { pc, why })
}

/// The kernel's bitmap interpreter has comparisons of its own; so has this model, to be held against [`crate::Filter::run`].
const fn holds(cond: Cond, a: u32, k: u32) -> bool {
    match cond {
        Cond::Jeq => a == k,
        Cond::Jgt => a > k,
        Cond::Jge => a >= k,
        Cond::Jset => a & k != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    const X86_64: u32 = AUDIT_ARCH_X86_64;
    const I386: u32 = 0x4000_0003;
    const ALLOWS: [Insn; 1] = [Insn::stmt(0x06, ALLOW)];
    const KILLS: [Insn; 1] = [Insn::stmt(0x06, 0x8000_0000)];

    fn bypass(programs: &[&[Insn]], arch: u32, nr: i32) -> Option<Bypass> {
        let kernel = Kernel::LATEST;
        Platform::X86_64.bypasses_programs(programs.iter().copied(), arch, nr, kernel)
    }

    #[test]
    fn bounds() {
        let constant = Some(Bypass::ConstantAllow);
        assert_eq!(bypass(&[&ALLOWS], X86_64, 0), constant);
        assert_eq!(bypass(&[&ALLOWS], X86_64, 469), constant);
        assert_eq!(bypass(&[&ALLOWS], X86_64, 400), constant, "a gap in the table");
        assert_eq!(bypass(&[&ALLOWS], X86_64, 470), None);
        assert_eq!(bypass(&[&ALLOWS], X86_64, -1), None);
        assert_eq!(bypass(&[&ALLOWS], X86_64, 0x4000_0027), None, "x32");
        assert_eq!(bypass(&[&ALLOWS], I386, 39), constant);
        assert_eq!(bypass(&[&ALLOWS], 0xc000_00b7, 39), None);
        assert_eq!(bypass(&[], X86_64, 39), None);
    }

    #[test]
    fn every_filter_must_allow() {
        assert_eq!(bypass(&[&ALLOWS, &ALLOWS], X86_64, 39), Some(Bypass::ConstantAllow));
        assert_eq!(bypass(&[&ALLOWS, &KILLS], X86_64, 39), None);
        assert_eq!(bypass(&[&KILLS, &ALLOWS], X86_64, 39), None);
    }

    #[test]
    fn two_calls_pass_every_filter_on_x86_64_alone() {
        assert_eq!(bypass(&[&KILLS], X86_64, 335), Some(Bypass::Uretprobe));
        assert_eq!(bypass(&[&KILLS], X86_64, 336), Some(Bypass::Uprobe));
        assert_eq!(bypass(&[&KILLS], X86_64, 337), None);
        assert_eq!(bypass(&[&KILLS], I386, 335), None);
        assert_eq!(bypass(&[&KILLS], X86_64, 0x4000_0000 | 335), None, "x32");
    }

    /// The programs of a timing experiment on Linux 6.18, without their 4,000 instructions of padding.
    #[test]
    fn membership_is_what_was_measured() {
        let member = |first: Insn, then: Insn, ret: u32| {
            let program = [first, then, Insn::stmt(0x06, ret)];
            assert!(Filter::load(&program[..]).is_ok());
            constantly_allows(&program, 39, X86_64)
        };
        let (ld_nr, and) = (Insn::stmt(0x20, 0), Insn::stmt(0x54, u32::MAX));
        assert!(member(ld_nr, and, ALLOW));
        assert!(member(Insn::stmt(0x20, 4), and, ALLOW));
        assert!(member(and, and, ALLOW));
        assert!(
            !member(Insn::stmt(0x20, 8), and, ALLOW),
            "reads the instruction pointer"
        );
        assert!(!member(Insn::stmt(0x20, 16), and, ALLOW), "reads an argument");
        assert!(!member(ld_nr, and, ALLOW | 1), "data");
        assert!(!member(ld_nr, Insn::stmt(0x44, 0), ALLOW));
        for code in [0x00, 0x80, 0x07, 0x02] {
            assert!(!member(Insn::stmt(code, 5), and, ALLOW), "{code:#x}");
        }
        for code in [0x15, 0x25, 0x35, 0x45, 0x05] {
            assert!(member(ld_nr, Insn::jump(code, 0, 0, 0), ALLOW), "{code:#x}");
        }
        assert!(!member(ld_nr, Insn::jump(0x1d, 0, 0, 0), ALLOW));
    }

    #[test]
    fn an_obstacle_is_the_instruction_that_keeps_a_number_out() {
        let of = |program: &[Insn], nr| obstacle(program, nr, X86_64);
        let at = |pc, why| Some(Obstacle { pc, why });
        let (nr, ret) = (Insn::stmt(0x20, 0), |value| Insn::stmt(0x06, value));
        let program = [
            nr,
            Insn::jump(0x15, 39, 0, 1),
            Insn::stmt(0x20, 16),
            ret(ALLOW),
            ret(0x5_0001),
        ];
        assert_eq!(of(&program, 39), at(2, Obstructs::Reads));
        let program = [nr, Insn::jump(0x15, 39, 1, 0), ret(ALLOW), ret(0x5_0001)];
        assert_eq!(of(&program, 39), at(3, Obstructs::Returns(0x5_0001)));
        assert_eq!(of(&program, 40), None);
        assert_eq!(of(&[nr, Insn::stmt(0x44, 0), ret(ALLOW)], 0), at(1, Obstructs::Unknown));
        assert_eq!(of(&[nr], 0), at(1, Obstructs::Unknown), "it runs off the end");
    }

    #[test]
    fn only_the_path_of_a_number_matters() {
        let program = [
            Insn::stmt(0x20, 0),
            Insn::jump(0x15, 39, 1, 0),
            Insn::stmt(0x44, 1),
            Insn::stmt(0x06, ALLOW),
        ];
        assert!(constantly_allows(&program, 39, X86_64));
        assert!(!constantly_allows(&program, 110, X86_64));
    }

    #[test]
    fn without_a_compat_abi_the_architecture_word_is_not_looked_at() {
        let arm = Platform {
            native: Numbers {
                arch: 0x4000_0028,
                bound: 450,
            },
            compat: None,
        };
        let bypass = arm.bypasses_programs([&ALLOWS[..]], 0, 3, Kernel::LATEST);
        assert_eq!(bypass, Some(Bypass::ConstantAllow));
        let bypass = arm.bypasses_programs([&KILLS[..]], 0x4000_0028, 335, Kernel::LATEST);
        assert_eq!(bypass, None);
    }
}

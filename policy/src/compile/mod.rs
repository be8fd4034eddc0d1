//! Policies to filters: a plain compiler, whose output says exactly what the policy says.
//!
//! There is nothing clever in it, because it is meant to be held against others: rules are tried one after the other, in
//! their order. `docs/PROPERTIES.md` says what a policy means; the verifier proves that a filter means the same.

mod block;
mod code;

use std::collections::HashMap;

use callproof_abi::{Abi, X32_BIT};
use callproof_vm::length::MAX_INSNS;
use callproof_vm::{Endian, Insn};
use thiserror::Error;

use crate::ground::{ByteOrder, Cell};
use crate::rules::{CellRules, GroundPolicy};
use block::Block;
use code::{Code, Label, Test};

/// How a policy is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// Which half of a register is which: as each ABI has it, or as one machine has it for all
    pub order: ByteOrder,
}

/// Why there is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// The kernel takes no filter that long
    #[error("the policy comes to {insns} instructions, and a filter can have {MAX_INSNS}")]
    TooLong {
        /// How many instructions it would need
        insns: usize,
    },
    /// An ABI has no rules: the policy is not one that [`Policy::ground`](crate::Policy::ground) made
    #[error("the policy does not say what calls of {cell} get")]
    Missing {
        /// The ABI
        cell: Cell,
    },
}

/// Compiles a policy to one filter for all ABIs and every `arch` word.
///
/// For every call, the filter's value on a machine with the byte order of the call is
/// [`decide`](GroundPolicy::decide) of the call.
///
/// ```
/// use callproof_policy::{CompileOptions, Env, compile, parse_abi_list, parse_policy};
/// use callproof_vm::{Filter, Machine, SeccompData};
///
/// let policy = parse_policy("example", "default errno(EPERM)\nallow read, write(1 | 2)\n")?;
/// let policy = policy.ground(&Env::new(parse_abi_list("x86_64")?)).expect("names that x86_64 has");
/// let filter = Filter::load(compile(&policy, &CompileOptions::default())?)?;
/// let write = |fd| filter.run(&SeccompData::new(0xC000_003E, 1, [fd, 0, 0, 0, 0, 0]), Machine::default());
/// assert_eq!((write(2), write(3)), (0x7fff_0000, 0x0005_0001));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// When the filter would be longer than the kernel takes, with its length.
pub fn compile(policy: &GroundPolicy, options: &CompileOptions) -> Result<Vec<Insn>, CompileError> {
    let mut compiler = Compiler {
        policy,
        order: options.order,
        code: Code::default(),
        known: HashMap::new(),
    };
    compiler.program()?;
    let program = compiler.code.finish();
    if program.len() > MAX_INSNS {
        return Err(CompileError::TooLong { insns: program.len() });
    }
    Ok(program)
}

/// Code is made from its end, so that every jump knows where it leads.
struct Compiler<'p> {
    policy: &'p GroundPolicy,
    order: ByteOrder,
    code: Code,
    /// Blocks that are there already: ABIs with the same numbers share them
    known: HashMap<Block, Label>,
}

impl Compiler<'_> {
    fn program(&mut self) -> Result<(), CompileError> {
        let unknown = self.block(Cell::Unknown)?;
        let other = self.place(&unknown);
        let mut archs: Vec<(u32, Label)> = Vec::new();
        for abi in Abi::ALL.iter().copied().filter(|abi| *abi != Abi::X32).rev() {
            let block = self.block(Cell::Abi(abi))?;
            let label = if abi.audit_arch() == Abi::X86_64.audit_arch() {
                let x32 = self.block(Cell::Abi(Abi::X32))?;
                self.split(&block, &x32)
            } else {
                self.place(&block)
            };
            if label != other {
                archs.push((abi.audit_arch(), label));
            }
        }
        let start = archs.iter().fold(other, |otherwise, (arch, then)| {
            self.code.branch(Test::equal(*arch), *then, otherwise)
        });
        if archs.is_empty() {
            self.code.start_at(start);
        } else {
            self.code.load(ARCH);
        }
        Ok(())
    }

    fn block(&self, cell: Cell) -> Result<Block, CompileError> {
        let rules = self.policy.cells.iter().find(|rules| rules.cell == cell);
        let rules: &CellRules = rules.ok_or(CompileError::Missing { cell })?;
        Ok(Block::new(rules, self.order))
    }

    /// The code of a block, once for all that are the same.
    fn place(&mut self, block: &Block) -> Label {
        if let Some(label) = self.known.get(block) {
            return *label;
        }
        let label = block.write(&mut self.code);
        self.known.insert(block.clone(), label);
        label
    }

    /// x86_64 and x32 have one `arch` word: bit 30 of the number tells them apart, and -1 is x86_64.
    fn split(&mut self, x86_64: &Block, x32: &Block) -> Label {
        let (x86_64, x32) = (self.place(x86_64), self.place(x32));
        if x86_64 == x32 {
            return x86_64;
        }
        let with_bit = self.code.branch(Test::equal(u32::MAX), x86_64, x32);
        self.code.branch(Test::any_bit(X32_BIT), with_bit, x86_64);
        self.code.load(NR)
    }
}

/// The words of `seccomp_data` that decide which rules count.
const NR: u8 = 0;
const ARCH: u8 = 1;

/// The byte order of a cell's registers; `None` when the `arch` word of each call tells.
const fn endian(cell: Cell, order: ByteOrder) -> Option<Endian> {
    match (order, cell) {
        (ByteOrder::Fixed(endian), _) => Some(endian),
        (ByteOrder::OfArch, Cell::Abi(abi)) => Some(Endian::of_audit_arch(abi.audit_arch())),
        (ByteOrder::OfArch, Cell::Unknown) => None,
    }
}

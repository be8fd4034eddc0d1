//! Assembler text as the kernel's `bpf_asm` reads it.
//!
//! One directive is our own: `.insn CODE, JT, JF, K` stands for any 8 bytes. The writer uses it where the assembler's
//! words cannot carry an instruction: unknown opcodes, jumps out of the program, and values in fields that the
//! instruction does not use. So what is written is always read back as the same program.

mod labels;
mod operand;
mod read;
mod write;

pub(crate) use labels::{Labels, Slot};
pub(crate) use read::{insn_fields, is_mnemonic, looks, read};
pub(crate) use write::{expressible, note, targets, write};

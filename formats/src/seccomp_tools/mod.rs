//! Assembler text of `seccomp-tools asm`: `A = arch`, `if (A == 0x3b) goto dead`, `return ALLOW`.
//!
//! As in [`crate::asm`], `.insn CODE, JT, JF, K` is our own and stands for what these words cannot carry.
//! The words call the first word of a 64-bit field its low half, which is right on little-endian machines only; what
//! counts is the offset, so that nothing is lost for the others.

mod read;
mod write;

pub(crate) use read::{looks, read};
pub(crate) use write::{statement, write};

use callproof_vm::isa::{Alu, Cond};

/// Signs of arithmetic, in `A += 1`. The remainder has none: seccomp does not accept it.
const ALU: [(&str, Alu); 9] = [
    ("+=", Alu::Add),
    ("-=", Alu::Sub),
    ("*=", Alu::Mul),
    ("/=", Alu::Div),
    ("|=", Alu::Or),
    ("&=", Alu::And),
    ("<<=", Alu::Lsh),
    (">>=", Alu::Rsh),
    ("^=", Alu::Xor),
];

/// Signs of comparisons: (sign, test, whether the sign is the opposite of the test).
const TESTS: [(&str, Cond, bool); 7] = [
    ("==", Cond::Jeq, false),
    ("!=", Cond::Jeq, true),
    (">", Cond::Jgt, false),
    ("<=", Cond::Jgt, true),
    (">=", Cond::Jge, false),
    ("<", Cond::Jge, true),
    ("&", Cond::Jset, false),
];

/// Names of words of `seccomp_data` without an index, with their byte offsets.
const WORDS: [(&str, u32); 3] = [("sys_number", 0), ("arch", 4), ("instruction_pointer", 8)];

/// Names of return values, and whether they take data in brackets.
const RETURNS: [(&str, u32, bool); 9] = [
    ("KILL_PROCESS", 0x8000_0000, false),
    ("KILL_THREAD", 0, false),
    ("KILL", 0, false),
    ("TRAP", 0x0003_0000, true),
    ("ERRNO", 0x0005_0000, true),
    ("USER_NOTIF", 0x7fc0_0000, false),
    ("TRACE", 0x7ff0_0000, true),
    ("LOG", 0x7ffc_0000, false),
    ("ALLOW", 0x7fff_0000, false),
];

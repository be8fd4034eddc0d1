//! What both sides of the border know.

use core::ffi::c_char;

use callproof_vm::{Insn, SeccompData};

/// What came of a question; the numbers are the exit codes of the command.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so: the kernel would install the filter, the call was evaluated, the claim is proved for every call
    Ok = 0,
    /// It is not so: the kernel would refuse the filter, or a call shows that the claim is false
    Finding = 1,
    /// The question cannot be asked: a null pointer, a length beyond every limit, a text without meaning, or a filter
    /// that the kernel would refuse where an installed one is needed
    Usage = 2,
    /// The search for an answer reached a limit
    Undecided = 3,
    /// A mistake in callproof: please report it
    Bug = 70,
}

/// One instruction: `struct sock_filter` of `linux/filter.h`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawInsn {
    /// Operation
    pub code: u16,
    /// Instructions to skip when the test holds
    pub jt: u8,
    /// Instructions to skip when it does not
    pub jf: u8,
    /// Constant, offset or distance
    pub k: u32,
}

/// One filter. It is read during the call and not kept.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawFilter {
    /// Its instructions
    pub insns: *const RawInsn,
    /// How many there are
    pub len: usize,
}

/// One call as a filter sees it: `struct seccomp_data` of `linux/seccomp.h`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCall {
    /// System call number
    pub nr: i32,
    /// `AUDIT_ARCH_*` of the ABI that the call is made on
    pub arch: u32,
    /// Address of the instruction after the call
    pub instruction_pointer: u64,
    /// The argument registers
    pub args: [u64; 6],
}

/// The surroundings of a question. A null pointer in place of the options, or of one of them, means its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawOptions {
    /// The ABIs whose calls are compared, such as `"x86_64, i386"`, and that policies without ABIs are for. Default:
    /// every possible call, `arch` words of no ABI included
    pub abis: *const c_char,
    /// The kernel release, such as `"6.12"`. Default: the newest that callproof knows
    pub kernel: *const c_char,
    /// Whose reading of a policy counts where tools read the same text differently: `"spec"`, `"runc"`, `"crun"` or
    /// `"firecracker"`. Default: what the text says by its own rules
    pub runtime: *const c_char,
}

/// What a chain of filters decides about a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawVerdict {
    /// The 32-bit value: action and data
    pub value: u32,
    /// The filter that decided, 0 being the oldest; -1 when none was more severe than ALLOW
    pub filter: i32,
    /// Instructions executed, over all filters
    pub insns: u64,
}

/// A call that two sides answer differently. The emulator has replayed it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawWitness {
    /// The call
    pub call: RawCall,
    /// The value that the left side gives it: the first filters, or the policy
    pub left: u32,
    /// The value that the right side gives it: the second filters, or those that are held against the policy
    pub right: u32,
}

impl From<RawInsn> for Insn {
    fn from(raw: RawInsn) -> Self {
        Self::new(raw.code, raw.jt, raw.jf, raw.k)
    }
}

impl From<RawCall> for SeccompData {
    fn from(raw: RawCall) -> Self {
        Self {
            nr: raw.nr,
            arch: raw.arch,
            instruction_pointer: raw.instruction_pointer,
            args: raw.args,
        }
    }
}

impl From<SeccompData> for RawCall {
    fn from(call: SeccompData) -> Self {
        Self {
            nr: call.nr,
            arch: call.arch,
            instruction_pointer: call.instruction_pointer,
            args: call.args,
        }
    }
}

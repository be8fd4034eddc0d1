//! Chains as operands: filters joined by commas.

use std::path::Path;

use callproof_vm::Insn;

use crate::error::{Failure, Result};
use crate::input::{Input, Loaded};

/// The filters of one operand: one FILTER, or several joined by commas, oldest first. A file whose name has a comma
/// goes first.
pub(super) fn chain(typed: &str, input: &Input) -> Result<Vec<Loaded>> {
    let parts: Vec<String> = if Path::new(typed).exists() {
        vec![typed.to_owned()]
    } else {
        typed.split(',').map(str::to_owned).collect()
    };
    if parts.iter().any(String::is_empty) {
        return Err(Failure::usage(format_args!("`{typed}` names an empty filter"))
            .with_help("join the filters of a chain by single commas: `old.bpf,new.bpf`"));
    }
    input.chain(&parts)
}

/// The names of filters.
pub(super) fn names(chain: &[Loaded]) -> Vec<String> {
    chain.iter().map(|one| one.name.clone()).collect()
}

/// A program as the bytes that the kernel takes.
pub(super) fn bytes(program: &[Insn], big_endian: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len().saturating_mul(Insn::SIZE));
    for insn in program {
        let (code, k) = if big_endian {
            (insn.code.to_be_bytes(), insn.k.to_be_bytes())
        } else {
            (insn.code.to_le_bytes(), insn.k.to_le_bytes())
        };
        bytes.extend(code);
        bytes.extend([insn.jt, insn.jf]);
        bytes.extend(k);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_the_byte_order_of_their_machine() {
        let program = [Insn::jump(0x15, 0xc000_003e, 1, 2)];
        assert_eq!(bytes(&program, false), [0x15, 0, 1, 2, 0x3e, 0, 0, 0xc0]);
        assert_eq!(bytes(&program, true), [0, 0x15, 1, 2, 0xc0, 0, 0, 0x3e]);
    }
}

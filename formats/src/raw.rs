//! The array as it lies in memory.

use callproof_vm::{Endian, Insn};

use crate::error::{Problem, ReadError};
use crate::load::MAX_INSNS;

/// Reads `struct sock_filter[]`.
pub(crate) fn read(bytes: &[u8], endian: Endian) -> Result<Vec<Insn>, ReadError> {
    let (insns, rest) = bytes.as_chunks::<{ Insn::SIZE }>();
    if !rest.is_empty() {
        return Err(ReadError::whole(Problem::UnevenLength { bytes: bytes.len() }));
    }
    if insns.len() > MAX_INSNS {
        return Err(ReadError::whole(Problem::TooManyInsns));
    }
    Ok(insns.iter().map(|bytes| Insn::from_bytes(*bytes, endian)).collect())
}

/// Writes `struct sock_filter[]`.
pub(crate) fn write(program: &[Insn], endian: Endian) -> Vec<u8> {
    program.iter().flat_map(|insn| insn.to_bytes(endian)).collect()
}

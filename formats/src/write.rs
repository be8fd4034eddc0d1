//! From a program to any format.

use callproof_vm::{Endian, Insn};

use crate::{Format, asm, c, decimal, disasm, hex, raw, seccomp_tools, strace, table};

/// How to write a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    /// The byte order of raw and hex output, and of the argument halves that notes name
    pub endian: Endian,
    /// Whether to add what [`disasm`](crate::disasm) knows as comments, in the formats that have comments: all but
    /// raw, decimal and strace
    pub annotate: bool,
}

/// Writes a program. Reading the result back in the same format and byte order gives the same instructions, whatever
/// they are, down to the fields that they do not use.
///
/// ```
/// use callproof_formats::{Format, WriteOptions, write};
/// use callproof_vm::Insn;
/// let program = [Insn::stmt(0x06, 0x7fff_0000)];
/// let options = WriteOptions::default();
/// assert_eq!(write(&program, Format::Decimal, &options), b"1\n6 0 0 2147418112\n");
/// ```
#[must_use]
pub fn write(program: &[Insn], format: Format, options: &WriteOptions) -> Vec<u8> {
    let endian = options.endian;
    let notes = options.annotate.then(|| disasm::notes(program, endian));
    let notes = notes.as_deref();
    let text = match format {
        Format::Raw => return raw::write(program, endian),
        Format::Hex => hex::write(program, endian, notes),
        Format::Decimal => decimal::write(program),
        Format::DecimalLine => decimal::write_line(program),
        Format::C => c::write(program, notes),
        Format::Asm => asm::write(program, notes),
        Format::SeccompTools => table::write_seccomp_tools(program, notes),
        Format::SeccompToolsAsm => seccomp_tools::write(program, notes),
        Format::Libseccomp => table::write_libseccomp(program, notes),
        Format::Strace => strace::write(program),
    };
    text.into_bytes()
}

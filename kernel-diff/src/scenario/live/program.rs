//! A program for `execve`: it makes one call and exits with the negated result as status.

use crate::scenario::step::Call;

const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;

/// A static ELF file for x86-64.
pub(super) fn elf(call: &Call) -> Vec<u8> {
    let code = code(call);
    let size = HEADERS.saturating_add(u64::try_from(code.len()).unwrap_or(0));
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [BASE.saturating_add(HEADERS), 64, 0] {
        file.extend(word.to_le_bytes());
    }
    // No flags; the sizes of this header and of one program header.
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    // To be loaded, readable and executable.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, BASE, BASE, size, size, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

fn code(call: &Call) -> Vec<u8> {
    // mov rdi, rsi, rdx, r10, r8, r9 with 64 bits each
    const MOVES: [[u8; 2]; 6] = [
        [0x48, 0xbf],
        [0x48, 0xbe],
        [0x48, 0xba],
        [0x49, 0xba],
        [0x49, 0xb8],
        [0x49, 0xb9],
    ];
    let mut code = Vec::new();
    for (opcode, arg) in MOVES.into_iter().zip(call.args) {
        code.extend(opcode);
        code.extend(arg.to_le_bytes());
    }
    code.push(0xb8);
    code.extend(call.nr.to_le_bytes());
    // syscall; neg eax; movzx edi, al; mov eax, 231; syscall; hlt
    code.extend([
        0x0f, 0x05, 0xf7, 0xd8, 0x0f, 0xb6, 0xf8, 0xb8, 231, 0, 0, 0, 0x0f, 0x05, 0xf4,
    ]);
    code
}

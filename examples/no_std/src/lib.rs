//! A seccomp filter, evaluated where there is no standard library and no allocator.
//!
//! It is a static library with its own panic handler: should anything below link the standard library, the build
//! fails because there are two of them.

#![no_std]
#![forbid(unsafe_code)]

use callproof_vm::{Action, Chain, Filter, Insn, Machine, SeccompData};

/// Denies call 59 on every ABI, allows the rest.
const PROGRAM: [Insn; 4] = [
    Insn::stmt(0x20, 0),
    Insn::jump(0x15, 59, 0, 1),
    Insn::stmt(0x06, 0x0005_0001),
    Insn::stmt(0x06, 0x7fff_0000),
];

/// Whether the filter lets a call pass. A filter that the kernel refuses lets nothing pass.
pub extern "C" fn allows(nr: i32) -> bool {
    let Ok(filter) = Filter::load(&PROGRAM[..]) else {
        return false;
    };
    let call = SeccompData::new(0xc000_003e, nr, [0; 6]);
    Chain::new(&[filter]).run(&call, Machine::default()).action == Action::Allow
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

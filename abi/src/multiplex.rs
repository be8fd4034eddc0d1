//! Calls that carry other calls: `socketcall` and `ipc`.
//!
//! A filter sees the multiplexer's number and, as the first argument, the sub-number; the arguments proper lie in memory
//! (`socketcall`) or are shifted by one (`ipc`). Sub-numbers from the kernel's uapi `linux/net.h` and `linux/ipc.h`.

use crate::Abi;

/// A sub-number (the first argument) and the call that it stands for.
pub type Multiplexed = (u32, &'static str);

const SOCKETCALL: &[Multiplexed] = &[
    (1, "socket"),
    (2, "bind"),
    (3, "connect"),
    (4, "listen"),
    (5, "accept"),
    (6, "getsockname"),
    (7, "getpeername"),
    (8, "socketpair"),
    (9, "send"),
    (10, "recv"),
    (11, "sendto"),
    (12, "recvfrom"),
    (13, "shutdown"),
    (14, "setsockopt"),
    (15, "getsockopt"),
    (16, "sendmsg"),
    (17, "recvmsg"),
    (18, "accept4"),
    (19, "recvmmsg"),
    (20, "sendmmsg"),
];

const IPC: &[Multiplexed] = &[
    (1, "semop"),
    (2, "semget"),
    (3, "semctl"),
    (4, "semtimedop"),
    (11, "msgsnd"),
    (12, "msgrcv"),
    (13, "msgget"),
    (14, "msgctl"),
    (21, "shmat"),
    (22, "shmdt"),
    (23, "shmget"),
    (24, "shmctl"),
];

/// The calls that `socketcall` or `ipc` carries on an ABI; empty when the ABI has no code behind that call.
///
/// `ipc` takes the sub-number from the low 16 bits of its first argument; the high 16 are a version.
#[must_use]
pub fn multiplexed(abi: Abi, name: &str) -> &'static [Multiplexed] {
    let there = abi.syscall_named(name).is_ok_and(|call| call.prototype().is_some());
    match name {
        "socketcall" if there => SOCKETCALL,
        "ipc" if there => IPC,
        _ => &[],
    }
}

/// The multiplexer through which an ABI can make this call beside or instead of a number of its own, with the
/// sub-number: `("socketcall", 1)` for `socket` on i386.
#[must_use]
pub fn multiplexer(abi: Abi, call: &str) -> Option<(&'static str, u32)> {
    ["socketcall", "ipc"].into_iter().find_map(|carrier| {
        let (number, _) = multiplexed(abi, carrier).iter().find(|(_, name)| *name == call)?;
        Some((carrier, *number))
    })
}

//! What the numbers of a Linux system call mean on each ABI.
//!
//! Calls, arguments, errors, signals and argument constants, to numbers and back, for every ABI on which a
//! seccomp filter can run. Tables are generated from public kernel packages (see `abi/data/README.md`),
//! current to Linux 7.3; nothing allocates, nothing depends on the machine that runs.
//!
//! ```
//! use callproof_abi::Abi;
//! assert_eq!(Abi::X86_64.number("openat").ok(), Some(257));
//! assert_eq!(Abi::I386.syscall_name(102), Some("socketcall"));
//! assert_eq!(Abi::from_name("arm64").ok(), Some(Abi::Aarch64));
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod abi;
mod aliases;
mod constant;
mod errno;
#[rustfmt::skip]
mod generated;
mod kernel;
mod multiplex;
mod named;
mod prototype;
mod signal;
mod suggest;
mod syscall;

pub use abi::{Abi, X32_BIT};
pub use constant::{constant, constants};
pub use errno::{errno_name, errno_number, internal_errno_name};
pub use kernel::StrictCalls;
pub use multiplex::{Multiplexed, multiplexed, multiplexer};
pub use prototype::{Arg, Prototype, Width};
pub use signal::{signal_name, signal_number};
pub use suggest::UnknownName;
pub use syscall::Syscall;

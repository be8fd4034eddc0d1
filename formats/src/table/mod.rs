//! The tables that `seccomp-tools dump` and libseccomp's `scmp_bpf_disasm` print.
//!
//! Only the numbers count when a table is read: the text behind them is for people.

mod read;
mod write;

pub(crate) use read::{Look, look, read_all};
pub(crate) use write::{returned, write_libseccomp, write_seccomp_tools};

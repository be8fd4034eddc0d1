//! How people write seccomp filters and calls down, read and written.
//!
//! ```
//! use callproof_formats::{Format, ReadOptions, WriteOptions, write};
//! let text = b"ld [4]\njne #0xc000003e, bad\nret #0x7fff0000\nbad: ret #0";
//! let program = ReadOptions::default().read(text)?;
//! let raw = write(&program.insns, Format::Raw, &WriteOptions::default());
//! assert_eq!(raw.len(), 4 * 8);
//! # Ok::<(), callproof_formats::ReadError>(())
//! ```
//!
//! | what | where |
//! |---|---|
//! | filters, in every format | [`ReadOptions`], [`read`], [`read_all`], [`write`](fn@write), [`Format`], [`detect`](fn@detect) |
//! | what instructions are about | [`disasm`] |
//! | one call in words | [`call`] |
//! | many decisions, one JSON object a line | [`batch`] |
//! | calls that programs made | [`trace`] |
//! | recorded answers of kernels | [`vectors`] |
//! | policies, in the formats of others | [`policy`] |
//! | expectations, one a line | [`cases`] |
//!
//! Reading never says that the kernel would take a program: that is for `callproof_vm::Filter::load`. Every format
//! carries every program, also one that no kernel accepts, so that nothing is lost on the way through any of them.
//!
//! Inputs are bounded by [`MAX_BYTES`] and [`MAX_INSNS`]; memory and time grow linearly with the input.

#![forbid(unsafe_code)]

mod asm;
pub mod batch;
mod c;
pub mod call;
pub mod cases;
mod decimal;
mod detect;
pub mod disasm;
mod error;
mod excerpt;
mod format;
mod hex;
mod load;
pub mod policy;
mod raw;
pub mod recording;
mod seccomp_tools;
mod strace;
mod table;
mod text;
pub mod trace;
pub mod vectors;
mod write;

pub use detect::detect;
pub use error::{Position, Problem, ReadError};
pub use format::{Format, UnknownFormat};
pub use load::{MAX_BYTES, MAX_INSNS, Program, ReadOptions, read, read_all};
pub use write::{WriteOptions, write};

//! The task model: threads, tracers and supervisors without a kernel.
#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod broker;
mod ptrace;
mod threads;
mod world;

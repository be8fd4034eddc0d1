//! Other kernels and other architectures: Debian's kernels in guests of qemu.
//!
//! A guest is a kernel, a file system with one program in it (the agent, `agent/agent.c`), and nothing else. It is booted
//! twice: first the agent tells what the kernel can do, then it lets the kernel judge the programs and calls that were put
//! into its file system, with the BPF JIT switched off and on, and prints the outcomes.
//!
//! The agent is written in C, since Debian packages a C compiler for every architecture that it has a kernel for, and a
//! standard library of Rust for few of them.
//!
//! What is compared is what [`NativeOracle`](crate::NativeOracle) compares: whether a program is installed, and the whole
//! 32-bit result of each call. Every return of a program under test is made an ERRNO, so no call is ever executed. Programs
//! for what differs between machines are always asked about. Beside that, chains of simple filters judge one harmless
//! call, and what the caller sees is compared with the model. A guest whose architecture is the host's also runs a program
//! of the host, such as one that plays [scenarios](crate::scenario). In the others the agent takes those that are a row of calls.

mod apt;
mod boot;
mod catalog;
mod console;
mod cpio;
mod directed;
mod facts;
mod jobs;
mod judge;
mod lab;
mod player;
mod scenarios;
mod store;
mod tales;
mod tell;
mod tool;

pub use boot::Accelerator;
pub use catalog::{GUESTS, Guest, KernelPackage, guest};
pub use facts::{Engine, Facts, Passes};
pub use judge::{Decisive, Recorded};
pub use lab::{Effort, EngineFound, Found, check, explanations, run};
pub use player::{Player, Ran};
pub use scenarios::Strange;
pub use store::{Kernel, Store};
pub use tales::{Outcome, Tale};
pub use tool::LabError;

//! The system calls of this crate, and the child processes that make the dangerous ones.
//!
//! Filters cannot be removed and may kill, so whatever is tried on the kernel is tried in a child. A child is forked
//! from a process that may have threads, so until it ends it only makes plain system calls: no allocation, no locks,
//! nothing that could panic. It shares one [`Mapping`] with its parent and they take turns ([`Worker`]).

mod child;
mod memory;
mod process;
mod seccomp;
mod wait;

pub(crate) use child::{Serve, Worker, fork_sentinel, kill};
pub(crate) use memory::{Mapping, Plain};
pub(crate) use process::{Death, Status, errno, error_name, status_field};
pub(crate) use seccomp::{FLAG_NEW_LISTENER, install, sock_filter};
pub(crate) use wait::{Ringing, is_end, reap, wait_ringing};

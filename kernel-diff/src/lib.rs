//! Asks the running Linux kernel what a seccomp filter does.
//!
//! | asked | by | needs |
//! |---|---|---|
//! | what can be asked here? | [`probe()`] | nothing |
//! | what does a filter return? | [`NativeOracle`] | x86_64, filters |
//! | the same, with any instruction pointer? | [`PtraceOracle`] | x86_64, filters, tracing |
//! | what `seccomp_data` does it build? | [`NotifyOracle`] | x86_64, Linux 5.0 |
//! | does it skip the filter for a call? | [`BitmapOracle`] | x86_64, Linux 5.11, some quiet |
//! | what does the kernel's BPF engine return? | [`SocketOracle`] | any machine, no privilege |
//! | does the kernel install it? | [`AdmissionOracle`] | filters |
//! | how long is it after conversion? How many fit? | [`fits`], [`fitting`] | filters |
//! | which filters does a process have? | [`dump()`] | `CAP_SYS_ADMIN`, no seccomp of one's own |
//! | which filters does a command install? | [`exec()`] | Linux 5.3 |
//! | how long do filters take? | [`Stopwatch`] | x86_64, filters, some quiet |
//! | what do calls show under several filters? | [`ChainOracle`] | x86_64, filters |
//! | does it all agree with a model? | [`campaign()`] | an oracle |
//! | what do threads, tracers and supervisors see? | [`scenario`] | x86_64, filters |
//! | and other kernels and architectures? | [`guest`] | qemu, Debian's archive |
//!
//! Filters cannot be removed and may kill, so everything is tried in children that nobody misses. They set
//! `no_new_privs`, so no privilege is needed; they dump no core, and end with their parent. Every wait has a deadline,
//! and what goes wrong is a value that names it.
//!
//! Everything that asks a kernel is for Linux. The scenarios and the task model that plays them are for every host.
//!
//! A filter that kills writes an audit record to the kernel's log, so a campaign with many divisions by zero makes the
//! kernel talk (at a limited rate).

#[cfg(target_os = "linux")]
mod admission;
#[cfg(target_os = "linux")]
mod campaign;
#[cfg(target_os = "linux")]
mod capture;
#[cfg(target_os = "linux")]
mod doors;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
pub mod guest;
#[cfg(target_os = "linux")]
mod native;
#[cfg(target_os = "linux")]
mod oracle;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod room;
pub mod scenario;
#[cfg(target_os = "linux")]
mod socket;
#[cfg(target_os = "linux")]
mod stopwatch;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
pub use admission::{AdmissionOracle, Method};
#[cfg(target_os = "linux")]
pub use campaign::{
    ChainDisagreement, ChainMismatch, Chains, Disagreement, Mismatch, Model, Plan, Progress, Report, Source, campaign,
};
#[cfg(target_os = "linux")]
pub use capture::{CaptureError, Captured, Dumped, DumpedFilter, Ended, Limits, Outcome, Recording, dump, exec};
#[cfg(target_os = "linux")]
pub use doors::{Opened, oracles};
#[cfg(target_os = "linux")]
pub use native::{
    BitmapOracle, Cached, ChainOracle, Entry, NativeOracle, Notified, NotifyOracle, PtraceOracle, Timing,
};
#[cfg(target_os = "linux")]
pub use oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Question, Shown, Sight, Support};
#[cfg(target_os = "linux")]
pub use probe::{Capabilities, machine, probe};
#[cfg(target_os = "linux")]
pub use room::{RoomOracle, fits, fitting};
#[cfg(target_os = "linux")]
pub use socket::SocketOracle;
#[cfg(target_os = "linux")]
pub use stopwatch::{Coefficient, Interval, Job, Pace, Stopwatch, Timed, Times};

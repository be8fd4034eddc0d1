//! The runner that plays scenarios on the running kernel, in child processes.

mod audit;
mod board;
mod crew;
mod listener;
mod program;
mod requests;
mod room;
mod stage;
mod tracing;

use std::fs;

use callproof_vm::Kernel;

use super::step::{Need, Scenario};
use super::{Model, Played, Runner, words};
use crate::native::Gates;
use crate::oracle::Missing;
use crate::sys::status_field;
use crew::Crew;
use room::Room;
use stage::Stage;

/// Tells whether there are user namespaces.
const NAMESPACE: &str = "[[scenario]]\nname = 'try'\nsteps = [{ do = 'user_namespace' }]";

/// Tells whether `PTRACE_SEIZE` checks who may suspend seccomp: stable releases got that check later (CVE-2022-30594).
const SEIZE: &str = "[[scenario]]\nname = 'try'\nsteps = [{ do = 'no_new_privs' }, \
    { do = 'install', filter = { getpid = 'errno 1' } }, \
    { who = 'tracer', do = 'trace', options = ['suspend'], expect = 'returns -1' }]";

/// Tells whether audit records can be read, and whether the machine's settings let them be made.
const RECORD: &str = "[[scenario]]\nname = 'try'\nneeds = ['audit']\nsteps = [{ do = 'no_new_privs' }, \
    { do = 'install', flags = ['log'], filter = { getpid = 'log', gettid = 'errno 1' } }, \
    { do = 'call', nr = 'getpid', expect = 'returns its process' }, { do = 'call', nr = 'gettid', expect = 'returns -1' }, \
    { do = 'record', expect = 'signal 0 arch 0xc000003e syscall 39 code 0x7ffc0000 at the call' }, \
    { do = 'record', expect = 'signal 0 arch 0xc000003e syscall 186 code 0x00050000 at the call' }]";

/// The running kernel as a runner. It needs `x86_64` and the right to install filters.
#[derive(Clone, Debug)]
pub struct Running {
    gates: Gates,
    kernel: Kernel,
    root: bool,
    i386: bool,
    user_namespaces: bool,
    audit: bool,
    seize_checks_suspend: bool,
    any_release: bool,
    cores: bool,
    /// `kernel.yama.ptrace_scope`
    yama: u32,
}

impl Running {
    /// Looks at what the kernel can do.
    ///
    /// # Errors
    /// [`Missing`]: what it would need to play anything.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        crate::probe::filters()?;
        inherits_nothing()?;
        let mut running = Self {
            gates,
            kernel: crate::probe::machine().kernel,
            root: is_root(),
            i386: crate::probe::i386().is_ok(),
            user_namespaces: false,
            audit: false,
            seize_checks_suspend: false,
            any_release: false,
            yama: yama(),
            cores: cores_are_written(),
        };
        running.user_namespaces = running.agrees(NAMESPACE);
        running.audit = running.agrees(RECORD);
        running.seize_checks_suspend = running.agrees(SEIZE);
        Ok(running)
    }

    /// This kernel, playing scenarios for newer releases too.
    #[must_use]
    pub fn for_any_release(self) -> Self {
        Self {
            any_release: true,
            ..self
        }
    }

    /// The model of this kernel: its release, and what its release does not say but a try did.
    #[must_use]
    pub fn model(&self) -> Model {
        let model = Model::new(self.kernel).with_seize_checks_suspend(self.seize_checks_suspend);
        if self.any_release {
            model.for_any_release()
        } else {
            model
        }
    }

    /// The release of the kernel.
    #[must_use]
    pub const fn kernel(&self) -> Kernel {
        self.kernel
    }

    fn lacks(&self, scenario: &Scenario) -> Option<String> {
        // With 1, `main` can let everybody trace it, and nobody else can; with 2 and more, it takes a privilege.
        let forbidden = match self.yama {
            0 => false,
            1 => scenario.traces(|of| scenario.is_forked(of)),
            _ => scenario.traces(|_| true),
        };
        if forbidden && !scenario.needs.contains(&Need::Root) {
            return Some("needs to trace, which `kernel.yama.ptrace_scope` forbids".to_owned());
        }
        scenario.needs.iter().find_map(|need| match need {
            Need::Root if !self.root => Some("needs the privileges of root".to_owned()),
            Need::I386 if !self.i386 => Some("needs calls of i386".to_owned()),
            Need::UserNamespaces if !self.user_namespaces => Some("needs user namespaces".to_owned()),
            Need::Audit if !self.audit => Some("needs audit records".to_owned()),
            Need::Release(release) if *release > self.kernel && !self.any_release => {
                Some(format!("needs Linux {release}"))
            }
            _ => None,
        })
    }

    /// Whether the kernel plays a scenario to its end.
    fn agrees(&self, text: &str) -> bool {
        let scenarios = super::read(text).unwrap_or_default();
        let played = scenarios.first().map(|scenario| self.played(scenario));
        played == Some(Ok(Played::Agreed))
    }

    fn played(&self, scenario: &Scenario) -> Result<Played, String> {
        let crew = Crew::start(self.gates, Room::new()?)?;
        Stage::new(scenario, crew, self.cores).play()
    }
}

impl Runner for Running {
    fn play(&mut self, scenario: &Scenario) -> Played {
        match self.lacks(scenario) {
            Some(why) => Played::Skipped(why),
            None => self.played(scenario).unwrap_or_else(Played::Failed),
        }
    }
}

/// Whether this process has every capability that scenarios need, and no filters of its own.
fn is_root() -> bool {
    const ADMIN_AND_PTRACE: u64 = 1 << 21 | 1 << 19;
    let effective = status_field("self", "CapEff").and_then(|hex| u64::from_str_radix(&hex, 16).ok());
    // SAFETY: touches no memory.
    let uid = unsafe { libc::geteuid() };
    uid == 0 && effective.is_some_and(|caps| caps & ADMIN_AND_PTRACE == ADMIN_AND_PTRACE)
}

/// Whether a core file shows that a process dumped core: not where a program takes them, nor where the limit is 0.
fn cores_are_written() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: fills a live structure.
    unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) };
    let allowed = limit.rlim_max >= crew::CORE_BYTES;
    allowed && !pattern.starts_with('|') && !pattern.starts_with('/') && !pattern.trim().is_empty()
}

/// Takes away what cannot be seen where no core is written.
fn without_core(text: &str) -> &str {
    text.strip_suffix(words::CORE).unwrap_or(text)
}

fn yama() -> u32 {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    scope.trim().parse().unwrap_or(0)
}

/// Whether children of this thread begin without filters and `no_new_privs`.
fn inherits_nothing() -> Result<(), Missing> {
    let is_set = |name| status_field("thread-self", name).is_some_and(|value| value != "0");
    if is_set("Seccomp") {
        Err(Missing::Inherited("filters"))
    } else if is_set("NoNewPrivs") {
        Err(Missing::Inherited("`no_new_privs`"))
    } else {
        Ok(())
    }
}

//! The runner that plays scenarios on the task model. It needs no kernel.

mod outside;
mod requests;
mod script;

use core::cell::RefCell;

use callproof_vm::effect::{Convention, Effect, Interruption, Record, Scope};
use callproof_vm::task::{Admin, Host, NotRunning, Observed, ThreadId, World};
use callproof_vm::{Gate, Insn, Kernel, Machine, SeccompData};

use super::step::{Call, How, Need, Scenario, Signal, What, Who};
use super::words::{self, Address, Told};
use super::{Fault, Played, Runner};
use outside::Outside;
use script::{Later, Script};

/// The instruction pointer of every call.
const IP: u64 = 0x1000_0020;

/// The task model as a runner.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    kernel: Kernel,
    seize_checks_suspend: bool,
    any_release: bool,
    convention: Convention,
    fault: Option<Fault>,
}

impl Model {
    /// The model of x86-64 with a kernel release.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            seize_checks_suspend: kernel.has(Gate::SeizeChecksSuspend),
            any_release: false,
            convention: Convention::default(),
            fault: None,
        }
    }

    /// The model of a kernel that hands results to its callers in this way.
    #[must_use]
    pub const fn with_convention(self, convention: Convention) -> Self {
        Self { convention, ..self }
    }

    /// The model of a kernel whose `PTRACE_SEIZE` checks who may suspend seccomp, or does not, whatever the release says.
    #[must_use]
    pub const fn with_seize_checks_suspend(self, checks: bool) -> Self {
        Self {
            seize_checks_suspend: checks,
            ..self
        }
    }

    /// The model playing scenarios for newer releases too: it shows something else then.
    #[must_use]
    pub const fn for_any_release(self) -> Self {
        Self {
            any_release: true,
            ..self
        }
    }

    /// The model with a mistake in it, to see whether anybody notices.
    #[must_use]
    pub const fn with_fault(self, fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..self
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new(Kernel::default())
    }
}

impl Runner for Model {
    fn play(&mut self, scenario: &Scenario) -> Played {
        for need in &scenario.needs {
            if let Need::Release(release) = need
                && *release > self.kernel
                && !self.any_release
            {
                return Played::Skipped(format!("needs Linux {release}"));
            }
        }
        Stage::new(scenario, *self).play()
    }
}

/// What a step can fail with: the text that is seen.
type Seen = Result<String, String>;

/// A scenario being played.
#[derive(Debug)]
struct Stage<'s> {
    scenario: &'s Scenario,
    world: World,
    threads: Vec<Option<ThreadId>>,
    /// What the process of each actor does about SIGUSR1
    usr1: Vec<How>,
    script: RefCell<Script<'s>>,
    /// Programs in the order of their installation
    programs: Vec<Vec<Insn>>,
    /// Audit records that no step has looked at, with their processes: the first actor of each stands for it
    records: Vec<(Who, String)>,
    /// The first actor of each actor's process
    first: Vec<Who>,
    fault: Option<Fault>,
    kernel: Kernel,
}

impl<'s> Stage<'s> {
    fn new(scenario: &'s Scenario, model: Model) -> Self {
        let mut world = World::new(Host {
            seize_checks_suspend: model.seize_checks_suspend,
            convention: model.convention,
            ..Host::from(Machine {
                kernel: model.kernel,
                ..Machine::default()
            })
        });
        let root = scenario.needs.contains(&Need::Root);
        let mut threads = Vec::new();
        for (who, actor) in scenario.actors.iter().enumerate() {
            threads.push((who == 0 || actor.outside).then(|| world.spawn()));
        }
        for thread in threads.iter().flatten() {
            if let Ok(environment) = world.environment(*thread) {
                environment.admin = if root { Admin::Initial } else { Admin::No };
            }
        }
        Self {
            scenario,
            world,
            usr1: vec![How::Default; threads.len()],
            threads,
            script: RefCell::new(Script::new(&scenario.steps)),
            programs: Vec::new(),
            records: Vec::new(),
            first: (0..scenario.actors.len()).collect(),
            fault: model.fault,
            kernel: model.kernel,
        }
    }

    fn play(mut self) -> Played {
        loop {
            let step = self.script.borrow().step();
            let Some(step) = step else { break };
            // A call says itself what it shows: others may have their say before it is over.
            if let What::Call { call, during } = step.what {
                self.call(step.who, &call, during);
                continue;
            }
            let seen = self.step(step.who, &step.what).unwrap_or_else(|seen| seen);
            self.script.borrow_mut().say(seen);
        }
        self.script.into_inner().end()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn thread(&self, who: Who) -> Result<ThreadId, String> {
        let thread = self.threads.get(who).copied().flatten();
        thread
            .filter(|id| self.world.thread(*id).is_some_and(|thread| thread.is_running()))
            .ok_or_else(|| words::NOBODY.to_owned())
    }

    /// A call of the scenario, from its beginning to what its caller sees.
    fn call(&mut self, who: Who, call: &Call, during: Option<Signal>) {
        let Ok(thread) = self.thread(who) else {
            self.script.borrow_mut().say(words::NOBODY);
            return;
        };
        let usr1 = self.usr1.get(who).copied().unwrap_or_default();
        let interruption = {
            let mut script = self.script.borrow_mut();
            (script.caller, script.usr1, script.handled) = (who, usr1, false);
            during.map_or(Interruption::None, |signal| script.interrupt(signal))
        };
        let seen = self.made(thread, *call, interruption);
        let mut script = self.script.borrow_mut();
        script.say(seen);
        let later = core::mem::take(&mut script.later);
        drop(script);
        for later in later {
            self.catch_up(later);
        }
    }

    /// Makes a call, again after every restart.
    fn made(&mut self, thread: ThreadId, mut call: Call, mut interruption: Interruption) -> String {
        loop {
            self.interrupt(thread, interruption);
            let effect = self.ask(thread, &mut call);
            self.interrupt(thread, Interruption::None);
            interruption = Interruption::None;
            match effect {
                Err(gone) => return gone,
                Ok(Effect::Restarts(callproof_vm::effect::Restart::SameCall)) => {}
                Ok(Effect::Restarts(callproof_vm::effect::Restart::RestartSyscall)) => call.nr = 219,
                Ok(effect) => {
                    let handled = self.script.borrow().handled;
                    let survives = !matches!(effect, Effect::Dies(_));
                    return words::with_handler(in_words(&effect, &call), handled && survives);
                }
            }
        }
    }

    fn interrupt(&mut self, thread: ThreadId, interruption: Interruption) {
        if let Ok(environment) = self.world.environment(thread) {
            environment.interruption = interruption;
        }
    }

    /// What the filters, the tracer and the supervisor make of a call, which is then as the tracer left it.
    fn ask(&mut self, thread: ThreadId, call: &mut Call) -> Result<Effect, String> {
        self.script.borrow_mut().stopped = false;
        let outside = Outside {
            script: &self.script,
            actors: &self.scenario.actors,
            threads: &self.threads,
            fault: self.fault,
            kernel: self.kernel,
        };
        let data = SeccompData {
            nr: call.nr,
            arch: call.abi.arch(),
            instruction_pointer: IP,
            args: call.args,
        };
        let (mut tracer, mut supervisor) = (outside, outside);
        let observed = self.world.syscall(thread, &data, &mut tracer, &mut supervisor);
        let observed = observed.map_err(|NotRunning(_)| words::NOBODY.to_owned())?;
        self.keep_record(thread, &observed);
        // A tracer may have changed what is made.
        (call.nr, call.args) = (observed.call.nr, observed.call.args);
        Ok(self.tampered(thread, &observed))
    }

    fn keep_record(&mut self, thread: ThreadId, observed: &Observed) {
        let forged = self.has(Fault::RecordsWithoutFlag) && observed.verdict.is_some();
        let forged = forged.then(|| Record {
            nr: observed.call.nr,
            arch: observed.call.arch,
            instruction_pointer: observed.call.instruction_pointer,
            signal: 0,
            code: observed.verdict.map_or(0, |verdict| verdict.value & 0xffff_0000),
        });
        let Some(record) = observed.record.or(forged) else {
            return;
        };
        let who = self.threads.iter().position(|id| *id == Some(thread));
        let first = who.and_then(|who| self.first.get(who)).copied().unwrap_or(0);
        let address = address(record.instruction_pointer);
        let text = words::record(u32::from(record.signal), record.arch, record.nr, record.code, address);
        self.records.push((first, text));
    }

    fn tampered(&self, thread: ThreadId, observed: &Observed) -> Effect {
        let Some(fault) = self.fault else {
            return observed.effect;
        };
        let listening = self.world.caller(thread).is_ok_and(|caller| caller.has_listener);
        fault.effect(observed, self.script.borrow().stopped, listening)
    }

    /// A call that belongs to a step: it is made, or what is seen instead.
    fn passes(&mut self, thread: ThreadId, nr: i32) -> Result<(), String> {
        let mut call = Call::native(nr, [0; 6]);
        match self.ask(thread, &mut call)? {
            Effect::Runs => Ok(()),
            effect => Err(in_words(&effect, &call)),
        }
    }

    fn catch_up(&mut self, later: Later) {
        let thread = |who: Who| self.threads.get(who).copied().flatten();
        // The other end may be gone by now, and then there is nothing to do.
        let _ = match later {
            Later::Resumed { tracer, of } => match (thread(tracer), thread(of)) {
                (Some(tracer), Some(of)) => self
                    .world
                    .resume(tracer, of, callproof_vm::task::EntryStops::No)
                    .is_ok(),
                _ => false,
            },
            Later::Detached { tracer, of } => match (thread(tracer), thread(of)) {
                (Some(tracer), Some(of)) => self.world.detach(tracer, of).is_ok(),
                _ => false,
            },
            Later::Ended(who) => thread(who).is_some_and(|thread| self.world.exit(thread, Scope::Process).is_ok()),
        };
    }
}

/// Whether the model says that a call was made where it was.
const fn address(said: u64) -> Address {
    if said == IP {
        Address::Right
    } else {
        Address::Wrong(said)
    }
}

fn in_words(effect: &Effect, call: &Call) -> String {
    match effect {
        Effect::Runs => words::made(call),
        Effect::Returns(value) => words::returns(value.register),
        Effect::Asks => words::WAITS.to_owned(),
        Effect::Stops { message } => words::stops(u64::from(*message)),
        Effect::Restarts(_) => "restarts".to_owned(),
        Effect::Dies(death) if death.scope == Scope::Thread => words::THREAD_DIES.to_owned(),
        Effect::Dies(death) => words::process_dies(i32::from(death.signal), death.core),
        Effect::Traps(info) => {
            let told = Told {
                signo: i32::from(info.si_signo),
                code: info.si_code,
                errno: i32::from(info.si_errno),
                syscall: info.si_syscall,
                arch: info.si_arch,
                address: address(info.si_call_addr),
            };
            words::traps(&told, i64::from(info.si_syscall))
        }
    }
}

//! Scenarios for a kernel of another architecture, where no runner of this crate can be built.
//!
//! A scenario of one thread that nobody traces or supervises is a row of calls. Their numbers, the numbers in the
//! programs and the places of an argument's halves are translated, an agent makes the calls, and what it saw is put into
//! the words of the scenario, as x86-64 would show it. So the task model can be asked whether it agrees.

mod translate;
mod wire;

use callproof_abi::Abi;
use callproof_vm::Kernel;
use callproof_vm::effect::{BelowZero, Convention};

use super::step::{Call, How, Install, Need, Scenario, Signal, What, Where};
use super::{Model, Played, Runner as _, calls, words};
use wire::{Happened, Kind, Program};
pub(crate) use wire::{Seen, Step, Story, decode, encode};

/// The kernel that the calls go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The ABI of the agent
    pub(crate) abi: Abi,
    /// The bits of a call's number that the kernel keeps
    pub(crate) number_mask: u32,
    /// The kernel's release
    pub(crate) kernel: Kernel,
    /// What the kernel does with numbers below 0
    pub(crate) below_zero: BelowZero,
}

/// What a scenario's steps show in x86-64's words.
const X86_64_ARCH: u32 = 0xc000_003e;

impl Target {
    /// A scenario as calls, or why it cannot be told so.
    pub(crate) fn story(&self, scenario: &Scenario) -> Result<Story, String> {
        for need in &scenario.needs {
            match need {
                Need::I386 => return Err("it makes calls of i386".to_owned()),
                Need::UserNamespaces => return Err("it needs user namespaces".to_owned()),
                Need::Audit => return Err("it reads audit records".to_owned()),
                Need::Root | Need::Release(_) => {}
            }
        }
        let mut story = Story {
            privileged: scenario.needs.contains(&Need::Root),
            programs: Vec::new(),
            steps: Vec::new(),
        };
        for step in &scenario.steps {
            if step.who != 0 {
                return Err("it has more than one actor".to_owned());
            }
            let told = self.step(&step.what, &mut story.programs)?;
            story.steps.push(told);
        }
        if story.steps.len() > wire::MOST_STEPS || story.programs.len() > wire::MOST_PROGRAMS {
            return Err("it is too long for the agent".to_owned());
        }
        Ok(story)
    }

    fn step(&self, what: &What, programs: &mut Vec<Program>) -> Result<Step, String> {
        let call = |name: &str, args| Ok(Step::call(self.number(name)?, args));
        match what {
            What::Call { call, during: None } if call.abi == super::step::Abi::X86_64 => {
                Ok(Step::call(self.call_number(call)?, call.args))
            }
            What::NoNewPrivs([a, b, c, d]) => call("prctl", [38, *a, *b, *c, *d, 0]),
            What::GetNoNewPrivs([a, b, c, d]) => call("prctl", [39, *a, *b, *c, *d, 0]),
            What::GetMode => call("prctl", [21, 0, 0, 0, 0, 0]),
            What::SetMode(mode) => call("prctl", [22, *mode, 0, 0, 0, 0]),
            What::Exit { all } => call(if *all { "exit_group" } else { "exit" }, [0; 6]),
            What::Install(install) => self.install(install, programs),
            // GET_NOTIF_SIZES writes to memory that the agent does not show.
            What::Seccomp { op, .. } if *op == 3 => Err("it reads sizes from memory".to_owned()),
            What::Seccomp {
                op,
                flags,
                pointer,
                value,
            } => {
                let (arg, words) = match pointer {
                    Where::Null => (0, 0),
                    Where::Good => (u64::from(*value), 1 << 2),
                    _ => (BAD, 0),
                };
                let args = [u64::from(*op), u64::from(*flags), arg, 0, 0, 0];
                let step = Step::call(self.number("seccomp")?, args);
                Ok(Step { words, ..step })
            }
            What::Handler {
                signal: Signal::Sys,
                how,
            } => Ok(Step::special(match how {
                How::Handle => Kind::Handle,
                How::Ignore => Kind::Ignore,
                How::Default => Kind::Default,
                How::Restart => return Err("it has a handler with SA_RESTART".to_owned()),
            })),
            What::Block => Ok(Step::special(Kind::Block)),
            other => Err(format!("it has a step that the agent cannot take: {}", name(other))),
        }
    }

    fn install(&self, install: &Install, programs: &mut Vec<Program>) -> Result<Step, String> {
        let good = matches!(install.pointer, Where::Good | Where::NullProgram | Where::BadProgram);
        let arg = match install.pointer {
            Where::Null => 0,
            Where::Bad => BAD,
            _ => u64::try_from(programs.len()).unwrap_or(u64::MAX),
        };
        let step = if install.prctl {
            Step::call(self.number("prctl")?, [22, 2, arg, 0, 0, 0])
        } else {
            Step::call(self.number("seccomp")?, [1, u64::from(install.flags), arg, 0, 0, 0])
        };
        if !good {
            return Ok(step);
        }
        let insns = translate::program(&install.program, self)?;
        let len = u16::try_from(insns.len()).unwrap_or(u16::MAX);
        programs.push(Program {
            claimed: install.len.unwrap_or(len),
            address: install.pointer,
            insns,
        });
        Ok(Step {
            programs: 1 << 2,
            ..step
        })
    }

    /// The number of a call that scenarios know by name.
    fn number(&self, name: &str) -> Result<u32, String> {
        let missing = |_| format!("the architecture has no call `{name}`");
        self.abi.number(name).map_err(missing)
    }

    /// The number of a call by its number on x86-64.
    fn call_number(&self, call: &Call) -> Result<u32, String> {
        let nr = self.translated(call.nr.cast_unsigned())?;
        if nr & self.number_mask == nr {
            Ok(nr)
        } else {
            Err("the kernel cuts the number of a call".to_owned())
        }
    }

    /// What a number of x86-64 is here. Numbers that no architecture has stay as they are.
    fn translated(&self, nr: u32) -> Result<u32, String> {
        const FIRST_FREE: u32 = 1000;
        if nr >= FIRST_FREE {
            return Ok(nr);
        }
        let name = Abi::X86_64.syscall_name(nr);
        self.number(name.ok_or_else(|| format!("call {nr} has no name"))?)
    }

    /// Whether the model shows what the agent saw, and whether that is what the scenario says.
    pub(crate) fn judge(&self, scenario: &Scenario, story: &Story, seen: &[Seen]) -> (Played, bool) {
        let mut told = scenario.clone();
        for ((step, taken), seen) in told.steps.iter_mut().zip(&story.steps).zip(seen) {
            step.expect = self.in_words(&step.what, taken, seen);
        }
        let as_written = told == *scenario;
        // Errors are told as negative numbers everywhere.
        let convention = Convention {
            below_zero: self.below_zero,
            ..Convention::default()
        };
        let mut model = Model::new(self.kernel).for_any_release().with_convention(convention);
        (model.play(&told), as_written)
    }

    fn in_words(&self, what: &What, taken: &Step, seen: &Seen) -> String {
        match seen.happened {
            Happened::Nothing => words::NOBODY.to_owned(),
            Happened::Value(value) => value_in_words(what, value),
            Happened::OwnNumber(value) => match own_call(what) {
                Some(calls::Natural::Tid) => words::returns_tid(),
                Some(calls::Natural::Pid) => words::returns_pid(),
                _ => value_in_words(what, value),
            },
            Happened::Died(status) => status_in_words(status),
            Happened::Trapped(mut told) => {
                let nr = native_number(what);
                if told.syscall == taken.nr.cast_signed() {
                    told.syscall = nr;
                }
                if told.arch == self.abi.audit_arch() {
                    told.arch = X86_64_ARCH;
                }
                // What the call seems to return after a handler differs between architectures, and the agent leaves
                // its handler without returning.
                words::traps(&told, i64::from(nr))
            }
        }
    }
}

/// An address where nothing is.
const BAD: u64 = 0x10;

/// The call's number on x86-64.
fn native_number(what: &What) -> i32 {
    const PRCTL: i32 = 157;
    const SECCOMP: i32 = 317;
    match what {
        What::Call { call, .. } => call.nr,
        What::Install(install) if !install.prctl => SECCOMP,
        What::Seccomp { .. } => SECCOMP,
        What::Exit { all } => {
            if *all {
                231
            } else {
                60
            }
        }
        What::Handler { .. } => 13,
        What::Block => 14,
        _ => PRCTL,
    }
}

fn own_call(what: &What) -> Option<calls::Natural> {
    match what {
        What::Call { call, .. } => Some(calls::natural(call.nr, &call.args, call.abi)),
        _ => None,
    }
}

fn value_in_words(what: &What, value: i64) -> String {
    match what {
        What::Call { .. } => words::returns(value),
        What::Install(install) if install.flags & 8 != 0 && value >= 0 => words::LISTENER.to_owned(),
        _ => words::done(value),
    }
}

fn status_in_words(status: i32) -> String {
    if libc::WIFSIGNALED(status) {
        words::process_dies(libc::WTERMSIG(status), libc::WCOREDUMP(status))
    } else {
        words::exits(libc::WEXITSTATUS(status))
    }
}

fn name(what: &What) -> &'static str {
    match what {
        What::Call { .. } => "a call under a signal or of i386",
        What::Finish => "`finish`",
        What::Thread(_) => "`thread`",
        What::Fork(_) => "`fork`",
        What::Exec(_) => "`exec`",
        What::Handler { .. } => "`handler` for another signal than SIGSYS",
        What::Status { .. } => "`status`",
        What::Trace { .. } => "`trace`",
        What::Actions { .. } => "`actions`",
        What::LimitFiles => "`limit_files`",
        What::DropPrivileges => "`drop_privileges`",
        What::CloseListener => "`close_listener`",
        _ => "one of a tracer or supervisor",
    }
}

#[cfg(test)]
mod tests;

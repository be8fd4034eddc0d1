//! What a call shows under a chain of filters, on the running kernel.

use callproof_vm::{Insn, Outcome, SeccompData};

use super::live::Running;
use super::step::{Abi, Actor, Call, How, Install, Scenario, Signal, Step, Stops, What, Where, Who};
use super::{Played, Runner as _, words};

/// Those in the story: the first thread of a process, which only lives; its second, which calls; and a tracer.
const ACTORS: [(&str, bool); 3] = [("main", false), ("caller", false), ("tracer", true)];
const CALLER: Who = 1;
const TRACER: Who = 2;
const TRACE_SECCOMP: u32 = 0x80;
/// Calls whose results tell that they were made, by ABI: `getpid` and `gettid`.
const HARMLESS: [(Abi, [i32; 2]); 2] = [(Abi::X86_64, [39, 186]), (Abi::I386, [20, 224])];

impl Running {
    /// What a call shows when filters judge it together, the oldest first. None of them has a listener. The call is
    /// `getpid` or `gettid` of x86_64 or i386; its instruction pointer is one that the kernel chooses.
    ///
    /// Filters are installed one after the other, so each must let `seccomp` (317) pass for the next, and those that
    /// trap `rt_sigreturn` (15), with which the handler ends.
    ///
    /// # Errors
    /// Why it could not be seen.
    pub fn outcome(&mut self, chain: &[Vec<Insn>], call: &SeccompData) -> Result<Outcome, String> {
        let found = HARMLESS
            .into_iter()
            .find(|(abi, numbers)| abi.arch() == call.arch && numbers.contains(&call.nr));
        let (abi, _) = found.ok_or("only `getpid` and `gettid` of x86_64 and i386 are made here")?;
        let call = Call {
            nr: call.nr,
            args: call.args,
            abi,
        };
        match self.play(&story(chain, call)) {
            Played::Differed { line, seen, .. } if line == chain.len() => outcome(&seen).ok_or(seen),
            Played::Differed { line, seen, .. } => Err(format!("filter {line} cannot be installed: {seen}")),
            Played::Failed(why) | Played::Skipped(why) => Err(why),
            Played::Agreed => Err("the call showed nothing".to_owned()),
        }
    }
}

/// Steps that install filter K are on line K; the call is on the line behind them, and expects nothing that can be seen.
fn story(chain: &[Vec<Insn>], call: Call) -> Scenario {
    let step = |line, who, what| Step {
        line,
        who,
        what,
        expect: words::DONE.to_owned(),
    };
    let mut steps = vec![
        step(0, 0, What::Thread(CALLER)),
        step(0, CALLER, What::NoNewPrivs([1, 0, 0, 0])),
        step(
            0,
            CALLER,
            What::Handler {
                signal: Signal::Sys,
                how: How::Handle,
            },
        ),
        step(
            0,
            TRACER,
            What::Trace {
                of: CALLER,
                options: TRACE_SECCOMP,
                stops: Stops::Seccomp,
            },
        ),
    ];
    for (line, program) in chain.iter().enumerate() {
        let install = Install {
            program: program.clone(),
            len: None,
            flags: 0,
            pointer: Where::Good,
            prctl: false,
        };
        steps.push(step(line, CALLER, What::Install(install)));
    }
    let mut last = step(chain.len(), CALLER, What::Call { call, during: None });
    last.expect.clear();
    steps.push(last);
    Scenario {
        name: "a chain".to_owned(),
        line: 0,
        needs: Vec::new(),
        actors: ACTORS
            .map(|(name, outside)| Actor {
                name: name.to_owned(),
                outside,
            })
            .into(),
        steps,
    }
}

fn outcome(seen: &str) -> Option<Outcome> {
    let number = |text: &str| text.parse().ok();
    if seen == words::returns_pid() || seen == words::returns_tid() {
        Some(Outcome::Runs)
    } else if seen == words::THREAD_DIES {
        Some(Outcome::KillThread)
    } else if seen.starts_with("the process dies of SIGSYS") {
        Some(Outcome::KillProcess)
    } else if let Some(message) = seen.strip_prefix("stops for seccomp with ") {
        number(message).map(Outcome::Trace)
    } else if let Some(rest) = seen.strip_prefix("signal 31 code 1 errno ") {
        rest.split(' ').next().and_then(number).map(Outcome::Trap)
    } else if seen == "returns 0" {
        Some(Outcome::Errno(0))
    } else {
        seen.strip_prefix("returns -").and_then(number).map(Outcome::Errno)
    }
}

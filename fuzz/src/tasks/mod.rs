//! Threads, tracers and supervisors that do anything in any order, against a small account of who has which filter.

mod others;
mod questions;

use callproof_testgen::{Bytes, Caller, Choose as _, Harvest, program};
use callproof_vm::bitmap::{Bypass, Platform};
use callproof_vm::effect::{Convention, Effect, Logged, Scope};
use callproof_vm::install::Success;
use callproof_vm::task::{Failed, Host, Observed, ThreadId, World};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine, SeccompData};

use crate::watched::{kernel, small};
use others::{Answers, Chosen};

/// Whatever threads do, each has the filters that were installed on it or inherited, and they judge its calls.
pub fn tasks(bytes: &[u8]) {
    const MOST: usize = 64;
    const BYTES_OF_A_STEP: usize = 8;
    let mut play = Play::new(bytes);
    for _ in 0..MOST.min(bytes.len() / BYTES_OF_A_STEP) {
        play.step();
        play.check();
    }
}

/// What is known of a thread without asking the world.
#[derive(Clone, Default)]
struct Known {
    process: usize,
    /// Oldest first, numbers of programs
    chain: Vec<usize>,
    no_new_privs: bool,
    ended: bool,
}

struct Play<'b> {
    choices: Bytes<'b>,
    world: World,
    threads: Vec<(ThreadId, Known)>,
    programs: Vec<Vec<Insn>>,
    processes: usize,
}

impl<'b> Play<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        let mut choices = Bytes::new(bytes);
        let host = host(&mut choices);
        let mut play = Self {
            choices,
            world: World::new(host),
            threads: Vec::new(),
            programs: Vec::new(),
            processes: 0,
        };
        play.spawn();
        play
    }

    fn spawn(&mut self) {
        let id = self.world.spawn();
        self.enter(id, Known::default(), true);
    }

    /// A thread begins with what is known of its creator.
    fn enter(&mut self, id: ThreadId, mut known: Known, leads: bool) {
        if leads {
            known.process = self.processes;
            self.processes = self.processes.saturating_add(1);
        }
        self.threads.push((id, known));
    }

    fn thread(&mut self) -> (usize, ThreadId) {
        let count = u32::try_from(self.threads.len()).unwrap_or(0);
        let at = self.choices.below(count) as usize;
        match self.threads.get(at) {
            Some((id, _)) => (at, *id),
            None => panic!("there is no thread {at}"),
        }
    }

    fn kernel(&self) -> Kernel {
        self.world.host().machine.kernel
    }

    fn step(&mut self) {
        match self.choices.below(12) {
            0 => self.begin(),
            1 | 2 => self.install(),
            3 => self.ask(),
            4..=7 => self.call(),
            8 => self.surround(),
            9 => self.trace(),
            10 => self.inspect(),
            _ => self.end(),
        }
    }

    fn begin(&mut self) {
        const MOST: usize = 8;
        let (at, id) = self.thread();
        if self.threads.len() >= MOST {
            return;
        }
        let known = self.threads.get(at).map(|(_, known)| known.clone()).unwrap_or_default();
        match self.choices.below(3) {
            0 => self.spawn(),
            1 => drop(self.world.clone_thread(id).map(|child| self.enter(child, known, false))),
            _ => drop(self.world.fork(id).map(|child| self.enter(child, known, true))),
        }
    }

    fn end(&mut self) {
        let (_, id) = self.thread();
        match self.choices.below(4) {
            0 => drop(self.world.exit(id, Scope::Thread)),
            1 => drop(self.world.exit(id, Scope::Process)),
            2 => drop(self.world.close_listener(id)),
            _ => drop(self.world.execve(id)),
        }
    }

    /// A filter is asked for, usually of a thread that may.
    fn install(&mut self) {
        let (at, id) = self.thread();
        if !self.choices.one_in(4) && self.world.set_no_new_privs(id).is_ok() {
            self.threads
                .get_mut(at)
                .into_iter()
                .for_each(|(_, known)| known.no_new_privs = true);
        }
        let program = if self.choices.one_in(3) {
            program(&mut self.choices)
        } else {
            small(&mut self.choices)
        };
        let flags = match self.choices.below(3) {
            0 => 0,
            1 => self.choices.below(64),
            _ => self.choices.pick(&[8, 1, 2]),
        };
        let installed = self.world.install(id, &program, flags);
        self.heed(at, id, &program, installed);
    }

    /// Writes down what an installation did.
    fn heed(&mut self, at: usize, id: ThreadId, program: &[Insn], installed: Result<Success, Failed>) {
        let synced = match installed {
            Ok(Success::Installed { synced, .. }) => synced,
            Ok(success) => panic!("an installation answers {success:?}"),
            Err(failed) => return self.failed(failed),
        };
        assert!(
            Filter::load_on(self.kernel(), program).is_ok(),
            "{program:?} is installed"
        );
        let number = self.programs.len();
        self.programs.push(program.to_vec());
        let Some((_, caller)) = self.threads.get_mut(at) else {
            return;
        };
        caller.chain.push(number);
        let caller = caller.clone();
        for (other, known) in &mut self.threads {
            let runs = self
                .world
                .thread(*other)
                .is_some_and(callproof_vm::task::Thread::is_running);
            if synced && *other != id && runs && known.process == caller.process {
                known.chain.clone_from(&caller.chain);
                known.no_new_privs |= caller.no_new_privs;
            }
        }
    }

    fn call(&mut self) {
        let (at, id) = self.thread();
        let chain: Vec<Vec<Insn>> = self.programs_of(at);
        let harvest = Harvest::of(chain.last().map_or(&[], Vec::as_slice));
        let caller = match self.choices.below(3) {
            0 => Caller {
                arch: 0xc000_003e,
                ip: 0,
            },
            _ => Caller::any(&mut self.choices),
        };
        let mut call = harvest.call(&mut self.choices, caller);
        if self.choices.one_in(3) {
            call.nr = self.choices.pick(&[0, 1, 15, 60, 335, 336, -1]);
        }
        let kernel = self.kernel();
        let (mut tracer, mut supervisor) = (Chosen::new(&mut self.choices), Answers::new(&mut self.choices, kernel));
        let observed = self.world.syscall(id, &call, &mut tracer, &mut supervisor);
        let ran = self.threads.get(at).is_some_and(|(_, known)| !known.ended);
        assert_eq!(observed.is_ok(), ran, "only a thread that runs makes calls");
        if let Ok(observed) = observed
            && !tracer.changed
        {
            self.judged(&chain, &call, &observed);
        }
        // What a death does to others is the world's to say; they do not come back.
    }

    fn programs_of(&self, at: usize) -> Vec<Vec<Insn>> {
        let known = self.threads.get(at).map_or(&[][..], |(_, known)| &known.chain);
        known
            .iter()
            .filter_map(|&number| self.programs.get(number).cloned())
            .collect()
    }

    /// The verdict is that of the filters that the thread is known to have, or the bitmap lets pass what they allow.
    fn judged(&self, chain: &[Vec<Insn>], call: &SeccompData, observed: &Observed) {
        let Observed {
            effect,
            verdict,
            bypass,
            ..
        } = observed;
        assert!(!effect.to_string().is_empty());
        let filters: Result<Vec<Filter<'_>>, _> = chain
            .iter()
            .map(|program| Filter::load_on(self.kernel(), &program[..]))
            .collect();
        let Ok(filters) = filters else {
            panic!("a program was installed and is refused now")
        };
        let expected = Chain::new(&filters).run(call, self.world.host().machine);
        assert!(
            verdict.is_none_or(|verdict| verdict == expected),
            "{verdict:?}, {expected:?} of {chain:?}"
        );
        if *bypass == Some(Bypass::ConstantAllow) {
            assert_eq!(expected.value, 0x7fff_0000, "{call:x?} passes {chain:?}");
        }
        if verdict.is_some_and(|verdict| verdict.action.kills()) {
            assert!(matches!(effect, Effect::Dies(_)), "{verdict:?} and {effect:?}");
        }
    }

    /// The world's account of every thread is the one kept here.
    fn check(&mut self) {
        for (id, known) in &mut self.threads {
            let Some(thread) = self.world.thread(*id) else {
                panic!("{id:?} is lost")
            };
            assert!(!(known.ended && thread.is_running()), "{id:?} runs again");
            known.ended = !thread.is_running();
            assert_eq!(self.world.chain(*id).len(), known.chain.len(), "filters of {id:?}");
            assert_eq!(thread.no_new_privs(), known.no_new_privs, "no_new_privs of {id:?}");
            let status = self.world.status(*id);
            assert!(status.is_some_and(|status| status.filters.is_none_or(|count| count == known.chain.len())));
            assert!(known.ended || self.world.caller(*id).is_ok());
        }
    }
}

/// A machine: its release, byte order, how it returns results, and what its log writes down.
fn host(choices: &mut Bytes<'_>) -> Host {
    const LOGGED: [&str; 4] = [
        "",
        "kill_process log",
        "errno trap trace kill_thread",
        "user_notif  log",
    ];
    let machine = Machine {
        endian: if choices.one_in(3) { Endian::Big } else { Endian::Little },
        kernel: kernel(choices),
        ..Machine::default()
    };
    let conventions = [
        Convention::default(),
        Convention::POWERPC,
        Convention::ARM,
        Convention::MIPS,
    ];
    let logged = LOGGED
        .get(choices.below(4) as usize)
        .map(|text| Logged::parse(text, machine.kernel));
    if let Some(Ok(logged)) = logged {
        assert_eq!(Logged::parse(&logged.to_string(), machine.kernel), Ok(logged));
    }
    let mut host = Host::from(machine);
    host.platform = if choices.one_in(3) {
        None
    } else {
        Some(Platform::X86_64)
    };
    host.convention = choices.pick(&conventions);
    host.logged = logged.and_then(Result::ok).unwrap_or_default();
    host.checkpoint_restore = !choices.one_in(4);
    host
}

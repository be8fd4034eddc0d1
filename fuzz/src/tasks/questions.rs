//! What threads ask of the kernel beside their calls, what surrounds them, and who traces them.

use callproof_testgen::Choose as _;
use callproof_vm::effect::Disposition;
use callproof_vm::install::{Fprog, Pointer, Request, Shortage, Success};
use callproof_vm::task::{Admin, EntryStops, Failed, FilterId, ThreadId, option};

use super::Play;
use super::others::INTERRUPTIONS;

impl Play<'_> {
    /// Any other question to the kernel, and installations that cannot succeed.
    pub(super) fn ask(&mut self) {
        let (at, id) = self.thread();
        let [flags, word] = [self.choices.below(2), callproof_testgen::constant(&mut self.choices)];
        let args = match self.choices.below(3) {
            0 => Pointer::Null,
            1 => Pointer::Bad,
            _ => Pointer::To(()),
        };
        let prctl = [u64::from(word), 0, 0, u64::from(flags)];
        let nothing = Fprog {
            len: u16::try_from(word & 0xffff).unwrap_or(0),
            program: Pointer::Bad,
        };
        let request = match self.choices.below(11) {
            0 => Request::SetModeStrict { flags, args },
            1 => Request::GetActionAvail {
                flags,
                args: Pointer::To(word),
            },
            2 => Request::GetNotifSizes { flags, args },
            3 => Request::OtherOperation,
            4 => Request::PrctlSetSeccomp {
                mode: u64::from(word & 3),
                filter: Pointer::To(nothing),
            },
            5 => Request::PrctlGetSeccomp,
            6 => Request::PrctlSetNoNewPrivs(prctl),
            7 => Request::PrctlGetNoNewPrivs(prctl.map(|number| number & 1)),
            8 => Request::SetModeFilter {
                flags: word,
                args: Pointer::To(nothing),
            },
            9 => Request::SetModeFilter {
                flags,
                args: Pointer::Null,
            },
            _ => Request::GetActionAvail {
                flags,
                args: Pointer::To(0x7fff_0000),
            },
        };
        match self.world.seccomp(id, &request) {
            Ok(Success::NoNewPrivsSet) => {
                self.threads
                    .get_mut(at)
                    .into_iter()
                    .for_each(|(_, known)| known.no_new_privs = true);
            }
            Ok(success) => assert!(success.returns() >= 0, "{success:?}"),
            Err(failed) => self.failed(failed),
        }
    }

    /// A refusal is told as an error, or names a thread that runs.
    pub(super) fn failed(&self, failed: Failed) {
        assert!(!failed.to_string().is_empty());
        if let Failed::Refused(refusal) = failed {
            let returned = refusal.returns();
            let named = |id: &ThreadId| i64::from(id.tid()) == returned;
            let thread = self.threads.iter().any(|(id, known)| named(id) && !known.ended);
            assert!(
                if refusal.errno().is_some() {
                    returned < 0
                } else {
                    thread
                },
                "{refusal:?}"
            );
        }
    }

    pub(super) fn surround(&mut self) {
        let (_, id) = self.thread();
        let what = self.choices.below(6);
        let choices = &mut self.choices;
        if let Ok(environment) = self.world.environment(id) {
            match what {
                0 => environment.admin = choices.pick(&[Admin::No, Admin::OwnNamespace, Admin::Initial]),
                1 => environment.sigsys_blocked = choices.one_in(2),
                2 => environment.interruption = choices.pick(&INTERRUPTIONS),
                3 => environment.shortage = choices.pick(&SHORTAGES),
                _ => {}
            }
        }
        if let Ok(process) = self.world.process(id) {
            match what {
                4 => process.sigsys = choices.pick(&[Disposition::Default, Disposition::Ignored, Disposition::Handled]),
                5 => process.next_fd = choices.pick(&[None, Some(3), Some(i32::MAX)]),
                _ => {}
            }
        }
    }

    pub(super) fn trace(&mut self) {
        let ((_, tracer), (_, tracee)) = (self.thread(), self.thread());
        let options = match self.choices.below(4) {
            0 => option::TRACE_SECCOMP,
            1 => option::SUSPEND_SECCOMP,
            2 => 0,
            _ => callproof_testgen::constant(&mut self.choices),
        };
        let stops = [EntryStops::No, EntryStops::Syscall, EntryStops::Emulated];
        match self.choices.below(5) {
            0 => drop(self.world.attach(tracer, tracee)),
            1 => drop(self.world.seize(tracer, tracee, options)),
            2 => drop(self.world.set_options(tracer, tracee, options)),
            3 => {
                let stops = self.choices.pick(&stops);
                let _ = self.world.resume(tracer, tracee, stops);
            }
            _ => drop(self.world.detach(tracer, tracee)),
        }
    }

    /// What a tracer reads of a thread is what was installed on it.
    pub(super) fn inspect(&mut self) {
        let ((_, tracer), (at, tracee)) = (self.thread(), self.thread());
        let [index, size] = [self.choices.below(4), self.choices.below(20)].map(u64::from);
        let buffer = if self.choices.one_in(4) {
            Pointer::Bad
        } else {
            Pointer::To(())
        };
        if let Ok(program) = self.world.get_filter(tracer, tracee, index, buffer) {
            let known = self
                .threads
                .get(at)
                .and_then(|(_, known)| known.chain.get(usize::try_from(index).ok()?));
            assert_eq!(
                known.and_then(|&number| self.programs.get(number)).map(Vec::as_slice),
                Some(program)
            );
        }
        let _ = self.world.get_metadata(tracer, tracee, size, index);
        let chain: Vec<FilterId> = self.world.chain(tracee);
        for filter in chain {
            let _ = self.world.check_recv(filter, buffer == Pointer::Bad);
        }
    }
}

const SHORTAGES: [Option<Shortage>; 7] = [
    None,
    Some(Shortage::FilterMemory),
    Some(Shortage::ProgramMemory),
    Some(Shortage::ConvertedMemory),
    Some(Shortage::Jit),
    Some(Shortage::ListenerMemory),
    Some(Shortage::Files),
];

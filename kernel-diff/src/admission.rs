//! The oracle that knows which programs the kernel installs, without installing them.

use core::sync::atomic::{AtomicU64, Ordering};

use callproof_vm::Insn;

use crate::native::raw;
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Sight};
use crate::probe;
use crate::sys::{FLAG_NEW_LISTENER, Plain, Serve, Worker, install, sock_filter};

/// Knows which programs the kernel installs, and has it install none of them.
///
/// A thread may have one listener, and the kernel looks for a second one only after it has found a program in order. So
/// a child with a listener asks for another: `EBUSY` means that the program is fine, `EINVAL` that it is not. Before
/// Linux 5.0 there are no listeners; there the child fills its chain to the brim, and `ENOMEM` means that a program is
/// fine.
#[derive(Debug)]
pub struct AdmissionOracle {
    worker: Option<Worker<Asked>>,
    method: Method,
}

/// How admission is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A second listener is asked for: `EBUSY` or `EINVAL`. Since Linux 5.0
    Listener,
    /// The chain is full: `ENOMEM` or `EINVAL`
    FullChain,
}

impl AdmissionOracle {
    /// Starts the child that will do the work, with the method that this kernel has.
    ///
    /// # Errors
    /// [`Missing`] says what this machine lacks.
    pub fn new() -> Result<Self, Missing> {
        Self::with(Method::Listener).or_else(|_| Self::with(Method::FullChain))
    }

    /// As [`new`](Self::new), with a given method.
    ///
    /// # Errors
    /// [`Missing`] says what this machine lacks.
    pub fn with(method: Method) -> Result<Self, Missing> {
        probe::filters()?;
        let mut oracle = Self { worker: None, method };
        // One program that is fine and one that is not tell whether the answers mean anything.
        let good = [Insn::stmt(0x00, 1), Insn::stmt(0x16, 0)];
        let answers = oracle.admits_all(&[&good, &good[..1]]);
        match answers.as_slice() {
            [Ok(true), Ok(false)] => Ok(oracle),
            [Err(failure), _] | [_, Err(failure)] => Err(Missing::Admission(failure.clone())),
            _ => Err(Missing::Admission(Failure::Strange { register: 0 })),
        }
    }

    /// How this oracle finds out.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Whether the kernel installs a program.
    ///
    /// # Errors
    /// [`Failure`] when the kernel could not be asked; the oracle can be asked again.
    pub fn admits(&mut self, program: &[Insn]) -> Result<bool, Failure> {
        let mut answers = self.admits_all(&[program]);
        answers.pop().unwrap_or(Ok(false))
    }

    /// Whether the kernel installs each of some programs.
    pub fn admits_all(&mut self, programs: &[&[Insn]]) -> Vec<Result<bool, Failure>> {
        let mut answers = Vec::with_capacity(programs.len());
        while let Some(rest) = programs.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            match self.ask_some(rest) {
                Ok(some) => answers.extend(some),
                Err(failure) => answers.push(Err(failure)),
            }
        }
        answers
    }

    /// Asks about the first of some programs: at least one, at most as many as fit.
    fn ask_some(&mut self, programs: &[&[Insn]]) -> Result<Vec<Result<bool, Failure>>, Failure> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            None => {
                let worker = Worker::spawn().map_err(|error| Failure::system("start a test process", &error))?;
                self.worker.insert(worker)
            }
        };
        let body = worker.body();
        let count = fill(body, programs);
        body.full_chain = u32::from(self.method == Method::FullChain);
        if count == 0 {
            let len = programs.first().map_or(0, |program| program.len());
            return Err(Failure::TooLong { len });
        }
        let death = worker.ask().err();
        let body = worker.body();
        if death.is_none() && body.setup_error != 0 {
            let errno = body.setup_error;
            self.worker = None;
            return Err(Failure::System {
                what: "prepare a chain that admits nothing more",
                errno,
            });
        }
        let done = if death.is_some() { body.done as usize } else { count };
        let codes = body.programs.iter().take(done.min(count)).map(|program| program.code);
        let mut answers: Vec<_> = codes.map(|code| meaning(code, self.method)).collect();
        if let Some(death) = death {
            self.worker = None;
            if answers.len() < count {
                answers.push(Err(Failure::died(death)));
            }
        }
        Ok(answers)
    }
}

impl Oracle for AdmissionOracle {
    fn name(&self) -> &'static str {
        "admission"
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Admission]
    }

    fn observes(&self) -> Observes {
        Observes::NO_CALLS
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Admission(program) => self.admits(program).map(Answer::Admission),
            other => Err(other.unseen()),
        }
    }
}

fn meaning(code: i32, method: Method) -> Result<bool, Failure> {
    let fine = match method {
        Method::Listener => libc::EBUSY,
        Method::FullChain => libc::ENOMEM,
    };
    match code.wrapping_neg() {
        libc::EINVAL => Ok(false),
        errno if errno == fine => Ok(true),
        errno if errno > 0 => Err(Failure::Refused { errno }),
        _ => Err(Failure::Strange {
            register: i64::from(code),
        }),
    }
}

/// Most programs that are asked about at once.
const PROGRAMS: usize = 512;
/// Most instructions of them together; one program has up to 65,535.
const INSNS: usize = 1 << 17;

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
struct Asked {
    full_chain: u32,
    /// Whether the child is prepared
    prepared: u32,
    /// The errno of the preparation
    setup_error: i32,
    used: u32,
    done: u32,
    programs: [AskedProgram; PROGRAMS],
    insns: [sock_filter; INSNS],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct AskedProgram {
    insns: u32,
    len: u16,
    /// What the kernel said: an errno below 0
    code: i32,
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Asked {}

impl Serve for Asked {
    unsafe fn serve(this: *mut Self, progress: &AtomicU64) {
        // SAFETY: the body is ours until we return, and the preparation lets every call of this process pass.
        unsafe {
            let listen = (*this).full_chain == 0;
            if (*this).prepared == 0 {
                (*this).prepared = 1;
                (*this).setup_error = if listen { start_listening() } else { fill_chain() };
            }
            if (*this).setup_error != 0 {
                return;
            }
            let flags = if listen { FLAG_NEW_LISTENER } else { 0 };
            while (*this).done < (*this).used && ((*this).done as usize) < PROGRAMS {
                let program = (&raw mut (*this).programs)
                    .cast::<AskedProgram>()
                    .wrapping_add((*this).done as usize);
                let insns = (&raw const (*this).insns)
                    .cast::<sock_filter>()
                    .wrapping_add((*program).insns as usize);
                (*program).code = install(flags, insns, (*program).len);
                (&raw mut (*this).done).write_volatile((*this).done.wrapping_add(1));
                progress.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Installs a filter with a listener that nobody serves. Gives an errno.
///
/// # Safety
/// Runs in a child.
unsafe fn start_listening() -> i32 {
    let allow = raw(Insn::stmt(0x06, 0x7fff_0000));
    // SAFETY: the filter allows everything.
    match unsafe { install(FLAG_NEW_LISTENER, &raw const allow, 1) } {
        // A filter around this process has a listener already: just as well.
        0.. => 0,
        busy if busy == libc::EBUSY.wrapping_neg() => 0,
        error => error.wrapping_neg(),
    }
}

/// Installs filters until not even the shortest fits. Gives an errno.
///
/// # Safety
/// Runs in a child.
unsafe fn fill_chain() -> i32 {
    const PADDING: usize = 4087;
    let mut filler = [raw(Insn::stmt(0x01, 0)); PADDING + 1];
    if let Some(last) = filler.last_mut() {
        *last = raw(Insn::stmt(0x06, 0x7fff_0000));
    }
    let mut padding = PADDING;
    loop {
        let start = filler.as_ptr().wrapping_add(PADDING.wrapping_sub(padding));
        let len = u16::try_from(padding.wrapping_add(1)).unwrap_or(1);
        // SAFETY: the last `padding + 1` instructions of the filler are a program that allows everything.
        match unsafe { install(0, start, len) } {
            0 => {}
            full if full == libc::ENOMEM.wrapping_neg() && padding == 0 => return 0,
            full if full == libc::ENOMEM.wrapping_neg() => padding /= 2,
            error => return error.wrapping_neg(),
        }
    }
}

/// Writes programs into the shared memory; gives how many fit.
fn fill(asked: &mut Asked, programs: &[&[Insn]]) -> usize {
    let mut at = 0_usize;
    let mut count = 0_usize;
    for (program, slot) in programs.iter().zip(&mut asked.programs) {
        let end = at.saturating_add(program.len());
        let (Some(room), Ok(len)) = (asked.insns.get_mut(at..end), u16::try_from(program.len())) else {
            break;
        };
        for (place, insn) in room.iter_mut().zip(*program) {
            *place = raw(*insn);
        }
        *slot = AskedProgram {
            insns: u32::try_from(at).unwrap_or(u32::MAX),
            len,
            code: 0,
        };
        at = end;
        count = count.saturating_add(1);
    }
    asked.used = u32::try_from(count).unwrap_or(0);
    asked.done = 0;
    count
}

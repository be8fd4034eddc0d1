//! How long a filter is to the kernel: whether it fits what is left of a chain.

use core::sync::atomic::AtomicU64;

use callproof_vm::Insn;
use callproof_vm::length::{FILTER_PENALTY, MAX_INSNS, MAX_INSNS_PER_PATH};

use crate::native::raw;
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Sight};
use crate::probe;
use crate::sys::{Death, Plain, Serve, Worker, install, sock_filter};

/// Whether the kernel installs a program on a thread whose chain has room for exactly `room` more converted
/// instructions. The converted length of the program is the smallest room that it fits.
///
/// Each question costs a process that fills its chain. This process must not be under filters already: they count.
///
/// # Errors
/// [`Failure`] when the kernel could not be asked, or refuses the program for another reason than its length.
pub fn fits(program: &[Insn], room: u32) -> Result<bool, Failure> {
    fitting(&[program], room).map(|fitting| fitting == 1)
}

/// How many of some programs the kernel installs, one on top of the other, on a thread whose chain has room for exactly
/// `room` more converted instructions. Every installed filter takes four more than its length from what is left.
///
/// All but the last must allow `seccomp`, by which the next is installed. Together they have at most 4,096 instructions.
///
/// # Errors
/// As for [`fits`].
pub fn fitting(chain: &[&[Insn]], room: u32) -> Result<usize, Failure> {
    let insns = chain.iter().map(|program| program.len()).sum();
    let too_long = Failure::TooLong { len: insns };
    if insns > MAX_INSNS || chain.len() > CHAIN || room > MAX_INSNS_PER_PATH {
        return Err(too_long);
    }
    let failed = |error: &std::io::Error| Failure::system("start a test process", error);
    let mut worker = Worker::<Attempt>::spawn().map_err(|error| failed(&error))?;
    let body = worker.body();
    body.wanted = u32::try_from(chain.len()).unwrap_or(0);
    for (place, program) in body.lens.iter_mut().zip(chain) {
        *place = u16::try_from(program.len()).unwrap_or(0);
    }
    for (place, insn) in body.insns.iter_mut().zip(chain.iter().copied().flatten()) {
        *place = raw(*insn);
    }
    for (place, len) in body.fillers.iter_mut().zip(filler_lengths(room).ok_or(too_long)?) {
        *place = len;
    }
    // Under the programs, the child can hardly answer: the answer is in the memory when it dies.
    let end = worker.ask();
    let Attempt {
        stage,
        result,
        installed,
        ..
    } = *worker.body();
    match (stage, result, end) {
        (STAGE_FILLED, ..) => Err(Failure::System {
            what: "fill a chain",
            errno: result.wrapping_neg(),
        }),
        (STAGE_ASKED, result, _) if result == 0 || result == libc::ENOMEM.wrapping_neg() => Ok(installed as usize),
        (STAGE_ASKED, error, _) => Err(Failure::Refused {
            errno: error.wrapping_neg(),
        }),
        (_, _, end) => Err(Failure::died(end.err().unwrap_or(Death::Unknown))),
    }
}

/// Knows how many programs fit what is left of a chain: [`fitting`], as an [`Oracle`].
#[derive(Debug)]
pub struct RoomOracle(());

impl RoomOracle {
    /// Looks whether a chain can be filled here, to the last instruction.
    ///
    /// # Errors
    /// [`Missing`] when filters cannot be installed, or others are installed already.
    pub fn new() -> Result<Self, Missing> {
        probe::filters()?;
        // A return of A is four instructions long.
        let smallest = [Insn::stmt(0x16, 0)];
        for room in [3, 4] {
            match fits(&smallest, room) {
                Ok(fits) if fits == (room == 4) => {}
                Ok(_) => return Err(Missing::Inherited("a filter")),
                Err(failure) => return Err(Missing::Basic(failure)),
            }
        }
        Ok(Self(()))
    }
}

impl Oracle for RoomOracle {
    fn name(&self) -> &'static str {
        "room"
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Room]
    }

    fn observes(&self) -> Observes {
        Observes::NO_CALLS
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Room { chain, room } => fitting(chain, room).map(Answer::Room),
            other => Err(other.unseen()),
        }
    }
}

/// What a filler of `n` padding instructions and a return takes from the room: 3 + n + 2, and the penalty.
const FILLER_COST: u32 = 5 + FILTER_PENALTY;
/// Most that one filler takes.
const MOST_COST: u32 = 4096;
/// Most fillers that are ever needed.
const FILLERS: usize = 16;
/// Most programs that are asked about together.
const CHAIN: usize = 64;

/// Lengths of fillers that leave exactly `room`; 0 for no filler. `None` when there are none: too little is to be filled.
fn filler_lengths(room: u32) -> Option<[u16; FILLERS]> {
    let mut left = MAX_INSNS_PER_PATH.saturating_sub(room);
    let mut lengths = [0; FILLERS];
    for length in &mut lengths {
        if left == 0 {
            return Some(lengths);
        }
        // What remains must be nothing, or enough for another filler.
        let cost = if left <= MOST_COST {
            left
        } else {
            MOST_COST.min(left.saturating_sub(FILLER_COST))
        };
        *length = u16::try_from(cost.checked_sub(FILLER_COST)?.checked_add(1)?).ok()?;
        left = left.saturating_sub(cost);
    }
    None
}

/// A filler did not fit.
const STAGE_FILLED: u32 = 1;
/// The kernel has answered.
const STAGE_ASKED: u32 = 2;

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
struct Attempt {
    stage: u32,
    /// The errno below 0 of what was done last
    result: i32,
    /// How many programs were asked about
    wanted: u32,
    /// How many of them the kernel has installed
    installed: u32,
    lens: [u16; CHAIN],
    fillers: [u16; FILLERS],
    insns: [sock_filter; MAX_INSNS],
    filler: [sock_filter; MAX_INSNS],
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Attempt {}

impl Serve for Attempt {
    unsafe fn serve(this: *mut Self, _: &AtomicU64) {
        // SAFETY: the attempt is ours, and this process ends under whatever it installs. Fillers allow everything.
        unsafe {
            let filler = &mut (*this).filler;
            filler.fill(raw(Insn::stmt(0x01, 0)));
            if let Some(last) = filler.last_mut() {
                *last = raw(Insn::stmt(0x06, 0x7fff_0000));
            }
            let end = filler.as_ptr().wrapping_add(MAX_INSNS);
            for len in (*this).fillers {
                (*this).stage = STAGE_FILLED;
                (*this).result = if len == 0 {
                    0
                } else {
                    install(0, end.wrapping_sub(len as usize), len)
                };
                if (*this).result != 0 {
                    return;
                }
            }
            (*this).stage = 0;
            let mut insns = (&raw const (*this).insns).cast::<sock_filter>();
            for at in 0..((*this).wanted as usize).min(CHAIN) {
                let len = *(&raw const (*this).lens).cast::<u16>().wrapping_add(at);
                let result = install(0, insns, len);
                (&raw mut (*this).result).write_volatile(result);
                if result != 0 {
                    break;
                }
                insns = insns.wrapping_add(len as usize);
                (&raw mut (*this).installed).write_volatile((*this).installed.wrapping_add(1));
            }
            (&raw mut (*this).stage).write_volatile(STAGE_ASKED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_leave_exactly_the_room() {
        for room in 0..=MAX_INSNS_PER_PATH {
            let Some(lengths) = filler_lengths(room) else {
                assert!(room > MAX_INSNS_PER_PATH - FILLER_COST, "{room}");
                continue;
            };
            let costs = lengths.iter().filter(|&&len| len > 0).map(|&len| u32::from(len) + 8);
            assert_eq!(costs.sum::<u32>() + room, MAX_INSNS_PER_PATH);
            assert!(lengths.iter().all(|&len| usize::from(len) <= MAX_INSNS));
        }
    }
}

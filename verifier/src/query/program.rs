//! Claims about what programs cost and contain.

use callproof_abi::Abi;
use callproof_policy::{Env, Predicate};
use callproof_vm::bitmap::constantly_allows;
use callproof_vm::{Gate, Kernel};

use super::Session;
use super::answer::{Answer, Counterexample, Finding, HOLDS, Outcome, Shown, Stop};
use super::verdict::with_absent;
use crate::audit::HazardKind;
use crate::cost::{Costs, WorstCase};
use crate::limits::Undecided;
use crate::space::{Set, Space};
use crate::subject::Subject;
use crate::witness::Failure;

/// No call costs more.
pub(super) fn cost(session: &mut Session<'_>, calls: &Predicate, at_most: u32, env: &Env) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let asked = session.asked(&grounded)?;
    let answer = match session.worst_case(asked)? {
        None => Answer::Vacuous,
        Some(worst) if worst.insns <= u64::from(at_most) => HOLDS,
        Some(worst) => Answer::Fails(Counterexample::of(Finding::Cost { at_most }, vec![worst])),
    };
    Ok(with_absent(answer, grounded))
}

impl Session<'_> {
    /// A call of a set that costs the most instructions, replayed; `None` when the set is empty.
    ///
    /// # Errors
    /// [`Failure`] at a limit, or when the emulator counts differently.
    pub fn worst_case(&mut self, within: Set) -> Result<Option<Shown>, Failure> {
        self.case(within, Space::worst_case)
    }

    /// A call of a set that costs the fewest instructions, replayed; `None` when the set is empty.
    ///
    /// # Errors
    /// [`Failure`] at a limit, or when the emulator counts differently.
    pub fn best_case(&mut self, within: Set) -> Result<Option<Shown>, Failure> {
        self.case(within, Space::best_case)
    }

    fn case(&mut self, within: Set, find: FindCase) -> Result<Option<Shown>, Failure> {
        if let Some(undecided) = self.unexplored() {
            return Err(undecided.into());
        }
        let mut costs = match self.costs.take() {
            Some(costs) => costs,
            None => self.space.costs(&self.own)?,
        };
        let found = find(&mut self.space, &self.own, &mut costs, within);
        self.costs = Some(costs);
        Ok(found?.map(|found| self.shown(&found.call)))
    }
}

/// Finds a call of a set by its cost.
type FindCase = fn(&mut Space, &Subject<'_>, &mut Costs, Set) -> Result<Option<WorstCase>, Failure>;

/// The bitmap answers every call.
pub(super) fn cached(session: &mut Session<'_>, calls: &Predicate, env: &Env) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let asked = session.asked(&grounded)?;
    let kernel = session.kernel();
    let mut missing = asked;
    for part in &grounded.parts {
        let Some(abi) = part.cell.abi() else { continue };
        let cached = session.cached(abi, kernel)?;
        missing = session.space.minus(missing, cached)?;
    }
    let answer = match session.space.example(missing)? {
        _ if asked.is_empty() => Answer::Vacuous,
        None => HOLDS,
        Some(call) => Answer::Fails(Counterexample::of(Finding::NotCached, vec![session.shown(&call)])),
    };
    Ok(with_absent(answer, grounded))
}

impl Session<'_> {
    /// The calls of an ABI that the kernel's constant-allow bitmap answers, on a machine of that ABI's own kernel.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn cached(&mut self, abi: Abi, kernel: Kernel) -> Result<Set, Undecided> {
        let numbers: Vec<u32> = (0..cache_bound(abi, kernel))
            .filter(|number| {
                let mut filters = self.own.filters().iter();
                filters.all(|filter| constantly_allows(filter.program(), number.cast_signed(), abi.audit_arch()))
            })
            .collect();
        self.space.calls_of(abi, &numbers)
    }
}

impl Space {
    fn calls_of(&mut self, abi: Abi, numbers: &[u32]) -> Result<Set, Undecided> {
        let arch = self.arch(abi.audit_arch())?;
        let mut any = Set::EMPTY;
        for run in numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            if let (Some(from), Some(to)) = (run.first(), run.last()) {
                let run = self.numbers(*from, *to)?;
                any = self.or(any, run)?;
            }
        }
        self.and(arch, any)
    }
}

/// One more than the highest number with a bit in the bitmap; 0 where there is no bitmap.
///
/// i386 calls are answered on x86-64 machines. x32 numbers are out of bound. For machines whose bounds are not in the
/// tables nothing counts as cached.
#[must_use]
pub fn cache_bound(abi: Abi, kernel: Kernel) -> u32 {
    /// In every release that has the bitmap, numbers below this have a bit: 5.11 had calls up to 441.
    const SURE: u32 = 441;
    if !matches!(abi, Abi::X86_64 | Abi::I386) || !kernel.has(Gate::Bitmap) {
        return 0;
    }
    Abi::X86_64
        .cached_nr_bound((kernel.major, kernel.minor))
        .unwrap_or(SURE)
}

/// The programs have no such hazard.
pub(super) fn free(session: &mut Session<'_>, wanted: HazardKind) -> Result<Outcome, Stop> {
    for filter in 0..session.own.filters().len() {
        let audit = session.space.audit(&session.own, filter)?;
        if let Some(found) = audit.hazards.iter().find(|found| found.kind == wanted) {
            let shown = vec![session.shown(&found.call)];
            let finding = Finding::Hazard { filter, pc: found.pc };
            return Ok(Outcome::new(Answer::Fails(Counterexample::of(finding, shown))));
        }
    }
    Ok(Outcome::new(HOLDS))
}

//! Questions about filters, and their answers.
//!
//! A [`Query`] is a claim of the language of properties with the surroundings in which it has its meaning; what
//! commands ask on their own behalf (the same verdicts? never more permissive?) are claims too. A [`Session`] answers
//! queries about one chain.
//!
//! Diagrams answer first. What they say to hold is stated in the words of proof files and proved; what takes them too
//! much goes to the SAT engine as that statement. Nothing is said to hold before the checker has accepted a proof, and
//! nothing to fail before the emulator has replayed the calls that show it.

mod answer;
mod bounds;
mod by_sat;
mod calls;
mod coverage;
mod halves;
mod policy;
mod program;
mod proving;
mod regions;
mod registers;
mod relation;
mod replay;
mod session;
mod statement;
mod values;
mod verdict;

use callproof_policy::{ByteOrder, Claim, Env};
use callproof_vm::{Filter, Machine};

pub use answer::{Answer, AskError, Counterexample, Finding, Outcome, Partial, Proof, Shown, Tried};
pub use bounds::CostBound;
pub use program::cache_bound;
pub use session::{Session, Side};

use crate::limits::Limits;

/// A question: is the claim true of a filter, over all calls?
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// What is claimed
    pub claim: &'q Claim,
    /// The sets it may name and the ABIs in force
    pub env: &'q Env,
}

/// Answers one query about one chain of filters, oldest first.
///
/// ```
/// use callproof_policy::{ByteOrder, Env, Item, parse_properties};
/// use callproof_verifier::{Answer, Limits, Query, ask};
/// use callproof_vm::{Filter, Insn, Machine};
///
/// // ld [0]; jeq #101, kill, allow
/// let program = vec![Insn::stmt(0x20, 0), Insn::jump(0x15, 101, 0, 1), Insn::stmt(0x06, 0), Insn::stmt(0x06, 0x7fff0000)];
/// let filters = [Filter::load(program)?];
/// let file = parse_properties("example", "deny ptrace on x86_64, x32")?;
/// let (property, env) = file.properties(&Env::default()).remove(0);
/// let query = Query { claim: &property.claim, env: &env };
/// let outcome = ask(&query, &filters, Machine::default(), ByteOrder::OfArch, &Limits::default())?;
/// // The number of x32 has bit 30 set, and the filter does not think of it.
/// let Answer::Fails(counterexample) = outcome.answer else { panic!("{outcome:?}") };
/// assert_eq!(counterexample.shown[0].call.nr, 0x4000_0209);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// When the claim has no meaning, or when the emulator contradicts the verifier.
pub fn ask(
    query: &Query<'_>,
    filters: &[Filter<'_>],
    machine: Machine,
    order: ByteOrder,
    limits: &Limits,
) -> Result<Outcome, AskError> {
    Session::new(filters, Vec::new(), machine, order, limits).ask(query)
}

//! Whether a chain answers every call as something else does: one claim, asked in one place.

use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{ByteOrder, CallPattern, Claim, Env, Predicate, Selector, Span};
use callproof_verifier::{Answer, AskError, Limits, Query, Session, Side};
use callproof_vm::{Filter, Machine};

/// What the other side is called in the claim.
const OTHER: &str = "other";

/// Asks whether a chain gives every call of some ABIs the verdict that the other side gives it. What fails is shown by two
/// calls: the chain's first, then the other's.
///
/// # Errors
/// As for [`Session::ask`].
pub(crate) fn equality(
    chain: &[Filter<'_>],
    other: Side<'_>,
    env: &Env,
    machine: Machine,
    order: ByteOrder,
    limits: &Limits,
) -> Result<Answer, AskError> {
    let claim = Claim::Relation {
        left: Operand::Own,
        relation: Comparison::Equals,
        right: Operand::Named(OTHER.to_owned(), Span::default()),
        calls: Predicate::of(CallPattern::new(Selector::Any)),
    };
    let mut session = Session::new(chain, vec![(OTHER.to_owned(), other)], machine, order, limits);
    let query = Query { claim: &claim, env };
    session.ask(&query).map(|outcome| outcome.answer)
}

//! Policies to filters that are proved to be them.

use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{ByteOrder, CallPattern, Claim, CompileOptions, Env, GroundPolicy, Predicate, Selector, Span};
use callproof_verifier::{Answer, AskError, Limits, Query, Session, Side};
use callproof_vm::{Filter, Insn, Machine};

use crate::cases::judge::undecided;
use crate::error::{Error, ErrorKind};

/// Compiles a policy, and proves that the filter says what the policy says, for every call. Nothing else is returned.
///
/// # Errors
/// When the policy needs a filter longer than the kernel takes, or when the proof reaches a limit. A filter that
/// differs from its policy is a bug in callproof and comes with a call that shows it.
pub fn compile(policy: &GroundPolicy, machine: Machine, order: ByteOrder, limits: &Limits) -> Result<Vec<Insn>, Error> {
    let program = callproof_policy::compile(policy, &CompileOptions { order }).map_err(|error| {
        Error::input(error).help("name the ABIs that it is for; rules for many ABIs take room for each")
    })?;
    proved(&program, policy, machine, order, limits)?;
    Ok(program)
}

fn proved(
    program: &[Insn],
    policy: &GroundPolicy,
    machine: Machine,
    order: ByteOrder,
    limits: &Limits,
) -> Result<(), Error> {
    let bug = |what: &dyn core::fmt::Display| Error::new(ErrorKind::Bug, format_args!("the compiled filter {what}"));
    let filters = [Filter::load_on(machine.kernel, program).map_err(|rejected| bug(&rejected))?];
    let others = vec![("policy".to_owned(), Side::Policy(policy.clone()))];
    let claim = Claim::Relation {
        left: Operand::Own,
        relation: Comparison::Equals,
        right: Operand::Named("policy".to_owned(), Span::default()),
        calls: Predicate::of(CallPattern::new(Selector::Any)),
    };
    let mut session = Session::new(&filters, others, machine, order, limits);
    let query = Query {
        claim: &claim,
        env: &Env::default(),
    };
    let outcome = session.ask(&query).map_err(|error: AskError| bug(&error))?;
    match outcome.answer {
        Answer::Holds { .. } => Ok(()),
        Answer::Undecided(tried) => {
            let message = format!(
                "whether the compiled filter is the policy is undecided: {}",
                undecided(&tried)
            );
            Err(Error::new(ErrorKind::Undecided, message).help("split the policy, or name fewer ABIs"))
        }
        Answer::Fails(found) => {
            let call = found
                .shown
                .first()
                .map(|shown| callproof_formats::call::print(&shown.call));
            Err(bug(&format_args!(
                "is not the policy: see {}",
                call.unwrap_or_default()
            )))
        }
        Answer::Vacuous => Err(bug(&"was compared with nothing")),
    }
}

#[cfg(test)]
mod tests {
    use callproof_policy::parse_policy;

    use super::*;

    fn ground(text: &str) -> GroundPolicy {
        parse_policy("test", text).unwrap().ground(&Env::default()).unwrap()
    }

    #[test]
    fn another_policys_filter_is_refused() {
        let limits = Limits::default();
        let right = ground("default kill\nallow read on x86_64\n");
        let wrong = ground("default kill\nallow write on x86_64\n");
        let program = compile(&right, Machine::default(), ByteOrder::OfArch, &limits).unwrap();
        let error = proved(&program, &wrong, Machine::default(), ByteOrder::OfArch, &limits).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Bug);
        assert!(error.message.contains("see read("), "{error}");
    }

    #[test]
    fn what_is_too_hard_is_undecided() {
        let policy = ground("default kill\nallow read(raw: & 0x1234567) on x86_64\n");
        let limits = Limits {
            nodes: 10,
            ..Limits::default()
        };
        let error = compile(&policy, Machine::default(), ByteOrder::OfArch, &limits).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Undecided, "{error}");
    }
}

//! Policies to filters that are proved to be them.

use callproof_policy::{ByteOrder, CompileOptions, GroundPolicy};
use callproof_verifier::Limits;
use callproof_vm::{Insn, Machine};

use crate::error::{Error, ErrorKind};
use crate::judge::{Agreement, Judge};

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
    let judge = Judge {
        machine,
        order,
        limits: *limits,
        ..Judge::default()
    };
    match judge.policy(program, policy) {
        Ok(Agreement::Proved) => Ok(()),
        Ok(Agreement::Undecided(why)) => {
            let message = format!("whether the compiled filter is the policy is undecided: {why}");
            Err(Error::new(ErrorKind::Undecided, message).help("split the policy, or name fewer ABIs"))
        }
        Err(wrong) => Err(Error::new(
            ErrorKind::Bug,
            format_args!("a compiled filter is wrong: {wrong}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use callproof_policy::{Env, parse_policy};

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

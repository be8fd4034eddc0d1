//! What each function answers.

use callproof::relate::{Decision, Witness, compiled, never_more_permissive, same};
use callproof::{Error, ErrorKind, Filter, Insn, Kernel, Options};
use callproof_vm::observe::Count;
use callproof_vm::{Chain, Endian, Filter as Loaded, Machine, SeccompData};

use crate::types::{Outcome, RawVerdict, RawWitness};

/// What is said to the caller.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) outcome: Outcome,
    pub(crate) message: Option<String>,
    pub(crate) witness: Option<RawWitness>,
    pub(crate) verdict: Option<RawVerdict>,
}

/// The options in Rust.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings<'a> {
    pub(crate) abis: Option<&'a str>,
    pub(crate) kernel: Option<&'a str>,
    pub(crate) runtime: Option<&'a str>,
}

/// What two chains are asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation {
    Equal,
    NeverWeaker,
}

/// Why a question is not answered.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) outcome: Outcome,
    pub(crate) message: String,
}

impl Said {
    pub(crate) const OK: Self = Self {
        outcome: Outcome::Ok,
        message: None,
        witness: None,
        verdict: None,
    };

    fn new(outcome: Outcome, message: String) -> Self {
        Self {
            outcome,
            message: Some(message),
            ..Self::OK
        }
    }
}

impl Stop {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Usage,
            message: message.into(),
        }
    }
}

impl From<Stop> for Said {
    fn from(stop: Stop) -> Self {
        Self::new(stop.outcome, stop.message)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let outcome = match error.kind {
            // A filter that is refused cannot be asked; a finding always has a witness.
            ErrorKind::Input | ErrorKind::Refused => Outcome::Usage,
            ErrorKind::Undecided => Outcome::Undecided,
            ErrorKind::Bug => Outcome::Bug,
        };
        let message = error.to_string();
        Self { outcome, message }
    }
}

impl Surroundings<'_> {
    fn kernel(&self) -> Result<Kernel, Stop> {
        let Some(text) = self.kernel else {
            return Ok(Kernel::LATEST);
        };
        text.parse()
            .map_err(|error| Stop::usage(format!("`{text}` is {error}")))
    }

    fn chain(&self, name: &str, programs: Vec<Vec<Insn>>) -> Result<Filter, Stop> {
        let filters = (1..).zip(programs).map(|(number, program)| {
            let name = format!("{name} {number}");
            Filter::from_insns(name, program)
        });
        let chain = filters.reduce(Filter::then);
        let chain = chain.ok_or_else(|| Stop::usage(format!("there is no {name}; give at least one")))?;
        let chain = chain.kernel(self.kernel()?);
        match self.abis {
            Some(abis) => Ok(chain.on(abis)?),
            None => Ok(chain),
        }
    }
}

/// Whether the kernel would install a filter.
pub(crate) fn check(program: &[Insn], surroundings: Surroundings<'_>) -> Result<Said, Stop> {
    let Err(refused) = Loaded::load_on(surroundings.kernel()?, program) else {
        return Ok(Said::OK);
    };
    let rules: Vec<String> = refused.violations().map(|found| format!("\n{found}")).collect();
    let message = format!("the kernel refuses this program with EINVAL:{}", rules.concat());
    Ok(Said::new(Outcome::Finding, message))
}

/// What a chain decides about a call.
pub(crate) fn eval(programs: &[Vec<Insn>], call: &SeccompData, surroundings: Surroundings<'_>) -> Result<Said, Stop> {
    let machine = Machine {
        kernel: surroundings.kernel()?,
        endian: Endian::of_audit_arch(call.arch),
        ..Machine::default()
    };
    if programs.is_empty() {
        return Err(Stop::usage("there is no filter; give at least one"));
    }
    let mut filters = Vec::new();
    for (number, program) in (1..).zip(programs) {
        let loaded = Loaded::load_on(machine.kernel, program.as_slice());
        filters.push(loaded.map_err(|refused| Stop::usage(format!("filter {number}: {refused}")))?);
    }
    let chain = Chain::new(&filters);
    chain
        .check_budget(machine)
        .map_err(|(at, over)| Stop::usage(format!("filter {}: {over}", at.saturating_add(1))))?;
    let mut count = Count::default();
    let verdict = chain.run_observed(call, machine, &mut count);
    let filter = verdict.filter.and_then(|filter| i32::try_from(filter).ok());
    Ok(Said {
        verdict: Some(RawVerdict {
            value: verdict.value,
            filter: filter.unwrap_or(-1),
            insns: count.0,
        }),
        ..Said::OK
    })
}

/// Whether two chains stand in a relation for every call.
pub(crate) fn relate(
    relation: Relation,
    left: Vec<Vec<Insn>>,
    right: Vec<Vec<Insn>>,
    surroundings: Surroundings<'_>,
) -> Result<Said, Stop> {
    let left = surroundings.chain("left filter", left)?;
    let right = surroundings.chain("right filter", right)?;
    let decision = match relation {
        Relation::Equal => same(&left, &right, &Options::default())?,
        Relation::NeverWeaker => never_more_permissive(&left, &right, &Options::default())?,
    };
    Ok(decided(decision))
}

/// Whether a chain gives every call the verdict of a policy.
pub(crate) fn policy(programs: Vec<Vec<Insn>>, policy: &[u8], surroundings: Surroundings<'_>) -> Result<Said, Stop> {
    let chain = surroundings.chain("filter", programs)?;
    let runtime = surroundings.runtime.map(str::parse).transpose();
    let options = Options {
        runtime: runtime.map_err(Stop::usage)?,
        ..Options::default()
    };
    Ok(decided(compiled(policy, &chain, &options)?))
}

fn decided(decision: Decision) -> Said {
    let message = decision.to_string();
    match decision {
        Decision::Holds(_) => Said::OK,
        Decision::Undecided(_) => Said::new(Outcome::Undecided, message),
        Decision::Fails(witness) => Said {
            witness: Some(raw(&witness)),
            ..Said::new(Outcome::Finding, message)
        },
    }
}

fn raw(witness: &Witness) -> RawWitness {
    RawWitness {
        call: witness.call.into(),
        left: witness.left.value,
        right: witness.right.value,
    }
}

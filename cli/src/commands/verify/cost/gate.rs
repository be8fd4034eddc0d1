//! What must hold of costs, for CI.

use serde::Serialize;

use super::{Cost, OfAbi};
use crate::args;
use crate::report::{Case, Finding, Level, Report};

/// Something that must hold.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gate {
    /// The option
    pub(crate) gate: &'static str,
    /// What it is about: an ABI or a trace
    pub(crate) of: String,
    /// The most that is allowed
    pub(crate) most: f64,
    pub(crate) outcome: Outcome,
    /// What was found, in a sentence
    pub(crate) message: String,
}

/// Whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Undecided,
}

/// Calls that are named in a finding.
const NAMED: usize = 8;

pub(super) fn gates(args: &args::Cost, cost: &Cost) -> Vec<Gate> {
    let mut gates = Vec::new();
    if let Some(most) = args.max {
        gates.extend(cost.abis.iter().map(|of_abi| of_one(of_abi, most, cost.proved)));
        if cost.abis.is_empty() {
            gates.push(of_bound(cost, most));
        }
    }
    gates.extend(args.max_mean.and_then(|most| of_mean(cost, most)));
    gates
}

fn of_one(of_abi: &OfAbi, most: u64, proved: bool) -> Gate {
    let worst = of_abi.worst.insns;
    let over: Vec<_> = of_abi.calls.iter().filter(|call| call.insns > most).collect();
    let (outcome, message) = if worst <= most && proved {
        (
            Outcome::Passed,
            format!("no call costs more than {worst}; the checker accepted a proof"),
        )
    } else if worst <= most {
        let message = format!("no call costs more than {worst}, but no proof of that was accepted");
        (Outcome::Undecided, message)
    } else if over.is_empty() {
        let message = format!("{} costs {worst}; its number is no call", of_abi.worst.call);
        (Outcome::Failed, message)
    } else {
        let named = over
            .iter()
            .take(NAMED)
            .map(|call| format!("{} {}", call.name, call.insns));
        let mut named: Vec<String> = named.collect();
        if over.len() > NAMED {
            named.push(format!("and {} more", over.len().saturating_sub(NAMED)));
        }
        let count = over.len();
        let calls = if count == 1 { "call costs" } else { "calls cost" };
        let message = format!("{count} {calls} more than {most}: {}", named.join(", "));
        (Outcome::Failed, message)
    };
    Gate {
        gate: "max",
        of: of_abi.abi.to_owned(),
        most: most as f64,
        outcome,
        message,
    }
}

/// Where calls could not be told apart, the longest path may do.
fn of_bound(cost: &Cost, most: u64) -> Gate {
    let bound = cost.bound.unwrap_or(u64::MAX);
    let (outcome, message) = if cost.limit.is_none() {
        (Outcome::Passed, "there are no calls".to_owned())
    } else if bound <= most {
        (Outcome::Passed, format!("no path is longer than {bound}"))
    } else {
        (Outcome::Undecided, format!("the longest path has {bound}"))
    };
    Gate {
        gate: "max",
        of: cost.filters.join(","),
        most: most as f64,
        outcome,
        message,
    }
}

fn of_mean(cost: &Cost, most: f64) -> Option<Gate> {
    let trace = cost.trace.as_ref()?;
    let [least, highest] = trace.mean;
    let outcome = if highest <= most {
        Outcome::Passed
    } else if least > most {
        Outcome::Failed
    } else {
        Outcome::Undecided
    };
    let message = if least < highest {
        format!("a call costs between {least:.2} and {highest:.2} on average: the trace does not tell all arguments")
    } else {
        format!("a call costs {highest:.2} on average")
    };
    Some(Gate {
        gate: "max-mean",
        of: trace.name.clone(),
        most,
        outcome,
        message,
    })
}

pub(super) fn report(gates: &[Gate], file: Option<&str>) -> Report {
    let case = |gate: &Gate| {
        let name = format!("{} <= {}: {}", gate.gate, gate.most, gate.of);
        let finding = || Finding {
            level: Level::Error,
            rule: gate.gate,
            message: gate.message.clone(),
            file: file.map(str::to_owned),
            line: None,
        };
        match gate.outcome {
            Outcome::Passed => Case::new(name, Vec::new()),
            Outcome::Failed => Case::new(name, vec![finding()]),
            Outcome::Undecided => Case::skipped(name, format!("undecided: {}", gate.message)),
        }
    };
    Report {
        suite: "cost",
        cases: gates.iter().map(case).collect(),
    }
}

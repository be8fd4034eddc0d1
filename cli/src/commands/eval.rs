//! `eval`: one call, decided for one or several ABIs.

use callproof_abi::Abi;
use callproof_vm::Chain;
use serde::Serialize;

use super::decide::{Decision, Request, decide};
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, admitted};
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// The decisions about one call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Eval {
    pub(crate) call: String,
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    pub(crate) decisions: Vec<Decision>,
    /// ABIs that do not have the call
    pub(crate) skipped: Vec<Skipped>,
}

/// An ABI for which nothing was decided.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Skipped {
    pub(crate) arch: &'static str,
    pub(crate) why: String,
}

/// Decides about the last operand with the filters before it.
pub(crate) fn run(operands: &[String], trace: bool, input: &Input, settings: &Settings) -> Result<Eval> {
    let Some((call, filters)) = operands.split_last().filter(|(_, filters)| !filters.is_empty()) else {
        return Err(Failure::usage("`eval` needs a filter and a call").with_help("write `callproof eval FILTER CALL`"));
    };
    let call = Call::new(call);
    let loaded = input.chain(filters)?;
    let filters = admitted(&loaded, settings)?;
    let request = Request { call: &call, trace };
    let (decisions, skipped) = decide_all(&Chain::new(&filters), request, settings)?;
    Ok(Eval {
        call: call.text().to_owned(),
        kernel: settings.kernel.to_string(),
        filters: loaded.iter().map(|one| one.name.clone()).collect(),
        decisions,
        skipped,
    })
}

/// One decision an ABI. An ABI without the call is skipped; it is an error when none has it.
pub(crate) fn decide_all(
    chain: &Chain<'_>,
    request: Request<'_>,
    settings: &Settings,
) -> Result<(Vec<Decision>, Vec<Skipped>)> {
    let (have, lack): (Vec<Abi>, Vec<Abi>) = settings
        .abis()
        .into_iter()
        .partition(|&abi| request.call.exists_on(abi));
    if let (true, Some(&abi)) = (have.is_empty(), lack.first()) {
        request.call.resolve(abi)?;
    }
    let skip = |abi: Abi| Skipped {
        arch: abi.name(),
        why: format!("{abi} has no call `{}`", request.call.name().unwrap_or_default()),
    };
    let decisions = have
        .into_iter()
        .map(|abi| decide(chain, request, abi, settings))
        .collect::<Result<_>>()?;
    Ok((decisions, lack.into_iter().map(skip).collect()))
}

impl Eval {
    /// Denied when one ABI denies.
    pub(crate) fn exit(&self) -> Exit {
        if self.decisions.iter().all(|decision| decision.allowed) {
            Exit::Success
        } else {
            Exit::Finding
        }
    }

    pub(crate) fn report(&self) -> Report {
        let name = |arch: &str| format!("{} on {arch}", self.call);
        let decided = self.decisions.iter().map(|decision| {
            let denied = (!decision.allowed).then(|| Finding {
                level: Level::Error,
                rule: "denied",
                message: format!("{}: {}", decision.verdict, decision.effect),
                file: None,
                line: None,
            });
            Case::new(name(decision.arch), denied.into_iter().collect())
        });
        let skipped = self
            .skipped
            .iter()
            .map(|skipped| Case::skipped(name(skipped.arch), skipped.why.clone()));
        Report {
            suite: "eval",
            cases: decided.chain(skipped).collect(),
        }
    }
}

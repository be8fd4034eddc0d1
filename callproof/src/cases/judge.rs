//! One case after the other, against one chain.

use std::path::Path;

use callproof_abi::Abi;
use callproof_formats::cases::{Case, What};
use callproof_policy::property::{Comparison, Operand, Quantifier};
use callproof_policy::{ByteOrder, Claim, Env, VerdictSet};
use callproof_verifier::{Answer, AskError, Finding, Partial, Query, Session, Shown, Tried};
use callproof_vm::{Filter, Machine};

use super::result::{CaseResult, Outcome, Skip};
use super::snapshot;
use crate::error::{Error, ErrorKind};
use crate::exhibit::{Exhibit, abi, decide, machine_of, reads, shown};
use crate::nearest::nearest;
use crate::observed::traced;
use crate::source;

/// Everything that the cases of a file share.
pub(super) struct Judge<'j> {
    pub(super) session: Session<'j>,
    pub(super) filters: &'j [Filter<'j>],
    /// Files that claims name, and what stands for each in the session
    pub(super) operands: &'j [(String, Operand)],
    pub(super) env: &'j Env,
    pub(super) machine: Machine,
    pub(super) order: ByteOrder,
    /// ABIs in force
    pub(super) abis: &'j [Abi],
    pub(super) folder: &'j Path,
    /// The case file, for places
    pub(super) name: &'j str,
    pub(super) text: &'j str,
    pub(super) bless: bool,
}

/// What a case claims; nothing for those that are no claims.
pub(super) fn claims(case: &Case) -> Vec<Claim> {
    let relation = |relation, file: &String, calls: &callproof_policy::Predicate| Claim::Relation {
        left: Operand::Own,
        relation,
        right: Operand::File(file.clone()),
        calls: calls.clone(),
    };
    match &case.what {
        What::Verdict(line) => {
            let verdict = Claim::Verdict {
                quantifier: Quantifier::Always,
                verdicts: line.verdicts.clone(),
                calls: line.calls.clone(),
            };
            let cost = line.cost.map(|at_most| Claim::Cost {
                calls: line.calls.clone(),
                at_most,
            });
            core::iter::once(verdict).chain(cost).collect()
        }
        What::Claim(claim) => vec![(**claim).clone()],
        What::SubsetOf { file, calls } => vec![relation(Comparison::Refines, file, calls)],
        What::Equiv { file, calls } => vec![relation(Comparison::Equals, file, calls)],
        What::Replay { .. } | What::Snapshot { .. } => Vec::new(),
    }
}

impl Judge<'_> {
    pub(super) fn case(&mut self, case: &Case) -> Result<CaseResult, Error> {
        let mut result = match &case.what {
            What::Replay { file, expect } => self.replay(file, expect)?,
            What::Snapshot { file } => self.snapshot(file)?,
            _ => self.all(&claims(case))?,
        };
        result.line = case.line;
        result.case.clone_from(&case.text);
        result.why.clone_from(&case.why);
        if let Some(reason) = &case.xfail {
            expect_failure(&mut result, reason);
        }
        Ok(result)
    }

    /// The first claim that does not pass decides.
    fn all(&mut self, claims: &[Claim]) -> Result<CaseResult, Error> {
        let mut passed: Option<CaseResult> = None;
        for claim in claims {
            let found = self.claim(claim)?;
            if found.outcome != Outcome::Passed {
                return Ok(found);
            }
            passed = Some(match passed {
                None => found,
                Some(before) => CaseResult {
                    proved: before.proved && found.proved,
                    reason: format!("{}; {}", before.reason, found.reason),
                    ..before
                },
            });
        }
        Ok(passed.unwrap_or_else(|| CaseResult::new(Outcome::Skipped, "it claims nothing")))
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Result<CaseResult, Error> {
        let claim = &self.resolved(claim);
        let query = Query { claim, env: self.env };
        let outcome = self.session.ask(&query).map_err(|error| match error {
            AskError::Problems(problems) => Error::text(self.name, self.text, &problems),
            AskError::Disagreement(disagreement) => Error::new(ErrorKind::Bug, disagreement),
        })?;
        let mut result = self.answered(claim, &outcome.answer);
        result.skipped = outcome
            .absent
            .into_iter()
            .map(|(cell, absent)| Skip {
                abi: cell.to_string(),
                call: absent.call,
            })
            .collect();
        Ok(result)
    }

    fn answered(&mut self, claim: &Claim, answer: &Answer) -> CaseResult {
        match answer {
            Answer::Holds { proof, shown } => {
                let reason = match proof {
                    Some(_) => "for every such call; the checker accepted a proof",
                    None if shown.is_empty() => "for every such number, by the emulator of the bitmap",
                    None => "shown by replayed calls",
                };
                let mut result = CaseResult::new(Outcome::Passed, reason);
                result.proved = proof.is_some();
                result
            }
            Answer::Vacuous => CaseResult::new(Outcome::Skipped, "it speaks of no call that these ABIs have"),
            Answer::Undecided(tried) => CaseResult::new(Outcome::Undecided, undecided(tried)),
            Answer::Fails(found) => {
                let mut result = CaseResult::new(Outcome::Failed, sentence(claim, &found.finding));
                result.shown = self.exhibits(claim, &found.shown);
                result
            }
        }
    }

    fn exhibits(&mut self, claim: &Claim, shown: &[Shown]) -> Vec<Exhibit> {
        let other = match claim {
            Claim::Relation { right, .. } => Some(self.name_of(right)),
            _ => None,
        };
        let mut exhibits = Vec::new();
        for (at, one) in shown.iter().enumerate() {
            exhibits.push(match (&other, at) {
                (Some(other), 1) => Exhibit::new(one, other, None, self.machine),
                _ => self.exhibit(one, matches!(claim, Claim::Verdict { .. })),
            });
        }
        exhibits
    }

    /// A call with its path and, on request, its nearest neighbour.
    fn exhibit(&mut self, shown: &Shown, with_nearest: bool) -> Exhibit {
        let machine = machine_of(&shown.call, self.machine, self.order);
        let mut exhibit = Exhibit::new(shown, "the filter", Some(self.filters), machine);
        if with_nearest {
            exhibit.nearest = nearest(&mut self.session, self.filters, &shown.call, self.machine, self.order);
        }
        exhibit
    }

    /// The claim with what stands for the files that it names.
    fn resolved(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        if let Claim::Relation { left, right, .. } = &mut claim {
            for side in [left, right] {
                *side = self.operand(side);
            }
        }
        claim
    }

    fn operand(&self, operand: &Operand) -> Operand {
        match operand {
            Operand::File(path) => {
                let known = self.operands.iter().find(|(known, _)| known == path);
                known.map_or_else(|| operand.clone(), |(_, stands)| stands.clone())
            }
            Operand::Stack(parts) => Operand::Stack(parts.iter().map(|part| self.operand(part)).collect()),
            Operand::Own | Operand::Named(..) => operand.clone(),
        }
    }

    fn name_of(&self, operand: &Operand) -> String {
        let known = self.operands.iter().find(|(_, stands)| stands == operand);
        known.map_or_else(|| operand.to_string(), |(name, _)| name.clone())
    }

    /// Every call of a file gets such a verdict.
    fn replay(&mut self, file: &str, expect: &VerdictSet) -> Result<CaseResult, Error> {
        let path = self.folder.join(file);
        let bytes = source::read(&path)?;
        let name = path.display().to_string();
        let (mut total, mut wrong, mut open) = (0_u64, 0_u64, 0_u64);
        let (mut first, mut first_open) = (None, None);
        for traced in traced(&name, &bytes[..], self.abis.first().copied().unwrap_or(Abi::X86_64))? {
            let traced = traced?;
            let (line, call) = (traced.line, traced.call);
            total = total.saturating_add(traced.count);
            if reads(self.filters, &call, self.machine, self.order) & traced.unknown(self.order.of(call.arch)) != 0 {
                open = open.saturating_add(traced.count);
                first_open.get_or_insert(line);
                continue;
            }
            let outcomes = expect
                .on(abi(&call))
                .map_err(|problems| Error::text(self.name, self.text, &problems))?;
            let verdict = decide(self.filters, &call, self.machine, self.order);
            if !outcomes.contains(&verdict, self.machine.kernel) {
                wrong = wrong.saturating_add(traced.count);
                first.get_or_insert((line, call));
            }
        }
        if total == 0 {
            let error = Error::input("the trace has no calls").at(&name);
            return Err(error.help("write one call a line"));
        }
        let Some((line, call)) = first else {
            return Ok(first_open.map_or_else(
                || {
                    let reason = format!("each of the {total} calls gets such a verdict");
                    CaseResult::new(Outcome::Passed, reason)
                },
                |line| {
                    let reason = format!(
                        "for {open} of {total} calls the filter reads what the trace does not tell; the first in line {line}"
                    );
                    CaseResult::new(Outcome::Undecided, reason)
                },
            ));
        };
        let mut reason = format!("{wrong} of {total} calls get another verdict; the first in line {line}");
        if open > 0 {
            reason.push_str(&format!(
                "; for {open} others the filter reads what the trace does not tell"
            ));
        }
        let mut result = CaseResult::new(Outcome::Failed, reason);
        let shown = shown(self.filters, &call, self.machine, self.order);
        result.shown = vec![self.exhibit(&shown, true)];
        Ok(result)
    }

    fn snapshot(&mut self, file: &str) -> Result<CaseResult, Error> {
        snapshot::check(&mut self.session, self.abis, &self.folder.join(file), self.bless)
    }
}

/// What was tried in vain.
pub(crate) fn undecided(tried: &Tried) -> String {
    let limits = tried.limits.iter().map(ToString::to_string);
    let known = tried.known.map(|known| match known {
        Partial::CostAtMost(bound) => format!("no call costs more than {bound}"),
        Partial::Unproved => "an engine says that it holds, but no proof of it was accepted".to_owned(),
    });
    limits.chain(known).collect::<Vec<_>>().join("; ")
}

/// What was found.
fn sentence(claim: &Claim, finding: &Finding) -> String {
    match (finding, claim) {
        (
            Finding::Verdict,
            Claim::Verdict {
                quantifier: Quantifier::Never,
                verdicts,
                ..
            },
        ) => {
            format!("expected never {verdicts}, and this call gets it")
        }
        (Finding::Verdict, Claim::Verdict { verdicts, .. }) => {
            format!("expected {verdicts}, and this call gets another verdict")
        }
        (Finding::Cost { at_most }, _) => format!("a call costs more than {at_most} instructions"),
        (Finding::None { pattern, cell }, _) => format!("no call of `{pattern}` on {cell} gets such a verdict"),
        (Finding::NotCached, _) => "a call is not answered from the bitmap".to_owned(),
        (
            Finding::Relation,
            Claim::Relation {
                relation: Comparison::Equals,
                ..
            },
        ) => "the two differ for this call".to_owned(),
        (Finding::Relation, _) => "this call shows that it is more permissive".to_owned(),
        (Finding::AbiOrder, _) => "the first call is permitted, and its counterpart is not".to_owned(),
        (Finding::SameView, _) => "two calls that are the same to the kernel get different verdicts".to_owned(),
        (Finding::HalfArgument { argument }, _) => {
            format!("only the low half of args[{argument}] matters, and the kernel reads all of it")
        }
        (Finding::DeadCode { dead, one_way }, _) => format!(
            "{} instructions that no call reaches, {} tests that always go one way",
            dead.len(),
            one_way.len()
        ),
        (Finding::Hazard { filter, pc }, _) => format!("a call gets there at instruction {pc} of filter {filter}"),
        (Finding::Verdict, _) => "a call gets another verdict".to_owned(),
    }
}

fn expect_failure(result: &mut CaseResult, reason: &str) {
    match result.outcome {
        Outcome::Failed => {
            result.outcome = Outcome::ExpectedFailure;
            result.reason = format!("{} (expected: {reason})", result.reason);
        }
        Outcome::Passed => {
            result.outcome = Outcome::UnexpectedPass;
            result.reason = format!("it holds, so `xfail` can go (expected to fail: {reason})");
        }
        _ => {}
    }
}

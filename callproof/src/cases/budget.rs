//! What the head of a case file says calls may cost.

use callproof_formats::cases::Budget;
use callproof_policy::{CallPattern, Claim, Predicate, Selector};
use callproof_verifier::{Failure, Limits, Set, Space, Subject};

use super::judge::Judge;
use super::result::{CaseResult, Outcome};
use crate::error::{Error, ErrorKind};

impl Judge<'_> {
    /// One result for each bound that the budget has.
    pub(super) fn budget(&mut self, budget: &Budget, limits: &Limits) -> Result<Vec<CaseResult>, Error> {
        let mut results = Vec::new();
        if let Some(at_most) = budget.worst {
            let calls = Predicate::of(CallPattern::new(Selector::Any));
            let mut result = self.claim(&Claim::Cost { calls, at_most })?;
            result.case = format!("cost(*) <= {at_most}");
            results.push(result);
        }
        if let Some(at_most) = budget.mean {
            let mut result = match self.mean(budget, limits) {
                Ok(mean) => {
                    let outcome = if mean <= at_most {
                        Outcome::Passed
                    } else {
                        Outcome::Failed
                    };
                    let reason = format!("the worst cases of the workload cost {mean:.2} instructions on average");
                    CaseResult::new(outcome, reason)
                }
                Err(Stop::Undecided(reason)) => CaseResult::new(Outcome::Undecided, reason),
                Err(Stop::Error(error)) => return Err(error),
            };
            result.case = format!("mean cost of the workload <= {at_most}");
            results.push(result);
        }
        for result in &mut results {
            result.line = Error::line(self.text, budget.span.start);
        }
        Ok(results)
    }

    /// The exact worst cost of each call of the workload, by weight.
    fn mean(&self, budget: &Budget, limits: &Limits) -> Result<f64, Stop> {
        let undecided = |undecided: callproof_verifier::Undecided| Stop::Undecided(undecided.to_string());
        let subject = Subject::new(self.filters, self.machine, limits).map_err(undecided)?;
        let mut space = Space::new(self.machine, &[&subject], limits);
        let mut costs = space.costs(&subject).map_err(undecided)?;
        let (mut sum, mut weights) = (0.0, 0.0);
        for (calls, weight) in &budget.workload {
            let set = self.set(&mut space, calls)?;
            let worst = space
                .worst_case(&subject, &mut costs, set)
                .map_err(|failure| match failure {
                    Failure::Undecided(limit) => undecided(limit),
                    Failure::Disagreement(found) => Stop::Error(Error::new(ErrorKind::Bug, found)),
                })?;
            let Some(worst) = worst else {
                let message = format!("no ABI of the file has the call `{}` of the workload", shown(calls));
                let error = Error::text(
                    self.name,
                    self.text,
                    &[callproof_policy::Problem::new(message, budget.span)],
                );
                return Err(Stop::Error(error.help("name calls that the ABIs have")));
            };
            sum += f64::from(u32::try_from(worst.insns).unwrap_or(u32::MAX)) * weight;
            weights += weight;
        }
        Ok(sum / weights)
    }

    fn set(&self, space: &mut Space, calls: &Predicate) -> Result<Set, Stop> {
        let grounded = calls.ground(self.env);
        let grounded = grounded.map_err(|mut problems| {
            for problem in &mut problems {
                problem.span = callproof_policy::Span::default();
            }
            Stop::Error(Error::text(self.name, self.text, &problems))
        })?;
        let undecided = |undecided: callproof_verifier::Undecided| Stop::Undecided(undecided.to_string());
        space.region(&grounded.region(self.order)).map_err(undecided)
    }
}

/// Why there is no mean.
enum Stop {
    Undecided(String),
    Error(Error),
}

fn shown(calls: &Predicate) -> String {
    let patterns: Vec<String> = calls.calls.iter().map(ToString::to_string).collect();
    patterns.join(", ")
}

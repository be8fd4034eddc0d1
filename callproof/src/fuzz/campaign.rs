//! Many policies through a compiler, on several threads.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use callproof_policy::Policy;

use super::finding::{Finding, Shrunk, runs};
use super::judge::{Fuzz, Tried};
use super::lock::Lock;
use super::setting::Setting;
use super::shrink::{Effort, shrink};
use super::state::{Known, State, Totals};
use super::verdict::{Fault, Kind, Verdict};
use crate::error::Error;

/// One policy in so many is compiled twice, and so are the first ones.
const TWICE_EVERY: u64 = 4;
/// How often the state is written.
const SAVED_EVERY: Duration = Duration::from_secs(1);
/// So many policies with faults that are known already end a campaign, for each finding that it may have.
const REPEATS: u64 = 20;

/// How far a campaign goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the stream of policies starts; that of the folder's campaign, or `fresh_seed`, when not given
    pub seed: Option<u64>,
    /// The seed of a campaign that begins without one
    pub fresh_seed: u64,
    /// Policies to try now; without end when `None`
    pub cases: Option<u64>,
    /// How long policies are begun; those that are begun are finished
    pub time: Option<Duration>,
    /// Threads
    pub jobs: NonZeroUsize,
    /// After so many new findings it ends; never when `None`
    pub most_findings: Option<usize>,
    /// How far policies are made small
    pub effort: Effort,
    /// The folder of the campaign
    pub out: PathBuf,
}

/// What a campaign came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed
    pub seed: u64,
    /// Policies that were tried now
    pub now: Totals,
    /// The same over all runs of the campaign
    pub all: Totals,
    /// New findings
    pub findings: Vec<Finding>,
    /// Policies whose fault, made small, is one that was found before
    pub repeats: u64,
    /// Findings of earlier runs of the campaign
    pub earlier: Vec<PathBuf>,
    /// Why the first undecided policy is undecided
    pub undecided: Option<String>,
    /// Why the first policy could not be offered
    pub unoffered: Option<String>,
    /// What the compiler said of the first policy that it refused
    pub declined: Option<String>,
}

/// Carries out a campaign. `policy` gives the policy of a seed and a number, always the same; `progress` is told now and
/// then how far it is.
///
/// # Errors
/// When the compiler cannot be run, the folder cannot be used or another campaign is at work in it, or when the emulator
/// and the verifier disagree.
pub fn campaign(
    fuzz: &Fuzz,
    plan: &Plan,
    policy: &(dyn Fn(u64, u64) -> Policy + Sync),
    progress: &(dyn Fn(&Report) + Sync),
) -> Result<Report, Error> {
    let _lock = Lock::take(&plan.out)?;
    let state = State::open(&plan.out, Setting::of(fuzz), plan.seed, plan.fresh_seed)?;
    state.save(&plan.out)?;
    let report = Report {
        seed: state.seed,
        now: Totals::default(),
        all: state.totals,
        findings: Vec::new(),
        repeats: 0,
        earlier: state.findings.iter().map(|known| known.folder.clone()).collect(),
        undecided: None,
        unoffered: None,
        declined: None,
    };
    let campaign = Campaign {
        fuzz,
        plan,
        policy,
        progress,
        seed: state.seed,
        begun: Instant::now(),
        shared: Mutex::new(Shared {
            given: state.next,
            taken: 0,
            state,
            report,
            stopped: None,
            saved: Instant::now(),
        }),
    };
    thread::scope(|scope| {
        for _ in 0..plan.jobs.get() {
            scope.spawn(|| campaign.work());
        }
    });
    let shared = campaign.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    shared.state.save(&plan.out)?;
    match shared.stopped {
        Some(Stop::Failed(error)) => Err(error),
        _ => Ok(Report {
            all: shared.state.totals,
            ..shared.report
        }),
    }
}

struct Campaign<'c> {
    fuzz: &'c Fuzz,
    plan: &'c Plan,
    policy: &'c (dyn Fn(u64, u64) -> Policy + Sync),
    progress: &'c (dyn Fn(&Report) + Sync),
    seed: u64,
    begun: Instant,
    shared: Mutex<Shared>,
}

/// What all threads know.
struct Shared {
    /// The next number that nobody looked at
    given: u64,
    /// How many numbers were given out
    taken: u64,
    state: State,
    report: Report,
    stopped: Option<Stop>,
    saved: Instant,
}

enum Stop {
    Enough,
    Failed(Error),
}

/// A policy that was tried, and what is wrong with the compiler once the policy is small.
struct Done {
    tried: Tried,
    wrong: Option<(Policy, Policy, Tried, Fault)>,
}

impl Campaign<'_> {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(number) = self.next() {
            let done = self.one(number);
            let mut shared = self.shared();
            let recorded = done.and_then(|done| self.record(&mut shared, number, &done));
            if let Err(error) = recorded {
                shared.stopped.get_or_insert(Stop::Failed(error));
            }
            (self.progress)(&shared.report);
        }
    }

    /// The number of a policy that is still to be tried.
    fn next(&self) -> Option<u64> {
        let mut shared = self.shared();
        let late = self.plan.time.is_some_and(|time| self.begun.elapsed() >= time);
        let enough = self.plan.cases.is_some_and(|cases| shared.taken >= cases);
        if late || enough || shared.stopped.is_some() {
            return None;
        }
        while shared.state.has(shared.given) {
            shared.given = shared.given.saturating_add(1);
        }
        let number = shared.given;
        shared.given = number.saturating_add(1);
        shared.taken = shared.taken.saturating_add(1);
        Some(number)
    }

    fn one(&self, number: u64) -> Result<Done, Error> {
        let policy = (self.policy)(self.seed, number);
        let runs = if number < TWICE_EVERY || number.is_multiple_of(TWICE_EVERY) {
            2
        } else {
            1
        };
        let tried = self.fuzz.policy(&policy, runs)?;
        let wrong = match &tried.verdict {
            Verdict::Wrong(fault) => {
                let small = self.small(policy.clone(), fault.kind)?;
                let (after, again, fault) = self.confirmed(small, &policy, &tried, fault)?;
                Some((policy, after, again, fault))
            }
            _ => None,
        };
        Ok(Done { tried, wrong })
    }

    /// The policy made small. What never ends is waited for less long meanwhile.
    fn small(&self, policy: Policy, kind: Kind) -> Result<Policy, Error> {
        const LEAST: Duration = Duration::from_millis(200);
        let mut fuzz = self.fuzz.clone();
        if kind == Kind::Hang {
            let shorter = (fuzz.compiler.deadline / 20).max(LEAST);
            fuzz.compiler.deadline = fuzz.compiler.deadline.min(shorter);
        }
        let mut trouble = None;
        let mut fails = |policy: &Policy| match fuzz.policy(policy, runs(kind)) {
            Ok(tried) => matches!(tried.verdict, Verdict::Wrong(fault) if fault.kind == kind),
            Err(error) => {
                trouble.get_or_insert(error);
                false
            }
        };
        let small = shrink(policy, self.plan.effort, &mut fails);
        trouble.map_or(Ok(small), Err)
    }

    /// The small policy if it still shows the fault, else the one it was made of.
    fn confirmed(
        &self,
        small: Policy,
        policy: &Policy,
        tried: &Tried,
        fault: &Fault,
    ) -> Result<(Policy, Tried, Fault), Error> {
        let again = self.fuzz.policy(&small, runs(fault.kind))?;
        match again.verdict.clone() {
            Verdict::Wrong(found) if found.kind == fault.kind => Ok((small, again, found)),
            _ => Ok((policy.clone(), tried.clone(), fault.clone())),
        }
    }

    fn record(&self, shared: &mut Shared, number: u64, done: &Done) -> Result<(), Error> {
        if let Some((before, after, tried, fault)) = &done.wrong {
            // What comes too late stays open for the next run.
            if shared.stopped.is_some() {
                return Ok(());
            }
            let found = Shrunk {
                before,
                after,
                tried,
                fault,
            };
            self.found(shared, number, &found)?;
        }
        let verdict = &done.tried.verdict;
        let report = &mut shared.report;
        match verdict {
            Verdict::Undecided(why) => drop(report.undecided.get_or_insert_with(|| why.clone())),
            Verdict::Unoffered(why) => drop(report.unoffered.get_or_insert_with(|| why.clone())),
            Verdict::Declined => {
                report.declined.get_or_insert_with(|| done.tried.complaints.clone());
            }
            Verdict::Proved | Verdict::Wrong(_) => {}
        }
        report.now.add(verdict);
        shared.state.done(number, verdict);
        if shared.saved.elapsed() >= SAVED_EVERY || done.wrong.is_some() {
            shared.saved = Instant::now();
            shared.state.save(&self.plan.out)?;
        }
        Ok(())
    }

    fn found(&self, shared: &mut Shared, number: u64, found: &Shrunk<'_>) -> Result<(), Error> {
        let (kind, policy) = (found.fault.kind, &found.tried.text);
        let known = shared.state.findings.iter();
        if known.clone().any(|known| known.kind == kind && known.policy == *policy) {
            shared.report.repeats = shared.report.repeats.saturating_add(1);
        } else {
            let finding = Finding::write(&self.plan.out, self.fuzz, self.seed, number, found)?;
            shared.state.findings.push(Known {
                kind,
                policy: policy.clone(),
                folder: finding.folder.clone(),
            });
            shared.report.findings.push(finding);
        }
        let Some(most) = self.plan.most_findings else {
            return Ok(());
        };
        let repeats = REPEATS.saturating_mul(u64::try_from(most).unwrap_or(u64::MAX));
        if shared.report.findings.len() >= most || shared.report.repeats >= repeats {
            shared.stopped.get_or_insert(Stop::Enough);
        }
        Ok(())
    }
}

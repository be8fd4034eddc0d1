//! `check`: would the kernel install it?

use callproof_vm::length::{MAX_INSNS_PER_PATH, budget_left, budget_used};
use callproof_vm::{Chain, Filter, Violation};
use serde::Serialize;

use crate::error::Result;
use crate::exit::Exit;
use crate::input::{Input, Loaded};
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// The kernel's answer to a chain of filters.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// Whether the kernel installs all of them
    pub(crate) accepted: bool,
    /// The release asked for
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<Checked>,
    /// What they take of the room on a thread
    pub(crate) budget: Budget,
}

/// The kernel's answer to one filter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) source: String,
    pub(crate) format: String,
    pub(crate) accepted: bool,
    /// Classic instructions, as handed in
    pub(crate) instructions: usize,
    /// What the filter counts against the budget; null when it is refused for itself
    pub(crate) converted: Option<u32>,
    /// The error that installing it gives
    pub(crate) errno: Option<&'static str>,
    /// Every rule it breaks
    pub(crate) violations: Vec<Broken>,
    /// Whether `source` is a file, so that findings can point into it
    #[serde(skip)]
    pub(crate) is_file: bool,
    /// The line on which the filter begins, if `source` is text
    #[serde(skip)]
    pub(crate) line: Option<usize>,
}

/// A broken rule.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) pc: Option<usize>,
    pub(crate) instruction: Option<String>,
    pub(crate) message: String,
}

/// The room on a thread, in converted instructions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Budget {
    pub(crate) limit: u32,
    /// Charged for these filters once they are installed, penalties included
    pub(crate) used: u32,
    pub(crate) left: u32,
}

/// The name of the rule about the room on a thread.
pub(crate) const CHAIN_BUDGET: &str = "chain-budget";

/// Checks a chain.
pub(crate) fn run(filters: &[String], input: &Input, settings: &Settings) -> Result<Check> {
    Ok(check(&input.chain(filters)?, settings))
}

/// Checks filters that were read already.
pub(crate) fn check(loaded: &[Loaded], settings: &Settings) -> Check {
    let mut admitted = Vec::new();
    let mut places = Vec::new();
    let mut checked = Vec::new();
    for (place, one) in loaded.iter().enumerate() {
        let (answer, filter) = check_one(one, settings);
        checked.push(answer);
        if let Some(filter) = filter {
            admitted.push(filter);
            places.push(place);
        }
    }
    let machine = settings.machine_of(settings.layout());
    if let Err((index, over)) = Chain::new(&admitted).check_budget(machine) {
        if let Some(answer) = places.get(index).and_then(|&place| checked.get_mut(place)) {
            answer.accepted = false;
            answer.errno = Some("ENOMEM");
            answer.violations.push(Broken::budget(over.to_string()));
        }
        admitted.truncate(index);
    }
    Check {
        accepted: checked.iter().all(|answer| answer.accepted),
        kernel: settings.kernel.to_string(),
        filters: checked,
        budget: budget(&admitted, settings),
    }
}

fn check_one<'p>(one: &'p Loaded, settings: &Settings) -> (Checked, Option<Filter<'p>>) {
    let loaded = Filter::load_on(settings.kernel, one.program.as_slice());
    let (filter, violations) = match loaded {
        Ok(filter) => (Some(filter), Vec::new()),
        Err(rejected) => (None, rejected.violations().map(Broken::new).collect()),
    };
    let answer = Checked {
        source: one.name.clone(),
        format: one.format.to_string(),
        accepted: filter.is_some(),
        instructions: one.program.len(),
        converted: filter.as_ref().map(|filter| filter.charged_len(settings.kernel)),
        errno: filter.is_none().then_some("EINVAL"),
        violations,
        is_file: one.is_file,
        line: one.first_line,
    };
    (answer, filter)
}

fn budget(admitted: &[Filter<'_>], settings: &Settings) -> Budget {
    let lengths = admitted.iter().map(|filter| filter.charged_len(settings.kernel));
    Budget {
        limit: MAX_INSNS_PER_PATH,
        used: budget_used(lengths.clone()),
        left: budget_left(lengths),
    }
}

impl Broken {
    fn new(found: Violation) -> Self {
        Self {
            rule: found.rule.name(),
            pc: found.at.map(|(pc, _)| pc),
            instruction: found.at.map(|(pc, insn)| insn.at(pc).to_string()),
            message: found.rule.explain().to_owned(),
        }
    }

    fn budget(message: String) -> Self {
        Self {
            rule: CHAIN_BUDGET,
            pc: None,
            instruction: None,
            message,
        }
    }

    /// The rule's complaint, with the instruction it is about.
    pub(crate) fn sentence(&self) -> String {
        match (self.pc, &self.instruction) {
            (Some(pc), Some(instruction)) => format!("instruction {pc}, `{instruction}`: {}", self.message),
            _ => self.message.clone(),
        }
    }
}

impl Check {
    pub(crate) fn exit(&self) -> Exit {
        if self.accepted { Exit::Success } else { Exit::Finding }
    }

    pub(crate) fn report(&self) -> Report {
        let finding = |filter: &Checked, broken: &Broken| Finding {
            level: Level::Error,
            rule: broken.rule,
            message: broken.sentence(),
            file: filter.is_file.then(|| filter.source.clone()),
            line: filter.line,
        };
        let case = |filter: &Checked| {
            let findings = filter.violations.iter().map(|broken| finding(filter, broken)).collect();
            Case::new(filter.source.clone(), findings)
        };
        Report {
            suite: "check",
            cases: self.filters.iter().map(case).collect(),
        }
    }
}

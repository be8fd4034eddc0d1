//! What stands between the lines of dashes: TOML.

use std::collections::BTreeMap;

use callproof_policy::{AbiList, Env, Item, Predicate, Problem, Sets, Span, parse_abi_list, parse_properties};
use callproof_vm::Kernel;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::line;
use crate::policy::{Runtime, capability};

/// The line before and after.
const DASHES: &str = "---";

/// What the cases are about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// What is tested; `None` leaves it to whoever runs the file
    pub subject: Option<Subject>,
    /// Whose reading of a policy that tools read differently
    pub runtime: Option<Runtime>,
    /// Which of several filters in one policy file
    pub select: Option<String>,
    /// Capabilities that the process has
    pub caps: Vec<String>,
    /// The release to emulate
    pub kernel: Option<Kernel>,
    /// The ABIs that cases without `on` speak of
    pub arches: Option<AbiList>,
    /// Named sets
    pub sets: Sets,
    /// What calls may cost
    pub budget: Budget,
}

/// What is tested, by paths as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Filters of one chain, oldest first
    Filters(Vec<String>),
    /// A policy, which is compiled
    Policy(String),
}

/// What calls may cost, in executed instructions over all filters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    /// No call costs more
    pub worst: Option<u32>,
    /// The worst cases of the workload, weighted, cost no more on average
    pub mean: Option<f64>,
    /// Calls and how often each is made
    pub workload: Vec<(Predicate, f64)>,
    /// Where it is written
    pub span: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    filter: Option<Spanned<Value>>,
    policy: Option<Spanned<String>>,
    runtime: Option<Spanned<String>>,
    select: Option<String>,
    #[serde(default)]
    caps: Vec<Spanned<String>>,
    kernel: Option<Spanned<String>>,
    arches: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    sets: BTreeMap<String, Spanned<Value>>,
    cost: Option<Spanned<RawCost>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCost {
    worst: Option<u32>,
    mean: Option<f64>,
    #[serde(default)]
    workload: BTreeMap<String, Spanned<f64>>,
}

/// Where the header lies, if there is one, and where the cases begin.
pub(super) fn split(text: &str) -> Result<(core::ops::Range<usize>, usize), Problem> {
    let mut at = 0;
    let mut start = None;
    for written in text.split_inclusive('\n') {
        let (line, next) = (written.trim(), at + written.len());
        match start {
            None if line == DASHES => start = Some(next),
            None if line.is_empty() || line.starts_with('#') => {}
            None => return Ok((0..0, 0)),
            Some(start) if line == DASHES => return Ok((start..at, next)),
            Some(_) => {}
        }
        at = next;
    }
    match start {
        None => Ok((0..0, 0)),
        Some(start) => {
            let place = Span::new(start.saturating_sub(DASHES.len() + 1), start);
            Err(Problem::new("the head of the file is not closed", place).help("add a line `---` behind it"))
        }
    }
}

/// Reads the header at a place of the text.
pub(super) fn read(place: core::ops::Range<usize>, text: &str, problems: &mut Vec<Problem>) -> Header {
    let start = place.start;
    let written = text.get(place).unwrap_or_default();
    match toml::from_str::<Raw>(written) {
        Ok(raw) => {
            let mut reader = Reader { start, problems };
            reader.header(raw)
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let mut problem = Problem::new(error.message().trim().to_owned(), moved(span, start));
            if error.message().contains("unknown field") {
                problem = problem.help("the words of a head are listed in docs/CASES.md");
            }
            problems.push(problem);
            Header::default()
        }
    }
}

struct Reader<'p> {
    start: usize,
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    fn header(&mut self, raw: Raw) -> Header {
        let runtime = raw.runtime.and_then(|runtime| self.runtime(&runtime));
        let kernel = raw.kernel.and_then(|kernel| self.kernel(&kernel));
        let arches = raw.arches.and_then(|arches| self.arches(&arches));
        let budget = raw.cost.map(|cost| self.budget(cost)).unwrap_or_default();
        Header {
            subject: self.subject(raw.filter, raw.policy),
            runtime,
            select: raw.select,
            caps: self.caps(&raw.caps),
            kernel,
            arches,
            sets: self.sets(raw.sets),
            budget,
        }
    }

    fn problem<T>(&mut self, value: &Spanned<T>, message: impl Into<String>, help: &str) {
        let span = moved(value.span(), self.start);
        self.problems.push(Problem::new(message, span).help(help));
    }

    fn subject(&mut self, filter: Option<Spanned<Value>>, policy: Option<Spanned<String>>) -> Option<Subject> {
        match (filter, policy) {
            (None, None) => None,
            (None, Some(policy)) => Some(Subject::Policy(policy.into_inner())),
            (Some(_), Some(policy)) => {
                let help = "name one of them; `equiv FILE` holds the filter against the policy";
                self.problem(&policy, "a filter and a policy", help);
                None
            }
            (Some(filter), None) => {
                let paths = strings(filter.get_ref()).filter(|paths| !paths.is_empty());
                if paths.is_none() {
                    let help = "write `filter = \"daemon.bpf\"`, or a list, oldest first, for a chain";
                    self.problem(&filter, "a filter is a path or a list of paths", help);
                }
                paths.map(Subject::Filters)
            }
        }
    }

    fn runtime(&mut self, word: &Spanned<String>) -> Option<Runtime> {
        let known = word.get_ref().parse::<Runtime>();
        if known.is_err() {
            let message = format!("no runtime is called `{}`", word.get_ref().escape_debug());
            self.problem(word, message, "runtimes are `spec`, `runc`, `crun` and `firecracker`");
        }
        known.ok()
    }

    /// Capabilities by the names that they have, whatever their case.
    fn caps(&mut self, words: &[Spanned<String>]) -> Vec<String> {
        let mut caps = Vec::new();
        for word in words {
            match capability(word.get_ref()) {
                Ok(name) => caps.push(name.to_owned()),
                Err(message) => self.problem(word, message, "write `caps = [\"CAP_KILL\"]`"),
            }
        }
        caps
    }

    fn kernel(&mut self, word: &Spanned<String>) -> Option<Kernel> {
        let kernel = word.get_ref().parse::<Kernel>().ok();
        if kernel.is_none() {
            let message = format!("`{}` is no kernel release", word.get_ref().escape_debug());
            self.problem(word, message, "write `kernel = \"6.6\"`");
        }
        kernel
    }

    fn arches(&mut self, words: &[Spanned<String>]) -> Option<AbiList> {
        let mut list = AbiList::default();
        for word in words {
            match parse_abi_list(word.get_ref()) {
                Ok(found) => list.items.extend(found.items),
                Err(found) => {
                    let span = moved(word.span(), self.start);
                    let told = found.problems.into_iter().map(|problem| Problem { span, ..problem });
                    self.problems.extend(told);
                }
            }
        }
        if let (Some(first), true) = (words.first(), list.items.contains(&callproof_policy::AbiItem::Other)) {
            self.problem(
                first,
                "`other` means what `arches` leaves out, so it cannot be in it",
                "name ABIs",
            );
            return None;
        }
        (!list.items.is_empty()).then_some(list)
    }

    fn sets(&mut self, raw: BTreeMap<String, Spanned<Value>>) -> Sets {
        let mut sets = Sets::default();
        for (name, value) in raw {
            let help = "write a list of members: `families = [\"AF_UNIX\", \"AF_INET\"]`";
            let Some(members) = strings(value.get_ref()) else {
                self.problem(&value, "a set is a list of calls or values", help);
                continue;
            };
            // As it would stand in a file of properties.
            let written = format!("set {name} = {{ {} }}", members.join(", "));
            match parse_properties("set", &written).map(|file| file.items) {
                Ok(items) => match items.into_iter().next() {
                    Some(Item::Set(name, members)) => sets.insert(name, members),
                    _ => self.problem(&value, "this is no set", help),
                },
                Err(found) => {
                    let first = found.problems.into_iter().next();
                    let message = first.map_or_else(|| "this is no set".to_owned(), |problem| problem.message);
                    self.problem(&value, message, help);
                }
            }
        }
        sets
    }

    fn budget(&mut self, cost: Spanned<RawCost>) -> Budget {
        let span = moved(cost.span(), self.start);
        let empty = cost.get_ref().workload.is_empty();
        if cost.get_ref().mean.is_some() == empty {
            let help = "`mean` is about the calls of `[cost.workload]`: `read = 50`, and so on";
            self.problem(&cost, "`mean` and `workload` need each other", help);
        }
        let raw = cost.into_inner();
        let mut workload = Vec::new();
        for (calls, weight) in raw.workload {
            let valid = weight.get_ref().is_finite() && *weight.get_ref() > 0.0;
            match line::calls(&calls) {
                Ok(calls) if valid => workload.push((calls, weight.into_inner())),
                Ok(_) => self.problem(
                    &weight,
                    "a weight is a number above 0",
                    "say how often the call is made",
                ),
                Err(message) => self.problem(&weight, message, "write `call = WEIGHT`"),
            }
        }
        Budget {
            worst: raw.worst,
            mean: raw.mean,
            workload,
            span,
        }
    }
}

/// A text as a list of one, or a list of texts.
fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn moved(span: core::ops::Range<usize>, by: usize) -> Span {
    Span::new(span.start.saturating_add(by), span.end.saturating_add(by))
}

impl Header {
    /// The surroundings in which cases have their meaning; `given` are the ABIs when the header names none.
    #[must_use]
    pub fn env(&self, given: &AbiList) -> Env {
        Env {
            abis: self.arches.clone().unwrap_or_else(|| given.clone()),
            sets: self.sets.clone(),
        }
    }
}

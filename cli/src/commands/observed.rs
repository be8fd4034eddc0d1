//! `why` and `replay`: what programs did, held against filters.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use callproof::observed::{Against, Answer as Said, Group, Replayed, Unread, Why};
use callproof_engines::Kind;
use callproof_verifier::Limits;
use callproof_vm::Filter;
use serde::Serialize;

use super::verify::origin::Deciding;
use super::verify::sides;
use crate::args::{self, EngineChoice};
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, Loaded, admitted};
use crate::render::Progress;
use crate::report::{Case, Finding, Level, Report};
use crate::settings::{Settings, host_abi};
use crate::words::one_line;

/// What a log tells of denials.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Explained {
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    /// What the log is called
    pub(crate) log: String,
    #[serde(flatten)]
    pub(crate) found: Why,
}

/// What filters make of a trace.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Replay {
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    /// What the trace is called
    pub(crate) trace: String,
    /// The lines of policies that decided about none of the measured calls; null when no filter was made of a policy
    pub(crate) unused_rules: Option<Vec<String>>,
    #[serde(flatten)]
    pub(crate) found: Replayed,
}

pub(crate) fn why(args: &args::Why, input: &Input, settings: &Settings, quiet: bool) -> Result<Explained> {
    let log = Log::open(&args.log, &args.filters, true)?;
    let loaded = input.chain(&args.filters)?;
    let chain = admitted(&loaded, settings)?;
    let limits = args.effort.of_diagrams()?;
    let mut progress = Progress::new("calls", None, quiet);
    let against = against(&chain, None, settings, &limits);
    let deciding = Deciding::new(&loaded, settings);
    let mut found = callproof::observed::why(&log.name, log.input, against, &mut |calls| progress.set(calls))?;
    tell_rules(&mut found.groups, deciding.as_ref(), settings);
    Ok(Explained {
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        log: log.name,
        found,
    })
}

pub(crate) fn replay(args: &args::Replay, input: &Input, settings: &Settings, quiet: bool) -> Result<Replay> {
    let log = Log::open(&args.trace, &args.filters, false)?;
    let loaded: Vec<Loaded> = input.chain(&args.filters)?;
    let chain = admitted(&loaded, settings)?;
    let limits = args.effort.of_diagrams()?;
    let mut progress = Progress::new("calls", None, quiet);
    let deciding = Deciding::new(&loaded, settings);
    let marked = deciding.as_ref().map(Deciding::filters);
    let against = Against {
        engine: engine(args.judge.unwrap_or_default())?,
        ..against(&chain, marked, settings, &limits)
    };
    let mut found = callproof::observed::replay(&log.name, log.input, against, &mut |calls| progress.set(calls))?;
    tell_rules(&mut found.denied, deciding.as_ref(), settings);
    Ok(Replay {
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        trace: log.name,
        unused_rules: deciding.map(|deciding| deciding.others(&found.marks)),
        found,
    })
}

/// Names the lines of policies that decide, where the filters were made of some.
fn tell_rules(groups: &mut [Group], deciding: Option<&Deciding>, settings: &Settings) {
    let Some(deciding) = deciding else { return };
    for group in groups {
        // Of several verdicts each has a line of its own.
        let [shown] = group.shown.as_slice() else { continue };
        let data = Call::new(&shown.call).resolve(host_abi()).ok();
        group.rule = data.and_then(|(data, _)| deciding.place(&data, settings));
    }
}

fn against<'f>(
    filters: &'f [Filter<'f>],
    marked: Option<&'f [Filter<'f>]>,
    settings: &Settings,
    limits: &'f Limits,
) -> Against<'f> {
    let abi = settings.abis().first().copied();
    Against {
        filters,
        marked,
        machine: settings.machine_of(settings.layout()),
        order: settings.byte_order(),
        abi: abi.unwrap_or(callproof_abi::Abi::X86_64),
        limits,
        engine: Kind::Reference,
    }
}

/// The engine of a replay: by default the one for many calls.
fn engine(choice: EngineChoice) -> Result<Kind> {
    match choice.kind() {
        Some(Kind::Predecoded) => Err(Failure::usage("`replay` has no use for the pre-decoded engine")
            .with_help("it tells which instructions run, and takes `reference` or `specialised`")),
        chosen => Ok(chosen.unwrap_or(Kind::Specialised)),
    }
}

/// A log and what it is called.
pub(in crate::commands) struct Log {
    pub(in crate::commands) name: String,
    pub(in crate::commands) input: Box<dyn Read>,
}

impl Log {
    pub(in crate::commands) fn open(typed: &str, filters: &[String], or_text: bool) -> Result<Self> {
        if typed == "-" {
            if filters.iter().any(|filter| filter == "-") {
                return Err(Failure::usage("standard input can be read only once")
                    .with_help("name a file for the log or for the filter"));
            }
            return Ok(Self {
                name: "standard input".to_owned(),
                input: Box::new(io::stdin().lock()),
            });
        }
        let path = Path::new(typed);
        if or_text && !path.exists() && is_line(typed) {
            return Ok(Self {
                name: "command line".to_owned(),
                input: Box::new(io::Cursor::new(typed.as_bytes().to_vec())),
            });
        }
        let open = || {
            let file = File::open(path)?;
            if file.metadata()?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(file)
        };
        let file = open().map_err(|error: io::Error| Failure::io("read", path, &error))?;
        Ok(Self {
            name: typed.to_owned(),
            input: Box::new(file),
        })
    }
}

/// Whether an argument is the text of a line rather than a path.
fn is_line(typed: &str) -> bool {
    typed.contains(['(', '=', '{']) || typed.contains("failure in syscall")
}

impl Explained {
    pub(crate) fn exit(&self) -> Exit {
        exit(self.found.denied() > 0, self.found.open() > 0 || self.found.more > 0)
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            suite: "why",
            cases: self.found.groups.iter().map(|group| case(group, &self.log)).collect(),
        }
    }
}

impl Replay {
    pub(crate) fn exit(&self) -> Exit {
        exit(
            !self.found.denied.is_empty(),
            !self.found.open.is_empty() || self.found.more > 0,
        )
    }

    pub(crate) fn report(&self) -> Report {
        let groups = self.found.denied.iter().chain(&self.found.open);
        let mut cases: Vec<Case> = groups.map(|group| case(group, &self.trace)).collect();
        if cases.is_empty() {
            cases.push(Case::new(one_line(&self.trace), Vec::new()));
        }
        Report { suite: "replay", cases }
    }
}

fn exit(denied: bool, open: bool) -> Exit {
    match (denied, open) {
        (true, _) => Exit::Finding,
        (false, true) => Exit::Undecided,
        (false, false) => Exit::Success,
    }
}

fn case(group: &Group, log: &str) -> Case {
    let name = one_line(&format!("{log}:{}: {}", group.line, group.example));
    match &group.answer {
        Said::Permitted(_) => Case::new(name, Vec::new()),
        Said::Depends(verdicts) => Case::skipped(name, format!("it depends on the rest: {}", verdicts.join(" or "))),
        Said::Undecided(limit) => Case::skipped(name, format!("undecided: {limit}")),
        Said::Denied(verdict) => Case::new(
            name,
            vec![Finding {
                level: Level::Error,
                rule: "denied",
                message: one_line(&format!("{} calls of {} get {verdict}", group.count, group.call)),
                file: Path::new(log).is_file().then(|| log.to_owned()),
                line: usize::try_from(group.line).ok(),
            }],
        ),
    }
}

/// Lines that could not be read, in a sentence.
pub(crate) fn unread(unread: &Unread) -> Option<String> {
    (unread.count > 0).then(|| {
        let first = unread.first.join("; ");
        format!("{} lines could not be read: {}", unread.count, one_line(&first))
    })
}

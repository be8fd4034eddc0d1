//! `demo`: everything at once, on one filter.

use callproof_abi::Abi;
use callproof_formats::Format;
use callproof_vm::{Chain, Filter};
use serde::Serialize;

use super::check::{self, Check};
use super::decide::{Decision, Request, decide};
use super::live::{self, Live};
use crate::call::Call;
use crate::error::Result;
use crate::exit::Exit;
use crate::input::{Input, Loaded, admitted};
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// The filter that comes along.
const EXAMPLE: &str = include_str!("../../assets/web-server.bpfasm");
const EXAMPLE_NAME: &str = "examples/web-server.bpfasm";

/// What is decided: calls that a server makes, and calls that whoever took it over would make.
const CALLS: [&str; 9] = [
    "read(3, 0x7000, 4096)",
    "openat(AT_FDCWD, 0x7000, O_RDONLY|O_CLOEXEC)",
    "openat(AT_FDCWD, 0x7000, O_WRONLY|O_CREAT)",
    "socket(AF_INET, SOCK_STREAM, 0)",
    "socket(AF_PACKET, SOCK_RAW, 0)",
    "clone(CLONE_VM|CLONE_THREAD)",
    "clone(CLONE_NEWUSER)",
    "clone3(0x7000, 88)",
    "execve(0x7000, 0x7100, 0x7200)",
];

/// The call whose path is shown step by step.
const TRACED: &str = "socket(AF_PACKET, SOCK_RAW, 0)";

/// Everything at once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Demo {
    pub(crate) check: Check,
    /// ABIs that were decided for
    pub(crate) arches: Vec<&'static str>,
    /// Empty when the filter is refused
    pub(crate) decisions: Vec<Row>,
    pub(crate) traced: Option<Traced>,
    pub(crate) live: Live,
}

/// The decisions about one call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) call: String,
    /// One for each ABI that has the call
    pub(crate) decisions: Vec<Decision>,
}

/// One decision, with its trace.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Traced {
    pub(crate) call: String,
    pub(crate) decision: Decision,
}

/// Shows a filter, or the one that comes along.
pub(crate) fn run(filter: Option<&str>, input: &Input, settings: &Settings) -> Result<Demo> {
    let loaded = match filter {
        Some(filter) => input.chain(&[filter.to_owned()])?,
        None => input.read(EXAMPLE_NAME, EXAMPLE.as_bytes(), Some(Format::Asm), None)?,
    };
    let check = check::check(&loaded, settings);
    if !check.accepted {
        return Ok(Demo {
            check,
            arches: Vec::new(),
            decisions: Vec::new(),
            traced: None,
            live: Live::Skipped {
                why: "the kernel would not install the filter".to_owned(),
            },
        });
    }
    show(check, &loaded, settings)
}

fn show(check: Check, loaded: &[Loaded], settings: &Settings) -> Result<Demo> {
    let filters = admitted(loaded, settings)?;
    let abis = settings
        .abis_given()
        .unwrap_or(&[Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64]);
    let rows = CALLS.iter().map(|text| row(text, &filters, abis, settings));
    let decisions: Vec<Row> = rows.collect::<Result<_>>()?;
    let first = abis.first().copied().unwrap_or(Abi::X86_64);
    let call = Call::new(TRACED);
    let traced = if call.exists_on(first) {
        let request = Request {
            call: &call,
            trace: true,
        };
        let decision = decide(&Chain::new(&filters), request, first, settings)?;
        Some(Traced {
            call: TRACED.to_owned(),
            decision,
        })
    } else {
        None
    };
    Ok(Demo {
        check,
        arches: abis.iter().map(|abi| abi.name()).collect(),
        decisions,
        traced,
        live: live::compare(&filters, settings),
    })
}

fn row(text: &str, filters: &[Filter<'_>], abis: &[Abi], settings: &Settings) -> Result<Row> {
    let call = Call::new(text);
    let chain = Chain::new(filters);
    let request = Request {
        call: &call,
        trace: false,
    };
    let having = abis.iter().filter(|abi| call.exists_on(**abi));
    let decisions = having
        .map(|abi| decide(&chain, request, *abi, settings))
        .collect::<Result<_>>()?;
    Ok(Row {
        call: text.to_owned(),
        decisions,
    })
}

impl Demo {
    pub(crate) fn exit(&self) -> Exit {
        match &self.live {
            Live::Compared { mismatches, .. } if !mismatches.is_empty() => Exit::Disagreement,
            _ => self.check.exit(),
        }
    }

    /// Denials are what a demo is about: only a refused filter and a disagreement are findings.
    pub(crate) fn report(&self) -> Report {
        let name = "comparison with the running kernel";
        let live = match &self.live {
            Live::Skipped { why } => Case::skipped(name, why.clone()),
            Live::Compared { mismatches, .. } => {
                let finding = |message: &String| Finding {
                    level: Level::Error,
                    rule: "disagreement",
                    message: message.clone(),
                    file: None,
                    line: None,
                };
                Case::new(name, mismatches.iter().map(finding).collect())
            }
        };
        let mut report = self.check.report();
        report.suite = "demo";
        report.cases.push(live);
        report
    }
}

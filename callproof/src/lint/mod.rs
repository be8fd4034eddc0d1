//! What is likely wrong with a filter, without anybody having said what is right.
//!
//! A finding rests on what the filter itself shows: that it denies a call in one way and permits it in another. Every
//! call that a finding shows was replayed in the emulator; what a limit kept from being decided is told as that.
//!
//! ```
//! use callproof::lint::{LintOptions, Severity, lint};
//! let program = callproof::Filter::load("../examples/web-server.bpf")?.programs().to_vec();
//! let report = lint(&["web-server".to_owned()], &program, &LintOptions::default())?;
//! assert!(report.findings.iter().all(|finding| finding.severity == Severity::Info));
//! # Ok::<(), callproof::Error>(())
//! ```
//!
//! The rules are described in `docs/LINT.md`.

mod abis;
mod arguments;
mod finding;
mod flags;
mod gaps;
mod lens;
mod multiplexed;
mod numbers;
mod pairs;
mod program;
mod rules;
mod shape;
mod texts;

use callproof_abi::Abi;
use callproof_vm::Insn;

use crate::error::Error;
use crate::options::Options;
use crate::source::admit;
use lens::{Found, Lens, Stop};

pub use finding::{Finding, Place, Report, Skipped};
pub use rules::{RULES, Rule, Severity};
pub use texts::lint_policy;

/// How a filter is looked at.
#[derive(Clone, Debug, Default)]
pub struct LintOptions {
    /// The surroundings: ABIs (empty: those that the filter compares `arch` with, else x86_64), kernel, limits
    pub options: Options,
}

/// Looks for what is likely wrong with a chain, oldest filter first. `names` are those of its filters.
///
/// # Errors
/// When the kernel would not install the chain, or when the emulator and the verifier disagree.
pub fn lint(names: &[String], programs: &[Vec<Insn>], options: &LintOptions) -> Result<Report, Error> {
    let abis = abis_of(programs, &options.options);
    let machine = options.options.machine(&abis, None);
    let filters = admit(programs, names, machine)?;
    let mut lens = Lens::new(&filters, machine, options.options.order, abis, options.options.limits);
    let mut report = Report::new(names);
    run(&mut lens, &mut report)?;
    report.sort();
    Ok(report)
}

/// A group of rules: their names, for when a limit is reached, and how they look.
type Check = (
    &'static [&'static str],
    fn(&mut Lens<'_>, &mut Vec<Finding>) -> Found<()>,
);

const CHECKS: &[Check] = &[
    (&["arch-unchecked"], abis::unchecked),
    (&["one-verdict"], shape::one_verdict),
    (&["x32-open", "compat-open"], abis::partners),
    (&["unknown-allowed", "unknown-errno"], numbers::unknown),
    (&["errno-fallback"], numbers::fallbacks),
    (&["view-bypass", "view-denies"], arguments::views),
    (&["half-argument"], arguments::halves),
    (&["torn-comparison"], shape::torn),
    (&["pointer-compared"], arguments::pointers),
    (&["group-gap"], gaps::groups),
    (&["group-gap"], flags::executable),
    (&["namespace-gap"], flags::within),
    (&["namespace-gap"], gaps::namespaces),
    (&["io-uring-open"], gaps::io_uring),
    (&["multiplexed-open"], multiplexed::carriers),
    (&["dangerous-pair"], pairs::memory),
    (&["terminal-injection"], pairs::terminals),
    (&["self-lock"], pairs::lock),
    (&["kill-thread"], program::kills_thread),
    (&["wide-shift", "zero-division"], program::hazards),
    (&["dead-code", "one-way-test"], program::dead_code),
];

fn run(lens: &mut Lens<'_>, report: &mut Report) -> Result<(), Error> {
    for (rules, check) in CHECKS {
        lens.session.space().restart();
        let mut found = Vec::new();
        let stopped = check(lens, &mut found).err();
        report.findings.extend(found);
        match stopped {
            None => {}
            Some(Stop::Error(error)) => return Err(error),
            Some(Stop::Undecided(reason)) => report.undecided.extend(rules.iter().map(|rule| Skipped {
                rule,
                reason: reason.clone(),
            })),
        }
    }
    Ok(())
}

/// The ABIs that a chain is for: those asked for, else those whose `arch` word its instructions name, else x86_64.
fn abis_of(programs: &[Vec<Insn>], options: &Options) -> Vec<Abi> {
    if !options.abis.is_empty() {
        return options.abis.clone();
    }
    const JEQ_K: u16 = 0x15;
    let named = |abi: &&Abi| {
        let word = abi.audit_arch();
        let names = |insn: &Insn| insn.code == JEQ_K && insn.k == word;
        // x32 is looked at as a partner of x86_64, mips n32 of n64.
        **abi != Abi::X32 && abi.filters_since().is_some() && programs.iter().flatten().any(names)
    };
    let found: Vec<Abi> = Abi::ALL.iter().filter(named).copied().collect();
    if found.is_empty() { vec![Abi::X86_64] } else { found }
}

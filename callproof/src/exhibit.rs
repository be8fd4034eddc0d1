//! Calls that show something, with the path they take.

use callproof_abi::{Abi, errno_name};
use callproof_formats::{call, disasm};
use callproof_policy::ByteOrder;
use callproof_verifier::Shown;
use callproof_vm::isa::Op;
use callproof_vm::observe::{Count, Trace, WordsRead};
use callproof_vm::{Action, Chain, Filter, Machine, SeccompData, Verdict};
use serde::Serialize;

/// A call, and what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exhibit {
    /// The call in words; `callproof eval` reads it
    pub call: String,
    /// What decides: `the filter`, or the name of what it is compared with
    pub of: String,
    /// The verdict, errors named
    pub verdict: String,
    /// The 32-bit value
    pub value: u32,
    /// Executed instructions over all filters
    pub insns: u64,
    /// The instructions that were executed, the filter that runs first first: `1: 0-3 7`
    pub path: String,
    /// The last tests on the way and the return, one instruction each
    pub deciding: Vec<String>,
    /// The nearest call with another verdict
    pub nearest: Option<Nearest>,
}

/// A call that differs as little as possible from another one and is treated otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// `allowed` or `denied`
    pub is: &'static str,
    /// The call in words
    pub call: String,
    /// What it gets
    pub verdict: String,
    /// The fields that differ, such as `args[1] = 0x5412`
    pub differs: Vec<String>,
}

/// Tests before the return that are shown.
const TESTS: usize = 3;

impl Exhibit {
    /// A call that the verifier showed.
    pub(crate) fn new(shown: &Shown, of: &str, filters: Option<&[Filter<'_>]>, machine: Machine) -> Self {
        let mut exhibit = Self {
            call: call::print(&shown.call),
            of: of.to_owned(),
            verdict: verdict_text(&shown.verdict, &shown.call, machine),
            value: shown.verdict.value,
            insns: shown.insns,
            path: String::new(),
            deciding: Vec::new(),
            nearest: None,
        };
        if let Some(filters) = filters {
            exhibit.trace(&shown.call, filters, machine);
        }
        exhibit
    }

    fn trace(&mut self, call: &SeccompData, filters: &[Filter<'_>], machine: Machine) {
        let mut trace = Trace::default();
        let verdict = Chain::new(filters).run_observed(call, machine, &mut trace);
        let runs: Vec<&[_]> = trace.steps.chunk_by(|(a, _), (b, _)| a == b).collect();
        let mut paths = Vec::new();
        for run in runs {
            let Some((filter, _)) = run.first() else { continue };
            let pcs: Vec<usize> = run.iter().map(|(_, step)| step.pc).collect();
            let path = ranges(&pcs);
            paths.push(if filters.len() > 1 {
                format!("{filter}: {path}")
            } else {
                path
            });
            // The filter that decided is the one worth reading.
            if verdict.filter.is_none_or(|decided| decided == *filter) && self.deciding.is_empty() {
                let program = filters.get(*filter).map(Filter::program).unwrap_or_default();
                self.deciding = deciding(&pcs, &disasm::lines(program, machine.endian));
            }
        }
        self.path = paths.join("; ");
    }

    /// The exhibit in lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let cost = match self.insns {
            0 => String::new(),
            1 => " after 1 instruction".to_owned(),
            insns => format!(" after {insns} instructions"),
        };
        let mut lines = vec![
            self.call.clone(),
            format!("  gets {} ({:#010x}) from {}{cost}", self.verdict, self.value, self.of),
        ];
        if !self.path.is_empty() {
            lines.push(format!("  path {}", self.path));
        }
        lines.extend(self.deciding.iter().map(|line| format!("    {line}")));
        if let Some(nearest) = &self.nearest {
            lines.push(format!(
                "  nearest {} call, which gets {}:",
                nearest.is, nearest.verdict
            ));
            lines.push(format!("    {}", nearest.call));
            lines.push(format!("    differs in {}", nearest.differs.join(", ")));
        }
        lines
    }
}

/// The last tests and the return of a path, as they are disassembled.
fn deciding(pcs: &[usize], lines: &[disasm::Line]) -> Vec<String> {
    let executed = pcs.iter().filter_map(|pc| lines.get(*pc));
    let telling: Vec<&disasm::Line> = executed
        .filter(|line| match line.insn.op() {
            Some(Op::Jump(..)) => line.insn.jt != line.insn.jf,
            Some(Op::RetK | Op::RetA) => true,
            _ => false,
        })
        .collect();
    let skipped = telling.len().saturating_sub(TESTS + 1);
    telling
        .iter()
        .skip(skipped)
        .map(|line| line.to_string().trim_end().to_owned())
        .collect()
}

/// `0-3 7 9-10`
fn ranges(pcs: &[usize]) -> String {
    let runs = pcs.chunk_by(|a, b| a.saturating_add(1) == *b);
    let run = |run: &[usize]| match run {
        [first, .., last] => format!("{first}-{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<_>>().join(" ")
}

/// The ABI of a call.
pub(crate) fn abi(call: &SeccompData) -> Option<Abi> {
    Abi::from_call(call.arch, call.nr.cast_unsigned())
}

/// A verdict, with the name of an errno.
pub(crate) fn verdict_text(verdict: &Verdict, call: &SeccompData, machine: Machine) -> String {
    let number = verdict.errno(machine.kernel);
    let name = number.and_then(|number| errno_name(abi(call).unwrap_or(Abi::X86_64), number.into()));
    name.map_or_else(|| verdict.to_string(), |name| format!("errno({name})"))
}

/// The machine that a call runs on: one of its byte order.
pub(crate) fn machine_of(call: &SeccompData, machine: Machine, order: ByteOrder) -> Machine {
    let endian = order.of(call.arch);
    Machine { endian, ..machine }
}

/// What a chain does with a call, on a machine of the call's byte order.
pub(crate) fn decide(filters: &[Filter<'_>], call: &SeccompData, machine: Machine, order: ByteOrder) -> Verdict {
    Chain::new(filters).run(call, machine_of(call, machine, order))
}

/// The words that a chain reads of a call, one bit each. Other words do not change its verdict.
pub(crate) fn reads(filters: &[Filter<'_>], call: &SeccompData, machine: Machine, order: ByteOrder) -> u16 {
    let mut words = WordsRead::default();
    Chain::new(filters).run_observed(call, machine_of(call, machine, order), &mut words);
    words.0
}

/// A call with what a chain does with it.
pub(crate) fn shown(filters: &[Filter<'_>], call: &SeccompData, machine: Machine, order: ByteOrder) -> Shown {
    let mut count = Count::default();
    let verdict = Chain::new(filters).run_observed(call, machine_of(call, machine, order), &mut count);
    Shown {
        call: *call,
        verdict: Verdict {
            action: Action::of(verdict.value, machine.kernel),
            ..verdict
        },
        insns: count.0,
    }
}

/// Whether a value lets a call be made.
pub(crate) fn permits(verdict: &Verdict, machine: Machine) -> bool {
    Action::of(verdict.value, machine.kernel).permits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_short() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2 5 7-8");
        assert_eq!(ranges(&[]), "");
    }
}

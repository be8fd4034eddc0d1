//! Filters with one decision changed: would any case notice?

use std::path::Path;

use callproof_formats::call;
use callproof_policy::Env;
use callproof_verifier::{Answer, AskError, Side};
use callproof_vm::isa::{Op, Src};
use callproof_vm::{Action, Insn, Machine};
use serde::Serialize;

use super::result::{CaseResult, Report};
use super::run::Prepared;
use crate::equality::equality;
use crate::error::{Error, ErrorKind};
use crate::options::Options;
use crate::programs::Programs;
use crate::source::admit;

/// What came of changing one decision at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mutants {
    /// The case file
    pub file: String,
    /// Changed filters that some case comes out otherwise for
    pub noticed: usize,
    /// Changed filters that are proved to be the same for every call
    pub equivalent: usize,
    /// Changed filters that no case notices and whose difference is undecided
    pub undecided: usize,
    /// Changed filters that differ, and that no case notices
    pub survivors: Vec<Survivor>,
}

/// A changed filter that no case notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survivor {
    /// The filter
    pub filter: String,
    /// The instruction that was changed
    pub pc: usize,
    /// As it was
    pub was: String,
    /// What became of it
    pub became: String,
    /// A call that the two treat differently, replayed in the emulator; a case about it is missing
    pub call: String,
}

/// Changes each test and each return of the filters in turn, and asks the cases.
///
/// A test is turned around, and one of an order also takes in its end or not; a return that permits the call becomes
/// `kill_process`, any other `allow`. `report` is what the cases come to for the filters as they are.
///
/// # Errors
/// As for [`run_file`](super::run_file).
pub fn mutants(path: &Path, options: &Options, report: &Report) -> Result<Mutants, Error> {
    let options = Options {
        bless: false,
        ..options.clone()
    };
    let prepared = Prepared::read(path, &options)?;
    let machine = prepared.machine(&options);
    let mut found = Mutants {
        file: report.file.clone(),
        ..Mutants::default()
    };
    for (filter, program) in prepared.subject.programs.iter().enumerate() {
        for (pc, insn) in program.iter().enumerate() {
            for became in changes(*insn, machine) {
                let changed = changed(&prepared.subject, filter, pc, became);
                if is_noticed(&prepared, &changed, &options, report)? {
                    found.noticed = found.noticed.saturating_add(1);
                    continue;
                }
                match difference(&prepared.subject, &changed, machine, &options)? {
                    Difference::None => found.equivalent = found.equivalent.saturating_add(1),
                    Difference::Undecided => found.undecided = found.undecided.saturating_add(1),
                    Difference::Call(call) => found.survivors.push(Survivor {
                        filter: prepared.subject.names.get(filter).cloned().unwrap_or_default(),
                        pc,
                        was: insn.at(pc).to_string(),
                        became: became.at(pc).to_string(),
                        call,
                    }),
                }
            }
        }
    }
    Ok(found)
}

/// What one instruction is changed to.
fn changes(insn: Insn, machine: Machine) -> Vec<Insn> {
    /// The codes of `jgt` and `jge`, with a constant.
    const ORDERS: [u16; 2] = [0x25, 0x35];
    match insn.op() {
        Some(Op::Jump(_, source)) if insn.jt != insn.jf => {
            let turned = Insn {
                jt: insn.jf,
                jf: insn.jt,
                ..insn
            };
            let moved = ORDERS
                .iter()
                .find(|code| source == Src::K && ORDERS.contains(&insn.code) && **code != insn.code);
            let moved = moved.map(|code| Insn { code: *code, ..insn });
            core::iter::once(turned).chain(moved).collect()
        }
        Some(Op::RetK) => {
            let permits = Action::of(insn.k, machine.kernel).permits();
            let other = if permits { Action::KillProcess } else { Action::Allow };
            other.value().map(|k| Insn { k, ..insn }).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn changed(subject: &Programs, filter: usize, pc: usize, insn: Insn) -> Programs {
    let mut changed = subject.clone();
    if let Some(place) = changed.programs.get_mut(filter).and_then(|program| program.get_mut(pc)) {
        *place = insn;
    }
    changed
}

fn is_noticed(prepared: &Prepared, changed: &Programs, options: &Options, report: &Report) -> Result<bool, Error> {
    let mut noticed = false;
    let mut wanted = |index: usize, result: &CaseResult| {
        let before = report.cases.get(index).map(|case| case.outcome);
        noticed |= before != Some(result.outcome);
        !noticed
    };
    prepared.run_while(changed, options, &mut wanted)?;
    Ok(noticed)
}

enum Difference {
    None,
    Undecided,
    Call(String),
}

fn difference(one: &Programs, other: &Programs, machine: Machine, options: &Options) -> Result<Difference, Error> {
    let filters = admit(&one.programs, &one.names, machine)?;
    let changed = admit(&other.programs, &other.names, machine)?;
    let bug = |error: AskError| Error::new(ErrorKind::Bug, error);
    let original = Side::Chain(&filters);
    let answer = equality(
        &changed,
        original,
        &Env::default(),
        machine,
        options.order,
        &options.limits,
    );
    Ok(match answer.map_err(bug)? {
        Answer::Fails(found) => {
            let call = found.shown.first().map(|shown| call::print(&shown.call));
            Difference::Call(call.unwrap_or_default())
        }
        Answer::Undecided(_) => Difference::Undecided,
        Answer::Holds { .. } | Answer::Vacuous => Difference::None,
    })
}

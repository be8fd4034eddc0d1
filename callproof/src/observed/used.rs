//! Which parts of filters calls run through.

use callproof_formats::disasm;
use callproof_vm::isa::Op;
use callproof_vm::observe::{Observer, Step};
use callproof_vm::{Endian, Filter};
use serde::Serialize;

/// A part of a filter that no call ran through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// The filter, 0 being the oldest
    pub filter: usize,
    /// The instruction
    pub pc: usize,
    /// What of it
    pub way: Way,
    /// The instruction as it is disassembled
    pub instruction: String,
}

/// What of an instruction was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The return
    Return,
    /// The jump when the condition is met
    True,
    /// The jump when the condition is not met
    False,
    /// All of it: a test that was never reached
    Test,
}

/// Watches calls.
pub(super) struct Used {
    filter: usize,
    /// For each instruction of each filter: executed, went one way, went the other
    seen: Vec<Vec<[bool; 3]>>,
}

impl Used {
    pub(super) fn new(filters: &[Filter<'_>]) -> Self {
        let of = |filter: &Filter<'_>| vec![[false; 3]; filter.program().len()];
        Self {
            filter: 0,
            seen: filters.iter().map(of).collect(),
        }
    }

    /// What no call ran through. A test that was never reached stands for everything it leads to.
    pub(super) fn unused(&self, filters: &[Filter<'_>], endian: Endian) -> Vec<Unused> {
        let mut unused = Vec::new();
        for (number, (filter, seen)) in filters.iter().zip(&self.seen).enumerate() {
            for (line, seen) in disasm::lines(filter.program(), endian).iter().zip(seen) {
                let Some(way) = way(line, *seen) else { continue };
                unused.push(Unused {
                    filter: number,
                    pc: line.pc,
                    way,
                    instruction: line.to_string(),
                });
            }
        }
        unused
    }
}

fn way(line: &disasm::Line, [executed, met, unmet]: [bool; 3]) -> Option<Way> {
    match line.insn.op()? {
        Op::RetK | Op::RetA => (!executed).then_some(Way::Return),
        Op::Jump(..) if line.insn.jt != line.insn.jf => match (executed, met, unmet) {
            (false, ..) => Some(Way::Test),
            (true, false, _) => Some(Way::True),
            (true, _, false) => Some(Way::False),
            (true, true, true) => None,
        },
        _ => None,
    }
}

impl Observer for Used {
    fn filter(&mut self, index: usize) {
        self.filter = index;
    }

    fn step(&mut self, step: &Step) {
        let seen = self.seen.get_mut(self.filter).and_then(|seen| seen.get_mut(step.pc));
        let Some([executed, met, unmet]) = seen else { return };
        *executed = true;
        if let callproof_vm::observe::Next::Pc(next) = step.next
            && matches!(step.insn.op(), Some(Op::Jump(..)))
        {
            let target = step.pc.saturating_add(1).saturating_add(usize::from(step.insn.jt));
            *(if next == target { met } else { unmet }) = true;
        }
    }
}

//! From a failing case to a small one.

use callproof_vm::isa::Op;
use callproof_vm::{Insn, SeccompData};

/// A program and a call that it judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The program
    pub program: Vec<Insn>,
    /// The call
    pub data: SeccompData,
}

/// Makes a failing case smaller while it still fails: fewer instructions, smaller constants, more zeros in the call.
///
/// Removing instructions redirects the jumps across them. `fails` is asked at most `budget` times; it also decides
/// what a sensible case is, so it should refuse programs that the kernel would not install, unless those are the point.
/// The result fails whenever `case` does.
pub fn shrink(case: Case, budget: usize, fails: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut search = Search {
        best: case,
        left: budget,
        fails,
    };
    loop {
        let before = search.best.clone();
        search.remove_instructions();
        search.simplify_instructions();
        search.simplify_data();
        if search.left == 0 || search.best == before {
            return search.best;
        }
    }
}

struct Search<'f> {
    best: Case,
    left: usize,
    fails: &'f mut dyn FnMut(&Case) -> bool,
}

impl Search<'_> {
    /// Keeps the candidate when it differs from the best case and fails too.
    fn try_case(&mut self, candidate: Case) -> bool {
        if self.left == 0 || candidate == self.best {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        let fails = (self.fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    /// Removes runs of instructions, long runs first.
    fn remove_instructions(&mut self) {
        let mut size = self.best.program.len();
        while size > 0 {
            let mut start = 0;
            while start < self.best.program.len() {
                let candidate = Case {
                    program: without(&self.best.program, start, size),
                    data: self.best.data,
                };
                if !self.try_case(candidate) {
                    start = start.saturating_add(size);
                }
            }
            size /= 2;
        }
    }

    fn simplify_instructions(&mut self) {
        for pc in 0..self.best.program.len() {
            let Some(&insn) = self.best.program.get(pc) else { break };
            for simpler in simpler_instructions(insn) {
                let mut candidate = self.best.clone();
                if let Some(place) = candidate.program.get_mut(pc) {
                    *place = simpler;
                }
                if self.try_case(candidate) {
                    break;
                }
            }
        }
    }

    fn simplify_data(&mut self) {
        for field in 0..FIELDS {
            let value = field_of(&self.best.data, field);
            for simpler in simpler_values(value) {
                let mut candidate = self.best.clone();
                set_field(&mut candidate.data, field, simpler);
                if self.try_case(candidate) {
                    break;
                }
            }
        }
    }
}

/// The program without `size` instructions from `start` on. A jump to a removed instruction leads to the next that is
/// left; a jump that led outside still does.
fn without(program: &[Insn], start: usize, size: usize) -> Vec<Insn> {
    let end = start.saturating_add(size).min(program.len());
    let (start, end) = (start as u64, end as u64);
    // Where an instruction is after the removal.
    let moved = |pc: u64| {
        if pc < start {
            pc
        } else {
            pc.saturating_sub(end.saturating_sub(start)).max(start)
        }
    };
    let kept = program.iter().zip(0_u64..).filter(|(_, pc)| !(start..end).contains(pc));
    kept.map(|(&insn, pc)| {
        let Some((yes, no)) = insn.targets(usize::try_from(pc).unwrap_or(usize::MAX)) else {
            return insn;
        };
        let skip = |target: u64| moved(target).saturating_sub(moved(pc)).saturating_sub(1);
        let byte = |skip: u64| u8::try_from(skip).unwrap_or(u8::MAX);
        if insn.op() == Some(Op::Ja) {
            Insn {
                k: u32::try_from(skip(yes)).unwrap_or(u32::MAX),
                ..insn
            }
        } else {
            Insn {
                jt: byte(skip(yes)),
                jf: byte(skip(no)),
                ..insn
            }
        }
    })
    .collect()
}

/// Simpler instructions that may do the same work, the simplest first.
fn simpler_instructions(insn: Insn) -> Vec<Insn> {
    let Insn { code, jt, jf, k } = insn;
    let mut simpler = Vec::new();
    if matches!(insn.op(), Some(Op::Jump(..))) {
        simpler.push(Insn::stmt(0x05, u32::from(jt)));
        simpler.push(Insn::stmt(0x05, u32::from(jf)));
        simpler.extend([Insn { jt: 0, ..insn }, Insn { jf: 0, ..insn }]);
    } else if insn.op() != Some(Op::Ja) {
        simpler.push(Insn::stmt(0x00, 0));
        simpler.push(Insn::stmt(code, 0));
        simpler.push(Insn::stmt(code, k));
    }
    let smaller = simpler_values(u64::from(k)).map(|k| Insn::new(code, jt, jf, u32::try_from(k).unwrap_or(0)));
    simpler.extend(smaller);
    simpler.retain(|&other| other != insn);
    simpler
}

/// Smaller numbers, the smallest first: 0, 1, either half, fewer bits, one less.
fn simpler_values(value: u64) -> impl Iterator<Item = u64> {
    let candidates = [
        0,
        1,
        value & 0xffff_ffff,
        value & 0xffff_ffff_0000_0000,
        value & 0xffff,
        value & 0xff,
        value >> 1,
        value.saturating_sub(1),
    ];
    candidates.into_iter().filter(move |&candidate| candidate < value)
}

/// The fields of a call: six arguments, the instruction pointer, the architecture, the number.
const FIELDS: usize = 9;

fn field_of(data: &SeccompData, field: usize) -> u64 {
    match field {
        6 => data.instruction_pointer,
        7 => u64::from(data.arch),
        8 => u64::from(data.nr.cast_unsigned()),
        _ => data.args.get(field).copied().unwrap_or(0),
    }
}

fn set_field(data: &mut SeccompData, field: usize, value: u64) {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    match field {
        6 => data.instruction_pointer = value,
        7 => data.arch = low,
        8 => data.nr = low.cast_signed(),
        _ => {
            if let Some(arg) = data.args.get_mut(field) {
                *arg = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Harvest, Seed, Shape, program_of};
    use callproof_vm::{Filter, Machine};

    #[test]
    fn jumps_across_a_removal_keep_their_targets() {
        let program = [
            Insn::jump(0x15, 0, 2, 4),
            Insn::stmt(0x05, 3),
            Insn::stmt(0x00, 1),
            Insn::stmt(0x00, 2),
            Insn::stmt(0x00, 3),
            Insn::stmt(0x16, 0),
        ];
        let shorter = without(&program, 2, 2);
        assert_eq!(
            shorter,
            [
                Insn::jump(0x15, 0, 1, 2),
                Insn::stmt(0x05, 1),
                Insn::stmt(0x00, 3),
                Insn::stmt(0x16, 0)
            ]
        );
        assert_eq!(without(&program, 0, 99), []);
        assert_eq!(
            without(&[Insn::stmt(0x05, u32::MAX)], 5, 1),
            [Insn::stmt(0x05, u32::MAX)]
        );
    }

    #[test]
    fn a_large_case_shrinks_to_its_cause() {
        let mut seed = Seed::new(1, 7);
        let mut program = program_of(Shape::Straight, 300, &mut seed);
        program.splice(
            0..0,
            [
                Insn::stmt(0x20, 32),
                Insn::jump(0x15, 0xdead_0000, 0, 1),
                Insn::stmt(0x06, 77),
            ],
        );
        let caller = Caller::any(&mut seed);
        let mut data = Harvest::of(&program).call(&mut seed, caller);
        data.args[2] = 0x1234_5678_dead_0000;
        let mut asked = 0;
        let mut fails = |case: &Case| {
            asked += 1;
            let uses_constant = case.program.iter().any(|insn| insn.k == 0xdead_0000);
            let filter = Filter::load(&case.program[..]);
            uses_constant && filter.is_ok_and(|filter| filter.run(&case.data, Machine::default()) == 77)
        };
        let small = shrink(Case { program, data }, 20_000, &mut fails);
        assert!(fails(&small));
        assert!(small.program.len() <= 3, "{small:?}");
        assert_eq!(
            small.data,
            SeccompData::default(),
            "nothing in the call is needed any more"
        );
        assert!(asked < 2_000, "{asked}");
    }

    #[test]
    fn the_budget_is_kept_and_a_case_that_passes_is_left_alone() {
        let case = Case {
            program: program_of(Shape::Mixed, 100, &mut Seed::new(2, 2)),
            data: SeccompData::default(),
        };
        let mut asked = 0;
        let mut fails = |_: &Case| {
            asked += 1;
            false
        };
        assert_eq!(shrink(case.clone(), 10, &mut fails), case);
        assert_eq!(asked, 10);
        assert_eq!(shrink(case.clone(), 100_000, &mut |_| true).program, []);
    }
}

//! Admission by bit fields, with the scratch rule pulled from the origins of jumps.

use callproof_vm::Insn;

use super::Fault;

pub(super) fn admits(program: &[Insn], fault: Fault) -> bool {
    let len = program.len();
    let ends = program
        .last()
        .is_some_and(|last| last.code == 0x06 || last.code == 0x16);
    let each = |(pc, insn): (usize, &Insn)| acceptable(insn, len.saturating_sub(pc).saturating_sub(1));
    len <= 4096 && ends && program.iter().enumerate().all(each) && scratch_is_written(program, fault)
}

/// Whether one instruction is fine with `after` instructions behind it.
fn acceptable(insn: &Insn, after: usize) -> bool {
    let Insn { code, jt, jf, k } = *insn;
    let (class, op, by_x) = (code & 7, code >> 4, code & 8 != 0);
    if code > 0xff {
        return false;
    }
    match class {
        0 => match code {
            0x00 | 0x80 => true,
            0x20 => k <= 60 && k & 3 == 0,
            _ => code == 0x60 && k < 16,
        },
        1 => matches!(code, 0x01 | 0x81) || (code == 0x61 && k < 16),
        2 | 3 => code <= 3 && k < 16,
        4 => match op {
            0x8 => !by_x,
            0x3 => by_x || k > 0,
            0x6 | 0x7 => by_x || k < 32,
            0x9 => false,
            _ => op <= 0xa,
        },
        5 => match op {
            0 => !by_x && (k as usize) < after,
            _ => op <= 4 && usize::from(jt.max(jf)) < after,
        },
        6 => code == 0x06 || code == 0x16,
        _ => code == 0x07 || code == 0x87,
    }
}

/// What an instruction does to the set of cells that are written: (written before, written after).
#[derive(Clone, Copy)]
struct Flow {
    before: u16,
    after: u16,
}

/// Computes, instruction by instruction, which cells are written before it: the meet over the instruction above, unless
/// that one jumps, and every jump that leads here. The first instruction has nothing above it and nothing written.
fn scratch_is_written(program: &[Insn], fault: Fault) -> bool {
    let mut flows: Vec<Flow> = Vec::with_capacity(program.len());
    let mut origins: Vec<Vec<usize>> = vec![Vec::new(); program.len()];
    for (pc, insn) in program.iter().enumerate() {
        for target in targets(insn, pc).into_iter().flatten() {
            if let Some(origins) = origins.get_mut(target) {
                origins.push(pc);
            }
        }
    }
    for (pc, insn) in program.iter().enumerate() {
        let above = pc
            .checked_sub(1)
            .and_then(|above| Some((program.get(above)?, flows.get(above)?)));
        let from_above = match above {
            None => 0,
            Some((insn, _)) if insn.code & 7 == 5 => u16::MAX,
            // Nothing flows out of a return. The kernel's pass does not know that.
            Some((insn, _)) if insn.code & 7 == 6 && fault == Fault::DataFlowScratch => u16::MAX,
            Some((_, flow)) => flow.after,
        };
        let jumps = origins.get(pc).into_iter().flatten();
        let before = jumps.fold(from_above, |set, &origin| {
            set & flows.get(origin).map_or(u16::MAX, |flow| flow.before)
        });
        let cell = 1_u16.checked_shl(insn.k).unwrap_or(0);
        if matches!(insn.code, 0x60 | 0x61) && before & cell == 0 {
            return false;
        }
        let stored = if matches!(insn.code & 7, 2 | 3) { cell } else { 0 };
        let after = before | stored;
        flows.push(Flow { before, after });
    }
    true
}

fn targets(insn: &Insn, pc: usize) -> [Option<usize>; 2] {
    let behind = |skip: usize| pc.checked_add(1)?.checked_add(skip);
    match insn.code {
        0x05 => [behind(insn.k as usize), None],
        code if code & 7 == 5 => [behind(usize::from(insn.jt)), behind(usize::from(insn.jf))],
        _ => [None, None],
    }
}

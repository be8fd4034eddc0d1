//! Labels, and the jumps that wait for them.

use core::ops::Range;
use std::collections::HashMap;

use callproof_vm::Insn;

use crate::error::{Fault, Parsed, Problem};
use crate::excerpt::position;
use crate::text::{Token, shown};

/// The field of a jump that a label fills.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Jt,
    Jf,
    K,
}

/// The labels of one program.
pub(crate) struct Labels<'s> {
    text: &'s str,
    defined: HashMap<&'s str, (usize, usize)>,
    jumps: Vec<Jump<'s>>,
}

struct Jump<'s> {
    pc: usize,
    slot: Slot,
    label: &'s str,
    span: Range<usize>,
}

impl<'s> Labels<'s> {
    /// `text` is the whole input, for the lines in messages.
    pub(crate) fn new(text: &'s str) -> Self {
        Self {
            text,
            defined: HashMap::new(),
            jumps: Vec::new(),
        }
    }

    /// Puts a label before instruction `pc`.
    pub(crate) fn define(&mut self, label: &Token<'s>, pc: usize) -> Parsed<()> {
        match self.defined.insert(label.text, (pc, label.start)) {
            None => Ok(()),
            Some((_, first)) => Err(label.fault(Problem::DuplicateLabel {
                label: shown(label.text),
                first: position(self.text, first).line,
            })),
        }
    }

    /// Notes that a field of instruction `pc` waits for a label.
    pub(crate) fn jump(&mut self, pc: usize, slot: Slot, label: &Token<'s>) {
        self.jumps.push(Jump {
            pc,
            slot,
            label: label.text,
            span: label.span(),
        });
    }

    /// Fills all jumps.
    pub(crate) fn resolve(self, insns: &mut [Insn]) -> Parsed<()> {
        let len = insns.len();
        for jump in &self.jumps {
            let distance = self.distance(jump, len)?;
            let Some(insn) = insns.get_mut(jump.pc) else { continue };
            let short = || u8::try_from(distance).map_err(|_| jump.far(distance));
            match jump.slot {
                Slot::Jt => insn.jt = short()?,
                Slot::Jf => insn.jf = short()?,
                Slot::K => insn.k = u32::try_from(distance).map_err(|_| jump.far(distance))?,
            }
        }
        Ok(())
    }

    /// How many instructions a jump skips.
    fn distance(&self, jump: &Jump<'_>, len: usize) -> Parsed<usize> {
        let label = || shown(jump.label);
        let fault = |problem| Fault::new(problem, jump.span.clone());
        let Some((target, _)) = self.defined.get(jump.label) else {
            return Err(fault(Problem::UndefinedLabel { label: label() }));
        };
        if *target >= len {
            return Err(fault(Problem::LabelAtEnd { label: label() }));
        }
        target
            .checked_sub(jump.pc.saturating_add(1))
            .ok_or_else(|| fault(Problem::BackwardJump { label: label() }))
    }
}

impl Jump<'_> {
    fn far(&self, distance: usize) -> Fault {
        let label = shown(self.label);
        Fault::new(Problem::FarJump { label, distance }, self.span.clone())
    }
}

//! One walk through a filter for all numbers of a window at once.
//!
//! The numbers go together until a test of the number parts them, so a filter that looks for one number after the other
//! is walked about once, and not once for each number. What a number gets is known at a return; where an argument is
//! tested first, a residual program begins.

use super::numbers::{Numbers, WINDOW};
use super::residual::{Id, Residuals, Source};
use super::state::{Calls, NR, Next, State};
use crate::predecoded::Outcome;

/// What becomes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its value, whatever the arguments
    Known(Outcome),
    /// A residual program decides, after this many instructions
    Depends { root: Id, before: u32 },
    /// It was not worked out
    Open,
}

struct Walk<'w> {
    source: Source<'w>,
    calls: Calls<'w>,
    residuals: &'w mut Residuals,
    /// Numbers that are on the way: where they are, and after how many instructions
    waiting: Vec<(Numbers, State, u32)>,
    fates: Box<[Fate; WINDOW]>,
}

/// The fate of every number of a window.
pub(super) fn fates(source: Source<'_>, calls: Calls<'_>, residuals: &mut Residuals) -> Box<[Fate; WINDOW]> {
    let mut walk = Walk {
        source,
        calls,
        residuals,
        waiting: vec![(calls.numbers, State::START, 0)],
        fates: Box::new([Fate::Open; WINDOW]),
    };
    while let Some((numbers, state, insns)) = walk.waiting.pop() {
        walk.follow(numbers, state, insns);
    }
    walk.fates
}

impl Walk<'_> {
    /// Follows some numbers until they part, return, or depend on an argument.
    fn follow(&mut self, mut numbers: Numbers, mut state: State, mut insns: u32) {
        loop {
            let calls = Calls { numbers, ..self.calls };
            let place = self.source.program.get(usize::from(state.pc));
            let Some(&insn) = place.filter(|_| self.residuals.work()) else {
                return;
            };
            match state.step(insn, &calls, self.residuals.shift()) {
                Next::Went => insns = insns.wrapping_add(1),
                Next::Returns(value) => {
                    let insns = insns.wrapping_add(1);
                    return self.settle(&numbers, Fate::Known(Outcome { value, insns }));
                }
                Next::Asks {
                    index: NR,
                    test,
                    yes,
                    no,
                } => {
                    insns = insns.wrapping_add(1);
                    let (passing, others) = numbers.split(test);
                    if !passing.is_empty() && !others.is_empty() {
                        self.wait(passing, State { pc: yes, ..state }, insns);
                        numbers = others;
                        state.pc = no;
                    } else {
                        state.pc = if others.is_empty() { yes } else { no };
                    }
                    if let Some(number) = numbers.single() {
                        state = state.knowing(number);
                    }
                }
                Next::Needs if state.holds_number() => {
                    for number in numbers.singles() {
                        self.wait(number, state, insns);
                    }
                    return;
                }
                Next::Asks { .. } | Next::Needs => return self.depends(&calls, state, insns),
            }
        }
    }

    fn wait(&mut self, numbers: Numbers, state: State, insns: u32) {
        let state = numbers.single().map_or(state, |number| state.knowing(number));
        self.waiting.push((numbers, state, insns));
    }

    fn depends(&mut self, calls: &Calls<'_>, state: State, before: u32) {
        let fate = match self.residuals.build(self.source, calls, state) {
            Ok(root) => Fate::Depends { root, before },
            Err(_) => Fate::Open,
        };
        self.settle(&calls.numbers, fate);
    }

    fn settle(&mut self, numbers: &Numbers, fate: Fate) {
        for place in numbers.places() {
            if let Some(slot) = self.fates.get_mut(place as usize) {
                *slot = fate;
            }
        }
    }
}

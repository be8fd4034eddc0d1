//! Symbolic execution from a point to what follows it. `docs/PROOFS.md` section 5.

use core::ops::ControlFlow::{self, Break, Continue};

use crate::Rejected;
use crate::agree::{Judge, same};
use crate::diagram::{Edge, NO, YES};
use crate::format::{Machine, Shift, Way};
use crate::points::{Point, Points, State};
use crate::program::{Insn, Meaning};
use crate::switch::Switch;
use crate::value::{Alu, Field, Value, comparison};

/// What a diagram says about a run of a filter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'q> {
    /// The class of what it returns
    Value,
    /// How many instructions it executes
    Cost,
    /// Whether any of these ways, a bit for each, is ever gone at each instruction
    Never(&'q [u8]),
}

/// A filter, the points that a proof claims for it, and what the points are about.
#[derive(Debug)]
pub(crate) struct Claimed<'c> {
    pub(crate) program: &'c [Insn],
    pub(crate) points: &'c Points,
    pub(crate) machine: &'c Machine,
    pub(crate) question: Question<'c>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pc: usize,
    state: State,
    /// Instructions executed since the point
    executed: i32,
}

/// Where straight execution stops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// What happens from here is known
    Exit(Edge),
    /// The filter returns a field of the input
    Return(Field),
    /// It depends on whether a field lies in a range; what follows if it does and if not
    Test(Field, (u32, u32), [Next; 2]),
}

/// What follows a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Pc(usize),
    Exit(Edge),
}

impl Meaning for Shift {
    type Value = Value;

    fn constant(&self, k: u32) -> Value {
        Value::Const(k)
    }

    fn word(&self, number: u8) -> Value {
        Value::word(number)
    }

    fn alu(&mut self, op: Alu, a: Value, b: Value) -> Value {
        a.alu(op, b, *self)
    }
}

impl Claimed<'_> {
    /// Checks every point.
    pub(crate) fn check(&self, judge: &mut Judge) -> Result<(), Rejected> {
        let mut switch = Switch::default();
        let mut points = self.points.iter();
        points.try_for_each(|point| self.point(point, judge, &mut switch).map_err(|e| e.near(point.pc)))
    }

    fn point(&self, point: &Point, judge: &mut Judge, switch: &mut Switch) -> Result<(), Rejected> {
        let mut run = Run {
            pc: point.pc,
            state: self.points.state(point),
            executed: 0,
        };
        match self.advance(&mut run, judge)? {
            Stop::Exit(edge) => same(point.edge, edge),
            Stop::Return(field) => {
                let results = core::mem::take(&mut judge.classes.results);
                let right = judge.switch(&field, point.edge, &results);
                judge.classes.results = results;
                right
            }
            Stop::Test(field, yes, nexts) => {
                switch.collect(self, judge, (run, field, yes, nexts))?;
                judge.switch(&field, point.edge, &switch.pieces)
            }
        }
    }

    /// Where a run goes on from here: to an exit at once, or by executing.
    pub(crate) fn follow(&self, run: &mut Run, next: Next, judge: &mut Judge) -> Result<Stop, Rejected> {
        match self.exit(run, next, judge)? {
            Ok(edge) => Ok(Stop::Exit(edge)),
            Err(pc) => {
                run.pc = pc;
                self.advance(run, judge)
            }
        }
    }

    /// The exit that follows at once, or the instruction where a run goes on.
    pub(crate) fn exit(&self, run: &Run, next: Next, judge: &mut Judge) -> Result<Result<Edge, usize>, Rejected> {
        let pc = match next {
            Next::Pc(pc) => pc,
            Next::Exit(edge) => return Ok(Ok(edge)),
        };
        if let Some(edge) = self.points.find(pc, &run.state, &mut judge.budget)? {
            let spent = if matches!(self.question, Question::Cost) {
                run.executed
            } else {
                0
            };
            return Ok(Ok(edge.plus(spent)));
        }
        match self.program.get(pc) {
            Some(Insn::Return(Some(k))) if !self.asked(pc, Way::Reached) => {
                let executed = run.executed.saturating_add(1);
                self.returned(*k, executed, judge).map(Ok).map_err(|e| e.near(pc))
            }
            _ => Ok(Err(pc)),
        }
    }

    /// Executes at least one instruction, and on to an exit, a return or a test of the input.
    fn advance(&self, run: &mut Run, judge: &mut Judge) -> Result<Stop, Rejected> {
        loop {
            judge.budget.step()?;
            match self.execute(run, judge).map_err(|e| e.near(run.pc))? {
                Continue(next) => match self.exit(run, next, judge)? {
                    Ok(edge) => return Ok(Stop::Exit(edge)),
                    Err(pc) => run.pc = pc,
                },
                Break(stop) => return Ok(stop),
            }
        }
    }

    /// Executes one instruction.
    fn execute(&self, run: &mut Run, judge: &Judge) -> Result<ControlFlow<Stop, Next>, Rejected> {
        let pc = run.pc;
        if self.asked(pc, Way::Reached) {
            return Ok(Break(Stop::Exit(YES)));
        }
        let over = || Rejected::wrong("the filter runs over its end");
        let insn = self.program.get(pc).ok_or_else(over)?;
        let effect = insn.effect(pc, &run.state, &mut { self.machine.shift });
        run.executed = run.executed.saturating_add(1);
        match effect.returned {
            None => {}
            Some(Value::Field(field)) if matches!(self.question, Question::Value) => {
                return Ok(Break(Stop::Return(field)));
            }
            Some(Value::Unknown) if matches!(self.question, Question::Value) => {
                return Err(Rejected::unsupported(
                    "what is returned is neither a constant nor bits of one word",
                ));
            }
            Some(Value::Const(k)) => {
                return self
                    .returned(k, run.executed, judge)
                    .map(|edge| Break(Stop::Exit(edge)));
            }
            Some(_) => {
                return self
                    .returned(0, run.executed, judge)
                    .map(|edge| Break(Stop::Exit(edge)));
            }
        }
        if let Some((register, value)) = effect.set
            && let Some(slot) = run.state.get_mut(register)
        {
            *slot = value;
        }
        let next = |held: bool| {
            let (way, to) = if held {
                (Way::Yes, effect.ways[0])
            } else {
                (Way::No, effect.ways[1])
            };
            match to {
                _ if effect.test.is_some() && self.asked(pc, way) => Ok(Next::Exit(YES)),
                Some(to) => Ok(Next::Pc(to)),
                None => self.returned(0, run.executed, judge).map(Next::Exit),
            }
        };
        let Some((op, a, b)) = effect.test else {
            return next(false).map(Continue);
        };
        let (value, yes) = comparison(op, a, b);
        let decided = match value {
            Value::Const(k) => Some(yes.0 <= k && k <= yes.1),
            _ if yes.0 > yes.1 && value != Value::Unknown => Some(false),
            _ if yes == (0, u32::MAX) => Some(true),
            // Both ways lead to the same place, and nobody asks which is gone.
            _ if effect.ways[0] == effect.ways[1] && !self.asked(pc, Way::Yes) && !self.asked(pc, Way::No) => {
                Some(true)
            }
            _ => None,
        };
        match (decided, value) {
            (Some(held), _) => next(held).map(Continue),
            (None, Value::Field(field)) => Ok(Break(Stop::Test(field, yes, [next(true)?, next(false)?]))),
            _ => Err(Rejected::unsupported(
                "what is compared is not bits of one word and a constant",
            )),
        }
    }

    /// Whether the question is whether this instruction goes this way.
    fn asked(&self, pc: usize, way: Way) -> bool {
        matches!(self.question, Question::Never(asked) if asked.get(pc).is_some_and(|ways| ways & way.bit() != 0))
    }

    fn returned(&self, k: u32, executed: i32, judge: &Judge) -> Result<Edge, Rejected> {
        match self.question {
            Question::Never(_) => Ok(NO),
            Question::Cost => Ok(YES.plus(executed)),
            Question::Value => judge.classes.of(k),
        }
    }
}

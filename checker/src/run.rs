//! Symbolic execution from a point to what follows it. `docs/PROOFS.md` section 5.

use crate::Rejected;
use crate::agree::{Judge, same};
use crate::diagram::{Diagram, Edge, NO, YES};
use crate::format::{Op, Shift, Way};
use crate::points::{Point, Points, State};
use crate::program::{A, Insn, X};
use crate::switch::Switch;
use crate::value::{Alu, Field, Test, Value};

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
    pub(crate) shift: Shift,
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
    /// It depends on the input
    Branch(Test, [Next; 2]),
}

/// What follows a branch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Pc(usize),
    Exit(Edge),
}

/// Whether a decided branch happened.
enum Flow {
    Stop(Stop),
    Go(usize),
}

impl Claimed<'_> {
    /// Checks every point.
    pub(crate) fn check(&self, judge: &mut Judge) -> Result<(), Rejected> {
        let mut switch = Switch::default();
        self.points
            .iter()
            .try_for_each(|point| self.point(point, judge, &mut switch).map_err(|e| e.near(point.pc)))
    }

    fn point(&self, point: &Point, judge: &mut Judge, switch: &mut Switch) -> Result<(), Rejected> {
        let mut run = Run {
            pc: point.pc,
            state: self.points.state(point),
            executed: 0,
        };
        match self.advance(&mut run, judge)? {
            Stop::Exit(edge) => same(point.edge, edge),
            Stop::Return(field) => judge.returned(&field, point.edge),
            Stop::Branch(test, nexts) => {
                let [yes, no] = nexts.map(|next| self.settle(&run, next, judge));
                if let (Stop::Exit(yes), Stop::Exit(no)) = (yes?, no?) {
                    return judge.test(&test, point.edge, yes, no);
                }
                switch.collect(self, judge, run, (test, nexts))?;
                judge.switch(&test.field, point.edge, &switch.pieces)
            }
        }
    }

    /// What follows a branch, as far as it is straight.
    pub(crate) fn settle(&self, run: &Run, next: Next, judge: &mut Judge) -> Result<Stop, Rejected> {
        self.follow(&mut { *run }, next, judge)
    }

    pub(crate) fn follow(&self, run: &mut Run, next: Next, judge: &mut Judge) -> Result<Stop, Rejected> {
        match next {
            Next::Exit(edge) => Ok(Stop::Exit(edge)),
            Next::Pc(pc) => {
                run.pc = pc;
                match self.points.find(pc, &run.state, &mut judge.budget)? {
                    Some(edge) => Ok(Stop::Exit(edge.plus(self.spent(run)))),
                    None => self.advance(run, judge),
                }
            }
        }
    }

    /// Executes at least one instruction, and on to a point, a return or a branch that depends on the input.
    fn advance(&self, run: &mut Run, judge: &mut Judge) -> Result<Stop, Rejected> {
        loop {
            judge.budget.step()?;
            if self.asked(run.pc, Way::Reached) {
                return Ok(Stop::Exit(YES));
            }
            run.executed = run.executed.saturating_add(1);
            match self.execute(run, judge)? {
                Flow::Stop(stop) => return Ok(stop),
                Flow::Go(pc) => run.pc = pc,
            }
            if let Some(edge) = self.points.find(run.pc, &run.state, &mut judge.budget)? {
                return Ok(Stop::Exit(edge.plus(self.spent(run))));
            }
        }
    }

    /// What a run has cost so far, if that is the question.
    const fn spent(&self, run: &Run) -> i32 {
        match self.question {
            Question::Cost => run.executed,
            Question::Value | Question::Never(..) => 0,
        }
    }

    fn execute(&self, run: &mut Run, judge: &Judge) -> Result<Flow, Rejected> {
        let pc = run.pc;
        let next = pc.saturating_add(1);
        let Some(&insn) = self.program.get(pc) else {
            return Err(Rejected::wrong("the filter runs over its end").near(pc));
        };
        let (a, x) = (run.get(A), run.get(X));
        match insn {
            Insn::Load(register, value) => run.set(register, value),
            Insn::Move(to, from) => run.set(to, run.get(from)),
            Insn::Neg => run.set(A, Value::Const(0).alu(Alu::Sub, a, self.shift)),
            Insn::Jump(target) => return Ok(Flow::Go(target)),
            Insn::Return(k) => return self.returned(run, k.map_or(a, Value::Const), judge).map(Flow::Stop),
            Insn::Alu(Alu::Div, None) => return self.divide(run, judge),
            Insn::Alu(op, k) => {
                run.set(A, a.alu(op, k.map_or(x, Value::Const), self.shift));
                if k.is_none()
                    && matches!(op, Alu::Lsh | Alu::Rsh)
                    && [Way::Yes, Way::No].iter().any(|way| self.asked(pc, *way))
                {
                    return self.branch(pc, Op::Ge, x, Value::Const(32), [Next::Pc(next); 2]);
                }
            }
            Insn::Branch(op, k, [yes, no]) => {
                let k = k.map_or(x, Value::Const);
                return self.branch(pc, op, a, k, [Next::Pc(yes), Next::Pc(no)]);
            }
        }
        Ok(Flow::Go(next))
    }

    /// Whether the question is whether this instruction goes this way.
    fn asked(&self, pc: usize, way: Way) -> bool {
        matches!(self.question, Question::Never(asked) if asked.get(pc).is_some_and(|ways| ways & way.bit() != 0))
    }

    fn returned(&self, run: &Run, value: Value, judge: &Judge) -> Result<Stop, Rejected> {
        match (self.question, value) {
            (Question::Never(..), _) => Ok(Stop::Exit(NO)),
            (Question::Cost, _) => Ok(Stop::Exit(YES.plus(run.executed))),
            (Question::Value, Value::Const(k)) => match judge.classes.of(k, k) {
                Some(class) => Ok(Stop::Exit(Diagram::terminal(class))),
                None => Err(Rejected::wrong("a value is returned that is in no class").near(run.pc)),
            },
            (Question::Value, Value::Field(field)) => Ok(Stop::Return(field)),
            (Question::Value, Value::Unknown) => Err(unsupported(
                "what is returned is neither a constant nor bits of one word",
                run.pc,
            )),
        }
    }

    /// `div x`: a filter that divides by zero returns 0.
    fn divide(&self, run: &mut Run, judge: &Judge) -> Result<Flow, Rejected> {
        let (a, x) = (run.get(A), run.get(X));
        if let Value::Const(1..) = x
            && !self.asked(run.pc, Way::No)
        {
            run.set(A, a.alu(Alu::Div, x, self.shift));
            return Ok(Flow::Go(run.pc.saturating_add(1)));
        }
        let Stop::Exit(edge) = self.returned(run, Value::Const(0), judge)? else {
            return Err(Rejected::wrong("a constant is no constant"));
        };
        let next = Next::Pc(run.pc.saturating_add(1));
        let flow = self.branch(run.pc, Op::Eq, x, Value::Const(0), [Next::Exit(edge), next]);
        run.set(A, a.alu(Alu::Div, x, self.shift));
        flow
    }

    /// Goes one way, or stops where the input decides.
    fn branch(&self, pc: usize, op: Op, a: Value, b: Value, mut nexts: [Next; 2]) -> Result<Flow, Rejected> {
        for (next, way) in nexts.iter_mut().zip([Way::Yes, Way::No]) {
            if self.asked(pc, way) {
                *next = Next::Exit(YES);
            }
        }
        let [yes, no] = nexts;
        if let (Next::Pc(one), Next::Pc(other)) = (yes, no)
            && one == other
        {
            return Ok(Flow::Go(one));
        }
        let test = match (a, b) {
            (Value::Const(a), Value::Const(b)) => {
                return Ok(match if op.holds(a, b) { yes } else { no } {
                    Next::Pc(pc) => Flow::Go(pc),
                    Next::Exit(edge) => Flow::Stop(Stop::Exit(edge)),
                });
            }
            (Value::Field(field), Value::Const(k)) => Test::new(field, op, k),
            (Value::Const(k), Value::Field(field)) => Test::mirrored(field, op, k),
            _ => {
                return Err(unsupported(
                    "what is compared is not bits of one word and a constant",
                    pc,
                ));
            }
        };
        Ok(Flow::Stop(Stop::Branch(test, nexts)))
    }
}

fn unsupported(what: &'static str, pc: usize) -> Rejected {
    Rejected::unsupported(what).near(pc)
}

impl Run {
    fn get(&self, register: usize) -> Value {
        self.state.get(register).copied().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, register: usize, value: Value) {
        if let Some(slot) = self.state.get_mut(register) {
            *slot = value;
        }
    }
}

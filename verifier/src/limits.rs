//! How much work may be done, and what to say when it was not enough.

use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// How much work a question may cost. Reaching a limit makes the answer [`Undecided`], never a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Program states that differ in the place, the registers or the scratch memory, per filter
    pub states: u32,
    /// Nodes of decision diagrams
    pub nodes: u32,
    /// Steps of diagram operations
    pub steps: u64,
    /// Bytes of memory, over everything one [`Space`](crate::Space) holds
    pub bytes: u64,
    /// Distinct values that a filter may return before its 32 result bits are kept apart instead
    pub values: u32,
    /// Gates of the circuit that the SAT solver gets; no checker reads more than 4,194,304
    pub gates: u32,
    /// Conflicts of the SAT solver
    pub conflicts: u64,
    /// Wall-clock time for one question, over all engines
    pub time: Duration,
    /// Which engines may answer
    pub engines: Engines,
}

impl Default for Limits {
    /// Generous for every filter seen in use: ten seconds, 600 MB.
    fn default() -> Self {
        Self {
            states: 262_144,
            nodes: 8_000_000,
            steps: 2_000_000_000,
            bytes: 600 << 20,
            values: 4096,
            gates: 1 << 22,
            conflicts: 1_000_000,
            time: Duration::from_secs(10),
            engines: Engines::Chosen,
        }
    }
}

impl Limits {
    /// What is left of the limits for the second of two engines when the first began at this moment.
    pub(crate) fn since(&self, begun: Instant) -> Self {
        Self {
            time: self.time.saturating_sub(begun.elapsed()),
            ..*self
        }
    }

    /// The limits that an engine has: diagrams behind which the SAT solver waits have a quarter of the time, because they
    /// answer either soon or hardly ever.
    #[must_use]
    pub fn of(&self, engine: Engine) -> Self {
        const SHARE: u32 = 4;
        match (self.engines, engine) {
            (Engines::Chosen, Engine::Graph | Engine::Diagram) => Self {
                time: self.time / SHARE,
                ..*self
            },
            _ => *self,
        }
    }
}

/// Which engines may answer a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engines {
    /// Decision diagrams, and where they take too much or cannot write a proof, the SAT solver
    #[default]
    Chosen,
    /// Decision diagrams alone
    Diagram,
    /// The SAT solver alone
    Sat,
}

impl Engines {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Chosen, Self::Diagram, Self::Sat];

    /// The name of the choice, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chosen => "auto",
            Self::Diagram => "diagram",
            Self::Sat => "sat",
        }
    }
}

/// A field of [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// [`Limits::states`]
    States,
    /// [`Limits::nodes`]
    Nodes,
    /// [`Limits::steps`]
    Steps,
    /// [`Limits::bytes`]
    Bytes,
    /// [`Limits::values`]
    Values,
    /// [`Limits::gates`]
    Gates,
    /// [`Limits::conflicts`]
    Conflicts,
    /// [`Limits::time`]
    Time,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 8] = [
        Self::States,
        Self::Nodes,
        Self::Steps,
        Self::Bytes,
        Self::Values,
        Self::Gates,
        Self::Conflicts,
        Self::Time,
    ];

    /// The name of the limit, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::States => "states",
            Self::Nodes => "nodes",
            Self::Steps => "steps",
            Self::Bytes => "memory",
            Self::Values => "values",
            Self::Gates => "gates",
            Self::Conflicts => "conflicts",
            Self::Time => "time",
        }
    }
}

/// A way to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The symbolic pass over the program
    Graph,
    /// Decision diagrams
    Diagram,
    /// Bit-blasting and a SAT solver
    Sat,
}

impl Engine {
    /// The name of the engine, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Diagram => "diagram",
            Self::Sat => "sat",
        }
    }
}

/// No answer within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Undecided {
    /// What was tried
    pub engine: Engine,
    /// The limit that was reached
    pub limit: Limit,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, limit } = self;
        write!(
            f,
            "undecided: the {} engine reached the limit of `{}`; raise it or ask less",
            engine.name(),
            limit.name()
        )
    }
}

impl core::error::Error for Undecided {}

/// Counts steps and looks at the clock now and then.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    limits: Limits,
    engine: Engine,
    /// Steps until the next look at the clock
    fuel: u32,
    /// Steps left after those
    reserve: u64,
    deadline: Option<Instant>,
}

/// Steps between two looks at the clock: some hundred microseconds of work.
const STRIDE: u32 = 1 << 14;

impl Meter {
    pub(crate) fn new(limits: Limits, engine: Engine) -> Self {
        let mut meter = Self {
            limits,
            engine,
            fuel: 0,
            reserve: limits.steps,
            deadline: Instant::now().checked_add(limits.time),
        };
        meter.refill();
        meter
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) const fn stop(&self, limit: Limit) -> Undecided {
        Undecided {
            engine: self.engine,
            limit,
        }
    }

    /// Steps and time start afresh: another question.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.limits, self.engine);
    }

    /// One more step.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), Undecided> {
        if let Some(fuel) = self.fuel.checked_sub(1) {
            self.fuel = fuel;
            return Ok(());
        }
        self.look_up()
    }

    #[cold]
    fn look_up(&mut self) -> Result<(), Undecided> {
        if self.reserve == 0 {
            return Err(self.stop(Limit::Steps));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(self.stop(Limit::Time));
        }
        self.refill();
        self.fuel = self.fuel.saturating_sub(1);
        Ok(())
    }

    fn refill(&mut self) {
        let fuel = u32::try_from(self.reserve).map_or(STRIDE, |reserve| reserve.min(STRIDE));
        self.fuel = fuel;
        self.reserve = self.reserve.saturating_sub(u64::from(fuel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps_taken(limits: Limits) -> (u64, Limit) {
        let mut meter = Meter::new(limits, Engine::Diagram);
        let mut taken = 0;
        loop {
            match meter.step() {
                Ok(()) => taken += 1,
                Err(stop) => return (taken, stop.limit),
            }
        }
    }

    #[test]
    fn steps_are_counted_exactly() {
        for steps in [0, 1, 16_383, 16_384, 16_385, 100_000] {
            let limits = Limits {
                steps,
                ..Limits::default()
            };
            assert_eq!(steps_taken(limits), (steps, Limit::Steps));
        }
    }

    #[test]
    fn the_clock_stops_work_too() {
        let limits = Limits {
            time: Duration::ZERO,
            ..Limits::default()
        };
        let (taken, limit) = steps_taken(limits);
        assert_eq!(limit, Limit::Time);
        assert!(taken <= u64::from(STRIDE));
    }
}

//! The points of a filter: where a proof says what the rest of the filter computes.

use alloc::vec::Vec;

use crate::Rejected;
use crate::budget::Budget;
use crate::bytes::Reader;
use crate::diagram::{Diagram, Edge};
use crate::program::REGISTERS;
use crate::value::{Field, Value};

/// What is known about each register.
pub(crate) type State = [Value; REGISTERS];

/// Nothing is known.
pub(crate) const UNKNOWN: State = [Value::Unknown; REGISTERS];

/// One point: whenever the live registers hold these values before `pc`, the rest of the filter is `edge`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) pc: usize,
    pub(crate) edge: Edge,
    /// Where its live registers start in the list of all
    first: usize,
    len: usize,
}

/// The points of one filter, by ascending pc.
#[derive(Debug)]
pub(crate) struct Points {
    points: Vec<Point>,
    live: Vec<(usize, Value)>,
    /// For each pc the first point there or later
    at: Vec<u32>,
}

impl Points {
    pub(crate) fn read(r: &mut Reader<'_>, diagram: &Diagram, length: u32) -> Result<Self, Rejected> {
        let length = length as usize;
        let mut live = Vec::new();
        let mut pc = 0_usize;
        let points = r.list(|r| {
            pc = pc.saturating_add(r.nat()? as usize);
            if pc >= length {
                return Err(r.unreadable("a point lies after the end of its filter"));
            }
            let first = live.len();
            state(r, &mut live)?;
            let len = live.len().saturating_sub(first);
            let edge = diagram.edge(r)?;
            Ok(Point { pc, edge, first, len })
        })?;
        let mut at = Vec::with_capacity(length.saturating_add(1));
        let mut next = 0_u32;
        for pc in 0..=length {
            while points.get(next as usize).is_some_and(|point| point.pc < pc) {
                next = next.saturating_add(1);
            }
            at.push(next);
        }
        Ok(Self { points, live, at })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// What is known at a point.
    pub(crate) fn state(&self, point: &Point) -> State {
        let mut state = UNKNOWN;
        for &(register, value) in self.live(point) {
            if let Some(slot) = state.get_mut(register) {
                *slot = value;
            }
        }
        state
    }

    /// The first point of this pc that agrees with what is known.
    pub(crate) fn find(&self, pc: usize, state: &State, budget: &mut Budget) -> Result<Option<Edge>, Rejected> {
        let start = self.at.get(pc).map_or(0, |&at| at as usize);
        let later = self.points.get(start..).unwrap_or_default();
        for point in later.iter().take_while(|point| point.pc == pc) {
            budget.step()?;
            if self.agrees(point, state) {
                return Ok(Some(point.edge));
            }
        }
        Ok(None)
    }

    pub(crate) fn agrees(&self, point: &Point, state: &State) -> bool {
        let mut live = self.live(point).iter();
        live.all(|(register, value)| state.get(*register) == Some(value))
    }

    fn live(&self, point: &Point) -> &[(usize, Value)] {
        let end = point.first.saturating_add(point.len);
        self.live.get(point.first..end).unwrap_or_default()
    }
}

fn state(r: &mut Reader<'_>, live: &mut Vec<(usize, Value)>) -> Result<(), Rejected> {
    let registers = r.nat()?;
    if registers >> REGISTERS != 0 {
        return Err(r.unreadable("there are only eighteen registers"));
    }
    for register in (0..REGISTERS).filter(|register| registers >> register & 1 == 1) {
        live.push((register, value(r)?));
    }
    Ok(())
}

fn value(r: &mut Reader<'_>) -> Result<Value, Rejected> {
    Ok(match r.tag(18)? {
        0 => Value::Const(r.u32()?),
        17 => {
            let (word, shift, mask, flip) = (r.u8()?, r.int()?, r.u32()?, r.u32()?);
            let field = Field::new(word, shift, mask, flip);
            Value::Field(field.ok_or_else(|| r.unreadable("a field is not in its normal form"))?)
        }
        word => Value::word(word.saturating_sub(1)),
    })
}

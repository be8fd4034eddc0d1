//! One descent for "these bits of one word compare like this": the test is never a diagram of its own.

use crate::diagram::Diagram;
use crate::limits::Undecided;
use crate::order::Lane;
use crate::test::{Relation, WordTest};

/// `yes` where the test holds, `no` elsewhere.
pub(crate) fn test<D: Diagram>(
    diagram: &mut D,
    test: &WordTest,
    yes: D::Edge,
    no: D::Edge,
) -> Result<D::Edge, Undecided> {
    if yes == no {
        return Ok(yes);
    }
    let descent = Descent {
        lane: diagram.order().lane(test.word),
        op: diagram.op_of(test),
        test: *test,
    };
    descent.from(diagram, 0, yes, no)
}

struct Descent {
    lane: Lane,
    op: u32,
    test: WordTest,
}

/// What the bits so far leave open.
enum Open {
    /// The test's outcome is known
    Decided(bool),
    /// This bit decides next, counted from the most significant one
    Bit(u32),
}

impl Descent {
    /// The bits before `bit` were equal to those of the test's value.
    fn from<D: Diagram>(&self, diagram: &mut D, bit: u32, yes: D::Edge, no: D::Edge) -> Result<D::Edge, Undecided> {
        diagram.step()?;
        if yes == no {
            return Ok(yes);
        }
        let bit = match self.next(bit) {
            Open::Decided(holds) => return Ok(if holds { yes } else { no }),
            Open::Bit(bit) => bit,
        };
        let var = self.lane.var(bit);
        let top = diagram.var(yes).min(diagram.var(no));
        if top < var {
            return self.above(diagram, bit, yes, no);
        }
        let ((y0, y1), (n0, n1)) = (diagram.split(yes, var), diagram.split(no, var));
        let (low, high) = if self.test.value << bit >> 31 == 1 {
            (n0, self.from(diagram, bit.saturating_add(1), y1, n1)?)
        } else {
            let larger = match self.test.relation {
                Relation::Equal => n1,
                Relation::Above => y1,
            };
            (self.from(diagram, bit.saturating_add(1), y0, n0)?, larger)
        };
        diagram.join(var, low, high)
    }

    /// One of the functions asks a bit before the one that the test looks at. Below such bits the same pairs come
    /// again and again.
    fn above<D: Diagram>(&self, diagram: &mut D, bit: u32, yes: D::Edge, no: D::Edge) -> Result<D::Edge, Undecided> {
        let top = diagram.var(yes).min(diagram.var(no));
        let ((y0, y1), (n0, n1)) = (diagram.split(yes, top), diagram.split(no, top));
        let low = self.remembered(diagram, bit, y0, n0)?;
        let high = self.remembered(diagram, bit, y1, n1)?;
        diagram.join(top, low, high)
    }

    fn remembered<D: Diagram>(
        &self,
        diagram: &mut D,
        bit: u32,
        yes: D::Edge,
        no: D::Edge,
    ) -> Result<D::Edge, Undecided> {
        if yes == no {
            return Ok(yes);
        }
        let op = self.op | bit;
        if let Some(result) = diagram.recall(op, yes, no) {
            return Ok(result);
        }
        let result = self.from(diagram, bit, yes, no)?;
        diagram.remember(op, yes, no, result);
        Ok(result)
    }

    /// The next bit that decides.
    fn next(&self, bit: u32) -> Open {
        let rest = u32::MAX.checked_shr(bit).unwrap_or(0);
        let mask = self.test.mask & rest;
        if mask == 0 {
            // All bits compared equal. What is left of a value outside the mask can only make it larger.
            return Open::Decided(self.test.relation == Relation::Equal);
        }
        let next = mask.leading_zeros();
        let skipped = rest & !u32::MAX.checked_shr(next).unwrap_or(0);
        if self.test.relation == Relation::Above && self.test.value & skipped != 0 {
            // The masked word has zeros there: it stays below the value.
            return Open::Decided(false);
        }
        Open::Bit(next)
    }
}

//! The exact function of a policy.

use callproof_policy::{ByteOrder, CellRules, GroundPolicy};

use crate::diagram::{Diagram, Ref};
use crate::limits::Undecided;
use crate::space::Space;
use crate::view::View;

impl Space {
    /// What a policy answers to every call.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub(super) fn policy(&mut self, policy: &GroundPolicy, order: ByteOrder) -> Result<Ref, Undecided> {
        let mut root = self.arena.zero();
        for rules in &policy.cells {
            let here = self.condition(rules.cell, rules.cell.condition(), order)?;
            let own = self.rules(rules, order)?;
            root = self.arena.choose(here.0, own, root)?;
        }
        Ok(root)
    }

    fn rules(&mut self, rules: &CellRules, order: ByteOrder) -> Result<Ref, Undecided> {
        let mut root = self.answer(rules.default)?;
        // The first rule wins, so it goes on top.
        for (condition, value) in rules.rules.iter().rev() {
            let calls = self.condition(rules.cell, condition.clone(), order)?;
            let value = self.answer(*value)?;
            root = self.arena.choose(calls.0, value, root)?;
        }
        Ok(root)
    }

    fn answer(&mut self, value: u32) -> Result<Ref, Undecided> {
        let kernel = self.machine().kernel;
        self.arena.constant(View::Value.stand_in(value, kernel))
    }
}

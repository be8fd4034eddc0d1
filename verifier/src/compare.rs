//! Two functions held against each other.

use callproof_vm::{Action, Kernel};

use crate::diagram::{Bits, Ref, above};
use crate::function::{Form, Function, rank};
use crate::limits::Undecided;
use crate::space::{Set, Space};
use crate::verdicts::Verdicts;
use crate::view::severity;

impl Space {
    /// The calls that two functions of the same view answer differently.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn difference(&mut self, a: &Function, b: &Function) -> Result<Set, Undecided> {
        if a == b {
            return Ok(Set::EMPTY);
        }
        if let (Form::Whole(a), Form::Whole(b)) = (&a.form, &b.form) {
            let op = self.arena.own_op();
            return self.arena.apply(op, *a, *b, &mut |a, b| u32::from(a != b)).map(Set);
        }
        let (a, b) = (self.bits_of(a)?, self.bits_of(b)?);
        let mut any = Ref::FALSE;
        for (a, b) in a.iter().zip(b.iter()) {
            let differ = self.arena.xor(*a, *b)?;
            any = self.arena.or(any, differ)?;
        }
        Ok(Set(any))
    }

    /// The calls for which `a` is less severe than `b` in the kernel's order of precedence. It is empty when `a`
    /// refines `b`: stacking `b` below `a` would change no action.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn less_severe(&mut self, a: &Function, b: &Function, kernel: Kernel) -> Result<Set, Undecided> {
        if let (Form::Whole(a), Form::Whole(b)) = (&a.form, &b.form) {
            let op = self.arena.own_op();
            let mut less = |a, b| u32::from(severity(a, kernel) > severity(b, kernel));
            return self.arena.apply(op, *a, *b, &mut less).map(Set);
        }
        let (a, b) = (self.bits_of(a)?, self.bits_of(b)?);
        let a = rank(&mut self.arena, &a, kernel)?;
        let b = rank(&mut self.arena, &b, kernel)?;
        above(&mut self.arena, &a, &b).map(Set)
    }

    /// The calls that `a` permits and `b` does not.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn permitted_beyond(&mut self, a: &Function, b: &Function, kernel: Kernel) -> Result<Set, Undecided> {
        if let (Form::Whole(a), Form::Whole(b)) = (&a.form, &b.form) {
            let op = self.arena.own_op();
            let permits = |value| Action::of(value, kernel).permits();
            let mut beyond = |a, b| u32::from(permits(a) && !permits(b));
            return self.arena.apply(op, *a, *b, &mut beyond).map(Set);
        }
        let permitted = Verdicts::permitted(kernel);
        let a = self.calls(a, &permitted)?;
        let b = self.calls(b, &permitted)?;
        self.minus(a, b)
    }

    /// A function as one boolean function for each bit of its value.
    fn bits_of(&mut self, function: &Function) -> Result<Bits, Undecided> {
        match &function.form {
            Form::Bits(bits) => Ok(**bits),
            Form::Whole(root) => {
                let mut bits = [Ref::FALSE; 32];
                for (place, bit) in (0_u32..).zip(&mut bits) {
                    let op = self.arena.own_op();
                    *bit = self.arena.map(op, *root, &mut |value| value >> (place & 31) & 1)?;
                }
                Ok(bits)
            }
        }
    }
}

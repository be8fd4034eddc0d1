//! Sets of verdicts, to ask for.

use callproof_vm::{Action, Kernel};

use crate::view::signed;

/// A set of the 32-bit values that a chain may return: values equal to one of some patterns, or to none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// (mask, value) pairs
    pub(crate) patterns: Vec<(u32, u32)>,
    pub(crate) none: bool,
}

impl Verdicts {
    /// Exactly this value.
    #[must_use]
    pub fn value(value: u32) -> Self {
        Self::pattern(u32::MAX, value)
    }

    /// Every value whose masked bits are these.
    #[must_use]
    pub fn pattern(mask: u32, value: u32) -> Self {
        Self {
            patterns: vec![(mask, value & mask)],
            none: false,
        }
    }

    /// Every value that a kernel reads as one of these actions.
    #[must_use]
    pub fn actions(actions: &[Action], kernel: Kernel) -> Self {
        // Asking for unknown values means asking for none of the actions that were not asked for.
        let none = actions.contains(&Action::Unknown);
        let mask = if signed(kernel) { 0xffff_0000 } else { 0x7fff_0000 };
        let named = Action::ALL
            .into_iter()
            .filter(|action| action.exists_in(kernel) && actions.contains(action) != none);
        let patterns = named
            .filter_map(|action| Some((mask, action.value()? & mask)))
            .collect();
        Self { patterns, none }
    }

    /// Every value that lets the call be made without anybody else being asked.
    #[must_use]
    pub fn permitted(kernel: Kernel) -> Self {
        Self::actions(&[Action::Allow, Action::Log], kernel)
    }

    /// Every value not in this set.
    #[must_use]
    pub fn inverted(self) -> Self {
        Self {
            none: !self.none,
            ..self
        }
    }

    /// Whether a value is in the set.
    #[must_use]
    pub fn contains(&self, value: u32) -> bool {
        self.patterns.iter().any(|(mask, wanted)| value & mask == *wanted) != self.none
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_as_the_kernel_reads_them() {
        let all = [&Action::ALL[..], &[Action::Unknown]].concat();
        for kernel in [Kernel::new(4, 13), Kernel::new(4, 20), Kernel::LATEST] {
            for top in 0..=u16::MAX {
                let value = u32::from(top) << 16 | 1;
                let action = Action::of(value, kernel);
                for &asked in &all {
                    let exists = asked == Action::Unknown || asked.exists_in(kernel);
                    let set = Verdicts::actions(&[asked], kernel);
                    assert_eq!(
                        set.contains(value),
                        exists && action == asked,
                        "{kernel} {value:#x} {asked}"
                    );
                    assert_ne!(set.inverted().contains(value), exists && action == asked);
                }
                assert_eq!(Verdicts::permitted(kernel).contains(value), action.permits());
                let mixed = Verdicts::actions(&[Action::Unknown, Action::Errno], kernel);
                assert_eq!(mixed.contains(value), matches!(action, Action::Unknown | Action::Errno));
            }
        }
    }
}

//! What about a returned value is told apart.

use callproof_vm::{Action, Gate, Kernel, combine};

/// What about a returned value is told apart. The less, the smaller the diagrams of contrived filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum View {
    /// The whole value, as [`callproof_vm::Verdict::value`] has it
    #[default]
    Value,
    /// The action, without its data
    Action,
    /// Whether the call is made without anybody else being asked: ALLOW and LOG, or not
    Permits,
}

impl View {
    /// The value that stands for all values that this view does not tell apart from the given one.
    ///
    /// It keeps the order of severity, so that combining stand-ins gives the stand-in of the combined value: values
    /// that name no action are told apart by the named actions they stand between.
    pub(crate) fn stand_in(self, value: u32, kernel: Kernel) -> u32 {
        let value = combine([(0, value)], kernel).value;
        if self == Self::Value {
            return value;
        }
        let rank = severity(value, kernel);
        if self == Self::Permits && rank < first_permitted(kernel) {
            return 0;
        }
        let action = Action::of(value, kernel);
        match action.value() {
            Some(value) => value,
            None => unrank(named_below(rank, kernel).saturating_add(1), kernel),
        }
    }

    /// The severities at which the stand-in changes, and the stand-ins from there on; the first is for the lowest.
    pub(crate) fn steps(self, kernel: Kernel) -> Vec<(u16, u32)> {
        let mut starts: Vec<u16> = known(kernel).flat_map(|rank| [rank, rank.saturating_add(1)]).collect();
        starts.push(0);
        starts.sort_unstable();
        starts.dedup();
        let mut steps: Vec<(u16, u32)> = starts
            .into_iter()
            .map(|rank| (rank, self.stand_in(unrank(rank, kernel), kernel)))
            .collect();
        steps.dedup_by_key(|step| step.1);
        steps
    }
}

/// How severe a value is: 0 is the most severe. Since 4.14 the top half is compared as a signed number; before, its
/// top bit was ignored.
pub(crate) const fn severity(value: u32, kernel: Kernel) -> u16 {
    let [_, _, low, high] = value.to_le_bytes();
    let top = u16::from_le_bytes([low, high]);
    if signed(kernel) { top ^ 0x8000 } else { top & 0x7fff }
}

/// A value of this severity, with data 0.
fn unrank(rank: u16, kernel: Kernel) -> u32 {
    let top = if signed(kernel) { rank ^ 0x8000 } else { rank & 0x7fff };
    u32::from(top) << 16
}

/// Whether severities are signed numbers.
pub(crate) const fn signed(kernel: Kernel) -> bool {
    let since = Gate::KillProcess.since();
    kernel.major > since.major || kernel.major == since.major && kernel.minor >= since.minor
}

/// The severities of the actions that a kernel knows.
fn known(kernel: Kernel) -> impl Iterator<Item = u16> {
    let known = Action::ALL.into_iter().filter(move |action| action.exists_in(kernel));
    known.filter_map(move |action| Some(severity(action.value()?, kernel)))
}

/// The severity of the least severe known action that is more severe than this.
fn named_below(rank: u16, kernel: Kernel) -> u16 {
    known(kernel).filter(|known| *known < rank).max().unwrap_or(0)
}

fn first_permitted(kernel: Kernel) -> u16 {
    let permitting = Action::ALL
        .into_iter()
        .filter(|action| action.permits() && action.exists_in(kernel));
    permitting
        .filter_map(|action| Some(severity(action.value()?, kernel)))
        .min()
        .unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNELS: [Kernel; 4] = [
        Kernel::new(4, 13),
        Kernel::new(4, 14),
        Kernel::new(4, 20),
        Kernel::LATEST,
    ];
    const VIEWS: [View; 3] = [View::Value, View::Action, View::Permits];

    #[test]
    fn a_stand_in_says_the_same_in_its_view() {
        for kernel in KERNELS {
            for top in 0..=u16::MAX {
                let value = u32::from(top) << 16 | 7;
                let action = |value| Action::of(value, kernel);
                assert_eq!(
                    action(View::Action.stand_in(value, kernel)),
                    action(value),
                    "{kernel} {value:#x}"
                );
                let permits = action(View::Permits.stand_in(value, kernel)).permits();
                assert_eq!(permits, action(value).permits(), "{kernel} {value:#x}");
            }
        }
    }

    #[test]
    fn stand_ins_combine_as_values_do() {
        let words = [
            0u32,
            0x8000_0000,
            0x8000_0005,
            0x8001_0000,
            0xffff_0000,
            0x1_0000,
            0x2_0009,
            0x3_0001,
            0x4_0000,
            0x5_0007,
            0x6_0000,
            0x7fbf_0000,
            0x7fc0_0001,
            0x7fc1_0000,
            0x7ff0_0000,
            0x7ff1_0001,
            0x7ffc_0000,
            0x7ffd_0000,
            0x7ffe_0004,
            0x7fff_0000,
            0x7fff_1234,
        ];
        for kernel in KERNELS {
            for view in VIEWS {
                for newer in words {
                    for older in words {
                        let both = |a, b| combine([(1, a), (0, b)], kernel).value;
                        let stand_in = |value| view.stand_in(value, kernel);
                        assert_eq!(
                            both(stand_in(newer), stand_in(older)),
                            stand_in(both(newer, older)),
                            "{kernel} {view:?} {newer:#x} {older:#x}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn steps_describe_the_stand_ins() {
        for kernel in KERNELS {
            for view in [View::Action, View::Permits] {
                let steps = view.steps(kernel);
                for top in 0..=u16::MAX {
                    let value = u32::from(top) << 16 | 9;
                    let rank = severity(value, kernel);
                    let step = steps.iter().rev().find(|step| step.0 <= rank).unwrap();
                    assert_eq!(step.1, view.stand_in(value, kernel), "{kernel} {view:?} {value:#x}");
                }
            }
        }
    }
}

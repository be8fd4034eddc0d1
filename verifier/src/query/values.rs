//! Sets of return values, as the ranges of proof files.

use callproof_vm::{Action, Kernel};

/// Whether anybody learns the low half of a value.
pub(super) const fn has_data(action: Action) -> bool {
    matches!(action, Action::Errno | Action::Trap | Action::Trace)
}

/// Whether two values come to the same action, with the same data where somebody learns it.
pub(super) fn same(a: u32, b: u32, kernel: Kernel) -> bool {
    let action = Action::of(a, kernel);
    action == Action::of(b, kernel) && ((a ^ b) & 0xffff == 0 || !has_data(action))
}

/// The values that pass, as ranges that do not touch. Of values whose data nobody learns only the action counts, and of
/// those that name no action only between which named ones they stand; of the others the answer changes at `steps` of
/// the data alone, which ascend from 0.
pub(super) fn ranges(passes: &dyn Fn(u32) -> bool, steps: &[u16], kernel: Kernel) -> Vec<(u32, u32)> {
    const DATA: u32 = 0xffff;
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut add = |first: u32, last: u32| match found.last_mut() {
        Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
        _ => found.push((first, last)),
    };
    let tops = tops();
    let ends = tops.iter().skip(1).map(|next| next.saturating_sub(1)).chain([DATA]);
    for (top, last) in tops.iter().zip(ends) {
        let (base, end) = (top << 16, last << 16 | DATA);
        if has_data(Action::of(base, kernel)) {
            let ends = steps
                .iter()
                .skip(1)
                .map(|next| u32::from(*next).saturating_sub(1))
                .chain([DATA]);
            for (first, last) in steps.iter().zip(ends) {
                if passes(base | u32::from(*first)) {
                    add(base | u32::from(*first), base | last);
                }
            }
        } else if passes(base) {
            add(base, end);
        }
    }
    found
}

/// The upper halves of values at which an action begins or ends, in any kernel, ascending: before 4.14 the top bit did
/// not count.
fn tops() -> Vec<u32> {
    let named = Action::ALL
        .into_iter()
        .filter_map(Action::value)
        .map(|value| value >> 16);
    let named = named.flat_map(|top| [top, top ^ 0x8000]);
    let mut tops: Vec<u32> = named
        .flat_map(|top| [top, top.saturating_add(1)])
        .chain([0, 0x8000])
        .collect();
    tops.retain(|top| *top <= 0xffff);
    tops.sort_unstable();
    tops.dedup();
    tops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::severity;

    #[test]
    fn ranges_hold_what_passes() {
        let permits = ranges(
            &|value| Action::of(value, Kernel::LATEST).permits(),
            &[0],
            Kernel::LATEST,
        );
        assert_eq!(permits, [(0x7ffc_0000, 0x7ffc_ffff), (0x7fff_0000, 0x7fff_ffff)]);
        let one = ranges(&|value| value == 0x0005_0001, &[0, 1, 2], Kernel::LATEST);
        assert_eq!(one, [(0x0005_0001, 0x0005_0001)]);
        assert_eq!(ranges(&|_| true, &[0, 7], Kernel::LATEST), [(0, u32::MAX)]);
    }

    #[test]
    fn actions_and_severities_change_at_tops_alone() {
        for kernel in [Kernel::new(4, 13), Kernel::new(4, 20), Kernel::LATEST] {
            let tops = tops();
            for top in (1..=0xffff_u32).filter(|top| !tops.contains(top)) {
                let [here, before] = [top, top - 1].map(|top| Action::of(top << 16, kernel));
                assert_eq!(here, before, "{kernel} {top:#x}");
                for answer in Action::ALL.into_iter().filter_map(Action::value) {
                    let [here, before] =
                        [top, top - 1].map(|top| severity(top << 16, kernel) <= severity(answer, kernel));
                    assert_eq!(here, before, "{kernel} {top:#x} {answer:#x}");
                }
            }
        }
    }

    #[test]
    fn data_counts_where_somebody_learns_it() {
        let same = |a, b| same(a, b, Kernel::LATEST);
        assert!(same(0x8000_0000, 0x8000_0007));
        assert!(!same(0x0005_0000, 0x0005_0001));
        assert!(!same(0x0005_0001, 0x0003_0001));
    }
}

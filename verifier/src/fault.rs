//! Faults that tests plant, to see that they would be noticed. Outside this crate's own tests there are none.

/// A mistake that a verifier might make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `jgt` means the opposite
    FlippedComparison,
    /// Paths that meet are treated as if they had the same state
    ForgottenJoin,
    /// The second half of each argument, as it lies in memory, reads as 0
    IgnoredHighHalf,
    /// `jge` of a whole word leaves its bound out
    MissedBound,
    /// Of equally severe values the oldest filter's counts
    OldestWinsTies,
    /// A shift by 32 or more gives 0, whatever the machine
    SaturatingShift,
}

/// Whether this fault is planted.
#[cfg(not(test))]
#[inline]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}

#[cfg(test)]
pub(crate) fn planted(fault: Fault) -> bool {
    tests::PLANTED.with(|planted| planted.get() == Some(fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Space, Subject, View};
    use callproof_vm::{Chain, Filter, Insn, Machine, SeccompData};
    use core::cell::Cell;

    thread_local! {
        pub(super) static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    const ALLOW: Insn = Insn::stmt(0x06, 0x7fff_0000);
    const DENY: Insn = Insn::stmt(0x06, 0x5_0001);

    /// Whether the exact function of a chain says what the emulator says about some calls.
    fn agrees(programs: &[Vec<Insn>]) -> bool {
        let filters: Vec<_> = programs
            .iter()
            .map(|program| Filter::load(&program[..]).unwrap())
            .collect();
        let (machine, limits) = (Machine::default(), Limits::default());
        let subject = Subject::new(&filters, machine, &limits).unwrap();
        let mut space = Space::new(machine, &[&subject], &limits);
        let function = space.function(&subject, View::Value).unwrap();
        let values = [0, 1, 2, 5, 31, 32, 33, 0x1_0000_0000, 0x1_0000_0001, u64::MAX];
        let calls = values
            .iter()
            .flat_map(|a| values.iter().map(|b| SeccompData::new(1, 5, [*a, *b, 0, 0, 0, 0])));
        calls
            .into_iter()
            .all(|call| space.value(&function, &call) == Chain::new(&filters).run(&call, machine).value)
    }

    fn comparisons() -> bool {
        agrees(&[vec![Insn::stmt(0x20, 16), Insn::jump(0x25, 2, 0, 1), ALLOW, DENY]])
    }

    fn comparisons_of_one_word() -> bool {
        let load = Insn::stmt(0x20, 16);
        agrees(&[vec![
            load,
            Insn::jump(0x15, 31, 1, 0),
            Insn::jump(0x35, 5, 0, 1),
            ALLOW,
            DENY,
        ]])
    }

    fn joins() -> bool {
        let set = |k| Insn::stmt(0x00, k);
        let test = [Insn::stmt(0x20, 16), Insn::jump(0x15, 1, 0, 2)];
        let ways = [
            set(7),
            Insn::stmt(0x05, 1),
            set(9),
            Insn::stmt(0x02, 0),
            Insn::stmt(0x20, 24),
        ];
        let meet = [
            Insn::jump(0x15, 1, 0, 3),
            Insn::stmt(0x60, 0),
            Insn::jump(0x15, 7, 0, 1),
            ALLOW,
            DENY,
        ];
        agrees(&[[&test[..], &ways, &meet].concat()])
    }

    fn high_halves() -> bool {
        agrees(&[vec![Insn::stmt(0x20, 20), Insn::jump(0x15, 0, 0, 1), ALLOW, DENY]])
    }

    fn ties() -> bool {
        agrees(&[vec![Insn::stmt(0x06, 0x5_0001)], vec![Insn::stmt(0x06, 0x5_0002)]])
    }

    fn shifts() -> bool {
        let by_x = [
            Insn::stmt(0x20, 16),
            Insn::stmt(0x07, 0),
            Insn::stmt(0x00, 1),
            Insn::stmt(0x6c, 0),
        ];
        agrees(&[[&by_x[..], &[Insn::jump(0x15, 2, 0, 1), ALLOW, DENY]].concat()])
    }

    const CHECKS: [(Fault, fn() -> bool); 6] = [
        (Fault::FlippedComparison, comparisons),
        (Fault::ForgottenJoin, joins),
        (Fault::IgnoredHighHalf, high_halves),
        (Fault::MissedBound, comparisons_of_one_word),
        (Fault::OldestWinsTies, ties),
        (Fault::SaturatingShift, shifts),
    ];

    #[test]
    fn without_faults_every_check_passes() {
        for (fault, check) in CHECKS {
            assert!(check(), "{fault:?}");
        }
    }

    #[test]
    fn every_planted_fault_fails_its_check() {
        for (fault, check) in CHECKS {
            PLANTED.with(|planted| planted.set(Some(fault)));
            let noticed = !check();
            PLANTED.with(|planted| planted.set(None));
            assert!(noticed, "{fault:?} goes unnoticed");
        }
    }
}

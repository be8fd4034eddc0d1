//! Generated programs and calls, as campaigns against a kernel and recordings of it need them.

use callproof_kernel_diff::{Observes, Source};
use callproof_testgen::{Caller, Case, Choose as _, Harvest, Seed, near_valid, program, shrink};
use callproof_vm::{Insn, SeccompData};

use super::chains;

/// Most filters of a chain, and calls for it.
const FILTERS_OF_CHAIN: u32 = 8;
const CALLS_OF_CHAIN: usize = 6;

/// How often a failing case is tried while it is made smaller.
const SHRINK_TRIES: usize = 3000;

/// The programs and calls that belong to a seed. Equal seeds give equal ones, on every machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generated {
    pub(crate) seed: u64,
}

impl Source for Generated {
    fn program(&self, number: u64) -> Vec<Insn> {
        program(&mut Seed::new(self.seed, number))
    }

    fn doubtful(&self, number: u64) -> Option<Vec<Insn>> {
        Some(near_valid(&mut Seed::new(!self.seed, number)))
    }

    fn data(&self, number: u64, program: &[Insn], count: usize, observes: &Observes) -> Vec<SeccompData> {
        let mut seed = Seed::new(self.seed.rotate_left(32), number);
        let mut callers = observes
            .instruction_pointers
            .map(|(arch, ip)| Caller { arch, ip })
            .to_vec();
        // Constants take the place of what the kernel cannot be shown: that slows things down, so it is done rarely.
        if !observes.seccomp || seed.one_in(4) {
            callers.push(Caller::any(&mut seed));
        }
        Harvest::of(program).calls(&mut seed, count, &callers)
    }

    fn chain(&self, number: u64, _: &Observes) -> Option<(Vec<Vec<Insn>>, Vec<SeccompData>)> {
        Some(chains::generated(self.seed, number, FILTERS_OF_CHAIN, CALLS_OF_CHAIN))
    }

    fn shrink(
        &self,
        program: Vec<Insn>,
        data: SeccompData,
        fails: &mut dyn FnMut(&[Insn], &SeccompData) -> bool,
    ) -> (Vec<Insn>, SeccompData) {
        let case = Case { program, data };
        let small = shrink(case, SHRINK_TRIES, &mut |case| fails(&case.program, &case.data));
        (small.program, small.data)
    }
}

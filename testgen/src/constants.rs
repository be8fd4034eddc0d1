//! Numbers at which something changes.

use crate::choose::Choose;

/// A 32-bit operand: half of the time one at which kernels and emulators tend to differ.
pub fn constant(choose: &mut impl Choose) -> u32 {
    match choose.below(4) {
        0 => choose.below(70),
        1 => choose.half(),
        _ => choose.pick(&BOUNDARIES),
    }
}

/// A value that a filter may return: a known action or an unknown one between two known, with any data.
///
/// Data leans on the numbers at which effects change: 0, the restart codes around 512, the errno cap at 4,095.
pub fn action_word(choose: &mut impl Choose) -> u32 {
    let action = if choose.one_in(4) {
        choose.below(0x1_0000)
    } else {
        choose.pick(&ACTIONS)
    };
    let data = if choose.one_in(3) {
        choose.below(0x1_0000)
    } else {
        choose.pick(&DATA)
    };
    action << 16 | data
}

/// Signs, shift counts, the size of the record, page and action masks, audit words, x32 and uprobe numbers.
const BOUNDARIES: [u32; 30] = [
    0,
    1,
    2,
    3,
    31,
    32,
    33,
    60,
    63,
    64,
    65,
    255,
    256,
    335,
    336,
    0xfff,
    0x1000,
    0xffff,
    0x1_0000,
    0x0005_0000,
    0x3fff_ffff,
    0x4000_0000,
    0x4000_0003,
    0x7fff_0000,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xc000_003e,
    0xffff_fffe,
    0xffff_ffff,
];

/// Top halves: the known actions, and unknown ones on either side of them.
const ACTIONS: [u32; 20] = [
    0x7fff, 0x0000, 0x0003, 0x0005, 0x7fc0, 0x7ff0, 0x7ffc, 0x8000, 0x0001, 0x0002, 0x0004, 0x0006, 0x7fbf, 0x7fc1,
    0x7ff1, 0x7ffd, 0x7ffe, 0x8001, 0x8005, 0xffff,
];

const DATA: [u32; 12] = [0, 1, 38, 511, 512, 513, 516, 4094, 4095, 4096, 0x7fff, 0xffff];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use callproof_vm::{Action, Kernel};

    #[test]
    fn action_words_have_every_action() {
        let mut seed = Seed::new(3, 0);
        let made: Vec<Action> = (0..2000)
            .map(|_| Action::of(action_word(&mut seed), Kernel::LATEST))
            .collect();
        assert!(Action::ALL.iter().all(|action| made.contains(action)));
        assert!(made.contains(&Action::Unknown));
    }

    #[test]
    fn constants_reach_every_boundary() {
        let mut seed = Seed::new(4, 0);
        let made: Vec<u32> = (0..2000).map(|_| constant(&mut seed)).collect();
        assert!(BOUNDARIES.iter().all(|boundary| made.contains(boundary)));
    }
}

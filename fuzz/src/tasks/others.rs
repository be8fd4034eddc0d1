//! A tracer and a supervisor whose doings were chosen before.

use callproof_testgen::{Bytes, Choose as _};
use callproof_vm::effect::Interruption;
use callproof_vm::task::{
    AddFd, Arrival, Conversation, Ioctl, Notification, Registers, Response, Resume, Stop, Supervisor, Tracer, set_flags,
};
use callproof_vm::{Endian, Kernel};

/// One change of the registers at every stop.
pub(super) struct Chosen {
    kind: u32,
    number: u32,
    result: u64,
    /// Whether a register was written to
    pub(super) changed: bool,
}

impl Chosen {
    pub(super) fn new(choices: &mut Bytes<'_>) -> Self {
        Self {
            kind: choices.below(6),
            number: callproof_testgen::constant(choices),
            result: choices.word(),
            changed: false,
        }
    }
}

impl Tracer for Chosen {
    fn stopped(&mut self, stop: &Stop, registers: &mut Registers) -> Resume {
        let _ = stop.syscall_info();
        let before = *registers;
        match self.kind {
            0 => {}
            1 => return Resume::Killed,
            2 => registers.call.nr = -1,
            3 => registers.call.nr = self.number.cast_signed(),
            4 => registers.result = self.result.cast_signed(),
            _ => registers.call.args = [self.result; 6],
        }
        self.changed |= before != *registers;
        Resume::Continue
    }
}

/// What happens to a notification, and what is asked of the kernel about it.
pub(super) struct Answers {
    arrival: u32,
    deeds: Vec<(u32, u32, u64)>,
    kernel: Kernel,
}

pub(super) const INTERRUPTIONS: [Interruption; 5] = [
    Interruption::None,
    Interruption::NoHandler,
    Interruption::Handler,
    Interruption::RestartingHandler,
    Interruption::Fatal,
];

impl Answers {
    pub(super) fn new(choices: &mut Bytes<'_>, kernel: Kernel) -> Self {
        let arrival = choices.below(12);
        let count = choices.below(4);
        let deed = |choices: &mut Bytes<'_>| (choices.below(9), choices.below(256), choices.word());
        Self {
            arrival,
            deeds: (0..count).map(|_| deed(choices)).collect(),
            kernel,
        }
    }
}

impl Supervisor for Answers {
    fn arrives(&mut self, notification: &Notification) -> Arrival {
        let [little, big] = [Endian::Little, Endian::Big].map(|endian| notification.to_bytes(endian));
        assert_eq!(little.len(), big.len());
        match self.arrival {
            0..=5 => Arrival::Received,
            6 => Arrival::Closed,
            number => Arrival::Interrupted(interruption(number.saturating_sub(7))),
        }
    }

    fn notified(&mut self, notification: &Notification, conversation: &mut Conversation<'_>) {
        for &(kind, small, wide) in &self.deeds {
            deed(conversation, notification.id, kind, small, wide, self.kernel);
        }
    }
}

fn interruption(number: u32) -> Interruption {
    let at = usize::try_from(number).unwrap_or(0);
    INTERRUPTIONS.get(at).copied().unwrap_or_default()
}

fn deed(with: &mut Conversation<'_>, id: u64, kind: u32, small: u32, wide: u64, kernel: Kernel) {
    let waits = with.id_valid(id).is_ok();
    match kind {
        0 => {
            let sent = with.send(&Response::proceed(id)).is_ok();
            assert!(!sent || waits, "an answer to nobody");
        }
        1 => drop(with.send(&Response::value(id, wide.cast_signed()))),
        2 => drop(with.send(&Response::fail(id, u16::try_from(small).unwrap_or(0)))),
        3 => drop(with.send(&answer(id, small, wide))),
        4 => drop(with.add_fd(&descriptor(id, small, wide))),
        5 => with.close(),
        6 => {
            let ends = with.interrupt(interruption(small & 7));
            assert!(
                !ends || with.id_valid(id).is_err(),
                "it waits after an interruption that ends the wait"
            );
        }
        7 => drop(set_flags(wide, kernel)),
        _ => drop(Ioctl::of(request(small, wide), kernel)),
    }
    assert!(
        waits || with.id_valid(id).is_err(),
        "a settled notification waits again"
    );
}

/// A number of an ioctl: one that exists, or one with a size of its own.
fn request(small: u32, wide: u64) -> u32 {
    const NUMBERS: [u32; 6] = [
        0xc050_2100,
        0xc018_2101,
        0x4008_2102,
        0x8008_2102,
        0x4018_2103,
        0x4008_2104,
    ];
    let [_, _, _, _, a, b, c, d] = wide.to_be_bytes();
    let any = u32::from_be_bytes([a, b, c, d]);
    let known = usize::try_from(small).ok().and_then(|at| NUMBERS.get(at).copied());
    known.unwrap_or(any & 0x3fff_0000 | 0x4000_2103)
}

fn answer(id: u64, small: u32, wide: u64) -> Response {
    let mut bytes = [0; 24];
    let tail = wide.to_le_bytes().into_iter().chain(small.to_le_bytes()).chain([0; 4]);
    for (to, from) in bytes.iter_mut().zip(id.to_le_bytes().into_iter().chain(tail)) {
        *to = from;
    }
    let response = Response::from_bytes(bytes, Endian::Little);
    assert_eq!([response.id, response.val.cast_unsigned()], [id, wide]);
    Response {
        flags: small >> 6,
        ..response
    }
}

fn descriptor(id: u64, small: u32, wide: u64) -> AddFd {
    AddFd {
        id: if small & 0x80 == 0 { id } else { wide },
        flags: small & 7,
        source_is_open: small & 8 == 0,
        newfd: if small & 0x10 == 0 {
            0
        } else {
            u32::try_from(wide >> 32).unwrap_or(0)
        },
        newfd_flags: if small & 0x20 == 0 { 0 } else { 0o2_000_000 },
    }
}

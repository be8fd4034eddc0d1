//! General classic BPF: the kernel's answers about packets, against a small evaluator of this test's own.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use std::collections::BTreeSet;

use callproof_kernel_diff::{Failure, Missing, SocketOracle};
use callproof_testgen::{Choose, Seed};
use callproof_vm::Insn;

fn available<O>(oracle: Result<O, Missing>) -> Option<O> {
    oracle.inspect_err(|missing| println!("skipped: {missing}")).ok()
}

/// What a program returns for a packet; `None` when it leaves the program. Words of packets are big-endian.
fn evaluate(program: &[Insn], packet: &[u8]) -> Option<u32> {
    let (mut a, mut x, mut cells, mut pc) = (0_u32, 0_u32, [0_u32; 16], 0_usize);
    // X and k are added as signed numbers, so a large X counts backwards.
    let bytes = |offset: u32, count: usize| {
        let start = offset as usize;
        let bytes = packet.get(start..start.checked_add(count)?)?;
        Some(bytes.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)))
    };
    loop {
        let Insn { code, jt, jf, k } = *program.get(pc)?;
        pc += 1;
        let v = if code & 8 == 0 { k } else { x };
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            0x00 => a = k,
            0x01 => x = k,
            0x20 => a = bytes(k, 4)?,
            0x28 => a = bytes(k, 2)?,
            0x30 => a = bytes(k, 1)?,
            0x40 => a = bytes(x.wrapping_add(k), 4)?,
            0x48 => a = bytes(x.wrapping_add(k), 2)?,
            0x50 => a = bytes(x.wrapping_add(k), 1)?,
            0x80 => a = packet.len().try_into().ok()?,
            0x81 => x = packet.len().try_into().ok()?,
            0xb1 => x = 4 * (bytes(k, 1)? & 15),
            0x60 => a = *cells.get(k as usize)?,
            0x61 => x = *cells.get(k as usize)?,
            0x02 => *cells.get_mut(k as usize)? = a,
            0x03 => *cells.get_mut(k as usize)? = x,
            0x07 => x = a,
            0x87 => a = x,
            0x84 => a = a.wrapping_neg(),
            0x04 | 0x0c => a = a.wrapping_add(v),
            0x14 | 0x1c => a = a.wrapping_sub(v),
            0x24 | 0x2c => a = a.wrapping_mul(v),
            0x34 | 0x3c => a = a.checked_div(v)?,
            0x94 | 0x9c => a = a.checked_rem(v)?,
            0x44 | 0x4c => a |= v,
            0x54 | 0x5c => a &= v,
            0xa4 | 0xac => a ^= v,
            0x64 | 0x6c => a = a.wrapping_shl(v),
            0x74 | 0x7c => a = a.wrapping_shr(v),
            0x05 => pc += k as usize,
            0x15 | 0x1d => pc += jump(a == v),
            0x25 | 0x2d => pc += jump(a > v),
            0x35 | 0x3d => pc += jump(a >= v),
            0x45 | 0x4d => pc += jump(a & v != 0),
            0x06 => return Some(k),
            0x16 => return Some(a),
            other => panic!("{other:#x} is no instruction"),
        }
    }
}

/// Every instruction that classic BPF has, jumps and returns left out.
const PLAIN: [u16; 37] = [
    0x00, 0x01, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x81, 0xb1, 0x60, 0x61, 0x02, 0x03, 0x07, 0x87, 0x84, 0x04,
    0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x94, 0x9c, 0x44, 0x4c, 0x54, 0x5c, 0xa4, 0xac, 0x64, 0x6c, 0x74,
];
const JUMPS: [u16; 8] = [0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d];
/// The instructions that seccomp refuses.
const PACKET_ONLY: [u16; 8] = [0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x94, 0x9c];

fn program(seed: &mut Seed) -> Vec<Insn> {
    let len = seed.below(12).saturating_add(2);
    // A cell that was written can be read.
    let mut program = vec![Insn::stmt(0x02, 0), Insn::stmt(0x02, 1)];
    for left in (0..len).rev() {
        let code = match seed.below(8) {
            0 => seed.pick(&JUMPS),
            1 | 2 => seed.pick(&PACKET_ONLY),
            3 => 0x7c,
            _ => seed.pick(&PLAIN),
        };
        let k = match code {
            0x02 | 0x03 | 0x60 | 0x61 => seed.below(2),
            0x64 | 0x74 => seed.below(32),
            0x34 | 0x94 => seed.below(9).saturating_add(1),
            0x00 | 0x01 if seed.one_in(4) => seed.half(),
            _ => seed.below(80),
        };
        let skip = left.min(3).saturating_add(1);
        let mut skip = || u8::try_from(seed.below(skip)).unwrap();
        let (jt, jf) = if JUMPS.contains(&code) {
            (skip(), skip())
        } else {
            (0, 0)
        };
        program.push(Insn::jump(code, k, jt, jf));
    }
    program.push(seed.pick(&[Insn::stmt(0x16, 0), Insn::stmt(0x16, 0), Insn::stmt(0x06, 0x8765_4321)]));
    program
}

#[test]
fn packets_are_judged_as_classic_bpf_says() {
    let Some(mut oracle) = available(SocketOracle::new()) else {
        return;
    };
    let (mut compared, mut left, mut seen) = (0, 0, BTreeSet::new());
    for number in 0..4000 {
        let mut seed = Seed::new(61, number);
        let program = program(&mut seed);
        let len = seed.pick(&[2, 3, 20, 64, 65, 1500, 2048, 9000]);
        let packet: Vec<u8> = (0..len).map(|_| u8::try_from(seed.below(256)).unwrap()).collect();
        let expected = evaluate(&program, &packet);
        assert_eq!(
            oracle.packet(&program, &packet),
            Ok(expected),
            "{len} bytes: {program:?}"
        );
        compared += 1;
        left += usize::from(expected.is_none());
        seen.extend(program.iter().map(|insn| insn.code));
    }
    println!(
        "{compared} packets, {left} left the program, {} instructions",
        seen.len()
    );
    assert!(left > 100 && left < compared - 1000);
    assert!(PLAIN.iter().chain(&JUMPS).all(|code| seen.contains(code)));
}

#[test]
fn what_is_no_classic_bpf_is_refused() {
    let Some(mut oracle) = available(SocketOracle::new()) else {
        return;
    };
    let refused = Err(Failure::Refused { errno: libc::EINVAL });
    for program in [
        &[Insn::stmt(0x00, 1)][..],
        &[Insn::stmt(0xffff, 0), Insn::stmt(0x16, 0)],
        &[],
    ] {
        let answer = oracle.packet(program, &[0; 64]);
        assert!(answer == refused || program.len() < 2, "{answer:?}");
    }
    let value = [Insn::stmt(0x16, 0)];
    for len in [0, 1, 1 << 16] {
        assert_eq!(oracle.packet(&value, &vec![0; len]), Err(Failure::PacketLength { len }));
    }
    assert_eq!(oracle.packet(&value, &[0; 64]), Ok(Some(0)));
}

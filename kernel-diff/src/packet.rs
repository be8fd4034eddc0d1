//! What the kernel's BPF engine returns for the bytes of a packet.

use std::os::fd::AsRawFd;

use callproof_vm::Insn;
use callproof_vm::length::MAX_INSNS;

use crate::oracle::Failure;
use crate::socket::{SocketOracle, kept, send};

/// Longest packet that a socket of ours takes.
const LONGEST_PACKET: usize = 1 << 15;

impl SocketOracle {
    /// What a program of classic BPF returns for a packet, or `None` when it left the program: by a load that is not in
    /// the packet, or a division by zero.
    ///
    /// The program may have all instructions of classic BPF, also those that seccomp refuses (loads of bytes and half
    /// words, loads relative to X, `mod`, `msh`), and `len` is the length of the packet. The filter says how much of the
    /// datagram to keep, so a packet of 2^n bytes tells n bits of the result at a time. Offsets from 0xffe00000 up are
    /// the kernel's names for other things than bytes, and are about the socket.
    ///
    /// # Errors
    /// [`Failure::Refused`] when the kernel does not attach the program, [`Failure::PacketLength`] when the packet does
    /// not have 2 to 32,768 bytes, or why the kernel could not be asked.
    pub fn packet(&mut self, program: &[Insn], packet: &[u8]) -> Result<Option<u32>, Failure> {
        if !(2..=LONGEST_PACKET).contains(&packet.len()) {
            return Err(Failure::PacketLength { len: packet.len() });
        }
        let bits = packet.len().ilog2().min(11);
        let mut value = Some(0);
        for shift in (0..u32::BITS).step_by(bits as usize) {
            self.attach(&telling(program, shift, bits)?)?;
            send(self.sender.as_raw_fd(), packet)?;
            let part = kept(self.receiver.as_raw_fd())?.map(|kept| kept.wrapping_sub(1) << shift);
            if shift > 0 && part.is_some() != value.is_some() {
                return Err(Failure::Strange {
                    register: part.unwrap_or(0).into(),
                });
            }
            value = value.zip(part).map(|(value, part)| value | part);
        }
        Ok(value)
    }
}

/// The program with returns of some bits of the result, plus one so that 0 is told from a packet that was dropped.
fn telling(program: &[Insn], shift: u32, bits: u32) -> Result<Vec<Insn>, Failure> {
    let epilogue = [
        Insn::stmt(0x74, shift),
        Insn::stmt(0x54, mask(bits)),
        Insn::stmt(0x04, 1),
        Insn::stmt(0x16, 0),
    ];
    let too_long = || Failure::TooLong { len: program.len() };
    if program.len().saturating_add(epilogue.len()) > MAX_INSNS {
        return Err(too_long());
    }
    let tell = |(pc, insn): (usize, &Insn)| {
        let behind = program.len().saturating_sub(pc).saturating_sub(1);
        Ok(match insn.code {
            0x06 => Insn::stmt(0x06, (insn.k >> shift & mask(bits)).wrapping_add(1)),
            0x16 => Insn::stmt(0x05, u32::try_from(behind).map_err(|_| too_long())?),
            _ => *insn,
        })
    };
    let told = program.iter().enumerate().map(tell);
    told.chain(epilogue.map(Ok)).collect()
}

const fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

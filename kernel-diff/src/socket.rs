//! The oracle that asks socket filters.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use callproof_vm::length::MAX_INSNS;
use callproof_vm::{Endian, Insn, SeccompData};

use crate::native::raw;
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Question, Sight};
use crate::sys::errno;

/// Results of the kernel's classic BPF engine, on any machine and without any privilege.
///
/// Seccomp and socket filters are converted and executed by the same code. The record is sent as a datagram, and the
/// filter says how many bytes of it to keep: three datagrams give a result. A dropped datagram means 0. Nothing is
/// installed for good and nothing can die, so this needs no child. `ld #len` and `ldx #len` become constants, since
/// datagrams are longer than the record.
#[derive(Debug)]
pub struct SocketOracle {
    pub(crate) sender: OwnedFd,
    pub(crate) receiver: OwnedFd,
    /// The datagram: the record, the part that is wanted, and bytes to keep
    packet: Box<[u8; PACKET]>,
}

/// How many datagrams give one result, and how many bits each gives.
const CHUNKS: u32 = 3;
const CHUNK_BITS: u32 = 11;

/// Where the datagram says which part is wanted.
const SELECTOR: u32 = 64;

/// The longest kept length is 2,048.
const PACKET: usize = SELECTOR as usize + 4 + (1 << CHUNK_BITS);

impl SocketOracle {
    /// Opens a pair of sockets.
    ///
    /// # Errors
    /// [`Missing`] when sockets or their filters are not to be had.
    pub fn new() -> Result<Self, Missing> {
        let failed = |error: io::Error| Missing::Basic(Failure::system("open a pair of sockets", &error));
        let (sender, receiver) = datagram_pair().map_err(failed)?;
        let packet = Box::new([0; PACKET]);
        let mut oracle = Self {
            sender,
            receiver,
            packet,
        };
        let program = [Insn::stmt(0x20, 60), Insn::stmt(0x16, 0)];
        let data = SeccompData::from_words([0xdead_beef; 16], Endian::NATIVE);
        match oracle.evaluate(&program, &[data]) {
            Ok(values) if values == [0xdead_beef] => Ok(oracle),
            Ok(_) => Err(Missing::Basic(Failure::Strange { register: 0 })),
            Err(Failure::Refused { errno }) => Err(Missing::SocketFilters { errno }),
            Err(failure) => Err(Missing::Basic(failure)),
        }
    }

    pub(crate) fn attach(&self, program: &[Insn]) -> Result<(), Failure> {
        let insns: Vec<_> = program.iter().copied().map(raw).collect();
        let program = libc::sock_fprog {
            len: u16::try_from(insns.len()).unwrap_or(u16::MAX),
            filter: insns.as_ptr().cast_mut(),
        };
        let size = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or(0);
        let (option, value) = (libc::SO_ATTACH_FILTER, (&raw const program).cast());
        // SAFETY: the kernel copies the program that `filter` and `len` describe, and keeps no pointer to it.
        match unsafe { libc::setsockopt(self.receiver.as_raw_fd(), libc::SOL_SOCKET, option, value, size) } {
            0 => Ok(()),
            _ => Err(Failure::Refused { errno: errno() }),
        }
    }

    fn value(&mut self, data: &SeccompData) -> Result<u32, Failure> {
        let words = data.words(Endian::NATIVE).into_iter();
        let places = self.packet.as_chunks_mut::<4>().0.iter_mut();
        // Socket filters read the network's byte order.
        places.zip(words).for_each(|(place, word)| *place = word.to_be_bytes());
        let mut value = 0;
        for chunk in 0..CHUNKS {
            if let Some(place) = self.packet.as_chunks_mut::<4>().0.get_mut(SELECTOR as usize / 4) {
                *place = chunk.to_be_bytes();
            }
            send(self.sender.as_raw_fd(), &self.packet[..])?;
            match kept(self.receiver.as_raw_fd())? {
                // A division by zero left the program.
                None => return Ok(0),
                Some(kept) => value |= kept.wrapping_sub(1) << chunk.saturating_mul(CHUNK_BITS),
            }
        }
        Ok(value)
    }
}

/// Sends a datagram to ourselves.
pub(crate) fn send(sender: RawFd, packet: &[u8]) -> Result<(), Failure> {
    let (flags, bytes) = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL, packet.as_ptr().cast());
    // SAFETY: the packet is a live slice of that size.
    let sent = unsafe { libc::send(sender, bytes, packet.len(), flags) };
    if usize::try_from(sent) == Ok(packet.len()) {
        return Ok(());
    }
    Err(Failure::System {
        what: "send to a socket of our own",
        errno: errno(),
    })
}

/// How much of a datagram the filter kept, or `None` when it dropped it.
pub(crate) fn kept(receiver: RawFd) -> Result<Option<u32>, Failure> {
    let mut byte = 0_u8;
    let (flags, place) = (libc::MSG_DONTWAIT | libc::MSG_TRUNC, (&raw mut byte).cast());
    // SAFETY: one byte is received into a live variable; the flag has the call tell the whole length.
    let kept = unsafe { libc::recv(receiver, place, 1, flags) };
    match u32::try_from(kept) {
        Ok(kept) => Ok(Some(kept)),
        Err(_) if errno() == libc::EAGAIN => Ok(None),
        Err(_) => Err(Failure::System {
            what: "receive from a socket of our own",
            errno: errno(),
        }),
    }
}

impl Oracle for SocketOracle {
    fn name(&self) -> &'static str {
        "socket"
    }

    fn observes(&self) -> Observes {
        Observes {
            seccomp: false,
            arches: &[],
            instruction_pointers: [(0, 0); 2],
            replaced_numbers: &[],
            // Two instructions for every constant that is returned, and the tail.
            longest: (MAX_INSNS - 14) / 3,
        }
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Results, Sight::Packets]
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Results(Question { program, data }) => {
                self.attach(&instrument(program)?)?;
                let values = data.iter().map(|data| self.value(data));
                values.collect::<Result<_, _>>().map(Answer::Results)
            }
            Query::Packet { program, packet } => self.packet(program, packet).map(Answer::Packet),
            other => Err(other.unseen()),
        }
    }
}

fn datagram_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [-1; 2];
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: the call fills an array of two files.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [sender, receiver] = pair;
    // SAFETY: both files are new and owned by nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(sender), OwnedFd::from_raw_fd(receiver)) })
}

/// Has a program return the wanted part of its result, plus one so that it is told from a dropped datagram.
fn instrument(program: &[Insn]) -> Result<Vec<Insn>, Failure> {
    let too_long = || Failure::TooLong { len: program.len() };
    let mut constants: Vec<u32> = program
        .iter()
        .filter(|insn| insn.code == 0x06)
        .map(|insn| insn.k)
        .collect();
    constants.sort_unstable();
    constants.dedup();
    let stubs = program.len();
    let epilogue = constants.len().saturating_mul(2).saturating_add(stubs);
    let tail = tail();
    if epilogue.saturating_add(tail.len()) > MAX_INSNS {
        return Err(too_long());
    }
    let jump = |from: usize, to: usize| {
        let distance = to.checked_sub(from).and_then(|distance| distance.checked_sub(1));
        distance
            .and_then(|distance| u32::try_from(distance).ok())
            .map(|k| Insn::stmt(0x05, k))
            .ok_or_else(too_long)
    };
    let mut out = Vec::with_capacity(epilogue.saturating_add(tail.len()));
    for (pc, insn) in program.iter().enumerate() {
        out.push(match insn.code {
            0x16 => jump(pc, epilogue)?,
            0x06 => {
                let stub = constants.binary_search(&insn.k).unwrap_or(0);
                jump(pc, stub.saturating_mul(2).saturating_add(stubs))?
            }
            0x80 => Insn::stmt(0x00, 64),
            0x81 => Insn::stmt(0x01, 64),
            _ => *insn,
        });
    }
    for constant in constants {
        out.push(Insn::stmt(0x00, constant));
        out.push(jump(out.len(), epilogue)?);
    }
    out.extend(tail);
    Ok(out)
}

/// A = the wanted part of A, plus one.
fn tail() -> [Insn; 14] {
    [
        Insn::stmt(0x07, 0),
        Insn::stmt(0x20, SELECTOR),
        Insn::jump(0x15, 2, 6, 0),
        Insn::jump(0x15, 1, 0, 3),
        Insn::stmt(0x87, 0),
        Insn::stmt(0x74, CHUNK_BITS),
        Insn::stmt(0x05, 4),
        Insn::stmt(0x87, 0),
        Insn::stmt(0x05, 2),
        Insn::stmt(0x87, 0),
        Insn::stmt(0x74, 2 * CHUNK_BITS),
        Insn::stmt(0x54, (1 << CHUNK_BITS) - 1),
        Insn::stmt(0x04, 1),
        Insn::stmt(0x16, 0),
    ]
}

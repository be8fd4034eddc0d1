//! What every peer in Rust has in common; what it reads and prints stands in `race.h`.

// The loop that times callproof's engines, too.
#[path = "timing.rs"]
mod timing;

use std::io::BufRead;

/// An instruction: code, both jumps, constant.
pub type Insn = (u16, u8, u8, u32);

fn argument(place: usize) -> Vec<u8> {
    let path = std::env::args().nth(place).expect("PEER FILTER RECORDS");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The filter to run.
pub fn filter() -> Vec<Insn> {
    let bytes = argument(1);
    let insns = bytes.as_chunks::<8>().0.iter();
    insns
        .map(|&[a, b, jt, jf, k @ ..]| (u16::from_ne_bytes([a, b]), jt, jf, u32::from_ne_bytes(k)))
        .collect()
}

/// The records, each as the 16 words that it consists of.
pub fn records() -> Vec<[u32; 16]> {
    let bytes = argument(2);
    let word = |record: &[u8; 64], place| u32::from_ne_bytes(record.as_chunks::<4>().0[place]);
    let records = bytes.as_chunks::<64>().0.iter();
    records
        .map(|record| std::array::from_fn(|place| word(record, place)))
        .collect()
}

/// A record for a peer that reads words of a packet, in network order.
#[allow(dead_code, reason = "not every peer reads packets")]
pub fn packet(words: [u32; 16]) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *place = word.to_be_bytes();
    }
    bytes
}

/// Prints the checksum, and the time of a round for each line that is read.
pub fn race<T>(records: &[T], check: impl FnMut(&T) -> u32, mut run: impl FnMut(&T) -> u32) {
    println!("{}", timing::checksum(records, check));
    for _ in std::io::stdin().lock().lines() {
        println!("{:.3}", timing::round(records, &mut run));
    }
}

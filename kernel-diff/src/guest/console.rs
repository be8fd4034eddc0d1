//! What a guest says on its console.
//!
//! Anything may stand on a console: the firmware and the kernel write to it too. The agent's lines hold the word
//! `CALLPROOF`; what they carry is checked, so a garbled line is an error and never a wrong answer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The word that marks the agent's lines.
const MARK: &str = "CALLPROOF ";

/// Most bytes of a frame. The largest that is asked for has a few.
const MOST_BYTES: usize = 64 << 20;

/// Most facts; the agent prints about 15.
const MOST_FACTS: usize = 100;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// Facts by name
    pub(super) facts: BTreeMap<String, String>,
    /// Frames by name, in their order
    pub(super) frames: Vec<(String, Vec<u8>)>,
    /// Whether the agent said that it is done
    pub(super) done: bool,
    open: Option<Frame>,
}

#[derive(Debug)]
struct Frame {
    name: String,
    len: usize,
    hash: u32,
    bytes: Vec<u8>,
}

/// Why a console cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbled {
    #[error("the agent failed in the guest: {0}")]
    Failed(String),
    #[error("a line of the guest is garbled: `{0}`")]
    Line(String),
    #[error("the guest's frame `{0}` does not have the length or the hash that it promised")]
    Frame(String),
    #[error("the guest says too much")]
    TooMuch,
}

impl Console {
    /// Reads a line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Garbled> {
        let Some((_, said)) = line.split_once(MARK) else {
            return Ok(());
        };
        let said = said.trim_end();
        let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
        let garbled = || Garbled::Line(excerpt(said));
        match word {
            "FACT" => self.fact(rest).ok_or_else(garbled)?,
            "BEGIN" => self.begin(rest).ok_or_else(garbled)?,
            "DATA" => self.data(rest).ok_or_else(garbled)?,
            "END" => self.end(rest)?,
            "AT" => {}
            "DONE" => self.done = true,
            "FAIL" => return Err(Garbled::Failed(excerpt(rest))),
            _ => return Err(garbled()),
        }
        let size: usize = self.frames.iter().map(|(_, bytes)| bytes.len()).sum();
        if self.facts.len() > MOST_FACTS || size > MOST_BYTES {
            return Err(Garbled::TooMuch);
        }
        Ok(())
    }

    fn fact(&mut self, rest: &str) -> Option<()> {
        let (name, value) = rest.split_once(' ')?;
        self.facts.insert(name.to_owned(), value.to_owned());
        Some(())
    }

    fn begin(&mut self, rest: &str) -> Option<()> {
        let mut words = rest.split(' ');
        let (name, len, hash) = (words.next()?, words.next()?, words.next()?);
        let frame = Frame {
            name: name.to_owned(),
            len: len.parse().ok().filter(|len| *len <= MOST_BYTES)?,
            hash: u32::from_str_radix(hash, 16).ok()?,
            bytes: Vec::new(),
        };
        let whole = self.open.is_none() && words.next().is_none();
        self.open = Some(frame);
        whole.then_some(())
    }

    fn data(&mut self, rest: &str) -> Option<()> {
        let frame = self.open.as_mut()?;
        frame.bytes.extend(STANDARD.decode(rest).ok()?);
        (frame.bytes.len() <= frame.len).then_some(())
    }

    fn end(&mut self, rest: &str) -> Result<(), Garbled> {
        let bad = || Garbled::Frame(excerpt(rest));
        let frame = self.open.take().ok_or_else(bad)?;
        if frame.name != rest || frame.bytes.len() != frame.len || fnv1a(&frame.bytes) != frame.hash {
            return Err(bad());
        }
        self.frames.push((frame.name, frame.bytes));
        Ok(())
    }
}

/// FNV-1a of 32 bits: enough against a console's mistakes.
fn fnv1a(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
    bytes.iter().fold(2_166_136_261, step)
}

/// A line to show: short, and without control characters.
pub(super) fn excerpt(text: &str) -> String {
    let shown = text.chars().filter(|letter| !letter.is_control());
    shown.take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_testgen::{Choose as _, Seed};

    fn read(text: &str) -> Result<Console, Garbled> {
        let mut console = Console::default();
        text.lines().try_for_each(|line| console.line(line))?;
        Ok(console)
    }

    fn framed(name: &str, bytes: &[u8]) -> String {
        let mut text = format!("CALLPROOF BEGIN {name} {} {:08x}\r\n", bytes.len(), fnv1a(bytes));
        for chunk in bytes.chunks(48) {
            text += &format!("CALLPROOF DATA {}\r\n", STANDARD.encode(chunk));
        }
        text + &format!("CALLPROOF END {name}\r\n")
    }

    #[test]
    fn facts_and_frames_come_through_noise() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = format!(
            "SeaBIOS\n[    1.0] x\nCALLPROOF FACT release 6.1.0-50\r\n{}noise\n{}CALLPROOF DONE\n",
            framed("jit", &bytes),
            framed("interpreter", &[])
        );
        let console = read(&text).unwrap();
        assert_eq!(console.facts["release"], "6.1.0-50");
        assert_eq!(
            console.frames,
            [("jit".to_owned(), bytes), ("interpreter".to_owned(), vec![])]
        );
        assert!(console.done);
    }

    #[test]
    fn a_garbled_frame_is_an_error_and_never_another_answer() {
        let bytes: Vec<u8> = (0..200).collect();
        let text = framed("jit", &bytes);
        let mut seed = Seed::new(5, 0);
        for _ in 0..20_000 {
            let mut garbled = text.clone().into_bytes();
            let at = usize::try_from(seed.below(u32::try_from(garbled.len()).unwrap())).unwrap();
            match seed.below(3) {
                0 => garbled[at] = u8::try_from(32 + seed.below(96)).unwrap(),
                1 => drop(garbled.remove(at)),
                _ => garbled.insert(at, b'\n'),
            }
            if let Ok(console) = read(&String::from_utf8(garbled).unwrap()) {
                assert!(console.frames.iter().all(|(_, read)| *read == bytes));
            }
        }
    }

    #[test]
    fn hostile_lines_are_refused() {
        for line in [
            "CALLPROOF BEGIN jit 99999999999 00000000",
            "CALLPROOF BEGIN jit -1 0",
            "CALLPROOF BEGIN jit 1",
            "CALLPROOF BEGIN jit 1 0 0",
            "CALLPROOF DATA AAAA",
            "CALLPROOF END jit",
            "CALLPROOF FACT alone",
            "CALLPROOF WHAT",
            "CALLPROOF FAIL fork: no",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        let more = "CALLPROOF BEGIN jit 2 00000000\nCALLPROOF DATA AAAA";
        assert!(read(more).is_err(), "more than was promised");
        let facts: String = (0..200).map(|n| format!("CALLPROOF FACT f{n} v\n")).collect();
        assert_eq!(read(&facts).unwrap_err(), Garbled::TooMuch);
    }

    #[test]
    fn the_hash_is_fnv1a() {
        // Test vectors of the authors: http://www.isthe.com/chongo/tech/comp/fnv/
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }
}

//! Bytes as hex digits: a filter in a file, on the command line, or in a line of a batch.

use callproof_vm::{Endian, Insn};

use crate::error::{Fault, Parsed, Problem};
use crate::load::MAX_INSNS;
use crate::text::shown;

/// What begins a comment that ends with the line.
const COMMENTS: [&str; 3] = ["#", ";", "//"];

/// Reads hex digits in pairs, with white space, commas and comments between bytes; one byte may be `0x06`.
pub(crate) fn read(text: &str, endian: Endian) -> Parsed<Vec<Insn>> {
    let mut bytes = Vec::new();
    let mut start = 0_usize;
    for line in text.split_inclusive('\n') {
        read_line(without_comment(line), start, &mut bytes)?;
        start = start.saturating_add(line.len());
        if bytes.len() > MAX_INSNS.saturating_mul(Insn::SIZE) {
            return Err(Fault::new(Problem::TooManyInsns, start..start));
        }
    }
    let (insns, rest) = bytes.as_chunks::<{ Insn::SIZE }>();
    if !rest.is_empty() {
        let digits = bytes.len().saturating_mul(2);
        let end = text.trim_end().len();
        return Err(Fault::new(Problem::UnevenHex { digits }, end.saturating_sub(1)..end));
    }
    Ok(insns.iter().map(|bytes| Insn::from_bytes(*bytes, endian)).collect())
}

/// The part of a line before its comment.
pub(crate) fn without_comment(line: &str) -> &str {
    let comment = COMMENTS.iter().filter_map(|mark| line.find(mark)).min();
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

fn read_line(line: &str, start: usize, bytes: &mut Vec<u8>) -> Parsed<()> {
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| !is_separator(c)) {
        let group = rest.get(at..).unwrap_or_default();
        let group = group.split(is_separator).next().unwrap_or_default();
        let offset = line.len().saturating_sub(rest.len()).saturating_add(at);
        read_group(group, start.saturating_add(offset), bytes)?;
        rest = rest.get(at.saturating_add(group.len())..).unwrap_or_default();
    }
    Ok(())
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c == ','
}

/// Reads the digits that stand together.
fn read_group(group: &str, start: usize, bytes: &mut Vec<u8>) -> Parsed<()> {
    let digits = match group.strip_prefix("0x") {
        Some(byte) if byte.len() == 2 => byte,
        _ => group,
    };
    let start = start.saturating_add(group.len().saturating_sub(digits.len()));
    if let Some((at, found)) = digits.char_indices().find(|(_, c)| !c.is_ascii_hexdigit()) {
        let at = start.saturating_add(at);
        let span = at..at.saturating_add(found.len_utf8());
        return Err(Fault::new(Problem::NotHex { found }, span));
    }
    if !decode(digits.as_bytes(), bytes) {
        let span = start..start.saturating_add(digits.len());
        return Err(Fault::new(Problem::OddHex { digits: shown(digits) }, span));
    }
    Ok(())
}

/// Appends the bytes of hex digits. `false` when they are no pairs of digits; then some bytes may have been appended.
pub(crate) fn decode(digits: &[u8], bytes: &mut Vec<u8>) -> bool {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut bad = rest.len();
    bytes.extend(pairs.iter().map(|[high, low]| {
        let (high, low) = (value(*high), value(*low));
        bad |= usize::from((high | low) & 0xf0);
        high << 4 | low & 0xf
    }));
    bad == 0
}

/// Appends the hex digits of bytes.
pub(crate) fn encode(bytes: &[u8], text: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
}

/// The value of a hex digit, or 255: one load for each digit, since batches decode gigabytes.
#[inline]
fn value(digit: u8) -> u8 {
    VALUES.get(usize::from(digit)).copied().unwrap_or(u8::MAX)
}

const VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs at compile time, where an overflow or a wrong index is a build error"
)]
const fn values() -> [u8; 256] {
    let digits = *b"0123456789abcdef";
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u8;
        values[digits[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
}

/// Writes all digits on one line, or, with notes, one instruction a line.
pub(crate) fn write(program: &[Insn], endian: Endian, notes: Option<&[String]>) -> String {
    let mut text = String::with_capacity(program.len().saturating_mul(16).saturating_add(1));
    for (pc, insn) in program.iter().enumerate() {
        encode(&insn.to_bytes(endian), &mut text);
        if let Some(notes) = notes {
            text.push_str("  # ");
            text.push_str(&insn.at(pc).to_string());
            if let Some(note) = notes.get(pc).filter(|note| !note.is_empty()) {
                text.push_str("  ; ");
                text.push_str(note);
            }
            text.push('\n');
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_takes_digits_and_nothing_else() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut bytes = Vec::new();
                let good = decode(&[first, second], &mut bytes);
                let text = String::from_utf8([first, second].to_vec()).unwrap_or_default();
                let expected = u8::from_str_radix(&text, 16).ok().filter(|_| !text.starts_with('+'));
                assert_eq!(good.then(|| bytes[0]), expected, "{text}");
            }
        }
        assert!(!decode(b"abc", &mut Vec::new()));
    }

    #[test]
    fn tolerates_what_stands_between_bytes() {
        let insns = read("  06 00,0000 # ret\n 0x00, 0x00 ff7f ; done\n//\n", Endian::Little).unwrap();
        assert_eq!(insns, [Insn::stmt(6, 0x7fff_0000)]);
        assert_eq!(read("", Endian::Little).unwrap(), []);
    }

    #[test]
    fn faults_have_a_place() {
        let fault = |text| {
            let fault = read(text, Endian::Little).unwrap_err();
            (*fault.problem, fault.span)
        };
        assert_eq!(fault("06 0"), (Problem::OddHex { digits: "0".to_owned() }, 3..4));
        assert_eq!(fault("#\n06 0z"), (Problem::NotHex { found: 'z' }, 6..7));
        assert_eq!(fault("0600\n"), (Problem::UnevenHex { digits: 4 }, 3..4));
        assert_eq!(fault("0x0600"), (Problem::NotHex { found: 'x' }, 1..2));
    }
}

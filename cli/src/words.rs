//! Names of the words of `seccomp_data` that were read, and words of others made fit to print.

use callproof_formats::disasm::word_name;
use callproof_vm::isa::{Op, Size};
use callproof_vm::{Endian, Insn};

/// The name of the word that an instruction loads, if it loads one.
pub(crate) fn read_by(insn: Insn, endian: Endian) -> Option<String> {
    (insn.op() == Some(Op::LdAbs(Size::Word)))
        .then(|| word_name(insn.k, endian))
        .flatten()
}

/// The names in a set of words with one bit each, as [`callproof_vm::observe::WordsRead`] collects them.
pub(crate) fn names(set: u16, endian: Endian) -> Vec<String> {
    (0..16)
        .filter(|bit| set >> bit & 1 == 1)
        .filter_map(|bit| word_name(bit * 4, endian))
        .collect()
}

/// Text that somebody else wrote, on one line and without anything that a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    escape(text, |_| false)
}

/// As [`one_line`], with line breaks left.
pub(crate) fn harmless(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !kept(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let hostile = "a\u{1b}[2Jb\nret #0\r\u{9b}c é";
        assert_eq!(one_line(hostile), "a\\u{1b}[2Jb\\nret #0\\r\\u{9b}c é");
        assert_eq!(harmless(hostile), "a\\u{1b}[2Jb\nret #0\\r\\u{9b}c é");
    }

    #[test]
    fn halves_swap_with_the_byte_order() {
        assert_eq!(
            names(0b1_1111, Endian::Little),
            ["nr", "arch", "ip low", "ip high", "args[0] low"]
        );
        assert_eq!(names(1 << 15, Endian::Big), ["args[5] low"]);
        assert_eq!(names(u16::MAX, Endian::Big).len(), 16);
        assert_eq!(
            read_by(Insn::stmt(0x20, 60), Endian::Little).as_deref(),
            Some("args[5] high")
        );
        assert_eq!(read_by(Insn::stmt(0x20, 2), Endian::Little), None);
        assert_eq!(read_by(Insn::stmt(0x06, 4), Endian::Little), None);
    }
}

//! Arguments as strace writes them, to registers.

use core::cell::RefCell;
use std::collections::BTreeMap;

use callproof_abi::{Abi, Arg, Syscall, constant, signal_number};

use super::args::Parts;
use crate::error::{Parsed, Problem};
use crate::text::{Cursor, Kind, Names, Style, Token, expression, number};
use crate::trace::seen::ArgSeen;

/// Longest argument whose value is read.
const LONGEST: usize = 512;
/// How many names are looked up.
const REMEMBERED: usize = 4096;

/// strace explains numbers in block comments.
const STYLE: Style = Style { line: &[], block: true };

/// Reads values; it remembers names, since looking up one that does not exist is slow.
#[derive(Default)]
pub(super) struct Values {
    names: RefCell<BTreeMap<(Abi, String), Option<u64>>>,
}

/// A value of which the kernel reads so many bits.
pub(super) fn seen(value: u64, bits: u32) -> ArgSeen {
    if bits >= 64 {
        return ArgSeen::Known(value);
    }
    let mask = 1_u64.checked_shl(bits).map_or(u64::MAX, |power| power.wrapping_sub(1));
    let value = value & mask;
    ArgSeen::Bits { mask, value }
}

impl Values {
    /// The registers of a call.
    pub(super) fn registers(&self, abi: Abi, call: Option<Syscall>, parts: &Parts<'_>) -> [ArgSeen; 6] {
        let mut registers = [ArgSeen::Unknown; 6];
        if parts.name.starts_with("syscall_") {
            return self.plain(abi, parts);
        }
        let Some(prototype) = call.and_then(|call| call.prototype()) else {
            return registers;
        };
        // A call that strace shows with more arguments than it has is one that it took apart.
        if parts.args.len() > prototype.args.len() {
            return registers;
        }
        let plain = prototype
            .args
            .iter()
            .position(|arg| is_half(arg, abi))
            .unwrap_or(prototype.args.len());
        for (place, text) in parts.args.iter().enumerate() {
            let (named, value) = split_name(text);
            let index = match named {
                Some(name) => prototype.args.iter().position(|arg| is_called(arg, name)),
                None => Some(place).filter(|place| *place < plain),
            };
            let arg = index.and_then(|index| prototype.args.get(index));
            let (Some(index), Some(arg)) = (index, arg) else {
                continue;
            };
            let last = place.saturating_add(1) == parts.args.len();
            if last && !parts.whole {
                continue;
            }
            if let (Some(register), Some(value)) = (registers.get_mut(index), self.value(abi, value)) {
                *register = seen(value, shown_bits(arg, abi, value));
            }
        }
        registers
    }

    /// Registers of a call that strace does not know: it prints all of them as numbers.
    fn plain(&self, abi: Abi, parts: &Parts<'_>) -> [ArgSeen; 6] {
        let mut registers = [ArgSeen::Unknown; 6];
        if parts.whole {
            for (register, text) in registers.iter_mut().zip(&parts.args) {
                let value = self.value(abi, text);
                *register = value.map_or(ArgSeen::Unknown, |value| seen(value, abi.register_bits()));
            }
        }
        registers
    }

    /// The value of an argument; `None` for what stands in memory and for words that are not known.
    pub(super) fn value(&self, abi: Abi, text: &str) -> Option<u64> {
        let text = match text.split_once('<') {
            Some((number, rest)) if rest.ends_with('>') && !rest.starts_with('<') => number,
            _ => text,
        };
        // `TCGETS or SNDCTL_TMR_TIMEBASE` are two words, and each of `"[{` begins something in memory.
        if text.is_empty() || text.len() > LONGEST || text.contains(['"', '[', '{', ';']) || text.contains("=>") {
            return None;
        }
        let mut cursor = Cursor::new(text, 0, STYLE);
        let names = Words { abi, values: self };
        let value = expression(&mut cursor, &names).ok()?;
        (cursor.next().ok()?.kind == Kind::End).then_some(value)
    }

    fn named(&self, abi: Abi, name: &str) -> Option<u64> {
        let key = (abi, name.to_owned());
        if let Some(known) = self.names.borrow().get(&key) {
            return *known;
        }
        // Looking up a name that does not exist is slow, and no log has so many that do.
        if self.names.borrow().len() >= REMEMBERED {
            return None;
        }
        let value = constant(abi, name).ok();
        let value = value.or_else(|| signal_number(abi, name).ok().map(u64::from));
        self.names.borrow_mut().insert(key, value);
        value
    }
}

/// How many low bits strace shows: it takes a descriptor or a process for an `int` also where the kernel's entry point
/// declares a `long`, and prints what is negative as an `int` so.
fn shown_bits(arg: &Arg, abi: Abi, value: u64) -> u32 {
    let bits = arg.width(abi).bits;
    let int = matches!(arg.name, "fd" | "pid") || value.cast_signed() < 0;
    if int { bits.min(32) } else { bits }
}

/// A register that holds half of a value, or none: from there on strace counts otherwise.
fn is_half(arg: &Arg, abi: Abi) -> bool {
    let ends = ["lo", "hi", "_l", "_h", "low", "high"];
    let counted = ["pos", "offset", "len"]
        .iter()
        .filter_map(|name| arg.name.strip_prefix(name));
    let numbered = counted
        .into_iter()
        .any(|rest| rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_digit()));
    arg.width(abi).bits == 0 || numbered || ends.iter().any(|end| arg.name.ends_with(end))
}

/// `flags=CLONE_VM` (`clone`) into name and value.
fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, value))
            if name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && !name.is_empty()
                && !value.starts_with('=') =>
        {
            (Some(name), value)
        }
        _ => (None, text),
    }
}

/// The kernel's name of an argument that strace calls by another.
fn is_called(arg: &Arg, name: &str) -> bool {
    let kernel = match name {
        "child_stack" => "newsp",
        "flags" => "clone_flags",
        "parent_tid" => "parent_tidptr",
        "child_tid" => "child_tidptr",
        name => name,
    };
    arg.name == kernel || arg.name == name
}

struct Words<'v> {
    abi: Abi,
    values: &'v Values,
}

impl Names for Words<'_> {
    fn operand(&self, token: &Token<'_>, cursor: &mut Cursor<'_>) -> Parsed<u64> {
        match (token.kind, token.text) {
            (Kind::Word, "NULL") => Ok(0),
            (Kind::Word, "makedev") => self.device(cursor),
            (Kind::Word, name) if !cursor.peek()?.is("(") => {
                let value = self.values.named(self.abi, name);
                value.ok_or_else(|| {
                    token.fault(Problem::UnknownConstant {
                        name: name.to_owned(),
                        nearest: None,
                    })
                })
            }
            _ => Err(token.unexpected("a number or a constant")),
        }
    }

    fn is_type(&self, _: &str) -> bool {
        false
    }
}

impl Words<'_> {
    /// `makedev(MAJOR, MINOR)`, packed as the kernel's 32-bit device numbers are.
    fn device(&self, cursor: &mut Cursor<'_>) -> Parsed<u64> {
        cursor.expect("(", "`(`")?;
        let major = number(&cursor.next()?)?;
        cursor.expect(",", "`,`")?;
        let minor = number(&cursor.next()?)?;
        cursor.expect(")", "`)`")?;
        let low = minor & 0xff;
        let high = (minor & 0xf_ff00) << 12;
        Ok(low | ((major & 0xfff) << 8) | high)
    }
}

//! What a guest's kernel is and can do, as the agent saw it.

use std::collections::BTreeMap;

use callproof_vm::{Endian, Kernel, Machine, ShiftByX};

use super::catalog::Guest;
use super::jobs::Via;
use super::tell::Gate;

/// What executes filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// `bpf_jit_enable` is 0, or there is no JIT
    Interpreter,
    /// `bpf_jit_enable` is 1
    Jit,
}

impl Engine {
    /// Its name, in tables and in what the agent prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Jit => "jit",
        }
    }

    /// The engine of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Interpreter, Self::Jit]
            .into_iter()
            .find(|engine| engine.name() == name)
    }
}

/// A guest's kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What `uname -r` says
    pub release: String,
    /// What `uname -m` says
    pub machine: String,
    /// Byte order
    pub endian: Endian,
    /// Bits of a word of the agent
    pub bits: u32,
    /// Whether x32 calls work
    pub x32: bool,
    /// The number of getppid, which every kernel has
    pub getppid: i32,
    /// The bits of a call's number that the kernel keeps: s390x has 16
    pub number_mask: u32,
    /// Whether the calls 335 and 336 of x86-64 pass a filter that denies every call; none where there are no such calls
    pub passes: Option<Passes>,
    pub(super) native: Gate,
    pub(super) i386: Option<Gate>,
}

/// Calls that pass every filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// 335
    pub uretprobe: bool,
    /// 336
    pub uprobe: bool,
}

/// What the agent adds to a number to see which of its bits are kept.
const WIDE: u32 = 0x5a5a_0000;

impl Facts {
    /// Reads the agent's facts, or gives the name of one that is missing or makes no sense.
    pub(super) fn read(facts: &BTreeMap<String, String>) -> Result<Self, &'static str> {
        let text = |name: &'static str| facts.get(name).map(String::as_str).ok_or(name);
        let word = |name| text(name).and_then(|value| u32::from_str_radix(value, 16).map_err(|_| name));
        let wide = |name| text(name).and_then(|value| u64::from_str_radix(value, 16).map_err(|_| name));
        let gate = |arch, ip| -> Result<Gate, &'static str> {
            Ok(Gate {
                arch: word(arch)?,
                ip: wide(ip)?,
            })
        };
        let getppid: i32 = text("getppid")?.parse().map_err(|_| "getppid")?;
        let number_mask = match word("native.wide")? {
            seen if seen == WIDE | getppid.cast_unsigned() => u32::MAX,
            seen if seen == getppid.cast_unsigned() => 0xffff,
            _ => return Err("native.wide"),
        };
        let i386 = facts.contains_key("i386.arch").then(|| gate("i386.arch", "i386.ip"));
        Ok(Self {
            release: text("release")?.to_owned(),
            machine: text("machine")?.to_owned(),
            endian: match text("endian")? {
                "little" => Endian::Little,
                "big" => Endian::Big,
                _ => return Err("endian"),
            },
            bits: text("bits")?.parse().map_err(|_| "bits")?,
            x32: facts.get("x32").is_some_and(|said| said == "yes"),
            getppid,
            number_mask,
            passes: facts.get("passes.uretprobe").map(|said| Passes {
                uretprobe: said == "yes",
                uprobe: facts.get("passes.uprobe").is_some_and(|said| said == "yes"),
            }),
            native: gate("native.arch", "native.ip")?,
            i386: i386.transpose()?,
        })
    }

    /// The gate for calls with this architecture word; the agent's own for words that no call here has.
    pub(super) fn gate(&self, arch: u32) -> (Via, Gate) {
        match self.i386 {
            Some(gate) if gate.arch == arch => (Via::I386, gate),
            _ => (Via::Native, self.native),
        }
    }

    /// Whether arguments have 32 bits through a gate.
    pub(super) fn is_narrow(&self, via: Via) -> bool {
        via == Via::I386 || self.bits == 32
    }

    /// How the emulator models this kernel, or `None` when the release cannot be read.
    pub(super) fn model(&self, guest: &Guest, engine: Engine) -> Option<Machine> {
        Some(Machine {
            kernel: self.release.parse::<Kernel>().ok()?,
            endian: self.endian,
            shift: match engine {
                Engine::Interpreter => ShiftByX::Masked,
                Engine::Jit => guest.jit_shift,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> BTreeMap<String, String> {
        let facts = [
            ("release", "7.2.12+deb14-s390x"),
            ("machine", "s390x"),
            ("endian", "big"),
            ("bits", "64"),
            ("getppid", "64"),
            ("native.arch", "80000016"),
            ("native.ip", "0000000001004e60"),
            ("native.wide", "00000040"),
        ];
        facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn facts_are_read() {
        let read = Facts::read(&facts()).unwrap();
        assert_eq!((read.endian, read.x32, read.i386), (Endian::Big, false, None));
        assert_eq!(
            read.native,
            Gate {
                arch: 0x8000_0016,
                ip: 0x0100_4e60
            }
        );
        assert_eq!(read.gate(0x4000_0003), (Via::Native, read.native));
        assert_eq!(read.number_mask, 0xffff);
        let mut wide = facts();
        wide.insert("native.wide".to_owned(), "5a5a0040".to_owned());
        assert_eq!(Facts::read(&wide).unwrap().number_mask, u32::MAX);
        let guest = super::super::catalog::guest("debian-ppc64el").unwrap();
        let shift = |engine| read.model(guest, engine).unwrap().shift;
        assert_eq!(shift(Engine::Interpreter), ShiftByX::Masked);
        assert_eq!(shift(Engine::Jit), ShiftByX::SixBitZero);
    }

    #[test]
    fn facts_that_are_missing_or_nonsense_are_named() {
        for name in [
            "release",
            "endian",
            "bits",
            "native.arch",
            "native.ip",
            "native.wide",
            "getppid",
        ] {
            let mut facts = facts();
            facts.remove(name);
            assert_eq!(Facts::read(&facts), Err(name));
            if name != "release" {
                facts.insert(name.to_owned(), "zz".to_owned());
                assert_eq!(Facts::read(&facts), Err(name));
            }
        }
    }
}

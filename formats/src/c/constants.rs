//! Names that stand for numbers in C filters.

use std::collections::HashMap;

use callproof_abi::{Abi, UnknownName, constant, errno_number};

use crate::error::{Parsed, Problem};
use crate::text::{Cursor, Kind, Names, Token, expression, narrow, nearest, shown};

/// `linux/bpf_common.h`, `linux/filter.h`, `linux/seccomp.h` and bit 30 of x32 numbers.
#[rustfmt::skip] // one row a group
const WORDS: &[(&str, u32)] = &[
    ("BPF_LD", 0x00), ("BPF_LDX", 0x01), ("BPF_ST", 0x02), ("BPF_STX", 0x03),
    ("BPF_ALU", 0x04), ("BPF_JMP", 0x05), ("BPF_RET", 0x06), ("BPF_MISC", 0x07),
    ("BPF_W", 0x00), ("BPF_H", 0x08), ("BPF_B", 0x10), ("BPF_DW", 0x18),
    ("BPF_IMM", 0x00), ("BPF_ABS", 0x20), ("BPF_IND", 0x40), ("BPF_MEM", 0x60), ("BPF_LEN", 0x80), ("BPF_MSH", 0xa0),
    ("BPF_ADD", 0x00), ("BPF_SUB", 0x10), ("BPF_MUL", 0x20), ("BPF_DIV", 0x30), ("BPF_OR", 0x40), ("BPF_AND", 0x50),
    ("BPF_LSH", 0x60), ("BPF_RSH", 0x70), ("BPF_NEG", 0x80), ("BPF_MOD", 0x90), ("BPF_XOR", 0xa0),
    ("BPF_MOV", 0xb0), ("BPF_ARSH", 0xc0), ("BPF_END", 0xd0),
    ("BPF_JA", 0x00), ("BPF_JEQ", 0x10), ("BPF_JGT", 0x20), ("BPF_JGE", 0x30), ("BPF_JSET", 0x40),
    ("BPF_K", 0x00), ("BPF_X", 0x08), ("BPF_A", 0x10), ("BPF_TAX", 0x00), ("BPF_TXA", 0x80),
    ("SECCOMP_RET_KILL_PROCESS", 0x8000_0000), ("SECCOMP_RET_KILL_THREAD", 0), ("SECCOMP_RET_KILL", 0),
    ("SECCOMP_RET_TRAP", 0x0003_0000), ("SECCOMP_RET_ERRNO", 0x0005_0000), ("SECCOMP_RET_USER_NOTIF", 0x7fc0_0000),
    ("SECCOMP_RET_TRACE", 0x7ff0_0000), ("SECCOMP_RET_LOG", 0x7ffc_0000), ("SECCOMP_RET_ALLOW", 0x7fff_0000),
    ("SECCOMP_RET_ACTION", 0x7fff_0000), ("SECCOMP_RET_ACTION_FULL", 0xffff_0000), ("SECCOMP_RET_DATA", 0xffff),
    ("BPF_MEMWORDS", 16), ("SKF_AD_OFF", 0xffff_f000), ("X32_SYSCALL_BIT", 0x4000_0000),
    ("__X32_SYSCALL_BIT", 0x4000_0000),
];

/// Words that begin a type.
const TYPES: &[&str] = &[
    "struct", "const", "unsigned", "signed", "char", "short", "int", "long", "__u8", "__u16", "__u32", "__u64",
    "__s32", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int32_t", "u8", "u16", "u32", "u64", "size_t",
];

/// Prefixes of names whose value is a system-call number.
const CALLS: [&str; 2] = ["__NR_", "SYS_"];

/// The names that a C file may use.
pub(crate) struct Constants<'s> {
    abi: Option<Abi>,
    defined: HashMap<&'s str, u64>,
}

impl<'s> Constants<'s> {
    pub(crate) fn new(abi: Option<Abi>) -> Self {
        Self {
            abi,
            defined: HashMap::new(),
        }
    }

    /// Notes a `#define` of the file.
    pub(super) fn define(&mut self, name: &'s str, value: u64) {
        self.defined.insert(name, value);
    }

    fn named(&self, token: &Token<'_>) -> Parsed<u64> {
        let name = token.text;
        if let Some(value) = self.defined.get(name) {
            return Ok(*value);
        }
        if let Some((_, value)) = WORDS.iter().find(|(word, _)| *word == name) {
            return Ok(u64::from(*value));
        }
        if let Some(call) = CALLS.iter().find_map(|prefix| name.strip_prefix(prefix)) {
            return self.call(call, token);
        }
        if name.starts_with("AUDIT_ARCH_") {
            let found = Abi::from_name(name).map(|abi| u64::from(abi.audit_arch()));
            return found.map_err(|error| unknown_name(token, &error));
        }
        self.of_abi(token)
    }

    fn call(&self, call: &str, token: &Token<'_>) -> Parsed<u64> {
        let abi = self.abi.ok_or_else(|| needs_abi(token))?;
        let number = abi.number(call).map_err(|error| unknown_name(token, &error))?;
        Ok(u64::from(number))
    }

    /// Constants of the system-call interface and error names, whose values belong to an ABI.
    fn of_abi(&self, token: &Token<'_>) -> Parsed<u64> {
        let value = |abi| constant(abi, token.text).or_else(|_| errno_number(abi, token.text).map(u64::from));
        if let Some(value) = self.abi.and_then(|abi| value(abi).ok()) {
            return Ok(value);
        }
        if self.abi.is_none() && value(Abi::X86_64).is_ok() {
            return same_everywhere(value).ok_or_else(|| needs_abi(token));
        }
        let words = WORDS.iter().map(|(word, _)| *word);
        Err(token.fault(Problem::UnknownConstant {
            name: shown(token.text),
            nearest: nearest(token.text, words).map(str::to_owned),
        }))
    }
}

/// The value that a name has on every ABI.
fn same_everywhere(value: impl Fn(Abi) -> Result<u64, UnknownName>) -> Option<u64> {
    let first = value(Abi::X86_64).ok()?;
    let same = Abi::ALL.iter().all(|abi| value(*abi).is_ok_and(|other| other == first));
    same.then_some(first)
}

fn needs_abi(token: &Token<'_>) -> crate::error::Fault {
    token.fault(Problem::NeedsAbi {
        name: shown(token.text),
    })
}

fn unknown_name(token: &Token<'_>, error: &UnknownName) -> crate::error::Fault {
    token.fault(Problem::UnknownName {
        message: error.to_string(),
    })
}

impl Names for Constants<'_> {
    fn operand(&self, token: &Token<'_>, cursor: &mut Cursor<'_>) -> Parsed<u64> {
        match (token.kind, token.text) {
            (Kind::Word, "offsetof" | "__builtin_offsetof") => self.offset(cursor),
            (Kind::Word, "sizeof") => size(cursor),
            (Kind::Word, _) => self.named(token),
            _ => Err(token.unexpected("a number or a constant")),
        }
    }

    fn is_type(&self, word: &str) -> bool {
        TYPES.contains(&word)
    }
}

impl Constants<'_> {
    /// `offsetof(struct seccomp_data, FIELD)`.
    fn offset(&self, cursor: &mut Cursor<'_>) -> Parsed<u64> {
        cursor.expect("(", "`(struct seccomp_data, FIELD)`")?;
        for word in ["struct", "seccomp_data"] {
            let token = cursor.word("`struct seccomp_data`")?;
            if token.text != word {
                return Err(token.unexpected("`struct seccomp_data`"));
            }
        }
        cursor.expect(",", "`,` and a field")?;
        let field = cursor.word("a field")?;
        let offset = match field.text {
            "nr" => 0,
            "arch" => 4,
            "instruction_pointer" => 8,
            "args" => 16,
            _ => return Err(field.unexpected("`nr`, `arch`, `instruction_pointer` or `args`")),
        };
        let element = if field.text == "args" && cursor.eat("[")? {
            let at = cursor.peek()?;
            let index = narrow(expression(cursor, self)?, 5, "the index of an argument", &at)?;
            cursor.expect("]", "`]`")?;
            index.saturating_mul(8)
        } else {
            0
        };
        cursor.expect(")", "`)`")?;
        Ok(element.saturating_add(offset))
    }
}

/// `sizeof(TYPE)` of the types that filters measure.
fn size(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    cursor.expect("(", "`(` and a type")?;
    let token = cursor.word("a type")?;
    let bytes = match token.text {
        "__u32" | "__s32" | "uint32_t" | "int32_t" | "u32" | "int" => 4,
        "__u64" | "uint64_t" | "u64" => 8,
        _ => return Err(token.unexpected("a type such as `__u32`")),
    };
    cursor.expect(")", "`)`")?;
    Ok(bytes)
}

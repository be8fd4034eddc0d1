//! `prototypes.rs`: what each call reads from its registers, equal prototypes written once.
//!
//! Where a 32-bit kernel takes a 64-bit argument, the C calling convention spreads it over two registers; this is
//! where that happens, so that arguments here are registers as a filter sees them.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::abis::{ABIS, AbiTable, Layout};
use super::super::tsv::{self, field};
use super::calls::{Call, unimplemented};
use super::rust::{HEADER, array};

/// Registers that a filter sees.
const REGISTERS: usize = 6;

/// Every prototype once, and for every call of every ABI the place of its prototype plus one.
pub(super) struct Prototypes {
    pub(super) file: String,
    pub(super) places: Vec<Vec<usize>>,
}

/// Resolves every call's entry point.
pub(super) fn generate(data: &Path, all: &[Vec<Call>]) -> Result<Prototypes, String> {
    let by_hand = read(&data.join("signatures-by-hand.tsv"))?;
    let extracted = read(&data.join("signatures.tsv"))?;
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    let mut places = Vec::new();
    for (abi, calls) in ABIS.iter().zip(all) {
        let mut row = Vec::new();
        for call in calls {
            if unimplemented(&call.entry) {
                row.push(0);
                continue;
            }
            let find = |table: &Signatures, scope: &str| table.get(&[scope.to_owned(), call.entry.clone()]).cloned();
            let declared = find(&by_hand, abi.name)
                .or_else(|| find(&by_hand, abi.arch))
                .or_else(|| find(&extracted, abi.arch))
                .or_else(|| find(&by_hand, "*"))
                .or_else(|| find(&extracted, "*"))
                .ok_or_else(|| format!("{} {}: no signature of {}", abi.name, call.name, call.entry))?;
            let text = prototype(abi, &declared)?;
            let place = *known.entry(text.clone()).or_insert_with(|| {
                order.push(text);
                order.len()
            });
            row.push(place);
        }
        places.push(row);
    }
    let uses = "use crate::Prototype as P;\nuse crate::prototype::Reads::{I, Long, Pointer, Pointer32, U, ULong};\nuse crate::prototype::arg as a;\n\n";
    let file = format!("{HEADER}{uses}{}", array("PROTOTYPES", "P", order.into_iter()));
    Ok(Prototypes { file, places })
}

/// Scope and entry point to arguments, each `name:type`.
type Signatures = BTreeMap<[String; 2], Vec<String>>;

fn read(path: &Path) -> Result<Signatures, String> {
    let row = |row: Vec<String>| {
        let key = [field(&row, 0)?.to_owned(), field(&row, 1)?.to_owned()];
        Ok((key, row.into_iter().skip(2).collect()))
    };
    tsv::read(path)?.into_iter().map(row).collect()
}

/// The Rust text of one prototype on one ABI.
fn prototype(abi: &AbiTable, declared: &[String]) -> Result<String, String> {
    let mut registers: Vec<String> = Vec::new();
    for arg in declared {
        let (name, kind) = arg.split_once(':').ok_or_else(|| format!("no type in `{arg}`"))?;
        let reads = reads(abi, kind).ok_or_else(|| format!("{}: unknown type in `{arg}`", abi.name))?;
        match reads {
            Reads::Register(reads) => registers.push(format!("a({name:?}, {kind:?}, {reads})")),
            Reads::Halves => registers.extend(halves(name, abi.layout)),
            Reads::Pair => {
                if abi.layout.even_pairs && registers.len() % 2 == 1 {
                    registers.push("a(\"unused\", \"\", U(0))".to_owned());
                }
                registers.extend(halves(name, abi.layout));
            }
        }
    }
    registers.truncate(REGISTERS);
    Ok(format!("P {{ args: &[{}] }}", registers.join(", ")))
}

/// Two registers of a 64-bit argument, in the order of the ABI.
fn halves(name: &str, layout: Layout) -> [String; 2] {
    let low = format!("a(\"{name}_lo\", \"u32\", U(32))");
    let high = format!("a(\"{name}_hi\", \"u32\", U(32))");
    if layout.big_endian { [high, low] } else { [low, high] }
}

/// How one C argument meets registers.
enum Reads {
    /// One register, as a value of `callproof_abi`'s `Reads`.
    Register(&'static str),
    /// Two registers because the entry point says so.
    Halves,
    /// 64 bits on a 32-bit ABI: two registers by the calling convention.
    Pair,
}

/// What the kernel reads for a C type; widths are those of the kernel's own typedefs.
fn reads(abi: &AbiTable, kind: &str) -> Option<Reads> {
    let wide = |one: &'static str| {
        if abi.layout.long == 64 {
            Reads::Register(one)
        } else {
            Reads::Pair
        }
    };
    let plain = kind.strip_prefix("const ").unwrap_or(kind);
    if kind.contains('*') {
        return Some(Reads::Register("Pointer"));
    }
    let one = match plain {
        "split64" => return Some(Reads::Halves),
        "loff_t" => return Some(wide("I(64)")),
        "u64" | "__u64" | "unsigned long long" => return Some(wide("U(64)")),
        "int" | "pid_t" | "clockid_t" | "timer_t" | "mqd_t" | "key_t" | "key_serial_t" | "rwf_t" | "s32" | "__s32"
        | "compat_long_t" | "compat_off_t" | "compat_pid_t" | "compat_ssize_t" => "I(32)",
        "unsigned int"
        | "unsigned"
        | "uint"
        | "u32"
        | "__u32"
        | "uid_t"
        | "gid_t"
        | "qid_t"
        | "compat_size_t"
        | "compat_ulong_t"
        | "compat_aio_context_t"
        | "enum landlock_rule_type" => "U(32)",
        "compat_mode_t" if matches!(abi.arch, "x86" | "arm64" | "parisc" | "sparc") => "U(16)",
        "compat_mode_t" => "U(32)",
        "umode_t" | "old_uid_t" | "old_gid_t" => "U(16)",
        "long" | "off_t" => "Long",
        "unsigned long" | "size_t" | "aio_context_t" | "old_sigset_t" | "uintptr_t" | "utrap_entry_t" => "ULong",
        "compat_uptr_t" => "Pointer32",
        "cap_user_header_t" | "cap_user_data_t" | "__sighandler_t" | "utrap_handler_t" => "Pointer",
        _ => return None,
    };
    Some(Reads::Register(one))
}

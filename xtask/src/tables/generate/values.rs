//! `constants.rs`, `errnos.rs`, `signals.rs`: names with a value that may differ between ABIs.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::abis::ABIS;
use super::super::tsv::{self, field};
use super::rust::{HEADER, array};

/// One row of `constants.tsv`, as Rust: the common value and the ABIs that differ, as bits.
struct Named {
    name: String,
    value: String,
    differences: String,
}

/// The three files.
pub(super) fn generate(data: &Path) -> Result<[(&'static str, String); 3], String> {
    let mut constants = Vec::new();
    let mut errnos = Vec::new();
    let mut signals = Vec::new();
    for row in tsv::read(&data.join("constants.tsv"))? {
        let name = field(&row, 0)?;
        let into = if is_errno(name) {
            &mut errnos
        } else if is_signal(name) {
            &mut signals
        } else {
            &mut constants
        };
        into.push(named(&row)?);
    }
    let texts = [constants, errnos, signals].map(|all| table(&all));
    let names = ["constants.rs", "errnos.rs", "signals.rs"];
    let mut texts = texts.into_iter();
    Ok(names.map(|name| (name, texts.next().unwrap_or_default())))
}

/// `EPERM`, but not `ETH_P_IP`, `EPOLLIN`, `ECHOCTL` or a register's name.
fn is_errno(name: &str) -> bool {
    let others = ["EPOLL", "EPIOC", "EXT", "ECHO", "EFL"]
        .iter()
        .any(|other| name.starts_with(other));
    let registers = ["EAX", "EBX", "ECX", "EDX", "EBP", "EDI", "ESI", "ESP", "EIP"].contains(&name);
    name.starts_with('E') && !name.contains('_') && !others && !registers
}

/// `SIGSYS`, but not `SIG_BLOCK`, `SIGEV_NONE` or `SIGSTKSZ`.
fn is_signal(name: &str) -> bool {
    name.starts_with("SIG") && !name.contains('_') && name != "SIGSTKSZ"
}

fn named(row: &[String]) -> Result<Named, String> {
    let mut differences = Vec::new();
    for group in row.iter().skip(2) {
        let (abis, value) = group.split_once('=').ok_or_else(|| format!("no `=` in `{group}`"))?;
        let bits = abis
            .split(',')
            .try_fold(0_u64, |bits, abi| Some(bits | 1 << place(abi)?));
        let bits = bits.ok_or_else(|| format!("unknown ABI in `{group}`"))?;
        differences.push(format!("({bits:#x}, {})", option(value)));
    }
    Ok(Named {
        name: field(row, 0)?.to_owned(),
        value: option(field(row, 1)?),
        differences: differences.join(", "),
    })
}

/// `S(value)`, or `X` for a dash: how the generated files spell `Some` and `None`.
fn option(value: &str) -> String {
    if value == "-" {
        "X".to_owned()
    } else {
        format!("S({value})")
    }
}

fn place(abi: &str) -> Option<usize> {
    ABIS.iter().position(|row| row.name == abi)
}

/// Names in order, and each list of differences once.
fn table(all: &[Named]) -> String {
    let mut lists: BTreeMap<&str, usize> = BTreeMap::new();
    let mut order = vec![""];
    lists.insert("", 0);
    for named in all {
        lists.entry(&named.differences).or_insert_with(|| {
            order.push(&named.differences);
            order.len() - 1
        });
    }
    let place = |named: &Named| lists.get(named.differences.as_str()).copied().unwrap_or_default();
    let mut sorted: Vec<&Named> = all.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let names = sorted
        .into_iter()
        .map(|named| format!("N({:?}, {}, {})", named.name, named.value, place(named)));
    let names = array("NAMES", "N", names);
    let lists = order.into_iter().map(|list| format!("&[{list}]"));
    let differences = array("DIFFERENCES", "&[(u64, Option<u64>)]", lists);
    let uses = "use core::option::Option::{None as X, Some as S};\n\nuse crate::named::Named as N;\n\n";
    format!("{HEADER}{uses}{names}\n{differences}")
}

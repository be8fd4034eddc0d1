//! `names.rs` and `calls/ABI.rs`: the numbers, sorted, pointing into one sorted list of names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::abis::ABIS;
use super::super::tsv::{self, field};
use super::rust::{HEADER, array, quoted, upper};

/// One row of `syscalls/ABI.tsv`.
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) entry: String,
}

/// The calls of one ABI, ascending.
pub(crate) fn read(data: &Path, abi: &str) -> Result<Vec<Call>, String> {
    let path = data.join(format!("syscalls/{abi}.tsv"));
    let mut calls = Vec::new();
    for row in tsv::read(&path)? {
        let number = field(&row, 0)?
            .parse()
            .map_err(|_| format!("{abi}: bad number in `{}`", row.join(" ")))?;
        calls.push(Call {
            number,
            name: field(&row, 1)?.to_owned(),
            entry: field(&row, 2)?.to_owned(),
        });
    }
    let ascending = calls
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.number < b.number));
    if ascending {
        Ok(calls)
    } else {
        Err(format!("{abi}: numbers are not ascending"))
    }
}

/// Whether an entry point only says that there is no such call.
pub(crate) fn unimplemented(entry: &str) -> bool {
    matches!(
        entry,
        "sys_ni_syscall" | "sys_nis_syscall" | "-" | "sys32_unimplemented"
    )
}

/// All names of calls, sorted, each once.
pub(super) fn names(all: &[Vec<Call>]) -> Vec<String> {
    let set: BTreeSet<&String> = all.iter().flatten().map(|call| &call.name).collect();
    set.into_iter().cloned().collect()
}

/// The calls of all ABIs, in the order of `ABIS`.
pub(super) fn read_all(data: &Path) -> Result<Vec<Vec<Call>>, String> {
    ABIS.iter().map(|abi| read(data, abi.name)).collect()
}

/// One file an ABI; `prototypes` has the index to write for every call.
pub(super) fn tables(all: &[Vec<Call>], names: &[String], prototypes: &[Vec<usize>]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for ((abi, calls), prototypes) in ABIS.iter().zip(all).zip(prototypes) {
        let rows = calls.iter().zip(prototypes).map(|(call, prototype)| {
            let name = names.binary_search(&call.name).unwrap_or(names.len());
            format!("Row({}, {name}, {prototype})", call.number)
        });
        let text = format!("{HEADER}use crate::syscall::Row;\n\n{}", array("CALLS", "Row", rows));
        files.push((PathBuf::from(format!("calls/{}.rs", abi.name)), text));
    }
    files.push((PathBuf::from("calls/mod.rs"), dispatch()));
    files
}

/// The function from an ABI to its table.
fn dispatch() -> String {
    let mut text = format!("{HEADER}use crate::Abi;\nuse crate::syscall::Row;\n\n");
    for abi in ABIS {
        text.push_str(&format!("mod {};\n", abi.name));
    }
    text.push_str("\npub(crate) fn calls(abi: Abi) -> &'static [Row] {\n    match abi {\n");
    for abi in ABIS {
        text.push_str(&format!("        Abi::{} => {}::CALLS,\n", variant(abi.name), abi.name));
    }
    text.push_str("    }\n}\n");
    text
}

/// `mipsn32` as a variant's name, `MipsN32`.
pub(super) fn variant(abi: &str) -> String {
    let name = abi.replace("n32", "N32");
    let mut characters = name.chars();
    characters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(characters)
        .collect()
}

/// The release of each name; what stands in the file written by hand goes first.
pub(super) fn since(data: &Path) -> Result<BTreeMap<String, (u8, u8)>, String> {
    let mut all = BTreeMap::new();
    for file in ["since.tsv", "since-by-hand.tsv"] {
        for row in tsv::read(&data.join(file))? {
            let (name, release) = (field(&row, 0)?, field(&row, 1)?);
            let parts: Vec<u8> = release.split('.').filter_map(|part| part.parse().ok()).collect();
            let &[major, minor] = parts.as_slice() else {
                return Err(format!("{file}: bad release of {name}"));
            };
            all.insert(name.to_owned(), (major, minor));
        }
    }
    Ok(all)
}

/// `names.rs`: names and releases.
pub(super) fn names_file(names: &[String], since: impl Fn(&str) -> Option<(u8, u8)>) -> String {
    let releases = names
        .iter()
        .map(|name| since(name).map_or("(0, 0)".to_owned(), |(x, y)| format!("({x}, {y})")));
    let names = array(&upper("names"), "&str", names.iter().map(|name| quoted(name)));
    format!("{HEADER}\n{names}\n{}", array("SINCE", "(u8, u8)", releases))
}

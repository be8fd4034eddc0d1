//! `syscalls/ABI.tsv`: number, name and entry point of every call of an ABI.

use std::path::Path;

use super::super::abis::{ABIS, AbiTable};
use super::super::tsv;
use super::Source;

/// The kernel's arm private calls (`__ARM_NR_*` in its uapi `unistd.h`), which no table lists.
const ARM_PRIVATE: &[(u32, &str)] = &[
    (0x0f_0001, "breakpoint"),
    (0x0f_0002, "cacheflush"),
    (0x0f_0003, "usr26"),
    (0x0f_0004, "usr32"),
    (0x0f_0005, "set_tls"),
    (0x0f_0006, "get_tls"),
];

/// 31-bit s390 left with this number in Linux 6.19; numbers after 462 are those of s390x.
const S390_LAST: u32 = 469;

/// Writes the tables of all ABIs.
pub(super) fn fetch(current: &Source, s390: &Source, data: &Path) -> Result<(), String> {
    for abi in ABIS {
        let mut source = current.provenance.clone();
        let mut calls = match abi.name {
            "s390" => {
                source = format!("{}; numbers from 463 to 469: {}", s390.provenance, current.provenance);
                s390_calls(abi, current, s390)?
            }
            _ => table_calls(abi, current, 3)?,
        };
        if abi.arch == "arm" {
            calls.extend(
                ARM_PRIVATE
                    .iter()
                    .map(|(number, name)| Call::new(*number, name, &format!("arm_{name}"))),
            );
            source.push_str(" (private calls: arch/arm/include/uapi/asm/unistd.h)");
        }
        calls.sort_by_key(|call| call.number);
        let header = [
            format!("source: {source}"),
            format!("table: {} [{}]", abi.table, abi.tags.join(" ")),
            "number name entry".to_owned(),
        ];
        let rows: Vec<Vec<String>> = calls.into_iter().map(Call::row).collect();
        tsv::write(&data.join(format!("syscalls/{}.tsv", abi.name)), &header, &rows)?;
    }
    Ok(())
}

struct Call {
    number: u32,
    name: String,
    entry: String,
}

impl Call {
    fn new(number: u32, name: &str, entry: &str) -> Self {
        Self {
            number,
            name: name.to_owned(),
            entry: entry.to_owned(),
        }
    }

    fn row(self) -> Vec<String> {
        vec![self.number.to_string(), self.name, self.entry]
    }
}

/// 31-bit callers had a column of their own; later common calls carry the numbers of s390x.
fn s390_calls(abi: &AbiTable, current: &Source, s390: &Source) -> Result<Vec<Call>, String> {
    let mut calls = table_calls(abi, s390, 4)?;
    let last = calls.iter().map(|call| call.number).max().unwrap_or(0);
    let newer = table_calls(abi, current, 3)?;
    calls.extend(
        newer
            .into_iter()
            .filter(|call| call.number > last && call.number <= S390_LAST),
    );
    Ok(calls)
}

/// The rows of the ABI's tags; `entry` is the column of the entry point.
fn table_calls(abi: &AbiTable, source: &Source, entry: usize) -> Result<Vec<Call>, String> {
    let text = source.read(abi.table)?;
    let mut calls = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[number, tag, name, ..] = fields.as_slice() else {
            return Err(format!("{}: too few columns in `{line}`", abi.table));
        };
        if !abi.tags.contains(&tag) {
            continue;
        }
        let number: u32 = number
            .parse()
            .map_err(|_| format!("{}: bad number in `{line}`", abi.table))?;
        let entry = fields.get(entry).or(fields.get(3)).copied().unwrap_or("sys_ni_syscall");
        calls.push(Call::new(abi.base + number, name, entry));
    }
    Ok(calls)
}

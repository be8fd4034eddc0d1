//! `signatures.tsv`: what every entry point declares, as `SCOPE ENTRY name:type ...`.
//!
//! SCOPE is an architecture folder of the kernel, or `*` for an entry point that all share. Entry points written in
//! assembly, or declared more than once, stand in `signatures-by-hand.tsv` instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::abis::ABIS;
use super::super::generate::calls;
use super::super::{files_below, tsv};
use super::Source;
use super::c;

/// Where calls shared by all architectures are defined.
const SHARED: &[&str] = &[
    "kernel",
    "fs",
    "mm",
    "ipc",
    "net",
    "security",
    "io_uring",
    "block",
    "drivers/pci",
    "drivers/char",
    "init",
    "include/linux/syscalls.h",
    "include/linux/compat.h",
    "include/asm-generic/syscalls.h",
];

/// The macros that define an entry point and the prefix of the name that they make.
const MACROS: &[(&str, &str)] = &[
    ("COMPAT_SYSCALL_DEFINE", "compat_sys_"),
    ("PPC32_SYSCALL_DEFINE", "sys_"),
    ("SYSCALL32_DEFINE", "sys_"),
    ("SYSCALL_DEFINE", "sys_"),
];

/// One definition or declaration: the arguments as `name:type`.
type Signature = Vec<String>;

/// Writes the signatures of all entry points that the tables name; fails when one has none or several.
pub(super) fn fetch(current: &Source, s390: &Source, data: &Path) -> Result<(), String> {
    let by_hand = by_hand(data)?;
    let mut new = Kernel::read(current)?;
    let mut old = Kernel::read(s390)?;
    let mut found: BTreeMap<[String; 2], Signature> = BTreeMap::new();
    let mut troubles = BTreeSet::new();
    for abi in ABIS {
        for call in calls::read(data, abi.name)? {
            let entry = call.entry.as_str();
            let known = |scope: &str| by_hand.contains(&[scope.to_owned(), entry.to_owned()]);
            if calls::unimplemented(entry) || known(abi.arch) || known("*") {
                continue;
            }
            let from_old = if abi.name == "s390" {
                old.find(abi.arch, entry)?
            } else {
                None
            };
            let (scope, all) = from_old
                .or(new.find(abi.arch, entry)?)
                .unwrap_or((abi.arch, Vec::new()));
            if let [one] = all.as_slice() {
                found.insert([scope.to_owned(), entry.to_owned()], one.clone());
            } else {
                troubles.insert(format!("{scope} {entry}: {} definitions: {all:?}", all.len()));
            }
        }
    }
    if !troubles.is_empty() {
        let list: Vec<String> = troubles.into_iter().collect();
        return Err(format!("write these into signatures-by-hand.tsv:\n{}", list.join("\n")));
    }
    let header = [
        format!("source: {}; {} for 31-bit s390", current.provenance, s390.provenance),
        "declared argument names and types of system-call entry points".to_owned(),
        "scope entry name:type ...".to_owned(),
    ];
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|(key, args)| [key.to_vec(), args].concat())
        .collect();
    tsv::write(&data.join("signatures.tsv"), &header, &rows)
}

/// The definitions of one kernel, architectures read when first asked for.
struct Kernel<'a> {
    source: &'a Source,
    shared: Definitions,
    arches: BTreeMap<&'static str, Definitions>,
}

impl<'a> Kernel<'a> {
    fn read(source: &'a Source) -> Result<Self, String> {
        Ok(Self {
            source,
            shared: Definitions::read(source, SHARED)?,
            arches: BTreeMap::new(),
        })
    }

    /// The signatures of an entry point and the scope that they are valid in.
    fn find(&mut self, arch: &'static str, entry: &str) -> Result<Option<(&'static str, Vec<Signature>)>, String> {
        if !self.arches.contains_key(arch) {
            self.arches
                .insert(arch, Definitions::read(self.source, &[&format!("arch/{arch}")])?);
        }
        let own = self.arches.get(arch).and_then(|own| own.of(entry));
        Ok(own
            .map(|all| (arch, all))
            .or_else(|| Some(("*", self.shared.of(entry)?))))
    }
}

fn by_hand(data: &Path) -> Result<BTreeSet<[String; 2]>, String> {
    let rows = tsv::read(&data.join("signatures-by-hand.tsv"))?;
    rows.iter()
        .map(|row| Ok([tsv::field(row, 0)?.to_owned(), tsv::field(row, 1)?.to_owned()]))
        .collect()
}

/// Every entry point defined below some folders.
struct Definitions {
    /// By the macros that exist for this; by name.
    macros: BTreeMap<String, BTreeSet<Signature>>,
    /// Of ordinary functions whose name speaks of a system call; by name.
    functions: BTreeMap<String, BTreeSet<Signature>>,
}

impl Definitions {
    fn read(source: &Source, places: &[&str]) -> Result<Self, String> {
        let mut all = Self {
            macros: BTreeMap::new(),
            functions: BTreeMap::new(),
        };
        for place in places {
            let top = source.top.join(place);
            let files = if top.is_dir() { files_below(&top)? } else { vec![top] };
            for file in files
                .iter()
                .filter(|file| file.extension().is_some_and(|end| end == "c" || end == "h"))
            {
                all.scan(&c::strip_comments(&super::read_file(file)?));
            }
        }
        Ok(all)
    }

    /// The signatures of an entry point, each once; `None` when there is none.
    fn of(&self, entry: &str) -> Option<Vec<Signature>> {
        let base = entry.strip_suffix("_wrapper").unwrap_or(entry);
        let names = [entry, base];
        let found = names
            .iter()
            .find_map(|name| self.macros.get(*name).or_else(|| self.functions.get(*name)));
        found.map(|set| set.iter().cloned().collect())
    }

    fn scan(&mut self, text: &str) {
        for (macro_name, prefix) in MACROS {
            for (at, _) in text.match_indices(macro_name) {
                let Some((name, args)) = macro_use(text, at, macro_name.len()) else {
                    continue;
                };
                self.macros.entry(format!("{prefix}{name}")).or_default().insert(args);
            }
        }
        for (at, _) in text
            .match_indices("sys")
            .chain(text.match_indices("parisc_"))
            .chain(text.match_indices("xtensa_"))
        {
            let Some((name, args)) = function(text, at) else {
                continue;
            };
            self.functions.entry(name).or_default().insert(args);
        }
    }
}

/// `_DEFINE3(name, type, arg, ...)` at `at`, unless it is part of a longer word.
fn macro_use(text: &str, at: usize, len: usize) -> Option<(String, Signature)> {
    let before = text.get(..at)?.chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') || c::in_directive(text, at) {
        return None;
    }
    let rest = text.get(at + len..)?;
    let (digit, rest) = rest.split_at_checked(1)?;
    digit.parse::<u8>().ok()?;
    let inner = c::parenthesised(rest.trim_start())?;
    let parts = c::split_args(inner);
    let (name, parts) = parts.split_first()?;
    Some((name.clone(), c::pairs(parts)))
}

/// A function `name(type arg, ...)` whose name has `at` in it, defined or declared.
fn function(text: &str, at: usize) -> Option<(String, Signature)> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let start = text.get(..at)?.rfind(|c| !word(c)).map_or(0, |before| before + 1);
    let rest = text.get(start..)?;
    let end = rest.find(|c| !word(c))?;
    let (name, rest) = rest.split_at_checked(end)?;
    let inner = c::parenthesised(rest.trim_start())?;
    let after = rest.get(rest.find(inner)? + inner.len() + 1..)?.trim_start();
    let before = text.get(..start)?.trim_end();
    let returns =
        before.ends_with("long") || before.ends_with("int") || before.ends_with("ssize_t") || before.ends_with("void");
    let declared = (after.starts_with('{') || after.starts_with(';')) && returns;
    if !declared || c::in_directive(text, at) {
        return None;
    }
    let args: Option<Signature> = c::split_args(inner)
        .iter()
        .filter(|arg| *arg != "void")
        .map(|arg| c::parameter(arg))
        .collect();
    args.map(|args| (name.to_owned(), args))
}

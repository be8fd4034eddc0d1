//! All decisions of a chain as text, to be kept beside it and compared.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use callproof_abi::{Abi, X32_BIT};
use callproof_formats::disasm::action_text;
use callproof_verifier::{Arches, Condition, Decision, Register, Session, Undecided, View, Width};

use super::result::{CaseResult, Outcome};
use crate::error::Error;
use crate::source;

/// Lines of a difference that are shown.
const SHOWN: usize = 8;

/// Compares the decisions with a file, or writes it.
pub(super) fn check(session: &mut Session<'_>, abis: &[Abi], path: &Path, bless: bool) -> Result<CaseResult, Error> {
    let now = match text(session, abis) {
        Ok(Some(now)) => now,
        Ok(None) => {
            let reason = "some decisions relate registers to one another, which a snapshot cannot say";
            return Ok(CaseResult::new(Outcome::Undecided, reason));
        }
        Err(undecided) => return Ok(CaseResult::new(Outcome::Undecided, undecided.to_string())),
    };
    if bless {
        let same = source::read(path).is_ok_and(|before| before == now.as_bytes());
        if !same {
            std::fs::write(path, &now).map_err(|error| Error::io("write", path, &error))?;
        }
        let reason = if same { "nothing has changed" } else { "written" };
        return Ok(CaseResult::new(Outcome::Passed, reason));
    }
    if !path.exists() {
        let reason = format!("there is no `{}` yet; write it with `--bless`", path.display());
        return Ok(CaseResult::new(Outcome::Failed, reason));
    }
    let before = String::from_utf8_lossy(&source::read(path)?).into_owned();
    if before == now {
        return Ok(CaseResult::new(
            Outcome::Passed,
            "all decisions are those of the snapshot",
        ));
    }
    let reason = format!(
        "decisions have changed; look at them and write them with `--bless`\n{}",
        difference(&before, &now)
    );
    Ok(CaseResult::new(Outcome::Failed, reason))
}

/// The lines that only one of the two has.
fn difference(before: &str, now: &str) -> String {
    let only = |mark: char, of: &str, other: &str| -> Vec<String> {
        let other: BTreeSet<&str> = other.lines().collect();
        let new = of.lines().filter(|line| !other.contains(line));
        new.map(|line| format!("{mark} {line}")).collect()
    };
    let lines = [only('-', before, now), only('+', now, before)].concat();
    let more = lines.len().saturating_sub(SHOWN * 2);
    let mut text = lines.into_iter().take(SHOWN * 2).collect::<Vec<_>>().join("\n");
    if more > 0 {
        let _ = write!(text, "\n... and {more} more");
    }
    text
}

/// Every decision, a line each; `None` when one of them cannot be told in full.
fn text(session: &mut Session<'_>, abis: &[Abi]) -> Result<Option<String>, Undecided> {
    let function = session.function(View::Value)?;
    let mut arches: Vec<u32> = abis.iter().map(|abi| abi.audit_arch()).collect();
    arches.sort_unstable();
    arches.dedup();
    let space = session.space();
    let mut rows: Vec<(Row, String)> = Vec::new();
    for region in space.regions(&function, &arches)? {
        let decision = space.decision(&region)?;
        let arch = match &region.arches {
            Arches::One(arch) => Some(*arch),
            Arches::Others(_) => None,
        };
        let Some(told) = told(&decision, arch) else {
            return Ok(None);
        };
        match &region.arches {
            Arches::One(arch) => rows.extend(calls(*arch, &region.numbers).map(|row| (row, told.clone()))),
            Arches::Others(words) => {
                let words = ranges(
                    &words
                        .iter()
                        .map(|(a, b)| ((*a).into(), (*b).into()))
                        .collect::<Vec<_>>(),
                );
                for (from, to) in &region.numbers {
                    let name = format!("{OTHER} arch {words} {}", range((*from).into(), (*to).into()));
                    rows.push(((u32::MAX, *from, name), told.clone()));
                }
            }
        }
    }
    // ABIs with one `arch` word have numbers of their own, in one run each but for -1.
    rows.sort_by(|(a, _), (b, _)| (a.0, group(a), a.1).cmp(&(b.0, group(b), b.1)));
    let mut text = String::from(HEAD);
    for of_abi in rows.chunk_by(|(a, _), (b, _)| group(a) == group(b)) {
        write_group(&mut text, of_abi);
    }
    Ok(Some(text))
}

const HEAD: &str = "# Every decision of the filter, as `callproof test --bless` writes it: first what most calls of an ABI\n\
                    # get, then all others.\n";

/// What rows belong to: an ABI, or all that is no ABI of interest.
fn group(row: &Row) -> &str {
    row.2.split(' ').next().unwrap_or_default()
}

/// One line for the decision that most rows have, and one for each row with another.
fn write_group(text: &mut String, rows: &[(Row, String)]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, told) in rows {
        *counts.entry(told).or_default() += 1;
    }
    let usual = counts.iter().max_by_key(|(_, count)| **count).map(|(told, _)| *told);
    let abi = rows.first().map_or("", |(row, _)| group(row));
    if let (Some(usual), true) = (usual, abi != OTHER) {
        let _ = writeln!(text, "{abi}: {usual}");
    }
    for ((_, _, name), told) in rows {
        if Some(told.as_str()) != usual || abi == OTHER {
            let _ = writeln!(text, "{name}: {told}");
        }
    }
}

/// The first word of rows that are of no ABI of interest.
const OTHER: &str = "other";

/// Where a line goes (arch word, number), and how it begins.
type Row = (u32, u32, String);

/// The calls of an `arch` word with these numbers, and the numbers between them.
fn calls(arch: u32, numbers: &[(u32, u32)]) -> impl Iterator<Item = Row> {
    let abis = Abi::ALL.iter().filter(|abi| abi.audit_arch() == arch);
    let mut known: Vec<_> = abis.flat_map(|abi| abi.syscalls()).collect();
    known.sort_by_key(|call| call.number);
    let name = |number| Abi::from_call(arch, number).map_or("unknown", Abi::name);
    let mut rows = Vec::new();
    let parts = numbers.iter().flat_map(|(from, to)| by_abi(arch, *from, *to));
    for (from, to) in parts {
        let mut next = Some(from);
        let between = |rows: &mut Vec<Row>, from: u32, to: u32| {
            rows.push((arch, from, format!("{} {}", name(from), range(from.into(), to.into()))));
        };
        for call in known.iter().filter(|call| (from..=to).contains(&call.number)) {
            if let Some(start) = next.filter(|start| *start < call.number) {
                between(&mut rows, start, call.number.saturating_sub(1));
            }
            rows.push((arch, call.number, format!("{} {}", call.abi, call.name)));
            next = call.number.checked_add(1);
        }
        if let Some(start) = next.filter(|start| *start <= to) {
            between(&mut rows, start, to);
        }
    }
    rows.into_iter()
}

/// A range of numbers, cut where another ABI begins.
fn by_abi(arch: u32, from: u32, to: u32) -> Vec<(u32, u32)> {
    /// Where bit 30 changes, and -1: see [`Abi::from_call`].
    const BOUNDS: [u32; 4] = [X32_BIT, X32_BIT * 2, X32_BIT * 3, u32::MAX];
    let differ = |bound: &u32| Abi::from_call(arch, *bound) != Abi::from_call(arch, bound.saturating_sub(1));
    let (mut parts, mut start) = (Vec::new(), from);
    for bound in BOUNDS.into_iter().filter(differ) {
        if start < bound && bound <= to {
            parts.push((start, bound.saturating_sub(1)));
            start = bound;
        }
    }
    parts.push((start, to));
    parts
}

/// A decision on one line; `None` when it does not say everything.
fn told(decision: &Decision, arch: Option<u32>) -> Option<String> {
    match decision {
        Decision::Value(value) => Some(action_text(*value, arch)),
        Decision::Opaque(_) => None,
        Decision::Split { register, width, cases } => {
            let cases: Option<Vec<String>> = cases
                .iter()
                .map(|(when, then)| Some(format!("{}: {}", condition(when), told(then, arch)?)))
                .collect();
            Some(format!("{} {{ {} }}", name(*register, *width), cases?.join("; ")))
        }
    }
}

fn name(register: Register, width: Width) -> String {
    let name = match register {
        Register::Arch => "arch".to_owned(),
        Register::Number => "nr".to_owned(),
        Register::InstructionPointer => "ip".to_owned(),
        Register::Argument(index) => format!("args[{index}]"),
    };
    match (register, width) {
        (Register::Arch | Register::Number, _) | (_, Width::Full) => name,
        (_, Width::Low) => format!("lo({name})"),
        (_, Width::High) => format!("hi({name})"),
    }
}

fn condition(condition: &Condition) -> String {
    let masks = |list: &[(u64, u64)]| {
        let one = |(mask, value): &(u64, u64)| format!("& {mask:#x} == {value:#x}");
        list.iter().map(one).collect::<Vec<_>>().join(" | ")
    };
    match condition {
        Condition::In(list) => ranges(list),
        Condition::NotIn(list) => format!("!({})", ranges(list)),
        Condition::Masked(list) => masks(list),
        Condition::NotMasked(list) => format!("!({})", masks(list)),
        Condition::Otherwise => "otherwise".to_owned(),
    }
}

fn ranges(list: &[(u64, u64)]) -> String {
    list.iter()
        .map(|(from, to)| range(*from, *to))
        .collect::<Vec<_>>()
        .join(" | ")
}

fn range(from: u64, to: u64) -> String {
    if from == to {
        format!("{from:#x}")
    } else {
        format!("{from:#x}..={to:#x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_another_abi_begins() {
        let x86 = Abi::X86_64.audit_arch();
        let all = [
            (0, 0x3fff_ffff),
            (0x4000_0000, 0x7fff_ffff),
            (0x8000_0000, 0xbfff_ffff),
            (0xc000_0000, 0xffff_fffe),
            (0xffff_ffff, 0xffff_ffff),
        ];
        assert_eq!(by_abi(x86, 0, u32::MAX), all);
        assert_eq!(by_abi(x86, 5, 6), [(5, 6)]);
        assert_eq!(
            by_abi(x86, 0x4000_0000, 0x8000_0000),
            [all[1], (0x8000_0000, 0x8000_0000)]
        );
        assert_eq!(by_abi(Abi::I386.audit_arch(), 0, u32::MAX), [(0, u32::MAX)]);
    }

    #[test]
    fn differences_are_the_lines_of_one_side() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), "- a\n+ c");
        let many: String = (0..40).map(|n| format!("{n}\n")).collect();
        assert!(difference(&many, "").ends_with("... and 24 more"));
    }
}

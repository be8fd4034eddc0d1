//! Pseudo filter code, as `seccomp_export_pfc` of libseccomp lays it out.

use core::fmt::Write as _;
use core::ops::RangeInclusive;

use callproof_abi::Abi;
use callproof_policy::{Cell, Compare, WordTest};
use callproof_vm::{Action, Endian, Kernel};

use super::Refused;
use super::alternatives::{Alternatives, Unsayable, alternatives};
use super::flat::{Call, Flat, FlatCell};
use super::one_abi::{answer, settled};

/// Numbers that libseccomp takes for x32, and answers as other ABIs where that is not in the filter.
const GUARDED: RangeInclusive<u32> = 0x8000_0000..=0xbfff_ffff;
/// How many tests one action may be behind; the reader stops at 64, with the ABI and the call.
const DEEPEST: usize = 60;

/// Writes sections for the ABIs, and the action for all others.
pub(super) fn write(flat: &Flat<'_>, only: &[Abi], refused: &mut Refused) -> String {
    flat.check_answers(
        "pseudo filter code",
        &Action::ALL,
        &[Action::Errno, Action::Trace],
        refused,
    );
    let unknown = flat.cells.iter().find(|cell| cell.cell == Cell::Unknown);
    let Some(elsewhere) = unknown.and_then(FlatCell::uniform) else {
        let message = "calls of unknown ABIs get different answers";
        refused.push(message, "pseudo filter code has one action for them all");
        return String::new();
    };
    let mut text = "#\n# pseudo filter code start\n#\n".to_owned();
    let sections = flat
        .cells
        .iter()
        .filter(|cell| cell.counts(only) && cell.uniform() != Some(elsewhere));
    for cell in sections {
        section(cell, flat, elsewhere, &mut text, refused);
    }
    let _ = write!(text, "# invalid architecture action\naction {};\n", action(elsewhere));
    text + "#\n# pseudo filter code end\n#\n"
}

fn section(cell: &FlatCell, flat: &Flat<'_>, elsewhere: u32, text: &mut String, refused: &mut Refused) {
    let Some(abi) = cell.cell.abi() else { return };
    if abi == Abi::X32 {
        let message = "a section for x32, which takes numbers from x86_64 too, is not written";
        return refused.push(message, "give calls of x32 the answer of unknown ABIs");
    }
    let guarded = |number: u32| abi == Abi::X86_64 && GUARDED.contains(&number);
    let others = cell.others(|number| !guarded(number));
    let Some(other) = settled(cell, flat, &others, refused) else {
        return;
    };
    check_guard(cell, elsewhere, guarded, refused);
    let arch = abi.audit_arch();
    let _ = write!(text, "# filter for arch {abi} ({arch})\nif ($arch == {arch})\n");
    for call in cell.calls(other).iter().filter(|call| !guarded(call.number)) {
        let name = abi.syscall_name(call.number).unwrap_or("UNKNOWN");
        let _ = write!(
            text,
            "  # filter for syscall \"{name}\" ({0})\n  if ($syscall == {0})\n",
            call.number
        );
        body(call, other, abi, flat, text, refused);
    }
    let _ = write!(text, "  # default action\n  action {};\n", action(other));
}

/// What libseccomp does to numbers of x86_64 with bit 31 and without bit 30 is what the policy must say.
fn check_guard(cell: &FlatCell, elsewhere: u32, guarded: impl Fn(u32) -> bool, refused: &mut Refused) {
    let others = cell.others(&guarded);
    let named = cell.calls(elsewhere);
    let plain = others
        .iter()
        .all(|call| call.lines.is_empty() && call.otherwise == elsewhere);
    if plain && !named.iter().any(|call| guarded(call.number)) {
        return;
    }
    let message = format!(
        "numbers from 0x80000000 to 0xbfffffff of x86_64 get something else than {}, the answer of unknown ABIs, which \
         libseccomp gives them",
        answer(elsewhere)
    );
    refused.push(
        message,
        "say so in the first rule, for example `kill_thread 0x80000000..=0xbfffffff on x86_64`",
    );
}

/// What stands below the test of a call.
fn body(call: &Call, other: u32, abi: Abi, flat: &Flat<'_>, text: &mut String, refused: &mut Refused) {
    let endian = Endian::of_audit_arch(abi.audit_arch());
    for line in &call.lines {
        let lists = alternatives(&line.condition.lower(endian), &|test, holds| {
            say(test, holds, abi, endian)
        });
        let lists = lists.and_then(|lists| {
            let deep = lists.iter().any(|list| list.len() > DEEPEST);
            if deep { Err(Unsayable::Long) } else { Ok(lists) }
        });
        match lists {
            Ok(lists) => lists.iter().for_each(|list| nested(list, line.value, text)),
            Err(why) => flat.refuse(Some(line.rule), why.message(), why.help(), refused),
        }
    }
    // Without an action of its own a call goes on to that of the section.
    if call.otherwise != other || call.lines.is_empty() {
        let _ = writeln!(text, "    action {};", action(call.otherwise));
    }
}

/// One test inside of the other, and the action inside of all.
fn nested(list: &[String], value: u32, text: &mut String) {
    let mut indent = 4_usize;
    for test in list {
        let _ = writeln!(text, "{:indent$}if ({test})", "");
        indent = indent.saturating_add(2);
    }
    let _ = writeln!(text, "{:indent$}action {};", "", action(value));
}

fn say(test: &WordTest, holds: bool, abi: Abi, endian: Endian) -> Result<Alternatives<String>, Unsayable> {
    let Some(register) = test.index.checked_sub(4).filter(|word| *word < 12) else {
        return Err(Unsayable::Test(
            "it tests the instruction pointer, which libseccomp never does",
        ));
    };
    if test.mask == 0 {
        let known = test.compare.holds(0, u64::from(test.value)) == holds;
        return Ok(if known { vec![Vec::new()] } else { Vec::new() });
    }
    let low = (register % 2 == 0) == (endian == Endian::Little);
    let half = match (low, abi.word_bits()) {
        (true, 32) => "",
        (true, _) => ".lo32",
        (false, _) => ".hi32",
    };
    let mask = if test.mask == u32::MAX {
        String::new()
    } else {
        format!(" & {:#010x}", test.mask)
    };
    let operator = match (test.compare, holds) {
        (Compare::Eq, true) => "==",
        (Compare::Eq, false) => "!=",
        (Compare::Gt, true) => ">",
        (Compare::Gt, false) => "<=",
    };
    Ok(vec![vec![format!(
        "$a{}{half}{mask} {operator} {}",
        register / 2,
        test.value
    )]])
}

fn action(value: u32) -> String {
    let data = value & 0xffff;
    match Action::of(value, Kernel::LATEST) {
        Action::Allow => "ALLOW".to_owned(),
        Action::Errno => format!("ERRNO({data})"),
        Action::KillThread => "KILL".to_owned(),
        Action::Trap => "TRAP".to_owned(),
        Action::Trace => format!("TRACE({data})"),
        Action::Log => "LOG".to_owned(),
        Action::UserNotif => "NOTIFY".to_owned(),
        _ => "KILL_PROCESS".to_owned(),
    }
}

//! Pseudo filter code: what is read, against the filters that libseccomp makes of the same rules.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

#[path = "support/libseccomp.rs"]
mod libseccomp;
mod support;

use callproof_abi::Abi;
use callproof_formats::policy::{PolicyFormat, PolicyOptions, PolicyRead, read_policy};
use callproof_vm::SeccompData;
use support::{calls, differences, ground, load};

fn read(text: &str) -> Result<PolicyRead, Vec<String>> {
    read_policy(
        "test",
        text.as_bytes(),
        Some(PolicyFormat::Pfc),
        &PolicyOptions::default(),
    )
    .map_err(|problems| problems.problems.iter().map(ToString::to_string).collect())
}

#[test]
fn means_what_libseccomp_compiles() {
    let Some(made) = libseccomp::made(1, 300) else { return };
    let (mut same, mut found) = (0, Vec::new());
    for (seed, made) in (1..).zip(made) {
        let text = &made.text;
        let read = read(text).unwrap_or_else(|told| panic!("{told:?}\n{text}"));
        let filter = load(&made.filter);
        let abis: Vec<Abi> = made.archs.iter().map(|name| Abi::from_name(name).unwrap()).collect();
        let mut others = vec![Abi::X86_64, Abi::X32, Abi::I386];
        others.extend(&abis);
        let calls = calls(&[&filter], &others, 3_000, seed);
        let differ = differences(&read.policies[0], &filter, &calls);
        if differ.is_empty() {
            same += 1;
        } else {
            found.push(format!("{text}\n{differ:#?}"));
        }
    }
    assert!(
        found.is_empty(),
        "{} of {} differ; the first:\n{}",
        found.len(),
        same + found.len(),
        found[0]
    );
    println!("{same} texts and filters agree on 3000 calls each");
    assert!(same > 150, "{same}");
}

const SMALL: &str = "#\n# pseudo filter code start\n#\n# filter for arch x86_64 (3221225534)\n\
if ($arch == 3221225534)\n  # filter for syscall \"read\" (0) [priority: 65533]\n  if ($syscall == 0)\n    \
if ($a0.hi32 == 0)\n      if ($a0.lo32 & 0x000000f0 == 16)\n        action TRACE(7);\n    else\n      action LOG;\n  \
# default action\n  action ERRNO(1);\n# invalid architecture action\naction KILL;\n";

#[test]
fn a_small_text() {
    let policy = ground(&read(SMALL).unwrap().policies[0]);
    let value = |arch, nr, first| policy.decide(&SeccompData::new(arch, nr, [first, 0, 0, 0, 0, 0]));
    let native = Abi::X86_64.audit_arch();
    assert_eq!(value(native, 0, 0x1f), 0x7ff0_0007);
    assert_eq!(value(native, 0, 0x1_0000_0000), 0x7ffc_0000);
    assert_eq!(value(native, 0, 0x2f), 0x0005_0001);
    assert_eq!(value(native, 1, 0), 0x0005_0001);
    for beyond in [0x4000_0000, -0x8000_0000, -0x7000_0000, -0x4000_0001] {
        assert_eq!(value(native, beyond, 0), 0, "{beyond:#x}");
    }
    assert_eq!(value(native, -1, 0), 0x0005_0001);
    assert_eq!(value(3, 0, 0), 0);
}

#[test]
fn x32_is_known_by_its_numbers_when_comments_are_gone() {
    let text =
        "if ($arch == 3221225534)\n  if ($syscall == 1073741824)\n    action ALLOW;\n  action LOG;\naction KILL;\n";
    let policy = ground(&read(text).unwrap().policies[0]);
    let value = |nr: u32| policy.decide(&SeccompData::new(Abi::X32.audit_arch(), nr.cast_signed(), [0; 6]));
    assert_eq!(
        [value(0x4000_0000), value(0x4000_0001), value(0)],
        [0x7fff_0000, 0x7ffc_0000, 0]
    );
}

#[test]
fn mistakes_are_told_all_at_once() {
    let text = "if ($arch == 9)\n  action ALLOW;\nif ($arch == 3221225534)\n  iff ($syscall == 1)\n  if ($sycall == 1)\n  \
                if ($syscall == 1)\n    if ($a7 == 1)\n    if ($a0.mid == 1)\n    if ($a0 = 1)\n    action ALOW;\n    action 0x1;\n    \
                action ERRNO(70000);\n  if ($a0 == 1)\n    action ALLOW;\n   else\n  if ($syscall == 5)\n    if ($syscall == 6)\n      action ALLOW;";
    let told = read(text).unwrap_err().join("\n");
    assert!(
        read("if ($arch == 3221225534)\n  action 0x10000000;\naction KILL;").unwrap_err()[0].contains("is no action")
    );
    for expected in [
        "9 is the `arch` word of no known ABI",
        "`iff` begins no line of pseudo filter code; did you mean `if`?",
        "there is no field `$sycall`; did you mean `syscall`?",
        "there is no field `$a7`",
        "expected `hi32` or `lo32`, found `mid`",
        "expected a comparison, found `=`",
        "`ALOW` is no action of libseccomp; did you mean `ALLOW`?",
        "an action carries 16 bits",
        "a test of arguments outside of all calls",
        "`else` without its `if`",
        "a test of the architecture or the call inside of another",
    ] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
    let twice = SMALL.replace(
        "    else\n      action LOG;",
        "    else\n      action LOG;\n    else\n      action LOG;",
    );
    assert_eq!(read(&twice).unwrap_err(), ["`else` without its `if`"]);
    assert!(read("action KILL;\naction KILL;").unwrap_err()[0].contains("a second action"));
    let nested: String = (0..60)
        .map(|n| format!("{}if ($a0 == 1)\n", " ".repeat(n + 2)))
        .collect();
    let many = format!(
        "if ($arch == 3221225534)\n if ($syscall == 0)\n{nested}{}",
        format!("{}action LOG;\n", " ".repeat(62)).repeat(10_000)
    );
    assert!(read(&many).unwrap_err()[0].contains("more than 262144 tests"));
    assert!(read("").unwrap_err()[0].contains("no action for invalid"));
    let deep: String = (0..200).map(|n| format!("{}if ($a0 == 1)\n", " ".repeat(n))).collect();
    assert!(read(&deep).unwrap_err().join("\n").contains("more than 64 deep"));
}

//! Kafel: what is read, against what Kafel compiled, and against a plain reading of its rules.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

#[path = "support/captured.rs"]
mod captured;
mod support;

use callproof_abi::Abi;
use callproof_formats::policy::{PolicyFormat, PolicyOptions, PolicyRead, read_policy};
use callproof_vm::SeccompData;
use support::{Dice, calls, corpus, differences, filter, ground};

fn read(text: &str) -> Result<PolicyRead, Vec<String>> {
    read_with(text, &PolicyOptions::default())
}

fn read_with(text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<String>> {
    read_policy("test", text.as_bytes(), Some(PolicyFormat::Kafel), options)
        .map_err(|problems| problems.problems.iter().map(ToString::to_string).collect())
}

fn told(text: &str) -> String {
    read(text).unwrap_err().join("\n")
}

#[test]
fn means_what_kafel_compiles() {
    let Some(corpus) = corpus() else { return };
    for (seed, (name, text)) in (1..).zip(captured::KAFEL) {
        let read = read(text).unwrap();
        let filter = filter(&corpus, &format!("kafel-sample-{name}"));
        let calls = calls(&[&filter], &[Abi::X86_64, Abi::X32, Abi::I386], 50_000, seed);
        let found = differences(&read.policies[0], &filter, &calls);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
    println!(
        "{} policies and filters agree on 50000 calls each",
        captured::KAFEL.len()
    );
}

/// Arguments of `ioctl` as Kafel sizes them: two of 4 bytes and one of 8.
const ARGS: [(&str, bool); 3] = [("fd", false), ("cmd", false), ("arg", true)];

/// Whether a condition holds for some registers.
type Holds = Box<dyn Fn(&[u64; 6]) -> bool>;

/// A random comparison of one argument with numbers: its text, and what it is by Kafel's rules.
fn comparison(dice: &mut Dice) -> (String, Holds) {
    let numbers = [0, 1, 2, 7, 0x80, 0xffff_ffff, 0x1_0000_0001, 0xff00_0000_0000_0000];
    let index = dice.below(3);
    let (name, wide) = ARGS[index];
    let (mask, set, value) = (
        dice.pick(&numbers[1..7]),
        dice.pick(&numbers[1..7]),
        dice.pick(&numbers),
    );
    let (relation, shape) = (dice.below(6), dice.below(4));
    let side = match shape {
        0 => name.to_owned(),
        1 => format!("({name} & {mask:#x})"),
        2 => format!("({set} | {name})"),
        _ => format!("(({name} & {mask:#x}) | {set:#x})"),
    };
    let word = ["==", "!=", "<", "<=", ">", ">="][relation];
    let large = |number: u64| number > 0xffff_ffff;
    let wide = wide || large(value) || (shape & 1 == 1 && large(mask)) || (shape > 1 && large(set));
    let holds = move |args: &[u64; 6]| {
        let left = match shape {
            0 => args[index],
            1 => args[index] & mask,
            2 => args[index] | set,
            _ => args[index] & mask | set,
        };
        let cut = |bits: u64| if wide { bits } else { bits & 0xffff_ffff };
        let (left, right) = (cut(left), cut(value));
        [
            left == right,
            left != right,
            left < right,
            left <= right,
            left > right,
            left >= right,
        ][relation]
    };
    (format!("{side} {word} {value:#x}"), Box::new(holds))
}

#[test]
fn conditions_mean_what_the_rules_say() {
    let mut dice = Dice(7);
    for _ in 0..2_000 {
        let (a, is_a) = comparison(&mut dice);
        let (b, is_b) = comparison(&mut dice);
        let (c, is_c) = comparison(&mut dice);
        let read = read(&format!(
            "ERRNO(9) {{ ioctl {{ !({a} || {b}) && {c}, !{b} }} }} DEFAULT ALLOW"
        ))
        .unwrap();
        let policy = ground(&read.policies[0]);
        for _ in 0..20 {
            let words = [0, 1, 2, 7, 0x80, 0xffff_ffff, 0xff00_0000];
            let args = core::array::from_fn(|_| (dice.pick(&words) << 32) | dice.pick(&words));
            let expected = (!(is_a(&args) || is_b(&args)) && is_c(&args)) || !is_b(&args);
            let value = policy.decide(&SeccompData::new(Abi::X86_64.audit_arch(), 16, args));
            assert_eq!(value == 0x0005_0009, expected, "{a} {b} {c} {args:x?}");
        }
    }
}

#[test]
fn the_first_rule_wins_and_used_bodies_stand_in_place() {
    let text = "POLICY a { ERRNO(1) { read } }\nPOLICY b { ALLOW { read, write }, USE a }\n// later\nUSE b,\nLOG { close } DEFAULT TRAP(3)";
    let policy = ground(&read(text).unwrap().policies[0]);
    let value = |arch, nr| policy.decide(&SeccompData::new(arch, nr, [0; 6]));
    let native = Abi::X86_64.audit_arch();
    assert_eq!(
        [0, 1, 3, 2, -1].map(|nr| value(native, nr)),
        [0x7fff_0000, 0x7fff_0000, 0x7ffc_0000, 0x0003_0003, 0x0003_0003]
    );
    assert_eq!(value(native, 0x4000_0000), 0x0003_0003, "x32 shares the word");
    assert_eq!(value(Abi::I386.audit_arch(), 3), 0);
}

#[test]
fn targets_and_guards() {
    let abis = vec![Abi::X86_64, Abi::I386];
    let options = PolicyOptions {
        abis,
        ..PolicyOptions::default()
    };
    let read = read_with(
        "ALLOW { newstat, read ON x86, socketcall ON { x86, arm } {call == 1}, arch_prctl, mmap2 }",
        &options,
    );
    let read = read.unwrap();
    let policy = ground(&read.policies[0]);
    let value = |abi: Abi, name: &str| {
        let nr = abi.number(name).unwrap().cast_signed();
        policy.decide(&SeccompData::new(abi.audit_arch(), nr, [1, 0, 0, 0, 0, 0])) >> 16
    };
    assert_eq!(value(Abi::X86_64, "stat"), 0x7fff);
    assert_eq!(value(Abi::X86_64, "read"), 0);
    assert_eq!([value(Abi::I386, "read"), value(Abi::I386, "socketcall")], [0x7fff; 2]);
    assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
    let options = PolicyOptions {
        abis: vec![Abi::Loongarch64],
        ..PolicyOptions::default()
    };
    assert!(read_with("", &options).unwrap_err()[0].contains("compiles nothing for loongarch64"));
}

#[test]
fn includes() {
    let include = |path: &str| match path {
        "a.policy" => Ok("#define N 3\nPOLICY a { ERRNO(N) { read } }\n#include \"b.policy\";".to_owned()),
        "b.policy" => Ok("POLICY b { ALLOW { wrlte } }".to_owned()),
        "c.policy" => Ok("DEFAULT ALLOW\n#include \"c.policy\"\n".to_owned()),
        "d.policy" => Ok("\n\nALLOW { read { fd == }, close }".to_owned()),
        _ => Err("not found".to_owned()),
    };
    let options = PolicyOptions {
        include: &include,
        ..PolicyOptions::default()
    };
    let read = read_with("#include \"a.policy\"\nUSE a DEFAULT ALLOW", &options).unwrap();
    let policy = ground(&read.policies[0]);
    assert_eq!(
        policy.decide(&SeccompData::new(Abi::X86_64.audit_arch(), 0, [0; 6])),
        0x0005_0003
    );
    let told = |text: &str| read_with(text, &options).unwrap_err().join("\n");
    assert_eq!(
        told("#include \"a.policy\"\nUSE b"),
        "b.policy:1: x86_64 has no system call `wrlte`; did you mean `write`?"
    );
    assert!(told("#include \"c.policy\"\n").contains("more than 16 deep"));
    assert_eq!(
        told("#include \"d.policy\"\n"),
        "d.policy:3: expected an argument, a number or `(`, found `}`"
    );
    assert!(told("#include \"x\"").contains("cannot be included: not found"));
    assert!(told("#include x\n").contains("is no file name"));
}

#[test]
fn mistakes_are_told_all_at_once() {
    let text = "POLICY a { ALLOW { raed, read { fdd == 1 }, write { fd }, close { fd == 1 == 2 } },\n ALOW { x } }\nUSE b\n\
                USE a DEFAULT ERRNO(65536)\n#defin X 1\nDEFAULT KILL DEFAULT KILL";
    let told = told(text);
    for expected in [
        "x86_64 has no system call `raed`; did you mean `read`?",
        "no argument or constant is called `fdd`; did you mean `fd`?",
        "a number is no condition",
        "`ALOW` is no action of Kafel; did you mean `ALLOW`?",
        "no policy `b` is defined before",
        "65536 is more than the 65535",
        "`#defin` is no directive of Kafel; did you mean `define`?",
        "a second default",
    ] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
    for (text, expected) in [
        ("ALLOW { write { fd == count } }", "a condition on two arguments"),
        (
            "ALLOW { SYSCALL[9] { a == 1 } }",
            "no argument or constant is called `a`",
        ),
        ("ALLOW { read(a, a) }", "a second argument `a`"),
        ("ALLOW { read(a, b, c, d, e, f, g) }", "at most 6 arguments"),
        ("#define A 1\n#define A 2", "`A` is defined as 1 before"),
        ("POLICY a {} POLICY a {}", "a second policy `a`"),
        ("ALLOW { read", "expected `,` or `}`, found the end"),
        ("ALLOW { read, }", "expected a system call, found `}`"),
        ("ALLOW { read { fd == 08 } }", "`08` is not a number"),
        ("ALLOW { read { fd == 7u } }", "`7u` is no number of Kafel"),
        ("ALLOW /* x", "this comment does not end"),
        ("USE", "expected the name of a policy, found the end"),
    ] {
        let told = self::told(text);
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn nothing_grows_without_bound() {
    let deep = format!(
        "ALLOW {{ read {{ {}fd == 1{} }} }}",
        "(".repeat(5_000),
        ")".repeat(5_000)
    );
    assert!(told(&deep).contains("more than 64 deep"));
    assert!(told(&format!("ALLOW {{ read {{ {}fd == 1 }} }}", "!".repeat(5_000))).contains("more than 64 deep"));
    let mut doubled = "POLICY p0 { ALLOW { read } }\n".to_owned();
    for n in 1..40 {
        doubled += &format!("POLICY p{n} {{ USE p{0}, USE p{0} }}\n", n - 1);
    }
    assert!(told(&(doubled + "USE p39")).contains("more than 65536 rules"));
    let twice = format!(
        "POLICY a {{ ALLOW {{ read {{ {} }} }} }} {}",
        vec!["fd == 1"; 10_000].join(" || "),
        "USE a ".repeat(1_000)
    );
    assert!(told(&twice).contains("more than 65536 rules"));
    assert!(told(&"(".repeat(1 << 20)).contains("more than 262144 words"));
    let wide = format!("ALLOW {{ read {{ {} }} }}", vec!["fd == 1"; 10_000].join(" || "));
    read(&wide).unwrap();
}

//! What is said about each mistake, as a person sees it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, Env, Problems, parse_policy, parse_properties};
use miette::{GraphicalReportHandler, GraphicalTheme};

fn rendered(problems: &Problems) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut text, problems).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The problems of reading a text.
fn unreadable(text: &str) -> String {
    match parse_properties("p.props", text) {
        Ok(file) => panic!("{text} reads as {file}"),
        Err(problems) => rendered(&problems),
    }
}

/// The problems of giving a text that reads its meaning on x86_64 and i386.
fn meaningless(text: &str) -> String {
    let file = parse_properties("p.props", text).unwrap_or_else(|problems| panic!("{}", rendered(&problems)));
    let env = Env::new(AbiList::of([AbiItem::Abi(Abi::X86_64), AbiItem::Abi(Abi::I386)]));
    let problems = file.check(&env).err().unwrap_or_default();
    assert!(!problems.is_empty(), "{text} has a meaning");
    rendered(&Problems::new("p.props", text, problems))
}

#[test]
fn lines_that_are_no_statements() {
    insta::assert_snapshot!(unreadable(
        "dney execve\n\"x\"\nself\n7 read\nfoo bar\nallow\nalow|deny read\ncost(read) < 3"
    ));
}

#[test]
fn call_lists() {
    insta::assert_snapshot!(unreadable(
        "deny read,\ndeny read(\ndeny read(_\ndeny on x86_64\ndeny read(1,2,3,4,5,6,7)\ndeny @a(1\ndeny @a x\n\
         deny 0x1_0000_0000\ndeny read write\ndeny read except"
    ));
}

#[test]
fn abis() {
    insta::assert_snapshot!(unreadable(
        "deny read on x86_46\ndeny read on\nabi other\nx32 <= x86_65\nabi 7\nunknown <= x86_64"
    ));
}

#[test]
fn conditions() {
    insta::assert_snapshot!(unreadable(
        "deny f(flags = 1)\ndeny f(flags & A|B)\ndeny f(!A | B)\ndeny f(1..2)\ndeny f(_ | 1)\ndeny f(_ == 1)\n\
         deny f(a*)\ndeny f(args[6] == 1)\ndeny f(flags in 3)\ndeny f(08)\ndeny f(5 == flags)\ndeny f(A |)\ndeny f(&)\n\
         deny f(raw:(A|B))\ndeny f($)\ndeny f(-0x8000000000000001)"
    ));
}

#[test]
fn verdicts() {
    insta::assert_snapshot!(unreadable(
        "errno(4096) read\ntrap(65536) read\nerrno() read\nerrno(EPERM read\nallow| read\ntrap(EPERM) read\nnever maybe read"
    ));
}

#[test]
fn definitions() {
    insta::assert_snapshot!(unreadable(
        "set a { b }\nset a* = { }\nset a = { b c }\nset a = { b }\nset a = { c }\nuse x as y\nuse \"x\"\n\
         use \"x\" as self\nself equal \"x\"\nno bugs\nsame kernel view\nset z = { a, b"
    ));
}

#[test]
fn names_that_do_not_exist() {
    insta::assert_snapshot!(meaningless(
        "deny opneat\ndeny xyzzy_*\ndeny @privv\nset priv = { ptrcae }\ndeny @priv\ndeny socket(AF_UNXI)\n\
         deny openat(_, _, flag & O_CREAT)\ndeny socket(AF_UNIX, SOCK_STREAMS)\nerrno(ENOSY) read\nself refines bse\nuse \"b\" as base\nself within stack(base, ba)"
    ));
}

#[test]
fn values_that_do_not_fit() {
    insta::assert_snapshot!(meaningless(
        "deny ioctl(_, 0x100005412)\ndeny openat(_, _, _, 0x10000)\ndeny clone(0x200000000)\ndeny lseek(_, < -1)\n\
         deny ioctl(_, -0x80000001)\ndeny ioctl(_, 7..=3)\nset v = { 1, 0x100000000, read(1) }\ndeny socket(@v)\n\
         deny clone(CLONE_INTO_CGROUP)\nset n = { -0x80000001 }\ndeny @n"
    ));
}

#[test]
fn arguments_that_are_not_there() {
    insta::assert_snapshot!(meaningless(
        "deny getpid(0)\ndeny read(_, _, _, 1)\ndeny *(1)\ndeny 1000(flags == 1)\ndeny 400..=410(_, 1)\n\
         deny *(raw(fd) == 1)\ndeny *(raw:AF_UNIX) on unknown\ndeny unallocated(1)"
    ));
}

#[test]
fn policies() {
    let text = "allow read\ndefault deny\nerrno(EPERM|ENOSYS) read\ndefault allow\ndefault kill\nkill write now";
    insta::assert_snapshot!(rendered(&parse_policy("p.policy", text).unwrap_err()));
    insta::assert_snapshot!(rendered(&parse_policy("p.policy", "allow read").unwrap_err()));
    let policy = parse_policy("p.policy", "default errno(EPREM)").unwrap();
    let problems = policy.ground(&Env::default()).unwrap_err();
    insta::assert_snapshot!(rendered(&Problems::new("p.policy", "default errno(EPREM)", problems)));
}

#[test]
fn endless_texts() {
    insta::assert_snapshot!(unreadable(&" ".repeat((1 << 20) + 1)));
    insta::assert_snapshot!(unreadable(&format!(
        "deny read({}1{})",
        "(".repeat(100),
        ")".repeat(100)
    )));
}

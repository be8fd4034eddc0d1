//! Calls in words.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use callproof_abi::Abi;
use callproof_formats::call::{STRING, parse, print};
use callproof_vm::SeccompData;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn data(text: &str) -> SeccompData {
    on(text, Abi::X86_64)
}

fn on(text: &str, abi: Abi) -> SeccompData {
    parse(text, abi).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const X86_64: u32 = 0xc000_003e;

#[test]
fn names_and_constants_belong_to_the_abi() {
    let call = "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0)";
    assert_eq!(data(call), SeccompData::new(X86_64, 41, [2, 0x80001, 0, 0, 0, 0]));
    assert_eq!(on(call, Abi::Mips), SeccompData::new(8, 4183, [2, 0x80002, 0, 0, 0, 0]));
    assert_eq!(on("read()", Abi::X32).nr, 0x4000_0000);
    assert_eq!(data("kill(_, SIGKILL)").args[1], 9);
    assert_eq!(data("exit(EPERM)").args[0], 1);
}

#[test]
fn every_way_to_name_a_call() {
    let execve = SeccompData::new(X86_64, 59, [0; 6]);
    for text in [
        "execve",
        " execve ( ) ",
        "59",
        "59(0,0,0)",
        "0x3b()",
        "nr=59 arch=0xc000003e",
        "nr=execve, arch=x86_64",
        "arch=amd64 nr=59",
        "execve() arch=x86_64",
        "execve(0, /* comment */ _)",
    ] {
        assert_eq!(data(text), execve, "{text}");
    }
    assert_eq!(on("execve() arch=x86_64", Abi::I386), execve);
    assert_eq!(data("-1").nr, -1);
    assert_eq!(data("0xffffffff(1)"), SeccompData::new(X86_64, -1, [1, 0, 0, 0, 0, 0]));
    assert_eq!(data("read() arch=0x1234").arch, 0x1234);
    let all = data("nr=1 a0=1 a1=2 a2=3 a3=4 a4=5 a5=6 ip=7");
    assert_eq!((all.args, all.instruction_pointer), ([1, 2, 3, 4, 5, 6], 7));
}

#[test]
fn values() {
    let value = |text: &str| data(&format!("mmap({text})")).args[0];
    for (text, expected) in [
        ("7", 7),
        ("0x1f", 31),
        ("017", 15),
        ("0xffffffffffffffff", u64::MAX),
        ("1<<3", 8),
        ("1 << 3 | 1", 9),
        ("(PROT_READ|PROT_WRITE) & ~PROT_READ", 2),
        ("'a'", 97),
        ("'\\n'", 10),
        ("'\\0'", 0),
        ("_", 0),
        ("NULL", 0),
        ("(void *) 4", 4),
        ("-1", u64::MAX),
        ("raw:-1", u64::MAX),
        ("\"a, (b) \\\" c\"", STRING),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

/// What compiled C leaves in a register: an `int` fills the low half, a `long` the whole.
#[test]
fn negative_values_are_as_wide_as_the_argument() {
    assert_eq!(data("openat(AT_FDCWD)").args[0], 0xffff_ff9c);
    assert_eq!(data("openat(raw:AT_FDCWD)").args[0], 0xffff_ffff_ffff_ff9c);
    assert_eq!(data("openat(0xffffffffffffff9c)").args[0], 0xffff_ffff_ffff_ff9c);
    assert_eq!(data("lseek(0, -1, SEEK_SET)").args[1], u64::MAX);
    assert_eq!(on("lseek(0, -1, SEEK_SET)", Abi::I386).args[1], 0xffff_ffff);
    assert_eq!(data("5000(-1)").args[0], u64::MAX);
    assert_eq!(on("5000(-1)", Abi::Arm).args[0], 0xffff_ffff);
}

#[test]
fn printing() {
    let shown = |text| print(&data(text));
    assert_eq!(
        shown("openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC)"),
        "openat(-100, 0x400000, 0x80000, 0) arch=x86_64"
    );
    assert_eq!(shown("5000(1, 0, 3) ip=0x10"), "5000(1, 0, 3) arch=x86_64 ip=0x10");
    assert_eq!(shown("getpid(0, 7)"), "getpid(0, 7) arch=x86_64");
    assert_eq!(shown("-1() arch=7"), "-1() arch=0x00000007");
    assert_eq!(print(&on("read(1)", Abi::X32)), "read(1, 0, 0) arch=x32");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/calls.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_printed_is_read_back(
        abi in proptest::sample::select(Abi::ALL),
        told in proptest::sample::select(Abi::ALL),
        nr in prop_oneof![(0_i32..500), Just(-1), any::<i32>()],
        other: Option<u32>,
        ip in prop_oneof![Just(0), any::<u64>()],
        args: [u64; 6],
        kept in 0_usize..7,
        narrow: bool,
    ) {
        let mut data = SeccompData::new(abi.audit_arch(), nr, args);
        data.arch = other.filter(|_| kept == 3).unwrap_or(data.arch);
        data.instruction_pointer = ip;
        data.args[kept..].fill(0);
        if narrow {
            data.args = data.args.map(|arg| arg & 0xffff_ffff);
        }
        let text = print(&data);
        prop_assert_eq!(parse(&text, told).map_err(|error| error.to_string()), Ok(data), "{}", text);
    }
}

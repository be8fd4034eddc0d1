//! Every error: what it says, which bytes it points at, and what it advises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::fmt::Write as _;

use callproof_abi::Abi;
use callproof_formats::{Format, ReadError, ReadOptions, call};
use miette::{GraphicalReportHandler, GraphicalTheme};

fn render(error: &ReadError) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut text = String::new();
    handler.render_report(&mut text, error).unwrap();
    let place = error
        .position()
        .map_or_else(|| "-".to_owned(), |position| position.to_string());
    format!("[{place}] {error}\n{text}")
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

fn all(format: Option<Format>, inputs: &[&[u8]]) -> String {
    let mut text = String::new();
    for input in inputs {
        let options = ReadOptions {
            format,
            ..ReadOptions::default()
        };
        let error = options.read(input).expect_err(&String::from_utf8_lossy(input));
        let _ = writeln!(text, "{}", render(&error));
    }
    text
}

#[test]
fn raw_and_detection() {
    snapshot(
        "raw_and_detection",
        &all(
            None,
            &[
                b"",
                b" \n",
                b"\x06\0\0\0\0\0\xff",
                b"\x7fELF\x02\x01\x01\0\0",
                b"\x1f\x8b\x08\0\0",
                b"\xff\xfej\0",
                b"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7",
                b"hello world",
                b"{\"defaultAction\": \"SCMP_ACT_ERRNO\"}",
            ],
        ),
    );
    let text = all(Some(Format::Hex), &[b"\xff", &[b'0'; 65_536 * 16]]);
    snapshot("hex-bytes", &text);
}

#[test]
fn hex() {
    snapshot(
        "hex",
        &all(
            Some(Format::Hex),
            &[
                b"0600000000000",
                b"06000000 0000ff7g",
                b"06000000 0000ff",
                b"0x7fff0000",
            ],
        ),
    );
}

#[test]
fn decimal() {
    snapshot(
        "decimal",
        &all(
            Some(Format::Decimal),
            &[
                b"",
                b"x",
                b"2\n6 0 0 0\n",
                b"1\n6 0 0\n",
                b"1\n6 0 256 0\n",
                b"1\n6 0 0 4294967296\n",
                b"1,65536 0 0 0",
                b"1,6 0 -1 0",
                b"1,6 0x1 0 0",
                b"65536\n",
            ],
        ),
    );
}

#[test]
fn asm() {
    snapshot(
        "asm",
        &all(
            Some(Format::Asm),
            &[
                b"ld [4]\n  jqe #1, a, b\n",
                b"frobnicate",
                b"ld [4]\njeq #1, yes, no\nyes: ret #0",
                b"a1: ret #0\na1: ret #1",
                b"top: ld [0]\nja top",
                b"jeq #1, end\nret #0\nend:",
                b"ldh M[1]",
                b"st [4]",
                b"ret [4]",
                b"ldi M[3]",
                b"jeq [4], x1, x2",
                b"ld #0x100000000",
                b"ld #09",
                b"ld",
                b"ld #",
                b"ldxb 4*([1]&0x7)",
                b"jeq #1 yes",
                b".word 1",
                b".insn 0x10000, 0, 0, 0",
                b"/* never closed",
                b"ld \"text\"",
                "r\u{e9}t #0".as_bytes(),
            ],
        ),
    );
    let far = format!("jeq #1, far\n{}far: ret #1\n", "ret #0\n".repeat(256));
    snapshot("far", &all(Some(Format::Asm), &[far.as_bytes()]));
}

#[test]
fn c() {
    snapshot("c", &all(
        Some(Format::C),
        &[
            b"",
            b"int main(void) { return 0; }",
            b"struct sock_filter f[] = { BPF_STMT(BPF_LD|BPF_W|BPF_ABX, 4) };",
            b"struct sock_filter f[] = { BPF_STMTS(6, 4) };",
            b"struct sock_filter f[] = { ALLOW(read) };",
            b"struct sock_filter f[] = { BPF_STMT(6) };",
            b"struct sock_filter f[] = { {6, 0, 0, 0, 0} };",
            b"struct sock_filter f[] = { {6, 256, 0, 0} };",
            b"struct sock_filter f[] = { {.op = 6} };",
            b"struct sock_filter f[] = { BPF_STMT(6, 0x1ffffffff) };",
            b"struct sock_filter f[] = { BPF_STMT(6, 1 << 64) };",
            b"struct sock_filter f[] = { BPF_STMT(6, 0)",
            b"struct sock_filter f[] = { {6} {6} };",
            b"struct sock_filter f[] = { BPF_JUMP(0x15, __NR_read, 0, 1) };",
            b"struct sock_filter f[] = { BPF_STMT(0x20, offsetof(struct seccomp_data, arg)) };",
            b"struct sock_filter f[] = { BPF_STMT(0x20, offsetof(struct seccomp_data, args[6])) };",
            b"#ifdef __x86_64__\nstruct sock_filter f[] = { {6} };\n#endif",
            b"struct sock_filter f[] = { {AUDIT_ARCH_X86} };",
            b"struct sock_filter f[] = { BPF_STMT(6, ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1",
        ]
    ));
}

#[test]
fn tables() {
    snapshot(
        "tables",
        &all(
            Some(Format::SeccompTools),
            &[
                b" 0000: 0x20 0x00 0x00 0x00000004\n 0002: 0x06 0x00 0x00 0x00000000\n",
                b" 0001: 0x20 0x00 0x00 0x00000004\n",
                b" 0000: 0x20 0x00 0x00\n",
                b" 0000: 0x20 0x100 0x00 0x0\n",
                b" 0000: 0x20 0x00 0x00 4\n",
                b" 0000: 0x20 0x00 0x00 0x4z\n",
                b"hello\n",
            ],
        ),
    );
}

#[test]
fn seccomp_tools_asm() {
    snapshot(
        "seccomp_tools_asm",
        &all(
            Some(Format::SeccompToolsAsm),
            &[
                b"A = execve",
                b"A == ARCH_X86 ? next : next",
                b"if (A == amd64.exceve) goto x1",
                b"retrun ALLOW",
                b"A ~ 1",
                b"A = args[6]",
                b"A = args[1] >> 16",
                b"return ERRNO(65536)",
                b"if (X == 1) goto x1",
                b"goto nowhere",
            ],
        ),
    );
}

#[test]
fn strace() {
    snapshot(
        "strace",
        &all(
            Some(Format::Strace),
            &[
                b"",
                b"read(0, \"\", 1) = 0\n",
                b"seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=4, filter=0x7ffe5b4c66e0}) = 0\n",
                b"seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=4, filter=[BPF_STMT(BPF_RET|BPF_K, 0), ...]}) = 0\n",
                b"seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=2, filter=[BPF_STMT(BPF_RET|BPF_K, 0)]}) = 0\n",
                b"seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=[BPF_STMT(BPF_RET|BPF_K, 0\n",
            ],
        ),
    );
}

#[test]
fn calls() {
    let mut text = String::new();
    let long = "x".repeat(5000);
    for call in [
        "",
        "opneat(1)",
        "openat(AT_FDCDW)",
        "openat(1, 2, 3, 4, 5, 6, 7)",
        "openat(1 2)",
        "openat(1",
        "openat(1, 1 << 64)",
        "openat(\"x)",
        "openat('ab')",
        "0x100000000()",
        "read() pi=3",
        "read() a6=3",
        "read() arch=x68_64",
        "read() ip=",
        "()",
        long.as_str(),
    ] {
        let error = call::parse(call, Abi::X86_64).expect_err(call);
        let _ = writeln!(text, "{}", render(&error));
    }
    snapshot("calls", &text);
}

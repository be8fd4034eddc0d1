//! What each writer writes, and what each reader takes beyond that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use callproof_abi::Abi;
use callproof_formats::{Format, Program, ReadError, ReadOptions, WriteOptions, write};
use callproof_vm::{Endian, Insn, isa};

/// A filter that tests every annotation: ABI, calls of two ABIs, argument halves, masks, scratch, X, dead code.
fn sample() -> Vec<Insn> {
    vec![
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, 0xc000_003e, 0, 14),
        Insn::stmt(0x20, 0),
        Insn::jump(0x35, 0x4000_0000, 13, 0),
        Insn::jump(0x15, 59, 12, 0),
        Insn::jump(0x25, 231, 11, 0),
        Insn::jump(0x15, 41, 0, 9),
        Insn::stmt(0x20, 20),
        Insn::jump(0x15, 0, 0, 8),
        Insn::stmt(0x20, 16),
        Insn::stmt(0x02, 3),
        Insn::stmt(0x54, 0xff),
        Insn::stmt(0x61, 3),
        Insn::jump(0x1d, 0, 2, 0),
        Insn::jump(0x45, 0x10, 2, 0),
        Insn::stmt(0x05, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x06, 0x8000_0000),
    ]
}

/// What no assembler has words for.
fn junk() -> Vec<Insn> {
    vec![
        Insn::new(0x06, 1, 2, 3),
        Insn::new(0x07, 0, 0, 9),
        Insn::new(0x1234, 255, 0, u32::MAX),
        Insn::new(0x05, 0, 0, 1000),
        Insn::new(0x15, 200, 0, 7),
        Insn::new(0x60, 0, 0, 77),
        Insn::new(0x20, 0, 0, 2),
        Insn::new(0x94, 0, 0, 2),
        Insn::new(0x0e, 0, 0, 0),
        Insn::new(0x06, 0, 0, 0x1234_5678),
    ]
}

fn shown(program: &[Insn], format: Format, annotate: bool) -> String {
    let options = WriteOptions {
        annotate,
        ..WriteOptions::default()
    };
    String::from_utf8(write(program, format, &options)).unwrap()
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn every_writer() {
    for format in Format::ALL.iter().filter(|format| format.is_text()) {
        let all = format!(
            "{}---- with notes\n{}---- junk\n{}",
            shown(&sample(), *format, false),
            shown(&sample(), *format, true),
            shown(&junk(), *format, true),
        );
        snapshot(&format!("write-{format}"), &all);
    }
}

#[test]
fn the_whole_instruction_set_in_words() {
    let program: Vec<_> = isa::TABLE.iter().map(|row| Insn::stmt(row.code, 0)).collect();
    let program = [program, vec![Insn::stmt(6, 0)]].concat();
    for format in [
        Format::Asm,
        Format::C,
        Format::SeccompToolsAsm,
        Format::Libseccomp,
        Format::Strace,
    ] {
        snapshot(&format!("instructions-{format}"), &shown(&program, format, false));
    }
}

fn read_as(format: Format, text: &str) -> Result<Program, ReadError> {
    let options = ReadOptions {
        format: Some(format),
        abi: Some(Abi::X86_64),
        ..ReadOptions::default()
    };
    options.read(text.as_bytes())
}

fn insns(format: Format, text: &str) -> Vec<Insn> {
    match read_as(format, text) {
        Ok(program) => program.insns,
        Err(error) => panic!("{error} at {:?}\n{text}", error.position()),
    }
}

#[test]
fn bpf_asm_grammar() {
    let of = |text| insns(Format::Asm, text);
    let one = |text| of(text)[0];
    for (text, code, k) in [
        ("ld [4]", 0x20, 4),
        ("LD [0x4]", 0x20, 4),
        ("ldh [2]", 0x28, 2),
        ("ldb [2]", 0x30, 2),
        ("ld [x + 2]", 0x40, 2),
        ("ldh [%x+2]", 0x48, 2),
        ("ldb [x+2]", 0x50, 2),
        ("ld M[3]", 0x60, 3),
        ("ldx M[3]", 0x61, 3),
        ("ld #7", 0x00, 7),
        ("ldi #7", 0x00, 7),
        ("ldx #7", 0x01, 7),
        ("ldxi #7", 0x01, 7),
        ("ld #len", 0x80, 0),
        ("ld len", 0x80, 0),
        ("ldx #len", 0x81, 0),
        ("ldxb 4*([14]&0xf)", 0xb1, 14),
        ("ldx 4 * ([14] & 15)", 0xb1, 14),
        ("ld #proto", 0x20, 0xffff_f000),
        ("ld vlan_tpid", 0x20, 0xffff_f03c),
        ("st M[15]", 0x02, 15),
        ("stx M[0]", 0x03, 0),
        ("add #-1", 0x04, u32::MAX),
        ("and #0b101", 0x54, 5),
        ("or #017", 0x44, 15),
        ("xor x", 0xac, 0),
        ("mod %x", 0x9c, 0),
        ("neg", 0x84, 0),
        ("tax", 0x07, 0),
        ("txa", 0x87, 0),
        ("ret a", 0x16, 0),
        ("ret %a", 0x16, 0),
        ("ret x", 0x0e, 0),
        ("ret #0x7fff0000", 0x06, 0x7fff_0000),
    ] {
        assert_eq!(one(text), Insn::stmt(code, k), "{text}");
    }
    assert_eq!(
        one(".insn 0xffff, 255, 0, 0xffffffff"),
        Insn::new(0xffff, 255, 0, u32::MAX)
    );
}

#[test]
fn bpf_asm_jumps() {
    let one = |text: &str| insns(Format::Asm, &format!("{text}\n ret #0\n far: ret #1\n further: ret #2"))[0];
    for (text, expected) in [
        ("jeq #1, far, further", Insn::jump(0x15, 1, 1, 2)),
        ("jeq #1, far", Insn::jump(0x15, 1, 1, 0)),
        ("jeq x, far, further", Insn::jump(0x1d, 0, 1, 2)),
        ("jneq #1, far", Insn::jump(0x15, 1, 0, 1)),
        ("jne x, far", Insn::jump(0x1d, 0, 0, 1)),
        ("jlt #1, far", Insn::jump(0x35, 1, 0, 1)),
        ("jle %x, further", Insn::jump(0x2d, 0, 0, 2)),
        ("jset #1, far, further ; comment", Insn::jump(0x45, 1, 1, 2)),
        ("jmp far", Insn::stmt(0x05, 1)),
        ("ja /* comment */ further", Insn::stmt(0x05, 2)),
    ] {
        assert_eq!(one(text), expected, "{text}");
    }
}

#[test]
fn c_source_text() {
    let of = |text| insns(Format::C, text);
    let expected = [
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, 0xc000_003e, 0, 1),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x20, 20),
        Insn::jump(0x15, 59, 1, 0),
    ];
    let text = r#"
        #include <linux/filter.h>
        #ifndef FILTER_H
        #define FILTER_H
        #define DENY (SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA))
        static const char *name = "struct sock_filter x[] = { BPF_STMT(1, 2) }";
        static struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)), // arch
            (struct sock_filter) BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, AUDIT_ARCH_X86_64, 0, 1),
            { .code = BPF_RET | BPF_K, .k = DENY },
            { 0x20, 0, 0, (__builtin_offsetof(struct seccomp_data, args[0]) + sizeof(__u32)) },
            { (unsigned short) (0x05 | 0x10), .jf = 0, .jt = 1, .k = __NR_execve, }, /* last */
        };
        #endif
    "#;
    assert_eq!(of(text), expected);
    assert_eq!(
        of("{ 0x20, 0, 0, 4 }, { 6, 0, 0, -1 },"),
        [Insn::stmt(0x20, 4), Insn::stmt(6, u32::MAX)]
    );
    assert_eq!(
        of("{{ 0x20, 0, 0, 4 }, { 6 }};"),
        [Insn::stmt(0x20, 4), Insn::stmt(6, 0)]
    );
    assert_eq!(of("BPF_STMT(BPF_RET|BPF_K, ~0U)"), [Insn::stmt(6, u32::MAX)]);
    assert_eq!(
        of("(struct sock_filter[]) { {6, 0, 0, SECCOMP_RET_TRAP} }"),
        [Insn::stmt(6, 0x3_0000)]
    );
}

#[test]
fn c_files_hold_several_filters() {
    let text = "struct sock_filter a[] = {{6}};\nint x;\nconst struct sock_filter b[1] = {\n{6, 0, 0, 1}};";
    let programs = ReadOptions::default().read_all(text.as_bytes()).unwrap();
    let found: Vec<_> = programs
        .iter()
        .map(|program| (program.line, program.insns[0].k))
        .collect();
    assert_eq!(found, [(1, 0), (3, 1)]);
    let error = ReadOptions::default().read(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the input holds 2 filters, and one is needed here");
}

#[test]
fn numbers_that_differ_between_abis_need_one() {
    let text = "BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K, __NR_read, 0, 0), BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ERRNO|EPERM)";
    let read = |abi| {
        let options = ReadOptions {
            abi,
            ..ReadOptions::default()
        };
        options.read(text.as_bytes())
    };
    assert_eq!(
        read(Some(Abi::I386)).unwrap().insns,
        [Insn::jump(0x15, 3, 0, 0), Insn::stmt(6, 0x5_0001)]
    );
    assert_eq!(
        read(None).unwrap_err().to_string(),
        "`__NR_read` has a different value on each ABI"
    );
}

#[test]
fn seccomp_tools_assembler() {
    let text = "
        A = arch
        A == ARCH_X86_64 ? next : dead   # comment
        A = sys_number
        A >= 0x40000000 ? dead : next
        if (A == execve) goto dead else goto more
        more:
        if (!(A & 0x1)) goto ok
        A = args[1] >> 32
        if (A != i386.read) goto dead
        A = instruction_pointer
        A &= 0xff
        X = A
        A = args_h[5]
        A <<= X
        mem[2] = A
        X = mem[2]
        if (A <= X) goto dead
        A = -A
        A = data[60]
        return A
        ok:
        return ERRNO(5)
        dead:
        return KILL
    ";
    let expected = [
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, 0xc000_003e, 0, 18),
        Insn::stmt(0x20, 0),
        Insn::jump(0x35, 0x4000_0000, 16, 0),
        Insn::jump(0x15, 59, 15, 0),
        Insn::jump(0x45, 1, 0, 13),
        Insn::stmt(0x20, 28),
        Insn::jump(0x15, 3, 0, 12),
        Insn::stmt(0x20, 8),
        Insn::stmt(0x54, 0xff),
        Insn::stmt(0x07, 0),
        Insn::stmt(0x20, 60),
        Insn::stmt(0x6c, 0),
        Insn::stmt(0x02, 2),
        Insn::stmt(0x61, 2),
        Insn::jump(0x2d, 0, 0, 4),
        Insn::stmt(0x84, 0),
        Insn::stmt(0x20, 60),
        Insn::stmt(0x16, 0),
        Insn::stmt(0x06, 0x5_0005),
        Insn::stmt(0x06, 0),
    ];
    assert_eq!(insns(Format::SeccompToolsAsm, text), expected);
}

#[test]
fn tables_are_read_from_their_numbers() {
    let seccomp_tools = " line  CODE  JT   JF      K\n=================================\n\
        \u{20}0000: 0x20 0x00 0x00 0x00000004  A = arch\n 0001: 0x06 0x00 0x00 0x7fff0000  return ALLOW\n";
    let libseccomp = " line  OP   JT   JF   K\n=================================\n\
        \u{20}0000: 0x20 0x00 0x00 0x00000004   ld  $data[4]\n 0001: 0x06 0x00 0x00 0x7fff0000   ret ALLOW\n";
    let expected = [Insn::stmt(0x20, 4), Insn::stmt(6, 0x7fff_0000)];
    for (text, format) in [(seccomp_tools, Format::SeccompTools), (libseccomp, Format::Libseccomp)] {
        let headless = text.lines().skip(2).collect::<Vec<_>>().join("\r\n");
        for text in [text, &headless] {
            let program = ReadOptions::default().read(text.as_bytes()).unwrap();
            assert_eq!((program.format, program.insns.as_slice()), (format, &expected[..]));
        }
    }
    let twice = format!("{seccomp_tools}\n{seccomp_tools}");
    let programs = ReadOptions::default().read_all(twice.as_bytes()).unwrap();
    assert_eq!(programs.iter().map(|program| program.line).collect::<Vec<_>>(), [3, 8]);
}

#[test]
fn strace_logs() {
    let log = r#"
execve("./daemon", ["./daemon"], 0x7ffe /* 20 vars */) = 0
prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  = 0
[pid  4321] seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, {len=2, filter=[BPF_STMT(BPF_LD|BPF_W|BPF_ABS, 0x4), BPF_JUMP(BPF_JMP|BPF_K|BPF_JEQ, 0xc000003e, 0x1, 0)]}) = -1 EINVAL (Invalid argument)
write(2, "seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=[", 20) = 20
seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=0x8}) = -1 EFAULT (Bad address)
seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL) = -1 EFAULT (Bad address)
seccomp(SECCOMP_GET_ACTION_AVAIL, 0, [SECCOMP_RET_LOG]) = 0
99 23:10:48.976885 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {len=2, filter=[BPF_STMT(BPF_MISC|0xf8 /* BPF_??? */, 0x3), BPF_STMT(BPF_RET|BPF_K, 0x12340000 /* SECCOMP_RET_??? */|0x5678)]}) = 0
99 seccomp(SECCOMP_SET_MODE_FILTER, 0, {len = 1, filter = [BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO|0x1)]} <unfinished ...>
99 <... seccomp resumed>) = 0
+++ exited with 0 +++
"#;
    let programs = ReadOptions::default().read_all(log.as_bytes()).unwrap();
    let found: Vec<_> = programs
        .iter()
        .map(|program| (program.line, program.pid, program.returned))
        .collect();
    assert_eq!(
        found,
        [(4, Some(4321), Some(-1)), (9, Some(99), Some(0)), (10, Some(99), None)]
    );
    assert_eq!(
        programs[0].insns,
        [Insn::stmt(0x20, 4), Insn::jump(0x15, 0xc000_003e, 1, 0)]
    );
    assert_eq!(programs[1].insns, [Insn::stmt(0xff, 3), Insn::stmt(6, 0x1234_5678)]);
    assert_eq!(programs[2].insns, [Insn::stmt(6, 0x5_0001)]);
}

#[test]
fn byte_order_matters_for_bytes_only() {
    let program = [Insn::new(0x0106, 2, 3, 0x7fff_0001)];
    let options = WriteOptions {
        endian: Endian::Big,
        ..WriteOptions::default()
    };
    assert_eq!(write(&program, Format::Raw, &options), [1, 6, 2, 3, 0x7f, 0xff, 0, 1]);
    assert_eq!(write(&program, Format::Hex, &options), b"010602037fff0001\n");
    assert_eq!(write(&program, Format::Decimal, &options), b"1\n262 2 3 2147418113\n");
}

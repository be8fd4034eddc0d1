//! Traces of every format.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking and may speak"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use callproof_abi::Abi;
use callproof_formats::trace::{
    ArgSeen, MAX_LINE, Outcome, TraceCall, TraceError, TraceFormat, TraceOptions, TraceProblem, read_trace,
};
use callproof_vm::{Endian, SeccompData};
use proptest::prelude::*;

fn all(text: &str) -> Vec<Result<TraceCall, TraceError>> {
    read_trace(text.as_bytes(), &TraceOptions::default()).unwrap().collect()
}

fn good(text: &str) -> Vec<TraceCall> {
    all(text)
        .into_iter()
        .map(|call| call.unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect()
}

fn as_format(format: TraceFormat, text: &str) -> Vec<Result<TraceCall, TraceError>> {
    let options = TraceOptions {
        format: Some(format),
        ..TraceOptions::default()
    };
    read_trace(text.as_bytes(), &options).unwrap().collect()
}

fn low(value: u64) -> ArgSeen {
    ArgSeen::Bits {
        mask: 0xffff_ffff,
        value,
    }
}

#[test]
fn arguments_of_strace() {
    let one = |line: &str| good(line).remove(0);
    let call =
        one("openat(AT_FDCWD, \"/etc/ld.so\\\", (\", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)\n");
    assert_eq!(
        (call.nr, call.name.as_deref(), call.outcome),
        (Some(257), Some("openat"), Outcome::Failed(2))
    );
    assert_eq!(
        call.args[..4],
        [low(0xffff_ff9c), ArgSeen::Unknown, low(0o200_0000), ArgSeen::Unknown]
    );
    let call = one("mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f00\n");
    let known = [0, 8192, 3, 0x22].map(ArgSeen::Known);
    assert_eq!(call.args[..4], known);
    assert_eq!(
        (call.args[4], call.outcome),
        (low(0xffff_ffff), Outcome::Returned(0x7f00))
    );
    let call = one(
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f10) = 5\n",
    );
    assert_eq!(call.args[..2], [0x0120_0011, 0].map(ArgSeen::Known));
    assert_eq!((call.args[2], call.args[3]), (ArgSeen::Unknown, ArgSeen::Known(0x7f10)));
    let call = one("clone3({flags=CLONE_VM, stack=0x7f}, 88) = 7\n");
    assert_eq!(call.args[..2], [ArgSeen::Unknown, ArgSeen::Known(88)]);
    let call = one("mknod(\"x\", S_IFCHR|0666, makedev(0x1, 0x3)) = 0\n");
    assert_eq!(
        call.args[1],
        ArgSeen::Bits {
            mask: 0xffff,
            value: 0o20666
        }
    );
    assert_eq!(call.args[2], low(0x103));
    let call = one("ioctl(1</dev/pts/0<char 136:0>>, TCGETS, {c_iflag=ICRNL, ...}) = 0\n");
    assert_eq!(call.args[1..3], [low(0x5401), ArgSeen::Unknown]);
    let call = one("futex(0x7f00, NO_SUCH_WORD, 2, NULL) = 0\n");
    assert_eq!(call.args[..3], [ArgSeen::Known(0x7f00), ArgSeen::Unknown, low(2)]);
    let call = one("arch_prctl(0x3001 /* ARCH_??? */, 0x7ffe) = -1 EINVAL (Invalid argument)\n");
    assert_eq!(call.args[0], low(0x3001));
    let call = one("syscall_0x14f(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)\n");
    assert_eq!((call.nr, call.args[5]), (Some(335), ArgSeen::Known(6)));
    let call = one("preadv2(3, [{iov_base=\"\", iov_len=8}], 1, 0, RWF_HIPRI) = 0\n");
    assert_eq!(
        call.args[2..6],
        [ArgSeen::Known(1), ArgSeen::Unknown, ArgSeen::Unknown, ArgSeen::Unknown]
    );
    // Without a notice the number tells that a process is of another ABI.
    let call = one("7 [ 180] pread64(3, NULL, 10, 4294967301) = -1 EBADF (Bad file descriptor)\n");
    assert_eq!(
        (call.abi, call.nr, call.args[3]),
        (Some(Abi::I386), Some(180), ArgSeen::Unknown)
    );
    let call = one("7 [ 102] socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 4\n");
    assert_eq!((call.abi, call.nr, call.args[0]), (Some(Abi::I386), Some(102), low(1)));
    let call = one("7 [ 140] _llseek(0, 4294967298, NULL, SEEK_SET) = -1 EFAULT (Bad address)\n");
    assert_eq!(call.args[..3], [low(0), ArgSeen::Unknown, ArgSeen::Unknown]);
    let call = one("7 [ 520] execve(\"x\", NULL, NULL) = 0\n");
    assert_eq!((call.abi, call.nr), (Some(Abi::X32), Some(0x4000_0208)));
    let call = one("exit_group(0) = ?\n");
    assert_eq!((call.args[0], call.outcome), (low(0), Outcome::Unknown));
}

#[test]
fn processes_of_strace() {
    let log = "10 read(3,  <unfinished ...>\n\
        strace: Process 11 attached\n\
        11 getppid() = 10\n\
        10 <... read resumed>\"abc\", 4096) = 3\n\
        [ Process PID=11 runs in 32 bit mode. ]\n\
        11 pread64(4, \"\", 10, 4294967296) = 0\n\
        11 socket(AF_INET, SOCK_STREAM, 0) = 3\n\
        11 [ 359] socket(AF_INET, SOCK_STREAM, 0) = 3\n\
        11 [ 102] socket(AF_INET, SOCK_STREAM, 0) = 3\n\
        11 --- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP} ---\n\
        11 wait4(-1,  <unfinished ...>\n\
        11 +++ killed by SIGKILL +++\n\
        10 pause( <unfinished ...>\n";
    let calls = good(log);
    let names: Vec<_> = calls
        .iter()
        .map(|call| (call.pid.unwrap(), call.name.as_deref().unwrap(), call.line))
        .collect();
    let expected = [
        (11, "getppid", 3),
        (10, "read", 1),
        (11, "pread64", 6),
        (11, "socket", 7),
        (11, "socket", 8),
        (11, "socket", 9),
        (11, "wait4", 11),
        (10, "pause", 13),
    ];
    assert_eq!(names, expected);
    assert_eq!(calls[1].args[..3], [low(3), ArgSeen::Unknown, ArgSeen::Known(4096)]);
    assert_eq!(calls[1].outcome, Outcome::Returned(3));
    // A 64-bit offset is two registers on i386.
    assert_eq!(calls[2].abi, Some(Abi::I386));
    assert_eq!(
        calls[2].args[..4],
        [low(4), ArgSeen::Unknown, low(10), ArgSeen::Unknown]
    );
    // Which call carries a socket there only the number tells.
    assert_eq!((calls[3].nr, calls[3].args), (None, [ArgSeen::Unknown; 6]));
    assert_eq!((calls[4].nr, calls[4].args[0]), (Some(359), low(2)));
    assert_eq!(
        (calls[5].nr, calls[5].args[0], calls[5].args[1]),
        (Some(102), low(1), ArgSeen::Unknown)
    );
    assert_eq!(calls[6].args[0], ArgSeen::Unknown, "the last argument shown may be cut");
}

#[test]
fn bad_lines_are_told_and_the_run_goes_on() {
    let items = all("read(3, 0x1, 2) = 0\nhello world\nread(3\nclose(3)\n<... x resumed>) = 0\nclose(4) = 0\n");
    let told: Vec<String> = items
        .iter()
        .map(|item| {
            item.as_ref()
                .map_or_else(ToString::to_string, |call| format!("{:?}", call.name))
        })
        .collect();
    assert_eq!(
        told,
        [
            "Some(\"read\")",
            "line 2: column 1: this is no line of strace",
            "line 3: column 7: the call does not end",
            "line 4: column 9: expected `=` behind the call",
            "line 5: column 1: a call goes on that has not begun in this log",
            "Some(\"close\")",
        ]
    );
    let long = format!(
        "getpid() = 1\nread(3, \"{}\", 4) = 4\ngetpid() = 1\n",
        "x".repeat(MAX_LINE)
    );
    let items = all(&long);
    assert_eq!(items.len(), 3);
    assert_eq!(items[1].as_ref().unwrap_err().problem, TraceProblem::LongLine);
    let begun: String = (0..20)
        .map(|pid| format!("{pid} read(3, \"{}\", <unfinished ...>\n", "x".repeat(MAX_LINE - 100)))
        .collect();
    let items = all(&begun);
    let told = items
        .iter()
        .filter_map(|item| item.as_ref().err())
        .next()
        .unwrap()
        .to_string();
    assert!(told.contains("open at once"), "{told}");
    assert!(read_trace(&b"hello"[..], &TraceOptions::default()).is_err());
}

#[test]
fn summaries_count() {
    let text = "% time     seconds  usecs/call     calls    errors syscall\n\
        ------ ----------- ----------- --------- --------- ----------------\n \
        60.00    0.000010           1        10         2 openat\n \
        40.00    0.000000           0         3           nosuch\n\
        ------ ----------- ----------- --------- --------- ----------------\n\
        100.00    0.000010                    13         2 total\n\
        System call usage summary for 32 bit mode:\n\
        % time     seconds  usecs/call     calls    errors syscall\n \
        10.00    0.000010           1         x           read\n \
        10.00    0.000010           1         7           read\n";
    let items = all(text);
    let calls: Vec<_> = items.iter().filter_map(|item| item.as_ref().ok()).collect();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.abi.unwrap(), call.nr, call.count))
        .collect();
    assert_eq!(
        seen,
        [
            (Abi::X86_64, Some(257), 10),
            (Abi::X86_64, None, 3),
            (Abi::I386, Some(3), 7)
        ]
    );
    assert_eq!(items.len() - calls.len(), 1);
}

const SECCOMP: &str = "auid=1000 uid=0 pid=123 comm=\"a b\" exe=\"/x\" sig=31 arch=40000003 syscall=11 compat=1 ip=0x7f00aa code=0x80000000";

#[test]
fn audit_records() {
    let audit = format!(
        "type=SECCOMP msg=audit(1700000000.123:45): {SECCOMP}\n\
         type=PROCTITLE msg=audit(1700000000.123:45): proctitle=61\n\
         type=SYSCALL msg=audit(1700000000.123:46): arch=c000003e syscall=59 success=no exit=-13 a0=7ffd01 a1=0 a2=1 a3=8 items=1 \
         pid=7\u{1d}ARCH=x86_64 SYSCALL=execve\n\
         type=SECCOMP msg=audit(1:1): pid=1 arch=x86_64 syscall=openat code=0x7ffc0000\n\
         type=SECCOMP msg=audit(1:2): pid=1 arch=c000003e\n\
         type=SECCOMP msg=audit(1:3): arch=zz syscall=1\n\
         Nov 23 10:00:00 host kernel: [  12.5] audit: type=1326 audit(1700000000.1:5): {SECCOMP}\n\
         [  13.000000] audit: type=1326 audit(1700000000.1:6): arch=c000003e syscall=-1 code=0x0\n"
    );
    let items = as_format(TraceFormat::Audit, &audit);
    let calls: Vec<_> = items.iter().filter_map(|item| item.as_ref().ok()).collect();
    assert_eq!(calls.len(), 5);
    let first = calls[0];
    assert_eq!(
        (first.abi, first.nr, first.name.as_deref()),
        (Some(Abi::I386), Some(11), Some("execve"))
    );
    assert_eq!(
        (first.pid, first.ip, first.outcome),
        (Some(123), Some(0x7f_00aa), Outcome::Verdict(0x8000_0000))
    );
    assert_eq!(
        calls[1].args[..5],
        [
            ArgSeen::Known(0x7f_fd01),
            ArgSeen::Known(0),
            ArgSeen::Known(1),
            ArgSeen::Known(8),
            ArgSeen::Unknown
        ]
    );
    assert_eq!((calls[1].outcome, calls[2].nr), (Outcome::Failed(13), Some(257)));
    assert_eq!((calls[3].nr, calls[3].line, calls[4].nr), (Some(11), 7, Some(u32::MAX)));
    let told: Vec<String> = items
        .iter()
        .filter_map(|item| item.as_ref().err())
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "line 5: column 1: the record has no `syscall=`",
            "line 6: column 35: `zz` is no `arch` word"
        ]
    );
    assert_eq!(
        good(&audit[..audit.find("type=SECCOMP msg=audit(1:2)").unwrap()]).len(),
        3,
        "detected"
    );
}

#[test]
fn journal_entries() {
    let kernel = format!("audit: type=1326 audit(1700000000.1:5): {SECCOMP}");
    let text = format!(
        "{{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":{}}}\n\
         {{\"_TRANSPORT\":\"audit\",\"_AUDIT_TYPE\":\"1326\",\"_PID\":\"9\",\"_AUDIT_FIELD_ARCH\":\"c000003e\",\"_AUDIT_FIELD_SYSCALL\":\"59\",\
         \"_AUDIT_FIELD_CODE\":\"0x7ffc0000\",\"MESSAGE\":[83,69]}}\n\
         {{\"_AUDIT_TYPE_NAME\":\"SECCOMP\",\"MESSAGE\":\"SECCOMP pid=8 arch=c000003e syscall=2 ip=0x5 code=0x0\"}}\n\
         {{\"MESSAGE\":\"hello\"}}\n\
         {{\"MESSAGE\"\n",
        serde_json_text(&kernel)
    );
    let items = all(&text);
    let calls: Vec<_> = items.iter().filter_map(|item| item.as_ref().ok()).collect();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.abi.unwrap(), call.nr.unwrap(), call.pid.unwrap()))
        .collect();
    assert_eq!(seen, [(Abi::I386, 11, 123), (Abi::X86_64, 59, 9), (Abi::X86_64, 2, 8)]);
    assert!(
        items
            .last()
            .unwrap()
            .as_ref()
            .unwrap_err()
            .to_string()
            .starts_with("line 5: column")
    );
}

fn serde_json_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn records_plain_and_compressed() {
    let data = SeccompData {
        instruction_pointer: 0x7f00,
        ..SeccompData::new(Abi::X86_64.audit_arch(), 59, [1, 2, 3, 4, 5, u64::MAX])
    };
    let mut bytes = data.to_bytes(Endian::Little).to_vec();
    bytes.extend_from_within(..);
    let options = TraceOptions::default();
    let read = |bytes: &[u8]| read_trace(bytes, &options).unwrap().collect::<Vec<_>>();
    let calls = read(&bytes);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].as_ref().unwrap().data(), Some(data));
    assert!(calls[1].as_ref().unwrap().fits(&data));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&bytes).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(read(&packed), calls);
    let cut = read(&bytes[..100]);
    assert_eq!(
        cut[1].as_ref().unwrap_err().problem,
        TraceProblem::ShortRecord { bytes: 36 }
    );
    // A damaged member ends the trace with an error, and does not hide it.
    let damaged: Vec<_> = read(&packed[..packed.len() - 9]);
    assert!(damaged.last().unwrap().is_err(), "{damaged:?}");
}

#[test]
fn an_archive_that_unpacks_to_very_much_is_read_piece_by_piece() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&zeros).unwrap();
    }
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 1 << 18);
    let first = read_trace(&packed[..], &TraceOptions::default())
        .unwrap()
        .take(10)
        .filter(Result::is_ok)
        .count();
    assert_eq!(first, 10);
}

#[test]
fn traces_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/traces");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no corpus");
        return;
    };
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let mut records = BTreeMap::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".gz") {
            continue;
        }
        let file = std::fs::File::open(&path).unwrap();
        let reader = read_trace(file, &TraceOptions::default()).unwrap();
        assert_eq!(reader.format(), TraceFormat::Records);
        let count = reader.map(Result::unwrap).filter(|call| call.data().is_some()).count();
        assert!(
            index.contains(&format!("\"{name}\": {{\n  \"records\": {count},")),
            "{name} {count}"
        );
        records.insert(name, count);
    }
    println!(
        "{} records in {} traces",
        records.values().sum::<usize>(),
        records.len()
    );
    assert!(records.len() >= 9);
}

/// Lines from which hostile ones are made.
const LINES: &[&str] = &[
    "[pid 10] openat(AT_FDCWD, \"/etc/x\\\"\", O_RDONLY|O_CLOEXEC) = 3</x>",
    "11 1700000000.5 [00007f0102030405] [ 257] read(3,  <unfinished ...>",
    "11 <... read resumed>\"\", 8) = 0 <0.001>",
    "clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD, child_tidptr=0x1) = -1 EPERM (x)",
    "[ Process PID=11 runs in 32 bit mode. ]",
    "+++ exited with 0 +++",
    "% time     seconds  usecs/call     calls    errors syscall",
    " 10.00    0.000010           1         7           read",
    "type=SECCOMP msg=audit(1:1): pid=1 comm=\"x arch=c000003e syscall=59 ip=0x1 code=0x0",
    "{\"MESSAGE\":\"SECCOMP arch=c000003e syscall=1\",\"_AUDIT_TYPE\":\"1326\"}",
];

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0_usize..20,
        prop::collection::vec(any::<u8>(), 0..5),
    );
    let line = (0..LINES.len(), prop::collection::vec(edit, 0..4)).prop_map(|(line, edits)| {
        let mut bytes = LINES[line].as_bytes().to_vec();
        for (place, length, new) in edits {
            let start = place.index(bytes.len().max(1)).min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, new);
        }
        bytes.push(b'\n');
        bytes
    });
    prop::collection::vec(line, 1..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn hostile_traces_end(bytes in mutated(), which in 0..=TraceFormat::ALL.len()) {
        let options = TraceOptions { format: TraceFormat::ALL.get(which).copied(), ..TraceOptions::default() };
        if let Ok(reader) = read_trace(&bytes[..], &options) {
            let limit = bytes.len() + 2;
            prop_assert!(reader.take(limit).count() < limit);
        }
    }
}

/// A signal stands for a call unless the call stands there.
#[test]
fn a_signal_is_a_call_when_nothing_else_is() {
    let signal = "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f12, si_syscall=__NR_ptrace, \
                  si_arch=AUDIT_ARCH_X86_64} ---\n";
    let read = |text: &str| -> Vec<_> {
        good(text)
            .iter()
            .map(|call| (call.line, call.nr, call.outcome))
            .collect()
    };
    assert_eq!(read(signal), [(1, Some(101), Outcome::Signal)]);
    assert_eq!(
        read(&format!("ptrace(PTRACE_TRACEME) = 101\n{signal}")),
        [(1, Some(101), Outcome::Returned(101))]
    );
    assert_eq!(
        read(&format!("ptrace(PTRACE_TRACEME) = 101\n{signal}{signal}")).len(),
        2
    );
    assert_eq!(
        read(&format!("getpid() = 7\n{signal}")),
        [(1, Some(39), Outcome::Returned(7)), (2, Some(101), Outcome::Signal)]
    );
    assert_eq!(read(&format!("5 getpid() = 7\n6 {signal}")).len(), 2);
    assert_eq!(
        read(&format!("5 ptrace(PTRACE_TRACEME <unfinished ...>\n5 {signal}")).len(),
        1
    );
}

/// The fenced blocks of the page on traces.
fn blocks() -> Vec<&'static str> {
    let page = include_str!("../../docs/TRACES.md");
    page.split("```").skip(1).step_by(2).collect()
}

#[test]
fn the_examples_of_the_page_read_as_it_says() {
    let blocks = blocks();
    let calls = good(blocks[0]);
    let names: Vec<_> = calls
        .iter()
        .map(|call| (call.pid.unwrap(), call.name.as_deref().unwrap()))
        .collect();
    assert_eq!(names, [(12, "openat"), (12, "close"), (13, "futex")]);
    assert_eq!((calls[2].nr, calls[2].ip), (Some(202), Some(0x7f01_0203_0405)));
    let counts: Vec<u64> = good(blocks[1]).iter().map(|call| call.count).collect();
    assert_eq!(counts, [10, 3]);
    let verdicts: Vec<Outcome> = good(blocks[2]).iter().map(|call| call.outcome).collect();
    assert_eq!(
        verdicts,
        [
            Outcome::Verdict(0x8000_0000),
            Outcome::Verdict(0x7ffc_0000),
            Outcome::Failed(13)
        ]
    );
    let signals = good(blocks[3]);
    assert!(
        signals
            .iter()
            .all(|call| call.outcome == Outcome::Signal && call.nr == Some(101))
    );
    assert_eq!(signals.len(), 2);
    for format in TraceFormat::ALL {
        assert!(include_str!("../../docs/TRACES.md").contains(&format!("| `{format}` |")));
    }
}

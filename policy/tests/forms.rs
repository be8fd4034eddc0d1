//! Every form of the language: how it reads, how it prints, and that both agree.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use callproof_policy::{
    PropertyFile, parse_abi_list, parse_call_pattern, parse_predicate, parse_properties, parse_verdict_line,
    parse_verdict_set,
};

fn read(text: &str) -> PropertyFile {
    parse_properties("test", text).unwrap_or_else(|problems| panic!("{text}: {:?}", problems.problems))
}

/// What a line prints as; what it prints as reads as the same.
fn printed(text: &str) -> String {
    let file = read(text);
    let printed = file.to_string();
    assert_eq!(read(&printed), file, "{printed}");
    printed.trim_end().to_owned()
}

#[test]
fn statements_that_print_as_they_are_written() {
    for text in [
        "deny execve, execveat on all",
        "allow openat(_, _, flags & O_ACCMODE == O_RDONLY) on x86_64",
        "errno(ENOSYS) clone3",
        "errno(ENOSYS) clone3(_, _)",
        "deny socket(!AF_UNIX, _, _)",
        "deny ioctl(_, TIOCSTI, _)",
        "killed * on i386, x32",
        "x32 <= x86_64",
        "x32, i386 <= x86_64",
        "cost(read) <= 12",
        "cost(read, write(1)) <= 12 except write(_, 0) on x86_64",
        "cached read, getpid on x86_64",
        "same kernel view, same verdict",
        "same kernel view, same verdict for ioctl on i386",
        "whole arguments",
        "whole arguments for mmap",
        "self refines base",
        "base refines self",
        "self within \"a \\\"b\\\" \\\\.json\"",
        "self equals \"x.bpf\" on x86_64",
        "self equals \"x.bpf\" for socket on x86_64",
        "stack(\"base.bpf\", self) within docker",
        "use \"baseline.json\" as base",
        "abi x86_64, i386, x32",
        "set priv = { ptrace, process_vm_*, @more, ioctl(_, TIOCSTI), 400..=450, -1 }",
        "set empty = { }",
        "never allow ptrace, @tracing",
        "sometimes allow read(0)",
        "sometimes permit socket(AF_UNIX)",
        "deny * except read, write on any",
        "deny @new-since(6.6)",
        "deny unallocated on all, unknown",
        "killed * on other",
        "errno(EPERM|ENOSYS|7)|kill ptrace",
        "trap(7) 335",
        "trace|notify|unknown|log|kill_thread|permit|killed read",
        "no dead code",
        "no wide shift",
        "no division by zero",
        "deny 0x40000208",
        "deny 0xffffffff",
        "deny 400..=450",
    ] {
        assert_eq!(printed(text), text);
    }
}

#[test]
fn statements_that_are_short_for_others() {
    for (text, expected) in [
        ("default deny", "deny unallocated"),
        ("default errno(ENOSYS) on all", "errno(ENOSYS) unallocated on all"),
        ("unknown arch killed", "killed * on unknown"),
        ("other arch deny", "deny * on other"),
        ("always deny ptrace", "deny ptrace"),
        ("self equals \"x.bpf\" on abi x86_64", "self equals \"x.bpf\" on x86_64"),
        ("kill_process|user_notif read()", "kill|notify read"),
        ("deny -1", "deny 0xffffffff"),
        ("deny read on AMD64, SCMP_ARCH_X86", "deny read on x86_64, i386"),
        ("set a = {\n  read, # comment\n  write,\n}", "set a = { read, write }"),
    ] {
        assert_eq!(printed(text), expected);
    }
}

#[test]
fn conditions() {
    for (text, expected) in [
        ("AF_UNIX", ""),
        ("AF_UNIX | AF_INET", ""),
        ("AF_UNIX|AF_INET||7", "AF_UNIX | AF_INET | 7"),
        ("!(AF_UNIX | AF_INET)", ""),
        ("== 5", "5"),
        ("!= 5", ""),
        ("< 5 | > 0x1000", ""),
        (">= 5 && <= 7", ""),
        ("5..=7", ""),
        ("in 5..=7", "5..=7"),
        ("@families", ""),
        ("!@families", ""),
        ("raw:0x26", "raw:38"),
        ("raw:-1", ""),
        ("lo:TIOCSTI && hi:!= 0", ""),
        ("raw:1..=2", ""),
        ("raw:@set", ""),
        ("raw:& 1 == 1", ""),
        ("flags & O_CREAT", ""),
        ("flags & (O_CREAT|O_EXCL) == O_CREAT", ""),
        ("& ~(PROT_READ|PROT_WRITE) == 0", ""),
        ("flags & 6 > 2", ""),
        ("flags in 1..=3", ""),
        ("flags in @good", ""),
        ("== (O_WRONLY|O_CREAT)", ""),
        ("(O_WRONLY|O_CREAT)", "O_WRONLY | O_CREAT"),
        ("raw(flags) == 5", ""),
        ("hi(args[1]) == 0", ""),
        ("ip < 0x1000", ""),
        ("hi(ip) == 0", ""),
        ("args[0] == 1 | args[1] == 2", ""),
        ("5 | flags & 1", "== 5 | flags & 1"),
        ("flags & 1 | == 5", ""),
        ("(!5 | == 7 && < 9) && flags == 1", ""),
        ("!!5", ""),
        ("!(5 && 6)", "!(== 5 && == 6)"),
        ("-0x8000000000000000", "-9223372036854775808"),
        ("1_000", "1000"),
        ("0o17 | 0b11", "15 | 3"),
    ] {
        let expected = if expected.is_empty() { text } else { expected };
        let pattern = parse_call_pattern(&format!("f({text})")).unwrap_or_else(|e| panic!("{text}: {:?}", e.problems));
        assert_eq!(pattern.to_string(), format!("f({expected})"));
        assert_eq!(parse_call_pattern(&pattern.to_string()).unwrap(), pattern, "{text}");
    }
}

#[test]
fn parts_read_alone() {
    assert_eq!(
        parse_verdict_set("errno(EPERM|1)|kill").unwrap().to_string(),
        "errno(EPERM|1)|kill"
    );
    assert_eq!(parse_abi_list("x86_64, i386").unwrap().to_string(), "x86_64, i386");
    assert_eq!(
        parse_predicate("read except write on all").unwrap().to_string(),
        "read except write on all"
    );
}

#[test]
fn lines_of_case_files() {
    let line = parse_verdict_line("allow          read(_, _, _)   on x86_64  cost<=20  # hot", 100).unwrap();
    assert_eq!(line.verdicts.to_string(), "allow");
    assert_eq!(line.calls.to_string(), "read(_, _, _) on x86_64");
    assert_eq!(line.cost, Some(20));
    let span = line.calls.calls.first().unwrap().span;
    assert_eq!((span.start, span.end), (115, 128));
    assert_eq!(parse_verdict_line("killed * on i386, x32", 0).unwrap().cost, None);
    let problems = parse_verdict_line("deny read(1 $", 100).unwrap_err();
    let starts: Vec<usize> = problems.iter().map(|problem| problem.span.start).collect();
    assert_eq!(starts, [112, 113]);
}

#[test]
fn definitions_reach_the_claims_below() {
    let file = read("deny read\nabi i386\nset a = { read }\ndeny write\nabi x32\ndeny @a");
    let env = callproof_policy::Env::default();
    let properties = file.properties(&env);
    let abis: Vec<String> = properties.iter().map(|(_, env)| env.abis.to_string()).collect();
    assert_eq!(abis, ["any", "i386", "x32"]);
    assert!(properties.iter().all(|(_, env)| env.sets.get("a").is_some()));
}

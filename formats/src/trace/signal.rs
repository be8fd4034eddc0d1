//! `SIGSYS` as programs print it: strace, debuggers, and the handler of Chromium's sandbox.

use callproof_abi::Abi;

use super::seen::{ArgSeen, Outcome, TraceCall};

/// Whether a text is about such a signal, for one that begins with it.
pub(super) fn is_signal(text: &str) -> bool {
    text.contains("_sigsys") || text.contains(CHROMIUM)
}

/// What the handler of Chromium's sandbox writes; the number of the call follows in decimal.
const CHROMIUM: &str = "seccomp-bpf failure in syscall ";

/// The call of a line, if it tells of one. `abi` is meant where the line does not say.
pub(super) fn line(line: &str, abi: Abi) -> Option<TraceCall> {
    handled(line, abi).or_else(|| siginfo(line, abi))
}

/// `--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x.., si_syscall=__NR_x, si_arch=AUDIT_ARCH_X86_64} ---`,
/// or `_sigsys = {_call_addr = 0x.., _syscall = 101, _arch = 3221225534}` of a debugger.
pub(super) fn siginfo(line: &str, abi: Abi) -> Option<TraceCall> {
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| value(line, name));
    let nr = field(["si_syscall", "_syscall"])?;
    let arch = field(["si_arch", "_arch"]).map_or(Some(abi.audit_arch()), arch)?;
    let named = |name: &str| Abi::from_audit_arch(arch).and_then(|abi| abi.number(name).ok());
    let nr = match nr.strip_prefix("__NR_") {
        Some(name) => name.strip_prefix("syscall_").map_or_else(|| named(name), number),
        None => number(nr),
    }?;
    let ip = field(["si_call_addr", "_call_addr"]).and_then(address);
    Some(signalled(TraceCall::of(arch, nr), ip))
}

fn handled(line: &str, abi: Abi) -> Option<TraceCall> {
    let (_, behind) = line.split_once(CHROMIUM)?;
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    let nr = digits.parse().ok()?;
    Some(signalled(TraceCall::of(abi.audit_arch(), nr), None))
}

fn signalled(call: TraceCall, ip: Option<u64>) -> TraceCall {
    TraceCall {
        ip,
        args: [ArgSeen::Unknown; 6],
        outcome: Outcome::Signal,
        ..call
    }
}

/// The value behind `NAME=` or `NAME = `.
fn value<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let mut rest = line;
    loop {
        let (before, behind) = rest.split_once(name)?;
        let own = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if let Some(value) = behind.trim_start().strip_prefix('=').filter(|_| own) {
            let end = value.find([',', '}', ';']).unwrap_or(value.len());
            return value.get(..end).map(str::trim);
        }
        rest = behind;
    }
}

/// `AUDIT_ARCH_X86_64`, `0xc000003e`, `3221225534`.
fn arch(word: &str) -> Option<u32> {
    let named = || Abi::from_name(word).ok().map(Abi::audit_arch);
    number(word).or_else(named)
}

fn number(word: &str) -> Option<u32> {
    let word = word.split_whitespace().next()?;
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word
            .parse::<u32>()
            .ok()
            .or_else(|| word.parse::<i32>().ok().map(i32::cast_unsigned)),
    }
}

fn address(word: &str) -> Option<u64> {
    let word = word.split_whitespace().next()?;
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Option<Abi>, Option<u32>, Option<u64>)> {
        line(text, Abi::X86_64).map(|call| (call.abi, call.nr, call.ip))
    }

    #[test]
    fn signals_name_their_call() {
        let strace = "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f12, si_syscall=__NR_ptrace, \
                      si_arch=AUDIT_ARCH_I386} ---";
        assert_eq!(read(strace), Some((Some(Abi::I386), Some(26), Some(0x7f12))));
        let gdb = "$1 = {si_signo = 31, _sifields = {_sigsys = {_call_addr = 0x7ffff7 <f+9>, _syscall = 101, _arch = 3221225534}}}";
        assert_eq!(read(gdb), Some((Some(Abi::X86_64), Some(101), Some(0x007f_fff7))));
        let chromium = "../../sandbox/x.cc:**CRASHING**:seccomp-bpf failure in syscall 0041";
        assert_eq!(read(chromium), Some((Some(Abi::X86_64), Some(41), None)));
        let unnamed = "si_syscall=__NR_syscall_0x1ff, si_arch=AUDIT_ARCH_X86_64";
        assert_eq!(read(unnamed), Some((Some(Abi::X86_64), Some(0x1ff), None)));
        for nothing in [
            "",
            "SIGSYS",
            "si_syscall=",
            "si_syscall=x",
            "_syscall = 1, _arch = foo",
            "si_syscallx=1",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}

//! What stands around a call on a line: the process, the time, the number, the address.

/// The decorations before an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head<'l> {
    /// `[pid 12]`, or a number at the begin of the line (`-f`)
    pub(super) pid: Option<u32>,
    /// `[  257]` (`-n`)
    pub(super) nr: Option<u32>,
    /// `[00007f0102030405]` (`-i`)
    pub(super) ip: Option<u64>,
    pub(super) rest: &'l str,
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'l> {
    /// Signals, stacks and words of strace itself
    Nothing,
    /// A signal that a filter may have sent
    Signal(&'l str),
    /// A process has ended
    Exit,
    /// `[ Process PID=12 runs in 32 bit mode. ]`
    Personality(u32, &'l str),
    /// A call, from its name on
    Call(&'l str),
    /// The rest of a call that was cut
    Resumed(&'l str),
    /// Anything else
    Unknown,
}

/// Takes the decorations off a line.
pub(super) fn head(line: &str) -> Head<'_> {
    let mut head = Head {
        rest: line.trim_start(),
        ..Head::default()
    };
    let mut first = true;
    loop {
        let rest = head.rest;
        let taken = bracket(&mut head) || number(&mut head, first);
        first = false;
        if !taken {
            head.rest = rest;
            return head;
        }
        head.rest = head.rest.trim_start();
    }
}

/// `[pid 12]`, `[  59]`, `[00007f0102030405]`, `[????????????????]`.
fn bracket(head: &mut Head<'_>) -> bool {
    let Some((inside, rest)) = head.rest.strip_prefix('[').and_then(|text| text.split_once(']')) else {
        return false;
    };
    let word = inside.trim();
    if let Some(pid) = word.strip_prefix("pid").and_then(|pid| pid.trim().parse().ok()) {
        head.pid = Some(pid);
    } else if matches!(inside.len(), 8 | 16) && inside.chars().all(|c| c == '?' || c.is_ascii_hexdigit()) {
        head.ip = u64::from_str_radix(inside, 16).ok();
    } else if let Ok(nr) = word.parse() {
        head.nr = Some(nr);
    } else if !word.is_empty() && word.chars().all(|c| c == '?') {
        head.nr = None;
    } else {
        return false;
    }
    head.rest = rest;
    true
}

/// A process at the begin of the line, or a time: `12:34:56`, `12:34:56.789`, `1700000000.123456`, `(+ 0.000012)`.
fn number(head: &mut Head<'_>, first: bool) -> bool {
    if let Some((inside, rest)) = head.rest.strip_prefix("(+").and_then(|text| text.split_once(')'))
        && inside.trim().chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        head.rest = rest;
        return true;
    }
    let Some((word, rest)) = head.rest.split_once(char::is_whitespace) else {
        return false;
    };
    let is_number = word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ':'));
    if !is_number {
        return false;
    }
    if first && let Ok(pid) = word.parse() {
        head.pid = Some(pid);
    } else if !word.contains(['.', ':']) {
        return false;
    }
    head.rest = rest;
    true
}

/// What stands behind the decorations.
pub(super) fn event(rest: &str) -> Event<'_> {
    let rest = rest.trim_end();
    if rest.starts_with("--- SIGSYS {") {
        return Event::Signal(rest);
    }
    if rest.is_empty() || rest.starts_with("---") || rest.starts_with('>') || rest.starts_with("strace:") {
        return Event::Nothing;
    }
    if rest.starts_with("+++") {
        let ended = rest.contains("exited") || rest.contains("killed") || rest.contains("superseded");
        return if ended { Event::Exit } else { Event::Nothing };
    }
    if let Some(inside) = rest.strip_prefix("[ Process PID=") {
        let told = inside.split_once(" runs in ");
        let told = told.and_then(|(pid, mode)| Some(Event::Personality(pid.parse().ok()?, mode)));
        return told.unwrap_or(Event::Nothing);
    }
    if let Some(inside) = rest.strip_prefix("<... ") {
        let behind = inside
            .split_once(" resumed>")
            .or_else(|| inside.split_once(" resumed >"));
        return behind.map_or(Event::Unknown, |(_, behind)| Event::Resumed(behind));
    }
    let name = rest.split('(').next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '?'));
    if is_name && name.len() < rest.len() {
        Event::Call(rest)
    } else if rest.starts_with("Process ") && (rest.contains("attached") || rest.contains("detached")) {
        Event::Nothing
    } else {
        Event::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decorations_come_off() {
        let head = |line| {
            let Head { pid, nr, ip, rest } = head(line);
            (pid, nr, ip, rest)
        };
        for (line, expected) in [
            ("read(3, 0, 0) = 0", (None, None, None, "read(3, 0, 0) = 0")),
            ("[pid   123] read(", (Some(123), None, None, "read(")),
            ("123   read(", (Some(123), None, None, "read(")),
            ("123 12:00:01.5 read(", (Some(123), None, None, "read(")),
            ("12:00:01 [  59] read(", (None, Some(59), None, "read(")),
            (
                "1700000000.123456 [00007f0000000001] read(",
                (None, None, Some(0x7f00_0000_0001), "read("),
            ),
            ("     0.000012 read(", (None, None, None, "read(")),
            (
                "7 12:00:01 (+     0.000123) [????????????????] read(",
                (Some(7), None, None, "read("),
            ),
            ("[pid 5] [????] ????(", (Some(5), None, None, "????(")),
        ] {
            assert_eq!(head(line), expected, "{line}");
        }
    }

    #[test]
    fn events_are_told_apart() {
        for (rest, expected) in [
            ("--- SIGSEGV {si_signo=SIGSEGV} ---", Event::Nothing),
            (
                "--- SIGSYS {si_signo=SIGSYS} ---",
                Event::Signal("--- SIGSYS {si_signo=SIGSYS} ---"),
            ),
            ("+++ exited with 0 +++", Event::Exit),
            ("+++ killed by SIGSYS (core dumped) +++", Event::Exit),
            ("strace: Process 5 attached", Event::Nothing),
            (
                "[ Process PID=5 runs in 32 bit mode. ]",
                Event::Personality(5, "32 bit mode. ]"),
            ),
            ("<... read resumed>\"\", 8) = 0", Event::Resumed("\"\", 8) = 0")),
            ("read(3,", Event::Call("read(3,")),
            ("hello world", Event::Unknown),
        ] {
            assert_eq!(event(rest), expected, "{rest}");
        }
    }
}

//! A call into its name, its arguments and its result.

use crate::trace::error::TraceProblem;

/// Most arguments that are looked at.
const MOST: usize = 16;

/// The parts of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts<'l> {
    pub(super) name: &'l str,
    /// As written, without white space around them
    pub(super) args: Vec<&'l str>,
    /// Whether all arguments are there: a process can die in a call of which strace had shown a part
    pub(super) whole: bool,
    /// Behind `=`
    pub(super) result: &'l str,
}

/// Reads `NAME(ARGS) = RESULT`.
pub(super) fn parts(text: &str) -> Result<Parts<'_>, TraceProblem> {
    let Some((name, rest)) = text.split_once('(') else {
        return Err(TraceProblem::line(0, "there is no `(`"));
    };
    let mut args = Vec::new();
    let mut scan = Scan::default();
    let (mut start, mut end) = (0_usize, None);
    for (at, c) in rest.char_indices() {
        let before = rest.get(..at).unwrap_or_default();
        let behind = rest.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
        match scan.step(c, before, behind) {
            Step::Inside => {}
            Step::Comma => {
                args.push(rest.get(start..at).unwrap_or_default().trim());
                start = at.saturating_add(1);
            }
            Step::Close => {
                end = Some(at);
                break;
            }
        }
        if args.len() > MOST {
            return Err(TraceProblem::line(name.len(), "more arguments than any call has"));
        }
    }
    let Some(end) = end else {
        return Err(TraceProblem::line(text.len(), "the call does not end"));
    };
    let last = rest.get(start..end).unwrap_or_default().trim();
    let whole = !last.ends_with("<unfinished ...>");
    let last = last.trim_end_matches("<unfinished ...>").trim();
    if !last.is_empty() {
        args.push(last);
    }
    let behind = rest.get(end.saturating_add(1)..).unwrap_or_default().trim_start();
    let Some(result) = behind.strip_prefix('=') else {
        return Err(TraceProblem::line(
            text.len().saturating_sub(behind.len()),
            "expected `=` behind the call",
        ));
    };
    Ok(Parts {
        name: name.trim(),
        args,
        whole,
        result: result.trim(),
    })
}

enum Step {
    Inside,
    Comma,
    Close,
}

/// Where in the text the scan is.
#[derive(Default)]
struct Scan {
    quoted: bool,
    escaped: bool,
    /// In `<...>` behind a descriptor (`-y`)
    path: bool,
    depth: usize,
}

impl Scan {
    fn step(&mut self, c: char, before: &str, behind: &str) -> Step {
        if self.quoted {
            self.quoted = self.escaped || c != '"';
            self.escaped = !self.escaped && c == '\\';
            return Step::Inside;
        }
        if self.path {
            self.path = c != '>';
            return Step::Inside;
        }
        match c {
            '"' => self.quoted = true,
            // `1<<N` in a set of capabilities is no path.
            '<' if before.ends_with(|c: char| c.is_ascii_alphanumeric()) && !behind.starts_with('<') => {
                self.path = true;
            }
            '(' | '[' | '{' => self.depth = self.depth.saturating_add(1),
            ')' if self.depth == 0 => return Step::Close,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            ',' if self.depth == 0 => return Step::Comma,
            _ => {}
        }
        Step::Inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_apart() {
        let read = parts("openat(AT_FDCWD</a, (b>, \"x\\\", )\", O_RDONLY|O_CLOEXEC) = 3</etc> <0.001>").unwrap();
        assert_eq!(
            (read.name, read.result, read.whole),
            ("openat", "3</etc> <0.001>", true)
        );
        assert_eq!(read.args, ["AT_FDCWD</a, (b>", "\"x\\\", )\"", "O_RDONLY|O_CLOEXEC"]);
        assert_eq!(parts("getpid() = 1").unwrap().args, [""; 0]);
        let read = parts("capset({version=3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL}) = 0").unwrap();
        assert_eq!(read.args.len(), 2);
        let cut = parts("read(3, <unfinished ...>) = ?").unwrap();
        assert_eq!((cut.args.as_slice(), cut.whole), (["3"].as_slice(), false));
    }

    #[test]
    fn what_is_no_call_is_told() {
        for text in [
            "read",
            "read(3",
            "read(3)",
            "read(\"",
            "f(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1) = 0",
        ] {
            assert!(parts(text).is_err(), "{text}");
        }
    }
}

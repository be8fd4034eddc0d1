//! Audit records of the kernel: `SECCOMP` (1326) and `SYSCALL` (1300), in the audit log, the kernel log or the journal.

use callproof_abi::Abi;

use super::error::TraceProblem;
use super::seen::{ArgSeen, Outcome, TraceCall};

/// What a line says. Lines of other records and of other programs say nothing.
pub(super) fn line(line: &str) -> Result<Option<TraceCall>, TraceProblem> {
    let fields = Fields(line);
    let kind = fields.get("type").map(|(kind, _)| kind);
    let seccomp = matches!(kind, Some("SECCOMP" | "1326"));
    if seccomp || matches!(kind, Some("SYSCALL" | "1300")) {
        record(&fields, None).map(Some)
    } else {
        Ok(None)
    }
}

/// `KEY=VALUE` words of a line; values in quotes can hold anything.
#[derive(Clone, Copy)]
pub(super) struct Fields<'l>(pub(super) &'l str);

impl<'l> Fields<'l> {
    /// The value of the first field of this name, and where it begins.
    pub(super) fn get(&self, wanted: &str) -> Option<(&'l str, usize)> {
        let mut at = 0_usize;
        loop {
            let rest = self.0.get(at..)?;
            let word = rest.trim_start_matches([' ', '\t', '\u{1d}']);
            at = at.saturating_add(rest.len().saturating_sub(word.len()));
            if word.is_empty() {
                return None;
            }
            let length = length(word);
            let found = word.get(..length).unwrap_or_default();
            if let Some((key, value)) = found.split_once('=')
                && key == wanted
            {
                return Some((value.trim_matches('"'), at.saturating_add(key.len()).saturating_add(1)));
            }
            at = at.saturating_add(length);
        }
    }
}

/// How long the first word is: up to white space outside of quotes.
fn length(text: &str) -> usize {
    let mut quoted = false;
    let end = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        !quoted && matches!(c, ' ' | '\t' | '\u{1d}')
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// Fields that stand elsewhere than in the text.
pub(super) type Other<'o> = &'o dyn Fn(&str) -> Option<String>;

/// A record by its fields; `other` gives those that stand elsewhere.
pub(super) fn record(fields: &Fields<'_>, other: Option<Other<'_>>) -> Result<TraceCall, TraceProblem> {
    let get = |name: &str| {
        let here = fields.get(name).map(|(value, at)| (value.to_owned(), at));
        here.or_else(|| other.and_then(|other| other(name)).map(|value| (value, 0)))
    };
    let needed = |name: &str| get(name).ok_or_else(|| TraceProblem::line(0, format!("the record has no `{name}=`")));
    let (arch, at) = needed("arch")?;
    let arch = self::arch(&arch)
        .ok_or_else(|| TraceProblem::line(at, format!("`{}` is no `arch` word", crate::text::shown(&arch))))?;
    let (nr, at) = needed("syscall")?;
    let nr = self::nr(arch, &nr)
        .ok_or_else(|| TraceProblem::line(at, format!("`{}` is no system call", crate::text::shown(&nr))))?;
    let mut call = TraceCall::of(arch, nr);
    let hex = |name: &str| get(name).and_then(|(value, _)| hex(&value));
    call.pid = get("pid").and_then(|(value, _)| value.parse().ok());
    call.ip = hex("ip");
    for (arg, name) in call.args.iter_mut().zip(["a0", "a1", "a2", "a3"]) {
        *arg = hex(name).map_or(ArgSeen::Unknown, ArgSeen::Known);
    }
    let code = hex("code").and_then(|code| u32::try_from(code).ok());
    let exit = get("exit").and_then(|(value, _)| value.parse::<i64>().ok());
    call.outcome = match (code, exit) {
        (Some(code), _) => Outcome::Verdict(code),
        (None, Some(exit @ -4095..=-1)) => Outcome::Failed(u32::try_from(exit.unsigned_abs()).unwrap_or_default()),
        (None, Some(exit)) => Outcome::Returned(exit),
        (None, None) => Outcome::Unknown,
    };
    Ok(call)
}

/// Hexadecimal, with or without `0x`.
fn hex(value: &str) -> Option<u64> {
    u64::from_str_radix(value.strip_prefix("0x").unwrap_or(value), 16).ok()
}

/// The word in hexadecimal, or the name of an ABI.
fn arch(value: &str) -> Option<u32> {
    let word = hex(value).and_then(|word| u32::try_from(word).ok());
    word.or_else(|| Abi::from_name(value).ok().map(Abi::audit_arch))
}

/// A number, as the kernel prints an `int`, or a name.
fn nr(arch: u32, value: &str) -> Option<u32> {
    let number = value.parse::<i64>().ok();
    let number = number.and_then(|number| match u32::try_from(number) {
        Ok(number) => Some(number),
        Err(_) => i32::try_from(number).ok().map(i32::cast_unsigned),
    });
    number.or_else(|| Abi::from_audit_arch(arch)?.number(value).ok())
}

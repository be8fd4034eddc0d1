//! Which format an input has.
//!
//! Each format has a look that is seen without reading the whole input. Where several formats have it, those that
//! can read the input remain; where these differ in the program they read, the path's extension decides; and where it
//! does not, the answer is an error that names them. Nothing is guessed.

use crate::error::{Problem, ReadError};
use crate::load::ReadOptions;
use crate::table::{Look, look};
use crate::{Format, Program, asm, hex, seccomp_tools, strace};

/// Finds the format of an input. `path` is where it came from, if from a file.
///
/// # Errors
/// When no format has the look of the input, or several have it equally ([`Problem::AmbiguousFormat`]).
///
/// ```
/// use callproof_formats::{Format, detect};
/// assert_eq!(detect(b"\x06\0\0\0\0\0\xff\x7f", None)?, Format::Raw);
/// assert_eq!(detect(b"1\n6 0 0 2147418112\n", None)?, Format::Decimal);
/// # Ok::<(), callproof_formats::ReadError>(())
/// ```
pub fn detect(bytes: &[u8], path: Option<&str>) -> Result<Format, ReadError> {
    let options = ReadOptions {
        path,
        ..ReadOptions::default()
    };
    detect_with(bytes, &options)
}

pub(crate) fn detect_with(bytes: &[u8], options: &ReadOptions<'_>) -> Result<Format, ReadError> {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return binary(bytes);
    };
    if bytes.contains(&0) {
        return binary(bytes);
    }
    if text.trim().is_empty() {
        return Err(ReadError::whole(Problem::Empty));
    }
    let fits: Vec<_> = Format::ALL
        .iter()
        .copied()
        .filter(|format| fits(*format, text))
        .collect();
    choose(fits, bytes, options)
}

/// Bytes that are no text are a raw array, if the kernel could accept any of it: all its opcodes have a zero byte.
fn binary(bytes: &[u8]) -> Result<Format, ReadError> {
    const FOREIGN: [(&[u8], &str); 5] = [
        (b"\x7fELF", "it is an ELF file, which may install filters but is none"),
        (b"\x1f\x8b", "it is compressed with gzip"),
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd"),
        (b"\xff\xfe", "it is UTF-16 text"),
        (b"\xfe\xff", "it is UTF-16 text"),
    ];
    if let Some((_, why)) = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(unknown(why));
    }
    if bytes.contains(&0) {
        Ok(Format::Raw)
    } else {
        Err(unknown(
            "it is no text, and no raw array either, because no opcode has a zero byte",
        ))
    }
}

fn unknown(why: &str) -> ReadError {
    ReadError::whole(Problem::UnknownFormat { why: why.to_owned() })
}

fn choose(fits: Vec<Format>, bytes: &[u8], options: &ReadOptions<'_>) -> Result<Format, ReadError> {
    let fits = if fits.len() > 1 {
        readable(fits, bytes, options)
    } else {
        fits
    };
    let extension = options.path.and_then(extension).unwrap_or_default();
    let named = |format: &&Format| format.extensions().contains(&extension);
    match fits.as_slice() {
        // The path says what it was meant to be, and that format's reader can say what is wrong with it.
        [] => Format::ALL
            .iter()
            .find(named)
            .copied()
            .ok_or_else(|| unknown("it looks like none of them")),
        [format] => Ok(*format),
        _ => {
            let hinted = fits.iter().find(named).copied();
            hinted.ok_or_else(|| ReadError::whole(Problem::AmbiguousFormat { fits }))
        }
    }
}

/// The formats that can read the input; one of them when all of them read the same; all formats when none can.
fn readable(fits: Vec<Format>, bytes: &[u8], options: &ReadOptions<'_>) -> Vec<Format> {
    let insns = |programs: Vec<Program>| programs.into_iter().map(|program| program.insns).collect::<Vec<_>>();
    let read = |format: &Format| {
        options
            .read_as(*format, bytes)
            .ok()
            .map(|programs| (*format, insns(programs)))
    };
    let readings: Vec<_> = fits.iter().filter_map(read).collect();
    let Some(((first, program), others)) = readings.split_first() else {
        return fits;
    };
    if others.iter().all(|(_, other)| other == program) {
        vec![*first]
    } else {
        readings.into_iter().map(|(format, _)| format).collect()
    }
}

fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}

/// Whether a text has the look of a format.
fn fits(format: Format, text: &str) -> bool {
    match format {
        Format::Raw => false,
        Format::Hex => looks_hex(text),
        Format::Decimal => looks_decimal(text, char::is_whitespace),
        Format::DecimalLine => looks_decimal(text, |c| c == ','),
        Format::C => looks_c(text),
        Format::Asm => asm::looks(text),
        Format::SeccompTools => matches!(look(text), Some(Look::SeccompTools | Look::Either)),
        Format::SeccompToolsAsm => seccomp_tools::looks(text),
        Format::Libseccomp => matches!(look(text), Some(Look::Libseccomp | Look::Either)),
        Format::Strace => text.lines().any(|line| strace::installing_call(line).is_some()),
    }
}

/// The first line with anything on it has only hex digits, in pairs.
fn looks_hex(text: &str) -> bool {
    let line = text
        .lines()
        .map(hex::without_comment)
        .find(|line| !line.trim().is_empty());
    line.is_some_and(|line| {
        let groups = line
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|group| !group.is_empty());
        let digits = groups.map(|group| group.strip_prefix("0x").filter(|byte| byte.len() == 2).unwrap_or(group));
        digits
            .into_iter()
            .all(|group| group.len().is_multiple_of(2) && group.bytes().all(|digit| digit.is_ascii_hexdigit()))
    })
}

/// A count, the separator, and a number.
fn looks_decimal(text: &str, separator: impl Fn(char) -> bool) -> bool {
    let text = text.trim();
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let counted = rest.len() < text.len();
    let mut rest = rest.chars();
    let separated = rest.next().is_none_or(separator);
    counted && separated && rest.all(|c| c.is_ascii_digit() || c.is_whitespace() || matches!(c, ',' | '-' | '+'))
}

/// A word of C filters, or a brace and what can follow it; but strace prints these words too.
fn looks_c(text: &str) -> bool {
    let words = ["BPF_STMT", "BPF_JUMP", "sock_filter"];
    let row = |rest: &str| {
        rest.trim_start()
            .starts_with(|c: char| c.is_alphanumeric() || "{.(/".contains(c))
    };
    let named = words.iter().any(|word| text.contains(word)) || text.trim_start().strip_prefix('{').is_some_and(row);
    named && !text.lines().any(|line| strace::installing_call(line).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_names_the_reader_of_what_looks_like_nothing() {
        let cut = b"\x01\x02\x03";
        assert_eq!(detect(cut, Some("filter.bpf")).ok(), Some(Format::Raw));
        assert!(detect(cut, Some("filter")).is_err());
        assert!(detect(cut, None).is_err());
    }
}

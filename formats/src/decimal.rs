//! `N`, then `code jt jf k` for each instruction, in decimal.
//!
//! `tcpdump -ddd` prints one instruction a line; `bpf_asm` prints one line with commas, which `bpf_dbg` and
//! `iptables -m bpf --bytecode` take. Both are read by the same grammar.

use core::fmt::Write as _;

use callproof_vm::Insn;
use winnow::Parser as _;
use winnow::ascii::{digit1, multispace0};
use winnow::error::ErrMode;
use winnow::token::one_of;

use crate::error::{Fault, Parsed, Problem};
use crate::load::push;
use crate::text::shown;

/// Reads both forms.
pub(crate) fn read(text: &str) -> Parsed<Vec<Insn>> {
    let mut numbers = Numbers { text, rest: text };
    let start = text.len().saturating_sub(text.trim_start().len());
    let stated = numbers.number("the number of instructions", u64::from(u16::MAX))?;
    let head = start..text.len().saturating_sub(numbers.rest.len());
    let mut insns = Vec::new();
    while numbers.more() {
        let at = numbers.offset();
        let insn = numbers.insn()?;
        push(&mut insns, insn, at..numbers.offset())?;
    }
    let found = insns.len();
    if u64::try_from(found) != Ok(stated) {
        let stated = usize::try_from(stated).unwrap_or(usize::MAX);
        return Err(Fault::new(Problem::Count { stated, found }, head));
    }
    Ok(insns)
}

struct Numbers<'s> {
    text: &'s str,
    rest: &'s str,
}

impl Numbers<'_> {
    const fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    /// Whether anything but white space and commas is left.
    fn more(&mut self) -> bool {
        let separators = |c: char| c.is_whitespace() || c == ',';
        self.rest = self.rest.trim_start_matches(separators);
        !self.rest.is_empty()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "each number is held to the size of its field"
    )]
    fn insn(&mut self) -> Parsed<Insn> {
        let code = self.number("the opcode", u64::from(u16::MAX))? as u16;
        let jt = self.number("jt", u64::from(u8::MAX))? as u8;
        let jf = self.number("jf", u64::from(u8::MAX))? as u8;
        let k = self.number("k", u64::from(u32::MAX))? as u32;
        Ok(Insn::new(code, jt, jf, k))
    }

    /// Takes one decimal number.
    fn number(&mut self, field: &'static str, max: u64) -> Parsed<u64> {
        let digits: Result<&str, ErrMode<()>> = (multispace0, digit1)
            .map(|(_, digits)| digits)
            .parse_next(&mut self.rest);
        let Ok(digits) = digits else {
            return Err(self.not_a_number(field));
        };
        let end = self.offset();
        let span = end.saturating_sub(digits.len())..end;
        if let Some(c) = self.rest.chars().next().filter(|c| !c.is_whitespace() && *c != ',') {
            let word = format!("{}{c}...", shown(digits));
            return Err(Fault::new(Problem::NotDecimal { text: word }, span));
        }
        digits.parse().ok().filter(|value| *value <= max).ok_or_else(|| {
            let text = shown(digits);
            Fault::new(Problem::NumberRange { text, field, max }, span)
        })
    }

    fn not_a_number(&mut self, expected: &'static str) -> Fault {
        let _: Result<&str, ErrMode<()>> = multispace0.parse_next(&mut self.rest);
        let at = self.offset();
        let sign: Result<char, ErrMode<()>> = one_of(['-', '+']).parse_next(&mut self.rest);
        let word = self
            .rest
            .split(|c: char| c.is_whitespace() || c == ',')
            .next()
            .unwrap_or_default();
        let length = word.len().saturating_add(usize::from(sign.is_ok()));
        let span = at..at.saturating_add(length);
        match self.text.get(span.clone()).filter(|word| !word.is_empty()) {
            Some(word) => Fault::new(Problem::NotDecimal { text: shown(word) }, span),
            None => {
                let found = "the end".to_owned();
                Fault::new(Problem::Unexpected { expected, found }, span)
            }
        }
    }
}

/// Writes one instruction a line.
pub(crate) fn write(program: &[Insn]) -> String {
    let mut text = format!("{}\n", program.len());
    for Insn { code, jt, jf, k } in program {
        let _ = writeln!(text, "{code} {jt} {jf} {k}");
    }
    text
}

/// Writes one line.
pub(crate) fn write_line(program: &[Insn]) -> String {
    let mut text = program.len().to_string();
    for Insn { code, jt, jf, k } in program {
        let _ = write!(text, ",{code} {jt} {jf} {k}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: Insn = Insn::stmt(6, 0x7fff_0000);

    #[test]
    fn reads_both_forms() {
        for text in [
            "1\n6 0 0 2147418112\n",
            "1,6 0 0 2147418112,\n",
            "1,6 0 0 2147418112",
            " 1 \r\n 6 0 0 2147418112\r\n",
        ] {
            assert_eq!(read(text).unwrap(), [ALLOW], "{text}");
        }
        assert_eq!(read("0").unwrap(), []);
    }

    #[test]
    fn faults_have_a_place() {
        let fault = |text| {
            let fault = read(text).unwrap_err();
            (*fault.problem, fault.span)
        };
        let not = |text: &str| Problem::NotDecimal { text: text.to_owned() };
        assert_eq!(fault("2\n6 0 0 0\n"), (Problem::Count { stated: 2, found: 1 }, 0..1));
        assert_eq!(fault("1,6 0 -1 0"), (not("-1"), 6..8));
        assert_eq!(fault("1,6 0x0 0 0"), (not("0x..."), 4..5));
        assert!(matches!(fault("1,6 256 0 0"), (Problem::NumberRange { max: 255, .. }, span) if span == (4..7)));
        assert!(
            matches!(fault("1,6 0 0"), (Problem::NotDecimal { .. } | Problem::Unexpected { .. }, span) if span == (7..7))
        );
        assert!(matches!(
            fault("1,6 0 0,"),
            (Problem::NotDecimal { .. } | Problem::Unexpected { .. }, _)
        ));
    }
}

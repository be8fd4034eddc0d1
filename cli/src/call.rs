//! A call as people write it: `socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0)`, `59`, `59(0x1000, 0, 0)`.

use callproof_abi::Abi;
use callproof_vm::SeccompData;

use crate::error::{Failure, Result};

/// A call, parsed. What its names mean depends on the ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    text: String,
    target: Target,
    args: Vec<Vec<Term>>,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Name(String),
    Number(i32),
}

/// One alternative of an argument that is or-ed together, and where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    start: usize,
    text: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// A number. A negative one is as wide as the kernel reads the argument
    Number(i128),
    /// `raw:` and the exact 64 bits of the register
    Raw(u64),
    Constant,
}

impl Call {
    /// Reads a call.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let whole = text.trim();
        let offset = text.len().saturating_sub(text.trim_start().len());
        let (head, args) = match whole.split_once('(') {
            None => (whole, None),
            Some((head, rest)) => {
                let inside = rest.strip_suffix(')');
                let inside = inside.ok_or_else(|| wrong(text, text.len(), 0, "a `)` is missing at the end"))?;
                (
                    head,
                    Some((inside, offset.saturating_add(head.len()).saturating_add(1))),
                )
            }
        };
        Ok(Self {
            text: whole.to_owned(),
            target: parse_target(text, head.trim_end(), offset)?,
            args: parse_args(text, args)?,
        })
    }

    /// The text it was read from.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The call's name, when it was not given by number.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.target {
            Target::Name(name) => Some(name),
            Target::Number(_) => None,
        }
    }

    /// Whether an ABI has the call. Every ABI has every number.
    pub(crate) fn exists_on(&self, abi: Abi) -> bool {
        self.name().is_none_or(|name| abi.number(name).is_ok())
    }

    /// The record that a filter sees of this call on an ABI.
    pub(crate) fn resolve(&self, abi: Abi, instruction_pointer: u64) -> Result<SeccompData> {
        let nr = match &self.target {
            Target::Number(number) => *number,
            Target::Name(name) => {
                let number = abi.number(name).map_err(|unknown| {
                    wrong(&self.text, 0, name.len(), unknown).with_help("name a call of this ABI, or give a number")
                })?;
                number.cast_signed()
            }
        };
        let mut args = [0; 6];
        for ((index, slot), terms) in args.iter_mut().enumerate().zip(&self.args) {
            *slot = terms.iter().try_fold(0, |bits, term| {
                Ok::<u64, Failure>(bits | self.value_of(term, abi, nr, index)?)
            })?;
        }
        Ok(SeccompData {
            nr,
            arch: abi.audit_arch(),
            instruction_pointer,
            args,
        })
    }

    fn value_of(&self, term: &Term, abi: Abi, nr: i32, index: usize) -> Result<u64> {
        let number = match term.value {
            Value::Raw(bits) => return Ok(bits),
            Value::Number(number) => number,
            Value::Constant => {
                let constant = callproof_abi::constant(abi, &term.text).map_err(|unknown| {
                    wrong(&self.text, term.start, term.text.len(), unknown).with_help("give a number instead")
                })?;
                // Negative constants, such as AT_FDCWD, are tabulated as 64-bit registers.
                i128::from(constant.cast_signed())
            }
        };
        Ok(register(number, read_bits(abi, nr, index)))
    }
}

/// How many bits of an argument the kernel reads; all that the register has when the call is unknown.
fn read_bits(abi: Abi, nr: i32, index: usize) -> u32 {
    let call = abi.syscall(nr.cast_unsigned());
    let prototype = call.and_then(|call| call.prototype());
    let arg = prototype.and_then(|prototype| prototype.args.get(index));
    arg.map_or(abi.register_bits(), |arg| arg.width(abi).bits)
}

/// The register that a compiler would fill with a number: a negative one is cut to the bits that the kernel reads, as
/// `mov edi, -100` does for `AT_FDCWD`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "two's complement is wanted, and numbers were checked to fit 64 bits"
)]
const fn register(number: i128, bits: u32) -> u64 {
    let raw = number as u64;
    if number < 0 && bits <= 32 {
        raw & 0xffff_ffff
    } else {
        raw
    }
}

fn parse_target(text: &str, head: &str, start: usize) -> Result<Target> {
    if head.is_empty() {
        return Err(wrong(text, start, 0, "the name or number of the call is missing"));
    }
    if head.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        let number = number(head).and_then(|number| {
            let unsigned = u32::try_from(number).ok().map(u32::cast_signed);
            unsigned.or_else(|| i32::try_from(number).ok())
        });
        let refuse = || {
            wrong(
                text,
                start,
                head.len(),
                format_args!("`{head}` is not a call number of 32 bits"),
            )
        };
        return number.map(Target::Number).ok_or_else(refuse);
    }
    if is_name(head) {
        return Ok(Target::Name(head.to_owned()));
    }
    Err(wrong(
        text,
        start,
        head.len(),
        format_args!("`{head}` is not the name of a call"),
    ))
}

fn parse_args(text: &str, args: Option<(&str, usize)>) -> Result<Vec<Vec<Term>>> {
    let Some((inside, mut start)) = args.filter(|(inside, _)| !inside.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let mut parsed = Vec::new();
    for (number, arg) in inside.split(',').enumerate() {
        if number == 6 {
            return Err(wrong(text, start, arg.len(), "a call has at most 6 arguments"));
        }
        let mut terms = Vec::new();
        let mut term_start = start;
        for term in arg.split('|') {
            terms.push(parse_term(text, term, term_start)?);
            term_start = term_start.saturating_add(term.len()).saturating_add(1);
        }
        parsed.push(terms);
        start = start.saturating_add(arg.len()).saturating_add(1);
    }
    Ok(parsed)
}

fn parse_term(text: &str, term: &str, start: usize) -> Result<Term> {
    let start = start.saturating_add(term.len().saturating_sub(term.trim_start().len()));
    let term = term.trim();
    let refuse = |why: String, help: &str| Err(wrong(text, start, term.len(), why).with_help(help));
    let value = match term {
        "" => {
            return refuse(
                "an argument is missing".to_owned(),
                "write 0 for an argument that does not matter",
            );
        }
        "_" => {
            return refuse(
                "`_` stands for every value, but one call has one value".to_owned(),
                "write a number",
            );
        }
        "NULL" => Value::Number(0),
        _ if term.starts_with('"') => {
            let why = "a filter sees the address of a string and not its text".to_owned();
            return refuse(why, "write an address, such as 0x7000");
        }
        _ if is_name(term) => Value::Constant,
        _ => {
            let (digits, raw) = term.strip_prefix("raw:").map_or((term, false), |digits| (digits, true));
            let fits = |number: &i128| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number);
            match number(digits).filter(fits) {
                Some(number) if raw => Value::Raw(register(number, 64)),
                Some(number) => Value::Number(number),
                None => {
                    return refuse(
                        format!("`{term}` is not a value of 64 bits"),
                        "write a number (decimal, 0x..., 0...), a constant such as O_RDONLY, or several with `|`",
                    );
                }
            }
        }
    };
    Ok(Term {
        start,
        text: term.to_owned(),
        value,
    })
}

/// A number as C writes it, with a sign.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (lower.as_str(), 8),
        None => (lower.as_str(), 10),
    };
    // `from_str_radix` takes a sign of its own.
    let number = i128::from_str_radix(digits, radix)
        .ok()
        .filter(|_| !digits.starts_with(['+', '-']))?;
    Some(if negative { number.saturating_neg() } else { number })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn wrong(text: &str, start: usize, len: usize, why: impl core::fmt::Display) -> Failure {
    Failure::usage(why)
        .at(format_args!(
            "call, column {}",
            text.get(..start)
                .map_or(0, |head| head.chars().count())
                .saturating_add(1)
        ))
        .with_help("write a call such as `openat(AT_FDCWD, 0x7000, O_RDONLY)`, or its number")
        .quoting("call", text, start, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str, abi: Abi) -> SeccompData {
        Call::parse(text).unwrap().resolve(abi, 0).unwrap()
    }

    fn complaint(text: &str) -> String {
        let failure = Call::parse(text)
            .and_then(|call| call.resolve(Abi::X86_64, 0))
            .unwrap_err();
        format!("{}: {failure}", failure.place().unwrap())
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(resolve("getpid", Abi::X86_64).nr, 39);
        assert_eq!(resolve("getpid()", Abi::I386).nr, 20);
        assert_eq!(resolve("getpid", Abi::X32).nr, 0x4000_0027);
        assert_eq!(resolve(" 0x27 ( ) ", Abi::X86_64).nr, 39);
        assert_eq!(resolve("-1", Abi::X86_64).nr, -1);
        assert_eq!(resolve("4294967295", Abi::X86_64).nr, -1);
        assert_eq!(resolve("59(1, 2)", Abi::X86_64).args, [1, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn arguments_are_what_a_compiler_would_put_into_the_register() {
        let args = |text: &str| resolve(text, Abi::X86_64).args;
        assert_eq!(args("socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0)")[..2], [2, 0x80001]);
        assert_eq!(args("openat(AT_FDCWD, NULL, 0)")[0], 0xffff_ff9c, "an int");
        assert_eq!(args("mmap(-1)")[0], u64::MAX, "a long");
        assert_eq!(args("openat(raw:-1)")[0], u64::MAX);
        assert_eq!(args("openat(0x1_0000_0000)".replace('_', "").as_str())[0], 1 << 32);
        assert_eq!(args("chmod(0, 0755)")[1], 0o755);
        assert_eq!(resolve("mmap(-1)", Abi::I386).args[0], 0xffff_ffff);
    }

    #[test]
    fn complaints_say_where() {
        assert_eq!(
            complaint(""),
            "call, column 1: the name or number of the call is missing"
        );
        assert_eq!(complaint("read(0"), "call, column 7: a `)` is missing at the end");
        assert_eq!(complaint("read(0,)"), "call, column 8: an argument is missing");
        assert_eq!(
            complaint("read(_)"),
            "call, column 6: `_` stands for every value, but one call has one value"
        );
        assert_eq!(
            complaint("read(1,2,3,4,5,6,7)"),
            "call, column 18: a call has at most 6 arguments"
        );
        assert_eq!(
            complaint("read(0, 1 2)"),
            "call, column 9: `1 2` is not a value of 64 bits"
        );
        assert_eq!(
            complaint("99999999999"),
            "call, column 1: `99999999999` is not a call number of 32 bits"
        );
        assert!(
            complaint("raed(0)").ends_with("did you mean `read`?"),
            "{}",
            complaint("raed(0)")
        );
        assert!(
            complaint("socket(AF_INTE)").starts_with("call, column 8: unknown constant"),
            "{}",
            complaint("socket(AF_INTE)")
        );
        for odd in [
            "(",
            ")",
            "read)(",
            "read(0x)",
            "read(--1)",
            "read(+1)",
            "\u{e9}(1)",
            "read(\u{e9}, \"x\")",
            "0x",
            "read(340282366920938463463374607431768211456)",
        ] {
            assert!(Call::parse(odd).is_err(), "{odd}");
        }
    }
}

//! One system call in words: `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC)`.
//!
//! | written | means |
//! |---|---|
//! | `openat(...)`, `59(...)`, `-1()` | a call by name, or by the number that a filter sees (with bit 30 on x32) |
//! | `nr=59 arch=0xc000003e a0=1 ip=0x1000` | the fields of `seccomp_data`; they can also follow a call |
//! | `7`, `0x1f`, `017`, `0b11`, `'a'` | exactly this 64-bit register |
//! | `O_RDONLY\|O_CLOEXEC`, `1<<3`, `~7`, `-1`, `(a + b)` | an expression of C, on 64 bits |
//! | `AF_INET`, `EPERM`, `SIGKILL` | a constant of the call's ABI |
//! | `_`, `NULL` | 0 |
//! | `"text"` | an address: [`STRING`], since a filter sees addresses and never what is there |
//! | `raw:-1` | the expression's 64 bits as they are |
//!
//! Arguments left out are 0. An expression that is negative as a C number is cut to the bits that the kernel reads of
//! the argument, which is what compiled C leaves in the register on 64-bit machines: `-1` is `0xffffffff` for an `int`
//! and all ones for a `long`. Where the kernel's entry point is not known, it is cut to the ABI's registers.

use core::fmt::Write as _;

use callproof_abi::{Abi, Arg, constant, errno_number, signal_number};
use callproof_vm::SeccompData;

use crate::error::{Parsed, Problem, ReadError};
use crate::text::{Cursor, Kind, Names, Style, Token, expression, narrow, number};

/// The address that stands for any string: not null, not on the zero page that no program may map, and below 4 GiB
/// for every ABI.
pub const STRING: u64 = 0x0040_0000;

/// Longest text of a call that is read, in bytes.
pub const MAX_CALL: usize = 4096;

const STYLE: Style = Style { line: &[], block: true };

/// Reads a call of an ABI. `arch=` in the text takes the place of `abi`.
///
/// ```
/// use callproof_abi::Abi;
/// use callproof_formats::call;
/// let data = call::parse("socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0)", Abi::X86_64)?;
/// assert_eq!((data.nr, data.arch, data.args[1]), (41, 0xc000_003e, 0x80001));
/// # Ok::<(), callproof_formats::ReadError>(())
/// ```
///
/// # Errors
/// With the place of the fault in the text: an unknown name (and the nearest known ones), a number out of range,
/// or text that is no call.
pub fn parse(text: &str, abi: Abi) -> Result<SeccompData, ReadError> {
    if text.len() > MAX_CALL {
        return Err(ReadError::whole(Problem::Call {
            message: format!(
                "a call of {} bytes is too long; at most {MAX_CALL} are read",
                text.len()
            ),
        }));
    }
    let reader = Reader {
        cursor: Cursor::new(text, 0, STYLE),
        abi,
        data: SeccompData::new(abi.audit_arch(), 0, [0; 6]),
    };
    reader
        .read()
        .map_err(|fault| ReadError::in_text(fault, text).named("call"))
}

struct Reader<'s> {
    cursor: Cursor<'s>,
    abi: Abi,
    data: SeccompData,
}

impl<'s> Reader<'s> {
    fn read(mut self) -> Parsed<SeccompData> {
        // What follows the call may name its ABI, and must be known before the call is read.
        self.find_arch()?;
        let first = self.cursor.peek()?;
        let is_field = first.kind == Kind::Word && {
            let mut ahead = self.cursor.clone();
            ahead.next()?;
            ahead.peek()?.is("=")
        };
        if !is_field {
            self.call()?;
        }
        while self.cursor.peek()?.kind != Kind::End {
            self.field()?;
            self.cursor.eat(",")?;
        }
        Ok(self.data)
    }

    /// Looks ahead for `arch=`.
    fn find_arch(&mut self) -> Parsed<()> {
        let mut ahead = self.cursor.clone();
        loop {
            let token = ahead.next()?;
            if token.kind == Kind::End {
                return Ok(());
            }
            if token.text == "arch" && ahead.eat("=")? {
                let value = ahead.next()?;
                return self.set_arch(&value);
            }
        }
    }

    fn set_arch(&mut self, token: &Token<'_>) -> Parsed<()> {
        match token.kind {
            Kind::Number => {
                self.data.arch = word(number(token)?, "arch", token)?;
                // The number alone cannot tell x32 from x86_64; the ABI that the caller named stays if it fits.
                if self.abi.audit_arch() != self.data.arch {
                    self.abi = Abi::from_audit_arch(self.data.arch).unwrap_or(self.abi);
                }
            }
            _ => {
                self.abi = Abi::from_name(token.text).map_err(|error| unknown(token, &error))?;
                self.data.arch = self.abi.audit_arch();
            }
        }
        Ok(())
    }

    /// `NAME`, `NUMBER` or either with arguments.
    fn call(&mut self) -> Parsed<()> {
        self.number_of_call()?;
        if !self.cursor.eat("(")? {
            return Ok(());
        }
        let args = self.args();
        let mut index = 0_usize;
        while !self.cursor.eat(")")? {
            let token = self.cursor.peek()?;
            let value = self.value(args.get(index))?;
            let slot = self.data.args.get_mut(index);
            *slot.ok_or_else(|| wrong(&token, "a system call has at most 6 arguments"))? = value;
            index = index.saturating_add(1);
            let after = self.cursor.peek()?;
            if !self.cursor.eat(",")? && !after.is(")") {
                return Err(after.unexpected("an operator, `,` or `)`"));
            }
        }
        Ok(())
    }

    /// What the kernel reads of the call's arguments.
    fn args(&self) -> &'static [Arg] {
        let call = self.abi.syscall(self.data.nr.cast_unsigned());
        call.and_then(|call| call.prototype())
            .map_or(&[], |prototype| prototype.args)
    }

    fn number_of_call(&mut self) -> Parsed<()> {
        let token = self.cursor.next()?;
        let negative = token.is("-");
        let token = if negative { self.cursor.next()? } else { token };
        let nr = match token.kind {
            Kind::Word if !negative => self.abi.number(token.text).map_err(|error| unknown(&token, &error))?,
            Kind::Number => {
                let value = number(&token)?;
                word(
                    if negative { value.wrapping_neg() } else { value },
                    "a call's number",
                    &token,
                )?
            }
            Kind::End => return Err(wrong(&token, "there is no call")),
            _ => return Err(token.unexpected("the name or number of a system call")),
        };
        self.data.nr = nr.cast_signed();
        Ok(())
    }

    /// `nr=`, `arch=`, `ip=`, `a0=` to `a5=`.
    fn field(&mut self) -> Parsed<()> {
        const EXPECTED: &str = "`nr=`, `arch=`, `ip=` or `a0=` to `a5=`";
        let name = self.cursor.word(EXPECTED)?;
        self.cursor.expect("=", "`=`")?;
        match name.text {
            "nr" => self.number_of_call()?,
            "arch" => {
                self.cursor.next()?;
            }
            "ip" => self.data.instruction_pointer = self.value(None)?,
            field => {
                let index = field.strip_prefix('a').and_then(|index| index.parse::<usize>().ok());
                let index = index
                    .filter(|index| *index < 6)
                    .ok_or_else(|| name.unexpected(EXPECTED))?;
                let value = self.value(self.args().get(index))?;
                if let Some(slot) = self.data.args.get_mut(index) {
                    *slot = value;
                }
            }
        }
        Ok(())
    }

    /// The value of one argument, as it lies in the register.
    fn value(&mut self, arg: Option<&Arg>) -> Parsed<u64> {
        let names = Constants { abi: self.abi };
        let first = self.cursor.peek()?;
        let mut after = self.cursor.clone();
        after.next()?;
        let next = after.peek()?;
        if first.text == "raw" && next.is(":") {
            after.next()?;
            self.cursor = after;
            return expression(&mut self.cursor, &names);
        }
        let value = expression(&mut self.cursor, &names)?;
        // A number that stands alone is meant as it is written.
        let alone = first.kind == Kind::Number && self.cursor.offset() == first.span().end;
        Ok(if alone { value } else { cut(value, arg, self.abi) })
    }
}

/// Cuts a value that is negative as a C number to what a compiled program leaves in the register.
fn cut(value: u64, arg: Option<&Arg>, abi: Abi) -> u64 {
    let bits = arg.map_or(abi.register_bits(), |arg| arg.width(abi).bits.max(32));
    if value.cast_signed() < 0 && bits < 64 {
        value & u64::from(u32::MAX)
    } else {
        value
    }
}

/// A 32-bit word, which may be written as a negative number.
fn word(value: u64, field: &'static str, token: &Token<'_>) -> Parsed<u32> {
    let value = narrow(value, u64::from(u32::MAX), field, token)?;
    Ok(u32::try_from(value).unwrap_or(u32::MAX))
}

fn unknown(token: &Token<'_>, error: &callproof_abi::UnknownName) -> crate::error::Fault {
    token.fault(Problem::UnknownName {
        message: error.to_string(),
    })
}

fn wrong(token: &Token<'_>, message: &str) -> crate::error::Fault {
    token.fault(Problem::Call {
        message: message.to_owned(),
    })
}

/// Constants, characters and strings of an ABI's programs.
struct Constants {
    abi: Abi,
}

impl Names for Constants {
    fn operand(&self, token: &Token<'_>, _: &mut Cursor<'_>) -> Parsed<u64> {
        match (token.kind, token.text) {
            (Kind::Word, "_" | "NULL") => Ok(0),
            (Kind::Word, name) => self.named(name).map_err(|error| unknown(token, &error)),
            (Kind::Text, _) => Ok(STRING),
            (Kind::Char, text) => character(text).ok_or_else(|| wrong(token, "this is not one character")),
            (Kind::End, _) => Err(token.unexpected("an argument or `)`")),
            _ => Err(token.unexpected("a number, a constant, a string or `_`")),
        }
    }

    fn is_type(&self, word: &str) -> bool {
        matches!(
            word,
            "int" | "unsigned" | "long" | "void" | "char" | "size_t" | "struct" | "const"
        )
    }
}

impl Constants {
    fn named(&self, name: &str) -> Result<u64, callproof_abi::UnknownName> {
        let found = constant(self.abi, name);
        found.or_else(|error| {
            let errno = || errno_number(self.abi, name).ok();
            let signal = || signal_number(self.abi, name).ok();
            errno().or_else(signal).map(u64::from).ok_or(error)
        })
    }
}

/// The value of `'a'`, `'\n'` or `'\0'`.
fn character(text: &str) -> Option<u64> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut characters = inner.chars();
    let value = match (characters.next()?, characters.next()) {
        ('\\', Some(escaped)) => match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '0' => '\0',
            '\\' | '\'' | '"' => escaped,
            _ => return None,
        },
        ('\\', None) | (_, Some(_)) => return None,
        (plain, None) => plain,
    };
    characters.next().is_none().then_some(u64::from(u32::from(value)))
}

/// Writes a call with names, so that [`parse`] reads the same fields, whatever ABI it is told.
///
/// ```
/// use callproof_formats::call;
/// use callproof_vm::SeccompData;
/// let data = SeccompData::new(0xc000_003e, 257, [0xffff_ff9c, 0x40_0000, 0x8_0000, 0, 0, 0]);
/// assert_eq!(call::print(&data), "openat(-100, 0x400000, 0x80000, 0) arch=x86_64");
/// ```
#[must_use]
pub fn print(data: &SeccompData) -> String {
    let nr = data.nr.cast_unsigned();
    let abi = Abi::from_call(data.arch, nr);
    let call = abi.and_then(|abi| abi.syscall(nr));
    let args = call
        .and_then(|call| call.prototype())
        .map_or(&[][..], |prototype| prototype.args);
    let used = data
        .args
        .iter()
        .rposition(|arg| *arg != 0)
        .map_or(0, |last| last.saturating_add(1));
    let shown: Vec<_> = data
        .args
        .iter()
        .enumerate()
        .take(used.max(args.len()))
        .map(|(index, value)| argument(*value, args.get(index), abi))
        .collect();
    let mut text = call.map_or_else(|| data.nr.to_string(), |call| call.name.to_owned());
    let _ = write!(text, "({})", shown.join(", "));
    let _ = match abi {
        Some(abi) => write!(text, " arch={abi}"),
        None => write!(text, " arch={:#010x}", data.arch),
    };
    if data.instruction_pointer != 0 {
        let _ = write!(text, " ip={:#x}", data.instruction_pointer);
    }
    text
}

/// Negative numbers only where the kernel reads a signed 32-bit argument.
fn argument(value: u64, arg: Option<&Arg>, abi: Option<Abi>) -> String {
    let int = u32::try_from(value).ok().map(u32::cast_signed).filter(|int| *int < 0);
    let signed = abi.zip(arg).is_some_and(|(abi, arg)| {
        let width = arg.width(abi);
        width.signed && width.bits == 32
    });
    match int {
        Some(int) if signed => int.to_string(),
        _ if value < 10 => value.to_string(),
        _ => format!("{value:#x}"),
    }
}

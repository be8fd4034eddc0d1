//! What can be wrong with an input, where, and what to do about it.

use core::fmt;
use core::ops::Range;

use miette::{Diagnostic, LabeledSpan, SourceCode};
use thiserror::Error;

use crate::Format;
use crate::excerpt::Excerpt;
use crate::load::{MAX_BYTES, MAX_INSNS};

/// Why an input could not be read.
///
/// `Display` is one lower-case sentence; [`position`](Self::position) says where; as a [`Diagnostic`] it also carries
/// the text around the fault, a labelled span, a code and a remedy, for whichever renderer the caller prefers.
#[derive(Clone, Debug)]
pub struct ReadError(Box<Located>);

#[derive(Clone, Debug)]
struct Located {
    problem: Problem,
    span: Option<Range<usize>>,
    excerpt: Option<Excerpt>,
}

/// A place in a text. Both count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1
    pub line: usize,
    /// The character in the line, from 1
    pub column: usize,
}

impl Position {
    /// Where a byte of a text is.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        crate::excerpt::position(text, offset)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl ReadError {
    /// An error about an input as a whole, or about bytes that are no text.
    pub(crate) fn whole(problem: Problem) -> Self {
        Self(Box::new(Located {
            problem,
            span: None,
            excerpt: None,
        }))
    }

    /// Gives an error the part of the text that it is about.
    pub(crate) fn in_text(fault: Fault, text: &str) -> Self {
        let Fault { problem, span } = fault;
        let end = span.end.min(text.len());
        let span = visible(text, span.start.min(end)..end);
        Self(Box::new(Located {
            problem: *problem,
            excerpt: Some(Excerpt::new(text, &span)),
            span: Some(span),
        }))
    }

    /// Names the input for the reader of the message: a path, or `standard input`.
    #[must_use]
    pub fn named(mut self, name: impl AsRef<str>) -> Self {
        if let Some(excerpt) = &mut self.0.excerpt {
            excerpt.rename(name.as_ref());
        }
        self
    }

    /// What is wrong.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The bytes of the text that are at fault; `None` when the fault is not in a text.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.0.span.clone()
    }

    /// Where the fault begins; `None` when the fault is not in a text.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.0.excerpt.as_ref().map(Excerpt::position)
    }
}

/// A span of at least one character: what is missing at the end is missing behind the last character.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default().trim_end();
    match before.char_indices().next_back() {
        Some((last, _)) if span.is_empty() => last..before.len(),
        _ => span,
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.problem.fmt(f)
    }
}

impl core::error::Error for ReadError {}

impl Diagnostic for ReadError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.problem.code()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.problem.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let fault = self.0.excerpt.as_ref()?.fault();
        let label = LabeledSpan::new_with_span(Some(self.0.problem.label().to_owned()), fault);
        Some(Box::new(core::iter::once(label)))
    }
}

/// A fault in a text whose text is not attached yet.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) problem: Box<Problem>,
    pub(crate) span: Range<usize>,
}

impl Fault {
    pub(crate) fn new(problem: Problem, span: Range<usize>) -> Self {
        Self {
            problem: Box::new(problem),
            span,
        }
    }
}

/// What readers return.
pub(crate) type Parsed<T> = Result<T, Fault>;

/// Everything that can be wrong with an input.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
pub enum Problem {
    /// Larger than [`MAX_BYTES`]
    #[error("the input has {bytes} bytes; at most {} are read", MAX_BYTES)]
    #[diagnostic(
        code(callproof::too_large),
        help("is this the right file? a filter has at most 4,096 instructions")
    )]
    TooLarge {
        /// Size of the input
        bytes: usize,
    },
    /// More than [`MAX_INSNS`] instructions in one filter
    #[error("the filter has more than {} instructions", MAX_INSNS)]
    #[diagnostic(
        code(callproof::too_many_insns),
        help("a filter's length is a 16-bit number, and the kernel takes at most 4,096 instructions")
    )]
    TooManyInsns,
    /// Nothing at all
    #[error("the input is empty")]
    #[diagnostic(code(callproof::empty), help("give a file that holds a filter"))]
    Empty,
    /// No format has this look
    #[error("the format of the input is not recognised: {why}")]
    #[diagnostic(
        code(callproof::unknown_format),
        help("name the format with `--input-format`: {}", Format::names())
    )]
    UnknownFormat {
        /// What was seen
        why: String,
    },
    /// More than one format has this look
    #[error("the input can be read as {}", Format::list(fits))]
    #[diagnostic(
        code(callproof::ambiguous_format),
        help("say which one is meant with `--input-format`")
    )]
    AmbiguousFormat {
        /// The formats that fit equally
        fits: Vec<Format>,
    },
    /// Bytes that are no UTF-8, in a text format
    #[error("byte {offset} is not text, and {format} is a text format")]
    #[diagnostic(code(callproof::not_text), help("a raw array is read with `--input-format raw`"))]
    NotText {
        /// Position of the first bad byte
        offset: usize,
        /// The format that was asked for
        format: Format,
    },
    /// A raw array whose size is no multiple of 8
    #[error(
        "{bytes} bytes are not whole instructions: after {} of them {} bytes are left",
        bytes / 8,
        bytes % 8
    )]
    #[diagnostic(
        code(callproof::uneven_length),
        help("each instruction has 8 bytes; is the file cut short, or is it not a raw array?")
    )]
    UnevenLength {
        /// Size of the input
        bytes: usize,
    },
    /// Hex digits that do not come in pairs
    #[error("odd number of hex digits: `{digits}` has {}", digits.len())]
    #[diagnostic(
        code(callproof::odd_hex),
        help("two digits make a byte; white space may stand between bytes only")
    )]
    OddHex {
        /// The digits that stand together
        digits: String,
    },
    /// A character that is no hex digit
    #[error("`{found}` is not a hex digit")]
    #[diagnostic(
        code(callproof::not_hex),
        help("hex digits, white space and comments (`#`, `;`, `//`) are read")
    )]
    NotHex {
        /// The character
        found: char,
    },
    /// Hex digits that end inside an instruction
    #[error("{digits} hex digits are not whole instructions: the last one has {} of 16", digits % 16)]
    #[diagnostic(
        code(callproof::uneven_hex),
        help("each instruction has 8 bytes, which are 16 hex digits")
    )]
    UnevenHex {
        /// Hex digits in all
        digits: usize,
    },
    /// Text where the grammar wants something else
    #[error("expected {expected}, found {found}")]
    #[diagnostic(code(callproof::unexpected), help("{}", unexpected_help(expected)))]
    Unexpected {
        /// What would be right
        expected: &'static str,
        /// What stands there
        found: String,
    },
    /// A word that should be a number and is not
    #[error("`{text}` is not a number")]
    #[diagnostic(
        code(callproof::not_a_number),
        help("numbers are decimal, hexadecimal (`0x1f`), octal (`017`) or binary (`0b11`)")
    )]
    NotANumber {
        /// The word
        text: String,
    },
    /// A word that should be a decimal number and is not
    #[error("`{text}` is not a decimal number")]
    #[diagnostic(
        code(callproof::not_decimal),
        help("this format has decimal numbers from 0 up, and nothing else")
    )]
    NotDecimal {
        /// The word
        text: String,
    },
    /// A number that does not fit its field
    #[error("`{text}` does not fit {field}, which holds 0 to {max}")]
    #[diagnostic(code(callproof::number_range), help("write a number from 0 to {max}"))]
    NumberRange {
        /// The number as written
        text: String,
        /// The field
        field: &'static str,
        /// The largest value
        max: u64,
    },
    /// Brackets nested too deeply
    #[error("brackets are nested more than {limit} deep")]
    #[diagnostic(code(callproof::too_deep), help("write the value out"))]
    TooDeep {
        /// The limit
        limit: usize,
    },
    /// A string, character or comment without an end
    #[error("this {what} does not end")]
    #[diagnostic(code(callproof::unterminated), help("close it"))]
    Unterminated {
        /// What was begun
        what: &'static str,
    },
    /// A stated count differs from the number of instructions
    #[error("the input states {stated} instructions and has {found}")]
    #[diagnostic(code(callproof::count), help("correct the count, or restore the missing part"))]
    Count {
        /// The stated count
        stated: usize,
        /// The instructions that are there
        found: usize,
    },
    /// A word at the place of an instruction that names none
    #[error("unknown instruction `{name}`{}", did_you_mean(nearest))]
    #[diagnostic(
        code(callproof::unknown_instruction),
        help("see docs/FORMATS.md for the instructions of this format")
    )]
    UnknownMnemonic {
        /// The word
        name: String,
        /// The nearest instruction
        nearest: Option<&'static str>,
    },
    /// An operand form that the instruction does not have
    #[error("`{mnemonic}` does not take {operand}")]
    #[diagnostic(code(callproof::wrong_operand), help("`{mnemonic}` takes {takes}"))]
    WrongOperand {
        /// The instruction
        mnemonic: String,
        /// What it was given
        operand: &'static str,
        /// What it takes
        takes: &'static str,
    },
    /// A jump to a label that is nowhere
    #[error("the label `{label}` is not defined")]
    #[diagnostic(
        code(callproof::undefined_label),
        help("put `{label}:` before the instruction to jump to")
    )]
    UndefinedLabel {
        /// The label
        label: String,
    },
    /// A label that is defined twice
    #[error("the label `{label}` is defined twice")]
    #[diagnostic(
        code(callproof::duplicate_label),
        help("rename one of the two; the first is on line {first}")
    )]
    DuplicateLabel {
        /// The label
        label: String,
        /// Line of the first definition
        first: usize,
    },
    /// A jump to an earlier instruction, or to itself
    #[error("the label `{label}` lies before the jump")]
    #[diagnostic(
        code(callproof::backward_jump),
        help("filters only jump forward: move the target down")
    )]
    BackwardJump {
        /// The label
        label: String,
    },
    /// A conditional jump over more than 255 instructions
    #[error("the label `{label}` is {distance} instructions away; a conditional jump skips at most 255")]
    #[diagnostic(code(callproof::far_jump), help("jump to a `ja {label}` near by"))]
    FarJump {
        /// The label
        label: String,
        /// How many instructions the jump would skip
        distance: usize,
    },
    /// A label that no instruction follows
    #[error("no instruction follows the label `{label}`")]
    #[diagnostic(
        code(callproof::label_at_end),
        help("a jump must land on an instruction: end with `ret`")
    )]
    LabelAtEnd {
        /// The label
        label: String,
    },
    /// A constant that is not known
    #[error("unknown constant `{name}`{}", did_you_mean(nearest))]
    #[diagnostic(
        code(callproof::unknown_constant),
        help("write its value, or expand the file with `cc -E -P` first")
    )]
    UnknownConstant {
        /// The constant
        name: String,
        /// The nearest constant
        nearest: Option<String>,
    },
    /// A name that a table of an ABI does not have
    #[error("{message}")]
    #[diagnostic(
        code(callproof::unknown_name),
        help("write the number instead, or choose another ABI")
    )]
    UnknownName {
        /// What the table said
        message: String,
    },
    /// A number that depends on the ABI where none is given
    #[error("`{name}` has a different value on each ABI")]
    #[diagnostic(
        code(callproof::needs_abi),
        help("name the ABI with `--arch`, for example `--arch x86_64`")
    )]
    NeedsAbi {
        /// The constant
        name: String,
    },
    /// A preprocessor conditional
    #[error("`#{directive}` is not evaluated here")]
    #[diagnostic(code(callproof::preprocessor), help("expand the file with `cc -E -P` first"))]
    Preprocessor {
        /// The directive
        directive: String,
    },
    /// A table row whose number is not the next one
    #[error("instruction {found:04} stands where instruction {expected:04} belongs")]
    #[diagnostic(
        code(callproof::row_order),
        help("rows must be complete and in order; is a part missing?")
    )]
    RowOrder {
        /// The row that was due
        expected: usize,
        /// The row that is there
        found: usize,
    },
    /// strace printed an address instead of the program
    #[error("strace printed the filter's address `{address}` and not the filter")]
    #[diagnostic(code(callproof::strace_pointer), help("run strace with `-v` (or `-e abbrev=none`)"))]
    StracePointer {
        /// The address
        address: String,
    },
    /// strace printed an ellipsis instead of instructions
    #[error("strace left instructions out here")]
    #[diagnostic(
        code(callproof::strace_abbreviated),
        help("run strace with `-v` (or `-e abbrev=none`)")
    )]
    StraceAbbreviated,
    /// There is no filter in the text
    #[error("there is no filter in the input: {why}")]
    #[diagnostic(code(callproof::no_filter), help("give a file that holds a filter"))]
    NoFilter {
        /// What was looked for
        why: &'static str,
    },
    /// One filter was asked for, and there are more
    #[error("the input holds {count} filters, and one is needed here")]
    #[diagnostic(
        code(callproof::several),
        help("keep one of them; a chain of filters can be used where one is taken")
    )]
    Several {
        /// How many there are
        count: usize,
    },
    /// A call whose name is missing or misplaced
    #[error("{message}")]
    #[diagnostic(
        code(callproof::call),
        help("write a call as `openat(AT_FDCWD, 0, O_RDONLY)`, `59(0, 0, 0)` or `nr=59 arch=0xc000003e`")
    )]
    Call {
        /// What is wrong
        message: String,
    },
}

impl Problem {
    /// A few words to stand under the faulty text.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::UnknownMnemonic { .. } => "no such instruction",
            Self::UndefinedLabel { .. } => "defined nowhere",
            Self::DuplicateLabel { .. } => "defined again here",
            Self::BackwardJump { .. } => "jumps backwards",
            Self::FarJump { .. } => "too far",
            Self::UnknownConstant { .. } | Self::UnknownName { .. } => "not known",
            Self::NumberRange { .. } => "out of range",
            Self::OddHex { .. } => "one digit is missing or too many",
            Self::UnevenHex { .. } => "ends inside an instruction",
            Self::RowOrder { .. } => "not the next row",
            Self::StracePointer { .. } | Self::StraceAbbreviated => "the filter is missing",
            _ => "here",
        }
    }
}

fn did_you_mean(nearest: &Option<impl AsRef<str>>) -> String {
    nearest
        .as_ref()
        .map(|name| format!("; did you mean `{}`?", name.as_ref()))
        .unwrap_or_default()
}

fn unexpected_help(expected: &str) -> String {
    format!("write {expected} here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<ReadError>() <= 8);
    }
}

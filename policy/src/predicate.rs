//! Which calls are meant: names, numbers, conditions on arguments, ABIs. A tree as it is written.
//!
//! A [`Predicate`] still speaks in names, and a name means another number on each ABI. [`Predicate::ground`] replaces
//! names by numbers and tells which calls an ABI does not have; what comes out is a [`Condition`](crate::Condition)
//! for each ABI.
//!
//! # The kernel's view of an argument
//!
//! A filter sees each argument as a whole 64-bit register. The kernel often reads less of it: an `int` is the low 32
//! bits, a `umode_t` the low 16, and a caller can put what it likes above. A condition therefore means, unless it says
//! otherwise, *what the kernel reads*: `ioctl(_, TIOCSTI)` is every call whose second register has `TIOCSTI` in its
//! low 32 bits, whatever the high half holds. Which bits count follows from the prototype of the call **on that ABI**,
//! and never more than the registers of the ABI have: on i386 all arguments are at most 32 bits. That matters for
//! `int 0x80` made by 64-bit code, where the filter sees full 64-bit registers under i386's `arch` while the kernel
//! uses the low halves alone.
//!
//! | view | what is compared |
//! |---|---|
//! | (none) | the low bits that the kernel reads, as an unsigned number |
//! | `raw:` | the whole 64-bit register |
//! | `lo:` | the low 32 bits of the register |
//! | `hi:` | the high 32 bits of the register |
//!
//! A negative literal means the two's complement in the width of the view: `-1` for an `int` is `0xffffffff`. All
//! comparisons are unsigned, as they are in a filter. A call whose number the tables do not know is taken to read its
//! registers whole: 64 bits, or 32 on a 32-bit ABI.

use callproof_abi::Abi;

use crate::span::Span;

/// A set of calls: those that one of `calls` describes and none of `except`, on some ABIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Alternatives; at least one in what is parsed, none selects nothing
    pub calls: Vec<CallPattern>,
    /// Taken away again
    pub except: Vec<CallPattern>,
    /// The ABIs meant; `None` is the list in force (see [`Env`](crate::Env))
    pub on: Option<AbiList>,
}

/// Some calls, and what their arguments must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPattern {
    /// Which calls
    pub selector: Selector,
    /// Conditions by position, `None` for `_`; all of them must hold. A condition that names its argument applies to
    /// that argument wherever it stands. At most six in what is parsed
    pub args: Vec<Option<Cond>>,
    /// Where it is written
    pub span: Span,
}

/// Which calls, by name or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `*`: every number, those of no call included
    Any,
    /// `unallocated`: the numbers that the tables give no call, -1 among them
    Unallocated,
    /// One call by name, or several by a pattern in which `*` stands for any letters: `process_vm_*`
    Name(String),
    /// The number as the filter sees it, with bit 30 on x32
    Number(u32),
    /// The numbers from the first to the second, both included
    Range(u32, u32),
    /// The calls of a named set
    Set(String),
}

/// A condition on the arguments of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cond {
    /// One test
    Test(ArgTest),
    /// `!a`
    Not(Box<Self>),
    /// `a && b`
    All(Vec<Self>),
    /// `a | b`
    Either(Vec<Self>),
}

/// A test of one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgTest {
    /// Which argument
    pub subject: Subject,
    /// Which of its bits
    pub view: View,
    /// What they must be
    pub check: Check,
    /// Where it is written
    pub span: Span,
}

/// Which argument a test reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The one at whose position the test stands
    Here,
    /// The one that the kernel's prototype calls so on the ABI; a name that ends so, after an underscore, will do
    /// when there is only one (`flags` for the `clone_flags` of `clone`)
    Named(String),
    /// `args[n]`, 0 to 5
    Index(u8),
    /// `ip`: no argument but the instruction pointer, whose view is the whole 64 bits or a half
    Ip,
}

/// Which bits of an argument a test reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// Those that the kernel reads
    Kernel,
    /// All 64
    Raw,
    /// The low 32
    Lo,
    /// The high 32
    Hi,
}

/// What a test demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// `& mask`: at least one bit of the mask is set
    AnyBit(Value),
    /// `& mask == value`, or without a mask `== value`, and the other comparisons
    Compare(Option<Value>, Relation, Value),
    /// `low..=high`
    Range(Value, Value),
    /// `@name`: one of the values of a named set
    In(String),
}

/// An unsigned comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// A value of an argument, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// From -2^63 to 2^64 - 1
    Number(i128),
    /// A constant of the kernel's headers, such as `O_RDONLY`; its value can differ between ABIs
    Name(String, Span),
    /// `(a|b)`: the bits of all
    Bits(Vec<Self>),
    /// `~a`: the other bits, within the width of the view
    Flipped(Box<Self>),
}

/// ABIs, in the words of the language.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AbiList {
    /// The items; the list means all of them together
    pub items: Vec<AbiItem>,
    /// Where it is written
    pub span: Span,
}

/// One word of an ABI list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbiItem {
    /// One ABI
    Abi(Abi),
    /// `all`: every ABI that the tables know
    All,
    /// `unknown`: the `arch` words of no ABI that the tables know
    Unknown,
    /// `any`: `all` and `unknown`, which is every possible input
    Any,
    /// `other`: whatever is not in the list in force
    Other,
}

impl Predicate {
    /// The predicate of one pattern on the ABIs in force.
    #[must_use]
    pub fn of(pattern: CallPattern) -> Self {
        Self {
            calls: vec![pattern],
            except: Vec::new(),
            on: None,
        }
    }
}

impl CallPattern {
    /// The calls of a selector, whatever their arguments.
    #[must_use]
    pub const fn new(selector: Selector) -> Self {
        Self {
            selector,
            args: Vec::new(),
            span: Span { start: 0, end: 0 },
        }
    }

    /// The call of this name (or those of a name with `*`), whatever the arguments.
    pub fn named(name: impl Into<String>) -> Self {
        Self::new(Selector::Name(name.into()))
    }
}

impl ArgTest {
    /// A test of the argument at whose position it stands, in the kernel's view.
    #[must_use]
    pub const fn here(check: Check) -> Self {
        Self {
            subject: Subject::Here,
            view: View::Kernel,
            check,
            span: Span { start: 0, end: 0 },
        }
    }
}

impl Value {
    /// A constant by name.
    pub fn named(name: impl Into<String>) -> Self {
        Self::Name(name.into(), Span::default())
    }
}

impl AbiList {
    /// A list of items.
    pub fn of(items: impl IntoIterator<Item = AbiItem>) -> Self {
        Self {
            items: items.into_iter().collect(),
            span: Span::default(),
        }
    }
}

//! Calls and verdicts, each as text of the language of properties and as a term, both made here from what
//! `docs/PROPERTIES.md` says.

use callproof_abi::Abi;
use callproof_testgen::Choose;
use callproof_vm::Kernel;

use crate::encode::{bv, severity_mask};

/// ABIs whose calls are in the table below, and the two that are no ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Cell {
    #[default]
    X86_64,
    X32,
    I386,
    Aarch64,
    S390x,
    Unknown,
    /// Every `arch` word of an ABI
    All,
    Any,
}

pub(crate) const HERE: [Cell; 5] = [Cell::X86_64, Cell::I386, Cell::X32, Cell::Aarch64, Cell::S390x];

/// A call: its name, its numbers on [`HERE`], and what the kernel reads of each register: `i` 32 bits, `l` all that a
/// register of the ABI has, but on x32 where `compat` says so 32. From the system-call tables and entry points of
/// Linux; on i386 nothing has more than 32 bits.
struct Call {
    name: &'static str,
    numbers: [u32; 5],
    reads: &'static str,
    compat: bool,
}

const fn call(name: &'static str, numbers: [u32; 5], reads: &'static str, compat: bool) -> Call {
    Call {
        name,
        numbers,
        reads,
        compat,
    }
}

const X32: u32 = 0x4000_0000;

const CALLS: [Call; 11] = [
    call("read", [0, 3, X32, 63, 3], "ill", false),
    call("write", [1, 4, X32 | 1, 64, 4], "ill", false),
    call("lseek", [8, 19, X32 | 8, 62, 19], "ili", false),
    call("mprotect", [10, 125, X32 | 10, 226, 125], "lll", false),
    call("prctl", [157, 172, X32 | 157, 167, 172], "illll", false),
    call("ioctl", [16, 54, X32 | 514, 29, 54], "iil", true),
    call("ptrace", [101, 26, X32 | 521, 117, 26], "llll", true),
    call("socket", [41, 359, X32 | 41, 198, 359], "iii", false),
    call("personality", [135, 136, X32 | 135, 92, 136], "i", false),
    call("fsync", [74, 118, X32 | 74, 82, 118], "i", false),
    call("getpid", [39, 20, X32 | 39, 172, 20], "", false),
];

/// How many calls there are to choose from.
pub(crate) const KNOWN: u32 = 11;
/// How many of them, from the first on, have arguments of 64 bits.
pub(crate) const LONG: u32 = 7;

impl Cell {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::X32 => "x32",
            Self::I386 => "i386",
            Self::Aarch64 => "aarch64",
            Self::S390x => "s390x",
            Self::Unknown => "unknown",
            Self::All => "all",
            Self::Any => "any",
        }
    }

    pub(crate) const fn arch(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            _ => 0x8000_0016,
        }
    }

    pub(crate) fn abi(self) -> Option<Abi> {
        Abi::from_name(self.text()).ok()
    }

    /// The inputs of the cell, as a term over the words.
    pub(crate) fn term(self, w: &[String]) -> String {
        let (number, arch) = (&w[0], &w[1]);
        let own = format!("(= {arch} {})", bv(self.arch()));
        let bit = format!("(= ((_ extract 30 30) {number}) #b1)");
        let minus_one = format!("(= {number} #xffffffff)");
        let known = || {
            let known = Abi::ALL
                .iter()
                .map(|abi| format!(" (= {arch} {})", bv(abi.audit_arch())));
            format!("(or{})", known.collect::<String>())
        };
        match self {
            Self::X86_64 => format!("(and {own} (or (not {bit}) {minus_one}))"),
            Self::X32 => format!("(and {own} {bit} (not {minus_one}))"),
            Self::I386 | Self::Aarch64 | Self::S390x => own,
            Self::Unknown => format!("(not {})", known()),
            Self::All => known(),
            Self::Any => "true".into(),
        }
    }

    /// The number of a call of the table.
    pub(crate) fn number(self, call: usize) -> Option<u32> {
        let place = HERE.iter().position(|cell| *cell == self)?;
        Some(CALLS[call].numbers[place])
    }

    /// The bits that the kernel reads of each register.
    pub(crate) fn reads(self, call: usize) -> [u64; 6] {
        let call = &CALLS[call];
        let long = match self {
            Self::I386 => 0xffff_ffff,
            Self::X32 if call.compat => 0xffff_ffff,
            _ => u64::MAX,
        };
        let mut reads = [0; 6];
        for (mask, kind) in reads.iter_mut().zip(call.reads.chars()) {
            *mask = if kind == 'i' { 0xffff_ffff } else { long };
        }
        reads
    }
}

pub(crate) fn name(call: usize) -> &'static str {
    CALLS[call].name
}

/// A register of 64 bits: its halves lie as bit 30 of the `arch` word says. 6 is the instruction pointer.
pub(crate) fn register(argument: usize, w: &[String]) -> String {
    let first = if argument == 6 { 2 } else { 4 + 2 * argument };
    let (one, two, arch) = (&w[first], &w[first + 1], &w[1]);
    format!("(ite (= ((_ extract 30 30) {arch}) #b1) (concat {two} {one}) (concat {one} {two}))")
}

pub(crate) fn wide(value: u64) -> String {
    format!("#x{value:016x}")
}

/// Which part of a register a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Part {
    /// What the kernel reads
    #[default]
    Read,
    Raw,
    Low,
    High,
}

/// A condition on a register.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) argument: usize,
    pub(crate) part: Part,
    pub(crate) mask: Option<u64>,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`, or `&`: at least one bit of the mask
    pub(crate) compare: &'static str,
    pub(crate) value: u64,
}

impl Condition {
    fn test(&self) -> String {
        match (self.mask, self.compare) {
            (Some(mask), "&") => format!("& {mask:#x}"),
            (Some(mask), compare) => format!("& {mask:#x} {compare} {:#x}", self.value),
            (None, compare) => format!("{compare} {:#x}", self.value),
        }
    }

    /// As it stands in the place of its argument.
    fn in_place(&self) -> String {
        let prefix = match self.part {
            Part::Read => "",
            Part::Raw => "raw:",
            Part::Low => "lo:",
            Part::High => "hi:",
        };
        format!("{prefix}{}", self.test())
    }

    /// With its argument named.
    fn named(&self) -> String {
        let register = match self.argument {
            6 => "ip".to_owned(),
            argument => format!("args[{argument}]"),
        };
        let part = match self.part {
            Part::Read | Part::Raw => "raw",
            Part::Low => "lo",
            Part::High => "hi",
        };
        format!("{part}({register}) {}", self.test())
    }

    fn term(&self, reads: u64, w: &[String]) -> String {
        let whole = register(self.argument, w);
        let mut seen = match self.part {
            Part::Raw => whole,
            Part::Read => format!("(bvand {whole} {})", wide(reads)),
            Part::Low => format!("(bvand {whole} {})", wide(0xffff_ffff)),
            Part::High => format!("(bvlshr {whole} {})", wide(32)),
        };
        if let Some(mask) = self.mask {
            seen = format!("(bvand {seen} {})", wide(mask));
        }
        let value = wide(self.value);
        match self.compare {
            "==" => format!("(= {seen} {value})"),
            "!=" => format!("(distinct {seen} {value})"),
            "<" => format!("(bvult {seen} {value})"),
            "<=" => format!("(bvule {seen} {value})"),
            ">" => format!("(bvugt {seen} {value})"),
            ">=" => format!("(bvuge {seen} {value})"),
            _ => format!("(distinct {seen} {})", wide(0)),
        }
    }
}

/// Which numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selector {
    Known(usize),
    Number(u32),
    Range(u32, u32),
    All,
    Unallocated,
}

#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) selector: Selector,
    pub(crate) conditions: Vec<Condition>,
}

impl Pattern {
    pub(crate) fn text(&self) -> String {
        let head = match &self.selector {
            Selector::Known(call) => CALLS[*call].name.to_owned(),
            Selector::Number(u32::MAX) => "-1".to_owned(),
            Selector::Number(number) => format!("{number:#x}"),
            Selector::Range(from, to) => format!("{from}..={to}"),
            Selector::All => "*".to_owned(),
            Selector::Unallocated => "unallocated".to_owned(),
        };
        if self.conditions.is_empty() {
            return head;
        }
        if self.conditions.iter().any(|one| one.part == Part::Read) {
            let last = self.conditions.iter().map(|one| one.argument).max().unwrap_or(0);
            let places = (0..=last).map(|argument| {
                let here = self.conditions.iter().find(|one| one.argument == argument);
                here.map_or_else(|| "_".to_owned(), Condition::in_place)
            });
            return format!("{head}({})", places.collect::<Vec<_>>().join(", "));
        }
        let named: Vec<_> = self.conditions.iter().map(Condition::named).collect();
        format!("{head}({})", named.join(" && "))
    }

    /// The calls of the pattern on a cell; `None` when the cell has none.
    pub(crate) fn term(&self, cell: Cell, w: &[String]) -> Option<String> {
        let number = &w[0];
        let mut reads = [u64::MAX; 6];
        let numbers = match &self.selector {
            Selector::Known(call) => {
                reads = cell.reads(*call);
                format!("(= {number} {})", bv(cell.number(*call)?))
            }
            Selector::Number(one) => format!("(= {number} {})", bv(*one)),
            Selector::Range(from, to) => format!("(and (bvuge {number} {}) (bvule {number} {}))", bv(*from), bv(*to)),
            Selector::All => "true".to_owned(),
            Selector::Unallocated => unallocated(cell, number),
        };
        let mut all = vec![cell.term(w), numbers];
        for one in &self.conditions {
            all.push(one.term(reads.get(one.argument).copied().unwrap_or(u64::MAX), w));
        }
        Some(format!("(and {})", all.join(" ")))
    }
}

/// Numbers that are no call of the ABI in the project's tables.
fn unallocated(cell: Cell, number: &str) -> String {
    let Some(abi) = cell.abi() else {
        return "true".into();
    };
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for call in abi.syscalls() {
        match runs.last_mut() {
            Some((_, last)) if last.wrapping_add(1) == call.number => *last = call.number,
            _ => runs.push((call.number, call.number)),
        }
    }
    let runs = runs
        .iter()
        .map(|(first, last)| format!(" (and (bvuge {number} {}) (bvule {number} {}))", bv(*first), bv(*last)));
    format!("(not (or false{}))", runs.collect::<String>())
}

/// What a claim is about.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) except: Vec<Pattern>,
    pub(crate) cells: Vec<Cell>,
}

impl Calls {
    pub(crate) fn list(&self) -> String {
        let texts = |patterns: &[Pattern]| patterns.iter().map(Pattern::text).collect::<Vec<_>>().join(", ");
        if self.except.is_empty() {
            texts(&self.patterns)
        } else {
            format!("{} except {}", texts(&self.patterns), texts(&self.except))
        }
    }

    pub(crate) fn on(&self) -> String {
        let cells: Vec<_> = self.cells.iter().map(|cell| cell.text()).collect();
        format!("on {}", cells.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.list(), self.on())
    }

    /// All calls that are meant, as a term.
    pub(crate) fn term(&self, w: &[String]) -> String {
        let parts = self.cells.iter().map(|cell| {
            let any = |patterns: &[Pattern]| {
                let terms = patterns.iter().filter_map(|one| one.term(*cell, w));
                format!("(or false {})", terms.collect::<Vec<_>>().join(" "))
            };
            format!("(and {} (not {}))", any(&self.patterns), any(&self.except))
        });
        format!("(or false {})", parts.collect::<Vec<_>>().join(" "))
    }
}

/// One kind of verdict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Word(&'static str),
    Errno(Vec<u32>),
    Trap(Vec<u32>),
    Trace(Vec<u32>),
}

/// A set of verdicts.
#[derive(Clone, Debug)]
pub(crate) struct Verdicts(pub(crate) Vec<Kind>);

impl Verdicts {
    pub(crate) fn text(&self) -> String {
        let list = |word: &str, data: &[u32]| {
            let data: Vec<_> = data.iter().map(u32::to_string).collect();
            format!("{word}({})", data.join("|"))
        };
        let kinds = self.0.iter().map(|kind| match kind {
            Kind::Word(word) => (*word).to_owned(),
            Kind::Errno(data) => list("errno", data),
            Kind::Trap(data) => list("trap", data),
            Kind::Trace(data) => list("trace", data),
        });
        kinds.collect::<Vec<_>>().join("|")
    }

    /// Whether the value that a chain came to is in the set.
    pub(crate) fn term(&self, value: &str, kernel: Kernel) -> String {
        let kinds = self.0.iter().map(|kind| match kind {
            Kind::Word(word) => by_word(word, value, kernel),
            // The caller sees no errno above 4095.
            Kind::Errno(data) => {
                let seen = format!("(ite (bvugt {0} #x00000fff) #x00000fff {0})", data_of(value));
                with_data("errno", &seen, data, value, kernel)
            }
            Kind::Trap(data) => with_data("trap", &data_of(value), data, value, kernel),
            Kind::Trace(data) => with_data("trace", &data_of(value), data, value, kernel),
        });
        format!("(or {})", kinds.collect::<Vec<_>>().join(" "))
    }
}

fn data_of(value: &str) -> String {
    format!("(bvand {value} #x0000ffff)")
}

fn with_data(word: &str, seen: &str, data: &[u32], value: &str, kernel: Kernel) -> String {
    let one_of = data.iter().map(|data| format!(" (= {seen} {})", bv(*data)));
    format!(
        "(and {} (or false{}))",
        by_word(word, value, kernel),
        one_of.collect::<String>()
    )
}

/// The named actions: word, value, the first release that has it.
const ACTIONS: [(&str, u32, (u16, u16)); 8] = [
    ("kill", 0x8000_0000, (4, 14)),
    ("kill_thread", 0, (3, 5)),
    ("trap", 0x0003_0000, (3, 5)),
    ("errno", 0x0005_0000, (3, 5)),
    ("notify", 0x7fc0_0000, (5, 0)),
    ("trace", 0x7ff0_0000, (3, 5)),
    ("log", 0x7ffc_0000, (4, 14)),
    ("allow", 0x7fff_0000, (3, 5)),
];

/// Whether a value has the action of this word.
pub(crate) fn by_word(word: &str, value: &str, kernel: Kernel) -> String {
    let any = |words: &[&str]| {
        let each = words.iter().map(|word| by_word(word, value, kernel));
        format!("(or {})", each.collect::<Vec<_>>().join(" "))
    };
    let exists = |since: (u16, u16)| (kernel.major, kernel.minor) >= since;
    match word {
        "permit" => any(&["allow", "log"]),
        "deny" => format!("(not {})", any(&["allow", "log"])),
        "killed" => any(&["kill", "kill_thread", "unknown"]),
        "unknown" => format!("(not {})", any(&ACTIONS.map(|action| action.0))),
        word => match ACTIONS.iter().find(|action| action.0 == word) {
            Some((_, own, since)) if exists(*since) => {
                format!("(= (bvand {value} {}) {})", severity_mask(kernel), bv(*own))
            }
            Some(_) => "false".to_owned(),
            None => panic!("no action is called {word}"),
        },
    }
}

/// `equals`: the same action, and the same data where an action has data.
pub(crate) fn same_verdict(a: &str, b: &str, kernel: Kernel) -> String {
    let words = ACTIONS.iter().map(|action| action.0).chain(["unknown"]);
    let each = words.map(|word| {
        let both = format!("{} {}", by_word(word, a, kernel), by_word(word, b, kernel));
        if matches!(word, "errno" | "trap" | "trace") {
            format!("(and {both} (= {} {}))", data_of(a), data_of(b))
        } else {
            format!("(and {both})")
        }
    });
    format!("(or {})", each.collect::<Vec<_>>().join(" "))
}

/// One of the items.
pub(crate) fn one<T: Clone>(choose: &mut impl Choose, items: &[T]) -> T {
    items[choose.below(u32::try_from(items.len()).unwrap()) as usize].clone()
}

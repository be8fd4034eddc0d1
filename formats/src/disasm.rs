//! What a program's instructions are about: which word is tested, which call a number names, what a value returns.
//!
//! A light abstract interpretation walks the program once, from front to back (jumps only go forward), and keeps for
//! each instruction what is the same on *every* path to it: the word that A, X and the scratch cells hold, and the
//! ABI that comparisons of the `arch` word left over. Where paths disagree nothing is said, so that a note is never
//! wrong, only absent.

use core::fmt;

use callproof_abi::{Abi, errno_name};
use callproof_vm::isa::{Alu, Cond, Op, Size, Src};
use callproof_vm::{Action, Endian, Insn, Kernel};

/// One instruction of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Its place in the program
    pub pc: usize,
    /// The instruction
    pub insn: Insn,
    /// Whether any path leads to it, as far as jumps and comparisons of `arch` tell
    pub reachable: bool,
    /// What it is about; empty when there is nothing sure to say
    pub note: String,
}

/// Prints `0007: jeq #0x3b, 8, 11  ; nr == execve (x86_64)`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.insn.at(self.pc).to_string();
        if self.note.is_empty() {
            write!(f, "{:04}: {text}", self.pc)
        } else {
            write!(f, "{:04}: {text:<31} ; {}", self.pc, self.note)
        }
    }
}

/// Lists a program with notes. `endian` tells the halves of 64-bit arguments apart.
///
/// ```
/// use callproof_formats::disasm;
/// use callproof_vm::{Endian, Insn};
/// let program = [
///     Insn::stmt(0x20, 4),
///     Insn::jump(0x15, 0xc000_003e, 0, 2),
///     Insn::stmt(0x20, 0),
///     Insn::jump(0x15, 59, 0, 0),
///     Insn::stmt(0x06, 0x7fff_0000),
/// ];
/// let lines = disasm::lines(&program, Endian::Little);
/// assert_eq!(lines[3].note, "nr == execve (x86_64)");
/// ```
#[must_use]
pub fn lines(program: &[Insn], endian: Endian) -> Vec<Line> {
    let mut walk = Walk::new(program.len());
    let insns = program.iter().enumerate();
    insns
        .map(|(pc, insn)| {
            let state = walk.take(pc);
            let note = match &state {
                Some(state) => note(*insn, state, endian),
                None => "never reached".to_owned(),
            };
            let reachable = state.is_some();
            if let Some(state) = state {
                walk.follow(pc, *insn, state);
            }
            Line {
                pc,
                insn: *insn,
                reachable,
                note,
            }
        })
        .collect()
}

/// The notes alone, one for each instruction.
pub(crate) fn notes(program: &[Insn], endian: Endian) -> Vec<String> {
    lines(program, endian).into_iter().map(|line| line.note).collect()
}

/// What a register holds on every path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    Const(u32),
    /// A word of `seccomp_data`, of which the bits outside the mask are cleared
    Word(u8, u32),
}

impl Value {
    fn join(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }
}

const NR: u8 = 0;
const ARCH: u8 = 1;

#[derive(Clone, Debug)]
struct State {
    a: Value,
    x: Value,
    scratch: [Value; 16],
    arch: Option<u32>,
}

impl State {
    const ENTRY: Self = Self {
        a: Value::Const(0),
        x: Value::Const(0),
        scratch: [Value::Unknown; 16],
        arch: None,
    };

    fn join(&mut self, other: &Self) {
        self.a = self.a.join(other.a);
        self.x = self.x.join(other.x);
        for (mine, theirs) in self.scratch.iter_mut().zip(other.scratch) {
            *mine = mine.join(theirs);
        }
        self.arch = self.arch.filter(|arch| other.arch == Some(*arch));
    }

    fn cell(&self, k: u32) -> Value {
        let cell = usize::try_from(k).ok().and_then(|k| self.scratch.get(k));
        cell.copied().unwrap_or(Value::Unknown)
    }

    fn set_cell(&mut self, k: u32, value: Value) {
        if let Some(cell) = usize::try_from(k).ok().and_then(|k| self.scratch.get_mut(k)) {
            *cell = value;
        }
    }

    fn operand(&self, src: Src, k: u32) -> Value {
        match src {
            Src::K => Value::Const(k),
            Src::X => self.x,
        }
    }

    /// What an instruction that does not jump leaves behind.
    fn step(&mut self, insn: Insn) {
        let k = insn.k;
        match insn.op() {
            Some(Op::LdImm) => self.a = Value::Const(k),
            Some(Op::LdxImm) => self.x = Value::Const(k),
            Some(Op::LdAbs(size)) => self.a = load(size, k),
            Some(Op::LdLen) => self.a = Value::Const(64),
            Some(Op::LdxLen) => self.x = Value::Const(64),
            Some(Op::LdMem) => self.a = self.cell(k),
            Some(Op::LdxMem) => self.x = self.cell(k),
            Some(Op::LdxMsh) => self.x = Value::Unknown,
            Some(Op::St) => self.set_cell(k, self.a),
            Some(Op::Stx) => self.set_cell(k, self.x),
            Some(Op::Tax) => self.x = self.a,
            Some(Op::Txa) => self.a = self.x,
            Some(Op::Alu(Alu::And, src)) => self.a = and(self.a, self.operand(src, k)),
            Some(Op::LdInd(_) | Op::Alu(..) | Op::Neg) => self.a = Value::Unknown,
            // An unknown opcode never runs; the others change nothing.
            None | Some(Op::Ja | Op::Jump(..) | Op::RetK | Op::RetA | Op::RetX) => {}
        }
    }

    /// The state after a test came out this way; `None` when it cannot.
    fn assume(&self, cond: Cond, value: Value, holds: bool) -> Option<Self> {
        let mut state = self.clone();
        if let (Value::Word(ARCH, u32::MAX), Cond::Jeq, Value::Const(arch)) = (self.a, cond, value) {
            let contradicts = self.arch.is_some_and(|known| (known == arch) != holds);
            if contradicts {
                return None;
            }
            if holds {
                state.arch = Some(arch);
            }
        }
        Some(state)
    }
}

fn load(size: Size, k: u32) -> Value {
    match u8::try_from(k / 4) {
        Ok(index) if size == Size::Word && k < 64 && k.is_multiple_of(4) => Value::Word(index, u32::MAX),
        _ => Value::Unknown,
    }
}

fn and(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Const(a), Value::Const(b)) => Value::Const(a & b),
        (Value::Word(word, mask), Value::Const(more)) | (Value::Const(more), Value::Word(word, mask)) => {
            Value::Word(word, mask & more)
        }
        _ => Value::Unknown,
    }
}

/// The states that wait at jump targets. A state is dropped when its instruction has been visited.
struct Walk {
    waiting: Vec<Option<Box<State>>>,
}

impl Walk {
    fn new(len: usize) -> Self {
        let mut walk = Self {
            waiting: vec![None; len],
        };
        walk.arrive(0, &State::ENTRY);
        walk
    }

    fn take(&mut self, pc: usize) -> Option<State> {
        self.waiting.get_mut(pc)?.take().map(|state| *state)
    }

    fn arrive(&mut self, pc: u64, state: &State) {
        let slot = usize::try_from(pc).ok().and_then(|pc| self.waiting.get_mut(pc));
        match slot {
            Some(Some(waiting)) => waiting.join(state),
            Some(empty) => *empty = Some(Box::new(state.clone())),
            None => {}
        }
    }

    fn follow(&mut self, pc: usize, insn: Insn, mut state: State) {
        let (yes, no) = insn.targets(pc).unwrap_or_default();
        match insn.op() {
            None | Some(Op::RetK | Op::RetA | Op::RetX) => {}
            Some(Op::Ja) => self.arrive(yes, &state),
            Some(Op::Jump(cond, src)) => {
                let value = state.operand(src, insn.k);
                for (target, holds) in [(yes, true), (no, false)] {
                    if let Some(after) = state.assume(cond, value, holds) {
                        self.arrive(target, &after);
                    }
                }
            }
            Some(_) => {
                state.step(insn);
                self.arrive((pc as u64).saturating_add(1), &state);
            }
        }
    }
}

fn note(insn: Insn, state: &State, endian: Endian) -> String {
    let mut after = state.clone();
    after.step(insn);
    let found = match insn.op() {
        Some(Op::LdAbs(Size::Word) | Op::LdMem | Op::Alu(Alu::And, _)) => word_text(after.a, endian),
        Some(Op::LdxMem | Op::Tax) => word_text(after.x, endian),
        Some(Op::Txa) => word_text(after.a, endian),
        Some(Op::Jump(cond, src)) => test_text(state, cond, state.operand(src, insn.k), endian),
        Some(Op::RetK) => Some(action_text(insn.k, state.arch)),
        Some(Op::RetA) => match state.a {
            Value::Const(value) => Some(action_text(value, state.arch)),
            _ => None,
        },
        _ => None,
    };
    found.unwrap_or_default()
}

/// What a word of `seccomp_data` is called: `nr`, `arch`, `ip low`, `args[0] high`. `offset` is in bytes.
#[must_use]
pub fn word_name(offset: u32, endian: Endian) -> Option<String> {
    if offset >= 64 || !offset.is_multiple_of(4) {
        return None;
    }
    let first = offset.is_multiple_of(8);
    let half = if first == (endian == Endian::Little) {
        "low"
    } else {
        "high"
    };
    Some(match offset / 8 {
        0 if first => "nr".to_owned(),
        0 => "arch".to_owned(),
        1 => format!("ip {half}"),
        field => format!("args[{}] {half}", field.saturating_sub(2)),
    })
}

fn word_text(value: Value, endian: Endian) -> Option<String> {
    let Value::Word(index, mask) = value else { return None };
    let name = word_name(u32::from(index).saturating_mul(4), endian)?;
    Some(if mask == u32::MAX {
        name
    } else {
        format!("{name} & {mask:#x}")
    })
}

fn test_text(state: &State, cond: Cond, value: Value, endian: Endian) -> Option<String> {
    let left = word_text(state.a, endian)?;
    let right = match value {
        Value::Const(constant) => constant_text(state, cond, constant),
        other => word_text(other, endian)?,
    };
    let bracket = |text: String| if text.contains('&') { format!("({text})") } else { text };
    Some(match cond {
        Cond::Jset => format!("{left} & {right}"),
        Cond::Jeq => format!("{} == {right}", bracket(left)),
        Cond::Jgt => format!("{} > {right}", bracket(left)),
        Cond::Jge => format!("{} >= {right}", bracket(left)),
    })
}

/// A constant that A is compared with: an ABI, a call, or a number.
fn constant_text(state: &State, cond: Cond, constant: u32) -> String {
    let number = || {
        if constant < 0x1_0000 {
            constant.to_string()
        } else {
            format!("{constant:#x}")
        }
    };
    let call = || {
        let abi = Abi::from_call(state.arch?, constant)?;
        Some((abi.syscall_name(constant)?, abi))
    };
    match (state.a, cond) {
        (Value::Word(ARCH, u32::MAX), Cond::Jeq) => {
            Abi::from_audit_arch(constant).map_or_else(number, |abi| abi.name().to_owned())
        }
        (Value::Word(NR, u32::MAX), Cond::Jeq) => call().map_or_else(number, |(name, abi)| format!("{name} ({abi})")),
        (Value::Word(NR, u32::MAX), Cond::Jgt | Cond::Jge) => {
            call().map_or_else(number, |(name, abi)| format!("{} ({name}, {abi})", number()))
        }
        (Value::Word(NR, _), _) => number(),
        _ => format!("{constant:#x}"),
    }
}

/// What a filter's return value means on a current kernel: `allow`, `errno(1) EPERM`, `trap(5)`.
///
/// `arch` is the audit architecture, when it is known: errno numbers above 34 have different names on some.
#[must_use]
pub fn action_text(value: u32, arch: Option<u32>) -> String {
    let action = Action::of(value, Kernel::LATEST);
    let data = value & 0xffff;
    match (action, data) {
        (Action::Unknown, _) => format!("unknown action {value:#010x}"),
        (Action::Errno, data) => match errno_text(data, arch) {
            Some(name) => format!("errno({data}) {name}"),
            None => format!("errno({data})"),
        },
        (Action::Trap | Action::Trace, data) => format!("{action}({data})"),
        (_, 0) => action.name().to_owned(),
        _ => format!("{action}({data})"),
    }
}

/// The name that an errno has on the ABI, or on every ABI when the ABI is not known.
fn errno_text(number: u32, arch: Option<u32>) -> Option<&'static str> {
    match arch.and_then(Abi::from_audit_arch) {
        Some(abi) => errno_name(abi, number),
        None => {
            let name = errno_name(Abi::X86_64, number)?;
            let everywhere = || Abi::ALL.iter().all(|abi| errno_name(*abi, number) == Some(name));
            everywhere().then_some(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_testgen::{Caller, Harvest, Seed};
    use callproof_vm::observe::{Observer, Step};
    use callproof_vm::{Filter, Machine, SeccompData};

    /// What the walk says before each instruction.
    fn states(program: &[Insn]) -> Vec<Option<State>> {
        let mut walk = Walk::new(program.len());
        let insns = program.iter().enumerate();
        insns
            .map(|(pc, insn)| {
                let state = walk.take(pc);
                if let Some(state) = state.clone() {
                    walk.follow(pc, *insn, state);
                }
                state
            })
            .collect()
    }

    /// Holds every step of a run against what the walk said.
    struct Judge<'a> {
        states: &'a [Option<State>],
        call: SeccompData,
        a: u32,
        x: u32,
        claims: u64,
    }

    impl Judge<'_> {
        fn check(&mut self, claim: Value, actual: u32) {
            let words = self.call.words(Endian::Little);
            let expected = match claim {
                Value::Unknown => return,
                Value::Const(value) => value,
                Value::Word(index, mask) => words[usize::from(index)] & mask,
            };
            assert_eq!(expected, actual, "{claim:?}");
            self.claims += 1;
        }
    }

    impl Observer for Judge<'_> {
        fn step(&mut self, step: &Step) {
            let state = self.states[step.pc]
                .as_ref()
                .expect("an instruction that ran was called unreachable");
            let (a, x) = (self.a, self.x);
            self.check(state.a, a);
            self.check(state.x, x);
            if let Some(arch) = state.arch {
                assert_eq!(arch, self.call.arch);
                self.claims += 1;
            }
            (self.a, self.x) = (step.a, step.x);
        }
    }

    #[test]
    fn nothing_is_said_that_a_run_contradicts() {
        let mut claims = 0;
        for case in 0..1500 {
            let mut seed = Seed::new(7, case);
            let program = callproof_testgen::program(&mut seed);
            let states = states(&program);
            let filter = Filter::load(&program).unwrap();
            let callers = [
                Caller {
                    arch: 0xc000_003e,
                    ip: 0,
                },
                Caller {
                    arch: 0x4000_0003,
                    ip: 4,
                },
            ];
            for call in Harvest::of(&program).calls(&mut seed, 8, &callers) {
                let mut judge = Judge {
                    states: &states,
                    call,
                    a: 0,
                    x: 0,
                    claims: 0,
                };
                filter.run_observed(&call, Machine::default(), &mut judge);
                claims += judge.claims;
            }
        }
        assert!(claims > 10_000, "only {claims} claims were tried");
    }

    fn notes_of(program: &[Insn], endian: Endian) -> Vec<String> {
        notes(program, endian)
    }

    #[test]
    fn says_nothing_where_paths_disagree() {
        let program = [
            Insn::stmt(0x20, 4),
            Insn::jump(0x15, 0xc000_003e, 1, 0),
            Insn::jump(0x15, 0x4000_0003, 0, 2),
            Insn::stmt(0x20, 0),
            Insn::jump(0x15, 59, 0, 0),
            Insn::jump(0x15, 2, 0, 0),
            Insn::stmt(0x06, 0x0005_0023),
        ];
        let notes = notes_of(&program, Endian::Little);
        // 59 is execve on one and olduname on the other; and at 5, A may hold nr or arch.
        assert_eq!(notes[4], "nr == 59");
        assert_eq!(notes[5], "");
        // 35 is EDEADLK on most ABIs, but not on all.
        assert_eq!(notes[6], "errno(35)");
        assert_eq!(action_text(0x0005_0023, Some(0xc000_003e)), "errno(35) EDEADLK");
    }

    #[test]
    fn halves_follow_the_byte_order() {
        let little: Vec<_> = (0..5)
            .map(|word| word_name(word * 4, Endian::Little).unwrap())
            .collect();
        assert_eq!(little, ["nr", "arch", "ip low", "ip high", "args[0] low"]);
        assert_eq!(word_name(16, Endian::Big).unwrap(), "args[0] high");
        assert_eq!(word_name(60, Endian::Big).unwrap(), "args[5] low");
        assert_eq!((word_name(64, Endian::Big), word_name(2, Endian::Big)), (None, None));
    }

    #[test]
    fn x32_is_told_by_its_bit() {
        let test = |nr| {
            let program = [
                Insn::stmt(0x20, 4),
                Insn::jump(0x15, 0xc000_003e, 0, 2),
                Insn::stmt(0x20, 0),
                Insn::jump(0x15, nr, 0, 0),
                Insn::stmt(0x06, 0),
            ];
            notes_of(&program, Endian::Little)[3].clone()
        };
        assert_eq!(test(0x4000_0208), "nr == execve (x32)");
        assert_eq!(test(520), "nr == 520");
    }

    #[test]
    fn a_contradicted_path_is_not_taken() {
        let program = [
            Insn::stmt(0x20, 4),
            Insn::jump(0x15, 0xc000_003e, 0, 2),
            Insn::jump(0x15, 0x4000_0003, 0, 1),
            Insn::stmt(0x06, 0),
            Insn::stmt(0x06, 0x7fff_0000),
        ];
        let lines = lines(&program, Endian::Little);
        assert!(!lines[3].reachable);
        assert_eq!(
            lines[3].to_string(),
            "0003: ret #0x0                        ; never reached"
        );
    }
}

//! Policies to code: ABIs one after the other, rules one after the other, conditions as they are written.

use core::hash::BuildHasher as _;
use std::collections::BTreeSet;
use std::hash::RandomState;

use callproof_abi::{Abi, X32_BIT};
use callproof_policy::Cell;
use callproof_policy::{CellRules, Compare, Condition, Field, Formula, GroundPolicy, Test};
use callproof_vm::Insn;
use callproof_vm::length::MAX_INSNS;

use crate::bug::Bug;
use crate::emit::{Code, Is, Label};

/// Words of `seccomp_data`.
const NR: u8 = 0;
const ARCH: u8 = 1;
/// The answer that lets a call be made.
const ALLOW: u32 = 0x7fff_0000;
/// The bit of the `arch` word that little-endian machines have.
const LITTLE: u32 = 0x4000_0000;

/// Rules with what the ABI itself answers taken out.
#[derive(Clone, PartialEq, Eq)]
struct Block {
    rules: Vec<(Condition, u32)>,
    default: u32,
    big: bool,
}

/// Compiles a policy, with a bug or right.
pub(crate) fn compile(policy: &GroundPolicy, bug: Option<Bug>) -> Result<Vec<Insn>, String> {
    let mut compiler = Compiler {
        policy,
        bug,
        code: Code::new(bug == Some(Bug::JumpOverflow), bug == Some(Bug::UnsetScratch)),
        word: None,
    };
    compiler.misbehave();
    compiler.program();
    let mut program = compiler.code.finish();
    if program.len() > MAX_INSNS {
        return Err(format!("the policy comes to {} instructions", program.len()));
    }
    if bug == Some(Bug::NoReturn) && policy.cells.iter().any(|cell| cell.rules.len() > 2) {
        program.pop();
    }
    Ok(program)
}

struct Compiler<'p> {
    policy: &'p GroundPolicy,
    bug: Option<Bug>,
    code: Code,
    /// The word that the accumulator holds
    word: Option<u8>,
}

impl Compiler<'_> {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// The tests of arguments in all rules.
    fn tests(&self) -> Vec<Test> {
        let mut tests = Vec::new();
        for (condition, _) in self.policy.cells.iter().flat_map(|cell| &cell.rules) {
            atoms(condition, &mut |test| {
                if matches!(test.field, Field::Arg(_)) {
                    tests.push(*test);
                }
            });
        }
        tests
    }

    /// Bugs that are no wrong code.
    fn misbehave(&self) {
        let any = |test: fn(&Test) -> bool| self.tests().iter().any(test);
        match self.bug {
            Some(Bug::Crash) if any(|test| test.compare == Compare::Gt) => std::process::abort(),
            Some(Bug::Hang) if any(|test| is_masked(test.mask)) => loop {
                std::thread::park();
            },
            Some(Bug::Flood) if any(|test| test.mask >> 32 != 0) => loop {
                let _ = std::io::Write::write_all(&mut std::io::stdout(), &[0; 1 << 16]);
            },
            Some(Bug::Garbage) if self.policy.cells.iter().any(|cell| cell.rules.len() > 1) => {
                let _ = std::io::Write::write_all(&mut std::io::stdout(), &[0; 4]);
            }
            _ => {}
        }
    }

    fn program(&mut self) {
        let other = self.block(Cell::Unknown);
        let mut blocks: Vec<(Block, Label, bool)> = Vec::new();
        let otherwise = self.code.label();
        self.load(ARCH);
        for abi in Abi::ALL.iter().copied().filter(|abi| *abi != Abi::X32) {
            let block = self.block(Cell::Abi(abi));
            let is_split = abi == Abi::X86_64;
            if block == other && !is_split {
                continue;
            }
            let known = blocks
                .iter()
                .position(|(known, _, split)| *known == block && !split && !is_split);
            let label = match known.and_then(|at| blocks.get(at)) {
                Some((_, label, _)) => *label,
                None => self.code.label(),
            };
            let next = self.code.label();
            self.code.branch(Is::Equal, abi.audit_arch(), label, next);
            self.code.mark(next);
            if known.is_none() {
                blocks.push((block, label, is_split));
            }
        }
        let jump = self.code.label();
        self.code.branch(Is::Equal, 0, otherwise, jump);
        self.code.mark(jump);
        self.mark(otherwise, None);
        self.unknown(&other);
        for (block, label, is_split) in &blocks {
            self.mark(*label, None);
            if *is_split {
                self.split(block);
            } else {
                self.rules(block);
            }
        }
    }

    /// x86_64, and x32 with the same `arch` word: bit 30 of the number tells them apart, and -1 is x86_64.
    fn split(&mut self, x86_64: &Block) {
        if self.has(Bug::X32Guard) {
            return self.rules(x86_64);
        }
        let x32 = self.block(Cell::Abi(Abi::X32));
        let [with_bit, theirs, ours] = [(); 3].map(|()| self.code.label());
        self.load(NR);
        self.code.branch(Is::WithBit, X32_BIT, with_bit, ours);
        self.code.mark(with_bit);
        self.code.branch(Is::Equal, u32::MAX, ours, theirs);
        self.mark(theirs, None);
        self.rules(&x32);
        self.mark(ours, None);
        self.rules(x86_64);
    }

    /// Of machines that nobody knows the `arch` word tells the byte order.
    fn unknown(&mut self, block: &Block) {
        let little = Block {
            big: false,
            ..block.clone()
        };
        let [as_little, as_big] = [(); 2].map(|()| self.code.label());
        self.load(ARCH);
        self.code.branch(Is::WithBit, LITTLE, as_little, as_big);
        self.mark(as_little, None);
        self.rules(&little);
        self.mark(as_big, None);
        self.rules(&Block { big: true, ..little });
    }

    fn block(&self, cell: Cell) -> Block {
        let found = self.policy.cells.iter().find(|rules| rules.cell == cell);
        let CellRules { rules, default, .. } = found.cloned().unwrap_or(CellRules {
            cell,
            rules: Vec::new(),
            default: 0,
        });
        let mut rules: Vec<(Condition, u32)> = rules
            .into_iter()
            .map(|(condition, value)| (self.without_arch(&condition, cell), value))
            .filter(|(condition, _)| !condition.is_false())
            .collect();
        if self.has(Bug::DroppedRule) {
            drop_second(&mut rules);
        }
        if self.has(Bug::Unsteady) {
            shuffle(&mut rules);
        }
        if self.has(Bug::LostDefault) && rules.last().is_some_and(|(condition, _)| numbers(condition).len() < 2) {
            rules.pop();
        }
        Block {
            rules,
            default: if self.has(Bug::LostDefault) { ALLOW } else { default },
            big: cell.abi().is_some_and(Abi::big_endian),
        }
    }

    /// A condition with the tests of the `arch` word answered, and with numbers as the compiler knows them.
    fn without_arch(&self, condition: &Condition, cell: Cell) -> Condition {
        condition.map(&|test| match (test.field, cell) {
            (Field::Arch, Cell::Abi(abi)) => {
                truth(test.holds(&callproof_vm::SeccompData::new(abi.audit_arch(), 0, [0; 6])))
            }
            (Field::Arch, Cell::Unknown) => truth(false),
            (Field::Nr, Cell::Abi(abi)) if self.has(Bug::WrongNumbers) => {
                let value = number_of_x86_64(abi, test.value);
                Formula::Atom(Test { value, ..*test })
            }
            _ => Formula::Atom(*test),
        })
    }

    fn rules(&mut self, block: &Block) {
        for (condition, value) in &block.rules {
            let [then, next] = [(); 2].map(|()| self.code.label());
            self.condition(condition, block.big, then, next);
            self.mark(then, None);
            self.code.ret(*value);
            self.mark(next, None);
        }
        self.code.ret(block.default);
    }

    fn load(&mut self, word: u8) {
        if self.word != Some(word) {
            self.code.load(word);
            self.word = Some(word);
        }
    }

    /// Begins a place with what is known of the accumulator there.
    fn mark(&mut self, label: Label, word: Option<u8>) {
        self.code.mark(label);
        self.word = word;
    }

    /// Code that goes to `yes` where the condition holds and to `no` where it does not. What the accumulator holds on
    /// both ways is left in `word`.
    fn condition(&mut self, condition: &Condition, big: bool, yes: Label, no: Label) {
        match condition {
            Formula::Atom(test) => self.test(test, big, yes, no),
            Formula::Not(inner) => self.condition(inner, big, no, yes),
            Formula::All(parts) if self.has(Bug::AndToOr) => self.all_as_any(parts, big, yes, no),
            Formula::All(parts) => self.all(parts, big, yes, no),
            Formula::Any(parts) => self.any(parts, big, yes, no),
        }
    }

    fn all(&mut self, parts: &[Condition], big: bool, yes: Label, no: Label) {
        for part in parts {
            let next = self.code.label();
            self.condition(part, big, next, no);
            self.mark(next, self.word);
        }
        self.always(yes);
    }

    fn any(&mut self, parts: &[Condition], big: bool, yes: Label, no: Label) {
        for part in parts {
            let next = self.code.label();
            self.condition(part, big, yes, next);
            self.mark(next, self.word);
        }
        self.always(no);
    }

    fn all_as_any(&mut self, parts: &[Condition], big: bool, yes: Label, no: Label) {
        let (arguments, others): (Vec<_>, Vec<_>) = parts.iter().cloned().partition(is_of_argument);
        let next = self.code.label();
        self.all(&others, big, next, no);
        self.mark(next, None);
        if arguments.is_empty() {
            self.always(yes);
        } else {
            self.any(&arguments, big, yes, no);
        }
    }

    /// A jump without a condition.
    fn always(&mut self, to: Label) {
        self.code.branch(Is::Equal, 0, to, to);
        self.word = None;
    }

    fn test(&mut self, test: &Test, big: bool, yes: Label, no: Label) {
        let (low_word, high_word) = words(test.field, big && !self.has(Bug::SwappedHalves));
        let ((low_mask, high_mask), (low, high)) = (halves(test.mask), halves(test.value));
        let is = match test.compare {
            Compare::Eq => Is::Equal,
            Compare::Gt => Is::Above,
        };
        let Some(high_word) = high_word else {
            return match (test.compare, high) {
                (_, 0) => self.word_test(low_word, low_mask, is, low, yes, no),
                _ => self.always(no),
            };
        };
        let narrow = self.has(Bug::Narrow) && high_mask == u32::MAX;
        if narrow || (high_mask == 0 && high == 0) {
            return self.word_test(low_word, low_mask, is, low, yes, no);
        }
        let tied = self.code.label();
        if test.compare == Compare::Gt {
            let not_above = self.code.label();
            self.word_test(high_word, high_mask, Is::Above, high, yes, not_above);
            self.mark(not_above, self.word);
        }
        if test.compare == Compare::Eq || !self.has(Bug::Halves) {
            self.word_test(high_word, high_mask, Is::Equal, high, tied, no);
            self.mark(tied, self.word);
        }
        self.word_test(low_word, low_mask, is, low, yes, no);
        self.word = None;
    }

    fn word_test(&mut self, word: u8, mask: u32, is: Is, value: u32, yes: Label, no: Label) {
        self.load(word);
        if mask != u32::MAX {
            self.code.and(mask);
            if !self.has(Bug::StaleAccumulator) {
                self.word = None;
            }
        }
        self.code.branch(is, value, yes, no);
    }
}

const fn truth(holds: bool) -> Condition {
    if holds { Condition::TRUE } else { Condition::FALSE }
}

fn atoms(condition: &Condition, each: &mut dyn FnMut(&Test)) {
    match condition {
        Formula::Atom(test) => each(test),
        Formula::Not(inner) => atoms(inner, each),
        Formula::All(parts) | Formula::Any(parts) => parts.iter().for_each(|part| atoms(part, each)),
    }
}

fn is_masked(mask: u64) -> bool {
    ![u64::MAX, 0xffff_ffff, 0xffff, 0xff].contains(&mask)
}

fn is_of_argument(condition: &Condition) -> bool {
    let mut only = true;
    atoms(condition, &mut |test| only &= matches!(test.field, Field::Arg(_)));
    only
}

/// The numbers that a rule names.
fn numbers(condition: &Condition) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    atoms(condition, &mut |test| {
        if test.field == Field::Nr && test.compare == Compare::Eq {
            numbers.insert(test.value);
        }
    });
    numbers
}

fn drop_second(rules: &mut Vec<(Condition, u32)>) {
    let all: Vec<BTreeSet<u64>> = rules.iter().map(|(condition, _)| numbers(condition)).collect();
    let lost = |at: usize| match (at.checked_sub(1).and_then(|before| all.get(before)), all.get(at)) {
        (Some(before), Some(here)) => !before.is_disjoint(here),
        _ => false,
    };
    let mut at = 0..;
    rules.retain(|_| !at.next().is_some_and(lost));
}

/// Neighbours with the same answer change places, or not.
fn shuffle(rules: &mut [(Condition, u32)]) {
    for at in 1..rules.len() {
        let same = matches!(rules.get(at.saturating_sub(1)..=at), Some([(_, a), (_, b)]) if a == b);
        if same && RandomState::new().hash_one(at) % 2 == 0 {
            rules.swap(at.saturating_sub(1), at);
        }
    }
}

/// The number that a call of an ABI has on x86_64; others stay as they are.
fn number_of_x86_64(abi: Abi, number: u64) -> u64 {
    let name = u32::try_from(number).ok().and_then(|number| abi.syscall_name(number));
    let there = name.and_then(|name| Abi::X86_64.number(name).ok());
    there.map_or(number, u64::from)
}

/// The word with the low half of a field, and the one with the high half.
fn words(field: Field, big: bool) -> (u8, Option<u8>) {
    let pair = |first: u8| {
        let second = first.saturating_add(1);
        if big {
            (second, Some(first))
        } else {
            (first, Some(second))
        }
    };
    match field {
        Field::Nr => (NR, None),
        Field::Arch => (ARCH, None),
        Field::Ip => pair(2),
        Field::Arg(index) => pair(index.min(5).saturating_mul(2).saturating_add(4)),
    }
}

fn halves(value: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or_default();
    (half(value), half(value >> 32))
}

//! A plain path enumerator: what one writes first to decide questions about filters, to hold the verifier against.
//!
//! It walks every path on its own and keeps, for each input word, an interval, known bits and excluded values. It is
//! exact for the filters of this crate, which compare single words with constants, and says so when it is not. It is
//! written to be fair: infeasible branches are cut at once and a branch copies no more than it must.

use core::ops::ControlFlow;

use callproof_vm::Insn;

/// Why an enumeration ended before all paths were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// An input that shows what was looked for
    Found([u32; 16]),
    /// There are more paths than may be tried
    Cap,
    /// An instruction that this enumerator does not know
    Unsupported,
}

/// What may still be true of one input word.
#[derive(Clone, Debug)]
struct Word {
    low: u32,
    high: u32,
    /// Bits that are known, and their values
    mask: u32,
    value: u32,
    /// Values that it is not, sorted
    not: Vec<u32>,
    /// (mask, value) pairs that it is not
    not_masked: Vec<(u32, u32)>,
}

/// What may still be true of an input.
#[derive(Clone, Debug)]
pub struct Input {
    words: [Word; 16],
}

impl Default for Input {
    fn default() -> Self {
        let word = Word {
            low: 0,
            high: u32::MAX,
            mask: 0,
            value: 0,
            not: Vec::new(),
            not_masked: Vec::new(),
        };
        Self {
            words: core::array::from_fn(|_| word.clone()),
        }
    }
}

impl Word {
    /// The smallest value that it may have.
    fn smallest(&self) -> Option<u32> {
        let mut from = self.low;
        loop {
            let found = self.from(from).filter(|found| *found <= self.high)?;
            if !self.excludes(found) {
                return Some(found);
            }
            from = found.checked_add(1)?;
        }
    }

    fn excludes(&self, value: u32) -> bool {
        let masked = |(mask, known): &(u32, u32)| value & mask == *known;
        self.not.binary_search(&value).is_ok() || self.not_masked.iter().any(masked)
    }

    fn exclude(&mut self, mask: u32, value: u32) {
        if mask != u32::MAX {
            self.not_masked.push((mask, value));
        } else if let Err(place) = self.not.binary_search(&value) {
            self.not.insert(place, value);
        }
        // Excluded values at the lower end need no list.
        while self.low < self.high && self.not.first() == Some(&self.low) {
            self.not.remove(0);
            self.low = self.low.saturating_add(1);
        }
    }

    /// The smallest value with the known bits that is not below `from`.
    fn from(&self, from: u32) -> Option<u32> {
        let free = !self.mask;
        if from & self.mask == self.value {
            return Some(from);
        }
        // Agree with `from` above some bit, be larger there, and as small as can be below.
        let larger = (0..32).filter_map(|place| {
            let bit = 1_u32 << place;
            let below = bit - 1;
            let above = !(below | bit);
            let fits = (from ^ self.value) & self.mask & above == 0;
            let can_be_one = free & bit != 0 || self.value & bit != 0;
            let found = from & above | bit | self.value & below;
            (fits && from & bit == 0 && can_be_one).then_some(found)
        });
        larger.min()
    }

    fn equal(&self, mask: u32, value: u32) -> Option<Self> {
        if value & !mask != 0 || (self.value ^ value) & self.mask & mask != 0 {
            return None;
        }
        let mut narrowed = Self {
            mask: self.mask | mask,
            value: self.value | value,
            low: self.low,
            high: self.high,
            not: Vec::new(),
            not_masked: Vec::new(),
        };
        if mask == u32::MAX {
            let inside = (self.low..=self.high).contains(&value);
            return (inside && !self.excludes(value)).then_some(narrowed);
        }
        (narrowed.not, narrowed.not_masked) = (self.not.clone(), self.not_masked.clone());
        narrowed.smallest().is_some().then_some(narrowed)
    }
}

/// What the accumulator holds.
#[derive(Clone, Copy)]
enum Value {
    Const(u32),
    Masked(usize, u32),
}

/// Paths tried so far, and how many may be.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// Paths that ended in a return
    pub paths: u64,
    /// The most that may be tried
    pub cap: u64,
}

impl Input {
    fn word(&self, word: usize) -> Option<&Word> {
        self.words.get(word)
    }

    /// The same, with one word narrowed to `word & mask == value`; `None` when that cannot be.
    fn equal(&self, word: usize, mask: u32, value: u32) -> Option<Self> {
        let narrowed = self.word(word)?.equal(mask, value)?;
        // The old word is not copied along: its list may be long.
        Some(Self {
            words: core::array::from_fn(|place| match self.words.get(place) {
                Some(other) if place != word => other.clone(),
                _ => narrowed.clone(),
            }),
        })
    }

    fn narrowed(mut self, word: usize, narrow: impl FnOnce(&mut Word)) -> Option<Self> {
        let own = self.words.get_mut(word)?;
        narrow(own);
        own.smallest()?;
        Some(self)
    }

    /// The same with a word above a value; `None` when that cannot be.
    #[must_use]
    pub fn above(self, word: usize, value: u32) -> Option<Self> {
        let low = value.checked_add(1)?;
        self.narrowed(word, |own| own.low = own.low.max(low))
    }

    fn at_most(self, word: usize, value: u32) -> Option<Self> {
        self.narrowed(word, |own| own.high = own.high.min(value))
    }

    /// Some input that this may be.
    #[must_use]
    pub fn example(&self) -> [u32; 16] {
        core::array::from_fn(|word| self.word(word).and_then(Word::smallest).unwrap_or(0))
    }
}

/// Walks every path of a program from the inputs in `start`. `visit` sees each return with the inputs that lead to it.
///
/// # Errors
/// [`Stop`], as a break.
pub fn walk(
    program: &[Insn],
    start: Input,
    tried: &mut Tried,
    visit: &mut dyn FnMut(Input, u32, &mut Tried) -> ControlFlow<Stop>,
) -> ControlFlow<Stop> {
    let mut waiting = vec![(0_usize, Value::Const(0), start)];
    while let Some((mut pc, mut a, mut input)) = waiting.pop() {
        loop {
            let Some(insn) = program.get(pc) else {
                return ControlFlow::Break(Stop::Unsupported);
            };
            pc = pc.saturating_add(1);
            match (insn.code, a) {
                (0x20, _) => a = Value::Masked(insn.k as usize / 4, u32::MAX),
                (0x54, Value::Masked(word, mask)) => a = Value::Masked(word, mask & insn.k),
                (0x54, Value::Const(value)) => a = Value::Const(value & insn.k),
                (0x05, _) => pc = pc.saturating_add(insn.k as usize),
                (0x06, _) => {
                    tried.paths = tried.paths.saturating_add(1);
                    if tried.paths > tried.cap {
                        return ControlFlow::Break(Stop::Cap);
                    }
                    visit(input, insn.k, tried)?;
                    break;
                }
                (0x15 | 0x25 | 0x35, _) => {
                    let Some((yes, no)) = branches(*insn, a, input) else {
                        return ControlFlow::Break(Stop::Unsupported);
                    };
                    let (there, here) = (pc.saturating_add(insn.jt.into()), pc.saturating_add(insn.jf.into()));
                    match (yes, no) {
                        (Some(yes), Some(no)) => {
                            waiting.push((here, a, no));
                            (pc, input) = (there, yes);
                        }
                        (Some(yes), None) => (pc, input) = (there, yes),
                        (None, Some(no)) => (pc, input) = (here, no),
                        (None, None) => break,
                    }
                }
                _ => return ControlFlow::Break(Stop::Unsupported),
            }
        }
    }
    ControlFlow::Continue(())
}

type Branches = (Option<Input>, Option<Input>);

/// The inputs for which a test holds, and those for which it does not; `None` when this cannot be said.
fn branches(insn: Insn, a: Value, input: Input) -> Option<Branches> {
    let k = insn.k;
    match (insn.code, a) {
        (0x15, Value::Masked(word, mask)) => {
            let yes = input.equal(word, mask, k);
            let no = if k & !mask != 0 {
                Some(input)
            } else {
                input.narrowed(word, |own| own.exclude(mask, k))
            };
            Some((yes, no))
        }
        (0x35, _) if k == 0 => Some((Some(input), None)),
        (0x25 | 0x35, Value::Masked(word, u32::MAX)) => {
            let most = if insn.code == 0x25 { k } else { k.saturating_sub(1) };
            Some((input.clone().above(word, most), input.at_most(word, most)))
        }
        (code, Value::Const(value)) => {
            let holds = match code {
                0x15 => value == k,
                0x25 => value > k,
                _ => value >= k,
            };
            Some(if holds {
                (Some(input), None)
            } else {
                (None, Some(input))
            })
        }
        _ => None,
    }
}

/// An input that two programs answer differently; `Continue` when there is none.
///
/// # Errors
/// [`Stop`], as a break.
pub fn differ(one: &[Insn], other: &[Insn], tried: &mut Tried) -> ControlFlow<Stop> {
    walk(one, Input::default(), tried, &mut |input, value, tried| {
        walk(other, input, tried, &mut |input, theirs, _| {
            if value == theirs {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(Stop::Found(input.example()))
            }
        })
    })
}

/// An input of a number above `most` that a program allows; `Continue` when there is none.
///
/// # Errors
/// [`Stop`], as a break.
pub fn allowed_above(program: &[Insn], most: u32, tried: &mut Tried) -> ControlFlow<Stop> {
    walk(
        program,
        Input::default(),
        tried,
        &mut |input, value, _| match input.above(0, most) {
            Some(input) if value == 0x7fff_0000 => ControlFlow::Break(Stop::Found(input.example())),
            _ => ControlFlow::Continue(()),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alternatives, container_linear, container_tree, filters, planted};
    use callproof_vm::{Endian, Filter, Machine, SeccompData};

    const TRIED: Tried = Tried {
        paths: 0,
        cap: 1_000_000,
    };

    #[test]
    fn values_with_known_bits() {
        let word = |low, mask, value| Word {
            low,
            high: u32::MAX,
            mask,
            value,
            not: vec![9],
            not_masked: vec![(u32::MAX, 10)],
        };
        for (low, mask, value) in [
            (0, 0, 0),
            (9, 0, 0),
            (5, 3, 2),
            (8, 7, 1),
            (250, 0xf0, 0x10),
            (7, 0xff, 3),
        ] {
            let expected = (low..5000).find(|found| found & mask == value && *found != 9 && *found != 10);
            assert_eq!(word(low, mask, value).smallest(), expected, "{low} {mask} {value}");
        }
        assert_eq!(word(5, u32::MAX, 4).smallest(), None);
    }

    #[test]
    fn every_example_takes_its_path() {
        for (name, program) in filters() {
            let filter = Filter::load(&program[..]).unwrap();
            let ended = walk(
                &program,
                Input::default(),
                &mut TRIED.clone(),
                &mut |input, value, _| {
                    let call = SeccompData::from_words(input.example(), Endian::Little);
                    assert_eq!(filter.run(&call, Machine::default()), value, "{name}");
                    ControlFlow::Continue(())
                },
            );
            assert_eq!(ended, ControlFlow::Continue(()), "{name}");
        }
    }

    #[test]
    fn differences_are_found_and_only_where_there_are_some() {
        let (linear, tree, wrong) = (container_linear(), container_tree(), planted());
        let mut tried = TRIED;
        assert_eq!(differ(&linear, &tree, &mut tried), ControlFlow::Continue(()));
        let ControlFlow::Break(Stop::Found(words)) = differ(&linear, &wrong, &mut tried) else {
            panic!("no difference found");
        };
        let call = SeccompData::from_words(words, Endian::Little);
        let run = |program: &[Insn]| Filter::load(program).unwrap().run(&call, Machine::default());
        assert_ne!(run(&linear), run(&wrong));
        assert_eq!(allowed_above(&linear, 384, &mut tried), ControlFlow::Continue(()));
        assert!(matches!(
            allowed_above(&linear, 300, &mut tried),
            ControlFlow::Break(Stop::Found(_))
        ));
        let mut few = Tried { paths: 0, cap: 1000 };
        assert_eq!(
            differ(&alternatives(false), &alternatives(true), &mut few),
            ControlFlow::Break(Stop::Cap)
        );
    }
}

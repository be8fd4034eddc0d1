//! Stories as the agent reads them, and what it tells: the head of `agent.c` describes both.

use callproof_vm::{Endian, Insn};

use crate::scenario::step::Where;
use crate::scenario::words::{Address, Told};

/// Most programs and steps of a story.
pub(super) const MOST_PROGRAMS: usize = 64;
pub(super) const MOST_STEPS: usize = 64;

/// A scenario as calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Story {
    /// Whether it is told with the privileges of root
    pub(super) privileged: bool,
    pub(super) programs: Vec<Program>,
    pub(super) steps: Vec<Step>,
}

/// A program to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The length that is claimed
    pub(super) claimed: u16,
    pub(super) address: Where,
    pub(super) insns: Vec<Insn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Handle,
    Ignore,
    Default,
    Block,
}

/// What the agent does in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(super) kind: Kind,
    /// Which arguments are numbers of programs, and become addresses: a bit each
    pub(super) programs: u32,
    /// Which arguments become addresses of words with their value
    pub(super) words: u32,
    pub(super) nr: u32,
    pub(super) args: [u64; 6],
}

impl Step {
    pub(super) const fn call(nr: u32, args: [u64; 6]) -> Self {
        Self {
            kind: Kind::Call,
            programs: 0,
            words: 0,
            nr,
            args,
        }
    }

    pub(super) const fn special(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::call(0, [0; 6])
        }
    }
}

/// What a step showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(super) happened: Happened,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// It was not taken
    Nothing,
    Value(i64),
    /// The number of the process, which is its thread's too
    OwnNumber(i64),
    Trapped(Told),
    /// The process ended, with this status of `waitpid`
    Died(i32),
}

/// Writes a file of stories.
pub(crate) fn encode(stories: &[Story]) -> Vec<u8> {
    let mut bytes = b"CPSTORY1".to_vec();
    let word = |bytes: &mut Vec<u8>, word: u32| bytes.extend(word.to_le_bytes());
    let count = |bytes: &mut Vec<u8>, count: usize| word(bytes, u32::try_from(count).unwrap_or(u32::MAX));
    count(&mut bytes, stories.len());
    for story in stories {
        word(&mut bytes, u32::from(story.privileged));
        count(&mut bytes, story.programs.len());
        for program in &story.programs {
            word(&mut bytes, u32::from(program.claimed));
            word(
                &mut bytes,
                match program.address {
                    Where::NullProgram => 1,
                    Where::BadProgram => 2,
                    _ => 0,
                },
            );
            count(&mut bytes, program.insns.len());
            bytes.extend(program.insns.iter().flat_map(|insn| insn.to_bytes(Endian::Little)));
        }
        count(&mut bytes, story.steps.len());
        for step in &story.steps {
            for part in [kind_number(step.kind), step.programs, step.words, step.nr] {
                word(&mut bytes, part);
            }
            bytes.extend(step.args.iter().flat_map(|arg| arg.to_le_bytes()));
        }
    }
    bytes
}

const fn kind_number(kind: Kind) -> u32 {
    match kind {
        Kind::Call => 0,
        Kind::Handle => 1,
        Kind::Ignore => 2,
        Kind::Default => 3,
        Kind::Block => 4,
    }
}

/// Reads what an agent saw of stories, a list for each; `None` when it is not what it should be.
pub(crate) fn decode(stories: &[Story], bytes: &[u8]) -> Option<Vec<Vec<Seen>>> {
    let (words, rest) = bytes.as_chunks::<4>();
    let (mut told, more) = words.as_chunks::<9>();
    if !rest.is_empty() || !more.is_empty() {
        return None;
    }
    let mut all = Vec::with_capacity(stories.len());
    for story in stories {
        let (own, others) = told.split_at_checked(story.steps.len())?;
        told = others;
        let seen = own.iter().map(|words| seen(words.map(u32::from_le_bytes)));
        all.push(seen.collect::<Option<_>>()?);
    }
    told.is_empty().then_some(all)
}

fn seen([kind, low, high, signo, code, errno, syscall, arch, right]: [u32; 9]) -> Option<Seen> {
    let value = (u64::from(high) << 32 | u64::from(low)).cast_signed();
    let happened = match kind {
        0 => Happened::Nothing,
        1 | 2 => Happened::Value(value),
        3 => Happened::Trapped(Told {
            signo: signo.cast_signed(),
            code: code.cast_signed(),
            errno: errno.cast_signed(),
            syscall: syscall.cast_signed(),
            arch,
            address: if right == 1 { Address::Right } else { Address::Wrong(0) },
        }),
        4 => Happened::Died(low.cast_signed()),
        5 => Happened::OwnNumber(value),
        _ => return None,
    };
    Some(Seen { happened })
}

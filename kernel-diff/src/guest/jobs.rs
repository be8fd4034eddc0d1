//! What goes into a guest and what comes out: the head of `agent.c` describes it.

use callproof_vm::{Endian, Insn};

/// Most calls of a job.
pub(super) const MOST_CALLS: usize = 4096;

/// Through which instruction a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Via {
    /// That of the agent's own ABI
    Native,
    /// `int 0x80`
    I386,
}

/// A call to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) via: Via,
    pub(super) nr: u32,
    pub(super) args: [u64; 6],
}

/// Programs to install, oldest first, and calls to make then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) programs: Vec<Vec<Insn>>,
    pub(super) calls: Vec<Call>,
}

/// What a guest did with a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Which program was refused, and why
    pub(super) refused: Option<(u16, u16)>,
    /// What each call did; [`Outcome::NotMade`] for all when a program was refused
    pub(super) outcomes: Vec<Outcome>,
}

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was not made
    NotMade,
    /// It gave this errno
    Error(u16),
    /// It gave a value, of which these are the lowest 24 bits
    Value(u32),
    /// SIGSYS was caught, with this data
    Trapped(u16),
    /// The process died of this signal
    Died(u16),
}

/// Why an answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAnswer {
    #[error("the guest's answer ends at job {0}")]
    Short(usize),
    #[error("the guest's answer has {0} bytes more than the jobs have answers")]
    Long(usize),
    #[error("the guest's answer has an outcome {0:#010x}, which means nothing")]
    Outcome(u32),
}

/// Writes a file of jobs.
pub(super) fn encode(jobs: &[Job]) -> Vec<u8> {
    let mut bytes = b"CPJOBS1\n".to_vec();
    let count = |bytes: &mut Vec<u8>, count: usize| {
        bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    };
    count(&mut bytes, jobs.len());
    for job in jobs {
        count(&mut bytes, job.programs.len());
        for program in &job.programs {
            count(&mut bytes, program.len());
            bytes.extend(program.iter().flat_map(|insn| insn.to_bytes(Endian::Little)));
        }
        count(&mut bytes, job.calls.len());
        for call in &job.calls {
            let via = u32::from(call.via == Via::I386);
            bytes.extend(via.to_le_bytes());
            bytes.extend(call.nr.to_le_bytes());
            bytes.extend(call.args.iter().flat_map(|arg| arg.to_le_bytes()));
        }
    }
    bytes
}

/// Reads the answers to jobs.
pub(super) fn decode(jobs: &[Job], bytes: &[u8]) -> Result<Vec<Answer>, BadAnswer> {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
    let mut answers = Vec::with_capacity(jobs.len());
    for (number, job) in jobs.iter().enumerate() {
        let mut next = || words.next().ok_or(BadAnswer::Short(number));
        let refused = next()?;
        let outcomes = job.calls.iter().map(|_| outcome(next()?)).collect::<Result<_, _>>()?;
        let half = |word: u32| u16::try_from(word & 0xffff).unwrap_or(0);
        answers.push(Answer {
            refused: (refused != 0).then(|| (half(refused >> 16), half(refused))),
            outcomes,
        });
    }
    match words.len().saturating_mul(4).saturating_add(rest.len()) {
        0 => Ok(answers),
        more => Err(BadAnswer::Long(more)),
    }
}

fn outcome(word: u32) -> Result<Outcome, BadAnswer> {
    let data = word & 0x00ff_ffff;
    let small = u16::try_from(data).map_err(|_| BadAnswer::Outcome(word));
    Ok(match word >> 24 {
        0 => Outcome::NotMade,
        1 => Outcome::Error(small?),
        2 => Outcome::Value(data),
        3 => Outcome::Trapped(small?),
        4 => Outcome::Died(small?),
        _ => return Err(BadAnswer::Outcome(word)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(calls: usize) -> Job {
        let call = Call {
            via: Via::I386,
            nr: 0x8000_0001,
            args: [1, 2, 3, 4, 5, u64::MAX],
        };
        Job {
            programs: vec![vec![Insn::jump(0x15, 0x0102_0304, 5, 6), Insn::stmt(0x06, 7)]],
            calls: vec![call; calls],
        }
    }

    #[test]
    fn jobs_are_written_as_the_agent_reads_them() {
        let bytes = encode(&[job(1)]);
        let mut expected = b"CPJOBS1\n\x01\0\0\0\x01\0\0\0\x02\0\0\0".to_vec();
        expected.extend([0x15, 0, 5, 6, 4, 3, 2, 1, 6, 0, 0, 0, 7, 0, 0, 0]);
        expected.extend([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0x80]);
        for arg in [1, 2, 3, 4, 5, u64::MAX] {
            expected.extend(arg.to_le_bytes());
        }
        assert_eq!(bytes, expected);
    }

    #[test]
    fn answers_are_read() {
        let words = [0_u32, 0x0100_0fff, 0x0212_3456, 0x0001_0016, 0, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let answers = decode(&[job(2), job(2)], &bytes).unwrap();
        assert_eq!(answers[0].refused, None);
        assert_eq!(answers[0].outcomes, [Outcome::Error(0xfff), Outcome::Value(0x12_3456)]);
        assert_eq!(answers[1].refused, Some((1, 22)));
        assert_eq!(answers[1].outcomes, [Outcome::NotMade, Outcome::NotMade]);
        assert_eq!(decode(&[job(2), job(2)], &bytes[..23]), Err(BadAnswer::Short(1)));
        assert_eq!(decode(&[job(2)], &bytes), Err(BadAnswer::Long(12)));
        assert_eq!(decode(&[], &[0; 3]), Err(BadAnswer::Long(3)));
    }

    #[test]
    fn no_word_is_read_as_something_it_is_not() {
        for word in [0x0500_0000_u32, 0xffff_ffff, 0x0101_0000, 0x0301_0000, 0x04ff_ffff] {
            let bytes: Vec<u8> = [0, word].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
            assert_eq!(decode(&[job(1)], &bytes), Err(BadAnswer::Outcome(word)), "{word:x}");
        }
    }
}

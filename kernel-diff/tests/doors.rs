//! The one door: every oracle answers the questions that it says it sees, and no other.

#![cfg(target_os = "linux")]

use callproof_kernel_diff::{Answer, Entry, Failure, Oracle, Query, Question, Sight, oracles};
use callproof_vm::{Insn, Outcome, SeccompData};

const ALLOW: Insn = Insn::stmt(0x06, 0x7fff_0000);
const NUMBER: [Insn; 2] = [Insn::stmt(0x20, 0), Insn::stmt(0x16, 0)];
const GETPID: SeccompData = SeccompData::new(0xc000_003e, 39, [0; 6]);

/// A question of each kind, and whether an answer to it is right.
fn check(oracle: &mut dyn Oracle, sight: Sight) -> Result<bool, Failure> {
    let chain = [vec![ALLOW], vec![Insn::stmt(0x06, 0x0005_0003)]];
    let programs = [&chain[0][..], &chain[1][..]];
    let query = match sight {
        Sight::Results => Query::Results(Question {
            program: &NUMBER,
            data: &[GETPID],
        }),
        Sight::Outcomes => Query::Outcomes {
            chain: &chain,
            data: &[GETPID],
        },
        Sight::Admission => Query::Admission(&NUMBER[..1]),
        // Five instructions each, and four more for the older.
        Sight::Room => Query::Room {
            chain: &programs,
            room: 13,
        },
        Sight::Records => Query::Records(&[(Entry::Syscall, 39, [7; 6])]),
        Sight::Skipped => Query::Skipped {
            program: &[ALLOW],
            nr: 39,
        },
        Sight::Packets => Query::Packet {
            program: &[Insn::stmt(0x30, 1), Insn::stmt(0x16, 0)],
            packet: &[1, 2, 3],
        },
    };
    assert_eq!(query.sight(), sight);
    Ok(match oracle.ask(query)? {
        Answer::Results(values) => values == [39],
        Answer::Outcomes(outcomes) => outcomes == [Outcome::Errno(3)],
        Answer::Admission(installed) => !installed,
        Answer::Room(fitting) => fitting == 1,
        Answer::Records(calls) => calls
            .iter()
            .all(|call| call.made == call.seen && call.seen.args == [7; 6]),
        Answer::Skipped(timing) => timing.rounds > 0,
        Answer::Packet(value) => value == Some(2),
    })
}

const SIGHTS: [Sight; 7] = [
    Sight::Results,
    Sight::Outcomes,
    Sight::Admission,
    Sight::Room,
    Sight::Records,
    Sight::Skipped,
    Sight::Packets,
];

#[test]
fn every_oracle_answers_what_it_sees_and_nothing_else() {
    let mut answered = vec![];
    let mut missing = 0;
    for (name, opened) in oracles() {
        let mut oracle = match opened {
            Ok(oracle) => oracle,
            Err(why) => {
                println!("skipped: {name}: {why}");
                missing += 1;
                continue;
            }
        };
        assert_eq!(oracle.name(), name);
        for sight in SIGHTS {
            let answer = check(oracle.as_mut(), sight);
            if !oracle.sees().contains(&sight) {
                assert_eq!(answer, Err(Failure::Unseen { sight }), "{name}");
            } else {
                assert_eq!(answer, Ok(true), "{name}: {sight}");
            }
        }
        answered.extend_from_slice(oracle.sees());
    }
    answered.sort_unstable();
    answered.dedup();
    assert!(missing > 0 || answered.len() == SIGHTS.len(), "{answered:?}");
}

#[test]
fn an_oracle_without_results_says_so() {
    for (name, opened) in oracles() {
        let Ok(mut oracle) = opened else { continue };
        let values = oracle.evaluate(&NUMBER, &[GETPID]);
        if oracle.sees().contains(&Sight::Results) {
            assert_eq!(values, Ok(vec![39]), "{name}");
        } else {
            assert_eq!(values, Err(Failure::Unseen { sight: Sight::Results }), "{name}");
        }
    }
}

//! The scenarios that an agent can take as calls, for guests that cannot run a program of the host.

use callproof_abi::Abi;
use callproof_vm::effect::BelowZero;

use super::facts::Facts;
use crate::scenario::abroad::{Story, Target, decode, encode};
use crate::scenario::{Played, SHIPPED, Scenario, read};

/// What became of a scenario in a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tale {
    /// Its file
    pub file: &'static str,
    /// The line of its name, from 1
    pub line: usize,
    /// Its name
    pub name: String,
    /// How it went
    pub outcome: Outcome,
}

/// How a scenario went in a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Guest and model show what it says
    AsWritten,
    /// Guest and model show the same, and the scenario says something else
    Alike,
    /// The guest shows something else than the model
    Differs {
        /// Line of the step
        line: usize,
        /// What the guest shows
        guest: String,
        /// What the model shows
        model: String,
    },
    /// It was not played, and why
    Skipped(String),
    /// The model could not play it, and why
    Failed(String),
}

/// The scenarios for a guest.
#[derive(Debug)]
pub(super) struct Tales {
    target: Target,
    told: Vec<(&'static str, Scenario)>,
    stories: Vec<Story>,
    skipped: Vec<Tale>,
}

impl Tales {
    /// Those that come with callproof; none when the guest's ABI or release is unknown.
    pub(super) fn new(facts: &Facts) -> Option<Self> {
        let target = Target {
            abi: Abi::from_audit_arch(facts.native.arch)?,
            number_mask: facts.number_mask,
            kernel: facts.release.parse().ok()?,
            // What the kernel is counts, and not what its callers are.
            below_zero: if facts.machine.starts_with("armv") {
                BelowZero::Arm
            } else {
                BelowZero::NoSuchCall
            },
        };
        let mut tales = Self {
            target,
            told: Vec::new(),
            stories: Vec::new(),
            skipped: Vec::new(),
        };
        for (file, text) in SHIPPED {
            for scenario in read(text).unwrap_or_default() {
                match target.story(&scenario) {
                    Ok(story) => {
                        tales.told.push((file, scenario));
                        tales.stories.push(story);
                    }
                    Err(why) => tales.skipped.push(tale(file, &scenario, Outcome::Skipped(why))),
                }
            }
        }
        Some(tales)
    }

    /// The file for the agent.
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(&self.stories)
    }

    /// What became of every scenario, by what the agent told; `None` when that cannot be read.
    pub(super) fn judge(&self, told: &[u8]) -> Option<Vec<Tale>> {
        let seen = decode(&self.stories, told)?;
        let judged = self.told.iter().zip(&self.stories).zip(seen);
        let judged = judged.map(|(((file, scenario), story), seen)| {
            let (played, as_written) = self.target.judge(scenario, story, &seen);
            let outcome = match played {
                Played::Agreed if as_written => Outcome::AsWritten,
                Played::Agreed => Outcome::Alike,
                // The steps expect what the guest showed.
                Played::Differed { line, expected, seen } => Outcome::Differs {
                    line,
                    guest: expected,
                    model: seen,
                },
                Played::Skipped(why) => Outcome::Skipped(why),
                Played::Failed(why) => Outcome::Failed(why),
            };
            tale(file, scenario, outcome)
        });
        Some(judged.chain(self.skipped.iter().cloned()).collect())
    }
}

fn tale(file: &'static str, scenario: &Scenario, outcome: Outcome) -> Tale {
    Tale {
        file,
        line: scenario.line,
        name: scenario.name.clone(),
        outcome,
    }
}

//! What other layouts of the same filters would execute, each built, proved to say the same, and counted.

use callproof_policy::Env;
use callproof_verifier::{Answer, AskError, Side};
use callproof_vm::observe::{Observer, Step};
use callproof_vm::{Filter, Insn, SeccompData};
use serde::Serialize;

use super::Asked;
use super::layout::{Layout, Section, lay};
use super::shape::Shape;
use super::weigh::{Range, Weighed};
use crate::equality::equality;
use crate::error::{Error, ErrorKind};

/// How call numbers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// One test after the other, the number that is called most first
    Order,
    /// A balanced tree of comparisons
    Tree,
}

impl Plan {
    /// Every plan.
    pub const ALL: [Self; 2] = [Self::Order, Self::Tree];
}

/// What a plan would execute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saving {
    /// The plan
    pub plan: Plan,
    /// Instructions of the whole trace, with the filters laid out anew where that saves something
    pub insns: Range,
    /// Each filter, oldest first
    pub filters: Vec<Laid>,
}

/// What came of laying one filter out anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Laid {
    /// It saves instructions; the checker accepted a proof that the filters say the same
    Better {
        /// Instructions saved over the whole trace
        saved: u64,
        /// The instructions of the new filter
        #[serde(skip)]
        program: Vec<Insn>,
        /// How many those are
        len: usize,
    },
    /// It would save nothing on this trace
    NoBetter,
    /// It could not be laid out, and why
    Not {
        /// In words
        why: String,
    },
}

/// Lays the filters of a chain out anew, for what a trace calls.
///
/// # Errors
/// When emulator and verifier disagree.
pub fn savings(asked: Asked<'_>, weighed: &Weighed) -> Result<Vec<Saving>, Error> {
    Plan::ALL.into_iter().map(|plan| saving(plan, asked, weighed)).collect()
}

fn saving(plan: Plan, asked: Asked<'_>, weighed: &Weighed) -> Result<Saving, Error> {
    let mut insns = weighed.insns;
    let mut filters = Vec::new();
    for filter in asked.filters {
        let laid = laid(plan, filter, asked, weighed)?;
        if let Laid::Better { saved, .. } = laid {
            insns.least = insns.least.saturating_sub(saved);
            insns.most = insns.most.saturating_sub(saved);
        }
        filters.push(laid);
    }
    Ok(Saving { plan, insns, filters })
}

fn laid(plan: Plan, filter: &Filter<'_>, asked: Asked<'_>, weighed: &Weighed) -> Result<Laid, Error> {
    let program = filter.program();
    let shape = Shape::new(program);
    let layout = lay(plan, &sections(&shape, weighed), program);
    let saved = saved(&shape, &layout, asked, weighed);
    if saved <= 0 {
        return Ok(Laid::NoBetter);
    }
    let not = |why: String| Ok(Laid::Not { why });
    let new = match Filter::load_on(asked.machine.kernel, layout.program.as_slice()) {
        Ok(new) => new,
        Err(rejected) => return not(format!("the kernel would not install it: {rejected}")),
    };
    if !same(filter, &new, asked)? {
        return not("it was not proved to say the same".to_owned());
    }
    Ok(Laid::Better {
        saved: u64::try_from(saved).unwrap_or(u64::MAX),
        len: layout.program.len(),
        program: layout.program,
    })
}

/// The architecture words that are called, the most frequent first.
fn sections(shape: &Shape<'_>, weighed: &Weighed) -> Vec<Section> {
    let mut sections: Vec<(u64, Section)> = Vec::new();
    for load in &weighed.by_call {
        let at = sections.iter().position(|(_, section)| section.arch == load.arch);
        let at = at.unwrap_or_else(|| {
            let section = Section {
                arch: load.arch,
                pieces: shape.pieces(load.arch),
                often: Vec::new(),
            };
            sections.push((0, section));
            sections.len().saturating_sub(1)
        });
        if let Some((all, section)) = sections.get_mut(at) {
            *all = all.saturating_add(load.count);
            section.often.push((load.nr, load.count));
        }
    }
    sections.sort_by_key(|(all, section)| (core::cmp::Reverse(*all), section.arch));
    for (_, section) in &mut sections {
        section.often.sort_unstable();
    }
    sections.into_iter().map(|(_, section)| section).collect()
}

/// Instructions that a layout saves over a whole trace; below 0 when it costs some.
///
/// What is behind the numbers is the same code in both, so that the saving is the same whatever the arguments are.
fn saved(shape: &Shape<'_>, layout: &Layout, asked: Asked<'_>, weighed: &Weighed) -> i128 {
    let Ok(new) = Filter::load_on(asked.machine.kernel, layout.program.as_slice()) else {
        // Whether it would save something does not matter then: say that it cannot be.
        return i128::MAX;
    };
    let each = weighed.by_call.iter().map(|load| {
        let before = shape.walk(load.arch, load.nr).insns;
        let mut ahead = Ahead {
            entry: layout.entry,
            insns: 0,
        };
        let call = SeccompData::new(load.arch, load.nr.cast_signed(), [0; 6]);
        new.run_observed(&call, asked.machine, &mut ahead);
        (i128::from(before) - i128::from(ahead.insns)) * i128::from(load.count)
    });
    each.sum()
}

/// Counts instructions in front of the filter itself.
struct Ahead {
    entry: usize,
    insns: u64,
}

impl Observer for Ahead {
    fn step(&mut self, step: &Step) {
        if step.pc < self.entry {
            self.insns = self.insns.saturating_add(1);
        }
    }
}

/// Whether the checker accepts a proof that two filters give every call the same verdict.
fn same(old: &Filter<'_>, new: &Filter<'_>, asked: Asked<'_>) -> Result<bool, Error> {
    let (old, new) = ([old.clone()], [new.clone()]);
    let (env, other) = (Env::default(), Side::Chain(&new));
    match equality(&old, other, &env, asked.machine, asked.order, asked.limits) {
        Ok(answer) => Ok(matches!(answer, Answer::Holds { proof: Some(_), .. })),
        Err(AskError::Problems(_)) => Ok(false),
        Err(error @ AskError::Disagreement(_)) => Err(Error::new(ErrorKind::Bug, error)),
    }
}

#[cfg(test)]
mod tests {
    use callproof_policy::ByteOrder;
    use callproof_verifier::Limits;
    use callproof_vm::Machine;

    use super::*;

    fn program() -> Vec<Insn> {
        let test = |nr, rest| Insn::jump(0x15, nr, rest, 0);
        let mut program = vec![
            Insn::stmt(0x20, 4),
            Insn::jump(0x15, 0xc000_003e, 0, 9),
            Insn::stmt(0x20, 0),
        ];
        program.extend((0_u8..7).map(|at| test(u32::from(at) * 3, 7 - at)));
        program.extend([Insn::stmt(0x06, 0x0005_0001), Insn::stmt(0x06, 0x7fff_0000)]);
        program
    }

    fn load(call: u32, count: u64) -> super::super::Load {
        super::super::Load {
            abi: Some("x86_64"),
            arch: 0xc000_003e,
            call: call.to_string(),
            nr: call,
            count,
            insns: Range::default(),
            skipped: false,
        }
    }

    /// Every instruction of the layout that is changed to say something else is noticed.
    #[test]
    fn a_layout_that_says_something_else_is_not_proved() {
        let limits = Limits::default();
        let program = program();
        let filters = [Filter::load(program.as_slice()).unwrap()];
        let asked = Asked {
            filters: &filters,
            machine: Machine::default(),
            order: ByteOrder::OfArch,
            limits: &limits,
        };
        let weighed = Weighed {
            by_call: vec![load(18, 9), load(3, 5), load(1, 4)],
            ..Weighed::default()
        };
        for plan in Plan::ALL {
            let layout = lay(plan, &sections(&Shape::new(&program), &weighed), &program);
            let new = Filter::load(layout.program.as_slice()).unwrap();
            assert!(same(&filters[0], &new, asked).unwrap(), "{plan:?}");
            let mut noticed = 0;
            for at in 0..layout.entry {
                let mut wrong = layout.program.clone();
                match wrong[at].code {
                    0x06 => wrong[at].k ^= 0x0001_0000,
                    0x15 | 0x35 => wrong[at].k += 1,
                    _ => continue,
                }
                let wrong = Filter::load(wrong).unwrap();
                assert!(!same(&filters[0], &wrong, asked).unwrap(), "{plan:?} {at}");
                noticed += 1;
            }
            assert!(noticed > 7, "{noticed}");
        }
    }

    #[test]
    fn a_tree_of_many_numbers_jumps_far() {
        let limits = Limits::default();
        let mut program = vec![Insn::stmt(0x20, 0)];
        for at in 0..400_u32 {
            program.push(Insn::jump(0x15, at * 2, 0, 1));
            program.push(Insn::stmt(0x06, 0x0005_0000 + at % 3));
        }
        program.push(Insn::stmt(0x06, 0x7fff_0000));
        let filters = [Filter::load(program.as_slice()).unwrap()];
        let asked = Asked {
            filters: &filters,
            machine: Machine::default(),
            order: ByteOrder::OfArch,
            limits: &limits,
        };
        let weighed = Weighed {
            by_call: vec![load(798, 5), load(1, 3)],
            ..Weighed::default()
        };
        for saving in savings(asked, &weighed).unwrap() {
            assert!(
                matches!(saving.filters[0], Laid::Better { .. } | Laid::NoBetter),
                "{saving:?}"
            );
        }
    }
}

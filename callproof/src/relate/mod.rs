//! Filters and policies held against each other: what a compiler's own tests ask.
//!
//! ```
//! use callproof::relate::{self, Rest};
//! use callproof::{Insn, Options};
//!
//! let policy = "default kill_process\nallow read, write on x86_64\n";
//! let options = Options::default();
//! // A compiler forgot write.
//! let filter = vec![
//!     Insn::stmt(0x20, 4),
//!     Insn::jump(0x15, 0xc000_003e, 0, 2),
//!     Insn::stmt(0x20, 0),
//!     Insn::jump(0x15, 0, 1, 0),
//!     Insn::stmt(0x06, 0x8000_0000),
//!     Insn::stmt(0x06, 0x7fff_0000),
//! ];
//! assert!(relate::never_more_permissive(&filter, policy, &options)?.holds());
//! let same = relate::same(policy, &filter, &options)?;
//! let witness = same.witness().expect("a call");
//! assert_eq!(witness.call.nr, 1);
//! assert_eq!((witness.left.value, witness.right.value), (0x7fff_0000, 0x8000_0000));
//! let differences = relate::differences(policy, &filter, &options, 10)?;
//! assert_eq!(differences.calls.len(), 1);
//! assert!(matches!(differences.rest, Rest::Same(_)));
//! # Ok::<(), callproof::Error>(())
//! ```
//!
//! The calls that are compared are those of the ABIs in the options; else those that a [`Filter`](crate::Filter) was
//! said to be for; else every possible input, `arch` words of no ABI included. Rules of a policy that name no ABI are
//! for the same.

mod result;
mod side;

use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{AbiItem, AbiList, CallPattern, Cell, Claim, Predicate, Selector, Span};
use callproof_verifier::{Answer, AskError, Query, Session, Shown};
use callproof_vm::{Filter, Insn};

pub use callproof_policy::{GroundPolicy, Policy};
pub use result::{Decision, Differences, Rest, Witness};
pub use side::Subject;

use crate::cases::judge::undecided;
use crate::error::{Error, ErrorKind};
use crate::exhibit::{Exhibit, machine_of};
use crate::filter::fail;
use crate::options::Options;
use side::{Frame, Meaning, Side};

/// Whether two sides give every call the same verdict: the same action, and the same data where somebody learns it.
///
/// # Errors
/// When a side cannot be read or is refused by the kernel, or when the emulator contradicts the verifier.
pub fn same(
    left: &(impl Subject + ?Sized),
    right: &(impl Subject + ?Sized),
    options: &Options,
) -> Result<Decision, Error> {
    decided(left, right, Comparison::Equals, options)
}

/// Whether the left side is never more permissive than the right: no call gets a less severe action from it.
///
/// # Errors
/// As for [`same`].
pub fn never_more_permissive(
    left: &(impl Subject + ?Sized),
    right: &(impl Subject + ?Sized),
    options: &Options,
) -> Result<Decision, Error> {
    decided(left, right, Comparison::Refines, options)
}

/// Whether a filter gives every call the verdict of its policy. Unlike in [`same`], a text on the left is a policy
/// even where it might be taken for a filter.
///
/// # Errors
/// As for [`same`], and when the first is no policy.
pub fn compiled(
    policy: &(impl Subject + ?Sized),
    filter: &(impl Subject + ?Sized),
    options: &Options,
) -> Result<Decision, Error> {
    let frame = Frame::new(policy, filter, options);
    let left = policy.side("the policy", true, &frame)?;
    let right = filter.side("the filter", false, &frame)?;
    Pair::new(left, right, frame)?.decide(Comparison::Equals)
}

/// Where two sides give different verdicts: one call for each number of each ABI, at most so many (all `arch` words of
/// no ABI count as one ABI). When all are found, the rest is proved to be the same.
///
/// # Errors
/// As for [`same`].
pub fn differences(
    left: &(impl Subject + ?Sized),
    right: &(impl Subject + ?Sized),
    options: &Options,
    at_most: usize,
) -> Result<Differences, Error> {
    read(left, right, options)?.differences(at_most)
}

/// Whether a filter gives every call the verdict of a policy; the sides have these names in a witness.
pub(crate) fn named(
    names: [&str; 2],
    filter: &[Insn],
    policy: &GroundPolicy,
    options: &Options,
) -> Result<Decision, Error> {
    let frame = Frame::new(filter, policy, options);
    let [left, right] = names;
    let left = filter.side(left, false, &frame)?;
    let right = policy.side(right, false, &frame)?;
    Pair::new(left, right, frame)?.decide(Comparison::Equals)
}

/// What stands behind [`assert_compiles_to!`](crate::assert_compiles_to!).
#[doc(hidden)]
#[track_caller]
pub fn expect_compiled(policy: &(impl Subject + ?Sized), filter: &(impl Subject + ?Sized), options: &Options) {
    match compiled(policy, filter, options) {
        Ok(Decision::Holds(_)) => {}
        Ok(Decision::Fails(witness)) => fail(&format!("the filter is not what the policy says\n{witness}")),
        Ok(Decision::Undecided(tried)) => {
            fail(&format!(
                "whether the filter is what the policy says is undecided: {tried}"
            ));
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn decided(
    left: &(impl Subject + ?Sized),
    right: &(impl Subject + ?Sized),
    comparison: Comparison,
    options: &Options,
) -> Result<Decision, Error> {
    read(left, right, options)?.decide(comparison)
}

fn read(left: &(impl Subject + ?Sized), right: &(impl Subject + ?Sized), options: &Options) -> Result<Pair, Error> {
    let frame = Frame::new(left, right, options);
    let (a, b) = (
        left.side("the left", false, &frame)?,
        right.side("the right", false, &frame)?,
    );
    Pair::new(a, b, frame)
}

/// Two sides, one of them a chain at least.
struct Pair {
    left: Side,
    right: Side,
    frame: Frame,
}

/// Asks about a pair, again and again.
struct Asker<'a> {
    session: Session<'a>,
    pair: &'a Pair,
    filters: [Option<&'a [Filter<'a>]>; 2],
}

/// The names of the sides in a session.
const NAMES: [&str; 2] = ["left", "right"];

impl Pair {
    fn new(mut left: Side, right: Side, frame: Frame) -> Result<Self, Error> {
        // Proofs are about filters: of two policies one is compiled, with proof that this changes nothing.
        if matches!(
            (&left.meaning, &right.meaning),
            (Meaning::Policy(_), Meaning::Policy(_))
        ) {
            left = left.into_chain(&frame)?;
        }
        Ok(Self { left, right, frame })
    }

    fn decide(&self, comparison: Comparison) -> Result<Decision, Error> {
        self.asked(|asker| asker.ask(comparison, Predicate::of(CallPattern::new(Selector::Any))))
    }

    fn differences(&self, at_most: usize) -> Result<Differences, Error> {
        self.asked(|asker| asker.differences(at_most))
    }

    fn asked<T>(&self, ask: impl FnOnce(&mut Asker<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let machine = self.frame.machine;
        let (left, right) = (self.left.admitted(machine)?, self.right.admitted(machine)?);
        let filters = [left.as_deref(), right.as_deref()];
        let own = left.as_deref().or(right.as_deref()).unwrap_or_default();
        let sides = NAMES.into_iter().zip([&self.left, &self.right]).zip(filters);
        let sides = sides.map(|((name, side), filters)| (name.to_owned(), side.asked(filters)));
        let options = &self.frame.options;
        let session = Session::new(own, sides.collect(), machine, options.order, &options.limits);
        ask(&mut Asker {
            session,
            pair: self,
            filters,
        })
    }
}

impl Asker<'_> {
    fn ask(&mut self, comparison: Comparison, calls: Predicate) -> Result<Decision, Error> {
        let [left, right] = NAMES.map(|name| Operand::Named(name.to_owned(), Span::default()));
        let claim = Claim::Relation {
            left,
            relation: comparison,
            right,
            calls,
        };
        let query = Query {
            claim: &claim,
            env: &self.pair.frame.reading.env,
        };
        let outcome = self.session.ask(&query).map_err(|error| match error {
            AskError::Problems(problems) => Error::text("the comparison", "", &problems),
            AskError::Disagreement(disagreement) => bug(disagreement),
        })?;
        match outcome.answer {
            Answer::Holds { proof: Some(proof), .. } => Ok(Decision::Holds(proof)),
            Answer::Undecided(tried) => Ok(Decision::Undecided(undecided(&tried))),
            Answer::Fails(found) => match found.shown.as_slice() {
                [left, right] => Ok(Decision::Fails(Box::new(self.witness([left, right])))),
                _ => Err(bug("a difference was found and not shown")),
            },
            Answer::Holds { proof: None, .. } => Err(bug("a relation holds without a proof")),
            Answer::Vacuous => Err(Error::input("no calls are compared").help("name ABIs that have calls")),
        }
    }

    fn witness(&self, [left, right]: [&Shown; 2]) -> Witness {
        let Pair {
            left: a,
            right: b,
            frame,
        } = self.pair;
        let machine = machine_of(&left.call, frame.machine, frame.options.order);
        let [of_left, of_right] = self.filters;
        let left_exhibit = Exhibit::new(left, &a.name, of_left, machine);
        Witness {
            call: left.call,
            replay: result::replay(&left_exhibit.call, [a, b], frame.machine),
            right: Exhibit::new(right, &b.name, of_right, machine),
            left: left_exhibit,
        }
    }

    fn differences(&mut self, at_most: usize) -> Result<Differences, Error> {
        let list = &self.pair.frame.reading.env.abis;
        let cells = list
            .cells(list)
            .map_err(|problem| Error::input(problem.message).at("the ABIs"))?;
        let mut calls = Vec::new();
        let mut proofs = Vec::new();
        for cell in cells {
            match self.on(cell, at_most, &mut calls)? {
                Rest::Same(proof) => proofs.extend(proof),
                rest => return Ok(Differences { calls, rest }),
            }
        }
        let rest = Rest::Same(proofs);
        Ok(Differences { calls, rest })
    }

    /// The differences on one ABI. Each call that is found is taken away with all calls of its number.
    fn on(&mut self, cell: Cell, at_most: usize, calls: &mut Vec<Witness>) -> Result<Rest, Error> {
        let item = cell.abi().map_or(AbiItem::Unknown, AbiItem::Abi);
        let mut asked = Predicate::of(CallPattern::new(Selector::Any));
        asked.on = Some(AbiList::of([item]));
        loop {
            match self.ask(Comparison::Equals, asked.clone())? {
                Decision::Holds(proof) => return Ok(Rest::Same(vec![proof])),
                Decision::Undecided(tried) => return Ok(Rest::Undecided(tried)),
                Decision::Fails(_) if calls.len() >= at_most => return Ok(Rest::More),
                Decision::Fails(witness) => {
                    let number = Selector::Number(witness.call.nr.cast_unsigned());
                    asked.except.push(CallPattern::new(number));
                    calls.push(*witness);
                }
            }
        }
    }
}

fn bug(what: impl core::fmt::Display) -> Error {
    Error::new(ErrorKind::Bug, what)
}

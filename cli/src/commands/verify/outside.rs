//! Claims that a list of differences is complete.

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, CallPattern, Predicate, Selector};

use super::claims::{Claimed, Word};
use super::prove::Judge;
use super::rules::Section;
use super::same::same;
use crate::args::Pair;
use crate::error::{Failure, Result};

/// What came of the claims.
#[derive(Default)]
pub(super) struct Outside {
    pub(super) claims: Vec<Claimed>,
    /// Why some are not there
    pub(super) unclaimed: Option<&'static str>,
}

const TOO_MANY: &str = "it takes more tests than a claim can have";
const NO_WORDS: &str = "some conditions have no words in the language of claims";

/// Claims that the two are equal for the numbers that the sections do not list, and for the others where no condition of
/// a change is met. One claim is for all sections without a difference. An undecided one is the last.
pub(super) fn outside(sections: &[Section], judge: &mut Judge<'_>, args: &Pair) -> Result<Outside> {
    let shown = AbiList::of(sections.iter().filter_map(abi).map(AbiItem::Abi));
    let (same, differ): (Vec<&Section>, Vec<&Section>) = sections.iter().partition(|section| section.rules.is_empty());
    let mut asker = Asker {
        judge,
        args,
        shown,
        outside: Outside::default(),
    };
    if !same.is_empty() {
        asker.ask(&same, Predicate::of(CallPattern::new(Selector::Any)), "")?;
    }
    for section in differ {
        asker.numbers(section)?;
        asker.conditions(section)?;
    }
    Ok(asker.outside)
}

fn abi(section: &Section) -> Option<Abi> {
    section.abi.and_then(|name| Abi::from_name(name).ok())
}

struct Asker<'a, 'j> {
    judge: &'a mut Judge<'j>,
    args: &'a Pair,
    shown: AbiList,
    outside: Outside,
}

impl Asker<'_, '_> {
    fn numbers(&mut self, section: &Section) -> Result<()> {
        let numbers = section.rules.iter().flat_map(|rule| &rule.numbers);
        let range = |(from, to): &(u32, u32)| CallPattern::new(Selector::Range(*from, *to));
        let calls = Predicate {
            except: numbers.map(range).collect(),
            ..Predicate::of(CallPattern::new(Selector::Any))
        };
        self.ask(&[section], calls, " for every number that is not listed")
    }

    fn conditions(&mut self, section: &Section) -> Result<()> {
        let mut calls = Vec::new();
        for rule in &section.rules {
            let (decision, everywhere) = &rule.decision;
            match same(decision, &rule.numbers).filter(|_| *everywhere) {
                Some(patterns) => calls.extend(patterns),
                None => self.outside.unclaimed = Some(NO_WORDS),
            }
        }
        let (except, on) = (Vec::new(), None);
        if calls.is_empty() {
            return Ok(());
        }
        let calls = Predicate { calls, except, on };
        self.ask(&[section], calls, " where no listed condition is met")
    }

    fn ask(&mut self, sections: &[&Section], mut calls: Predicate, what: &str) -> Result<()> {
        if self
            .outside
            .claims
            .last()
            .is_some_and(|claim| claim.answer == Word::Undecided)
        {
            return Ok(());
        }
        let item = |section: &&Section| abi(section).map_or(AbiItem::Other, AbiItem::Abi);
        calls.on = Some(AbiList::of(sections.iter().map(item)));
        let names = sections
            .iter()
            .map(|section| section.abi.unwrap_or("every other architecture"));
        let names: Vec<&str> = names.collect();
        let reads = format!(
            "{} equals {}{what} on {}",
            self.args.left,
            self.args.right,
            names.join(", ")
        );
        let Some(claimed) = self.judge.equal_for(&self.args.right, calls, &self.shown, reads)? else {
            self.outside.unclaimed = Some(TOO_MANY);
            return Ok(());
        };
        if claimed.answer == Word::Fails {
            let witness = claimed.witnesses.first().map(|witness| witness.call.as_str());
            let lacks = format!("the list of differences lacks {}", witness.unwrap_or_default());
            return Err(Failure::bug(lacks));
        }
        self.outside.claims.push(claimed);
        Ok(())
    }
}

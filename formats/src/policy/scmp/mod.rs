//! What libseccomp makes of rules: the library behind runc, crun and Firecracker.
//!
//! Facts from libseccomp 2.5 and 2.6 (`src/db.c`, `src/arch.c`, `src/gen_bpf.c`), held against filters that the library
//! wrote:
//!
//! | rule | what it comes to |
//! |---|---|
//! | on an ABI with 32-bit words (x32 and mips n32 are such here) | the low half of a register is compared, with the low half of the value |
//! | `MASKED_EQ` | the value is masked too |
//! | for a call that `socketcall` or `ipc` can carry | also a rule for the carrier: the first argument is the sub-number; tests of the others stay, though the carrier's registers hold something else |
//! | without conditions | takes the place of rules with conditions for the call; later rules for it do nothing |
//! | with conditions and different answers | branches of a tree, tried in the tree's order ([`tree`]) |
//! | on x86_64 without x32 | numbers from 2^30 on, but not -1, get what unknown ABIs get |
//! | for a name that the library does not know | left out by its users |

mod tree;

use std::collections::BTreeMap;

use callproof_abi::{Abi, multiplexer};
use callproof_policy::{Answer, CallPattern, Policy, Rule, Selector, Span};
use callproof_vm::Action;

use super::build::{self, Arg, LOW, Test, pattern, rule, word_view};
use super::names;
use super::report::Report;

/// How many rules with different answers one call can have; a filter has at most 4,096 instructions.
const MOST_BRANCHES: usize = 500;

/// A rule as the library is given it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) call: String,
    pub(super) span: Span,
    /// At most one for each register
    pub(super) args: Vec<Arg>,
    pub(super) answer: Answer,
}

/// Calls with conditions, and what they get.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chain {
    args: Vec<Arg>,
    value: u32,
    span: Span,
}

/// All that is known of one call on one ABI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Call {
    /// The answer whatever the arguments
    always: Option<u32>,
    /// Where that is written
    written: Span,
    chains: Vec<Chain>,
}

/// What the library makes of rules for these ABIs, the native one first.
pub(super) fn policy(entries: &[Entry], abis: &[Abi], default: Answer, report: &mut Report) -> Policy {
    let mut rules = rules(entries, abis, report);
    let bad_arch = Answer::new(Action::KillThread);
    let (x86_64, x32) = (abis.contains(&Abi::X86_64), abis.contains(&Abi::X32));
    // The guard between the two compares with bit 30 and spares -1 alone.
    let guard = match (x86_64, x32) {
        (true, false) => Some((Selector::Range(0x8000_0000, 0xbfff_ffff), bad_arch.clone())),
        (false, true) => Some((Selector::Range(0x8000_0000, u32::MAX), default.clone())),
        _ => None,
    };
    if let Some((numbers, answer)) = guard {
        rules.push(rule(vec![CallPattern::new(numbers)], &[Abi::X86_64], answer));
    }
    build::policy(rules, abis, default, bad_arch)
}

/// The rules for calls; what they leave open is the default's.
fn rules(entries: &[Entry], abis: &[Abi], report: &mut Report) -> Vec<Rule> {
    let mut database = Database {
        abis,
        calls: BTreeMap::new(),
        answers: BTreeMap::new(),
        report,
    };
    for entry in entries {
        database.add(entry);
    }
    let mut rules = database.unconditional();
    rules.extend(database.conditional());
    rules
}

/// The bits of a register that the library compares on an ABI.
pub(super) const fn compared_bits(abi: Abi) -> u32 {
    abi.pointer_bits()
}

struct Database<'d> {
    abis: &'d [Abi],
    calls: BTreeMap<String, BTreeMap<Abi, Call>>,
    answers: BTreeMap<u32, Answer>,
    report: &'d mut Report,
}

impl Database<'_> {
    fn add(&mut self, entry: &Entry) {
        let value = match entry.answer.value(self.abis.first().copied()) {
            Ok(value) => value,
            Err(problem) => return self.report.push(problem),
        };
        self.answers.entry(value).or_insert_with(|| entry.answer.clone());
        for &abi in self.abis {
            if let Some((carrier, number)) = carrier(abi, &entry.call) {
                let chain = carried(entry, number, value);
                self.insert(abi, carrier, chain);
            }
            if names::has(abi, &entry.call) {
                let (args, span) = (entry.args.clone(), entry.span);
                self.insert(abi, &entry.call, Chain { args, value, span });
            }
        }
        self.tell_carried(entry);
    }

    fn insert(&mut self, abi: Abi, name: &str, mut chain: Chain) {
        chain.args.retain(|arg| !always_met(arg.test, compared_bits(abi)));
        let abis = self.calls.entry(name.to_owned()).or_default();
        let call = abis.entry(abi).or_default();
        let conflict = match call.always {
            Some(always) => always != chain.value,
            None if chain.args.is_empty() => call.chains.iter().any(|other| other.value != chain.value),
            None => false,
        };
        let span = chain.span;
        let kept = if call.always.is_some() {
            "the earlier one"
        } else {
            "this one"
        };
        if call.always.is_none() {
            if chain.args.is_empty() {
                call.always = Some(chain.value);
                call.written = span;
                call.chains.clear();
            } else {
                call.chains.push(chain);
            }
        }
        if conflict && self.abis.first() == Some(&abi) {
            let message = format!("two rules for `{name}`, one of them without conditions: {kept} alone counts");
            self.report.note(message, span);
        }
    }

    /// Says so when a rule covers less than it seems to, because a carrier hides the arguments.
    fn tell_carried(&mut self, entry: &Entry) {
        if entry.args.is_empty() {
            return;
        }
        let through: Vec<&str> = self
            .abis
            .iter()
            .filter(|abi| carrier(**abi, &entry.call).is_some())
            .map(|abi| abi.name())
            .collect();
        if let Some((carrier, _)) = self.carrier_of(&entry.call) {
            let message = format!(
                "on {} `{}` can also be made through `{carrier}`, whose registers do not hold its arguments: the \
                 condition on the first is dropped there, those on others are applied to `{carrier}`'s own",
                through.join(", "),
                entry.call
            );
            self.report.note(message, entry.span);
        }
    }

    fn carrier_of(&self, call: &str) -> Option<(&'static str, u32)> {
        self.abis.iter().find_map(|abi| carrier(*abi, call))
    }

    /// Rules for calls whatever their arguments, those with the same ABIs and answer together.
    fn unconditional(&self) -> Vec<Rule> {
        let mut groups: BTreeMap<(Vec<Abi>, u32), Vec<CallPattern>> = BTreeMap::new();
        for (name, abis) in &self.calls {
            let mut values: Vec<u32> = abis.values().filter_map(|call| call.always).collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                let on = |abi: &&Abi| match abis.get(*abi) {
                    Some(call) => call.always == Some(value),
                    // Where there is no such call the rule says nothing, unless the name stands for another.
                    None => abi.syscall_named(name).is_err(),
                };
                let on = self.abis.iter().filter(on).copied().collect();
                let written = abis.values().find(|call| call.always == Some(value));
                groups.entry((on, value)).or_default().push(CallPattern {
                    span: written.map(|call| call.written).unwrap_or_default(),
                    ..CallPattern::named(name.as_str())
                });
            }
        }
        let to_rule = |((on, value), calls): ((Vec<Abi>, u32), _)| Some(rule(calls, &on, self.answer(value)?));
        groups.into_iter().filter_map(to_rule).collect()
    }

    fn answer(&self, value: u32) -> Option<Answer> {
        self.answers.get(&value).cloned()
    }

    fn conditional(&mut self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (name, abis) in core::mem::take(&mut self.calls) {
            let mut groups: Vec<(u32, Vec<Chain>, Vec<Abi>)> = Vec::new();
            for (abi, call) in abis.into_iter().filter(|(_, call)| !call.chains.is_empty()) {
                let bits = compared_bits(abi);
                let same = |group: &&mut (u32, Vec<Chain>, Vec<Abi>)| group.0 == bits && group.1 == call.chains;
                match groups.iter_mut().find(same) {
                    Some(group) => group.2.push(abi),
                    None => groups.push((bits, call.chains, vec![abi])),
                }
            }
            for (bits, chains, abis) in groups {
                rules.extend(self.of_call(&name, bits, &chains, &abis));
            }
        }
        rules
    }

    fn of_call(&mut self, name: &str, bits: u32, chains: &[Chain], abis: &[Abi]) -> Vec<Rule> {
        let mixed = chains.windows(2).any(|pair| match pair {
            [a, b] => a.value != b.value,
            _ => false,
        });
        if mixed {
            return self.branches(name, bits, chains, abis);
        }
        let view = word_view(bits);
        let to_pattern = |chain: &Chain| {
            let conds = chain.args.iter().map(|arg| (arg.index, arg.cond(view))).collect();
            pattern(Selector::Name(name.to_owned()), conds, chain.span)
        };
        let answer = chains.first().and_then(|chain| self.answer(chain.value));
        let patterns = chains.iter().map(to_pattern).collect();
        answer.map(|answer| rule(patterns, abis, answer)).into_iter().collect()
    }

    /// Rules with different answers: the branches of the tree that the library builds of them.
    fn branches(&mut self, name: &str, bits: u32, chains: &[Chain], abis: &[Abi]) -> Vec<Rule> {
        let span = chains.first().map(|chain| chain.span).unwrap_or_default();
        if chains.len() > MOST_BRANCHES {
            let message = format!("`{name}` has more than {MOST_BRANCHES} rules with conditions and different answers");
            self.report.problem(message, span);
            return Vec::new();
        }
        let mut tree = tree::Tree::default();
        for chain in chains {
            if tree.add(&chain.args, chain.value, bits).is_err() {
                let message = format!(
                    "this rule contradicts an earlier one for `{name}`, and libseccomp refuses the two together"
                );
                self.report.problem(message, chain.span);
                return Vec::new();
            }
        }
        let message = format!(
            "the rules for `{name}` have different answers: which one counts where two match follows from the order of \
             libseccomp's tree, not from the order of the text"
        );
        self.report.note(message, span);
        let to_rule = |branch: tree::Branch| {
            let selector = Selector::Name(name.to_owned());
            let pattern = pattern(selector, branch.conds(), span);
            Some(rule(vec![pattern], abis, self.answer(branch.value)?))
        };
        tree.branches().into_iter().filter_map(to_rule).collect()
    }
}

/// The call through which an ABI can make this one too, and the sub-number, as far as the library knows.
fn carrier(abi: Abi, call: &str) -> Option<(&'static str, u32)> {
    multiplexer(abi, call)
}

/// Whether a condition says nothing, so that the library leaves it out.
const fn always_met(test: Test, bits: u32) -> bool {
    match test {
        Test::Masked(mask, _) => mask == 0 || bits == 32 && mask & LOW == 0,
        _ => false,
    }
}

/// The rule for the carrier that comes with a rule.
fn carried(entry: &Entry, number: u32, value: u32) -> Chain {
    let number = Arg {
        index: 0,
        test: Test::Eq(u64::from(number)),
    };
    let others = entry.args.iter().filter(|arg| arg.index != 0).copied();
    Chain {
        args: core::iter::once(number).chain(others).collect(),
        value,
        span: entry.span,
    }
}

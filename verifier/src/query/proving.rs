//! Proofs for claims that the proof format can state: verdicts of calls, two chains compared, cost.
//!
//! What is stated is made from the claim alone, never from the diagrams that decided it.

use callproof_checker::{Claim as Stated, Part, Region as Node, Relation, View};
use callproof_policy::property::{Comparison, Operand, Quantifier};
use callproof_policy::{Claim, Compare, Env, Formula, Outcomes, Predicate, Region, VerdictSet};
use callproof_vm::{Action, Endian, Filter, Insn, Kernel};

use super::answer::Proof;
use super::session::Judged;
use super::{Query, Session};
use crate::proof::prove;
use crate::subject::Subject;

/// A proof that the checker accepted; `None` when the claim is not of a kind that one file can state, or when no proof
/// was found or accepted.
pub(super) fn attempt(session: &Session<'_>, query: &Query<'_>) -> Option<Proof> {
    let (left, right, relation, calls) = stated(session, query)?;
    let mut subjects = vec![subject(session, left)?];
    subjects.extend(right.map(|right| subject(session, right).ok_or(())).transpose().ok()?);
    let region = region(session, calls, query.env)?;
    let claim = Stated {
        parts: vec![Part {
            within: u32::try_from(region.len()).ok()?.checked_add(1)?,
            views: (0..subjects.len()).map(view).collect(),
            relation,
        }],
        region,
    };
    let file = prove(&subjects, &claim, session.limits()).ok()?;
    let endian = session.own.machine().endian;
    let programs: Vec<Vec<Vec<u8>>> = subjects
        .iter()
        .map(|subject| subject.filters().iter().map(|filter| bytes(filter, endian)).collect())
        .collect();
    let chains: Vec<Vec<&[u8]>> = programs
        .iter()
        .map(|chain| chain.iter().map(Vec::as_slice).collect())
        .collect();
    let chains: Vec<&[&[u8]]> = chains.iter().map(Vec::as_slice).collect();
    Proof::accepted(file, &claim, session.own.machine(), &chains).ok()
}

type About<'q> = (&'q Operand, Option<&'q Operand>, Relation, &'q Predicate);

/// What the claim says in the words of proof files.
fn stated<'q>(session: &Session<'_>, query: &Query<'q>) -> Option<About<'q>> {
    const OWN: &Operand = &Operand::Own;
    let kernel = session.kernel();
    Some(match query.claim {
        Claim::Verdict {
            quantifier,
            verdicts,
            calls,
        } => {
            let outcomes = one_meaning(verdicts, calls, query.env)?;
            let wanted = match quantifier {
                Quantifier::Always => true,
                Quantifier::Never => false,
                Quantifier::Sometimes => return None,
            };
            let set = values(&outcomes, wanted, kernel);
            (OWN, None, Relation::Within(set), calls)
        }
        Claim::Cost { calls, at_most } => (OWN, None, Relation::Cost(*at_most), calls),
        Claim::Relation {
            left,
            relation,
            right,
            calls,
        } => {
            let relation = match relation {
                Comparison::Refines => Relation::Refines,
                Comparison::Equals => Relation::Equal,
                Comparison::Within => Relation::Implies(ranges(&|value| Action::of(value, kernel).permits(), kernel)),
            };
            (left, Some(right), relation, calls)
        }
        _ => return None,
    })
}

/// The verdicts in numbers, when they are the same on every ABI that the claim speaks of.
fn one_meaning(verdicts: &VerdictSet, calls: &Predicate, env: &Env) -> Option<Outcomes> {
    let mut meanings: Vec<Outcomes> = Vec::new();
    for part in calls
        .ground(env)
        .ok()?
        .parts
        .iter()
        .filter(|part| !part.condition.is_false())
    {
        let outcomes = verdicts.on(part.cell.abi()).ok()?;
        if !meanings.contains(&outcomes) {
            meanings.push(outcomes);
        }
    }
    meanings.pop().filter(|_| meanings.is_empty())
}

fn values(outcomes: &Outcomes, wanted: bool, kernel: Kernel) -> Vec<(u32, u32)> {
    ranges(&|value| outcomes.contains_value(value, kernel) == wanted, kernel)
}

/// The values that pass, as ranges that do not touch. Data counts for three actions alone.
fn ranges(passes: &dyn Fn(u32) -> bool, kernel: Kernel) -> Vec<(u32, u32)> {
    const DATA: u32 = 0xffff;
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut add = |first: u32, last: u32| match found.last_mut() {
        Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
        _ => found.push((first, last)),
    };
    for top in 0..=DATA {
        let base = top << 16;
        if matches!(Action::of(base, kernel), Action::Errno | Action::Trap | Action::Trace) {
            let data = (base..=base | DATA).filter(|value| passes(*value));
            data.for_each(|value| add(value, value));
        } else if passes(base) {
            add(base, base | DATA);
        }
    }
    found
}

fn subject<'s>(session: &'s Session<'_>, operand: &Operand) -> Option<&'s Subject<'s>> {
    match session.operand(operand).ok()? {
        Judged::Chain(subject) => Some(subject),
        Judged::Policy(_) | Judged::Stack(_) => None,
    }
}

fn view(chain: usize) -> View {
    View {
        chain: u8::try_from(chain).unwrap_or(u8::MAX),
        force: Vec::new(),
    }
}

/// The calls of the claim as tests that lead to one another.
fn region(session: &Session<'_>, calls: &Predicate, env: &Env) -> Option<Vec<Node>> {
    let region = calls.ground(env).ok()?.region(session.order);
    let mut nodes = Vec::new();
    let endian = session.own.machine().endian;
    let root = chosen(&region, 1, 0, endian, &mut nodes)?;
    // The last node is where it begins.
    match root.checked_sub(1)? {
        0 => Some(Vec::new()),
        count => {
            nodes.truncate(usize::try_from(count).ok()?);
            Some(nodes)
        }
    }
}

/// The number of the node that leads to `then` where the formula holds, and to `other` where it does not.
fn chosen(formula: &Region, then: u32, other: u32, endian: Endian, nodes: &mut Vec<Node>) -> Option<u32> {
    match formula {
        Formula::Not(inner) => chosen(inner, other, then, endian, nodes),
        Formula::All(parts) => {
            let mut rest = parts.iter().rev();
            rest.try_fold(then, |then, part| chosen(part, then, other, endian, nodes))
        }
        Formula::Any(parts) => {
            let mut rest = parts.iter().rev();
            rest.try_fold(other, |other, part| chosen(part, then, other, endian, nodes))
        }
        Formula::Atom(test) => {
            let (word, mask, k) = (word(test.index, endian), test.mask, test.value);
            nodes.push(match test.compare {
                Compare::Eq => node(word, mask, (k, k), then, other),
                Compare::Gt => node(word, mask, (0, k), other, then),
            });
            u32::try_from(nodes.len()).ok()?.checked_add(1)
        }
    }
}

/// If the masked word is in the range then one node, else the other.
fn node(word: u8, mask: u32, (first, last): (u32, u32), then: u32, otherwise: u32) -> Node {
    Node {
        word,
        mask,
        cases: vec![(first, last, then)],
        otherwise,
    }
}

/// The number that proof files give to a word, from its place in memory.
const fn word(place: u8, endian: Endian) -> u8 {
    let high_first = match endian {
        Endian::Little => place ^ 1,
        Endian::Big => place,
    };
    match place {
        0 => 1,
        1 => 0,
        2 | 3 => high_first.wrapping_add(12),
        _ => high_first.wrapping_sub(2),
    }
}

/// A program as it lies in memory.
fn bytes(filter: &Filter<'_>, endian: Endian) -> Vec<u8> {
    let insn = |insn: &Insn| {
        let ([c0, c1], [k0, k1, k2, k3]) = match endian {
            Endian::Little => (insn.code.to_le_bytes(), insn.k.to_le_bytes()),
            Endian::Big => (insn.code.to_be_bytes(), insn.k.to_be_bytes()),
        };
        [c0, c1, insn.jt, insn.jf, k0, k1, k2, k3]
    };
    filter.program().iter().flat_map(insn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbered_high_half_first() {
        let numbers = |endian| core::array::from_fn::<u8, 16, _>(|place| word(u8::try_from(place).unwrap(), endian));
        assert_eq!(
            numbers(Endian::Big),
            [1, 0, 14, 15, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        );
        assert_eq!(
            numbers(Endian::Little),
            [1, 0, 15, 14, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12]
        );
    }

    #[test]
    fn ranges_hold_what_passes() {
        let permits = ranges(&|value| Action::of(value, Kernel::LATEST).permits(), Kernel::LATEST);
        assert_eq!(permits, [(0x7ffc_0000, 0x7ffc_ffff), (0x7fff_0000, 0x7fff_ffff)]);
        let one = ranges(&|value| value == 0x0005_0001, Kernel::LATEST);
        assert_eq!(one, [(0x0005_0001, 0x0005_0001)]);
        assert_eq!(ranges(&|_| true, Kernel::LATEST), [(0, u32::MAX)]);
    }
}

//! The verifier's own SAT engine, which the claims above reach only where diagrams give up.

use callproof_checker::{Claim, Part, Relation, View};
use callproof_testgen::Choose;
use callproof_verifier::{Refutation, refute};
use callproof_vm::Filter;

use crate::encode::bv;
use crate::judge::{Came, Case, at_words, limits, loaded};
use crate::programs::variant;
use crate::solver::Said;

/// Values within ranges, or two chains equal.
pub(crate) fn refutation(case: &mut Case<'_>) -> Came {
    let own = case.programs();
    let palette = case.palette.clone();
    let other: Vec<_> = own.iter().map(|one| variant(&mut case.choose, one, &palette)).collect();
    let two = case.choose.one_in(2);
    let value = palette[0];
    let relation = if two {
        Relation::Equal
    } else {
        Relation::Within(vec![(value.min(0x7000_0000), value.max(0x7fff_0000))])
    };
    let views = (0..=u8::from(two)).map(|chain| View { chain, force: vec![] });
    let claim = Claim {
        region: vec![],
        parts: vec![Part {
            within: 1,
            views: views.collect(),
            relation: relation.clone(),
        }],
    };
    let (one, another) = (loaded(&own), loaded(&other));
    let chains: [&[Filter<'_>]; 2] = [&one, &another];
    let chains = if two { &chains[..] } else { &chains[..1] };
    let machine = case.machine();
    let found = refute(chains, machine, &claim, &limits());
    let w = case.declare("w");
    let (a, b) = (case.encode("a", &own, &w), case.encode("b", &other, &w));
    let bad = match relation {
        Relation::Within(ranges) => {
            let (low, high) = ranges[0];
            format!(
                "(not (and (bvuge {0} {1}) (bvule {0} {2})))",
                a.value,
                bv(low),
                bv(high)
            )
        }
        _ => format!("(distinct {} {})", a.value, b.value),
    };
    case.load();
    match found {
        Err(_) => Came::Undecided,
        Ok(Refutation::Holds(_)) => case.expect(Came::Holds, &bad, Said::Unsat, "the claim"),
        Ok(Refutation::Fails(call)) => {
            let here = at_words(&call.words(machine.endian), &w);
            case.expect(Came::Fails, &format!("(and {here} {bad})"), Said::Sat, "the witness")
        }
    }
}

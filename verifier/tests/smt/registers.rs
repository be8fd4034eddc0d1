//! Which bits of the registers verdicts depend on.

use callproof_testgen::Choose;
use callproof_verifier::Answer;
use callproof_vm::Insn;

use crate::claims;
use crate::judge::{Came, Case};
use crate::meaning::{Calls, Cell, KNOWN, LONG, Selector, register, wide};
use crate::questions::told;
use crate::solver::Said;

/// The calls of the table that a claim names, once each.
fn named(calls: &Calls) -> Vec<usize> {
    let mut named: Vec<usize> = calls
        .patterns
        .iter()
        .filter_map(|pattern| match pattern.selector {
            Selector::Known(call) => Some(call),
            _ => None,
        })
        .collect();
    named.sort_unstable();
    named.dedup();
    named
}

/// A program that mostly tests for these calls.
fn about(case: &mut Case<'_>, calls: &Calls) -> Vec<Vec<Insn>> {
    if case.choose.one_in(4) {
        return case.programs();
    }
    let numbers = named(calls).into_iter().filter_map(|call| calls.cells[0].number(call));
    case.about(&numbers.collect::<Vec<_>>(), &calls.cells)
}

/// That two inputs are the same call but for the bits of registers outside of the masks.
fn alike(v: &[String], w: &[String], masks: [u64; 6]) -> String {
    let mut all: Vec<String> = (0..4).map(|word| format!("(= {} {})", v[word], w[word])).collect();
    for (argument, mask) in masks.into_iter().enumerate() {
        let seen = |words| format!("(bvand {} {})", register(argument, words), wide(mask));
        all.push(format!("(= {} {})", seen(v), seen(w)));
    }
    format!("(and {})", all.join(" "))
}

fn is_call(cell: Cell, call: usize, w: &[String]) -> String {
    let number = crate::encode::bv(cell.number(call).unwrap());
    format!("(and {} (= {} {number}))", cell.term(w), w[0])
}

/// Two calls that differ only in bits that the kernel does not read get the same value.
pub(crate) fn same_view(case: &mut Case<'_>) -> Came {
    let calls = claims::whole_calls(&mut case.choose, KNOWN);
    let cell = calls.cells[0];
    let programs = about(case, &calls);
    let claim = format!("same kernel view, same verdict for {}", calls.text());
    let answer = case.answer(&claim, &programs, &[]);
    let (v, w) = (case.declare("v"), case.declare("w"));
    let (a, b) = (case.encode("a", &programs, &v), case.encode("b", &programs, &w));
    let each = named(&calls).into_iter().map(|call| {
        let same = alike(&v, &w, cell.reads(call));
        format!("(and {} {same})", is_call(cell, call, &v))
    });
    let any = each.collect::<Vec<_>>().join(" ");
    let bad = format!("(and (or {any}) (distinct {} {}))", a.value, b.value);
    case.load();
    let mut came = case.judge(&answer, &bad, "true", &[]);
    if let (Answer::Fails(found), Came::Fails) = (&answer, &came) {
        let here = [(&found.shown[0].call, &v), (&found.shown[1].call, &w)];
        let here = here.map(|(call, words)| crate::judge::at(call, words)).join(" ");
        came = case.expect(Came::Fails, &format!("(and {here} {bad})"), Said::Sat, "the two calls");
    }
    told(came, &claim)
}

/// No verdict of a call depends on the low half of an argument of 64 bits without depending on its high half.
pub(crate) fn whole_arguments(case: &mut Case<'_>) -> Came {
    let calls = claims::whole_calls(&mut case.choose, LONG);
    let cell = calls.cells[0];
    let programs = about(case, &calls);
    let claim = format!("whole arguments for {}", calls.text());
    let answer = case.answer(&claim, &programs, &[]);
    let (v, w) = (case.declare("v"), case.declare("w"));
    let (a, b) = (case.encode("a", &programs, &v), case.encode("b", &programs, &w));
    case.load();
    let mut half = Vec::new();
    for call in named(&calls) {
        for (argument, reads) in cell.reads(call).into_iter().enumerate() {
            if reads != u64::MAX {
                continue;
            }
            let mut depends = |bits: u64| {
                let mut masks = [u64::MAX; 6];
                masks[argument] = !bits;
                let (here, same) = (is_call(cell, call, &v), alike(&v, &w, masks));
                case.solver
                    .ask(&format!("(and {here} {same} (distinct {} {}))", a.value, b.value))
            };
            match (depends(0xffff_ffff), depends(!0xffff_ffff)) {
                (Said::Unknown, _) | (_, Said::Unknown) => return Came::Unknown,
                (Said::Sat, Said::Unsat) => half.push((crate::meaning::name(call), argument)),
                _ => {}
            }
        }
    }
    let came = match (answer, half.is_empty()) {
        (Answer::Undecided(_), _) => Came::Undecided,
        (Answer::Holds { .. }, true) => Came::Holds,
        (Answer::Fails(_), false) => Came::Fails,
        (answer, _) => Came::Disagreement(format!("halves that count alone: {half:?}, but {answer:?}")),
    };
    told(came, &claim)
}

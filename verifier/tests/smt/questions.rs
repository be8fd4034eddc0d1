//! The kinds of questions.

use callproof_testgen::Choose;
use callproof_verifier::{Answer, Finding, HazardKind, Set, Space, Subject, View};

use crate::claims;
use crate::encode::{combined, less_severe};
use crate::judge::{Came, Case, at_words, limits, loaded};
use crate::meaning::{Cell, by_word, same_verdict};
use crate::programs::variant;
use crate::solver::Said;

/// A kind of question: its name, and how one is asked.
pub(crate) type Kind = (&'static str, fn(&mut Case<'_>) -> Came);

pub(crate) const KINDS: [Kind; 21] = [
    ("always", |case| verdicts(case, "always")),
    ("never", |case| verdicts(case, "never")),
    ("sometimes", sometimes),
    ("exact action and errno", exact),
    ("equals", |case| relation(case, "equals")),
    ("refines", |case| relation(case, "refines")),
    ("within", |case| relation(case, "within")),
    ("stack", stack),
    ("differing call", differ),
    ("ABI order", abi_order),
    ("same kernel view", crate::registers::same_view),
    ("whole arguments", crate::registers::whole_arguments),
    ("dead code", dead_code),
    ("no wide shift", |case| hazard(case, HazardKind::Shift)),
    ("no division by zero", |case| hazard(case, HazardKind::Division)),
    ("cost", cost),
    ("worst case", worst_case),
    ("default deny", default_deny),
    ("unknown arch", unknown_arch),
    ("cached", cached),
    ("refutation", crate::sat::refutation),
];

fn verdicts(case: &mut Case<'_>, quantifier: &str) -> Came {
    let programs = case.programs();
    let calls = claims::calls(&mut case.choose);
    let wanted = claims::verdicts(&mut case.choose, &case.palette);
    let claim = format!("{quantifier} {} {}", wanted.text(), calls.text());
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let asked = calls.term(&w);
    let inside = wanted.term(&ran.value, case.kernel());
    let bad = match quantifier {
        "never" => format!("(and {asked} {inside})"),
        _ => format!("(and {asked} (not {inside}))"),
    };
    case.load();
    let came = case.judge(&answer, &bad, &asked, &w);
    let came = match (&answer, came) {
        (Answer::Fails(found), Came::Fails) => case.confirm(Came::Fails, &found.shown[0], &ran.value, &w),
        (_, came) => came,
    };
    told(came, &claim)
}

/// A disagreement, with the claim.
pub(crate) fn told(came: Came, claim: &str) -> Came {
    match came {
        Came::Disagreement(what) => Came::Disagreement(format!("{claim}: {what}")),
        came => came,
    }
}

/// Every pattern of the list, on each ABI that has the call, has a call with a verdict of the set.
fn sometimes(case: &mut Case<'_>) -> Came {
    let programs = case.programs();
    let mut calls = claims::calls(&mut case.choose);
    calls.except.clear();
    if calls.cells.iter().any(|cell| matches!(cell, Cell::All | Cell::Any)) {
        calls.cells = vec![Cell::X86_64, Cell::Unknown];
    }
    let wanted = claims::verdicts(&mut case.choose, &case.palette);
    let claim = format!("sometimes {} {}", wanted.text(), calls.text());
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let inside = wanted.term(&ran.value, case.kernel());
    case.load();
    let (mut asked, mut missing) = (0, 0);
    for pattern in &calls.patterns {
        for term in calls.cells.iter().filter_map(|cell| pattern.term(*cell, &w)) {
            match (
                case.solver.ask(&term),
                case.solver.ask(&format!("(and {term} {inside})")),
            ) {
                (Said::Unknown, _) | (_, Said::Unknown) => return Came::Unknown,
                (Said::Unsat, _) => {}
                (Said::Sat, Said::Sat) => asked += 1,
                (Said::Sat, Said::Unsat) => (asked, missing) = (asked + 1, missing + 1),
            }
        }
    }
    let came = match answer {
        Answer::Holds { shown, .. } if asked > 0 && missing == 0 => {
            let confirmed = |case: &mut Case<'_>| {
                shown.iter().fold(Came::Holds, |came, shown| match came {
                    Came::Holds => case.confirm(Came::Holds, shown, &ran.value, &w),
                    came => came,
                })
            };
            confirmed(case)
        }
        Answer::Fails(_) if missing > 0 => Came::Fails,
        Answer::Vacuous if asked == 0 => Came::Vacuous,
        Answer::Undecided(_) => Came::Undecided,
        other => Came::Disagreement(format!("{asked} asked, {missing} missing, but {other:?}")),
    };
    told(came, &claim)
}

/// One program, every call of a cell, exactly these verdicts.
fn exact(case: &mut Case<'_>) -> Came {
    let programs = vec![case.program()];
    let mut calls = claims::calls(&mut case.choose);
    calls.except.clear();
    calls.patterns.truncate(1);
    let wanted = claims::exactly(&mut case.choose, &case.palette);
    let claim = format!("{} {}", wanted.text(), calls.text());
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let asked = calls.term(&w);
    let bad = format!("(and {asked} (not {}))", wanted.term(&ran.value, case.kernel()));
    case.load();
    told(case.judge(&answer, &bad, &asked, &w), &claim)
}

/// When a relation of two values does not hold.
fn apart(case: &Case<'_>, relation: &str, left: &str, right: &str) -> String {
    let kernel = case.kernel();
    match relation {
        "equals" => format!("(not {})", same_verdict(left, right, kernel)),
        "refines" => less_severe(left, right, case.setting),
        _ => {
            let (left, right) = (by_word("permit", left, kernel), by_word("permit", right, kernel));
            format!("(and {left} (not {right}))")
        }
    }
}

fn relation(case: &mut Case<'_>, relation: &str) -> Came {
    if relation == "within" && !case.choose.one_in(4) {
        case.allow_or_deny();
    }
    let own = case.programs();
    let palette = case.palette.clone();
    let mut other: Vec<_> = own.iter().map(|one| variant(&mut case.choose, one, &palette)).collect();
    if case.choose.one_in(6) {
        other = vec![case.program()];
    }
    let everything = case.choose.one_in(2);
    let calls = claims::calls(&mut case.choose);
    let (narrowed, claim) = if everything {
        (None, format!("self {relation} other on any"))
    } else {
        let text = format!("self {relation} other for {}", calls.text());
        (Some(calls), text)
    };
    let answer = case.answer(&claim, &own, &other);
    let w = case.declare("w");
    let (a, b) = (case.encode("a", &own, &w), case.encode("b", &other, &w));
    let asked = narrowed.map_or_else(|| "true".to_owned(), |calls| calls.term(&w));
    let bad = format!("(and {asked} {})", apart(case, relation, &a.value, &b.value));
    case.load();
    let mut came = case.judge(&answer, &bad, &asked, &w);
    if let (Answer::Fails(found), Came::Fails) = (&answer, &came) {
        came = case.confirm(Came::Fails, &found.shown[0], &a.value, &w);
        if came == Came::Fails {
            came = case.confirm(Came::Fails, &found.shown[1], &b.value, &w);
        }
    }
    told(came, &claim)
}

/// A chain against its parts.
fn stack(case: &mut Case<'_>) -> Came {
    let (own, other) = (vec![case.program()], case.programs());
    let relation = case.choose.pick(&["refines", "within", "equals", "refines"]);
    let (left, right) = case.choose.pick(&[
        ("stack(self, other)", "self"),
        ("stack(self, other)", "other"),
        ("stack(other, self)", "other"),
        ("self", "stack(self, other)"),
        ("stack(self, other)", "stack(other, self)"),
    ]);
    let claim = format!("{left} {relation} {right} on any");
    let answer = case.answer(&claim, &own, &other);
    let w = case.declare("w");
    let (a, b) = (case.encode("a", &own, &w), case.encode("b", &other, &w));
    let setting = case.setting;
    let mut value = |name: &str, operand: &str| match operand {
        "self" => a.value.clone(),
        "other" => b.value.clone(),
        "stack(self, other)" => combined(&mut case.script, name, &[&a.value, &b.value], setting),
        _ => combined(&mut case.script, name, &[&b.value, &a.value], setting),
    };
    let (left, right) = (value("l", left), value("r", right));
    let bad = apart(case, relation, &left, &right);
    case.load();
    told(case.judge(&answer, &bad, "true", &w), &claim)
}

/// Whether two chains are the same function, and if not a call that shows it.
fn differ(case: &mut Case<'_>) -> Came {
    let own = case.programs();
    let palette = case.palette.clone();
    let other: Vec<_> = own.iter().map(|one| variant(&mut case.choose, one, &palette)).collect();
    let (machine, limits) = (case.machine(), limits());
    let (one, two) = (loaded(&own), loaded(&other));
    let found = || {
        let (one, two) = (
            Subject::new(&one, machine, &limits)?,
            Subject::new(&two, machine, &limits)?,
        );
        let mut space = Space::new(machine, &[&one, &two], &limits);
        let a = space.function(&one, View::Value)?;
        let b = space.function(&two, View::Value)?;
        space.differ((&one, &a), (&two, &b))
    };
    let found = found();
    let w = case.declare("w");
    let (a, b) = (case.encode("a", &own, &w), case.encode("b", &other, &w));
    let bad = format!("(distinct {} {})", a.value, b.value);
    case.load();
    match found {
        Err(_) => Came::Undecided,
        Ok(None) => case.expect(Came::Holds, &bad, Said::Unsat, "the difference"),
        Ok(Some(witness)) => {
            let here = at_words(&witness.call.words(machine.endian), &w);
            let [left, right] = &witness.verdicts[..] else {
                panic!("{witness:?}")
            };
            let values = format!(
                "(= {} {}) (= {} {})",
                a.value,
                crate::encode::bv(left.value),
                b.value,
                crate::encode::bv(right.value)
            );
            let formula = format!("(and {here} {values} {bad})");
            case.expect(Came::Fails, &formula, Said::Sat, "the difference")
        }
    }
}

/// Whenever the left call is permitted, so is the right one, with the registers cut to what the left ABI has.
fn abi_order(case: &mut Case<'_>) -> Came {
    if !case.choose.one_in(4) {
        case.allow_or_deny();
    }
    let programs = case.programs();
    let (left, right) = case.choose.pick(&[
        (Cell::X32, Cell::X86_64),
        (Cell::I386, Cell::X86_64),
        (Cell::X86_64, Cell::Aarch64),
        (Cell::I386, Cell::X32),
    ]);
    let claim = format!("{} <= {}", left.text(), right.text());
    let answer = case.answer(&claim, &programs, &[]);
    let (v, w) = (case.declare("v"), case.declare("w"));
    let (a, b) = (case.encode("a", &programs, &v), case.encode("b", &programs, &w));
    let bad = format!(
        "(and {} {} (not {}))",
        claims::counterparts(left, right, &v, &w),
        by_word("permit", &a.value, case.kernel()),
        by_word("permit", &b.value, case.kernel())
    );
    case.load();
    let mut came = case.judge(&answer, &bad, "true", &[]);
    if let (Answer::Fails(found), Came::Fails) = (&answer, &came) {
        let both = [(&found.shown[0].call, &v), (&found.shown[1].call, &w)];
        let here = both.map(|(call, words)| crate::judge::at(call, words)).join(" ");
        came = case.expect(Came::Fails, &format!("(and {here} {bad})"), Said::Sat, "the two calls");
    }
    told(came, &claim)
}

/// Exactly which instructions nothing reaches, and which tests always go one way.
fn dead_code(case: &mut Case<'_>) -> Came {
    let programs = vec![case.program()];
    let answer = case.answer("no dead code", &programs, &[]);
    let (said_dead, said_one_way) = match answer {
        Answer::Undecided(_) => return Came::Undecided,
        Answer::Holds { .. } => (Vec::new(), Vec::new()),
        Answer::Fails(found) => match found.finding {
            Finding::DeadCode { dead, one_way } => (dead, one_way),
            other => return Came::Disagreement(format!("{other:?}")),
        },
        Answer::Vacuous => return Came::Disagreement("the whole program is nothing".into()),
    };
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    case.load();
    let run = &ran.filters[0];
    let (mut dead, mut one_way) = (Vec::new(), Vec::new());
    for (pc, here) in run.here.iter().enumerate() {
        match case.solver.ask(here) {
            Said::Unknown => return Came::Unknown,
            Said::Unsat => dead.push((0, pc)),
            Said::Sat => {}
        }
    }
    for (pc, yes, no) in &run.tests {
        // Both ways of such a jump are one.
        if programs[0][*pc].jt == programs[0][*pc].jf {
            continue;
        }
        match (case.solver.ask(yes), case.solver.ask(no)) {
            (Said::Unknown, _) | (_, Said::Unknown) => return Came::Unknown,
            (Said::Sat, Said::Unsat) => one_way.push((0, *pc, true)),
            (Said::Unsat, Said::Sat) => one_way.push((0, *pc, false)),
            _ => {}
        }
    }
    if (&dead, &one_way) != (&said_dead, &said_one_way) {
        return Came::Disagreement(format!(
            "dead {dead:?}, one way {one_way:?}; the verifier says {said_dead:?}, {said_one_way:?}"
        ));
    }
    let clean = dead.is_empty() && one_way.is_empty();
    if clean { Came::Holds } else { Came::Fails }
}

fn hazard(case: &mut Case<'_>, kind: HazardKind) -> Came {
    let mut programs = case.programs();
    programs.extend([case.program(), case.program(), case.program()]);
    let claim = match kind {
        HazardKind::Shift => "no wide shift",
        HazardKind::Division => "no division by zero",
    };
    let answer = case.answer(claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let of = |filter: usize| match kind {
        HazardKind::Shift => &ran.filters[filter].shifts,
        HazardKind::Division => &ran.filters[filter].divisions,
    };
    let all = (0..programs.len()).flat_map(|filter| of(filter).iter().map(|(_, term)| format!(" {term}")));
    let bad = format!("(or false{})", all.collect::<String>());
    case.load();
    let mut came = case.judge(&answer, &bad, "true", &w);
    if let (Answer::Fails(found), Came::Fails) = (&answer, &came) {
        let Finding::Hazard { filter, pc } = found.finding else {
            panic!("{found:?}")
        };
        let term = of(filter)
            .iter()
            .find(|(own, _)| *own == pc)
            .map_or("false", |(_, term)| term);
        let here = crate::judge::at(&found.shown[0].call, &w);
        came = case.expect(
            Came::Fails,
            &format!("(and {here} {term})"),
            Said::Sat,
            "the instruction",
        );
    }
    told(came, claim)
}

fn cost(case: &mut Case<'_>) -> Came {
    let programs = case.programs();
    let calls = claims::calls(&mut case.choose);
    let longest: usize = programs.iter().map(Vec::len).sum();
    let most = 1 + case.choose.below(u32::try_from(longest).unwrap());
    let text = calls.list();
    let claim = match text.split_once(" except ") {
        Some((calls_text, except)) => format!("cost({calls_text}) <= {most} except {except} {}", calls.on()),
        None => format!("cost({text}) <= {most} {}", calls.on()),
    };
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let asked = calls.term(&w);
    let bad = format!("(and {asked} (bvugt {} #x{most:04x}))", ran.cost);
    case.load();
    let mut came = case.judge(&answer, &bad, &asked, &w);
    if let (Answer::Fails(found), Came::Fails) = (&answer, &came) {
        let here = crate::judge::at(&found.shown[0].call, &w);
        let formula = format!("(and {here} (= {} #x{:04x}))", ran.cost, found.shown[0].insns);
        came = case.expect(Came::Fails, &formula, Said::Sat, "the cost of the call");
    }
    told(came, &claim)
}

/// The most that any call costs: no call costs more, and the shown one as much.
fn worst_case(case: &mut Case<'_>) -> Came {
    let programs = case.programs();
    let (machine, limits) = (case.machine(), limits());
    let filters = loaded(&programs);
    let found = || {
        let subject = Subject::new(&filters, machine, &limits)?;
        let mut space = Space::new(machine, &[&subject], &limits);
        let mut costs = space.costs(&subject)?;
        space.worst_case(&subject, &mut costs, Set::ALL)
    };
    let found = match found() {
        Err(_) => return Came::Undecided,
        Ok(None) => return Came::Disagreement("no worst case".into()),
        Ok(Some(found)) => found,
    };
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    case.load();
    let most = format!("#x{:04x}", found.insns);
    let came = case.expect(
        Came::Holds,
        &format!("(bvugt {} {most})", ran.cost),
        Said::Unsat,
        "a dearer call",
    );
    if came != Came::Holds {
        return came;
    }
    let here = at_words(&found.call.words(machine.endian), &w);
    case.expect(
        came,
        &format!("(and {here} (= {} {most}))", ran.cost),
        Said::Sat,
        "the worst case",
    )
}

fn default_deny(case: &mut Case<'_>) -> Came {
    let programs = case.programs();
    let wanted = claims::verdicts(&mut case.choose, &case.palette);
    let mut calls = claims::calls(&mut case.choose);
    calls.cells.retain(|cell| cell.abi().is_some());
    if calls.cells.is_empty() {
        calls.cells.push(Cell::X86_64);
    }
    calls.except.clear();
    calls.patterns.truncate(1);
    calls.patterns[0].selector = crate::meaning::Selector::Unallocated;
    calls.patterns[0].conditions.clear();
    let claim = format!("default {} {}", wanted.text(), calls.on());
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let asked = calls.term(&w);
    let bad = format!("(and {asked} (not {}))", wanted.term(&ran.value, case.kernel()));
    case.load();
    told(case.judge(&answer, &bad, &asked, &w), &claim)
}

fn unknown_arch(case: &mut Case<'_>) -> Came {
    let programs = case.programs();
    let wanted = claims::verdicts(&mut case.choose, &case.palette);
    let claim = format!("unknown arch {}", wanted.text());
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let asked = Cell::Unknown.term(&w);
    let bad = format!("(and {asked} (not {}))", wanted.term(&ran.value, case.kernel()));
    case.load();
    told(case.judge(&answer, &bad, &asked, &w), &claim)
}

/// What the kernel's bitmap answers is allowed whatever the arguments; the converse is not claimed.
fn cached(case: &mut Case<'_>) -> Came {
    if !case.choose.one_in(8) {
        // The bitmap came with 5.11.
        case.setting.machine.kernel = callproof_vm::Kernel::LATEST;
        case.allow_or_deny();
    }
    let programs = if case.choose.one_in(4) {
        case.programs()
    } else {
        case.about(&[], &[Cell::X86_64])
    };
    let calls = claims::cacheable(&mut case.choose);
    let claim = format!("cached {}", calls.text());
    let answer = case.answer(&claim, &programs, &[]);
    let w = case.declare("w");
    let ran = case.encode("f", &programs, &w);
    let bad = format!("(and {} (distinct {} #x7fff0000))", calls.term(&w), ran.value);
    case.load();
    let came = match answer {
        Answer::Holds { .. } => case.expect(Came::Holds, &bad, Said::Unsat, "a cached call"),
        Answer::Undecided(_) => Came::Undecided,
        Answer::Vacuous => Came::Vacuous,
        Answer::Fails(_) => Came::Fails,
    };
    told(came, &claim)
}

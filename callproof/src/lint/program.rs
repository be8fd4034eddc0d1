//! Rules about instructions.

use callproof_policy::Claim;
use callproof_policy::property::Hazard;
use callproof_verifier::{Answer, Finding as Shown};
use callproof_vm::Action;

use super::finding::{Finding, listed};
use super::lens::{Found, Lens, Stop};
use crate::cases::judge::undecided;

/// `kill-thread`
pub(super) fn kills_thread(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    let killed = lens.acting(Action::KillThread)?;
    let shown = lens.show(killed)?;
    Finding::new(
        "kill-thread",
        "the action",
        "denied calls kill the thread, and the rest of its process goes on",
    )
    .showing(lens, &shown)
    .shown_in(found)
}

/// `wide-shift`, `zero-division`
pub(super) fn hazards(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    let kinds = [
        ("wide-shift", Hazard::WideShift, "shifts by 32 or more"),
        ("zero-division", Hazard::ZeroDivision, "divides by zero"),
    ];
    for (rule, hazard, does) in kinds {
        let failure = match lens.ask(&Claim::Free(hazard))?.answer {
            Answer::Fails(failure) => failure,
            Answer::Undecided(tried) => return Err(Stop::Undecided(undecided(&tried))),
            Answer::Holds { .. } | Answer::Vacuous => continue,
        };
        if let Shown::Hazard { filter, pc } = failure.finding {
            let place = at(lens, (filter, pc));
            let message = format!("for some call {place} {does}");
            Finding::new(rule, place, message)
                .showing(lens, &failure.shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// `dead-code`, `one-way-test`
pub(super) fn dead_code(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    let failure = match lens.ask(&Claim::Free(Hazard::DeadCode))?.answer {
        Answer::Fails(failure) => failure,
        Answer::Undecided(tried) => return Err(Stop::Undecided(undecided(&tried))),
        Answer::Holds { .. } | Answer::Vacuous => return Ok(()),
    };
    let Shown::DeadCode { dead, one_way } = failure.finding else {
        return Ok(());
    };
    let proved = failure.proof.is_some();
    let dead: Vec<String> = dead.iter().map(|place| at(lens, *place)).collect();
    let one_way: Vec<String> = one_way.iter().map(|(filter, pc, _)| at(lens, (*filter, *pc))).collect();
    for (rule, places, what) in [
        ("dead-code", dead, "no call reaches"),
        ("one-way-test", one_way, "the test always goes one way in"),
    ] {
        if !places.is_empty() {
            let mut finding = Finding::new(rule, places.join(", "), format!("{what} {}", listed(&places)));
            finding.proved = proved;
            found.push(finding);
        }
    }
    Ok(())
}

/// An instruction in words; filters are numbered from 0, the oldest, when there are several.
fn at(lens: &Lens<'_>, (filter, pc): (usize, usize)) -> String {
    if lens.filters.len() > 1 {
        format!("instruction {pc} of filter {filter}")
    } else {
        format!("instruction {pc}")
    }
}

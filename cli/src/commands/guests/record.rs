//! Some of a kernel's answers, few enough to be kept.

use std::collections::BTreeSet;

use callproof_formats::recording::{Recording, endian_name, shift_name};
use callproof_formats::vectors::EvalVector;
use callproof_kernel_diff::guest::{EngineFound, Found, Recorded};
use callproof_vm::{Endian, Errno, Filter, Machine, SeccompData, ShiftByX};

use super::super::diff::valid_vector;
use crate::day::today;

/// Most bytes of a file.
const MOST_BYTES: usize = 60_000;

/// Most calls of a program, where they do not tell one machine from another.
const MOST_CASES: usize = 3;

/// Longer programs fill the file with little to learn from.
const LONGEST: usize = 64;

/// A file of vectors: who answered, then programs with their calls and results, or whether they are installed.
pub(super) fn text(found: &Found, engine: &EngineFound, seed: u64) -> String {
    let recording = Recording {
        release: found.facts.release.clone(),
        machine: found.facts.machine.clone(),
        engine: engine.engine.name().to_owned(),
        endian: endian_name(engine.model.endian).to_owned(),
        shift: shift_name(engine.model.shift).to_owned(),
        package: Some(found.kernel.package.clone()),
        version: Some(found.kernel.version.clone()),
        sha256: Some(found.kernel.sha256.clone()),
        date: today(),
        seed,
    };
    let mut text = recording.to_line();
    text.push('\n');
    for recorded in &engine.recorded {
        if recorded.program.len() > LONGEST {
            continue;
        }
        let line = line(recorded, engine.model);
        if text.len().saturating_add(line.len()) < MOST_BYTES {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// Results, or whether the program is installed.
fn line(recorded: &Recorded, model: Machine) -> String {
    let program = recorded.program.clone();
    let errno = |number| Errno::ALL.iter().find(|errno| errno.number() == number);
    if recorded.cases.is_empty() {
        let mut vector = valid_vector(program, recorded.refused.is_none());
        vector.errno = recorded.refused.and_then(errno).map(|errno| errno.name().to_owned());
        return vector.to_line();
    }
    let cases = telling(recorded, model);
    EvalVector { program, cases }.to_line()
}

/// The calls of a program that tell one machine from another, and a few with different results.
fn telling(recorded: &Recorded, model: Machine) -> Vec<(SeccompData, u32)> {
    let filter = Filter::load_on(model.kernel, &recorded.program[..]);
    let shifts = ShiftByX::ALL.map(|shift| Machine { shift, ..model });
    let endians = [Endian::Little, Endian::Big].map(|endian| Machine { endian, ..model });
    let decisive = |call: &SeccompData, value: u32| {
        let Ok(filter) = &filter else { return false };
        shifts.iter().any(|other| filter.run(call, *other) != value)
            || recorded.program.len() < 3 && endians.iter().any(|other| filter.run(call, *other) != value)
    };
    let mut seen = BTreeSet::new();
    let kept = recorded
        .cases
        .iter()
        .filter(|(call, value)| decisive(call, *value) || seen.len() < MOST_CASES && seen.insert(*value));
    kept.copied().collect()
}

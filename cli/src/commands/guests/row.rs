//! A row of the matrix.

use std::collections::BTreeMap;
use std::path::PathBuf;

use callproof_formats::recording::{endian_name, shift_name};
use callproof_kernel_diff::Mismatch;
use callproof_kernel_diff::guest::{self, EngineFound, Found, explanations};
use callproof_vm::Machine;
use serde::Serialize;

use super::super::diff;
use super::played::Played;
use super::record;
use crate::args;

/// So many mismatches of each row are shown and written: they have one cause, or few.
const SHOWN: usize = 3;

/// A kernel with one setting of its JIT.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) guest: &'static str,
    /// What `uname -r` says
    pub(crate) kernel: String,
    pub(crate) package: String,
    pub(crate) version: String,
    /// SHA-256 of the package
    pub(crate) sha256: String,
    /// What `uname -m` says
    pub(crate) machine: String,
    /// `jit` or `interpreter`
    pub(crate) engine: &'static str,
    /// `KVM` or `TCG`
    pub(crate) accelerator: &'static str,
    /// How it was modelled
    pub(crate) endian: &'static str,
    pub(crate) shift: &'static str,
    /// Whether x32 calls were made
    pub(crate) x32: bool,
    /// Whether call 335, then 336, of x86-64 passes a filter that denies every call
    pub(crate) passes: Option<[bool; 2]>,
    /// The bits of a call's number that the kernel keeps
    pub(crate) number_mask: u32,
    /// Programs whose results were compared
    pub(crate) programs: u64,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    pub(crate) evaluations: u64,
    /// Results that hang on the rule for shifts, and on the byte order
    pub(crate) decided_by_shift: u64,
    pub(crate) decided_by_endian: u64,
    /// Small chains of which what the caller sees was compared
    pub(crate) chains: usize,
    /// The scenarios: all where this program runs in the guest, else those that the guest's agent can take
    pub(crate) played: Option<Played>,
    /// Programs that could not be compared, by reason
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    /// What went wrong with programs that should have been compared
    pub(crate) failures: Vec<String>,
    /// How many programs have a mismatch; the first are in `mismatches`
    pub(crate) disagreeing: usize,
    pub(crate) mismatches: Vec<diff::Found>,
    /// Chains that went otherwise
    pub(crate) strange: Vec<String>,
    /// The seconds that the guest took, with both settings
    pub(crate) seconds: f64,
    /// File of vectors to write
    #[serde(skip)]
    pub(crate) recorded: Option<(PathBuf, String)>,
}

impl Row {
    pub(super) fn new(found: &Found, engine: &EngineFound, args: &args::Diff, seed: u64) -> Self {
        let (guest, report, facts) = (found.guest.name, &engine.report, &found.facts);
        let label = format!("{guest}-{}", engine.engine.name());
        let mismatches = report.mismatches.iter().take(SHOWN).map(|mismatch| {
            let mut shown = diff::Found::new(mismatch, format_args!("{label}-{seed}"), &args.out);
            shown.message.push_str(&reasons(mismatch, engine.model));
            shown
        });
        let mut failures: Vec<String> = report.failures.values().map(ToString::to_string).collect();
        let played = engine.ran.as_ref().map(Played::read);
        let played = played.and_then(|read| read.map_err(|why| failures.push(why)).ok());
        let told = || (!engine.tales.is_empty()).then(|| Played::of_tales(&engine.tales));
        let played = played.or_else(told);
        failures.extend(played.iter().flat_map(|played| played.failed.clone()));
        Self {
            guest,
            kernel: facts.release.clone(),
            package: found.kernel.package.clone(),
            version: found.kernel.version.clone(),
            sha256: found.kernel.sha256.clone(),
            machine: facts.machine.clone(),
            engine: engine.engine.name(),
            accelerator: found.accelerator.name(),
            endian: endian_name(engine.model.endian),
            shift: shift_name(engine.model.shift),
            x32: facts.x32,
            passes: facts.passes.map(|passes| [passes.uretprobe, passes.uprobe]),
            number_mask: facts.number_mask,
            programs: report.programs,
            admitted: report.admitted,
            refused: report.refused,
            evaluations: report.evaluations,
            decided_by_shift: engine.decisive.shift,
            decided_by_endian: engine.decisive.endian,
            chains: engine.chains,
            played,
            skipped: report.skipped.clone(),
            failures,
            disagreeing: report.mismatches.len(),
            mismatches: mismatches.collect(),
            strange: engine.strange.iter().map(strange).collect(),
            seconds: found.elapsed.as_secs_f64(),
            recorded: args
                .record
                .as_ref()
                .map(|folder| (folder.join(format!("{label}.jsonl")), record::text(found, engine, seed))),
        }
    }

    /// Mismatches of every kind.
    pub(crate) fn disagreements(&self) -> usize {
        let differing = self.played.as_ref().map_or(0, |played| played.differing.len());
        self.disagreeing
            .saturating_add(self.strange.len())
            .saturating_add(differing)
    }
}

/// Which other rules would give what the kernel gave.
fn reasons(mismatch: &Mismatch, model: Machine) -> String {
    let name = |other: Machine| {
        let (endian, shift) = (endian_name(other.endian), shift_name(other.shift));
        if other.endian == model.endian {
            format!("the shift rule `{shift}`")
        } else {
            format!("{endian}-endian words")
        }
    };
    let names: Vec<_> = explanations(mismatch, model).into_iter().map(name).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; {} would give the kernel's value", names.join(" or "))
    }
}

/// A chain that went otherwise, as a sentence.
fn strange(strange: &guest::Strange) -> String {
    let chain: Vec<_> = strange.chain.iter().map(|word| format!("{word:#010x}")).collect();
    format!(
        "filters that return {}, oldest first, called with arch {:#010x}: {}, and the emulator says {}",
        chain.join(", "),
        strange.arch,
        strange.found,
        strange.expected
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_kernel_diff::Disagreement;
    use callproof_vm::{Insn, SeccompData};

    #[test]
    fn every_rule_that_explains_a_mismatch_is_named() {
        let mut mismatch = Mismatch {
            number: 0,
            program: vec![
                Insn::stmt(0x20, 16),
                Insn::stmt(0x07, 0),
                Insn::stmt(0x00, 7),
                Insn::stmt(0x6c, 0),
                Insn::stmt(0x16, 0),
            ],
            original: Vec::new(),
            kind: Disagreement::Value {
                data: SeccompData::new(0, 0, [33, 0, 0, 0, 0, 0]),
                kernel: 0,
                model: 14,
            },
        };
        let model = Machine::default();
        let said = "; the shift rule `arm8` or the shift rule `six-bit-zero` would give the kernel's value";
        assert_eq!(reasons(&mismatch, model), said);
        let Disagreement::Value { kernel, .. } = &mut mismatch.kind else {
            return;
        };
        // In a big-endian machine the count is the high half.
        *kernel = 7;
        assert_eq!(
            reasons(&mismatch, model),
            "; big-endian words would give the kernel's value"
        );
    }
}

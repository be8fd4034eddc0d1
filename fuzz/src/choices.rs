//! Policies and programs made of choices, before the judges.

use callproof::judge::{Agreement, Judge};
use callproof_formats::policy::{PolicyFormat, PolicyWriteOptions, write_policy};
use callproof_policy::{CompileOptions, Env, GroundPolicy, Policy, compile};
use callproof_testgen::policy::{PolicyShape, policy};
use callproof_testgen::{Bytes, Choose as _};
use callproof_vm::{Filter, Insn};

use crate::{head, limits, one};

fn judge() -> Judge {
    Judge {
        limits: limits(),
        ..Judge::default()
    }
}

fn ground(policy: &Policy) -> GroundPolicy {
    match policy.ground(&Env::default()) {
        Ok(ground) => ground,
        Err(problems) => panic!("a generated policy is wrong: {problems:?}\n{policy}"),
    }
}

/// A policy of choices becomes a filter that is the policy.
pub fn policy_filter(bytes: &[u8]) {
    let policy = policy(&mut Bytes::new(bytes), &PolicyShape::default());
    let ground = ground(&policy);
    let Ok(filter) = compile(&ground, &CompileOptions::default()) else {
        return;
    };
    if let Err(wrong) = judge().policy(&filter, &ground) {
        panic!("{wrong}\n{policy}");
    }
}

/// A policy of choices, written in the format of another tool, is refused or means the same to the reader.
pub fn written(bytes: &[u8]) {
    let (number, bytes) = head(bytes);
    let cases = [
        (PolicyFormat::Oci, PolicyShape::oci as fn() -> PolicyShape),
        (PolicyFormat::Seccompiler, PolicyShape::seccompiler),
        (PolicyFormat::Minijail, PolicyShape::minijail),
        (PolicyFormat::Kafel, PolicyShape::kafel),
        (PolicyFormat::Pfc, PolicyShape::libseccomp),
        (PolicyFormat::Policy, PolicyShape::default),
    ];
    let Some((format, shape)) = one(&cases, number) else {
        return;
    };
    let policy = policy(&mut Bytes::new(bytes), &shape());
    let options = PolicyWriteOptions::default();
    if write_policy(&policy, format, &options).is_err() {
        return;
    }
    if let Err(wrong) = judge().written(&policy, format, &options) {
        panic!("{format}: {wrong}\n{policy}");
    }
}

/// A filter of which one constant was changed is proved to be the same, or a call shows that it is not: replayed, it
/// gets two answers.
pub fn witnesses(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let ground = ground(&policy(&mut choices, &PolicyShape::libseccomp()));
    let Ok(filter) = compile(&ground, &CompileOptions::default()) else {
        return;
    };
    let wrong = changed(&filter, &mut choices);
    if Filter::load(&wrong[..]).is_err() {
        return;
    }
    let judge = judge();
    let (one, two) = (judge.same(&wrong, &filter), judge.policy(&wrong, &ground));
    for found in [&one, &two].into_iter().filter_map(|judged| judged.as_ref().err()) {
        let shown = found.answers.is_some_and(|[left, right]| left != right) && found.call.is_some();
        assert!(shown, "a difference without a call that shows it: {found}");
    }
    let contradict = matches!(
        (&one, &two),
        (Ok(Agreement::Proved), Err(_)) | (Err(_), Ok(Agreement::Proved))
    );
    assert!(!contradict, "{one:?} of the filter, {two:?} of its policy");
}

fn changed(filter: &[Insn], choices: &mut Bytes<'_>) -> Vec<Insn> {
    let mut wrong = filter.to_vec();
    let at = choices.below(u32::try_from(wrong.len()).unwrap_or(u32::MAX));
    if let Some(insn) = wrong.get_mut(at as usize) {
        insn.k ^= 1_u32.checked_shl(choices.below(32)).unwrap_or(1);
    }
    wrong
}

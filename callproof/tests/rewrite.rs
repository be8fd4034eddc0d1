//! Policies from one format to another: proved to mean the same, or refused with a reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is a failing test")]

use callproof::fuzz::OFFERED;
use callproof::relate::Decision;
use callproof::{Options, compile_text};
use callproof_abi::Abi;
use callproof_formats::policy::{PolicyFormat, PolicyWriteOptions, write_policy_text};
use callproof_testgen::Seed;
use callproof_testgen::policy::{PolicyShape, policy};

/// Policies that a format can say.
const SHAPES: [(PolicyFormat, fn() -> PolicyShape); 5] = [
    (PolicyFormat::Oci, PolicyShape::oci),
    (PolicyFormat::Seccompiler, PolicyShape::seccompiler),
    (PolicyFormat::Minijail, PolicyShape::minijail),
    (PolicyFormat::Kafel, PolicyShape::kafel),
    (PolicyFormat::Pfc, PolicyShape::libseccomp),
];

/// Whether a text of one format is proved to mean the same in another; false when it cannot be said there.
fn rewritten(text: &str, from: PolicyFormat, to: PolicyFormat, only_arch: bool) -> bool {
    let options = Options {
        abis: vec![Abi::X86_64],
        ..Options::default()
    };
    let name = format!("made.{}", from.extension());
    let compiled = compile_text(&name, text.as_bytes(), &options).unwrap().unwrap();
    assert_eq!(compiled.policies.format, from);
    match compiled.rewritten(to, &options, only_arch) {
        Ok(all) => {
            let [only] = all.as_slice() else { panic!("{all:?}") };
            match &only.same {
                Decision::Holds(_) => true,
                wrong => panic!("{from} to {to}: {wrong}\n{text}\n{}", only.text.text),
            }
        }
        Err(refused) => {
            let place = refused.place.as_deref().unwrap_or_default();
            assert!(place.starts_with(&name) && refused.help.is_some(), "{refused}");
            assert!(
                refused.message.contains(&format!("the format {to} cannot say it: ")),
                "{refused}"
            );
            false
        }
    }
}

#[test]
fn every_format_becomes_every_other() {
    for (from, shape) in SHAPES {
        let shape = PolicyShape {
            abis: vec![Abi::X86_64],
            most_rules: 4,
            long: 0,
            ..shape()
        };
        let mut proved = [0; OFFERED.len()];
        let mut tried = 0;
        for number in 0..12 {
            let made = policy(&mut Seed::new(31, number), &shape);
            let how = PolicyWriteOptions {
                abis: vec![Abi::X86_64],
                ..PolicyWriteOptions::default()
            };
            let Ok(written) = write_policy_text(&made, from, &how) else {
                continue;
            };
            tried += 1;
            for (to, proved) in OFFERED.iter().zip(&mut proved) {
                *proved += u32::from(rewritten(&written.text, from, *to, true));
            }
        }
        assert!(tried > 8, "{from}: {tried}");
        for (to, proved) in OFFERED.iter().zip(proved) {
            println!("{from} to {to}: {proved} of {tried}");
            let at_home = *to == from || *to == PolicyFormat::Policy;
            // Pseudo filter code needs libseccomp's guard to be in the policy, which only that shape has for certain.
            let least = if at_home {
                tried
            } else {
                u32::from(*to != PolicyFormat::Pfc)
            };
            assert!(proved >= least, "{from} to {to}: {proved} of {tried}");
        }
    }
}

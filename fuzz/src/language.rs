//! Case files, claims and policies.

use callproof::ErrorKind;
use callproof_formats::cases::read_cases;
use callproof_formats::policy::{MinijailReader, PolicyFormat, PolicyOptions, PolicyRead, Runtime, read_policy};
use callproof_policy::{AbiItem, AbiList, ByteOrder, Env, Problems, parse_policy, parse_properties};
use callproof_vm::Machine;

use crate::{head, limits, one};

/// A case file and a file of claims: read, or problems that lie within the text; claims print as they are read.
pub fn cases(bytes: &[u8]) {
    if let Err(problems) = read_cases("fuzz", bytes) {
        within(&problems, bytes);
    }
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    match parse_properties("fuzz", text) {
        Ok(file) => {
            for property in file.items.iter().filter_map(|item| match item {
                callproof_policy::Item::Property(property) => Some(property.to_string()),
                _ => None,
            }) {
                let again = parse_properties("fuzz", &property).map(|file| match file.items.as_slice() {
                    [callproof_policy::Item::Property(again)] => again.to_string(),
                    items => format!("{} items", items.len()),
                });
                assert!(
                    again.as_ref().is_ok_and(|again| *again == property),
                    "{property}: {again:?}"
                );
            }
        }
        Err(problems) => within(&problems, bytes),
    }
}

/// A policy of any format in every reading: read and given meaning, or problems that lie within the text.
pub fn policies(bytes: &[u8]) {
    let (number, bytes) = head(bytes);
    match read_in(number, bytes) {
        Ok(read) => {
            for policy in &read.policies {
                drop(policy.ground(&Env::default()));
            }
        }
        Err(problems) => within(&problems, bytes),
    }
}

fn read_in(number: u8, bytes: &[u8]) -> Result<PolicyRead, Problems> {
    const FORMATS: [Option<PolicyFormat>; 8] = [
        None,
        Some(PolicyFormat::Policy),
        Some(PolicyFormat::Oci),
        Some(PolicyFormat::Seccompiler),
        Some(PolicyFormat::Minijail),
        Some(PolicyFormat::Kafel),
        Some(PolicyFormat::Pfc),
        Some(PolicyFormat::Systemd),
    ];
    const RUNTIMES: [Runtime; 4] = [Runtime::Spec, Runtime::Runc, Runtime::Crun, Runtime::Firecracker];
    let runtime = one(&RUNTIMES, number >> 3).unwrap_or_default();
    let mut options = PolicyOptions {
        runtime,
        include: &|_| Ok("close: 1".to_owned()),
        ..PolicyOptions::default()
    };
    if number & 0x20 != 0 {
        options.minijail.reader = MinijailReader::Library;
    }
    read_policy("fuzz", bytes, one(&FORMATS, number).flatten(), &options)
}

/// A policy in our own language becomes a filter that is proved to be the policy, or nothing; never another filter.
pub fn compiled(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(policy) = parse_policy("fuzz", text) else { return };
    let env = Env::new(AbiList::of([AbiItem::Any]));
    let Ok(ground) = policy.ground(&env) else { return };
    for order in [ByteOrder::OfArch, ByteOrder::Fixed(callproof_vm::Endian::Big)] {
        if let Err(error) = callproof::compile(&ground, Machine::default(), order, &limits()) {
            assert!(error.kind != ErrorKind::Bug, "{error}");
        }
    }
}

fn within(problems: &Problems, bytes: &[u8]) {
    assert!(!problems.problems.is_empty(), "an error without a problem");
    for problem in &problems.problems {
        let span = problem.span;
        // A text that is not UTF-8 is shown with other characters in place of the wrong ones, which are longer.
        let most = bytes.len().saturating_mul(3);
        assert!(span.start <= span.end && span.end <= most.max(1), "{problem:?}");
    }
}

//! Kafel's, systemd's and libseccomp's texts against the filters that these tools made: proved equal over every call.
//!
//! The filters lie in a corpus beside the checkout, and libseccomp's are made on the spot: without them these tests say
//! so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

#[path = "../../formats/tests/support/captured.rs"]
mod captured;
#[path = "../../formats/tests/support/libseccomp.rs"]
mod libseccomp;

use std::path::{Path, PathBuf};

use callproof_formats::ReadOptions;
use callproof_formats::policy::{PolicyFormat, PolicyOptions, read_policy};
use callproof_policy::{AbiItem, AbiList, ByteOrder, Env, Policy, parse_properties};
use callproof_verifier::{Answer, Limits, Query, Session, Side};
use callproof_vm::{Endian, Filter, Machine};

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus");
    None
}

fn load(bytes: &[u8]) -> Filter<'static> {
    let program = ReadOptions::default().read(bytes).unwrap();
    Filter::load(program.insns).unwrap()
}

fn policies(format: PolicyFormat, text: &str) -> Vec<Policy> {
    let read = read_policy("test", text.as_bytes(), Some(format), &PolicyOptions::default());
    read.unwrap_or_else(|problems| panic!("{problems:?}\n{text}")).policies
}

/// A call on which the two differ; `None` is a proof that there is none.
fn difference(filter: Filter<'static>, policy: &Policy, except: &str) -> Option<String> {
    let filters = [filter];
    let ground = policy.ground(&Env::default()).unwrap();
    let others = vec![("base".to_owned(), Side::Policy(ground))];
    let order = ByteOrder::Fixed(Endian::Little);
    let mut session = Session::new(&filters, others, Machine::default(), order, &Limits::default());
    let file = parse_properties("test", &format!("self equals base for *{except}")).unwrap();
    let env = Env::new(AbiList::of([AbiItem::Any]));
    let (property, env) = file.properties(&env).remove(0);
    let query = Query {
        claim: &property.claim,
        env: &env,
    };
    match session.ask(&query).unwrap().answer {
        Answer::Holds { .. } => None,
        Answer::Fails(found) => {
            let shown = &found.shown;
            let call = callproof_formats::call::print(&shown[0].call);
            let values = (shown[0].verdict.value, shown[1].verdict.value);
            Some(format!("{call}: filter {:#x}, policy {:#x}", values.0, values.1))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn kafel() {
    let Some(corpus) = corpus() else { return };
    for (name, text) in captured::KAFEL {
        let bytes = std::fs::read(corpus.join(format!("bpf/kafel-sample-{name}.bpf"))).unwrap();
        let policy = policies(PolicyFormat::Kafel, text).remove(0);
        assert_eq!(difference(load(&bytes), &policy, ""), None, "{name}");
    }
}

#[test]
fn systemd() {
    let Some(corpus) = corpus() else { return };
    let except = format!(" except {}", captured::UNKNOWN_TO_LIBSECCOMP.join(", "));
    let mut proved = 0;
    for (unit, text) in captured::SYSTEMD {
        let policies = policies(PolicyFormat::Systemd, text);
        for (place, policy) in policies.iter().enumerate() {
            let of = |suffix: &str| corpus.join(format!("bpf/systemd252-{unit}-deb12{suffix}.bpf"));
            let alone = of("").exists() && place == 0;
            let path = if alone { of("") } else { of(&format!(".{place}")) };
            // The corpus keeps each distinct filter once: what is missing is there under another unit's name.
            let Ok(bytes) = std::fs::read(path) else { continue };
            assert_eq!(difference(load(&bytes), policy, &except), None, "{unit} {place}");
            proved += 1;
        }
    }
    println!("{proved} filters of systemd 252 proved equal");
    assert!(proved > 25, "{proved}");
}

#[test]
fn pseudo_filter_code() {
    let Some(made) = libseccomp::made(2, 60) else { return };
    let mut proved = 0;
    for line in made {
        let policy = policies(PolicyFormat::Pfc, &line.text).remove(0);
        let found = difference(load(&line.filter), &policy, "");
        assert_eq!(found, None, "{}", line.text);
        proved += 1;
    }
    println!("{proved} texts proved equal to libseccomp's filters");
    assert!(proved > 30, "{proved}");
}

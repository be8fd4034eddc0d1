//! The language's page says nothing that the readers do not read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, Env, Sets, parse_policy, parse_properties};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROPERTIES.md");

/// The fenced blocks of one kind.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let fence = format!("```{kind}\n");
    page.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_block_has_a_meaning() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let env = Env {
        sets: Sets::default(),
        ..Env::new(AbiList::of([Abi::X86_64, Abi::I386, Abi::X32].map(AbiItem::Abi)))
    };
    let properties = blocks(&page, "props");
    assert!(properties.len() >= 10, "{}", properties.len());
    for block in properties {
        let file = parse_properties("page", &block).unwrap_or_else(|found| panic!("{block}{:?}", found.problems));
        file.check(&env).unwrap_or_else(|found| panic!("{block}{found:?}"));
    }
    let policies = blocks(&page, "policy");
    assert_eq!(policies.len(), 1);
    for block in policies {
        parse_policy("page", &block).unwrap().ground(&env).unwrap();
    }
}

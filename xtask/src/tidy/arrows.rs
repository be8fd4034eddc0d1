//! Which room may use which, and under which licences we take what others wrote.

use cargo_metadata::{DependencyKind, Metadata, Package};

/// For each room, the rooms it may use. A room that is not named here breaks the rule.
const ARROWS: &[(&str, &[&str])] = &[
    ("callproof-vm", &[]),
    ("callproof-abi", &[]),
    ("callproof-policy", &["callproof-vm", "callproof-abi"]),
    ("callproof-checker", &[]),
    (
        "callproof-verifier",
        &["callproof-vm", "callproof-abi", "callproof-policy", "callproof-checker"],
    ),
    (
        "callproof-formats",
        &["callproof-vm", "callproof-abi", "callproof-policy"],
    ),
    (
        "callproof-testgen",
        &["callproof-vm", "callproof-abi", "callproof-policy"],
    ),
    (
        "callproof",
        &[
            "callproof-vm",
            "callproof-abi",
            "callproof-policy",
            "callproof-verifier",
            "callproof-formats",
        ],
    ),
    ("callproof-capi", &["callproof", "callproof-vm"]),
    ("callproof-kernel-diff", &["callproof-vm", "callproof-abi"]),
    (
        "callproof-cli",
        &[
            "callproof",
            "callproof-vm",
            "callproof-abi",
            "callproof-policy",
            "callproof-checker",
            "callproof-verifier",
            "callproof-formats",
            "callproof-testgen",
            "callproof-kernel-diff",
        ],
    ),
    (
        "callproof-benches",
        &[
            "callproof",
            "callproof-vm",
            "callproof-abi",
            "callproof-policy",
            "callproof-checker",
            "callproof-verifier",
            "callproof-formats",
            "callproof-testgen",
        ],
    ),
    (
        "callproof-fuzz",
        &[
            "callproof",
            "callproof-vm",
            "callproof-abi",
            "callproof-policy",
            "callproof-checker",
            "callproof-verifier",
            "callproof-formats",
            "callproof-testgen",
        ],
    ),
    ("xtask", &[]),
];

/// Rooms that any room's tests may use: the emulator, generators and kernel answers judge there and are no part.
const JUDGES: &[&str] = &["callproof-vm", "callproof-testgen", "callproof-kernel-diff"];

/// The rooms that depend on nothing at all: two for `no_std` programs, one so that a proof needs no trust in us.
const BARE: &[&str] = &["callproof-vm", "callproof-abi", "callproof-checker"];

/// Licences that ask for no more than a notice.
const PERMISSIVE: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
];

pub(super) fn check(metadata: &Metadata, found: &mut Vec<String>) {
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == name) else {
            found.push(format!("`{name}` has no place in the plan of arrows; give it one"));
            continue;
        };
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            let room = ARROWS.iter().any(|(room, _)| *room == used);
            let judge = dependency.kind == DependencyKind::Development && JUDGES.contains(&used);
            if room && !allowed.contains(&used) && !judge {
                found.push(format!("`{name}` must not use `{used}`: arrows point down only"));
            }
            if BARE.contains(&name) && dependency.kind != DependencyKind::Development {
                found.push(format!("`{name}` must not depend on `{used}`: it depends on nothing"));
            }
        }
    }
}

pub(super) fn licences(metadata: &Metadata, found: &mut Vec<String>) {
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or("none stated");
        if !is_permissive(licence) {
            let Package { name, version, .. } = package;
            found.push(format!(
                "`{name}` {version} is under `{licence}`, which is not on the list"
            ));
        }
    }
}

/// Whether an SPDX expression can be satisfied by permissive licences alone.
fn is_permissive(expression: &str) -> bool {
    // `/` is how old manifests wrote OR.
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ")
        .all(|all| all.split(" OR ").any(|one| PERMISSIVE.contains(&one.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions() {
        assert!(is_permissive("MIT OR Apache-2.0"));
        assert!(is_permissive("MIT/Apache-2.0"));
        assert!(is_permissive("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(is_permissive("Apache-2.0 OR LGPL-2.1-or-later OR MIT"));
        assert!(!is_permissive("GPL-2.0"));
        assert!(!is_permissive("MIT AND GPL-2.0"));
        assert!(!is_permissive("none stated"));
    }

    #[test]
    fn no_arrow_points_up_or_in_a_circle() {
        for (at, (_, uses)) in ARROWS.iter().enumerate() {
            for used in *uses {
                let place = ARROWS.iter().position(|(room, _)| room == used);
                assert!(place.is_some_and(|place| place < at), "{used}");
            }
        }
    }
}

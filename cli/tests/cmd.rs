//! What the command prints: the pages under `tests/cmd`, and every console block of
//! docs/CLI.md, docs/BUGS.md, docs/POLICIES.md and the README.
//!
//! `TRYCMD=overwrite cargo test -p callproof-cli --test cmd` writes what is printed now; read the difference like code.

#[path = "common/canary.rs"]
mod canary;

use std::path::Path;

#[test]
fn the_command_prints_what_the_pages_say() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().unwrap();
    // Pages name files as somebody in a checkout does.
    std::env::set_current_dir(root).unwrap();
    // Campaigns go on where they were; those of the pages begin.
    for findings in ["target/findings", "target/no-findings"] {
        let _ = std::fs::remove_dir_all(root.join(findings));
    }
    let folder = canary::folder();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(core::iter::once(folder.clone()).chain(std::env::split_paths(&others))).unwrap();
    trycmd::TestCases::new()
        .register_bin("canary_compiler", folder.join("canary_compiler"))
        .env("PATH", path.to_str().unwrap())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .case(package.join("tests/cmd/*.trycmd"))
        .case(root.join("docs/CLI.md"))
        .case(root.join("docs/BUGS.md"))
        .case(root.join("docs/CASES.md"))
        .case(root.join("docs/FUZZING.md"))
        .case(root.join("docs/POLICIES.md"))
        .case(root.join("README.md"));
}

/// The readme shows the file that it runs.
#[test]
fn the_readme_shows_the_first_case_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    assert!(read("README.md").contains(&format!("```calls\n{}```", read("examples/first.calls"))));
}

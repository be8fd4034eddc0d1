//! What the command prints: the pages under `tests/cmd`, and every console block of
//! docs/CLI.md, docs/BUGS.md and the README.
//!
//! `TRYCMD=overwrite cargo test -p callproof-cli --test cmd` writes what is printed now; read the difference like code.

use std::path::Path;

#[test]
fn the_command_prints_what_the_pages_say() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().unwrap();
    // Pages name files as somebody in a checkout does.
    std::env::set_current_dir(root).unwrap();
    trycmd::TestCases::new()
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .case(package.join("tests/cmd/*.trycmd"))
        .case(root.join("docs/CLI.md"))
        .case(root.join("docs/BUGS.md"))
        .case(root.join("README.md"));
}

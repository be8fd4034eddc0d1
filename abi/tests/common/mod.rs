//! The headers shipped as Rust in linux-raw-sys, for every architecture (its library shows only that of the host).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use callproof_abi::Abi;

/// The folders of linux-raw-sys and the ABIs whose headers they hold.
pub(crate) const FOLDERS: &[(&str, &[Abi])] = &[
    ("x86_64", &[Abi::X86_64]),
    ("x32", &[Abi::X32]),
    ("x86", &[Abi::I386]),
    ("aarch64", &[Abi::Aarch64]),
    ("arm", &[Abi::Arm, Abi::Armeb]),
    ("riscv64", &[Abi::Riscv64]),
    ("riscv32", &[Abi::Riscv32]),
    ("s390x", &[Abi::S390x]),
    ("powerpc", &[Abi::Ppc]),
    ("powerpc64", &[Abi::Ppc64, Abi::Ppc64le]),
    ("mips", &[Abi::Mips, Abi::Mipsel]),
    ("mips64", &[Abi::Mips64, Abi::Mips64el]),
    ("loongarch64", &[Abi::Loongarch64]),
    ("m68k", &[Abi::M68k]),
    ("sparc", &[Abi::Sparc]),
    ("sparc64", &[Abi::Sparc64]),
    ("csky", &[Abi::Csky]),
];

/// `pub const NAME: TYPE = NUMBER;` of one file, names as they stand there.
pub(crate) fn constants(folder: &str, file: &str) -> BTreeMap<String, u64> {
    let path = source_dir().join("src").join(folder).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter_map(constant).collect()
}

fn constant(line: &str) -> Option<(String, u64)> {
    let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
    let value = rest.split_once(" = ")?.1.strip_suffix(';')?;
    let number = match value.strip_prefix('-') {
        Some(digits) => digits.parse::<u64>().ok()?.wrapping_neg(),
        None => value.parse().ok()?,
    };
    Some((name.to_owned(), number))
}

/// Where cargo unpacked the package, asked once.
fn source_dir() -> &'static PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(find_source_dir)
}

fn find_source_dir() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    // The filter leaves out packages of other systems, which a build here does not download.
    let filter = ["--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path", manifest])
        .args(filter)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut paths = text
        .split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next());
    let manifest = paths.find(|path| path.contains("/linux-raw-sys-"));
    PathBuf::from(manifest.expect("linux-raw-sys is a dev-dependency"))
        .parent()
        .unwrap()
        .to_path_buf()
}

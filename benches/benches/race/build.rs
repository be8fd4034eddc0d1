//! How peers are made: from their sources in `peers/`, and from what a distribution or a registry has of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::{Peer, reason};

/// The sources of peers.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// What was fetched and built stays here, for the next time.
const KEPT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/peers");

/// Crates that evaluate classic BPF: what a peer is called, its program, and the crate.
const CRATES: [[&str; 3]; 3] = [
    ["bpfvm", "bpfvm", "bpfvm"],
    ["pktbaffle", "pktbaffle", "pktbaffle"],
    ["NetBSD JIT", "bpfjit", "bpfjit-sys"],
];

/// The peers that can be made here; what cannot is told.
pub(crate) fn build(folder: &Path) -> Vec<Peer> {
    let kept = Path::new(KEPT);
    std::fs::create_dir_all(kept).expect("a folder");
    let made = [
        ("kernel JIT", in_c(folder, "kernel", &[])),
        ("C switch", in_c(folder, "switch", &[])),
        ("libpcap", in_c(folder, "libpcap", &["-lpcap"])),
        ("libseccomp", libseccomp(&kept.join("libseccomp"))),
        ("Go x/net", in_go(folder)),
    ];
    let crates = CRATES.map(|[name, program, package]| (name, in_rust(&kept.join("crates"), program, package)));
    let mut peers = Vec::new();
    for (name, made) in made.into_iter().chain(crates) {
        match made {
            Ok(program) => peers.push(Peer {
                name,
                program,
                values: name != "kernel JIT",
            }),
            Err(why) => println!("missing: {name}: {why}"),
        }
    }
    peers
}

/// Runs a command that makes a program.
fn make(command: &mut Command, program: PathBuf) -> Result<PathBuf, String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => Err(reason(&output.stderr)),
        Err(error) => Err(format!("{}: {error}", command.get_program().display())),
    }
}

fn compiler() -> Command {
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-O2", "-I", SOURCES]);
    compiler
}

fn in_c(folder: &Path, name: &str, libraries: &[&str]) -> Result<PathBuf, String> {
    let (source, program) = (format!("{SOURCES}/{name}.c"), folder.join(name));
    make(compiler().arg("-o").arg(&program).arg(source).args(libraries), program)
}

/// The simulator of libseccomp, whose source the distribution's archive has.
fn libseccomp(folder: &Path) -> Result<PathBuf, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let fetched = make(
        Command::new("sh").arg(format!("{SOURCES}/libseccomp.sh")).arg(folder),
        folder.join("util.c"),
    )?;
    let (source, program) = (format!("{SOURCES}/libseccomp.c"), folder.join("simulator"));
    make(
        compiler()
            .arg("-I")
            .arg(folder)
            .arg("-o")
            .arg(&program)
            .arg(source)
            .arg(fetched),
        program,
    )
}

/// The interpreter of `golang.org/x/net/bpf`, as Debian packages it for building (`golang-golang-x-net-dev`).
fn in_go(folder: &Path) -> Result<PathBuf, String> {
    let program = folder.join("xnet");
    make(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(format!("{SOURCES}/xnet.go"))
            .env("GO111MODULE", "off")
            .env("GOPATH", "/usr/share/gocode")
            .env("GOCACHE", folder.join("go")),
        program,
    )
}

/// A crate from the registry, built in a folder of its own with the loop that times our engines.
fn in_rust(folder: &Path, name: &str, package: &str) -> Result<PathBuf, String> {
    copy_crates(folder).map_err(|error| error.to_string())?;
    make(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "build",
                "--release",
                "--bin",
                name,
                "--features",
                package,
                "--target-dir",
            ])
            .arg(folder.join("target"))
            .current_dir(folder),
        folder.join("target/release").join(name),
    )
}

/// Copies what has changed, so that only that is built anew.
fn copy_crates(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let sources = Path::new(SOURCES);
    let copy = |from: &str, to: &str| {
        let (bytes, to) = (std::fs::read(sources.join(from))?, folder.join(to));
        let same = std::fs::read(&to).is_ok_and(|there| there == bytes);
        if same { Ok(()) } else { std::fs::write(to, bytes) }
    };
    copy("crates/manifest.toml", "Cargo.toml")?;
    copy("../benches/race/timing.rs", "timing.rs")?;
    for name in ["race.rs", "bpfvm.rs", "pktbaffle.rs", "bpfjit.rs"] {
        copy(&format!("crates/{name}"), name)?;
    }
    Ok(())
}

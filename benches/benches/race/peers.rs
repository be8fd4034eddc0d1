//! Peers are programs of their own: no code of theirs is part of the project, and none of it runs in this process.

use std::path::{Path, PathBuf};
use std::process::Command;

use callproof_vm::{Endian, Insn, SeccompData};

/// A peer: what it is called and the command that runs it, followed by the paths of filter and records.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    command: Vec<PathBuf>,
    /// Whether its checksum is that of the filter's values
    pub(crate) values: bool,
}

/// A peer in C: its source in `peers/`, and the libraries it needs.
struct InC {
    name: &'static str,
    source: &'static str,
    libraries: &'static [&'static str],
    values: bool,
}

const IN_C: [InC; 3] = [
    InC {
        name: "C switch",
        source: "switch.c",
        libraries: &[],
        values: true,
    },
    InC {
        name: "libpcap",
        source: "libpcap.c",
        libraries: &["-lpcap"],
        values: true,
    },
    InC {
        name: "kernel JIT",
        source: "kernel.c",
        libraries: &[],
        values: false,
    },
];

/// The peers that can be built here; what cannot is told.
pub(crate) fn build(folder: &Path) -> Vec<Peer> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut peers = Vec::new();
    for peer in IN_C {
        let program = folder.join(peer.source).with_extension("");
        let built = Command::new(&compiler)
            .args(["-O2", "-o"])
            .arg(&program)
            .arg(sources.join(peer.source))
            .args(peer.libraries)
            .output();
        match built {
            Ok(output) if output.status.success() => {
                let command = vec![program];
                peers.push(Peer {
                    name: peer.name,
                    command,
                    values: peer.values,
                });
            }
            Ok(output) => println!("skipped: {}: {}", peer.name, first_line(&output.stderr)),
            Err(error) => println!("skipped: {}: no C compiler: {error}", peer.name),
        }
    }
    peers.extend(in_go(folder, &sources));
    peers
}

/// The interpreter of `golang.org/x/net/bpf`, as Debian packages it for building (`golang-golang-x-net-dev`).
fn in_go(folder: &Path, sources: &Path) -> Option<Peer> {
    let program = folder.join("xnet");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(sources.join("xnet.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", folder.join("go"))
        .output();
    match built {
        Ok(output) if output.status.success() => {
            return Some(Peer {
                name: "Go x/net",
                command: vec![program],
                values: true,
            });
        }
        Ok(output) => println!("skipped: Go x/net: {}", first_line(&output.stderr)),
        Err(error) => println!("skipped: Go x/net: {error}"),
    }
    None
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or("it says nothing").to_owned()
}

/// Writes what peers read.
pub(crate) fn write(folder: &Path, program: &[Insn], calls: &[SeccompData]) -> (PathBuf, PathBuf) {
    let (filter, records) = (folder.join("filter.bpf"), folder.join("records"));
    let insns: Vec<u8> = program.iter().flat_map(|insn| insn.to_bytes(Endian::NATIVE)).collect();
    let bytes: Vec<u8> = calls.iter().flat_map(|call| call.to_bytes(Endian::NATIVE)).collect();
    std::fs::write(&filter, insns).expect("written");
    std::fs::write(&records, bytes).expect("written");
    (filter, records)
}

impl Peer {
    /// Nanoseconds of an evaluation, and the checksum; none when the peer fails.
    pub(crate) fn run(&self, (filter, records): &(PathBuf, PathBuf)) -> Option<(f64, u64)> {
        let (program, arguments) = self.command.split_first()?;
        let output = Command::new(program)
            .args(arguments)
            .arg(filter)
            .arg(records)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout)
            .ok()
            .filter(|_| output.status.success())?;
        let (time, sum) = text.trim().split_once(' ')?;
        Some((time.parse().ok()?, sum.parse().ok()?))
    }
}

//! Policies of other tools against the filters that those tools made of them: proved equal, or told apart.
//!
//! The filters and policies lie in a corpus beside the checkout, which is not part of the project: without it these
//! tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use callproof_abi::Abi;
use callproof_formats::policy::{Minijail, MinijailReader, PolicyFormat, PolicyOptions, PolicyRead, Runtime, read_policy};
use callproof_policy::{AbiItem, AbiList, ByteOrder, Env, GroundPolicy, parse_properties};
use callproof_verifier::{Answer, Limits, Query, Session, Side};
use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus");
    None
}

fn load(path: &Path, endian: Endian) -> Filter<'static> {
    let bytes = std::fs::read(path).unwrap();
    let insns = bytes.as_chunks::<8>().0.iter();
    let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, endian)).collect();
    Filter::load(program).unwrap()
}

fn ground(read: &PolicyRead) -> GroundPolicy {
    assert_eq!(read.policies.len(), 1);
    read.policies[0].ground(&Env::default()).unwrap()
}

/// One call that filter and policy answer differently: ABI, name or number, and what each says.
type Difference = (&'static str, String, u32, u32);

/// Every call, by number, for which filter and policy differ; none when they are proved equal over all inputs.
fn differences(file: &Path, policy: &GroundPolicy, endian: Endian) -> Vec<Difference> {
    let filters = [load(file, endian)];
    let machine = Machine {
        endian,
        ..Machine::default()
    };
    let others = vec![("base".to_owned(), Side::Policy(policy.clone()))];
    let mut session = Session::new(&filters, others, machine, ByteOrder::Fixed(endian), &Limits::default()).unwrap();
    let mut found = Vec::new();
    let mut cells: Vec<AbiItem> = Abi::ALL.iter().map(|abi| AbiItem::Abi(*abi)).collect();
    cells.push(AbiItem::Unknown);
    for cell in cells {
        let mut known: BTreeSet<u32> = BTreeSet::new();
        while let Some((call, filter, policy)) = difference(&mut session, cell, &known) {
            let number = call.nr.cast_unsigned();
            assert!(known.insert(number), "{call:?} was excepted");
            let abi = Abi::from_call(call.arch, number);
            let name = abi
                .and_then(|abi| abi.syscall_name(number))
                .map_or_else(|| format!("{number:#x}"), str::to_owned);
            found.push((abi.map_or("unknown", Abi::name), name, filter, policy));
            assert!(found.len() < 100, "{found:#?}");
        }
    }
    found
}

fn difference(session: &mut Session<'_>, cell: AbiItem, known: &BTreeSet<u32>) -> Option<(SeccompData, u32, u32)> {
    let except: Vec<String> = known.iter().map(|number| format!("{number:#x}")).collect();
    let except = if except.is_empty() {
        String::new()
    } else {
        format!(" except {}", except.join(", "))
    };
    let text = format!("self equals base for *{except}");
    let file = parse_properties("test", &text).unwrap();
    let env = Env::new(AbiList::of([cell]));
    let (property, env) = file.properties(&env).remove(0);
    let query = Query {
        claim: &property.claim,
        env: &env,
    };
    match session.ask(&query).unwrap().answer {
        Answer::Holds { .. } | Answer::Vacuous => None,
        Answer::Fails(found) => {
            let shown = &found.shown;
            Some((shown[0].call, shown[0].verdict.value, shown[1].verdict.value))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn filters_of_firecracker() {
    let Some(corpus) = corpus() else { return };
    for (file, arch, abis) in [
        ("x86_64-unknown-linux-musl", "x86_64", &[Abi::X86_64][..]),
        // Made on an x86_64 machine, whose ABI libseccomp keeps in the filter.
        (
            "aarch64-unknown-linux-musl",
            "aarch64",
            &[Abi::X86_64, Abi::Aarch64][..],
        ),
    ] {
        let text = std::fs::read(corpus.join(format!("firecracker/{file}.json"))).unwrap();
        for thread in ["vmm", "api", "vcpu"] {
            for (compiler, runtime) in [("-rustvmm", Runtime::Spec), ("", Runtime::Firecracker)] {
                let abis = if runtime == Runtime::Firecracker {
                    abis
                } else {
                    &abis[abis.len() - 1..]
                };
                let options = PolicyOptions {
                    abis: abis.to_vec(),
                    runtime,
                    select: Some(thread.to_owned()),
                    ..PolicyOptions::default()
                };
                let read = read_policy(file, &text, Some(PolicyFormat::Seccompiler), &options).unwrap();
                let filter = corpus.join(format!("bpf/firecracker{compiler}-{arch}-{thread}.bpf"));
                let found = differences(&filter, &ground(&read), Endian::Little);
                assert_eq!(found, [], "{}", filter.display());
            }
        }
    }
}

const CAPS: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

#[test]
fn explore_oci() {
    let Some(corpus) = corpus() else { return };
    let rows: &[(&str, &str, Runtime, &[Abi], Endian)] = &[
        (
            "containerd-deb12",
            "containerd-default-debian12-runtime-spec",
            Runtime::Runc,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "podman-crun-deb12",
            "containers-common-debian12",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "podman-crun-dropall-deb12",
            "containers-common-debian12",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "podman-crun-deb13",
            "containers-common-debian13",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "podman-runc-deb13",
            "containers-common-debian13",
            Runtime::Runc,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "podman-runc-moby-profiles-default-deb13",
            "moby-profiles-default",
            Runtime::Runc,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "oci-containers-common13-x86_64-bintree",
            "containers-common-debian13",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "oci-moby-default-aarch64",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::Aarch64],
            Endian::Little,
        ),
        (
            "oci-moby-default-aarch64-bintree",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::Aarch64],
            Endian::Little,
        ),
        (
            "oci-moby-default-arm",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::Arm],
            Endian::Little,
        ),
        (
            "oci-moby-default-mips64el",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::Mips64el],
            Endian::Little,
        ),
        (
            "oci-moby-default-ppc64le",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::Ppc64le],
            Endian::Little,
        ),
        (
            "oci-moby-default-riscv64",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::Riscv64],
            Endian::Little,
        ),
        (
            "oci-moby-default-s390x",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::S390x],
            Endian::Big,
        ),
        (
            "oci-moby-default-x86",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::I386],
            Endian::Little,
        ),
        (
            "oci-moby-default-x86_64-bintree",
            "moby-profiles-default",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "oci-moby-fixture-conditional_include",
            "moby-fixture-conditional_include",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "oci-moby-fixture-default-old-format",
            "moby-fixture-default-old-format",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
        (
            "oci-moby-fixture-example",
            "moby-fixture-example",
            Runtime::Crun,
            &[Abi::X86_64],
            Endian::Little,
        ),
    ];
    for (filter, profile, runtime, abis, endian) in rows {
        for caps in [CAPS, &[][..]] {
            let text = std::fs::read(corpus.join(format!("profiles/{profile}.json"))).unwrap();
            let options = PolicyOptions {
                abis: abis.to_vec(),
                runtime: *runtime,
                caps: caps.iter().map(|c| (*c).to_owned()).collect(),
                ..PolicyOptions::default()
            };
            let read = match read_policy(profile, &text, Some(PolicyFormat::Oci), &options) {
                Ok(read) => read,
                Err(e) => {
                    println!("{filter}: {:#?}", e.problems);
                    continue;
                }
            };
            let found = std::panic::catch_unwind(|| {
                differences(&corpus.join(format!("bpf/{filter}.bpf")), &ground(&read), *endian)
            });
            println!("{filter} caps {}: {:?}", caps.len(), found.map_err(|_| ()));
        }
    }
}

#[test]
fn policies_of_crosvm() {
    let Some(corpus) = corpus() else { return };
    let (mut pairs, mut parsed) = (0, 0);
    for (arch, abi) in [("x86_64", Abi::X86_64), ("aarch64", Abi::Aarch64)] {
        let folder = corpus.join(format!("minijail/crosvm/{arch}"));
        let include = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or_default();
            std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())
        };
        for (suffix, reader, kill_process) in [
            ("", MinijailReader::Compiler, true),
            ("-linear", MinijailReader::Compiler, false),
            ("-cparser", MinijailReader::Library, false),
        ] {
            let minijail = Minijail { reader, kill_process, default: None };
            let options = PolicyOptions { abis: vec![abi], minijail, include: &include, ..PolicyOptions::default() };
            let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "policy")) {
                let name = file.file_stem().unwrap().to_str().unwrap();
                let filter = corpus.join(format!("bpf/crosvm-{arch}-{name}{suffix}.bpf"));
                if !filter.exists() && !suffix.is_empty() { continue }
                let text = std::fs::read(file).unwrap();
                let read = match read_policy(name, &text, Some(PolicyFormat::Minijail), &options) {
                    Ok(read) => read,
                    Err(problems) => { println!("{arch} {name}: {:?}", problems.problems); continue }
                };
                parsed += 1;
                if !filter.exists() { println!("{arch} {name}{suffix}: no filter"); continue }
                let found = differences(&filter, &ground(&read), Endian::Little);
                if found != [] { println!("{}: {found:?}", filter.display()); } else {
                pairs += 1; }
            }
        }
    }
    println!("{pairs} pairs equal, {parsed} parsed");
}

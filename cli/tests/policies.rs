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
use callproof_formats::policy::{
    Minijail, MinijailReader, PolicyFormat, PolicyOptions, PolicyRead, Runtime, read_policy,
};
use callproof_policy::{AbiItem, AbiList, Answer as Given, ByteOrder, Env, GroundPolicy, parse_properties};
use callproof_testgen::{Caller, Harvest, Seed};
use callproof_verifier::{Answer, Limits, Query, Session, Side};
use callproof_vm::{Action, Chain, Endian, Filter, Insn, Machine, SeccompData};

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus");
    None
}

/// The filter of a file. One for a big-endian machine was made on a little-endian one, and some of the values that it
/// returns have their bytes the other way round.
fn load(path: &Path, endian: Endian) -> Filter<'static> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let insns = bytes.as_chunks::<8>().0.iter();
    let mut program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
    for insn in program
        .iter_mut()
        .filter(|insn| endian == Endian::Big && insn.code == 0x06)
    {
        if [0x7fff_0000, 0x0005_0001, 0x0005_0026].contains(&insn.k.swap_bytes()) {
            insn.k = insn.k.swap_bytes();
        }
    }
    Filter::load(program).unwrap()
}

fn ground(read: &PolicyRead) -> GroundPolicy {
    assert_eq!(read.policies.len(), 1);
    read.policies[0].ground(&Env::default()).unwrap()
}

/// One call that filter and policy answer differently: ABI, name or number, and what each says.
type Difference = (&'static str, &'static str, u32, u32);

/// Every call, by number, for which filter and policy differ; none when they are proved equal over all inputs.
fn differences(filter: Filter<'static>, policy: &GroundPolicy, endian: Endian) -> Vec<Difference> {
    some_differences(filter, policy, endian, 20)
}

/// The same, up to so many.
fn some_differences(filter: Filter<'static>, policy: &GroundPolicy, endian: Endian, most: usize) -> Vec<Difference> {
    let filters = [filter];
    let machine = Machine {
        endian,
        ..Machine::default()
    };
    let others = vec![("base".to_owned(), Side::Policy(policy.clone()))];
    let mut session = Session::new(&filters, others, machine, ByteOrder::Fixed(endian), &Limits::default());
    let mut found = Vec::new();
    let mut cells: Vec<AbiItem> = Abi::ALL.iter().map(|abi| AbiItem::Abi(*abi)).collect();
    cells.push(AbiItem::Unknown);
    for cell in cells {
        let mut known: BTreeSet<u32> = BTreeSet::new();
        while let Some((call, filter, policy)) = difference(&mut session, cell, &known) {
            let number = call.nr.cast_unsigned();
            assert!(known.insert(number), "{call:?} was excepted");
            let abi = Abi::from_call(call.arch, number);
            let name = abi.and_then(|abi| abi.syscall_name(number)).unwrap_or("no call");
            found.push((abi.map_or("unknown", Abi::name), name, filter, policy));
            if found.len() == most {
                return found;
            }
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
                let found = differences(load(&filter, Endian::Little), &ground(&read), Endian::Little);
                assert_eq!(found, [], "{}", filter.display());
            }
        }
    }
}

/// What Podman leaves a container by default.
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
const DEBIAN_12: &str = "containers-common-debian12";
const DEBIAN_13: &str = "containers-common-debian13";
const MOBY: &str = "moby-profiles-default";

/// A filter, the profile it was made of, by whom, for which machine, and with which capabilities beside or without `CAPS`.
type Row = (&'static str, &'static str, Runtime, Abi, Caps);

#[derive(Clone, Copy)]
enum Caps {
    None,
    Usual,
    With(&'static str),
}

const PROFILES: &[Row] = &[
    ("podman-crun-deb12", DEBIAN_12, Runtime::Crun, Abi::X86_64, Caps::Usual),
    (
        "podman-crun-dropall-deb12",
        DEBIAN_12,
        Runtime::Crun,
        Abi::X86_64,
        Caps::None,
    ),
    ("podman-crun-deb13", DEBIAN_13, Runtime::Crun, Abi::X86_64, Caps::Usual),
    ("podman-runc-deb13", DEBIAN_13, Runtime::Runc, Abi::X86_64, Caps::Usual),
    (
        "podman-runc-moby-profiles-default-deb13",
        MOBY,
        Runtime::Runc,
        Abi::X86_64,
        Caps::Usual,
    ),
    (
        "oci-containers-common13-x86_64-bintree",
        DEBIAN_13,
        Runtime::Crun,
        Abi::X86_64,
        Caps::With("CAP_AUDIT_WRITE"),
    ),
    (
        "oci-moby-default-x86_64-bintree",
        MOBY,
        Runtime::Crun,
        Abi::X86_64,
        Caps::Usual,
    ),
    ("oci-moby-default-x86", MOBY, Runtime::Crun, Abi::I386, Caps::Usual),
    (
        "oci-moby-default-aarch64",
        MOBY,
        Runtime::Crun,
        Abi::Aarch64,
        Caps::Usual,
    ),
    (
        "oci-moby-default-aarch64-bintree",
        MOBY,
        Runtime::Crun,
        Abi::Aarch64,
        Caps::Usual,
    ),
    ("oci-moby-default-arm", MOBY, Runtime::Crun, Abi::Arm, Caps::Usual),
    (
        "oci-moby-default-mips64el",
        MOBY,
        Runtime::Crun,
        Abi::Mips64el,
        Caps::Usual,
    ),
    (
        "oci-moby-default-ppc64le",
        MOBY,
        Runtime::Crun,
        Abi::Ppc64le,
        Caps::Usual,
    ),
    (
        "oci-moby-default-riscv64",
        MOBY,
        Runtime::Crun,
        Abi::Riscv64,
        Caps::Usual,
    ),
    ("oci-moby-default-s390x", MOBY, Runtime::Crun, Abi::S390x, Caps::Usual),
    (
        "oci-moby-fixture-conditional_include",
        "moby-fixture-conditional_include",
        Runtime::Crun,
        Abi::X86_64,
        Caps::Usual,
    ),
    (
        "oci-moby-fixture-default-old-format",
        "moby-fixture-default-old-format",
        Runtime::Crun,
        Abi::X86_64,
        Caps::Usual,
    ),
    (
        "oci-moby-fixture-example",
        "moby-fixture-example",
        Runtime::Crun,
        Abi::X86_64,
        Caps::Usual,
    ),
];

/// What filters say otherwise than the profile beside them, and why that is the filter's doing.
const OTHERWISE: &[(&str, Difference)] = &[
    // Made without the entry for the `arches` amd64, x32 and x86: the machine went by another name.
    ("oci-moby-default-x86", ("i386", "modify_ldt", 0x0005_0001, 0x7fff_0000)),
    // Made without the entry whose error is 12345.
    (
        "oci-moby-fixture-example",
        ("x86_64", "syslog", 0x0005_0001, 0x0005_3039),
    ),
];

fn profile(corpus: &Path, row: &Row) -> PolicyRead {
    let (_, profile, runtime, abi, caps) = *row;
    let (usual, more) = match caps {
        Caps::None => (&[][..], None),
        Caps::Usual => (CAPS, None),
        Caps::With(more) => (CAPS, Some(more)),
    };
    let options = PolicyOptions {
        abis: vec![abi],
        runtime,
        caps: usual.iter().copied().chain(more).map(str::to_owned).collect(),
        ..PolicyOptions::default()
    };
    let text = std::fs::read(corpus.join(format!("profiles/{profile}.json"))).unwrap();
    read_policy(profile, &text, None, &options).unwrap_or_else(|problems| panic!("{profile}: {problems:?}"))
}

#[test]
fn profiles_of_containers() {
    let Some(corpus) = corpus() else { return };
    for row in PROFILES {
        let endian = Endian::of_audit_arch(row.3.audit_arch());
        let filter = load(&corpus.join(format!("bpf/{}.bpf", row.0)), endian);
        let found = differences(filter, &ground(&profile(&corpus, row)), endian);
        let expected: Vec<Difference> = OTHERWISE
            .iter()
            .filter(|(name, _)| *name == row.0)
            .map(|(_, expected)| *expected)
            .collect();
        assert_eq!(found, expected, "{}", row.0);
    }
    println!("{} filters of containers", PROFILES.len());
}

/// A reading that leaves out what a runtime adds is told from that runtime's filter.
#[test]
fn other_readings_are_told_apart() {
    let Some(corpus) = corpus() else { return };
    let found = |filter: &str, profile_name, runtime| {
        let row = ("", profile_name, runtime, Abi::X86_64, Caps::Usual);
        let filter = load(&corpus.join(format!("bpf/{filter}.bpf")), Endian::Little);
        some_differences(filter, &ground(&profile(&corpus, &row)), Endian::Little, 20)
    };
    // crun knows nothing of the numbers that runc answers with ENOSYS.
    let crun = found("podman-runc-moby-profiles-default-deb13", MOBY, Runtime::Crun);
    assert!(
        crun.contains(&("x86_64", "no call", 0x0005_0026, 0x0005_0001)),
        "{crun:?}"
    );
    // The text compares whole registers, also where libseccomp compares halves.
    let spec = found("podman-crun-deb13", DEBIAN_13, Runtime::Spec);
    assert!(
        spec.contains(&("i386", "personality", 0x7fff_0000, 0x0005_0026)),
        "{spec:?}"
    );
}

#[test]
fn every_profile_is_read() {
    let Some(corpus) = corpus() else { return };
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus.join("profiles"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for runtime in [Runtime::Spec, Runtime::Runc, Runtime::Crun] {
        for file in &files {
            let options = PolicyOptions {
                runtime,
                ..PolicyOptions::default()
            };
            let name = file.to_str().unwrap();
            let read = read_policy(name, &std::fs::read(file).unwrap(), None, &options).unwrap();
            ground(&read);
        }
    }
    println!("{} profiles, three readings each", files.len());
}

fn minijail(reader: MinijailReader, kill_process: bool) -> Minijail {
    Minijail {
        reader,
        kill_process,
        default: None,
    }
}

#[test]
fn policies_of_crosvm() {
    let Some(corpus) = corpus() else { return };
    let (mut pairs, mut alone) = (0, Vec::new());
    for (arch, abi) in [("x86_64", Abi::X86_64), ("aarch64", Abi::Aarch64)] {
        let folder = corpus.join(format!("minijail/crosvm/{arch}"));
        let include = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or_default();
            std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())
        };
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "policy"));
        files.sort();
        for (suffix, reader, kill_process) in [
            ("", MinijailReader::Compiler, true),
            ("-linear", MinijailReader::Compiler, false),
            ("-cparser", MinijailReader::Library, false),
        ] {
            let options = PolicyOptions {
                abis: vec![abi],
                minijail: minijail(reader, kill_process),
                include: &include,
                ..PolicyOptions::default()
            };
            for file in &files {
                let name = file.file_stem().unwrap().to_str().unwrap();
                let filter = corpus.join(format!("bpf/crosvm-{arch}-{name}{suffix}.bpf"));
                if !filter.exists() && !suffix.is_empty() {
                    continue;
                }
                let read = read_policy(file.to_str().unwrap(), &std::fs::read(file).unwrap(), None, &options).unwrap();
                let policy = ground(&read);
                if !filter.exists() {
                    alone.push(format!("{arch}/{name}"));
                    continue;
                }
                let found = differences(load(&filter, Endian::Little), &policy, Endian::Little);
                assert_eq!(found, [], "{}", filter.display());
                pairs += 1;
            }
        }
    }
    println!(
        "{pairs} filters of crosvm; read, but without a filter: {}",
        alone.join(", ")
    );
    assert!(pairs > 50);
}

#[test]
fn policies_of_minijail() {
    let Some(corpus) = corpus() else { return };
    let log = Minijail {
        default: Some(Given::new(Action::Log)),
        ..minijail(MinijailReader::Library, false)
    };
    for (filter, policy, minijail) in [
        (
            "minijail-seccomp-pycompiler",
            "seccomp",
            minijail(MinijailReader::Compiler, false),
        ),
        (
            "minijail-seccomp-cparser",
            "seccomp",
            minijail(MinijailReader::Library, false),
        ),
        (
            "minijail-stdin_stdout-pycompiler",
            "stdin_stdout",
            minijail(MinijailReader::Compiler, false),
        ),
        (
            "minijail0-stdin_stdout-deb12",
            "stdin_stdout",
            minijail(MinijailReader::Library, false),
        ),
        ("minijail0-L-deb12", "cat", log),
    ] {
        let text = std::fs::read(corpus.join(format!("minijail/minijail-{policy}.policy"))).unwrap();
        let options = PolicyOptions {
            minijail,
            ..PolicyOptions::default()
        };
        let read = read_policy("minijail.policy", &text, None, &options).unwrap();
        let path = corpus.join(format!("bpf/{filter}.bpf"));
        let mut found = differences(load(&path, Endian::Little), &ground(&read), Endian::Little);
        // minijail0 was built with headers older than the call, and -L skips what it does not know.
        found.retain(|difference| *difference != ("x86_64", "mseal", 0x7ffc_0000, 0x7fff_0000));
        assert_eq!(found, [], "{filter}");
    }
}

/// A policy and its filter decide the same about sampled calls, without the verifier.
#[test]
fn sampled_calls_are_decided_alike() {
    let Some(corpus) = corpus() else { return };
    for row in &PROFILES[..9] {
        let filter = [load(&corpus.join(format!("bpf/{}.bpf", row.0)), Endian::Little)];
        let policy = ground(&profile(&corpus, row));
        let otherwise = OTHERWISE.iter().filter(|(name, _)| *name == row.0).count();
        let mut seed = Seed::new(47, row.0.len() as u64);
        let arches = [Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::Arm].map(Abi::audit_arch);
        let callers = arches.map(|arch| Caller {
            arch,
            ip: 0x7000_0000_0000,
        });
        let mut differ = BTreeSet::new();
        for call in Harvest::of(filter[0].program()).calls(&mut seed, 5_000, &callers) {
            let value = Chain::new(&filter).run(&call, Machine::default()).value;
            if value != policy.decide(&call) {
                differ.insert((call.arch, call.nr));
            }
        }
        assert!(differ.len() <= otherwise, "{}: {differ:x?}", row.0);
    }
}

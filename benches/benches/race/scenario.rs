//! What is raced over: a filter and calls. Our own always, and real ones where a corpus lies beside the checkout.

use std::io::Read;
use std::path::{Path, PathBuf};

use callproof_benches::{browser_tree, calls, container_linear, container_tree, unit_denylist, vmm_arguments};
use callproof_vm::{Endian, Insn, SeccompData};

/// A filter and the calls it judges.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) program: Vec<Insn>,
    pub(crate) calls: Vec<SeccompData>,
}

/// Filters of the corpus, by shape.
const REAL: [(&str, &str); 8] = [
    ("container, linear (crun)", "podman-crun-deb13"),
    ("container, linear (containerd)", "containerd-deb12"),
    ("container, tree (libseccomp)", "oci-moby-default-x86_64-bintree"),
    (
        "service, one directive (systemd)",
        "systemd257-unit-systemd-udevd-deb13",
    ),
    ("snap template", "snapd-default-template-allow"),
    ("machine monitor (firecracker)", "firecracker-x86_64-vmm"),
    ("sandbox (gvisor)", "gvisor-runsc-systrap-sandbox-deb13.1"),
    ("manual pages (man-db)", "man-db-deb13.1"),
];

/// Traces of the corpus, one after the other.
const TRACES: [&str; 4] = ["redis", "nginx-curl", "git-status", "runc-container"];

/// How many calls of each trace.
const FROM_EACH: usize = 5000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let own = [
        ("own container, linear", container_linear()),
        ("own container, tree", container_tree()),
        ("own browser tree", browser_tree()),
        ("own service directive", unit_denylist()),
        ("own machine monitor", vmm_arguments()),
    ];
    let mut all: Vec<Scenario> = own
        .into_iter()
        .map(|(name, program)| Scenario {
            name: name.to_owned(),
            program,
            calls: calls(),
        })
        .collect();
    if let Some(corpus) = corpus() {
        let calls = traces(&corpus);
        all.extend(REAL.iter().map(|(name, file)| Scenario {
            name: (*name).to_owned(),
            program: program(&corpus, file),
            calls: calls.clone(),
        }));
    }
    all
}

/// Every filter of the corpus that names x86-64, which the calls are of.
pub(crate) fn every() -> Vec<Scenario> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let files = std::fs::read_dir(corpus.join("bpf")).expect("filters").flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    let calls = traces(&corpus);
    let all = names.into_iter().map(|name| Scenario {
        program: program(&corpus, &name),
        calls: calls.clone(),
        name,
    });
    all.filter(|scenario| scenario.program.iter().any(|insn| insn.k == 0xc000_003e))
        .collect()
}

/// The folder of real filters and traces.
pub(crate) fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    path.join("meta.jsonl").exists().then_some(path)
}

/// A filter of the corpus.
pub(crate) fn program(corpus: &Path, name: &str) -> Vec<Insn> {
    let bytes = std::fs::read(corpus.join("bpf").join(format!("{name}.bpf"))).expect("a filter");
    let insns = bytes.as_chunks::<8>().0.iter();
    insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect()
}

/// Calls of the traces of the corpus. Calls 335 and 336 are left out: the kernel lets them pass every filter.
pub(crate) fn traces(corpus: &Path) -> Vec<SeccompData> {
    let mut all = Vec::new();
    for name in TRACES {
        let file = std::fs::File::open(corpus.join("traces").join(format!("{name}.sd.gz"))).expect("a trace");
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file)
            .read_to_end(&mut bytes)
            .expect("gzip");
        let calls = bytes
            .as_chunks::<64>()
            .0
            .iter()
            .map(|record| SeccompData::from_bytes(record, Endian::Little));
        all.extend(
            calls
                .filter(|call| call.arch == 0xc000_003e && !matches!(call.nr, 335 | 336))
                .take(FROM_EACH),
        );
    }
    all
}

//! Policies wherever a filter is read, and what is said beside them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

mod common;

use std::path::{Path, PathBuf};

use common::{callproof, run, run_with};
use serde_json::Value;

const UNIT: &str = "[Service]\nSystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM\nRestrictNamespaces=yes\n";
const TWO: &str = r#"{
  "one": {"mismatch_action": "trap", "match_action": "allow", "filter": [{"syscall": "read"}]},
  "two": {"mismatch_action": "trap", "match_action": "allow", "filter": [{"syscall": "write"}]}
}"#;
const PROFILE: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}
  ]
}"#;

/// A folder with files of these names and texts.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("callproof-input-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn code(line: &[&str]) -> i32 {
    run(line).code
}

#[test]
fn a_policy_is_a_filter() {
    let folder = folder(
        "filter",
        &[("p.policy", "default errno(EPERM)\nallow read on x86_64\n")],
    );
    let path = folder.join("p.policy").display().to_string();
    for (expected, line) in [
        (0, vec!["check", &path]),
        (0, vec!["eval", "--arch=x86_64", &path, "read"]),
        (1, vec!["eval", "--arch=x86_64", &path, "write"]),
        (0, vec!["disasm", &path]),
        (0, vec!["explain", &path]),
        (0, vec!["cost", &path]),
        (0, vec!["equiv", &path, &path]),
        (0, vec!["subset", &path, "--of", &path]),
        (0, vec!["diff", &path, &path]),
        (0, vec!["prove", &path, "deny write on x86_64"]),
        (1, vec!["prove", &path, "deny read on x86_64"]),
        (0, vec!["prove", &path, "--policy", &path]),
        (0, vec!["convert", &path, "--to", "hex"]),
        // Whoever names a format of filters means one.
        (2, vec!["check", "--input-format=asm", &path]),
    ] {
        let ran = run(&line);
        assert_eq!(ran.code, expected, "{line:?}: {ran:?}");
    }
    let noted = run(&["check", &path]).stderr;
    assert!(
        noted.contains("read as a policy (policy), compiled to 1 filter for x86_64"),
        "{noted}"
    );
    assert_eq!(run(&["check", "--quiet", &path]).stderr, "");
    let ran = run_with(
        &["eval", "--arch=x86_64", "-", "read"],
        b"default kill\nallow read on x86_64\n",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("standard input: read as a policy"), "{ran:?}");
}

#[test]
fn a_faulty_filter_is_no_policy() {
    let folder = folder("faulty", &[("f.bpfasm", "l0: ld [4]\nfoo #1\n")]);
    let ran = run(&["check", &folder.join("f.bpfasm").display().to_string()]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("foo") && !ran.stderr.contains("system call"),
        "{ran:?}"
    );
}

#[test]
fn one_of_several_filters_is_chosen() {
    let folder = folder("several", &[("two.json", TWO), ("odd#one", "default kill\n")]);
    let path = folder.join("two.json").display().to_string();
    let (one, two, none) = (format!("{path}#one"), format!("{path}#two"), format!("{path}#tow"));
    assert_eq!(code(&["eval", "--arch=x86_64", &one, "read"]), 0);
    assert_eq!(code(&["eval", "--arch=x86_64", &two, "read"]), 1);
    assert_eq!(code(&["eval", "--arch=x86_64", "--select=one", &path, "read"]), 0);
    assert_eq!(
        code(&["eval", "--arch=x86_64", "--select=two", &one, "read"]),
        0,
        "the file's own word counts"
    );
    assert_eq!(code(&["prove", &one, "--policy", &one]), 0);
    assert_eq!(code(&["prove", &one, "--policy", &two]), 1);
    assert_eq!(code(&["equiv", &one, &two]), 1);
    for line in [
        vec!["check", &none],
        vec!["check", "--select=tow", &path],
        vec!["check", &path],
    ] {
        let ran = run(&line);
        assert_eq!(ran.code, 2, "{line:?}");
        assert!(ran.stderr.contains("one, two"), "{ran:?}");
    }
    assert!(run(&["check", &none]).stderr.contains("did you mean `two`?"));
    // A file of that very name goes first.
    let odd = folder.join("odd#one").display().to_string();
    assert_eq!(code(&["eval", "--arch=x86_64", "--input-format=asm", &odd, "read"]), 2);
    assert_eq!(code(&["check", &format!("{}#x", folder.join("nothing").display())]), 2);
}

#[test]
fn capabilities_and_runtimes_are_said_beside_profiles() {
    let cases = "---\npolicy = \"p.json\"\ncaps = [\"CAP_SYS_ADMIN\"]\narches = [\"x86_64\"]\n---\npermit mount\n";
    let folder = folder("caps", &[("p.json", PROFILE), ("p.calls", cases)]);
    let (path, calls) = (folder.join("p.json"), folder.join("p.calls"));
    let (path, calls) = (path.display().to_string(), calls.display().to_string());
    assert_eq!(code(&["eval", "--arch=x86_64", &path, "mount"]), 1);
    assert_eq!(
        code(&["eval", "--arch=x86_64", "--caps=CAP_SYS_ADMIN,CAP_KILL", &path, "mount"]),
        0
    );
    assert_eq!(code(&["eval", "--arch=x86_64", "--caps=none", &path, "mount"]), 1);
    // The command line wins over the head of a case file.
    assert_eq!(code(&["test", &calls]), 0);
    assert_eq!(code(&["test", "--caps=none", &calls]), 1);
    assert_eq!(code(&["diff", "--arch=x86_64", &path, &path]), 0);
    // runc answers ENOSYS beyond the last named call; the text does not say so.
    assert_eq!(code(&["eval", "--arch=x86_64", "--runtime=runc", &path, "read"]), 0);
    let runc = run(&["explain", "--arch=x86_64", "--runtime=runc", &path]).stdout;
    assert!(runc.starts_with("x86_64: default errno(ENOSYS)"), "{runc}");
    let spec = run(&["explain", "--arch=x86_64", "--runtime=spec", &path]).stdout;
    assert!(spec.starts_with("x86_64: default errno(EPERM)"), "{spec}");
    for (line, near) in [
        (["check", "--caps=CAP_SYS_ADMN"], "did you mean `CAP_SYS_ADMIN`?"),
        (["check", "--caps=NET_ADMIN"], "did you mean `CAP_NET_ADMIN`?"),
        (["check", "--runtime=cru"], "did you mean `crun`?"),
    ] {
        let ran = run(&[&line[..], &[&path]].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(near), "{ran:?}");
    }
    std::fs::write(&calls, cases.replace("CAP_SYS_ADMIN", "CAP_SYS_ADMN")).unwrap();
    let ran = run(&["test", &calls]);
    assert!(
        ran.code == 2
            && ran
                .stderr
                .contains("no capability is called `CAP_SYS_ADMN`; did you mean `CAP_SYS_ADMIN`?\n  at: "),
        "{ran:?}"
    );
}

#[test]
fn a_unit_is_a_stack_of_filters() {
    let folder = folder("unit", &[("web.service", UNIT)]);
    let unit = folder.join("web.service").display().to_string();
    let out = folder.join("out").display().to_string();
    let refused = run(&["convert", &unit, "--to", "bpf"]);
    assert!(refused.code == 2 && refused.stderr.contains("--out DIR"), "{refused:?}");
    assert_eq!(code(&["convert", &unit, "--to", "bpf", "--out", &out]), 0);
    let mut written: Vec<String> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    written.sort();
    assert_eq!(written.len(), 6);
    let chain = written.join(",");
    let proved = run(&["prove", "--format=json", &chain, "--policy", &unit]);
    let document: Value = serde_json::from_str(&proved.stdout).unwrap();
    assert_eq!(document["answer"]["claims"][0]["proved"], true, "{proved:?}");
    assert_eq!(document["answer"]["compiled"][0]["filters"], 6);
    // Without its newest filter the chain permits more.
    let (_, older) = written.split_last().unwrap();
    assert_eq!(code(&["prove", &older.join(","), "--policy", &unit]), 1);
    assert_eq!(code(&["equiv", &unit, &chain]), 0);
    let cases = format!(
        "---\nfilter = [{}]\narches = [\"x86_64\"]\n---\nequiv web.service\n",
        quoted(&written)
    );
    std::fs::write(folder.join("unit.calls"), cases).unwrap();
    assert_eq!(code(&["test", &folder.join("unit.calls").display().to_string()]), 0);
    let cases = format!(
        "---\nfilter = [{}]\narches = [\"x86_64\"]\n---\nequiv web.service\n",
        quoted(older)
    );
    std::fs::write(folder.join("unit.calls"), cases).unwrap();
    assert_eq!(code(&["test", &folder.join("unit.calls").display().to_string()]), 1);
    // A policy in a stack is compiled, so that the comparison has a proof.
    let first = &written[0];
    let stack = format!("self equals stack(\"{unit}\", \"{first}\")");
    let ran = run(&["prove", "--format=json", &chain, &stack]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["answer"]["claims"][0]["proved"], true, "{ran:?}");
}

fn quoted(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("\"{path}\"")).collect();
    quoted.join(", ")
}

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus");
    None
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "json" || ending == "policy")
        {
            found.push(path);
        }
    }
}

/// Policies that their own tools refuse, or that include files which are not there.
const NOT_WHOLE: &[&str] = &["minijail-invalid_arg_filter.policy", "minijail-nested.policy"];

/// The policies of crosvm with paths of files that are there.
fn crosvm(corpus: &Path) -> PathBuf {
    let copies = folder("crosvm", &[]);
    for arch in ["x86_64", "aarch64"] {
        let to = copies.join(arch);
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(corpus.join("minijail/crosvm").join(arch)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replace("/usr/share/policy/crosvm/", "./");
            std::fs::write(to.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    copies
}

#[test]
fn every_policy_of_the_corpus_is_explained() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    for part in ["profiles", "minijail", "firecracker"] {
        files(&corpus.join(part), &mut found);
    }
    found.retain(|path| !path.display().to_string().contains("crosvm"));
    files(&crosvm(&corpus), &mut found);
    // What minijail's compiler reads beside policies.
    found.retain(|path| !path.ends_with("constants.json"));
    let (mut explained, mut wrong) = (0, Vec::new());
    for path in &found {
        let name = path.display().to_string();
        let arch = if name.contains("aarch64") { "aarch64" } else { "x86_64" };
        let names = if name.contains("/firecracker/") {
            &["#vmm", "#api", "#vcpu"][..]
        } else {
            &[""]
        };
        for part in names {
            let whole = !NOT_WHOLE.iter().any(|known| name.ends_with(known));
            let ran = run(&[
                "explain",
                "--origin",
                "--format=json",
                "--arch",
                arch,
                &format!("{name}{part}"),
            ]);
            if ran.code != if whole { 0 } else { 2 } {
                wrong.push(format!("{name}{part}: {}: {}", ran.stdout, ran.stderr));
                continue;
            }
            if whole {
                let document: Value = serde_json::from_str(&ran.stdout).unwrap();
                let answer = &document["answer"];
                assert!(answer["surfaces"][0]["calls"]["all"].as_u64().unwrap() > 300, "{name}");
                assert_eq!(answer["origins"]["missing"], Value::Null, "{name}");
                explained += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{explained} policies explained");
    assert!(explained > 80, "{explained}");
}

#[test]
fn policies_of_the_corpus_equal_their_filters() {
    let Some(corpus) = corpus() else { return };
    const CAPS: &str = "--caps=CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER,CAP_FSETID,CAP_KILL,CAP_NET_BIND_SERVICE,\
                        CAP_SETFCAP,CAP_SETGID,CAP_SETPCAP,CAP_SETUID,CAP_SYS_CHROOT";
    for (policy, filter, options) in [
        (
            "firecracker/x86_64-unknown-linux-musl.json#vcpu",
            "firecracker-rustvmm-x86_64-vcpu",
            vec!["--runtime=spec"],
        ),
        (
            "firecracker/x86_64-unknown-linux-musl.json#api",
            "firecracker-x86_64-api",
            vec!["--runtime=firecracker"],
        ),
        (
            "profiles/containers-common-debian12.json",
            "podman-crun-deb12",
            vec!["--runtime=crun", CAPS],
        ),
        (
            "profiles/containers-common-debian12.json",
            "podman-crun-dropall-deb12",
            vec!["--runtime=crun"],
        ),
        (
            "profiles/moby-profiles-default.json",
            "podman-runc-moby-profiles-default-deb13",
            vec!["--runtime=runc", CAPS],
        ),
        (
            "minijail/minijail-seccomp.policy",
            "minijail-seccomp-pycompiler",
            vec![],
        ),
    ] {
        let policy = corpus.join(policy).display().to_string();
        let filter = corpus.join(format!("bpf/{filter}.bpf")).display().to_string();
        let line = [&["equiv", &policy, &filter, "--arch=x86_64"][..], &options].concat();
        let ran = run(&line);
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        let line = [&["prove", &filter, "--policy", &policy, "--arch=x86_64"][..], &options].concat();
        assert_eq!(code(&line), 0, "{line:?}");
    }
}

/// GitHub takes 65,536 characters.
#[test]
fn a_page_for_a_pull_request_fits() {
    let Some(corpus) = corpus() else { return };
    let of = |name: &str| corpus.join(format!("bpf/{name}.bpf")).display().to_string();
    let page = run(&[
        "diff",
        "--arch=all",
        "--format=markdown",
        &of("podman-crun-deb12"),
        &of("flatpak-default-deb12"),
    ]);
    assert_eq!(page.code, 1, "{page:?}");
    assert!(
        page.stdout.len() < 65_536 && page.stdout.len() > 10_000,
        "{}",
        page.stdout.len()
    );
    assert_eq!(
        page.stdout.matches("<details>").count(),
        page.stdout.matches("</details>").count()
    );
}

#[test]
fn a_page_for_a_pull_request_has_commands_that_run() {
    let page = run(&[
        "diff",
        "--arch=x86_64",
        "--format=markdown",
        "examples/web-server.policy",
        "examples/no-new-files.c",
    ]);
    assert_eq!(page.code, 1);
    let commands: Vec<&str> = page
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("callproof eval "))
        .collect();
    assert!(commands.len() >= 10, "{}", page.stdout);
    for line in commands {
        let (command, answer) = line.rsplit_once(" # ").unwrap();
        let (rest, call) = command.strip_suffix('\'').unwrap().split_once(" '").unwrap();
        let mut words: Vec<&str> = rest.split(' ').skip(1).collect();
        words.push(call);
        let output = callproof(&words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let head = text.lines().next().unwrap();
        assert!(head.ends_with(&format!(": {answer}")), "{line}: {head}");
    }
}

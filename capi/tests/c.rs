//! Programs in C, compiled against the library and run; and the header, made anew.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skips"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the libraries that this test was built with.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn has(command: &str) -> bool {
    Command::new(command).arg("--version").output().is_ok()
}

/// What `rustc --print native-static-libs` names for the standard library on Linux.
const NATIVE: [&str; 4] = ["-lgcc_s", "-lpthread", "-lm", "-ldl"];

fn built(source: &str, how: &[&str]) -> PathBuf {
    let name = Path::new(source).file_stem().unwrap().to_str().unwrap();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}{}", how.len()));
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o"])
        .args([&program, &here().join(source)])
        .arg("-I")
        .arg(here().join("include"))
        .arg("-L")
        .arg(libraries())
        .args(how)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn with_static(source: &str) -> Output {
    let how = [&["-l:libcallproof_capi.a"], NATIVE.as_slice()].concat();
    Command::new(built(source, &how)).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_example_runs() {
    if !has("cc") {
        println!("skipped: there is no C compiler (cc)");
        return;
    }
    let output = with_static("examples/check.c");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    for line in [
        "getpid gets 0x00050001 after 7 instructions",
        "ok: it is what the policy says, proved for every call (0)",
        "ok: the bug is found (1)",
        "call 1: policy 0x7fff0000, filter 0x80000000",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
}

#[test]
fn the_example_runs_with_the_shared_library() {
    if !has("cc") {
        println!("skipped: there is no C compiler (cc)");
        return;
    }
    let program = built("examples/check.c", &["-lcallproof_capi"]);
    let output = Command::new(program)
        .env("LD_LIBRARY_PATH", libraries())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stdout(&output));
}

/// Null pointers, absurd lengths, texts that mean nothing; each is answered, and the layouts are those of the kernel.
#[test]
fn abuse_is_answered() {
    if !has("cc") {
        println!("skipped: there is no C compiler (cc)");
        return;
    }
    let output = with_static("tests/abuse.c");
    assert!(output.status.success(), "{}", stdout(&output));
}

/// What the manual gives Go programs, with a program behind it.
#[test]
fn the_go_of_the_manual_runs() {
    if Command::new("go").arg("version").output().is_err() || !has("cc") {
        println!("skipped: there is no Go (go), or no C compiler (cc)");
        return;
    }
    let manual = std::fs::read_to_string(here().join("../docs/C_API.md")).unwrap();
    let piece = manual.split("```go\n").nth(1).unwrap().split("```").next().unwrap();
    let library = "${SRCDIR}/callproof/target/release/libcallproof_capi.a";
    assert!(piece.contains(library) && piece.contains("-I${SRCDIR}/callproof/capi/include"));
    let built = libraries().join("libcallproof_capi.a");
    let piece = piece
        .replace(library, built.to_str().unwrap())
        .replace("${SRCDIR}/callproof/capi", here().to_str().unwrap());
    let main = "
func main() {
	allow := []Insn{{0x06, 0, 0, 0x7fff0000}}
	if err := ProvePolicy(allow, \"default allow\\n\"); err != nil {
		panic(err)
	}
	if err := ProvePolicy(allow, \"default log\\n\"); err == nil {
		panic(\"allow is not log\")
	}
}
";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    std::fs::create_dir_all(&folder).unwrap();
    let source = folder.join("main.go");
    std::fs::write(&source, format!("{piece}{main}")).unwrap();
    let output = Command::new("go")
        .arg("run")
        .arg(&source)
        .env("GO111MODULE", "off")
        .env("CGO_ENABLED", "1")
        .env("GOCACHE", folder.join("cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_header_is_what_cbindgen_makes() {
    let cbindgen = std::env::var("CALLPROOF_CBINDGEN").unwrap_or_else(|_| "cbindgen".to_owned());
    if !has(&cbindgen) {
        println!("skipped: there is no cbindgen; `cargo install cbindgen`, or name it in CALLPROOF_CBINDGEN");
        return;
    }
    let output = Command::new(cbindgen)
        .arg("--quiet")
        .arg("--config")
        .arg(here().join("cbindgen.toml"))
        .arg(here())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let header = std::fs::read_to_string(here().join("include/callproof.h")).unwrap();
    assert_eq!(stdout(&output), header, "make it anew: see capi/cbindgen.toml");
}

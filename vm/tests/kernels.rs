//! What other kernels and other architectures answered, replayed: every file of `vectors/vm`.

#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

mod recorded_lines;

use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData, ShiftByX};
use serde_json::Value;

/// A call, and what the filter returned.
type Case = (SeccompData, u32);

/// A file: the machine that its first line names, and programs with calls and results.
struct Recorded {
    name: String,
    machine: Machine,
    /// `uname -m` and what executed the filters
    who: (String, String),
    programs: Vec<(Vec<Insn>, Vec<Case>)>,
    /// Programs, and the error that refuses each that is not installed
    admissions: Vec<(Vec<Insn>, Option<String>)>,
}

fn files() -> Vec<Recorded> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors/vm");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &std::path::Path) -> Recorded {
    let file = path.file_name().unwrap().to_string_lossy();
    let lines = recorded_lines::lines(&format!("vm/{file}"));
    let (head, lines) = lines.split_first().unwrap();
    let head = head["kernel"].clone();
    let (results, admissions): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["cases"].is_array());
    let program = |line: &Value| recorded_lines::program(&line["prog"]);
    let word = |name: &str| head[name].as_str().unwrap().to_owned();
    for name in ["package", "version", "sha256", "date"] {
        assert!(!word(name).is_empty(), "{name}");
    }
    Recorded {
        name: file.into_owned(),
        machine: Machine {
            kernel: word("release").parse().unwrap(),
            endian: match word("endian").as_str() {
                "little" => Endian::Little,
                "big" => Endian::Big,
                other => panic!("{other}"),
            },
            shift: match word("shift").as_str() {
                "masked" => ShiftByX::Masked,
                "arm8" => ShiftByX::Arm8,
                "six-bit-zero" => ShiftByX::SixBitZero,
                other => panic!("{other}"),
            },
        },
        who: (word("machine"), word("engine")),
        programs: results.iter().map(|line| (program(line), cases(line))).collect(),
        admissions: admissions
            .iter()
            .map(|line| (program(line), line["errno"].as_str().map(str::to_owned)))
            .collect(),
    }
}

fn cases(line: &Value) -> Vec<Case> {
    let case = |case: &Value| {
        let value = u32::from_str_radix(case[1].as_str().unwrap(), 16).unwrap();
        (recorded_lines::call(&case[0]), value)
    };
    line["cases"].as_array().unwrap().iter().map(case).collect()
}

/// How many results differ from what a machine with other rules would give, and how many there are.
fn differences(recorded: &Recorded, machine: Machine) -> (usize, usize) {
    let (mut differing, mut all) = (0, 0);
    for (program, cases) in &recorded.programs {
        let filter = Filter::load_on(machine.kernel, &program[..]).unwrap();
        all += cases.len();
        differing += cases
            .iter()
            .filter(|(call, value)| filter.run(call, machine) != *value)
            .count();
    }
    (differing, all)
}

#[test]
fn every_kernel_answered_as_the_emulator_does() {
    for recorded in files() {
        let (differing, all) = differences(&recorded, recorded.machine);
        assert_eq!(differing, 0, "{}", recorded.name);
        assert!(all > 100, "{}: {all} results", recorded.name);
    }
}

#[test]
fn every_kernel_installed_what_the_emulator_does() {
    let (mut admitted, mut refused) = (0, 0);
    for recorded in files() {
        for (program, errno) in &recorded.admissions {
            let accepted = Filter::load_on(recorded.machine.kernel, &program[..]).is_ok();
            assert_eq!(accepted, errno.is_none(), "{}: {program:?}", recorded.name);
            assert!(errno.as_deref().is_none_or(|errno| errno == "EINVAL"), "{errno:?}");
            *if accepted { &mut admitted } else { &mut refused } += 1;
        }
    }
    println!("{admitted} admitted, {refused} refused");
}

#[test]
fn every_file_tells_its_machine_from_others() {
    for recorded in files() {
        let machine = recorded.machine;
        let others = ShiftByX::ALL.map(|shift| Machine { shift, ..machine });
        for other in others.into_iter().filter(|other| other.shift != machine.shift) {
            let (differing, _) = differences(&recorded, other);
            assert!(differing >= 6, "{}, {:?}", recorded.name, other.shift);
        }
        let endian = match machine.endian {
            Endian::Little => Endian::Big,
            Endian::Big => Endian::Little,
        };
        let (differing, _) = differences(&recorded, Machine { endian, ..machine });
        assert!(differing >= 6, "{}, {endian:?}", recorded.name);
    }
}

#[test]
fn the_set_has_both_byte_orders_all_shift_rules_and_both_engines() {
    let files = files();
    let machines: BTreeSet<_> = files.iter().map(|file| file.who.0.as_str()).collect();
    for machine in ["x86_64", "i686", "aarch64", "armv7l", "riscv64", "s390x", "ppc64le"] {
        assert!(machines.contains(machine), "{machine}");
    }
    for shift in ShiftByX::ALL {
        assert!(files.iter().any(|file| file.machine.shift == shift), "{shift:?}");
    }
    let count = |engine: &str| files.iter().filter(|file| file.who.1 == engine).count();
    assert!(count("jit") >= 7 && count("interpreter") >= 8);
    let releases: BTreeSet<_> = files.iter().map(|file| file.machine.kernel).collect();
    assert!(releases.len() >= 4, "{releases:?}");
}

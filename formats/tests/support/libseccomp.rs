//! Texts and filters that libseccomp makes of the same random rules, when its Python module is at hand.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::process::Command;

/// Makes random filters with libseccomp, of at most one rule for a call; prints one line each: architectures, the text and the array in hex.
const MAKER: &str = r#"
import os, random, sys, tempfile
from seccomp import *
random.seed(int(sys.argv[1]))
natives = [["x86_64"], ["x86_64", "x86"], ["x86_64", "x86", "x32"], ["x86"], ["x32"], ["aarch64"], ["aarch64", "arm"]]
actions = [ALLOW, KILL, KILL_PROCESS, LOG, TRAP, ERRNO(1), ERRNO(38), TRACE(7)]
names = ["read", "write", "openat", "socket", "ioctl", "mprotect", "prctl", "close", "ptrace", "clone"]
values = [0, 1, 5, 0xfff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffff, 0xffffffffffffffff]
for _ in range(int(sys.argv[2])):
    archs = random.choice(natives)
    default = random.choice(actions)
    f = SyscallFilter(defaction=default)
    f.set_attr(Attr.ACT_BADARCH, random.choice(actions))
    f.remove_arch(Arch())
    for arch in archs:
        f.add_arch(Arch(arch))
    for name in random.sample(names, random.randrange(8)):
        args = []
        for index in random.sample(range(6), random.choice([0, 0, 1, 1, 2, 3])):
            op = random.choice([EQ, NE, LT, LE, GT, GE, MASKED_EQ])
            value = random.choice(values)
            args.append(Arg(index, op, random.choice(values), value) if op == MASKED_EQ else Arg(index, op, value))
        try:
            f.add_rule(random.choice(actions), name, *args)
        except Exception:
            pass
    out = []
    for export in (f.export_pfc, f.export_bpf):
        with tempfile.TemporaryFile() as file:
            export(file)
            file.seek(0)
            out.append(file.read().hex())
    print(",".join(archs), *out)
"#;

/// What libseccomp made of one set of rules.
pub(crate) struct Made {
    pub(crate) archs: Vec<String>,
    pub(crate) text: String,
    pub(crate) filter: Vec<u8>,
}

/// Some random ones, with whichever Python has the module.
pub(crate) fn made(seed: u32, count: u32) -> Option<Vec<Made>> {
    let output = ["python3", "/usr/bin/python3"].iter().find_map(|python| {
        let (seed, count) = (seed.to_string(), count.to_string());
        let output = Command::new(python).args(["-c", MAKER, &seed, &count]).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    });
    if output.is_none() {
        println!("skipped: no Python with libseccomp's module");
    }
    Some(output?.lines().map(line).collect())
}

fn line(line: &str) -> Made {
    let parts: Vec<&str> = line.split(' ').collect();
    Made {
        archs: parts[0].split(',').map(str::to_owned).collect(),
        text: String::from_utf8(unhex(parts[1])).unwrap(),
        filter: unhex(parts[2]),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

//! `constants.tsv`: every numeric constant of the uapi headers that a call's argument can be, per ABI.
//!
//! A compiler that knows all the targets (clang) evaluates them, so that `sizeof` in an ioctl request and every `#ifdef`
//! of a header count as they do for real programs.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::super::abis::ABIS;
use super::super::{tsv, write_file};
use super::{Args, Source};

/// A clang target whose types are as wide and as aligned as those of the ABI, and what to define so that the
/// headers take it for the ABI's own architecture.
fn target(abi: &str) -> (&'static str, &'static [&'static str]) {
    const NO_PPC: [&str; 3] = ["-U__powerpc__", "-U__PPC__", "-U__powerpc"];
    match abi {
        "x86_64" => ("x86_64-linux-gnu", &[]),
        "x32" => ("x86_64-linux-gnux32", &[]),
        "i386" => ("i686-linux-gnu", &[]),
        "aarch64" => ("aarch64-linux-gnu", &[]),
        "arm" => ("arm-linux-gnueabihf", &[]),
        "armeb" => ("armeb-linux-gnueabihf", &[]),
        "riscv64" => ("riscv64-linux-gnu", &[]),
        "riscv32" => ("riscv32-linux-gnu", &[]),
        "s390x" => ("s390x-linux-gnu", &[]),
        "s390" => ("powerpc-linux-gnu", &[NO_PPC[0], NO_PPC[1], NO_PPC[2], "-D__s390__"]),
        "ppc" => ("powerpc-linux-gnu", &[]),
        "ppc64" => ("powerpc64-linux-gnu", &[]),
        "ppc64le" => ("powerpc64le-linux-gnu", &[]),
        "mips" => ("mips-linux-gnu", &[]),
        "mipsel" => ("mipsel-linux-gnu", &[]),
        "mips64" => ("mips64-linux-gnuabi64", &[]),
        "mips64el" => ("mips64el-linux-gnuabi64", &[]),
        "mipsn32" => ("mips64-linux-gnuabin32", &[]),
        "mipseln32" => ("mips64el-linux-gnuabin32", &[]),
        "loongarch64" => ("loongarch64-linux-gnu", &[]),
        "loongarch32" => ("loongarch32-linux-gnu", &[]),
        "m68k" => ("m68k-linux-gnu", &["-fpack-struct=2"]),
        "sh" | "sheb" => ("i686-linux-gnu", &["-U__i386__", "-U__i386", "-D__sh__"]),
        "parisc" => ("powerpc-linux-gnu", &[NO_PPC[0], NO_PPC[1], NO_PPC[2], "-D__hppa__"]),
        "parisc64" => ("s390x-linux-gnu", &["-U__s390__", "-U__s390x__", "-D__hppa__"]),
        "sparc" => ("sparc-linux-gnu", &[]),
        "sparc64" => ("sparc64-linux-gnu", &[]),
        "csky" => ("i686-linux-gnu", &["-U__i386__", "-U__i386", "-D__csky__"]),
        "xtensa" => (
            "powerpc-linux-gnu",
            &[
                NO_PPC[0],
                NO_PPC[1],
                NO_PPC[2],
                "-D__xtensa__",
                "-D__XTENSA_EB__",
                "-D_XTENSA_SWAB_H",
            ],
        ),
        _ => (
            "powerpc-linux-gnu",
            &[NO_PPC[0], NO_PPC[1], NO_PPC[2], "-D__microblaze__"],
        ),
    }
}

/// Names that are numbers but never arguments of a call.
const SKIPPED: &[&str] = &[
    "AUDIT_",
    "X86_",
    "CX86_",
    "ICMP",
    "IPOPT_",
    "TP_STATUS",
    "BPF_FUNC_",
    "BPF_LOAD",
    "ETH_ALEN",
    "EM_",
    "ETHTOOL_",
    "UINT",
    "INT_",
    "PERF_MEM_",
    "XATTR_",
    "IPTOS",
    "TLS_",
    "STA_",
    "N_",
    "MTRR",
    "IFLA_",
    "FS_ENCRYPTION",
    "CAN_ERR",
    "K_",
    "PG_",
    "ASI_",
    "PT_",
    "HWCAP",
    "DEVCONF_",
    "IPV4_DEVCONF",
    "PSR_",
    "TSTATE_",
    "PSW_",
    "REG_",
    "VR_",
    "SUBSIG_",
    "NLA_",
    "SCTP_",
    "IPV6_TLV",
    "IPV6_OPT",
    "ARCH_KCOV",
    "BTF_",
    "BITS_",
    "PAGE_",
];

/// Evaluates the constants of every ABI and writes what is common and what differs.
pub(super) fn fetch(args: &Args, current: &Source, data: &Path) -> Result<(), String> {
    let work = args.work.as_path();
    prepare(current, data, work)?;
    let mut values: BTreeMap<String, Vec<Option<u64>>> = BTreeMap::new();
    for (place, abi) in ABIS.iter().enumerate() {
        let (target, defines) = target(abi.name);
        let headers = args.headers.join(abi.arch).join("include");
        let clang = Clang {
            work,
            headers: &headers,
            target,
            defines,
        };
        for (name, value) in clang.evaluate(candidates(&clang.preprocess()?))? {
            let row = values.entry(name).or_insert_with(|| vec![None; ABIS.len()]);
            if let Some(cell) = row.get_mut(place) {
                *cell = Some(value);
            }
        }
    }
    let header = [
        format!("source: uapi headers of {}, evaluated by clang for each ABI; constants.h", current.provenance),
        "values are those of a C expression converted to 64 bits, so that a negative int has its high half set".to_owned(),
        "name value [abi,abi=other value | abi,abi=- where it does not exist]...; value - when it exists on few ABIs only".to_owned(),
    ];
    let rows: Vec<Vec<String>> = values.iter().map(|(name, row)| summary(name, row)).collect();
    tsv::write(&data.join("constants.tsv"), &header, &rows)
}

/// Writes the C file and the one header that uapi takes from the C library.
fn prepare(current: &Source, data: &Path, work: &Path) -> Result<(), String> {
    let mut text = super::read_file(&data.join("constants.h"))?;
    // Address families, socket options' levels and message flags stand in a header of the kernel itself.
    for line in current.read("include/linux/socket.h")?.lines() {
        let mut words = line.split_whitespace();
        if let (Some("#define"), Some(name), Some(value)) = (words.next(), words.next(), words.next()) {
            let wanted = ["AF_", "PF_", "SOL_", "MSG_"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            if wanted && !name.contains("COMPAT") && !name.contains("INTERNAL") {
                let _ = writeln!(text, "#ifndef {name}\n#define {name} {value}\n#endif");
            }
        }
    }
    let sockaddr = "#pragma once\ntypedef unsigned short sa_family_t;\n\
        struct sockaddr { sa_family_t sa_family; char sa_data[14]; };\n";
    write_file(&work.join("sys/socket.h"), sockaddr)?;
    write_file(&work.join("constants.c"), &text)
}

struct Clang<'a> {
    work: &'a Path,
    headers: &'a Path,
    target: &'a str,
    defines: &'a [&'a str],
}

impl Clang<'_> {
    fn command(&self, file: &str) -> Command {
        let mut command = Command::new("clang-19");
        command.arg(format!("--target={}", self.target)).args(self.defines);
        command
            .args([
                "-nostdinc",
                "-w",
                "-ferror-limit=0",
                "-fno-color-diagnostics",
                "-isystem",
            ])
            .arg(self.headers);
        command.arg("-isystem").arg(self.work).arg(self.work.join(file));
        command
    }

    /// Macro definitions and the text after preprocessing.
    fn preprocess(&self) -> Result<String, String> {
        let output = self
            .command("constants.c")
            .args(["-E", "-dD"])
            .output()
            .map_err(|error| format!("clang-19: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{}: {}", self.target, String::from_utf8_lossy(&output.stderr)))
    }

    /// The values of those candidates that are integer constants.
    fn evaluate(&self, mut names: Vec<String>) -> Result<Vec<(String, u64)>, String> {
        for _ in 0..4 {
            let mut text = "#include \"constants.c\"\n".to_owned();
            for name in &names {
                let _ = writeln!(text, "unsigned long long value_{name} = (unsigned long long)({name});");
            }
            write_file(&self.work.join("values.c"), &text)?;
            let output = self.command("values.c").args(["-S", "-emit-llvm", "-o", "-"]).output();
            let output = output.map_err(|error| format!("clang-19: {error}"))?;
            if output.status.success() {
                return Ok(String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .filter_map(value)
                    .collect());
            }
            let bad = bad_lines(&String::from_utf8_lossy(&output.stderr));
            if bad.is_empty() {
                return Err(format!("{}: {}", self.target, String::from_utf8_lossy(&output.stderr)));
            }
            let mut line = 1;
            names.retain(|_| {
                line += 1;
                !bad.contains(&line)
            });
        }
        Err(format!("{}: errors do not end", self.target))
    }
}

/// Line numbers of errors in the file of values.
fn bad_lines(errors: &str) -> BTreeSet<usize> {
    let number = |line: &str| line.split("values.c:").nth(1)?.split(':').next()?.parse().ok();
    errors
        .lines()
        .filter(|line| line.contains("error:"))
        .filter_map(number)
        .collect()
}

/// `@value_NAME = ... global i64 N, ...` of LLVM's text.
fn value(line: &str) -> Option<(String, u64)> {
    let (name, rest) = line.strip_prefix("@value_")?.split_once(" = ")?;
    let number = rest.split("global i64 ").nth(1)?.split(',').next()?;
    let number: i64 = number.parse().ok()?;
    Some((name.to_owned(), number.cast_unsigned()))
}

/// Upper-case words that may be constants: macros without parameters, and enumerators.
fn candidates(preprocessed: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    for line in preprocessed.lines() {
        if let Some(rest) = line.strip_prefix("#define ") {
            names.extend(rest.split_once(' ').map(|(name, _)| name.to_owned()));
        } else if !line.starts_with('#') {
            names.extend(
                line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .map(str::to_owned),
            );
        }
    }
    names.into_iter().filter(|name| wanted(name)).collect()
}

fn wanted(name: &str) -> bool {
    let shape = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && name.len() > 2;
    let skipped = SKIPPED.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with("AUDIT_ARCH_");
    let guard = name.ends_with("_H") || name.ends_with("_MAX") || name.ends_with('_') || name.ends_with("_LEN");
    shape && !skipped && !guard
}

/// One row: the commonest value and the groups of ABIs that differ.
fn summary(name: &str, row: &[Option<u64>]) -> Vec<String> {
    let mut groups: BTreeMap<Option<u64>, Vec<&str>> = BTreeMap::new();
    for (value, abi) in row.iter().zip(ABIS) {
        groups.entry(*value).or_default().push(abi.name);
    }
    let common = groups
        .iter()
        .max_by_key(|(_, abis)| abis.len())
        .and_then(|(value, _)| *value);
    let show = |value: Option<u64>| value.map_or("-".to_owned(), |value| format!("{value:#x}"));
    let mut fields = vec![name.to_owned(), show(common)];
    for (value, abis) in groups.iter().filter(|(value, _)| **value != common) {
        fields.push(format!("{}={}", abis.join(","), show(*value)));
    }
    fields
}

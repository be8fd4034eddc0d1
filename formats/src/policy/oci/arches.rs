//! The ABIs of a profile.

use callproof_abi::Abi;
use callproof_policy::Span;

use crate::policy::PolicyOptions;
use crate::policy::json::Object;
use crate::policy::report::Report;

const ARCH_MAP: &[&str] = &["architecture", "subArchitectures"];
#[rustfmt::skip] // a table
const ARCHITECTURES: &[(&str, Abi)] = &[
    ("SCMP_ARCH_X86", Abi::I386), ("SCMP_ARCH_X86_64", Abi::X86_64), ("SCMP_ARCH_X32", Abi::X32),
    ("SCMP_ARCH_ARM", Abi::Arm), ("SCMP_ARCH_AARCH64", Abi::Aarch64), ("SCMP_ARCH_MIPS", Abi::Mips),
    ("SCMP_ARCH_MIPS64", Abi::Mips64), ("SCMP_ARCH_MIPS64N32", Abi::MipsN32), ("SCMP_ARCH_MIPSEL", Abi::Mipsel),
    ("SCMP_ARCH_MIPSEL64", Abi::Mips64el), ("SCMP_ARCH_MIPSEL64N32", Abi::MipselN32), ("SCMP_ARCH_PPC", Abi::Ppc),
    ("SCMP_ARCH_PPC64", Abi::Ppc64), ("SCMP_ARCH_PPC64LE", Abi::Ppc64le), ("SCMP_ARCH_S390", Abi::S390),
    ("SCMP_ARCH_S390X", Abi::S390x), ("SCMP_ARCH_PARISC", Abi::Parisc), ("SCMP_ARCH_PARISC64", Abi::Parisc64),
    ("SCMP_ARCH_RISCV64", Abi::Riscv64), ("SCMP_ARCH_LOONGARCH64", Abi::Loongarch64), ("SCMP_ARCH_M68K", Abi::M68k),
    ("SCMP_ARCH_SH", Abi::Sh), ("SCMP_ARCH_SHEB", Abi::Sheb),
];

/// The name of an ABI in a profile, if it has one.
pub(in crate::policy) fn architecture(abi: Abi) -> Option<&'static str> {
    ARCHITECTURES
        .iter()
        .find(|(_, known)| *known == abi)
        .map(|(name, _)| *name)
}

/// The ABIs of the filter, and those that the text lists.
pub(super) fn abis(object: &Object<'_>, options: &PolicyOptions<'_>, report: &mut Report) -> (Vec<Abi>, Vec<Abi>) {
    let listed: Vec<Abi> = object
        .strings("architectures", report)
        .into_iter()
        .filter_map(|(name, span)| arch(&name, span, report))
        .collect();
    let map = arch_map(object, report);
    if let (false, Some(json)) = (listed.is_empty() || map.is_empty(), object.get("archMap")) {
        report.problem("`architectures` and `archMap` exclude each other", json.head());
    }
    let has = |abi: Abi| map.iter().any(|(main, _)| *main == abi);
    let usual = if map.is_empty() || has(Abi::X86_64) {
        None
    } else {
        map.first().map(|(main, _)| *main)
    };
    let native = options.abis.first().copied();
    let native = native
        .or_else(|| listed.first().copied())
        .or(usual)
        .unwrap_or(Abi::X86_64);
    let mapped = map.into_iter().find(|(main, _)| *main == native);
    let listed = match mapped {
        Some((main, subs)) => core::iter::once(main).chain(subs).collect(),
        None => listed,
    };
    let more = if listed.is_empty() { &options.abis } else { &listed };
    let mut abis = vec![native];
    for abi in more {
        if !abis.contains(abi) {
            abis.push(*abi);
        }
    }
    if let Some(other) = abis.iter().find(|abi| abi.big_endian() != native.big_endian()) {
        report.problem(
            format!("{other} and {native} differ in byte order, and libseccomp refuses to put both into one filter"),
            object.span,
        );
    }
    (abis, listed)
}

fn arch(name: &str, span: Span, report: &mut Report) -> Option<Abi> {
    let found = ARCHITECTURES.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        report.unknown(
            "architecture",
            name,
            "",
            span,
            ARCHITECTURES.iter().map(|(known, _)| *known),
        );
    }
    found.map(|(_, abi)| *abi)
}

/// Each main architecture with its others.
fn arch_map(object: &Object<'_>, report: &mut Report) -> Vec<(Abi, Vec<Abi>)> {
    let mut map = Vec::new();
    for json in object.items("archMap", report) {
        let entry = Object::read(json, "an entry of `archMap`", ARCH_MAP, report);
        let Some((name, span)) = entry.string("architecture", report) else {
            report.problem("the entry has no `architecture`", entry.span);
            continue;
        };
        let main = arch(&name, span, report);
        let subs = entry.strings("subArchitectures", report);
        let subs = subs
            .into_iter()
            .filter_map(|(name, span)| arch(&name, span, report))
            .collect();
        map.extend(main.map(|main| (main, subs)));
    }
    map
}

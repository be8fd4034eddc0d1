//! Every real filter of a corpus beside the checkout, held against what an independent tool found out about it.
//!
//! The corpus is not part of the project: without it this test says so and passes.

#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking and may speak"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use callproof_vm::isa::{self, Op, Operands};
use callproof_vm::{Action, Chain, Endian, Filter, Insn, Kernel, Machine, SeccompData};
use serde_json::{Value, json};

const X86_64: u32 = 0xc000_003e;
const X32_BIT: i32 = 0x4000_0000;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;

#[test]
fn every_analysis_agrees() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("meta.jsonl")).unwrap();
    let (mut filters, mut differences) = (0, Vec::new());
    for line in text.lines() {
        let meta: Value = serde_json::from_str(line).unwrap();
        let name = meta["name"].as_str().unwrap();
        let filter = load(&corpus.join(meta["file"].as_str().unwrap()));
        for (field, ours) in analysis(&filter) {
            let theirs = &meta["analysis"][field];
            if *theirs != ours {
                differences.push(format!("{name}: {field}: theirs {theirs}, ours {ours}"));
            }
        }
        filters += 1;
    }
    assert!(
        differences.is_empty(),
        "{} differ\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert_eq!(filters, 353);
}

#[test]
fn every_chain_fits_and_decides() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("chains.jsonl")).unwrap();
    for line in text.lines() {
        let chain: Value = serde_json::from_str(line).unwrap();
        let names = chain["filters"].as_array().unwrap().iter();
        let filters: Vec<_> = names
            .map(|name| load(&corpus.join(format!("bpf/{}.bpf", name.as_str().unwrap()))))
            .collect();
        let chain = Chain::new(&filters);
        assert_eq!(chain.check_budget(Machine::default()), Ok(()));
        for nr in -1..500 {
            let call = SeccompData::new(X86_64, nr, [0; 6]);
            let worst = filters
                .iter()
                .map(|filter| (filter.run(&call, Machine::default()) & 0xffff_0000).cast_signed())
                .min();
            let verdict = chain.run(&call, Machine::default());
            assert_eq!(Some((verdict.value & 0xffff_0000).cast_signed()), worst);
        }
    }
}

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus of real filters beside the checkout");
    None
}

fn load(path: &Path) -> Filter<'static> {
    let bytes = std::fs::read(path).unwrap();
    let (insns, rest) = bytes.as_chunks::<8>();
    assert!(rest.is_empty(), "{}", path.display());
    let program: Vec<Insn> = insns
        .iter()
        .map(|insn| Insn::from_bytes(*insn, Endian::Little))
        .collect();
    Filter::load(program).unwrap_or_else(|refused| panic!("{}: {refused}", path.display()))
}

/// The fields of the corpus's `analysis` that this crate can work out.
fn analysis(filter: &Filter<'_>) -> Vec<(&'static str, Value)> {
    let program = filter.program();
    let ops: Vec<Op> = program.iter().map(|insn| insn.op().unwrap()).collect();
    let reached = reachable(program);
    let (shortest, longest) = path_lengths(program);
    let jumps = program.iter().enumerate().filter_map(|(pc, insn)| {
        let (yes, no) = insn.targets(pc)?;
        Some(yes.max(no) - pc as u64 - 1)
    });
    let uses = |code: &[u16]| json!(program.iter().any(|insn| code.contains(&insn.code)));
    vec![
        ("len", json!(program.len())),
        ("opcodes", count(program.iter().map(|insn| opcode_name(*insn)))),
        ("returns", count(returns(program, &reached))),
        ("ret_a", json!(ops.contains(&Op::RetA))),
        ("unreachable", json!(program.len() - reached.len())),
        ("fields_loaded", json!(fields(program))),
        ("uses_scratch", uses(&[0x02, 0x03, 0x60, 0x61])),
        ("uses_ja", uses(&[0x05])),
        ("uses_jset", uses(&[0x45, 0x4d])),
        ("uses_len", uses(&[0x80, 0x81])),
        ("max_jump", json!(jumps.max().unwrap_or(0))),
        ("path_min", json!(shortest)),
        ("path_max", json!(longest)),
        ("default_action", defaults(filter)),
        ("x86_64_allowed_args0", json!(allowed(filter, X86_64, 0))),
        ("x32_allowed_args0", json!(allowed(filter, X86_64, X32_BIT))),
        ("i386_allowed_args0", json!(allowed(filter, I386, 0))),
    ]
}

fn count(names: impl Iterator<Item = String>) -> Value {
    let mut counts = BTreeMap::<String, u64>::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    json!(counts)
}

fn opcode_name(insn: Insn) -> String {
    let row = isa::lookup(insn.code).unwrap();
    let name = row.mnemonic.to_uppercase();
    match row.operands {
        Operands::Abs => format!("{name}_ABS"),
        Operands::Scratch if name.starts_with("LD") => format!("{name}_MEM"),
        Operands::Imm | Operands::Branch(isa::Src::K) => format!("{name}_K"),
        Operands::X | Operands::Branch(isa::Src::X) => format!("{name}_X"),
        _ => name,
    }
}

/// The constants that reachable returns give.
fn returns<'p>(program: &'p [Insn], reached: &'p BTreeSet<usize>) -> impl Iterator<Item = String> + 'p {
    let constants = reached
        .iter()
        .map(|pc| program[*pc])
        .filter(|insn| insn.op() == Some(Op::RetK));
    constants.map(|insn| action_name(insn.k))
}

fn action_name(value: u32) -> String {
    let (action, data) = (Action::of(value, Kernel::LATEST), value & 0xffff);
    let name = action.name().to_uppercase();
    match action {
        Action::Unknown => format!("UNKNOWN:{value:#x}"),
        Action::Errno | Action::Trace => format!("{name}({data})"),
        _ if data != 0 => format!("{name}({data})"),
        _ => name,
    }
}

fn reachable(program: &[Insn]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([0]);
    for pc in 0..program.len() {
        if reached.contains(&pc) {
            reached.extend(successors(program, pc));
        }
    }
    reached
}

fn successors(program: &[Insn], pc: usize) -> Vec<usize> {
    let insn = program[pc];
    match (insn.op(), insn.targets(pc)) {
        (Some(Op::RetK | Op::RetA), _) => vec![],
        (_, Some((yes, no))) => vec![usize::try_from(yes).unwrap(), usize::try_from(no).unwrap()],
        _ => vec![pc + 1],
    }
}

/// Fewest and most instructions from the start to a return, over the edges of the graph.
fn path_lengths(program: &[Insn]) -> (u64, u64) {
    let mut lengths = vec![(1_u64, 1_u64); program.len()];
    for pc in (0..program.len()).rev() {
        let after: Vec<_> = successors(program, pc).into_iter().map(|next| lengths[next]).collect();
        if !after.is_empty() {
            let shortest = after.iter().map(|length| length.0).min().unwrap();
            let longest = after.iter().map(|length| length.1).max().unwrap();
            lengths[pc] = (shortest + 1, longest + 1);
        }
    }
    lengths[0]
}

fn fields(program: &[Insn]) -> BTreeSet<String> {
    let loads = program.iter().filter(|insn| insn.code == 0x20);
    loads
        .map(|insn| match insn.k {
            0 => "nr".to_owned(),
            4 => "arch".to_owned(),
            8 => "ip.lo".to_owned(),
            12 => "ip.hi".to_owned(),
            k => format!("arg{}.{}", (k - 16) / 8, if k % 8 == 0 { "lo" } else { "hi" }),
        })
        .collect()
}

/// The answer for a number that no table has, on five ABIs.
fn defaults(filter: &Filter<'_>) -> Value {
    const UNKNOWN: i32 = 1023;
    let on = |arch, nr| {
        let call = SeccompData::new(arch, nr, [0; 6]);
        action_name(filter.run(&call, Machine::default()))
    };
    json!({
        "x86_64": on(X86_64, UNKNOWN),
        "x32": on(X86_64, UNKNOWN | X32_BIT),
        "i386": on(I386, UNKNOWN),
        "aarch64": on(AARCH64, UNKNOWN),
        "bogus_arch": on(0x1234_5678, UNKNOWN),
    })
}

/// How many of the first 462 numbers are allowed with all arguments zero.
fn allowed(filter: &Filter<'_>, arch: u32, bit: i32) -> usize {
    let calls = (0..462).map(|nr| SeccompData::new(arch, nr | bit, [0; 6]));
    calls
        .filter(|call| Action::of(filter.run(call, Machine::default()), Kernel::LATEST) == Action::Allow)
        .count()
}

//! Kafel, the language of nsjail: named policies of action blocks, and the one that is used.
//!
//! What a policy means here is what Kafel compiles it to for one ABI. Facts from its grammar, its code generator and
//! its tables of calls (`parser.y`, `codegen.c`, `syscalls/`); those that filters compiled by it confirmed are marked
//! in `docs/POLICIES.md`:
//!
//! * the first rule that has a call wins, those of used policies in place; without a default it is `KILL`;
//! * a filter is for one `arch` word, and any other is killed (the thread);
//! * a comparison reads 64 bits when one of its sides is an argument or a number of 64 bits, else the low 32 of both;
//! * arguments have the sizes of the kernel's entry point, and 64 bits where the policy gives them names of its own.

mod build;
mod expr;
mod lex;
mod parse;

use callproof_abi::Abi;
use callproof_policy::{Problem, Span};

pub(super) use build::ALIASES;

use super::{PolicyOptions, PolicyRead};

/// ABIs that Kafel has tables of.
pub(super) const TARGETS: &[Abi] = &[
    Abi::X86_64,
    Abi::I386,
    Abi::Aarch64,
    Abi::Arm,
    Abi::Mips,
    Abi::Mips64,
    Abi::Riscv64,
    Abi::M68k,
    Abi::S390x,
];

/// Reads a policy text.
pub(super) fn read(text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<Problem>> {
    let mut problems = Vec::new();
    let targets = targets(options, &mut problems);
    let tokens = lex::tokens(text, options, &mut problems);
    let program = parse::program(tokens, &mut problems);
    let mut notes = Vec::new();
    let policy = build::policy(&program, &targets, &mut problems, &mut notes);
    if problems.is_empty() {
        let policies = vec![policy];
        Ok(PolicyRead { policies, notes })
    } else {
        Err(problems)
    }
}

/// The ABIs to compile for: those asked for, or x86_64. x32 needs no filter of its own: it shares an `arch` word.
fn targets(options: &PolicyOptions<'_>, problems: &mut Vec<Problem>) -> Vec<Abi> {
    let mut targets = Vec::new();
    for &abi in &options.abis {
        let target = if abi == Abi::X32 { Abi::X86_64 } else { abi };
        if !TARGETS.contains(&target) {
            let known: Vec<&str> = TARGETS.iter().map(|abi| abi.name()).collect();
            let message = format!("Kafel compiles nothing for {target}");
            problems.push(
                Problem::new(message, Span::default()).help(format!("it has tables of calls of {}", known.join(", "))),
            );
        } else if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if targets.is_empty() {
        targets.push(Abi::X86_64);
    }
    targets
}

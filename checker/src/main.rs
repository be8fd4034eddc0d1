//! `callproof-check PROOF FILTER...`: checks a proof file against filters, alone.
//!
//! The filters are raw arrays of `struct sock_filter`, in the order in which the proof speaks of them: the first chain
//! from its oldest to its newest filter, then the second chain. Exit codes: 0 accepted, 1 rejected, 2 unreadable.

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use callproof_checker::{Kind, Rejected, Statement, check, statement};

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let (text, code) = match paths.split_first() {
        Some((proof, filters)) if !filters.is_empty() => run(proof, filters),
        _ => ("usage: callproof-check PROOF FILTER...".to_owned(), 2),
    };
    let written = if code == 0 {
        writeln!(std::io::stdout(), "{text}")
    } else {
        writeln!(std::io::stderr(), "callproof-check: {text}")
    };
    // An acceptance that nobody could read is none.
    ExitCode::from(if written.is_ok() { code } else { 2 })
}

/// What to print, and the exit code.
fn run(proof: &str, filters: &[String]) -> (String, u8) {
    let read = |path: &str| std::fs::read(path).map_err(|error| (format!("cannot read `{path}`: {error}"), 2));
    let files = read(proof).and_then(|proof| {
        let filters = filters.iter().map(|path| read(path));
        Ok((proof, filters.collect::<Result<Vec<_>, _>>()?))
    });
    let (file, filters) = match files {
        Ok(files) => files,
        Err(trouble) => return trouble,
    };
    match statement(&file).and_then(|claimed| accept(&file, &claimed, &filters)) {
        Ok(accepted) => (format!("accepted\n{accepted:#?}"), 0),
        Err(rejected) => {
            let code = if rejected.kind == Kind::Unreadable { 2 } else { 1 };
            (format!("`{proof}`: {rejected}"), code)
        }
    }
}

/// Deals the filters out to the chains that the proof speaks of.
fn accept(file: &[u8], claimed: &Statement, filters: &[Vec<u8>]) -> Result<Statement, Rejected> {
    let mut filters = filters.iter().map(Vec::as_slice);
    let mut chains: Vec<Vec<&[u8]>> = Vec::new();
    for chain in &claimed.shape {
        chains.push(filters.by_ref().take(chain.len()).collect());
    }
    // What is left over makes the last chain too long, which `check` refuses.
    if let Some(last) = chains.last_mut() {
        last.extend(filters);
    }
    let chains: Vec<&[&[u8]]> = chains.iter().map(Vec::as_slice).collect();
    check(file, &chains)
}

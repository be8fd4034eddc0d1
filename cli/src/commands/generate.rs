//! `completions` and `man`: made from the definition of the command line.

use std::path::PathBuf;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::written::{Product, Target, Written};
use crate::args::Cli;
use crate::error::{Failure, Result};

/// The completion script of a shell.
pub(crate) fn completions(shell: Shell) -> Written {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "callproof", &mut script);
    Written {
        command: "completions",
        target: Target::Stdout,
        products: vec![Product::text(shell.to_string(), script)],
    }
}

/// The page of the command on standard output, or a page for each command in a folder.
pub(crate) fn man(out: Option<PathBuf>) -> Result<Written> {
    let mut command = Cli::command();
    command.build();
    let mut products = Vec::new();
    collect_pages(&command, &mut products, out.is_some())?;
    Ok(Written {
        command: "man",
        target: Target::folder(out),
        products,
    })
}

fn collect_pages(command: &Command, products: &mut Vec<Product>, deep: bool) -> Result<()> {
    let man = Man::new(command.clone()).source(concat!("callproof ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    let made = man.render(&mut page);
    made.map_err(|error| Failure::usage(format_args!("cannot make `{}`: {error}", man.get_filename())))?;
    products.push(Product::text(man.get_filename(), page));
    let below = command.get_subcommands().filter(|_| deep);
    below
        .into_iter()
        .try_for_each(|below| collect_pages(below, products, deep))
}

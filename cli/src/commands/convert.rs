//! `convert` and `asm`: one filter or policy, written down in another way.

use std::path::Path;

use callproof_formats::{Format, WriteOptions, write};
use callproof_vm::Insn;

use super::rewrite;
use super::written::{Product, Target, Written};
use crate::args::{AnyFormat, Asm, Convert};
use crate::error::{Failure, Result};
use crate::input::{Input, Loaded};
use crate::settings::Settings;

/// Converts a filter, which need not be one that the kernel would install, or the filters of a policy, or the policy.
pub(crate) fn run(convert: Convert, input: &Input, settings: &Settings) -> Result<Written> {
    if convert.only_arch {
        rewrite::check_only_arch(convert.to, settings)?;
    }
    let loaded = input.all(&convert.filter)?;
    let mut products = match convert.to {
        AnyFormat::Policy(format) => rewrite::products(&convert, &loaded, format, settings)?,
        AnyFormat::Filter(format) => {
            let product = |one: &Loaded| written_as(&one.name, &one.program, format, convert.annotate, settings);
            loaded.iter().map(product).collect()
        }
    };
    if convert.out.is_none() && loaded.len() > 1 {
        return Err(several(&convert.filter, &loaded));
    }
    if let [_, _, ..] = products.as_slice() {
        for (number, product) in (1..).zip(&mut products) {
            product.name = numbered(&convert.filter, number, extension(convert.to));
        }
    }
    Ok(Written {
        command: "convert",
        target: match convert.out {
            Some(folder) => Target::Folder(folder),
            None => Target::file(convert.output),
        },
        products,
    })
}

fn several(typed: &str, loaded: &[Loaded]) -> Failure {
    let of_policy = loaded.iter().any(|one| one.policy.is_some());
    let what = if of_policy { "comes to" } else { "holds" };
    Failure::usage(format_args!(
        "`{typed}` {what} {} filters, and one is written here",
        loaded.len()
    ))
    .with_help("write a file for each, oldest first, with `--out DIR`")
}

/// The file name of one of several filters, so that names sort oldest first.
fn numbered(typed: &str, number: usize, extension: &str) -> String {
    format!("{}-{number:03}.{extension}", stem(typed))
}

/// What files of a format are usually called.
fn extension(format: AnyFormat) -> &'static str {
    match format {
        AnyFormat::Filter(format) => format.extensions().first().copied().unwrap_or("txt"),
        AnyFormat::Policy(format) => format.extension(),
    }
}

pub(super) fn stem(source: &str) -> &str {
    let stem = Path::new(source).file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or("filter")
}

/// Assembles text, whatever it looks like.
pub(crate) fn assemble(asm: Asm, input: &Input, settings: &Settings) -> Result<Written> {
    let loaded = input.of_format(Format::Asm).single(&asm.file)?;
    let product = written_as(&loaded.name, &loaded.program, asm.to, false, settings);
    Ok(Written {
        command: "asm",
        target: Target::file(asm.output),
        products: vec![product],
    })
}

/// A program in a format, under a name that its source suggests.
pub(crate) fn written_as(
    source: &str,
    program: &[Insn],
    format: Format,
    annotate: bool,
    settings: &Settings,
) -> Product {
    let options = WriteOptions {
        endian: settings.layout(),
        annotate,
    };
    let stem = stem(source);
    let extension = extension(AnyFormat::Filter(format));
    Product {
        name: format!("{stem}.{extension}"),
        bytes: write(program, format, &options),
        is_text: format.is_text(),
        about: None,
        heading: None,
    }
}

//! `convert` and `asm`: one filter, written down in another way.

use std::path::Path;

use callproof_formats::{Format, WriteOptions, write};
use callproof_vm::Insn;

use super::written::{Product, Target, Written};
use crate::args::{Asm, Convert};
use crate::error::{Failure, Result};
use crate::input::Input;
use crate::settings::Settings;

/// Converts a filter. It need not be one that the kernel would install.
pub(crate) fn run(convert: Convert, input: &Input, settings: &Settings) -> Result<Written> {
    let (name, program) = match compiled(&convert.filter, input, settings)? {
        Some(found) => found,
        None => {
            let loaded = input.single(&convert.filter)?;
            (loaded.name, loaded.program)
        }
    };
    let product = written_as(&name, &program, convert.to, convert.annotate, settings);
    Ok(Written {
        command: "convert",
        target: Target::file(convert.output),
        products: vec![product],
    })
}

/// The filter of a policy, proved to be it; `None` for what is no file with a policy.
fn compiled(typed: &str, input: &Input, settings: &Settings) -> Result<Option<(String, Vec<Insn>)>> {
    let path = Path::new(typed);
    if input.is_told() || !path.is_file() {
        return Ok(None);
    }
    let Some(found) = callproof::compile_file(path, &settings.options())? else {
        return Ok(None);
    };
    let count = found.programs.len();
    let mut named = found.names.into_iter().zip(found.programs);
    match named.next() {
        Some(one) if count == 1 => Ok(Some(one)),
        _ => Err(Failure::usage(format_args!("`{typed}` comes to {count} filters"))
            .with_help("one filter is written at a time; split the policy")),
    }
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
    let stem = Path::new(source)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("filter");
    let extension = format.extensions().first().copied().unwrap_or("txt");
    Product {
        name: format!("{stem}.{extension}"),
        bytes: write(program, format, &options),
        is_text: format.is_text(),
        about: None,
        heading: None,
    }
}

//! `convert` and `asm`: one filter, written down in another way.

use std::path::Path;

use callproof_formats::{Format, WriteOptions, write};
use callproof_vm::Insn;

use super::written::{Product, Target, Written};
use crate::args::{Asm, Convert};
use crate::error::Result;
use crate::input::Input;
use crate::settings::Settings;

/// Converts a filter. It need not be one that the kernel would install.
pub(crate) fn run(convert: Convert, input: &Input, settings: &Settings) -> Result<Written> {
    let loaded = input.single(&convert.filter)?;
    let product = written_as(&loaded.name, &loaded.program, convert.to, convert.annotate, settings);
    Ok(Written {
        command: "convert",
        target: Target::file(convert.output),
        products: vec![product],
    })
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

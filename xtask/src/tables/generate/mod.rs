//! From text facts to Rust: the files of `abi/src/generated`.

pub(super) mod calls;
mod prototypes;
mod rust;

use std::path::{Path, PathBuf};

use rust::HEADER;

/// Every generated file, named below `abi/src/generated`, with its text.
pub(super) fn all(data: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let all = calls::read_all(data)?;
    let names = calls::names(&all);
    let since = calls::since(data)?;
    let prototypes = prototypes::generate(data, &all)?;
    let mut files = calls::tables(&all, &names, &prototypes.places);
    files.push((
        PathBuf::from("names.rs"),
        calls::names_file(&names, |name| since.get(name).copied()),
    ));
    files.push((PathBuf::from("prototypes.rs"), prototypes.file));
    files.push((PathBuf::from("mod.rs"), module_file()));
    Ok(files)
}

fn module_file() -> String {
    format!(
        "{HEADER}mod calls;\nmod names;\nmod prototypes;\n\n\
         pub(crate) use calls::calls;\npub(crate) use names::{{NAMES, SINCE}};\npub(crate) use prototypes::PROTOTYPES;\n"
    )
}

//! From text facts to Rust: the files of `abi/src/generated`.

pub(super) mod calls;
mod prototypes;
mod rust;
mod values;

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
    for (name, text) in values::generate(data)? {
        files.push((PathBuf::from(name), text));
    }
    files.push((PathBuf::from("mod.rs"), module_file()));
    Ok(files)
}

fn module_file() -> String {
    format!(
        "{HEADER}mod calls;\npub(crate) mod constants;\npub(crate) mod errnos;\nmod names;\nmod prototypes;\npub(crate) mod signals;\n\n\
         pub(crate) use calls::calls;\npub(crate) use names::{{NAMES, SINCE}};\npub(crate) use prototypes::PROTOTYPES;\n"
    )
}

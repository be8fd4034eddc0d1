//! What was written, for people: the paths. Products on standard output speak for themselves.

use crate::commands::written::Written;

pub(super) fn text(written: &Written) -> String {
    written.paths().map(|path| format!("{}\n", path.display())).collect()
}

//! Case files: running them, and what came of it.

mod budget;
pub(crate) mod exhibit;
pub(crate) mod judge;
mod mutants;
mod nearest;
mod result;
mod run;
mod snapshot;
mod traced;

pub use exhibit::{Exhibit, Nearest};
pub use mutants::{Mutants, Survivor, mutants};
pub use result::{CaseResult, Outcome, Report, Skip};
pub use run::{run, run_file, run_line};

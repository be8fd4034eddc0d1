//! stub
use super::written::Written;
use crate::args;
use crate::error::Result;
use crate::settings::Settings;
pub(crate) fn run(_a: args::Dump, _s: &Settings) -> Result<Written> {
    Err(crate::error::Failure::usage("x"))
}
pub(crate) fn of_process(_p: &str) -> Result<Vec<crate::input::Loaded>> {
    Err(crate::error::Failure::environment("x"))
}

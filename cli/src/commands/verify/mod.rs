//! Commands that decide about every possible call.

pub(crate) mod check_proof;
pub(crate) mod claims;
pub(crate) mod compare;
pub(crate) mod cost;
pub(crate) mod differences;
pub(crate) mod explain;
pub(crate) mod live;
pub(crate) mod prove;
pub(crate) mod rules;
pub(in crate::commands) mod sides;
pub(crate) mod witness;

//! Commands that decide about every possible call.

pub(crate) mod changes;
pub(crate) mod check_proof;
pub(crate) mod claims;
pub(crate) mod compare;
pub(crate) mod cost;
pub(crate) mod differences;
pub(crate) mod explain;
pub(crate) mod leaves;
pub(crate) mod live;
pub(crate) mod origin;
mod outside;
pub(crate) mod prove;
pub(crate) mod rules;
mod same;
pub(in crate::commands) mod sides;
pub(crate) mod surface;
mod text;
pub(crate) mod witness;

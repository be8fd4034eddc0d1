//! Checks a proof file against filters.

fn main() {}

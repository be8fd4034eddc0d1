//! The case files of `examples/` that describe a filter of ours, one test for each line. `first.calls` fails on purpose.

callproof::cases!("../examples/web-*.calls");

//! The case files of `examples/`, one test for each line.

callproof::cases!("../examples/*.calls");

//! C initialisers of `struct sock_filter[]`, and the words of `linux/bpf_common.h` that strace prints too.

mod constants;
mod read;
mod rows;
mod write;

pub(crate) use constants::Constants;
pub(crate) use read::read_all;
pub(crate) use rows::{Rows, check_count};
pub(crate) use write::{code_words, write};

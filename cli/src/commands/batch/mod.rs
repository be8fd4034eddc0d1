//! `eval --batch`: many decisions, one JSON object in and one out per line, in order.
//!
//! A line is answered as soon as no more input is waiting, so that a program can hold a conversation over two pipes.
//! Memory is bounded by the largest line that is read whole, [`crate::lines::MAX_LINE`], and by the caches of admitted filters.

mod answer;
mod cache;
mod request;

use std::io::{self, Read, Write};

use rayon::prelude::*;

use crate::error::{Failure, Result};
use crate::lines::{Line, Lines};
use crate::settings::Settings;

/// Requests that one thread answers before it takes the next ones.
const PORTION: usize = 64;

/// Answers every line of the input. Nothing is reported but what the lines themselves say.
pub(crate) fn run(input: impl Read, output: &mut dyn Write, jobs: Option<u16>, settings: &Settings) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs.map_or(0, usize::from))
        .build()
        .map_err(|error| {
            Failure::environment(format_args!("cannot start threads: {error}")).with_help("use `--jobs 1`")
        })?;
    let alone = pool.current_num_threads() == 1;
    let mut lines = Lines::new(input);
    loop {
        let batch = lines.next_batch().map_err(|error| Failure::read(&error))?;
        if batch.is_empty() {
            return Ok(());
        }
        let written = if alone {
            output.write_all(&answer_all(&batch, settings))
        } else {
            let answered: Vec<Vec<u8>> = pool.install(|| {
                let portions = batch.par_chunks(PORTION);
                portions.map(|portion| answer_all(portion, settings)).collect()
            });
            write_in_order(output, &answered)
        };
        written
            .and_then(|()| output.flush())
            .map_err(|error| Failure::write(&error))?;
    }
}

fn write_in_order(output: &mut dyn Write, answered: &[Vec<u8>]) -> io::Result<()> {
    answered.iter().try_for_each(|portion| output.write_all(portion))
}

fn answer_all(lines: &[Line<'_>], settings: &Settings) -> Vec<u8> {
    let mut output = Vec::with_capacity(lines.len().saturating_mul(80));
    for line in lines {
        answer::write(&mut output, line, settings);
        output.push(b'\n');
    }
    output
}

//! `eval --batch`: many decisions, one JSON object in and one out per line, in order.
//!
//! A line is answered as soon as no more input is waiting, so that a program can hold a conversation over two pipes.
//! Memory is bounded by the largest line that is read, [`MAX_LINE`], and by the caches of admitted filters.

mod cache;
pub(super) mod records;

use std::io::{self, Read, Write};

use callproof_engines::Kind;
use callproof_formats::batch::{Request, Response};
use rayon::prelude::*;

use crate::error::{Failure, Result};
use crate::lines::{Line, Lines, MAX_LINE};
use crate::settings::Settings;
use cache::Admission;

/// Requests that one thread answers before it takes the next ones.
const PORTION: usize = 64;

/// How many calls are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// Threads; one for each core unless given
    pub(crate) jobs: Option<u16>,
    /// The engine; whichever is fastest unless given
    pub(crate) engine: Option<Kind>,
}

impl How {
    fn pool(self) -> Result<rayon::ThreadPool> {
        let threads = self.jobs.map_or(0, usize::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map_err(|error| {
            Failure::environment(format_args!("cannot start threads: {error}")).with_help("use `--jobs 1`")
        })
    }
}

/// Answers every line of the input. Nothing is reported but what the lines themselves say.
pub(crate) fn run(input: impl Read, output: &mut dyn Write, how: How, settings: &Settings) -> Result<()> {
    let pool = how.pool()?;
    let alone = pool.current_num_threads() == 1;
    let mut lines = Lines::new(input);
    loop {
        let batch = lines.next_batch().map_err(|error| Failure::read(&error))?;
        if batch.is_empty() {
            return Ok(());
        }
        let written = if alone {
            output.write_all(&answer_all(&batch, how.engine, settings))
        } else {
            let answered: Vec<Vec<u8>> = pool.install(|| {
                let portions = batch.par_chunks(PORTION);
                portions
                    .map(|portion| answer_all(portion, how.engine, settings))
                    .collect()
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

fn answer_all(lines: &[Line<'_>], engine: Option<Kind>, settings: &Settings) -> Vec<u8> {
    let mut output = Vec::with_capacity(lines.len().saturating_mul(80));
    for line in lines {
        answer(line, engine, settings)
            .unwrap_or_else(Response::Error)
            .write_line(&mut output);
    }
    output
}

fn answer(line: &Line<'_>, engine: Option<Kind>, settings: &Settings) -> core::result::Result<Response, String> {
    let Line::Whole(bytes) = line else {
        return Err(format!("the line is longer than {MAX_LINE} bytes"));
    };
    let text = str::from_utf8(bytes).map_err(|error| format!("the line is not UTF-8: {error}"))?;
    if text.trim_ascii().is_empty() {
        return Err("the line is empty".to_owned());
    }
    let request = Request::parse(text).map_err(|error| error.to_string())?;
    match &*cache::admission(&request, engine, settings) {
        Admission::Unreadable(complaint) => Err(complaint.clone()),
        Admission::Refused(response) => Ok(response.clone()),
        Admission::Admitted(chain) => {
            if chain.grows() {
                cache::grow(&request);
            }
            let decision = chain.decide(&request.data);
            Ok(Response::verdict(&decision.verdict, decision.insns))
        }
    }
}

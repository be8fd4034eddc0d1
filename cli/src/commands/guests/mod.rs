//! `kernel diff --vm`: other kernels and other architectures, in guests of qemu.

pub(crate) mod list;
mod played;
mod record;
mod row;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

pub(crate) use row::Row;

use callproof_kernel_diff::guest::{self, Found, GUESTS, Guest, LabError, Store};
use serde::Serialize;

use super::campaign::Generated;
use super::diff::clock;
use crate::args;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::render::Progress;
use crate::report::{Case, Finding, Report};

/// Programs for each guest, unless told otherwise.
const PROGRAMS: u64 = 300;

/// Guests at a time, unless told otherwise.
const JOBS: u16 = 2;

/// What the guests found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Guests {
    pub(crate) seed: u64,
    /// One for each guest and setting of its JIT
    pub(crate) rows: Vec<Row>,
    /// Guests that could not be asked
    pub(crate) missing: Vec<Missing>,
    /// The seconds it took
    pub(crate) seconds: f64,
}

/// A guest that could not be asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Missing {
    pub(crate) guest: &'static str,
    pub(crate) why: String,
    /// The command that would help
    pub(crate) install: Option<String>,
}

/// Runs one guest or all of them.
pub(crate) fn run(args: &args::Diff, quiet: bool) -> Result<Guests> {
    let (guests, version) = wanted(args.vm.as_deref().unwrap_or_default())?;
    let (start, seed) = (Instant::now(), args.seed.unwrap_or_else(clock));
    let store = store(args.cache.as_deref())?;
    let player = played::player()?;
    let source = Generated { seed };
    let effort = guest::Effort {
        source: &source,
        programs: args.programs.unwrap_or(PROGRAMS),
        calls: usize::try_from(args.evals).unwrap_or(usize::MAX),
        player: Some(&player),
    };
    let ran = run_all((&guests, version), effort, args.jobs.unwrap_or(JOBS), &store, quiet);
    let mut found = Guests {
        seed,
        rows: Vec::new(),
        missing: Vec::new(),
        seconds: start.elapsed().as_secs_f64(),
    };
    for (guest, ran) in guests.iter().zip(ran) {
        match ran {
            Ok(ran) => found
                .rows
                .extend(ran.engines.iter().map(|engine| Row::new(&ran, engine, args, seed))),
            Err(error) => found.missing.push(Missing::new(guest.name, &error)),
        }
    }
    match found.missing.first() {
        Some(missing) if found.rows.is_empty() && guests.len() == 1 => Err(missing.failure()),
        _ => Ok(found),
    }
}

/// Which guests are meant by `all`, `NAME` or `NAME=VERSION`, and which version of the kernel's package.
fn wanted(typed: &str) -> Result<(Vec<&'static Guest>, Option<&str>)> {
    let (name, version) = match typed.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (typed, None),
    };
    let names = || GUESTS.iter().map(|guest| guest.name);
    match (name, version) {
        (_, Some("")) => Err(Failure::usage(format_args!("`--vm {typed}` names no version"))
            .with_help("a version is that of a Debian package, such as `debian-12-amd64=6.1.176-1`")),
        ("all" | "list", Some(_)) => Err(Failure::usage(format_args!("`{name}` has no version"))
            .with_help("a version belongs to one guest: `--vm NAME=VERSION`")),
        ("all", None) => Ok((GUESTS.iter().collect(), None)),
        _ => match guest::guest(name) {
            Some(guest) => Ok((vec![guest], version)),
            None => {
                let near = did_you_mean(name, names().chain(["all", "list"]));
                let names: Vec<_> = names().collect();
                Err(Failure::usage(format_args!("there is no guest `{name}`{near}"))
                    .with_help(format_args!("`all`, `list`, or one of {}", names.join(", "))))
            }
        },
    }
}

/// The known name that takes the fewest changes, if few.
fn did_you_mean<'n>(typed: &str, known: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 4;
    let typed: String = typed.chars().take(64).collect();
    let near = known
        .map(|name| (strsim::damerau_levenshtein(&typed, name), name))
        .filter(|(changes, name)| *changes <= MOST.min(name.len() / 2))
        .min();
    near.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// The folder that kernels are kept in.
fn store(asked: Option<&Path>) -> Result<Store> {
    let usual = || {
        let folder = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
        Some(cache.join("callproof"))
    };
    let folder = asked.map(Path::to_owned).or_else(usual);
    let folder = folder.ok_or_else(|| {
        Failure::usage("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set")
            .with_help("name one with `--cache DIR`")
    })?;
    let folder = std::path::absolute(&folder).map_err(|error| Failure::io("find", &folder, &error))?;
    Ok(Store::new(folder))
}

/// Runs some guests at a time. The results stand in the order of the guests.
fn run_all(
    (guests, version): (&[&'static Guest], Option<&str>),
    effort: guest::Effort<'_>,
    jobs: u16,
    store: &Store,
    quiet: bool,
) -> Vec<core::result::Result<Found, LabError>> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let progress = Mutex::new(Progress::new("guests", Some(guests.len() as u64), quiet));
    let work = || {
        let mut ran = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(guest) = guests.get(index) else { return ran };
            ran.push((index, guest::run(store, (guest, version), effort, &|_| {})));
            let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if let Ok(mut progress) = progress.lock() {
                progress.set(done as u64);
            }
        }
    };
    let jobs = usize::from(jobs).min(guests.len());
    let mut ran: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.flatten().collect()
    });
    ran.sort_by_key(|(index, _)| *index);
    ran.into_iter().map(|(_, ran)| ran).collect()
}

impl Missing {
    fn new(guest: &'static str, error: &LabError) -> Self {
        let install = match error {
            LabError::Missing { install, .. } => Some(install.clone()),
            _ => None,
        };
        Self {
            guest,
            why: error.to_string(),
            install,
        }
    }

    fn failure(&self) -> Failure {
        let failure = Failure::environment(&self.why);
        match &self.install {
            Some(install) => failure.with_help(format_args!("install them: `{install}`")),
            None => failure.with_help("`callproof kernel diff --vm list` shows what can run here"),
        }
    }
}

impl Guests {
    pub(crate) fn exit(&self) -> Exit {
        let holes = !self.missing.is_empty() || self.rows.iter().any(|row| !row.failures.is_empty());
        if self.rows.iter().any(|row| row.disagreements() > 0) {
            Exit::Disagreement
        } else if holes {
            Exit::Environment
        } else {
            Exit::Success
        }
    }

    pub(crate) fn report(&self) -> Report {
        let rows = self.rows.iter().map(|row| {
            let name = format!("{}, Linux {}, {}", row.guest, row.kernel, row.engine);
            let found = row.mismatches.iter().map(|found| Finding {
                level: crate::report::Level::Error,
                rule: "disagreement",
                message: format!("{}: {}", found.message, found.program.join("; ")),
                file: Some(found.file.display().to_string()),
                line: Some(1),
            });
            let strange = row.strange.iter().map(|message| Finding {
                level: crate::report::Level::Error,
                rule: "scenario",
                message: message.clone(),
                file: None,
                line: None,
            });
            let played = row.played.iter().flat_map(|played| &played.differing);
            let played = played.map(|message| Finding {
                level: crate::report::Level::Error,
                rule: "scenario",
                message: message.clone(),
                file: None,
                line: None,
            });
            Case::new(name, found.chain(strange).chain(played).collect())
        });
        let missing = self
            .missing
            .iter()
            .map(|missing| Case::skipped(missing.guest, &missing.why));
        Report {
            suite: "kernel diff",
            cases: rows.chain(missing).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_and_a_version_are_read() {
        let read = |typed| {
            let (guests, version) = wanted(typed).unwrap();
            (guests.len(), guests.first().map(|guest| guest.name), version)
        };
        assert_eq!(read("debian-s390x"), (1, Some("debian-s390x"), None));
        assert_eq!(
            read("debian-s390x=7.2.12-1"),
            (1, Some("debian-s390x"), Some("7.2.12-1"))
        );
        assert_eq!(read("all"), (GUESTS.len(), Some(GUESTS[0].name), None));
    }

    #[test]
    fn what_is_no_guest_is_told_with_the_nearest() {
        for (typed, said) in [
            (
                "debian-s39x",
                "there is no guest `debian-s39x`; did you mean `debian-s390x`?",
            ),
            ("alll", "did you mean `all`?"),
            ("plan9", "there is no guest `plan9`"),
            ("all=6.1", "`all` has no version"),
            ("debian-s390x=", "names no version"),
        ] {
            let error = format!("{:?}", wanted(typed).unwrap_err());
            assert!(error.contains(said), "{typed}: {error}");
        }
        assert_eq!(did_you_mean("plan9", GUESTS.iter().map(|guest| guest.name)), "");
    }
}

//! FILTER arguments: from what was typed to programs.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use callproof::Compiled;
use callproof_abi::Abi;
use callproof_formats::{Format, MAX_BYTES, Program, ReadOptions};
use callproof_vm::{Filter, Insn};

use crate::error::{Failure, Result};
use crate::render;
use crate::settings::Settings;

/// A program, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// What it is called: what was typed, and a number where that holds several filters
    pub(crate) name: String,
    /// The format that was read: of filters, or of policies
    pub(crate) format: &'static str,
    pub(crate) program: Vec<Insn>,
    /// The policy that the program was compiled of
    pub(crate) policy: Option<Source>,
    /// Whether `name` is a file
    pub(crate) is_file: bool,
    /// The line of the file on which the program begins, from 1, if the file is text
    pub(crate) first_line: Option<usize>,
}

/// Which filter of a compiled policy this is.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) index: usize,
}

/// How FILTER arguments are read.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    format: Option<Format>,
    settings: Settings,
}

impl Input {
    pub(crate) fn new(format: Option<Format>, settings: Settings) -> Self {
        Self { format, settings }
    }

    /// Whether a format was given, so that none is detected.
    pub(crate) fn is_told(&self) -> bool {
        self.format.is_some()
    }

    /// The same, with a format that is not detected.
    pub(crate) fn of_format(&self, format: Format) -> Self {
        Self::new(Some(format), self.settings.clone())
    }

    /// The filters of all arguments: one chain, oldest first.
    pub(crate) fn chain(&self, typed: &[String]) -> Result<Vec<Loaded>> {
        if typed.iter().filter(|typed| *typed == "-").count() > 1 {
            return Err(Failure::usage("standard input can be read only once")
                .with_help("name files, or put all filters into one strace log"));
        }
        let mut chain = Vec::new();
        for typed in typed {
            chain.extend(self.filters(typed)?);
        }
        Ok(chain)
    }

    /// The one filter of an argument.
    pub(crate) fn single(&self, typed: &str) -> Result<Loaded> {
        let mut filters = self.filters(typed)?;
        let count = filters.len();
        match filters.pop() {
            Some(filter) if count == 1 => Ok(filter),
            _ => Err(Failure::usage(format_args!(
                "`{}` holds {count} filters, and one is needed here",
                shown(typed)
            ))
            .with_help("keep one of them; `callproof dump --out DIR` writes each to a file of its own")),
        }
    }

    /// The filters of an argument, oldest first.
    pub(crate) fn all(&self, typed: &str) -> Result<Vec<Loaded>> {
        self.filters(typed)
    }

    fn filters(&self, typed: &str) -> Result<Vec<Loaded>> {
        if let Some(digits) = typed.strip_prefix("hex:") {
            return self.read(&shown(typed), digits.as_bytes(), Some(Format::Hex), None);
        }
        if let Some(pid) = typed.strip_prefix("pid:") {
            return crate::commands::dump::of_process(pid);
        }
        if typed == "-" {
            const NAME: &str = "standard input";
            let bytes = read_bounded(io::stdin().lock()).map_err(|error| Failure::read(&error).at(NAME))?;
            let read = self.read(NAME, &bytes, self.format, None);
            return match self.compiled_text(NAME, &bytes) {
                Some(compiled) if read.is_err() => Ok(compiled),
                _ => read,
            };
        }
        if let Some(compiled) = self.compiled(typed)? {
            return Ok(compiled);
        }
        let bytes = read_file(Path::new(typed))?;
        self.read(typed, &bytes, self.format, Some(typed))
    }

    /// The filters of a file with a policy, each proved to be its policy; `None` for what is no such file, and when a
    /// format of filters was named.
    fn compiled(&self, typed: &str) -> Result<Option<Vec<Loaded>>> {
        let path = Path::new(typed);
        if !self.may_be_policy(typed) {
            return Ok(None);
        }
        let compiled = callproof::compile_file(path, &self.settings.options())?;
        Ok(compiled.map(|compiled| self.of_policy(typed, compiled, path.is_file())))
    }

    /// Whether an argument is a file, or `FILE#NAME`, that is looked at as a policy.
    pub(crate) fn may_be_policy(&self, typed: &str) -> bool {
        let path = Path::new(typed);
        let chosen = || {
            let file = typed.rsplit_once('#').map(|(file, _)| Path::new(file));
            file.is_some_and(Path::is_file)
        };
        !self.is_told() && !is_named_filter(path) && (path.is_file() || chosen())
    }

    /// The filters of a text that can be read as a policy.
    fn compiled_text(&self, name: &str, bytes: &[u8]) -> Option<Vec<Loaded>> {
        if self.is_told() {
            return None;
        }
        let compiled = callproof::compile_text(name, bytes, &self.settings.options()).ok()??;
        Some(self.of_policy(name, compiled, false))
    }

    /// Tells what was made of a policy, and gives it.
    fn of_policy(&self, name: &str, compiled: Compiled, is_file: bool) -> Vec<Loaded> {
        if !self.settings.quiet {
            render::note(name, &about(&compiled));
        }
        let compiled = Arc::new(compiled);
        let programs = compiled.programs.names.iter().zip(&compiled.programs.programs);
        let is_file = is_file && compiled.programs.programs.len() == 1;
        let loaded = programs.enumerate().map(|(index, (name, program))| Loaded {
            name: name.clone(),
            format: compiled.policies.format.name(),
            program: program.clone(),
            policy: Some(Source {
                compiled: Arc::clone(&compiled),
                index,
            }),
            is_file,
            first_line: None,
        });
        loaded.collect()
    }

    /// Reads bytes as filters.
    pub(crate) fn read(
        &self,
        name: &str,
        bytes: &[u8],
        format: Option<Format>,
        path: Option<&str>,
    ) -> Result<Vec<Loaded>> {
        let options = ReadOptions {
            format,
            endian: self.settings.layout(),
            abi: self.settings.abis_given().and_then(|abis| abis.first()).copied(),
            path,
        };
        let programs = options
            .read_all(bytes)
            .map_err(|error| Failure::unreadable(name, error))?;
        let several = programs.len() > 1;
        let named = |number: usize| {
            if several {
                format!("{name}#{number}")
            } else {
                name.to_owned()
            }
        };
        let loaded = |(program, number): (Program, usize)| Loaded {
            name: named(number),
            format: program.format.name(),
            policy: None,
            is_file: path.is_some() && !several,
            first_line: program.format.is_text().then_some(program.line),
            program: program.insns,
        };
        Ok(programs.into_iter().zip(1..).map(loaded).collect())
    }
}

/// Whether the extension is one that filters have and no policy.
fn is_named_filter(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let of_filters = Format::ALL.iter().flat_map(|format| format.extensions());
    let mut only_theirs = of_filters.filter(|known| !matches!(**known, "json" | "policy" | "txt"));
    only_theirs.any(|known| known.eq_ignore_ascii_case(ending))
}

/// What a policy was made into.
fn about(compiled: &Compiled) -> String {
    const NAMED: usize = 8;
    let count = compiled.programs.programs.len();
    let mut abis: Vec<Abi> = Vec::new();
    for policy in &compiled.policies.list {
        let with_rules = policy.cells.iter().filter(|cell| !cell.rules.is_empty());
        abis.extend(with_rules.filter_map(|cell| cell.cell.abi()));
    }
    abis.sort_unstable();
    abis.dedup();
    let named: Vec<&str> = abis.iter().take(NAMED).map(|abi| abi.name()).collect();
    let more = match abis.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let filters = if count == 1 { "filter" } else { "filters" };
    let of = if abis.is_empty() {
        String::new()
    } else {
        format!(" for {}{more}", named.join(", "))
    };
    let notes = match compiled.policies.notes.len() {
        0 => String::new(),
        1 => "; 1 departure from the plain reading, see `callproof explain --origin`".to_owned(),
        many => format!("; {many} departures from the plain reading, see `callproof explain --origin`"),
    };
    format!(
        "read as a policy ({}), compiled to {count} {filters}{of}, proved to be the policy{notes}",
        compiled.policies.format
    )
}

/// A chain that the kernel would install.
pub(crate) fn admitted<'l>(chain: &'l [Loaded], settings: &Settings) -> Result<Vec<Filter<'l>>> {
    let admit = |one: &'l Loaded| {
        Filter::load_on(settings.kernel, one.program.as_slice()).map_err(|rejected| {
            Failure::finding(format_args!("`{}`: {rejected}", one.name))
                .with_help("`callproof check` lists every rule it breaks")
        })
    };
    let filters: Vec<Filter<'l>> = chain.iter().map(admit).collect::<Result<_>>()?;
    let budget = callproof_vm::Chain::new(&filters).check_budget(settings.machine_of(settings.layout()));
    budget.map_err(|(index, over)| {
        let name = chain.get(index).map_or("", |one| one.name.as_str());
        Failure::finding(format_args!(
            "`{name}`: the kernel refuses this filter with ENOMEM: {over}"
        ))
        .with_help("use fewer or shorter filters")
    })?;
    Ok(filters)
}

/// A file, unless it is larger than any filter.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        read_bounded(file)
    };
    read().map_err(|error| Failure::io("read", path, &error))
}

/// At most one byte more than is taken anywhere, so that too large an input is told from one that just fits.
pub(crate) fn read_bounded(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    input.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What was typed, cut to what fits a message.
pub(crate) fn shown(typed: &str) -> String {
    let mut head: String = typed.chars().take(40).collect();
    if head.len() < typed.len() {
        head.push_str("...");
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_cut() {
        assert_eq!(shown("hex:00"), "hex:00");
        assert_eq!(shown(&"\u{e9}".repeat(41)), format!("{}...", "\u{e9}".repeat(40)));
    }

    #[test]
    fn endless_input_is_cut() {
        assert_eq!(read_bounded(io::repeat(0)).unwrap().len(), MAX_BYTES + 1);
    }
}

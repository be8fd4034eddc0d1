//! Filters and policies, read from files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use callproof_abi::Abi;
use callproof_formats::policy::{Note, PolicyFormat, PolicyOptions, Runtime, detect_policy, read_policy};
use callproof_formats::{Format, MAX_BYTES, ReadOptions};
use callproof_policy::{AbiItem, AbiList, Env, GroundPolicy, Policy, Problem};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine};
use miette::Diagnostic as _;

use crate::error::{Error, ErrorKind};
use crate::origin::Marked;

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Programs, oldest first
    Programs(Vec<Vec<Insn>>),
    /// Policies
    Policies(Policies),
}

/// The policies of a file.
#[derive(Clone, Debug)]
pub struct Policies {
    /// The format that was read
    pub format: PolicyFormat,
    /// One for each filter of a chain, oldest first
    pub list: Vec<GroundPolicy>,
    /// Where they are not what the text seems to say, each with its place
    pub notes: Vec<String>,
    /// The same policies with a mark of its own as the answer of each place that gives answers; see [`Marked`]
    pub(crate) marked: Marked,
    /// Where they are not what the text seems to say, as the reader told it
    pub(crate) told: Vec<Note>,
    /// The policies as they are written
    pub(crate) written: Vec<Policy>,
    /// The text
    pub(crate) text: String,
}

/// How files are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// What policies without ABIs are for
    pub(crate) env: Env,
    /// The same as a list
    pub(crate) abis: Vec<Abi>,
    /// The byte order of raw filters
    pub(crate) endian: Endian,
    pub(crate) kernel: Kernel,
    pub(crate) runtime: Runtime,
    pub(crate) select: Option<String>,
    /// Whether `select` was said of this very file: then it must have a filter of that name
    pub(crate) is_selected: bool,
    pub(crate) caps: Vec<String>,
}

impl Reading {
    /// Reads a file as a policy if it is one, else as filters. `FILE#NAME` chooses one of several filters in a policy
    /// file.
    pub(crate) fn load(&self, path: &Path) -> Result<Source, Error> {
        let (path, reading) = self.located(path);
        let bytes = read(&path)?;
        let name = path.display().to_string();
        match reading.found_policies(&path, &bytes) {
            Some(policies) => policies.map(Source::Policies),
            None => reading.programs(&name, &bytes).map(Source::Programs),
        }
    }

    /// The file that is meant, and how it is read: `FILE#NAME` is the filter `NAME` of `FILE`, unless a file has that
    /// very name.
    pub(crate) fn located(&self, path: &Path) -> (PathBuf, Self) {
        let parts = selected(path).filter(|_| !path.is_file());
        match parts {
            Some((file, name)) => {
                let reading = Self {
                    select: Some(name),
                    is_selected: true,
                    ..self.clone()
                };
                (file, reading)
            }
            None => (path.to_owned(), self.clone()),
        }
    }

    /// The policies of a file; `None` when it is no policy. What can be read as a filter is one, unless its name ends
    /// in `.policy`; and so is what cannot be read, when its name ends as those of filters do: its mistake is told. No
    /// format of filters is JSON.
    pub(crate) fn found_policies(&self, path: &Path, bytes: &[u8]) -> Option<Result<Policies, Error>> {
        let name = path.display().to_string();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_named_filter = || Format::ALL.iter().any(|format| format.extensions().contains(&ending));
        let looks_like_one = || {
            let is_one = |text| detect_policy(&name, text).is_ok();
            ending == "json" || core::str::from_utf8(bytes).is_ok_and(is_one)
        };
        let is_policy =
            ending == "policy" || (self.programs(&name, bytes).is_err() && !is_named_filter() && looks_like_one());
        is_policy.then(|| self.policies(&name, bytes, path))
    }

    pub(crate) fn programs(&self, name: &str, bytes: &[u8]) -> Result<Vec<Vec<Insn>>, Error> {
        let options = ReadOptions {
            format: None,
            endian: self.endian,
            abi: self.abis.first().copied(),
            path: Some(name),
        };
        let read = options.read_all(bytes).map_err(|error| {
            let place = match error.position() {
                Some(position) => format!("{name}:{position}"),
                None => name.to_owned(),
            };
            let refused = Error::input(&error).at(place);
            match error.help() {
                Some(help) => refused.help(help),
                None => refused,
            }
        })?;
        Ok(read.into_iter().map(|program| program.insns).collect())
    }

    fn policy_options(&self) -> PolicyOptions<'static> {
        PolicyOptions {
            abis: self.abis.clone(),
            caps: self.caps.iter().cloned().collect(),
            kernel: self.kernel,
            runtime: self.runtime,
            select: self.select.clone(),
            ..PolicyOptions::default()
        }
    }

    /// What the text of one policy means to the reader of its format; `name` is what it is called.
    pub(crate) fn meaning(&self, name: &str, text: &str, format: PolicyFormat) -> Result<GroundPolicy, Error> {
        let told = |problems: &[Problem]| Error::text(name, text, problems);
        let read = read_policy(name, text.as_bytes(), Some(format), &self.policy_options());
        let read = read.map_err(|problems| told(&problems.problems))?;
        match read.policies.as_slice() {
            [policy] => policy.ground(&self.env).map_err(|problems| told(&problems)),
            many => Err(Error::input(format_args!(
                "the text comes to {} filters, and one is compared",
                many.len()
            ))),
        }
    }

    /// Reads a policy.
    pub(crate) fn policies(&self, name: &str, bytes: &[u8], path: &Path) -> Result<Policies, Error> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            // Some formats take an empty text for a policy that permits nothing; nobody means that.
            return Err(Error::input("the file is empty")
                .at(name)
                .help("name a file with a policy"));
        }
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let include = |written: &str| {
            let bytes = read(&folder.join(written)).map_err(|error| error.message)?;
            String::from_utf8(bytes).map_err(|_| format!("`{written}` is not UTF-8 text"))
        };
        // Where every possible input counts, the text says for which ABIs it is.
        let every = self.env.abis == AbiList::of([AbiItem::Any]);
        let mut options = PolicyOptions {
            include: &include,
            ..self.policy_options()
        };
        if every {
            options.abis.clear();
        }
        let text = String::from_utf8_lossy(bytes);
        let read = read_policy(name, bytes, None, &options);
        let read = read.map_err(|problems| Error::problems(name, bytes, &problems))?;
        let format = detect_policy(name, &text).map_err(|problems| Error::text(name, &text, &problems))?;
        if let Some(select) = self
            .select
            .as_ref()
            .filter(|_| self.is_selected && format != PolicyFormat::Seccompiler)
        {
            let message =
                format!("a file of this format ({format}) holds one policy, and nothing in it is called `{select}`");
            return Err(Error::input(message)
                .at(name)
                .help(format_args!("leave `#{select}` away")));
        }
        let ground = read.policies.iter().map(|policy| {
            policy
                .ground(&self.env)
                .map_err(|problems| Error::text(name, &text, &problems))
        });
        let note = |note: &Note| {
            let line = Error::line(&text, note.span.start);
            format!("{name}:{line}: {}", note.message)
        };
        Ok(Policies {
            format,
            list: ground.collect::<Result<_, _>>()?,
            notes: read.notes.iter().map(note).collect(),
            marked: Marked::new(&read.policies, name, &text, &self.env)?,
            told: read.notes,
            written: read.policies,
            text: text.into_owned(),
        })
    }
}

/// The parts of `FILE#NAME`, when there is such a file.
fn selected(path: &Path) -> Option<(PathBuf, String)> {
    let (file, name) = path.to_str()?.rsplit_once('#')?;
    let file = PathBuf::from(file);
    (!name.is_empty() && file.is_file()).then(|| (file, name.to_owned()))
}

/// A chain that the kernel would install; `names` are those of its programs.
pub(crate) fn admit<'p>(
    programs: &'p [Vec<Insn>],
    names: &[String],
    machine: Machine,
) -> Result<Vec<Filter<'p>>, Error> {
    let name = |index: usize| names.get(index).map_or("the filter", String::as_str);
    let mut filters = Vec::with_capacity(programs.len());
    for (index, program) in programs.iter().enumerate() {
        let filter = Filter::load_on(machine.kernel, program.as_slice()).map_err(|rejected| {
            Error::new(ErrorKind::Refused, rejected)
                .at(name(index))
                .help("the kernel would not install it; `callproof check` lists every rule it breaks")
        })?;
        filters.push(filter);
    }
    Chain::new(&filters).check_budget(machine).map_err(|(index, over)| {
        Error::new(ErrorKind::Refused, over)
            .at(name(index))
            .help("the kernel refuses this filter with ENOMEM; use fewer or shorter filters")
    })?;
    Ok(filters)
}

/// A file, unless it is larger than anything that is read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let bounded = || {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    bounded().map_err(|error| Error::io("read", path, &error))
}

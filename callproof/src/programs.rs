//! Programs to be tested, policies compiled.

use std::path::{Path, PathBuf};

use callproof_policy::{ByteOrder, Env, GroundPolicy};
use callproof_verifier::Limits;
use callproof_vm::{Insn, Machine};

use crate::compile::compile;
use crate::error::Error;
use crate::options::{Options, abis};
use crate::source::{Policies, Reading, Source, read};

/// The programs of a chain, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// What each is called
    pub names: Vec<String>,
    /// The programs
    pub programs: Vec<Vec<Insn>>,
    /// Where a policy that they were made of is not what its text seems to say
    pub notes: Vec<String>,
}

/// The filters of a policy file, with what they were made of.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The filters, each proved to be its policy
    pub programs: Programs,
    /// The policies
    pub policies: Policies,
    /// The machine and limits that the proofs are for
    pub(crate) proving: Proving,
}

/// The filters of a policy file, each proved to be its policy; `None` when the file is no policy. `FILE#NAME` chooses
/// one of several filters in a file, unless a file has that very name.
///
/// # Errors
/// When the file cannot be read, or as for [`compile`](fn@crate::compile).
pub fn compile_file(path: &Path, options: &Options) -> Result<Option<Compiled>, Error> {
    let (file, reading) = reading(options).located(path);
    compile_bytes(&file, &path.display().to_string(), &read(&file)?, &reading, options)
}

/// The same for a text that was read already, such as standard input; `name` is what it is called, and decides between
/// formats that look the same.
///
/// # Errors
/// As for [`compile_file`].
pub fn compile_text(name: &str, bytes: &[u8], options: &Options) -> Result<Option<Compiled>, Error> {
    compile_bytes(Path::new(name), name, bytes, &reading(options), options)
}

fn compile_bytes(
    path: &Path,
    name: &str,
    bytes: &[u8],
    reading: &Reading,
    options: &Options,
) -> Result<Option<Compiled>, Error> {
    let Some(policies) = reading.found_policies(path, bytes) else {
        return Ok(None);
    };
    let policies = policies?;
    let proving = Proving::new(reading, options);
    let mut programs = Programs::default();
    let filters = proving.all(&policies.list).map_err(|error| error.at(name))?;
    programs.add(name, filters);
    programs.notes.clone_from(&policies.notes);
    Ok(Some(Compiled {
        programs,
        policies,
        proving,
    }))
}

/// The policies of a file, one for each filter that results, oldest first; `None` when the file is no policy.
///
/// # Errors
/// When the file cannot be read or has no meaning.
pub fn policies(path: &Path, options: &Options) -> Result<Option<Policies>, Error> {
    let (file, reading) = reading(options).located(path);
    reading.found_policies(&file, &read(&file)?).transpose()
}

/// What compiled policies are proved for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proving {
    machine: Machine,
    order: ByteOrder,
    limits: Limits,
}

impl Proving {
    pub(crate) fn new(reading: &Reading, options: &Options) -> Self {
        Self {
            machine: options.machine(&reading.abis, Some(reading.kernel)),
            order: options.order,
            limits: options.limits,
        }
    }

    /// Filters of policies, each proved.
    pub(crate) fn all(&self, policies: &[GroundPolicy]) -> Result<Vec<Vec<Insn>>, Error> {
        let one = |policy| compile(policy, self.machine, self.order, &self.limits);
        policies.iter().map(one).collect()
    }
}

impl Programs {
    fn add(&mut self, name: &str, programs: Vec<Vec<Insn>>) {
        let several = programs.len() > 1;
        for (number, program) in (1..).zip(programs) {
            let name = if several {
                format!("{name}#{number}")
            } else {
                name.to_owned()
            };
            self.names.push(name);
            self.programs.push(program);
        }
    }
}

/// How files are read where no case file says more.
pub(crate) fn reading(options: &Options) -> Reading {
    let env = Env::new(options.in_force());
    let abis = abis(&env.abis);
    let machine = options.machine(&options.abis, None);
    Reading {
        env,
        abis,
        endian: machine.endian,
        kernel: machine.kernel,
        runtime: options.runtime.unwrap_or_default(),
        select: options.select.clone(),
        is_selected: false,
        caps: options.caps.clone().unwrap_or_default(),
    }
}

/// The programs of a file that must be a policy.
pub(crate) fn of_policy(path: &Path, reading: &Reading, options: &Options) -> Result<Programs, Error> {
    let (file, reading) = reading.located(path);
    let policies = reading.policies(&file.display().to_string(), &read(&file)?, &file)?;
    made(path, policies, &reading, options)
}

/// The programs of the policies of a file.
pub(crate) fn made(path: &Path, policies: Policies, reading: &Reading, options: &Options) -> Result<Programs, Error> {
    let name = path.display().to_string();
    let filters = Proving::new(reading, options).all(&policies.list);
    let mut programs = Programs::default();
    programs.add(&name, filters.map_err(|error| error.at(&name))?);
    programs.notes = policies.notes;
    Ok(programs)
}

/// The programs of files.
pub(crate) fn loaded(
    paths: impl IntoIterator<Item = PathBuf>,
    reading: &Reading,
    options: &Options,
) -> Result<Programs, Error> {
    let mut all = Programs::default();
    for path in paths {
        let name = path.display().to_string();
        let programs = match reading.load(&path)? {
            Source::Programs(programs) => programs,
            Source::Policies(policies) => {
                all.notes.extend(policies.notes);
                let filters = Proving::new(reading, options).all(&policies.list);
                filters.map_err(|error| error.at(&name))?
            }
        };
        all.add(&name, programs);
    }
    Ok(all)
}

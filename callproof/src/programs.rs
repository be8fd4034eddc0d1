//! Programs to be tested, policies compiled.

use std::path::{Path, PathBuf};

use callproof_policy::{Env, GroundPolicy};
use callproof_vm::Insn;

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

/// The filters of a policy file, each proved to be its policy; `None` when the file is no policy.
///
/// # Errors
/// When the file cannot be read, or as for [`compile`].
pub fn compile_file(path: &Path, options: &Options) -> Result<Option<Programs>, Error> {
    let reading = reading(options);
    let bytes = read(path)?;
    let Some(policies) = reading.found_policies(path, &bytes) else {
        return Ok(None);
    };
    made(path, policies?, &reading, options).map(Some)
}

/// The policies of a file, one for each filter that results, oldest first; `None` when the file is no policy.
///
/// # Errors
/// When the file cannot be read or has no meaning.
pub fn policies(path: &Path, options: &Options) -> Result<Option<Vec<GroundPolicy>>, Error> {
    let found = reading(options).found_policies(path, &read(path)?).transpose()?;
    Ok(found.map(|policies| policies.list))
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
        runtime: callproof_formats::policy::Runtime::default(),
        select: None,
        caps: Vec::new(),
    }
}

/// The programs of a file that must be a policy.
pub(crate) fn of_policy(path: &Path, reading: &Reading, options: &Options) -> Result<Programs, Error> {
    let policies = reading.policies(&path.display().to_string(), &read(path)?, path)?;
    made(path, policies, reading, options)
}

/// The programs of the policies of a file.
pub(crate) fn made(path: &Path, policies: Policies, reading: &Reading, options: &Options) -> Result<Programs, Error> {
    let name = path.display().to_string();
    let mut programs = Programs::default();
    programs.add(
        &name,
        compiled(&policies.list, reading, options).map_err(|error| error.at(&name))?,
    );
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
                compiled(&policies.list, reading, options).map_err(|error| error.at(&name))?
            }
        };
        all.add(&name, programs);
    }
    Ok(all)
}

fn compiled(policies: &[GroundPolicy], reading: &Reading, options: &Options) -> Result<Vec<Vec<Insn>>, Error> {
    let machine = options.machine(&reading.abis, Some(reading.kernel));
    let one = |policy| compile(policy, machine, options.order, &options.limits);
    policies.iter().map(one).collect()
}

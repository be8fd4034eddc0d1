//! From a case file to a report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use callproof_formats::cases::{Budget, Case, CaseFile, Subject, What, read_cases};
use callproof_policy::property::Operand;
use callproof_policy::{Claim, Env, GroundPolicy, Item, Problem, Property, PropertyFile, Span};
use callproof_verifier::{Session, Side};
use callproof_vm::{Filter, Machine};

use super::judge::{Judge, claims};
use super::result::{CaseResult, Report};
use crate::error::Error;
use crate::options::{Options, abis};
use crate::programs::{Programs, Proving, loaded, of_policy};
use crate::source::{Reading, Source, admit, read};

/// Runs a case file.
///
/// # Errors
/// When the file, or one that it names, cannot be read or has no meaning, or when the kernel would not install the
/// filter. What a case comes to is in the report.
pub fn run_file(path: &Path, options: &Options) -> Result<Report, Error> {
    run_some(path, options, |_| {})
}

/// Runs the case of one line of a case file, and nothing else of it.
///
/// # Errors
/// As for [`run_file`].
pub fn run_line(path: &Path, line: usize, options: &Options) -> Result<Report, Error> {
    run_some(path, options, |file| {
        file.header.budget = Budget::default();
        file.cases.retain(|case| case.line == line);
    })
}

fn run_some(path: &Path, options: &Options, choose: impl FnOnce(&mut CaseFile)) -> Result<Report, Error> {
    let mut prepared = Prepared::read(path, options)?;
    choose(&mut prepared.file);
    prepared.run(options)
}

/// A case file with what it tests.
pub(super) struct Prepared {
    name: String,
    text: String,
    file: CaseFile,
    folder: PathBuf,
    pub(super) subject: Programs,
}

impl Prepared {
    fn run(&self, options: &Options) -> Result<Report, Error> {
        run(
            (&self.name, &self.text),
            &self.file,
            &self.folder,
            &self.subject,
            options,
        )
    }

    /// Runs the cases one after the other as long as they are wanted, against other programs.
    pub(super) fn run_while(
        &self,
        subject: &Programs,
        options: &Options,
        wanted: &mut dyn FnMut(usize, &CaseResult) -> bool,
    ) -> Result<(), Error> {
        let named = (self.name.as_str(), self.text.as_str());
        run_while(named, &self.file, &self.folder, subject, options, wanted)
    }

    /// What the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The folder that paths count from.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn cases(&self) -> &[Case] {
        &self.file.cases
    }

    /// What is wrong with the text of a case.
    pub(super) fn refuse(&self, problems: &[Problem]) -> Error {
        Error::text(&self.name, &self.text, problems)
    }

    /// How the file and those that it names are read.
    pub(super) fn reading(&self, options: &Options) -> Reading {
        reading(&self.file, options)
    }

    /// The machine that the programs run on.
    pub(super) fn machine(&self, options: &Options) -> Machine {
        let reading = reading(&self.file, options);
        options.machine(&reading.abis, self.file.header.kernel)
    }

    pub(super) fn read(path: &Path, options: &Options) -> Result<Self, Error> {
        let bytes = read(path)?;
        let name = path.display().to_string();
        let file = read_cases(&name, &bytes).map_err(|problems| Error::problems(&name, &bytes, &problems))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let reading = reading(&file, options);
        let subject = if options.filters.is_empty() {
            match &file.header.subject {
                Some(Subject::Filters(paths)) => loaded(paths.iter().map(|path| folder.join(path)), &reading, options)?,
                Some(Subject::Policy(path)) => of_policy(&folder.join(path), &reading, options)?,
                None => {
                    let help = "write `filter = \"daemon.bpf\"` or `policy = \"daemon.policy\"` between lines of `---`";
                    return Err(Error::input("the file does not say what is tested")
                        .at(&name)
                        .help(help));
                }
            }
        } else {
            loaded(options.filters.iter().map(PathBuf::from), &reading, options)?
        };
        if file.cases.is_empty() && file.header.budget == Budget::default() {
            let help = "write one case a line, such as `deny ptrace`; see docs/CASES.md";
            return Err(Error::input("the file has no cases").at(&name).help(help));
        }
        Ok(Self {
            name,
            text,
            file,
            folder,
            subject,
        })
    }
}

/// Runs cases against programs; the file is given by its name and text, and its folder is where paths begin.
///
/// # Errors
/// As for [`run_file`].
pub fn run(
    (name, text): (&str, &str),
    file: &CaseFile,
    folder: &Path,
    subject: &Programs,
    options: &Options,
) -> Result<Report, Error> {
    let reading = reading(file, options);
    let mut report = Report {
        file: name.to_owned(),
        filters: subject.names.clone(),
        kernel: options.machine(&reading.abis, file.header.kernel).kernel.to_string(),
        notes: subject.notes.clone(),
        cases: Vec::new(),
    };
    run_while((name, text), file, folder, subject, options, &mut |_, result| {
        report.cases.push(result.clone());
        true
    })?;
    Ok(report)
}

/// Runs the budget and the cases, one after the other, as long as they are wanted.
fn run_while(
    (name, text): (&str, &str),
    file: &CaseFile,
    folder: &Path,
    subject: &Programs,
    options: &Options,
    wanted: &mut dyn FnMut(usize, &CaseResult) -> bool,
) -> Result<(), Error> {
    let reading = reading(file, options);
    let machine = options.machine(&reading.abis, file.header.kernel);
    let filters = admit(&subject.programs, &subject.names, machine)?;
    check((name, text), &file.cases, &reading.env)?;
    let others = Others::load(&file.cases, folder, &reading, options)?;
    let admitted = others.admitted(machine)?;
    let (sides, operands) = admitted.sides();
    let session = Session::new(&filters, sides, machine, options.order, &options.limits);
    let mut judge = Judge {
        session,
        filters: &filters,
        operands: &operands,
        env: &reading.env,
        machine,
        order: options.order,
        abis: &reading.abis,
        folder,
        name,
        text,
        bless: options.bless,
    };
    let mut index = 0_usize;
    for result in judge.budget(&file.header.budget, &options.limits)? {
        if !wanted(index, &result) {
            return Ok(());
        }
        index = index.saturating_add(1);
    }
    for case in &file.cases {
        if !wanted(index, &judge.case(case)?) {
            return Ok(());
        }
        index = index.saturating_add(1);
    }
    Ok(())
}

fn reading(file: &CaseFile, options: &Options) -> Reading {
    let env = file.header.env(&options.in_force());
    let abis = abis(&env.abis);
    let machine = options.machine(&abis, file.header.kernel);
    Reading {
        env,
        abis,
        endian: machine.endian,
        kernel: machine.kernel,
        runtime: options.runtime.or(file.header.runtime).unwrap_or_default(),
        select: options.select.clone().or_else(|| file.header.select.clone()),
        is_selected: false,
        caps: options.caps.clone().unwrap_or_else(|| file.header.caps.clone()),
    }
}

/// Tells everything at once that keeps a case from having a meaning.
fn check((name, text): (&str, &str), cases: &[Case], env: &Env) -> Result<(), Error> {
    let property = |claim| {
        Item::Property(Property {
            claim,
            span: Span::default(),
        })
    };
    let items = cases.iter().flat_map(claims).map(property).collect();
    PropertyFile { items }
        .check(env)
        .map_err(|problems| Error::text(name, text, &problems))
}

/// Files that cases compare with.
struct Others {
    loaded: Vec<(String, Source)>,
}

/// The same, admitted.
struct Admitted<'o> {
    chains: Vec<(&'o str, Vec<Filter<'o>>)>,
    policies: Vec<(&'o str, &'o GroundPolicy)>,
}

impl Others {
    /// Policies in a stack, and several that one file comes to, are compiled: chains can be compared with proof, and each
    /// filter is proved to be its policy.
    fn load(cases: &[Case], folder: &Path, reading: &Reading, options: &Options) -> Result<Self, Error> {
        let (mut paths, mut stacked) = (Vec::new(), BTreeSet::new());
        for case in cases {
            match &case.what {
                What::SubsetOf { file, .. } | What::Equiv { file, .. } => paths.push(file.clone()),
                What::Claim(claim) => {
                    if let Claim::Relation { left, right, .. } = &**claim {
                        for side in [left, right] {
                            files(side, &mut paths);
                            in_stacks(side, false, &mut stacked);
                        }
                    }
                }
                What::Verdict(_) | What::Replay { .. } | What::Snapshot { .. } => {}
            }
        }
        paths.sort();
        paths.dedup();
        let load = |path: String| {
            let source = match reading.load(&folder.join(&path))? {
                Source::Policies(policies) if policies.list.len() != 1 || stacked.contains(&path) => {
                    let filters = Proving::new(reading, options).all(&policies.list);
                    Source::Programs(filters.map_err(|error| error.at(&path))?)
                }
                source => source,
            };
            Ok((path, source))
        };
        let loaded = paths.into_iter().map(load).collect::<Result<_, Error>>()?;
        Ok(Self { loaded })
    }

    fn admitted(&self, machine: Machine) -> Result<Admitted<'_>, Error> {
        let (mut chains, mut policies) = (Vec::new(), Vec::new());
        for (path, source) in &self.loaded {
            match source {
                Source::Programs(programs) => {
                    let names = vec![path.clone(); programs.len()];
                    chains.push((path.as_str(), admit(programs, &names, machine)?));
                }
                Source::Policies(read) => policies.extend(read.list.iter().map(|policy| (path.as_str(), policy))),
            }
        }
        Ok(Admitted { chains, policies })
    }
}

type Sides<'o> = Vec<(String, Side<'o>)>;

impl Admitted<'_> {
    /// What a session knows of them, and which operand stands for which path.
    fn sides(&self) -> (Sides<'_>, Vec<(String, Operand)>) {
        let (mut sides, mut operands) = (Vec::new(), Vec::new());
        for (path, filters) in &self.chains {
            sides.push(((*path).to_owned(), Side::Chain(filters)));
            operands.push(((*path).to_owned(), Operand::File((*path).to_owned())));
        }
        for (path, policy) in &self.policies {
            sides.push(((*path).to_owned(), Side::Policy((*policy).clone())));
            operands.push(((*path).to_owned(), Operand::File((*path).to_owned())));
        }
        (sides, operands)
    }
}

fn files(operand: &Operand, paths: &mut Vec<String>) {
    match operand {
        Operand::File(path) => paths.push(path.clone()),
        Operand::Stack(parts) => parts.iter().for_each(|part| files(part, paths)),
        Operand::Own | Operand::Named(..) => {}
    }
}

/// The paths of what stands in a stack.
fn in_stacks(operand: &Operand, inside: bool, paths: &mut BTreeSet<String>) {
    match operand {
        Operand::File(path) if inside => drop(paths.insert(path.clone())),
        Operand::Stack(parts) => parts.iter().for_each(|part| in_stacks(part, true, paths)),
        Operand::File(_) | Operand::Own | Operand::Named(..) => {}
    }
}

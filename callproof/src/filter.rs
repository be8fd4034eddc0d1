//! A filter, and what is expected of it.

use std::path::Path;

use callproof_formats::cases::{CaseFile, Header, read_cases};
use callproof_policy::{AbiItem, AbiList, parse_abi_list};
use callproof_vm::{Insn, Kernel};

use crate::cases::{CaseResult, Outcome, run};
use crate::error::Error;
use crate::options::Options;
use crate::programs::{Programs, loaded, reading};

/// A chain of filters to test: what was loaded, and for which ABIs and kernel.
///
/// ```
/// use callproof::Filter;
/// let filter = Filter::load("../examples/web-server.bpf")?.on("x86_64, i386")?;
/// filter.expect("deny ptrace, process_vm_*");
/// filter.expect("errno(ENOSYS) clone3");
/// # Ok::<(), callproof::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    programs: Programs,
    header: Header,
    options: Options,
}

impl Filter {
    /// Loads a filter of any format, or a policy, which is compiled for every ABI; [`load_on`](Self::load_on) is for
    /// policies that are for some.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::load_with(path.as_ref(), Options::default())
    }

    /// Loads a filter or a policy for some ABIs, such as `x86_64, i386`.
    ///
    /// # Errors
    /// When the file cannot be read, or an ABI is unknown.
    pub fn load_on(path: impl AsRef<Path>, abis: &str) -> Result<Self, Error> {
        let list = list(abis)?;
        let options = Options {
            abis: crate::options::abis(&list),
            ..Options::default()
        };
        let mut filter = Self::load_with(path.as_ref(), options)?;
        filter.header.arches = Some(list);
        Ok(filter)
    }

    fn load_with(path: &Path, options: Options) -> Result<Self, Error> {
        let programs = loaded([path.to_owned()], &reading(&options), &options)?;
        Ok(Self {
            programs,
            header: Header::default(),
            options,
        })
    }

    /// A filter from its instructions.
    pub fn from_insns(name: impl Into<String>, program: impl Into<Vec<Insn>>) -> Self {
        Self {
            programs: Programs {
                names: vec![name.into()],
                programs: vec![program.into()],
                notes: Vec::new(),
            },
            header: Header::default(),
            options: Options::default(),
        }
    }

    /// The same with a newer filter installed on top.
    #[must_use]
    pub fn then(mut self, newer: Self) -> Self {
        self.programs.names.extend(newer.programs.names);
        self.programs.programs.extend(newer.programs.programs);
        self
    }

    /// The same for some ABIs: what expectations without `on` speak of. Without this they speak of every possible
    /// input.
    ///
    /// # Errors
    /// When an ABI is unknown.
    pub fn on(mut self, abis: &str) -> Result<Self, Error> {
        self.header.arches = Some(list(abis)?);
        Ok(self)
    }

    /// The same on a kernel release.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.options.kernel = Some(kernel);
        self
    }

    /// The programs, oldest first.
    #[must_use]
    pub fn programs(&self) -> &[Vec<Insn>] {
        &self.programs.programs
    }

    /// What the programs are called.
    pub(crate) fn names(&self) -> &[String] {
        &self.programs.names
    }

    /// The ABIs and the kernel that it is for, if that was said.
    pub(crate) fn said(&self) -> (Option<&AbiList>, Option<Kernel>) {
        (self.header.arches.as_ref(), self.options.kernel)
    }

    /// What comes of expectations, as the lines of a case file without its head; one session answers all of them.
    ///
    /// # Errors
    /// When a line has no meaning, or the kernel would not install the filter.
    pub fn check(&self, lines: &str) -> Result<Vec<CaseResult>, Error> {
        const NAME: &str = "expectation";
        let cases = read_cases(NAME, lines.as_bytes());
        let cases = cases.map_err(|problems| Error::problems(NAME, lines.as_bytes(), &problems))?;
        let file = CaseFile {
            header: self.header.clone(),
            cases: cases.cases,
        };
        let report = run((NAME, lines), &file, Path::new(""), &self.programs, &self.options)?;
        Ok(report.cases)
    }

    /// Expects what the lines say.
    ///
    /// # Panics
    /// When an expectation does not hold, is undecided, or speaks of nothing: with the call that shows it, its path
    /// through the filter, and the nearest call that is treated otherwise.
    #[track_caller]
    pub fn expect(&self, lines: &str) {
        if let Some(text) = self.complaint(lines) {
            fail(&text);
        }
    }

    /// Expects that each of the calls is allowed: `read, write(1 | 2) on x86_64`.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_allows(&self, calls: &str) {
        self.expect(&format!("permit {calls}"));
    }

    /// Expects that none of the calls is allowed.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_denies(&self, calls: &str) {
        self.expect(&format!("deny {calls}"));
    }

    /// Expects that nothing costs more: at most so many instructions for each of the calls, over all filters.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_cost(&self, calls: &str, at_most: u32) {
        self.expect(&format!("cost({calls}) <= {at_most}"));
    }

    /// Expects that this is never more permissive than the filter or policy of a file.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_subset_of(&self, path: impl AsRef<Path>) {
        self.expect(&format!("subset-of {}", quoted(path.as_ref())));
    }

    /// Expects the same verdicts as those of the filter or policy of a file, for every call.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_equivalent_to(&self, path: impl AsRef<Path>) {
        self.expect(&format!("equiv {}", quoted(path.as_ref())));
    }

    /// What is wrong, for people; `None` when every expectation holds.
    fn complaint(&self, lines: &str) -> Option<String> {
        let results = match self.check(lines) {
            Ok(results) => results,
            Err(error) => return Some(error.to_string()),
        };
        let wrong = results
            .iter()
            .filter(|result| !matches!(result.outcome, Outcome::Passed | Outcome::ExpectedFailure));
        let texts: Vec<String> = wrong.map(|result| complaint(result, &self.programs.names)).collect();
        if results.is_empty() {
            return Some("nothing is expected".to_owned());
        }
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }
}

/// What is wrong with one case, for people.
pub(crate) fn complaint(result: &CaseResult, names: &[String]) -> String {
    let head = format!("{}: {}", result.outcome.name(), result.case);
    let details = result.details();
    let lines = details.iter().flat_map(|line| line.lines());
    let body: String = lines.map(|line| format!("\n  {line}")).collect();
    format!("{head}\n  tested: {}{body}", names.join(", "))
}

#[track_caller]
#[expect(clippy::panic, reason = "an expectation that does not hold ends the test")]
pub(crate) fn fail(text: &str) {
    panic!("{text}");
}

fn list(abis: &str) -> Result<AbiList, Error> {
    let list = parse_abi_list(abis).map_err(|problems| Error::problems("ABIs", abis.as_bytes(), &problems))?;
    if list.items.contains(&AbiItem::Other) {
        return Err(Error::input("`other` means what a list leaves out, so it cannot be in it").help("name ABIs"));
    }
    Ok(list)
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

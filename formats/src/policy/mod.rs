//! Policies as other tools write them down, read into ordered rules.
//!
//! ```
//! use callproof_formats::policy::{PolicyFormat, PolicyOptions, read_policy};
//! let text = b"default errno(EPERM)\nallow read, write on x86_64\n";
//! let read = read_policy("plain.policy", text, Some(PolicyFormat::Policy), &PolicyOptions::default())?;
//! assert_eq!(read.policies.len(), 1);
//! # Ok::<(), callproof_policy::Problems>(())
//! ```
//!
//! A policy says here what the tool that owns the format makes of it: where that is not what its text seems to say, a
//! [`Note`] tells so. `docs/POLICIES.md` lists the formats and the source of each fact.

mod build;
mod detect;
mod json;
mod kafel;
mod minijail;
mod names;
mod oci;
mod parts;
mod pfc;
mod report;
mod scmp;
mod seccompiler;
mod systemd;
mod words;
mod write;

use std::collections::BTreeSet;

use callproof_abi::Abi;
use callproof_policy::{Answer, Policy, Problem, Problems, Span};
use callproof_vm::Kernel;

pub use detect::detect_policy;
pub use words::{CAPABILITIES, capability};
pub use write::{PolicyText, PolicyWriteOptions, write_policy, write_policy_text};

/// Longest text that is read, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;
/// How many problems of one text are told.
const TOLD: usize = 50;
/// Longest line that is shown.
const SHOWN_COLUMNS: usize = 10_000;

/// The beginning of a text, for what is about all of it.
const START: Span = Span::new(0, 1);

/// A policy format.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyFormat {
    /// The language of `docs/PROPERTIES.md`
    Policy,
    /// JSON of the OCI runtime specification, Docker and Podman
    Oci,
    /// JSON of seccompiler and Firecracker
    Seccompiler,
    /// Text of minijail
    Minijail,
    /// Text of Kafel
    Kafel,
    /// Pseudo filter code of libseccomp
    Pfc,
    /// `SystemCallFilter=` and its companions in a unit of systemd
    Systemd,
}

/// Whose reading of a text that tools read differently: an OCI profile, or filters of Firecracker.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Runtime {
    /// What the text says by the words of the specification
    #[default]
    Spec,
    /// What runc makes of it
    Runc,
    /// What crun makes of it
    Crun,
    /// What Firecracker's compiler has made of its filters since 1.11; any other value means what rust-vmm's
    /// seccompiler makes of them
    Firecracker,
}

/// Which of minijail's two readers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MinijailReader {
    /// `compile_seccomp_policy.py`: `CONDITION; return E` returns the error when the condition is met
    #[default]
    Compiler,
    /// `libminijail`, which `minijail0 -S` uses: `CONDITION; return E` allows the call when the condition is met and
    /// returns the error otherwise
    Library,
}

/// How a policy of minijail is used, which its text does not say.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Minijail {
    /// Who reads it
    pub reader: MinijailReader,
    /// Whether `kill`, and what is said nowhere, kills the process and not only the thread
    pub kill_process: bool,
    /// What calls get that the policy does not permit, whatever it says itself: `--default-action` of the compiler, or
    /// `log` for `minijail0 -L`
    pub default: Option<Answer>,
}

/// What a reader needs to know beyond the text.
#[derive(Clone)]
pub struct PolicyOptions<'o> {
    /// ABIs that the policy is for, the process's native one first; empty: what the text says, else x86_64
    pub abis: Vec<Abi>,
    /// Capabilities that the process has, by names such as `CAP_SYS_ADMIN`
    pub caps: BTreeSet<String>,
    /// Kernel release of the host
    pub kernel: Kernel,
    /// Whose reading of an OCI profile
    pub runtime: Runtime,
    /// Which of several filters in one file
    pub select: Option<String>,
    /// How a policy of minijail is used
    pub minijail: Minijail,
    /// Reads a file that the text includes, by the path as written there; the error says why it could not be read
    pub include: &'o dyn Fn(&str) -> Result<String, String>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRead {
    /// One policy for each filter that results, oldest first: a call gets the most severe answer, as in a chain
    pub policies: Vec<Policy>,
    /// Departures from the plain reading, and what was ignored
    pub notes: Vec<Note>,
}

/// Something that a reader of the text alone would not expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where it is about
    pub span: Span,
    /// What it is and what it means
    pub message: String,
    /// What kind of departure it is
    pub kind: NoteKind,
}

/// What a note is about.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum NoteKind {
    /// The text means something else than it seems to
    #[default]
    Departure,
    /// A name that no call has, which is left out
    UnknownName,
    /// Tools make different filters of the text
    ByRuntime,
}

impl Default for PolicyOptions<'_> {
    /// No capabilities, the newest kernel, the plain reading, and nothing can be included.
    fn default() -> Self {
        Self {
            abis: Vec::new(),
            caps: BTreeSet::new(),
            kernel: Kernel::LATEST,
            runtime: Runtime::default(),
            select: None,
            minijail: Minijail::default(),
            include: &|_| Err("including files is not possible here".to_owned()),
        }
    }
}

impl core::fmt::Debug for PolicyOptions<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PolicyOptions")
            .field("abis", &self.abis)
            .field("caps", &self.caps)
            .field("kernel", &self.kernel)
            .field("runtime", &self.runtime)
            .field("select", &self.select)
            .field("minijail", &self.minijail)
            .finish_non_exhaustive()
    }
}

impl Note {
    /// A note about a place.
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        let (message, kind) = (message.into(), NoteKind::Departure);
        Self { span, message, kind }
    }

    /// A note about a name that no call has.
    pub fn unknown_name(message: impl Into<String>, span: Span) -> Self {
        Self {
            kind: NoteKind::UnknownName,
            ..Self::new(message, span)
        }
    }

    /// A note about a place of which tools make different filters.
    pub fn by_runtime(message: impl Into<String>, span: Span) -> Self {
        Self {
            kind: NoteKind::ByRuntime,
            ..Self::new(message, span)
        }
    }
}

impl PolicyFormat {
    /// Every format, in the order of the enum.
    pub const ALL: &'static [Self] = &[
        Self::Policy,
        Self::Oci,
        Self::Seccompiler,
        Self::Minijail,
        Self::Kafel,
        Self::Pfc,
        Self::Systemd,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Oci => "oci",
            Self::Seccompiler => "seccompiler",
            Self::Minijail => "minijail",
            Self::Kafel => "kafel",
            Self::Pfc => "pfc",
            Self::Systemd => "systemd",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Policy => "callproof's own language",
            Self::Oci => "JSON of the OCI runtime specification, Docker and Podman",
            Self::Seccompiler => "JSON of rust-vmm's seccompiler and Firecracker",
            Self::Minijail => "text of minijail",
            Self::Kafel => "text of Kafel",
            Self::Pfc => "pseudo filter code of libseccomp",
            Self::Systemd => "a unit of systemd",
        }
    }

    /// What files of the format are usually called, without a dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Oci | Self::Seccompiler => "json",
            Self::Kafel => "kafel",
            Self::Pfc => "pfc",
            Self::Systemd => "service",
            Self::Policy | Self::Minijail => "policy",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let same = |format: &&Self| format.name().eq_ignore_ascii_case(name);
        Self::ALL.iter().find(same).copied()
    }

    fn read(self, name: &str, text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<Problem>> {
        match self {
            Self::Policy => own(name, text),
            Self::Kafel => kafel::read(text, options),
            Self::Pfc => pfc::read(text),
            Self::Systemd => systemd::read(text, options),
            Self::Seccompiler => seccompiler::read(text, options),
            Self::Oci => oci::read(text, options),
            Self::Minijail => minijail::read(text, options),
        }
    }
}

impl core::fmt::Display for PolicyFormat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a policy; `name` is what its problems call it, and its extension can decide between formats.
///
/// Without a format it is detected ([`detect_policy`]).
///
/// # Errors
/// Every problem of the text, the first fifty of them.
pub fn read_policy(
    name: &str,
    bytes: &[u8],
    format: Option<PolicyFormat>,
    options: &PolicyOptions<'_>,
) -> Result<PolicyRead, Problems> {
    let told = |shown: &str, problems| told(name, shown, problems);
    let text = text(bytes).map_err(|(shown, problem)| told(&shown, vec![problem]))?;
    let read = || {
        let format = format.map_or_else(|| detect_policy(name, text), Ok)?;
        format.read(name, text, options)
    };
    read().map_err(|problems| told(text, problems))
}

/// The problems with the text around them.
///
/// Of a text with very long lines no lines are shown: nobody could read them, and renderers count columns in 16 bits.
fn told(name: &str, shown: &str, mut problems: Vec<Problem>) -> Problems {
    problems.sort_by_key(|problem| problem.span.start);
    problems.truncate(TOLD);
    if shown.lines().all(|line| line.len() <= SHOWN_COLUMNS) {
        return Problems::new(name, shown, problems);
    }
    for problem in &mut problems {
        let before = shown.get(..problem.span.start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let column = before
            .get(start..)
            .unwrap_or_default()
            .chars()
            .count()
            .saturating_add(1);
        problem.message = format!("line {line}, column {column}: {}", problem.message);
        problem.span = Span::default();
    }
    Problems::new(name, "", problems)
}

/// The bytes as text, or what is wrong with them and what of them can be shown.
fn text(bytes: &[u8]) -> Result<&str, (String, Problem)> {
    if bytes.len() > MAX_POLICY_BYTES {
        let message = format!(
            "the text has {} bytes; at most {MAX_POLICY_BYTES} are read",
            bytes.len()
        );
        return Err((String::new(), Problem::new(message, Span::default())));
    }
    core::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let problem = Problem::new(format!("byte {at} is not text"), Span::new(at, at.saturating_add(1)))
            .help("a policy is UTF-8 text; is this a compiled filter?");
        (String::from_utf8_lossy(bytes).into_owned(), problem)
    })
}

/// A policy in the language of this project.
fn own(name: &str, text: &str) -> Result<PolicyRead, Vec<Problem>> {
    let policy = callproof_policy::parse_policy(name, text).map_err(|problems| problems.problems)?;
    Ok(PolicyRead {
        policies: vec![policy],
        notes: Vec::new(),
    })
}

//! The command line as it is typed. Help, completions and manual pages come from these definitions.

mod cost;
mod effort;
mod examples;
mod fuzz;
mod lint;
mod observed;
mod policy;
mod scenarios;
mod values;
mod verify;

use std::path::PathBuf;

use callproof_formats::Format;
use callproof_vm::Kernel;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, value_parser};

pub(crate) use cost::Cost;
pub(crate) use effort::Effort;
pub(crate) use fuzz::Fuzz;
pub(crate) use lint::{FailOn, Lint};
pub(crate) use observed::{Replay, Why};
pub(crate) use policy::PolicyArgs;
pub(crate) use scenarios::Scenarios;
pub(crate) use verify::{CheckProof, Explain, Pair, Prove, Subset, Test};

pub(crate) use values::{AnyFormat, Arch, Color, EndianArg, EngineChoice, Output, ShiftArg, Style};

/// Runs and kernel-checks seccomp filters.
///
/// FILTER is a path (the format is detected), `-` for standard input, `hex:` and the hex digits of the instructions,
/// or `pid:` and a process whose installed filters are read. A policy of any format is one too: it is compiled, and the
/// filter is proved to be the policy. Several FILTERs are one chain, oldest first.
#[derive(Debug, Parser)]
#[command(
    name = "callproof",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = examples::CALLPROOF,
    after_long_help = const_format_long_help()
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The long help has the exit codes too.
fn const_format_long_help() -> String {
    format!("{}\n\n{}", examples::CALLPROOF, crate::exit::HELP)
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// ABIs to decide for, by name: `x86_64,i386,x32`, or `all`
    #[arg(long, global = true, value_name = "LIST", value_delimiter = ',')]
    pub(crate) arch: Vec<Arch>,
    /// How to print the answer: human, json, junit, sarif, github, tap or markdown; with `=FILE` into a file (repeatable)
    #[arg(long, global = true, value_name = "FORMAT[=FILE]")]
    pub(crate) format: Vec<Output>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Print no answer for people, only errors; the exit code tells
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Kernel release to emulate [default: the newest known]
    #[arg(long, global = true, value_name = "X.Y")]
    pub(crate) kernel: Option<Kernel>,
    /// Format of every FILTER, instead of detecting it; `callproof convert --help` lists them
    #[arg(long, global = true, value_name = "FORMAT", value_parser = values::format(), hide_possible_values = true)]
    pub(crate) input_format: Option<Format>,
    /// Byte order of the machine and of raw filters [default: the ABI's]
    #[arg(long, global = true, value_name = "ORDER")]
    pub(crate) endian: Option<EndianArg>,
    /// What a shift by 32 or more in X gives; it depends on the kernel's JIT
    #[arg(long, global = true, value_name = "RULE", default_value = "masked")]
    pub(crate) shift: ShiftArg,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show all of it on one filter: admission, decisions on several ABIs, a path, and the running kernel's opinion
    Demo(Demo),
    /// Would the kernel install this filter? If not: the rule, the instruction and the errno
    Check(Filters),
    /// Decide about one call, or about many with --batch
    Eval(Eval),
    /// Decide claims over every possible call, and show a call when one is false
    Prove(Prove),
    /// Find what is likely wrong with a filter, each finding with a call that shows it
    Lint(Lint),
    /// Run case files: expectations about a filter, one a line, each proved
    Test(Test),
    /// Do two filters give every call the same verdict?
    Equiv(Pair),
    /// Is a filter never more permissive than another?
    Subset(Subset),
    /// What two filters answer differently, by ABI and call, with a call that shows it
    Diff(Pair),
    /// What a filter does, by ABI and call, with the conditions on arguments
    Explain(Explain),
    /// Why something was denied: a line of an audit log, a SIGSYS or a line of strace, held against the filter
    Why(Why),
    /// What of a trace a filter would deny, what of the filter the trace never uses, and what its calls cost
    Replay(Replay),
    /// What calls cost: instructions of each call, exactly; answers from the bitmap; what a trace costs
    Cost(Cost),
    /// Check a stored proof, alone
    CheckProof(CheckProof),
    /// Print a filter as assembly, with calls, ABIs and actions named
    Disasm(Filters),
    /// Assemble bpf_asm text
    Asm(Asm),
    /// Write a filter, or a policy, in another format
    Convert(Convert),
    /// Capture the filters that a process has installed
    Dump(Dump),
    /// Find what a filter compiler gets wrong: random policies, each filter proved to be its policy or shown not to be
    Fuzz(Box<Fuzz>),
    /// Compare the emulator with a kernel
    #[command(subcommand)]
    Kernel(KernelCommand),
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    #[command(after_help = examples::MAN)]
    Man {
        /// Folder to write `callproof.1`, `callproof-check.1`, ... to
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// One filter, or a chain of them.
#[derive(Args, Debug)]
#[command(after_help = examples::FILTERS)]
pub(crate) struct Filters {
    /// Path, `-`, `hex:DIGITS` or `pid:N`; several are one chain, oldest first
    #[arg(value_name = "FILTER", required = true)]
    pub(crate) filters: Vec<String>,
}

/// `demo`
#[derive(Args, Debug)]
#[command(after_help = examples::DEMO)]
pub(crate) struct Demo {
    /// A filter of your own, instead of the one that callproof brings along
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Option<String>,
}

/// `eval`
#[derive(Args, Debug)]
#[command(
    after_help = examples::EVAL,
    override_usage = "callproof eval [OPTIONS] FILTER... CALL\n       callproof eval [OPTIONS] --batch FILE.jsonl\n       callproof eval [OPTIONS] FILTER... --records FILE"
)]
pub(crate) struct Eval {
    /// Filters (oldest first), then the call: `socket(AF_INET, SOCK_STREAM, 0)`, `59(1, 2)`, `nr=59 a0=1`
    #[arg(
        value_names = ["FILTER", "CALL"],
        required_unless_present = "batch",
        conflicts_with = "batch",
        num_args = 1..,
        allow_negative_numbers = true
    )]
    pub(crate) operands: Vec<String>,
    /// Print every executed instruction with what it read and where it led
    #[arg(long, conflicts_with = "batch")]
    pub(crate) trace: bool,
    /// Answer one JSON request a line from this file (`-` for standard input), in order
    #[arg(long, value_name = "FILE", group = "many")]
    pub(crate) batch: Option<String>,
    /// Judge the 64-byte records of this file (`-` for standard input); write 4 bytes for each, the combined value
    #[arg(long, value_name = "FILE", group = "many", conflicts_with_all = ["batch", "trace"], requires = "operands")]
    pub(crate) records: Option<String>,
    /// Threads for --batch and --records [default: one for each core]
    #[arg(long, value_name = "N", requires = "many", value_parser = values::jobs())]
    pub(crate) jobs: Option<u16>,
    /// Who judges the calls of --batch and --records; all give the same answers [default: auto]
    #[arg(long, value_name = "ENGINE", value_enum, requires = "many")]
    pub(crate) engine: Option<EngineChoice>,
}

/// `asm`
#[derive(Args, Debug)]
#[command(after_help = examples::ASM)]
pub(crate) struct Asm {
    /// File with bpf_asm text, or `-`
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Format to write
    #[arg(long, value_name = "FORMAT", default_value = "raw", value_parser = values::format())]
    pub(crate) to: Format,
    /// File to write to, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `convert`
#[derive(Args, Debug)]
#[command(after_help = examples::CONVERT)]
pub(crate) struct Convert {
    /// Path, `-`, `hex:DIGITS` or `pid:N`; a policy where a policy is to be written
    #[arg(value_name = "FILTER")]
    pub(crate) filter: String,
    /// Format to write: of filters, or of policies
    #[arg(long, value_name = "FORMAT", value_parser = values::any_format())]
    pub(crate) to: AnyFormat,
    /// Let a policy mean the same on the ABIs of --arch alone, and leave other ABIs to the tool that reads it
    #[arg(long)]
    pub(crate) only_arch: bool,
    /// Add what each instruction is about as comments, in formats that have comments
    #[arg(long)]
    pub(crate) annotate: bool,
    /// File to write to, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Folder to write one file for each filter or policy to; a policy can come to several
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub(crate) out: Option<PathBuf>,
}

/// `dump`
#[derive(Args, Debug)]
#[command(after_help = examples::DUMP, group = ArgGroup::new("source").required(true))]
pub(crate) struct Dump {
    /// Process (or thread) whose installed filters are read
    #[arg(long, value_name = "N", group = "source")]
    pub(crate) pid: Option<i32>,
    /// Command to run; every filter that it or its children install is recorded
    ///
    /// Everything after it belongs to the command, so it comes last.
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true, group = "source")]
    pub(crate) exec: Option<Vec<String>>,
    /// Format to write
    #[arg(long, value_name = "FORMAT", default_value = "asm", value_parser = values::format())]
    pub(crate) to: Format,
    /// Add what each instruction is about as comments, in formats that have comments
    #[arg(long)]
    pub(crate) annotate: bool,
    /// Folder to write one file for each filter to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `kernel`
#[derive(Debug, Subcommand)]
pub(crate) enum KernelCommand {
    /// Answers recorded from a kernel
    #[command(subcommand)]
    Vectors(VectorsCommand),
    /// Random programs and calls through the emulator and the running kernel
    Diff(Diff),
    /// What threads, tracers and supervisors see, on the task model and on the running kernel
    Scenarios(Scenarios),
}

/// `kernel vectors`
#[derive(Debug, Subcommand)]
pub(crate) enum VectorsCommand {
    /// Replay recorded answers through the emulator
    #[command(after_help = examples::VECTORS_CHECK)]
    Check {
        /// Files of vectors (docs/VECTORS.md), `-` for standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
    },
    /// Record the running kernel's answers to generated programs
    #[command(after_help = examples::VECTORS_RECORD)]
    Record(Record),
}

/// `kernel vectors record`
#[derive(Args, Debug)]
pub(crate) struct Record {
    /// How many programs
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u64).range(1..))]
    pub(crate) programs: u64,
    /// Where the stream of programs starts; equal seeds give equal programs
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Calls for each program
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) evals: u32,
    /// What to ask for [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) kinds: Vec<RecordKind>,
    /// File to write to, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What a recording asks the kernel for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordKind {
    /// What each program returns
    Results,
    /// Whether a program is installed, and with which error it is refused
    Admission,
    /// How much room a tenth of the programs need in a chain, to one instruction
    Room,
    /// What calls show under a chain, for a tenth of the programs
    Chains,
    /// The scenarios of `kernel scenarios`
    Scenarios,
}

/// `kernel diff`
#[derive(Args, Debug)]
#[command(after_help = examples::DIFF)]
pub(crate) struct Diff {
    /// How many programs [default: 10000, no limit with --time, 300 with --vm]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) programs: Option<u64>,
    /// Where the stream of programs starts; equal seeds give equal programs [default: from the clock]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Calls for each program
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) evals: u32,
    /// Worker processes [default: one for each core]; with --vm, guests at a time [default: 2]
    #[arg(long, value_name = "N", value_parser = values::jobs())]
    pub(crate) jobs: Option<u16>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) time: Option<u64>,
    /// Folder to write a mismatch to, as a file of vectors
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Ask another kernel, booted in qemu: its name, with the version of its package if it shall not be the newest,
    /// `all` for every one, or `list` for what there is
    #[arg(long, value_name = "NAME[=VERSION]", conflicts_with = "time")]
    pub(crate) vm: Option<String>,
    /// Folder for kernels, with --vm [default: callproof in the user's cache folder]
    #[arg(long, value_name = "DIR", requires = "vm")]
    pub(crate) cache: Option<PathBuf>,
    /// Folder to write some of each kernel's answers to, as files of vectors, with --vm
    #[arg(long, value_name = "DIR", requires = "vm")]
    pub(crate) record: Option<PathBuf>,
}

impl Diff {
    /// How many programs, unless only time ends the campaign.
    pub(crate) fn total(&self) -> Option<u64> {
        const USUAL: u64 = 10_000;
        self.programs.or(self.time.is_none().then_some(USUAL))
    }
}

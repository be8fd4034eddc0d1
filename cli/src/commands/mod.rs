//! The commands. Each returns what it found as a value and prints nothing.

mod batch;
mod campaign;
pub(crate) mod cases;
mod chains;
pub(crate) mod check;
mod convert;
pub(crate) mod decide;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod disasm;
pub(crate) mod dump;
pub(crate) mod eval;
pub(crate) mod fuzz;
mod generate;
pub(crate) mod guests;
pub(crate) mod lint;
pub(crate) mod live;
pub(crate) mod observed;
mod record;
mod rewrite;
pub(crate) mod scenarios;
pub(crate) mod vectors;
pub(crate) mod verify;
pub(crate) mod written;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;

use crate::args::{Cli, Command, EngineChoice, Eval, KernelCommand, Output, Style, VectorsCommand};
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::Input;
use crate::render::{self, Progress};
use crate::report::Report;
use crate::settings::Settings;

/// What a command found or made.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Check(check::Check),
    Eval(eval::Eval),
    Disasm(disasm::Disasm),
    Written(written::Written),
    Vectors(vectors::Vectors),
    Diff(diff::Diff),
    Fuzz(fuzz::Fuzzed),
    Scenarios(scenarios::Scenarios),
    GuestList(guests::list::GuestList),
    Guests(guests::Guests),
    Demo(Box<demo::Demo>),
    Claims(verify::claims::Claims),
    Tests(cases::Tests),
    Lint(Box<lint::Lints>),
    Differences(Box<verify::differences::Differences>),
    Explain(verify::explain::Explain),
    Cost(Box<verify::cost::Cost>),
    CheckProof(verify::check_proof::Checked),
    Why(observed::Explained),
    Replay(observed::Replay),
    /// It was printed while it came about
    Streamed,
}

/// Carries out a command.
pub(crate) fn run(cli: Cli) -> Result<Answer> {
    let settings = Settings::new(&cli.global, &cli.policy);
    let input = Input::new(cli.global.input_format, settings.clone());
    let (input, settings, quiet) = (&input, &settings, cli.global.quiet);
    Ok(match cli.command {
        Command::Demo(demo) => Answer::Demo(Box::new(demo::run(demo.filter.as_deref(), input, settings)?)),
        Command::Check(check) => Answer::Check(check::run(&check.filters, input, settings)?),
        Command::Eval(eval) => eval_or_batch(&eval, &cli.global.format, input, settings)?,
        Command::Prove(prove) => Answer::Claims(verify::prove::run(&prove.with_policy(), input, settings)?),
        Command::Lint(lint) => Answer::Lint(Box::new(lint::run(&lint, input, settings)?)),
        Command::Test(test) => {
            let mut progress = Progress::new("files", Some(test.steps()), quiet);
            Answer::Tests(cases::run(&test, settings, &mut progress)?)
        }
        Command::Equiv(pair) => Answer::Claims(verify::compare::equiv(&pair, input, settings)?),
        Command::Subset(subset) => Answer::Claims(verify::compare::subset(&subset, input, settings)?),
        Command::Diff(pair) => Answer::Differences(Box::new(verify::differences::run(&pair, input, settings)?)),
        Command::Explain(explain) => Answer::Explain(verify::explain::run(&explain, input, settings)?),
        Command::Cost(cost) => Answer::Cost(Box::new(verify::cost::run(&cost, input, settings, quiet)?)),
        Command::Why(why) => Answer::Why(observed::why(&why, input, settings, quiet)?),
        Command::Replay(replay) => Answer::Replay(observed::replay(&replay, input, settings, quiet)?),
        Command::CheckProof(proof) => Answer::CheckProof(verify::check_proof::run(&proof, input)?),
        Command::Disasm(disasm) => Answer::Disasm(disasm::run(&disasm.filters, input, settings)?),
        Command::Asm(asm) => Answer::Written(convert::assemble(asm, input, settings)?),
        Command::Convert(convert) => Answer::Written(convert::run(convert, input, settings)?),
        Command::Dump(dump) => Answer::Written(dump::run(dump, settings)?),
        Command::Fuzz(fuzz) => {
            let progress = Mutex::new(Progress::new("policies", fuzz.total(), quiet));
            Answer::Fuzz(fuzz::run(&fuzz, cli.global.input_format, settings, &progress)?)
        }
        Command::Kernel(KernelCommand::Vectors(VectorsCommand::Check { files })) => {
            Answer::Vectors(vectors::run(&files, settings)?)
        }
        Command::Kernel(KernelCommand::Vectors(VectorsCommand::Record(record))) => {
            let mut progress = Progress::new("programs", Some(record.programs), quiet);
            Answer::Written(record::run(record, &mut progress)?)
        }
        Command::Kernel(KernelCommand::Diff(diff)) if diff.vm.as_deref() == Some("list") => {
            Answer::GuestList(guests::list::run(diff.cache.as_deref())?)
        }
        Command::Kernel(KernelCommand::Diff(diff)) if diff.vm.is_some() => Answer::Guests(guests::run(&diff, quiet)?),
        Command::Kernel(KernelCommand::Diff(diff)) => {
            let progress = Mutex::new(Progress::new("programs", diff.total(), quiet));
            Answer::Diff(diff::run(&diff, settings, &progress)?)
        }
        Command::Kernel(KernelCommand::Scenarios(scenarios)) => Answer::Scenarios(scenarios::run(&scenarios)?),
        Command::Completions { shell } => Answer::Written(generate::completions(shell)),
        Command::Man { out } => Answer::Written(generate::man(out)?),
    })
}

fn eval_or_batch(eval: &Eval, formats: &[Output], input: &Input, settings: &Settings) -> Result<Answer> {
    let (name, file) = match (&eval.batch, &eval.records) {
        (Some(file), _) => ("--batch` answers with JSON lines", file),
        (None, Some(file)) => ("--records` answers with values of 4 bytes", file),
        (None, None) => return eval::run(&eval.operands, eval.trace, input, settings).map(Answer::Eval),
    };
    if formats
        .iter()
        .any(|output| output.style != Style::Json || output.file.is_some())
    {
        let message = format_args!("`eval {name} on standard output and in no other format");
        return Err(Failure::usage(message).with_help("leave `--format` away"));
    }
    let calls: Box<dyn Read> = if file == "-" {
        Box::new(io::stdin().lock())
    } else {
        let path = Path::new(file);
        Box::new(File::open(path).map_err(|error| Failure::io("read", path, &error))?)
    };
    let how = batch::How {
        jobs: eval.jobs,
        engine: eval.engine.and_then(EngineChoice::kind),
    };
    if eval.records.is_some() {
        // Values are no text.
        batch::records::run(&eval.operands, calls, &mut io::stdout().lock(), how, (input, settings))?;
    } else {
        batch::run(calls, &mut render::stdout(), how, settings)?;
    }
    Ok(Answer::Streamed)
}

impl Answer {
    /// The command as it is typed.
    pub(crate) fn command(&self) -> &'static str {
        match self {
            Self::Check(_) => "check",
            Self::Eval(_) => "eval",
            Self::Disasm(_) => "disasm",
            Self::Written(written) => written.command,
            Self::Vectors(_) => "kernel vectors check",
            Self::Diff(_) | Self::GuestList(_) | Self::Guests(_) => "kernel diff",
            Self::Fuzz(_) => "fuzz",
            Self::Scenarios(_) => "kernel scenarios",
            Self::Demo(_) => "demo",
            Self::Claims(claims) => claims.command,
            Self::Tests(_) => "test",
            Self::Lint(_) => "lint",
            Self::Differences(_) => "diff",
            Self::Explain(_) => "explain",
            Self::Cost(_) => "cost",
            Self::CheckProof(_) => "check-proof",
            Self::Why(_) => "why",
            Self::Replay(_) => "replay",
            Self::Streamed => "eval --batch",
        }
    }

    /// The exit code that says it in a number.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Check(check) => check.exit(),
            Self::Eval(eval) => eval.exit(),
            Self::Vectors(vectors) => vectors.exit(),
            Self::Diff(diff) => diff.exit(),
            Self::Fuzz(fuzz) => fuzz.exit(),
            Self::Scenarios(scenarios) => scenarios.exit(),
            Self::Guests(guests) => guests.exit(),
            Self::Demo(demo) => demo.exit(),
            Self::Claims(claims) => claims.exit(),
            Self::Tests(tests) => tests.exit(),
            Self::Lint(lints) => lints.exit(),
            Self::Differences(differences) => differences.exit(),
            Self::Explain(explain) => explain.exit(),
            Self::Cost(cost) => cost.exit(),
            Self::CheckProof(checked) => checked.exit(),
            Self::Why(why) => why.exit(),
            Self::Replay(replay) => replay.exit(),
            Self::Disasm(_) | Self::Written(_) | Self::GuestList(_) | Self::Streamed => Exit::Success,
        }
    }

    /// The findings, for a command that looks for some.
    pub(crate) fn report(&self) -> Option<Report> {
        match self {
            Self::Check(check) => Some(check.report()),
            Self::Eval(eval) => Some(eval.report()),
            Self::Vectors(vectors) => Some(vectors.report()),
            Self::Diff(diff) => Some(diff.report()),
            Self::Fuzz(fuzz) => Some(fuzz.report()),
            Self::Scenarios(scenarios) => Some(scenarios.report()),
            Self::Guests(guests) => Some(guests.report()),
            Self::Demo(demo) => Some(demo.report()),
            Self::Claims(claims) => Some(claims.report()),
            Self::Tests(tests) => Some(tests.report()),
            Self::Lint(lints) => Some(lints.report()),
            Self::Differences(differences) => Some(differences.report()),
            Self::CheckProof(checked) => Some(checked.report()),
            Self::Why(why) => Some(why.report()),
            Self::Replay(replay) => Some(replay.report()),
            Self::Cost(cost) => cost.report(),
            Self::Disasm(_) | Self::Written(_) | Self::GuestList(_) | Self::Explain(_) | Self::Streamed => None,
        }
    }
}

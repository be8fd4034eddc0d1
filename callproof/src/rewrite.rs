//! Policies in another format, held against what they were made of.

use core::fmt::Write as _;

use callproof_formats::Position;
use callproof_formats::policy::{
    PolicyFormat, PolicyOptions, PolicyText, PolicyWriteOptions, read_policy, write_policy_text,
};
use callproof_policy::{GroundPolicy, Policy, Problem};
use callproof_vm::Insn;

use crate::error::Error;
use crate::options::Options;
use crate::programs::{Compiled, reading};
use crate::relate::{self, Decision};

/// What the two sides are called in a witness.
const NAMES: [&str; 2] = ["the policy", "what was written"];

/// How many problems of a policy are told.
const TOLD: usize = 5;

/// A policy in another format.
#[derive(Clone, Debug)]
#[must_use = "what is not proved to mean the same may mean something else"]
pub struct Rewritten {
    /// The text, and what has to be said beside it
    pub text: PolicyText,
    /// Whether it means the same, once it is read again: the filter of the policy answers every call as the text says
    pub same: Decision,
}

impl Compiled {
    /// The policies in another format, in their order. With `only_arch` the ABIs of the options are all that counts, and
    /// others are left to the tool that reads the text; else every possible input counts.
    ///
    /// The text is read again by the reader that [`Options::runtime`] names, and compared with the filter that the policy
    /// was proved to be.
    ///
    /// # Errors
    /// What the format cannot say, with the rule and its place; when what was written cannot be read; when the emulator
    /// and the verifier disagree.
    pub fn rewritten(&self, format: PolicyFormat, options: &Options, only_arch: bool) -> Result<Vec<Rewritten>, Error> {
        let policies = self.policies.written.iter().zip(&self.programs.programs);
        let one = |(policy, filter): (_, &Vec<Insn>)| self.one(policy, filter, format, options, only_arch);
        policies.map(one).collect()
    }

    fn one(
        &self,
        policy: &Policy,
        filter: &[Insn],
        format: PolicyFormat,
        options: &Options,
        only_arch: bool,
    ) -> Result<Rewritten, Error> {
        let how = PolicyWriteOptions {
            env: reading(options).env,
            abis: if only_arch { options.abis.clone() } else { Vec::new() },
            kill_process: false,
        };
        let text = write_policy_text(policy, format, &how).map_err(|problems| {
            let error = self.unsayable(format, &problems.problems);
            let narrower = self.narrower(policy, format, &how, options);
            match (narrower, &error.help) {
                (Some(way), Some(help)) => error.clone().help(format_args!("{help}; or {way}")),
                _ => error,
            }
        })?;
        let meaning = meaning(&text, format, options)?;
        let compared = Options {
            abis: how.abis,
            ..options.clone()
        };
        let same = relate::named(NAMES, filter, &meaning, &compared)?;
        Ok(Rewritten { text, same })
    }

    /// What a format cannot say: the first problems, each with its place if it has one.
    fn unsayable(&self, format: PolicyFormat, problems: &[Problem]) -> Error {
        let place = |problem: &Problem| match problem.span.end {
            0 => self.name.clone(),
            _ => format!(
                "{}:{}",
                self.name,
                Position::of(&self.policies.text, problem.span.start)
            ),
        };
        let mut message = format!("the format {format} cannot say it: ");
        let mut told = problems.iter().take(TOLD);
        let first = told.next();
        message.push_str(first.map_or("", |first| first.message.as_str()));
        for problem in told {
            let _ = write!(message, "\n{}: {}", place(problem), problem.message);
        }
        let more = problems.len().saturating_sub(TOLD);
        if more > 0 {
            let _ = write!(message, "\nand {more} more");
        }
        let error = Error::input(message).at(first.map_or_else(|| self.name.clone(), place));
        match first.and_then(|first| first.help.as_ref()) {
            Some(help) => error.help(help),
            None => error,
        }
    }

    /// How it can be said when fewer ABIs count.
    fn narrower(
        &self,
        policy: &Policy,
        format: PolicyFormat,
        tried: &PolicyWriteOptions,
        options: &Options,
    ) -> Option<String> {
        let mut abis = options.abis.clone();
        if abis.is_empty() {
            let cells = self.policies.list.iter().flat_map(|policy| &policy.cells);
            abis.extend(
                cells
                    .filter(|cell| !cell.rules.is_empty())
                    .filter_map(|cell| cell.cell.abi()),
            );
        }
        if !tried.abis.is_empty() || abis.is_empty() {
            return None;
        }
        let names: Vec<&str> = abis.iter().map(|abi| abi.name()).collect();
        let how = PolicyWriteOptions {
            abis: abis.clone(),
            ..tried.clone()
        };
        write_policy_text(policy, format, &how).ok()?;
        Some(format!(
            "leave other ABIs to the tool that reads it: `--arch {} --only-arch`",
            names.join(",")
        ))
    }
}

/// What a text means to the reader of its format.
fn meaning(text: &PolicyText, format: PolicyFormat, options: &Options) -> Result<GroundPolicy, Error> {
    let reading = reading(options);
    let said = PolicyOptions {
        abis: text.abis.clone(),
        caps: reading.caps.iter().cloned().collect(),
        kernel: reading.kernel,
        runtime: reading.runtime,
        ..PolicyOptions::default()
    };
    let unreadable = |problems: &[_]| {
        let error = Error::text(NAMES[1], &text.text, problems);
        let message = format!("it was written as {format} and cannot be read: {}", error.message);
        Error { message, ..error }
    };
    let read = read_policy(NAMES[1], text.text.as_bytes(), Some(format), &said);
    let read = read.map_err(|problems| unreadable(&problems.problems))?;
    match read.policies.as_slice() {
        [policy] => policy.ground(&reading.env).map_err(|problems| unreadable(&problems)),
        many => Err(Error::input(format_args!(
            "what was written as {format} comes to {} filters",
            many.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use callproof_formats::policy::Runtime;

    use super::*;
    use crate::programs::compile_text;

    const POLICY: &str = "default kill_process\nallow read, write(0..=2) on x86_64\nerrno(EPERM) * on x86_64, x32\n";

    fn compiled(text: &str, options: &Options) -> Compiled {
        compile_text("test.policy", text.as_bytes(), options).unwrap().unwrap()
    }

    fn one(text: &str, format: PolicyFormat, options: &Options, only_arch: bool) -> Result<Rewritten, Error> {
        let all = compiled(text, options).rewritten(format, options, only_arch);
        all.map(|mut all| all.pop().unwrap())
    }

    #[test]
    fn what_is_written_is_proved() {
        let options = Options::default();
        let written = one(POLICY, PolicyFormat::Seccompiler, &options, false).unwrap();
        assert!(written.same.holds(), "{written:?}");
        assert!(written.text.text.contains(r#""syscall": "write""#), "{written:?}");
    }

    #[test]
    fn a_text_that_means_something_else_is_shown() {
        let options = Options::default();
        let compiled = compiled(POLICY, &options);
        let all = compiled.rewritten(PolicyFormat::Seccompiler, &options, false).unwrap();
        let mut text = all.into_iter().next().unwrap().text;
        text.text = text.text.replace("\"write\"", "\"writev\"");
        let meaning = meaning(&text, PolicyFormat::Seccompiler, &options).unwrap();
        let same = relate::named(NAMES, &compiled.programs.programs[0], &meaning, &options).unwrap();
        let witness = same.witness().unwrap();
        assert_ne!(witness.left.value, witness.right.value);
        assert!([1, 20].contains(&witness.call.nr), "{witness}");
        assert_eq!(witness.right.of, "what was written");
    }

    #[test]
    fn a_tool_that_reads_it_in_another_way_is_shown() {
        let text = "default kill_thread\nallow read on x86_64\nerrno(EPERM) * on x86_64\n";
        let mut options = Options::default();
        assert!(one(text, PolicyFormat::Oci, &options, false).unwrap().same.holds());
        // runc answers ENOSYS where numbers are beyond those of the profile.
        options.runtime = Some(Runtime::Runc);
        let written = one(text, PolicyFormat::Oci, &options, false).unwrap();
        let witness = written.same.witness().unwrap();
        assert_eq!(
            [witness.left.value, witness.right.value],
            [0x5_0001, 0x5_0026],
            "{witness}"
        );
    }

    #[test]
    fn what_cannot_be_said_names_the_rule_and_its_line() {
        let text = "default kill_process\nallow read on x86_64\n\nnotify write on x86_64\n";
        let error = one(text, PolicyFormat::Seccompiler, &Options::default(), false).unwrap_err();
        assert_eq!(error.place.as_deref(), Some("test.policy:4:8"), "{error}");
        let wanted = "the format seccompiler cannot say it: rule 2, `notify write on x86_64`: seccompiler has no words for notify";
        assert!(error.message.starts_with(wanted), "{error}");
        assert!(error.help.is_some(), "{error}");
    }

    #[test]
    fn other_abis_count_unless_told_otherwise() {
        let text = "default errno(EPERM)\nallow read on x86_64\n";
        let mut options = Options::default();
        options.abis.push(callproof_abi::Abi::X86_64);
        let error = one(text, PolicyFormat::Kafel, &options, false).unwrap_err();
        assert!(error.message.contains("get something else than kill_thread"), "{error}");
        let written = one(text, PolicyFormat::Kafel, &options, true).unwrap();
        assert!(written.same.holds(), "{written:?}");
    }
}

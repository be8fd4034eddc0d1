//! Policies in another format, held against what they were made of.

use core::fmt::Write as _;

use callproof_formats::Position;
use callproof_formats::policy::{PolicyFormat, PolicyText, PolicyWriteOptions, write_policy_text};
use callproof_policy::{GroundPolicy, Policy, Problem, Problems};
use callproof_vm::Insn;

use crate::error::Error;
use crate::options::Options;
use crate::programs::{Compiled, reading};
use crate::relate::{self, Decision};
use crate::source::Reading;

/// What the two sides are called in a witness.
const NAMES: [&str; 2] = ["the policy", "what was written"];

/// How many problems of a policy are told beside the first.
const TOLD: usize = 4;

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
        let reading = reading(options);
        let writer = Writer {
            text: &self.policies.text,
            format,
            options,
            how: PolicyWriteOptions {
                env: reading.env,
                abis: if only_arch { options.abis.clone() } else { Vec::new() },
                kill_process: false,
            },
        };
        let filters = self.programs.names.iter().zip(&self.programs.programs);
        let policies = self.policies.written.iter().zip(&self.policies.list);
        let mut all = Vec::new();
        for ((name, filter), (policy, ground)) in filters.zip(policies) {
            let text = writer
                .write(policy)
                .map_err(|problems| writer.unsayable(name, &problems.problems, writer.narrower(policy, ground)))?;
            let same = writer.compared(filter, &text)?;
            all.push(Rewritten { text, same });
        }
        Ok(all)
    }
}

/// How policies are written.
struct Writer<'w> {
    /// What they were read from
    text: &'w str,
    format: PolicyFormat,
    options: &'w Options,
    how: PolicyWriteOptions,
}

impl Writer<'_> {
    fn write(&self, policy: &Policy) -> Result<PolicyText, Problems> {
        write_policy_text(policy, self.format, &self.how)
    }

    /// Whether a text means what a filter does.
    fn compared(&self, filter: &[Insn], text: &PolicyText) -> Result<Decision, Error> {
        let meaning = meaning(text, self.format, self.options)?;
        let options = Options {
            abis: self.how.abis.clone(),
            ..self.options.clone()
        };
        relate::named(NAMES, filter, &meaning, &options)
    }

    /// What the format cannot say: the first problems, each with its place if it has one.
    fn unsayable(&self, name: &str, problems: &[Problem], other_way: Option<String>) -> Error {
        let place = |problem: &Problem| match problem.span.end {
            0 => name.to_owned(),
            _ => format!("{name}:{}", Position::of(self.text, problem.span.start)),
        };
        let mut message = format!("the format {} cannot say it: ", self.format);
        let Some((first, rest)) = problems.split_first() else {
            return Error::input(message).at(name);
        };
        message.push_str(&first.message);
        for problem in rest.iter().take(TOLD) {
            let _ = write!(message, "\n{}: {}", place(problem), problem.message);
        }
        let more = rest.len().saturating_sub(TOLD);
        if more > 0 {
            let _ = write!(message, "\nand {more} more");
        }
        let help: Vec<String> = first.help.clone().into_iter().chain(other_way).collect();
        Error::input(message).at(place(first)).help(help.join("; or "))
    }

    /// How a policy can be said when fewer ABIs count.
    fn narrower(&self, policy: &Policy, ground: &GroundPolicy) -> Option<String> {
        let mut abis = self.options.abis.clone();
        if abis.is_empty() {
            let with_rules = ground.cells.iter().filter(|cell| !cell.rules.is_empty());
            abis.extend(with_rules.filter_map(|cell| cell.cell.abi()));
        }
        if !self.how.abis.is_empty() || abis.is_empty() {
            return None;
        }
        let names: Vec<&str> = abis.iter().map(|abi| abi.name()).collect();
        let names = names.join(",");
        let how = PolicyWriteOptions {
            abis,
            ..self.how.clone()
        };
        write_policy_text(policy, self.format, &how).ok()?;
        Some(format!(
            "leave other ABIs to the tool that reads it: `--arch {names} --only-arch`"
        ))
    }
}

/// What a text means to the reader of its format.
fn meaning(text: &PolicyText, format: PolicyFormat, options: &Options) -> Result<GroundPolicy, Error> {
    let reading = Reading {
        abis: text.abis.clone(),
        select: None,
        ..reading(options)
    };
    reading.meaning(NAMES[1], &text.text, format).map_err(|error| {
        let message = format!("it was written as {format} and cannot be read: {}", error.message);
        Error { message, ..error }
    })
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
    fn what_reaches_a_limit_is_undecided() {
        let text = "default kill_thread\nallow read(raw: & 0x1234567) on x86_64\n";
        let mut options = Options::default();
        let compiled = compiled(text, &options);
        options.limits.nodes = 10;
        let all = compiled.rewritten(PolicyFormat::Oci, &options, false).unwrap();
        assert!(matches!(all[0].same, Decision::Undecided(_)), "{all:?}");
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

//! One policy through a compiler, and the filter held against the policy.

use callproof_formats::policy::{PolicyFormat, PolicyWriteOptions, write_policy};
use callproof_formats::{Format, ReadOptions};
use callproof_policy::{Env, GroundPolicy, Policy, Problems};
use callproof_verifier::{Answer, AskError, Shown, Side};
use callproof_vm::{Filter, Insn, Machine};

use super::compiler::{Compiler, End, Offer, Run};
use super::verdict::{Fault, Kind, Verdict};
use crate::cases::judge::undecided;
use crate::equality::equality;
use crate::error::{Error, ErrorKind};
use crate::exhibit::{Exhibit, machine_of};
use crate::options::Options;
use crate::programs::reading;
use crate::source::{Reading, admit};

/// The formats in which policies can be offered.
pub const OFFERED: &[PolicyFormat] = &[
    PolicyFormat::Policy,
    PolicyFormat::Oci,
    PolicyFormat::Seccompiler,
    PolicyFormat::Minijail,
    PolicyFormat::Kafel,
    PolicyFormat::Pfc,
];

/// What the policy is called in messages.
const POLICY: &str = "policy";

/// How a compiler is judged.
#[derive(Clone, Debug)]
pub struct Fuzz {
    /// The compiler
    pub compiler: Compiler,
    /// The format in which it reads policies
    pub offer: PolicyFormat,
    /// The format in which it writes filters; detected when `None`
    pub writes: Option<Format>,
    /// The ABIs that policies are for, the machine, whose reading of policies counts, the limits of the search
    pub options: Options,
    /// Whether the filter need be the policy on these ABIs alone, whatever it says elsewhere
    pub only_arch: bool,
    /// Whether a policy that the compiler refuses is a fault
    pub strict: bool,
}

/// What was tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The verdict
    pub verdict: Verdict,
    /// The policy as it was offered
    pub text: String,
    /// What the compiler wrote
    pub output: Vec<u8>,
    /// What the compiler said on standard error
    pub complaints: String,
}

impl Fuzz {
    /// Compiles a policy, and decides whether the filter is the policy. With `runs` above 1 the compiler runs so often,
    /// and must write the same each time.
    ///
    /// # Errors
    /// When the compiler cannot be run at all, and when the emulator and the verifier disagree, which is a bug here.
    pub fn policy(&self, policy: &Policy, runs: usize) -> Result<Tried, Error> {
        match self.written(policy) {
            Ok(text) => self.text(text, runs),
            Err(why) => Ok(Tried {
                verdict: Verdict::Unoffered(why),
                text: String::new(),
                output: Vec::new(),
                complaints: String::new(),
            }),
        }
    }

    /// A policy in the format of the compiler, or why it cannot be written there.
    pub(crate) fn written(&self, policy: &Policy) -> Result<String, String> {
        let one = matches!(
            self.offer,
            PolicyFormat::Seccompiler | PolicyFormat::Minijail | PolicyFormat::Kafel
        );
        let abis = self.options.abis.iter().take(if one { 1 } else { usize::MAX });
        let options = PolicyWriteOptions {
            env: reading(&self.options).env,
            abis: abis.copied().collect(),
            kill_process: false,
        };
        let told = |problems: Problems| Error::text("policy", "", &problems.problems).to_string();
        write_policy(policy, self.offer, &options).map_err(told)
    }

    /// The same for a policy that is written already: it means what the reader of the format reads.
    ///
    /// # Errors
    /// As for [`policy`](Self::policy).
    pub fn text(&self, text: String, runs: usize) -> Result<Tried, Error> {
        let reading = reading(&self.options);
        let meaning = match reading.meaning("policy", &text, self.offer) {
            Ok(policy) => policy,
            Err(why) => {
                return Ok(Tried {
                    verdict: Verdict::Unoffered(why.to_string()),
                    text,
                    output: Vec::new(),
                    complaints: String::new(),
                });
            }
        };
        let names: Vec<&str> = reading.abis.iter().map(|abi| abi.name()).collect();
        let arch = names.join(",");
        let offer = Offer {
            text: &text,
            extension: self.offer.extension(),
            arch: &arch,
        };
        let run = self.compiler.run(&offer)?;
        let verdict = match self.again(&run, &offer, runs)? {
            Some(fault) => Verdict::Wrong(fault),
            None => self.ended(&run, &meaning, &reading)?,
        };
        Ok(Tried {
            verdict,
            text,
            output: run.output,
            complaints: run.complaints,
        })
    }

    /// Whether further runs write the same.
    fn again(&self, first: &Run, offer: &Offer<'_>, runs: usize) -> Result<Option<Fault>, Error> {
        if first.end != End::Exited(0) {
            return Ok(None);
        }
        for _ in 1..runs {
            let next = self.compiler.run(offer)?;
            if next.end != first.end || next.output != first.output {
                let message = "two runs on the same policy do not write the same filter";
                return Ok(Some(Fault::new(Kind::Unsteady, message)));
            }
        }
        Ok(None)
    }

    fn ended(&self, run: &Run, meaning: &GroundPolicy, reading: &Reading) -> Result<Verdict, Error> {
        let fault = match run.end {
            End::Exited(0) => return self.filter(&run.output, meaning, reading),
            End::Exited(code) if self.strict => {
                Fault::new(Kind::Declined, format_args!("the compiler ends with code {code}"))
            }
            // What a panic of Rust ends with: nobody refuses a policy so.
            End::Exited(101) => Fault::new(Kind::Crash, "the compiler ends with code 101, as a panic does"),
            // A shell says so that what it ran died of a signal.
            End::Exited(code @ 129..=159) => {
                let signal = code.saturating_sub(128);
                Fault::new(Kind::Crash, format_args!("the compiler died of signal {signal}"))
            }
            End::Exited(_) => return Ok(Verdict::Declined),
            End::Signal(signal) => Fault::new(Kind::Crash, format_args!("the compiler died of signal {signal}")),
            End::Late => {
                let seconds = self.compiler.deadline.as_secs_f64();
                Fault::new(Kind::Hang, format_args!("the compiler did not end in {seconds} s"))
            }
            End::Flood => Fault::new(Kind::Flood, "the compiler wrote more than anything that is read"),
        };
        Ok(Verdict::Wrong(fault))
    }

    /// Whether what was written is a filter, one that the kernel takes, and the policy.
    fn filter(&self, output: &[u8], meaning: &GroundPolicy, reading: &Reading) -> Result<Verdict, Error> {
        let wrong = |kind, message: &dyn core::fmt::Display| Ok(Verdict::Wrong(Fault::new(kind, message)));
        let programs = match self.programs(output, reading) {
            Ok(programs) => programs,
            Err(why) => return wrong(Kind::Unreadable, &why),
        };
        let machine = self.options.machine(&reading.abis, Some(reading.kernel));
        let names = [];
        match admit(&programs, &names, machine) {
            Ok(filters) => self.compared(&filters, meaning, machine),
            Err(error) => wrong(
                Kind::Refused,
                &format_args!("the kernel would not install the filter: {}", error.message),
            ),
        }
    }

    fn programs(&self, output: &[u8], reading: &Reading) -> Result<Vec<Vec<Insn>>, String> {
        if output.is_empty() {
            return Err("the compiler ends well and writes nothing".to_owned());
        }
        let options = ReadOptions {
            format: self.writes,
            endian: reading.endian,
            abi: reading.abis.first().copied(),
            path: None,
        };
        let read = options.read_all(output);
        let read = read.map_err(|error| format!("what the compiler writes is no filter: {error}"))?;
        Ok(read.into_iter().map(|program| program.insns).collect())
    }

    fn compared(&self, filters: &[Filter<'_>], meaning: &GroundPolicy, machine: Machine) -> Result<Verdict, Error> {
        let env = if self.only_arch {
            Env::new(self.options.in_force())
        } else {
            Env::default()
        };
        let policy = Side::Policy(meaning.clone());
        let (order, limits) = (self.options.order, &self.options.limits);
        let answer = equality(filters, policy, &env, machine, order, limits);
        let answer = answer.map_err(|error: AskError| match error {
            AskError::Problems(problems) => Error::text(POLICY, "", &problems),
            AskError::Disagreement(disagreement) => Error::new(ErrorKind::Bug, disagreement),
        })?;
        Ok(match answer {
            Answer::Holds { proof: Some(_), .. } => Verdict::Proved,
            Answer::Holds { proof: None, .. } => Verdict::Undecided("no proof of it was accepted".to_owned()),
            Answer::Vacuous => Verdict::Undecided("no ABI is in force".to_owned()),
            Answer::Undecided(tried) => Verdict::Undecided(undecided(&tried)),
            Answer::Fails(found) => Verdict::Wrong(Fault {
                kind: Kind::Differs,
                message: "the filter is not the policy".to_owned(),
                shown: self.exhibits(&found.shown, filters, machine),
            }),
        })
    }

    /// What the filter answers, with its way there, and what the policy does.
    fn exhibits(&self, shown: &[Shown], filters: &[Filter<'_>], machine: Machine) -> Vec<Exhibit> {
        let one = |(at, shown): (usize, &Shown)| {
            let machine = machine_of(&shown.call, machine, self.options.order);
            match at {
                0 => Exhibit::new(shown, "the filter", Some(filters), machine),
                _ => Exhibit::new(shown, "the policy", None, machine),
            }
        };
        shown.iter().enumerate().map(one).collect()
    }
}

//! Policies in the formats of other tools.
//!
//! A policy is taken apart by ABI and number ([`flat`]), what it asks of arguments into alternatives ([`alternatives`]),
//! and both put into the words of the format. Whatever a format cannot say is refused.

mod alternatives;
mod bits;
mod flat;
mod kafel;
mod library;
mod minijail;
mod oci;
mod one_abi;
mod pfc;
mod seccompiler;

use callproof_abi::Abi;
use callproof_policy::{Env, Policy, Problem, Problems, Span};

use super::{PolicyFormat, TOLD};
use flat::Flat;

/// What a writer needs to know beyond the policy.
#[derive(Clone, Debug, Default)]
pub struct PolicyWriteOptions {
    /// The ABIs in force for rules that name none, and named sets
    pub env: Env,
    /// The ABIs that count: what the policy says of others is left to what the tool does there, which is mostly to kill.
    /// Empty: every ABI counts, and a format whose policies are for one ABI takes the one that rules are about
    pub abis: Vec<Abi>,
    /// Minijail: that the policy is used with `--use-kill-process`, so that calls of other ABIs kill the process
    pub kill_process: bool,
}

/// A policy in a format, and what has to be said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// The text
    pub text: String,
    /// The ABIs to name to a reader of the text ([`PolicyOptions::abis`](super::PolicyOptions)), the native one first;
    /// empty when the text itself says
    pub abis: Vec<Abi>,
}

/// Writes a policy in a format. Reading the result back, for the same ABI, gives a policy that answers every call the
/// same; the rules can be others, in another order.
///
/// ```
/// use callproof_formats::policy::{PolicyFormat, PolicyWriteOptions, write_policy};
/// let text = "default kill_process\nallow read, write(0..=2) on x86_64\nerrno(EPERM) * on x86_64, x32\n";
/// let policy = callproof_policy::parse_policy("first.policy", text)?;
/// let json = write_policy(&policy, PolicyFormat::Seccompiler, &PolicyWriteOptions::default())?;
/// assert!(json.contains(r#""syscall": "read""#));
/// # Ok::<(), callproof_policy::Problems>(())
/// ```
///
/// # Errors
/// What the format cannot say, with the rules that say it, which lie in the text that the policy was read from; what is
/// wrong with the policy itself; and units of systemd, which are not written.
pub fn write_policy(policy: &Policy, format: PolicyFormat, options: &PolicyWriteOptions) -> Result<String, Problems> {
    write_policy_text(policy, format, options).map(|written| written.text)
}

/// The same, with the ABIs that have to be said beside the text.
///
/// # Errors
/// As for [`write_policy`].
pub fn write_policy_text(
    policy: &Policy,
    format: PolicyFormat,
    options: &PolicyWriteOptions,
) -> Result<PolicyText, Problems> {
    written(policy, format, options).map_err(|mut problems| {
        problems.truncate(TOLD);
        Problems::new(format!("the policy, to be written for {format}"), "", problems)
    })
}

fn written(policy: &Policy, format: PolicyFormat, options: &PolicyWriteOptions) -> Result<PolicyText, Vec<Problem>> {
    let flat = Flat::of(policy, &options.env)?;
    let mut refused = Refused::default();
    let for_one = match format {
        PolicyFormat::Seccompiler => seccompiler::write(&flat, options, &mut refused),
        PolicyFormat::Minijail => minijail::write(&flat, options, &mut refused),
        PolicyFormat::Kafel => kafel::write(&flat, options, &mut refused),
        _ => None,
    };
    let text = match format {
        PolicyFormat::Policy => {
            flat.check_errnos(&mut refused);
            policy.to_string()
        }
        PolicyFormat::Oci => oci::write(&flat, &options.abis, &mut refused),
        PolicyFormat::Pfc => pfc::write(&flat, &options.abis, &mut refused),
        PolicyFormat::Systemd => {
            let help = "formats that can be written are policy, oci, seccompiler, minijail, kafel and pfc";
            refused.push("units of systemd are not written", help);
            String::new()
        }
        PolicyFormat::Seccompiler | PolicyFormat::Minijail | PolicyFormat::Kafel => String::new(),
    };
    if !refused.problems.is_empty() {
        return Err(refused.problems);
    }
    Ok(for_one.unwrap_or(PolicyText { text, abis: Vec::new() }))
}

/// What a format cannot say.
#[derive(Debug, Default)]
struct Refused {
    problems: Vec<Problem>,
}

impl Refused {
    fn push(&mut self, message: impl Into<String>, help: &str) {
        self.push_at(Span::default(), message, help);
    }

    fn push_at(&mut self, span: Span, message: impl Into<String>, help: &str) {
        let problem = Problem::new(message, span).help(help);
        if self.problems.len() < TOLD && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

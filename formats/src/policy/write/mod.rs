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
    /// The ABI of a format whose policies are for one; without it the one that the policy has rules for
    pub abi: Option<Abi>,
    /// Minijail: that the policy is used with `--use-kill-process`, so that calls of other ABIs kill the process
    pub kill_process: bool,
}

/// Writes a policy in a format. Reading the result back, for the same ABI, gives a policy that answers every call the
/// same; the rules can be others, in another order.
///
/// ```
/// use callproof_formats::policy::{PolicyFormat, PolicyWriteOptions, write_policy};
/// let text = "default kill_process\nallow read, write(0..=2) on x86_64\nerrno(EPERM) * on x86_64\n";
/// let policy = callproof_policy::parse_policy("first.policy", text)?;
/// let json = write_policy(&policy, PolicyFormat::Seccompiler, &PolicyWriteOptions::default())?;
/// assert!(json.contains(r#""syscall": "read""#));
/// # Ok::<(), callproof_policy::Problems>(())
/// ```
///
/// # Errors
/// What the format cannot say, with the rules that say it; what is wrong with the policy itself; and units of systemd,
/// which are not written.
pub fn write_policy(policy: &Policy, format: PolicyFormat, options: &PolicyWriteOptions) -> Result<String, Problems> {
    written(policy, format, options).map_err(|mut problems| {
        problems.truncate(TOLD);
        Problems::new(format!("the policy, to be written for {format}"), "", problems)
    })
}

fn written(policy: &Policy, format: PolicyFormat, options: &PolicyWriteOptions) -> Result<String, Vec<Problem>> {
    let flat = Flat::of(policy, &options.env)?;
    let mut refused = Refused::default();
    let text = match format {
        PolicyFormat::Policy => policy.to_string(),
        PolicyFormat::Oci => oci::write(&flat, &mut refused),
        PolicyFormat::Seccompiler => seccompiler::write(&flat, options, &mut refused),
        PolicyFormat::Minijail => minijail::write(&flat, options, &mut refused),
        PolicyFormat::Kafel => kafel::write(&flat, options, &mut refused),
        PolicyFormat::Pfc => pfc::write(&flat, &mut refused),
        PolicyFormat::Systemd => {
            let help = "formats that can be written are policy, oci, seccompiler, minijail, kafel and pfc";
            refused.push("units of systemd are not written", help);
            String::new()
        }
    };
    if refused.problems.is_empty() {
        Ok(text)
    } else {
        Err(refused.problems)
    }
}

/// What a format cannot say.
#[derive(Debug, Default)]
struct Refused {
    problems: Vec<Problem>,
}

impl Refused {
    fn push(&mut self, message: impl Into<String>, help: &str) {
        let problem = Problem::new(message, Span::default()).help(help);
        if self.problems.len() < TOLD && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

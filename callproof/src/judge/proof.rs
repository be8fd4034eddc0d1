//! Judges that decide about every call.

use callproof_formats::policy::{PolicyFormat, PolicyOptions, PolicyWriteOptions, read_policy, write_policy_text};
use callproof_policy::{ByteOrder, CompileOptions, Env, GroundPolicy, Policy, Problems};
use callproof_verifier::{Answer, Limits, Side};
use callproof_vm::{Filter, Insn, Machine, SeccompData};

use super::{Agreement, Disagreement};
use crate::cases::judge::undecided;
use crate::equality::equality;
use crate::exhibit::machine_of;

type Judged = Result<Agreement, Box<Disagreement>>;

/// Where filters run, and how far the search for an answer goes.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// The machine and its kernel
    pub machine: Machine,
    /// Which half of a register is which
    pub order: ByteOrder,
    /// The limits of the search
    pub limits: Limits,
    /// The ABIs that count; every possible input unless it says otherwise
    pub env: Env,
}

impl Judge {
    /// Whether a filter is a policy: it answers every possible call as the policy does.
    ///
    /// # Errors
    /// When the kernel would not install the filter, or a call that shows the difference.
    pub fn policy(&self, program: &[Insn], policy: &GroundPolicy) -> Judged {
        let filter = self.load(program, "the filter")?;
        let side = Side::Policy(policy.clone());
        self.equal(&filter, side, "the filter is not the policy", &|call| {
            policy.decide(call)
        })
    }

    /// Whether two filters answer every possible call the same: what an optimiser made, and what it was made of.
    ///
    /// # Errors
    /// When the kernel would not install one of them, or a call that shows the difference.
    pub fn same(&self, program: &[Insn], original: &[Insn]) -> Judged {
        let filter = self.load(program, "the filter")?;
        let others = [self.load(original, "the original")?];
        let [other] = &others;
        let run = |call: &SeccompData| other.run(call, machine_of(call, self.machine, self.order));
        self.equal(&filter, Side::Chain(&others), "the filters differ", &run)
    }

    /// Whether two policies answer every possible call the same.
    ///
    /// # Errors
    /// A call that shows the difference.
    pub fn policies(&self, policy: &GroundPolicy, original: &GroundPolicy) -> Judged {
        let options = CompileOptions { order: self.order };
        // By way of a filter of the first, which is proved to be both.
        let program = match callproof_policy::compile(policy, &options) {
            Ok(program) => program,
            Err(error) => return Ok(Agreement::Undecided(error.to_string())),
        };
        match self.policy(&program, policy)? {
            Agreement::Proved => self.policy(&program, original),
            undecided @ Agreement::Undecided(_) => Ok(undecided),
        }
    }

    /// Whether a policy that is written in a format means the same to the reader of the format, who is told the ABIs that
    /// the text does not say.
    ///
    /// # Errors
    /// When the format cannot say it, when what is written cannot be read, or a call that shows the difference.
    pub fn written(&self, policy: &Policy, format: PolicyFormat, options: &PolicyWriteOptions) -> Judged {
        let told = |problems: Problems| {
            let list = problems.problems.iter().map(|problem| problem.message.as_str());
            Disagreement::new(list.collect::<Vec<_>>().join("; "))
        };
        let written = write_policy_text(policy, format, options).map_err(told)?;
        let reading = PolicyOptions {
            abis: written.abis,
            ..PolicyOptions::default()
        };
        let read = read_policy("written", written.text.as_bytes(), Some(format), &reading).map_err(told)?;
        let ground = |policy: &Policy| {
            let told = |problems| told(Problems::new("policy", "", problems));
            policy.ground(&options.env).map_err(told)
        };
        match read.policies.as_slice() {
            [read] => self.policies(&ground(read)?, &ground(policy)?),
            many => Err(Disagreement::new(format_args!(
                "the text comes to {} filters",
                many.len()
            ))),
        }
    }

    fn load<'p>(&self, program: &'p [Insn], what: &str) -> Result<Filter<'p>, Box<Disagreement>> {
        let refused = |rejected| Disagreement::new(format_args!("{what} would not be installed: {rejected}"));
        Filter::load_on(self.machine.kernel, program).map_err(refused)
    }

    fn equal(
        &self,
        filter: &Filter<'_>,
        side: Side<'_>,
        differ: &str,
        expected: &dyn Fn(&SeccompData) -> u32,
    ) -> Judged {
        let filters = [filter.clone()];
        let answer = equality(&filters, side, &self.env, self.machine, self.order, &self.limits);
        match answer.map_err(Disagreement::new)? {
            Answer::Holds { proof: Some(_), .. } => Ok(Agreement::Proved),
            Answer::Holds { proof: None, .. } | Answer::Vacuous => {
                Ok(Agreement::Undecided("no proof of it was accepted".to_owned()))
            }
            Answer::Undecided(tried) => Ok(Agreement::Undecided(undecided(&tried))),
            Answer::Fails(found) => {
                let Some(shown) = found.shown.first() else {
                    return Err(Disagreement::new(differ));
                };
                let call = shown.call;
                let answer = filter.run(&call, machine_of(&call, self.machine, self.order));
                Err(Disagreement::shown(differ, call, [answer, expected(&call)]))
            }
        }
    }
}

//! One decision: what the kernel does with a call on an ABI, and how it comes to that.

use callproof_abi::{Abi, errno_name};
use callproof_vm::bitmap::{Bypass, Numbers, Platform};
use callproof_vm::effect::{Convention, Disposition, Situation, Traced as Asked, consequence};
use callproof_vm::observe::{Next, Step, Trace, WordsRead};
use callproof_vm::{Action, Chain, Machine, SeccompData, Verdict};
use serde::Serialize;

use crate::call::Call;
use crate::error::Result;
use crate::settings::Settings;
use crate::words;

/// What happens to the call on one ABI.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Decision {
    pub(crate) arch: &'static str,
    pub(crate) audit_arch: u32,
    pub(crate) nr: i32,
    pub(crate) name: Option<&'static str>,
    pub(crate) args: [u64; 6],
    pub(crate) ip: u64,
    /// Whether the call is made without anybody else being asked
    pub(crate) allowed: bool,
    pub(crate) value: u32,
    pub(crate) action: &'static str,
    pub(crate) data: u16,
    /// The filter that decided, 0 being the oldest; null when none was more severe than ALLOW
    pub(crate) filter: Option<usize>,
    /// Executed instructions, over all filters
    pub(crate) insns: usize,
    /// The words of `seccomp_data` that were read
    pub(crate) words: Vec<String>,
    /// What the caller observes
    pub(crate) effect: String,
    pub(crate) bypass: Option<Passed>,
    /// Executed instructions of each filter, in the order in which the kernel runs them: newest first
    pub(crate) path: Vec<Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<Vec<Traced>>,
    /// The decision in one word, errors named: `errno(EPERM)`
    pub(crate) verdict: String,
}

/// Why no filter is asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Passed {
    pub(crate) reason: &'static str,
    /// Whether the filters may have said something else
    pub(crate) overrules: bool,
    pub(crate) message: String,
}

/// The instructions that one filter executed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Path {
    pub(crate) filter: usize,
    pub(crate) pcs: Vec<usize>,
    pub(crate) value: u32,
}

/// One executed instruction.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Traced {
    pub(crate) filter: usize,
    pub(crate) pc: usize,
    pub(crate) instruction: String,
    /// The word it read
    pub(crate) reads: Option<String>,
    /// The registers after it
    pub(crate) a: u32,
    pub(crate) x: u32,
    /// The next instruction; null when the filter returned
    pub(crate) next: Option<usize>,
    /// What the filter returned
    pub(crate) returns: Option<u32>,
}

/// What to decide about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'r> {
    pub(crate) call: &'r Call<'r>,
    pub(crate) trace: bool,
}

/// Decides about a call on one ABI.
pub(crate) fn decide(chain: &Chain<'_>, request: Request<'_>, abi: Abi, settings: &Settings) -> Result<Decision> {
    let (data, meant) = request.call.resolve(abi)?;
    let name = meant.map_or("unknown", Abi::name);
    let abi = meant.unwrap_or(abi);
    let machine = settings.machine(abi);
    let mut watch = (Trace::default(), WordsRead::default());
    let verdict = chain.run_observed(&data, machine, &mut watch);
    let (trace, read) = watch;
    let bypass = bypass(chain, &data, abi, machine);
    let overruled = bypass.is_some_and(Bypass::overrules);
    Ok(Decision {
        arch: name,
        audit_arch: data.arch,
        nr: data.nr,
        name: abi.syscall_name(data.nr.cast_unsigned()),
        args: data.args,
        ip: data.instruction_pointer,
        allowed: verdict.action.permits() || overruled,
        value: verdict.value,
        action: verdict.action.name(),
        data: verdict.data(),
        filter: verdict.filter,
        insns: trace.steps.len(),
        words: words::names(read.0, machine.endian),
        effect: if overruled {
            "the call is made".to_owned()
        } else {
            effect(&verdict, &data, abi, machine)
        },
        bypass: bypass.map(Passed::from),
        path: paths(&trace.steps),
        trace: request
            .trace
            .then(|| trace.steps.iter().map(|step| traced(step, machine)).collect()),
        verdict: verdict_text(&verdict, abi, machine),
    })
}

/// The decision in one word, with the name of an errno.
fn verdict_text(verdict: &Verdict, abi: Abi, machine: Machine) -> String {
    let named = verdict
        .errno(machine.kernel)
        .and_then(|number| errno_name(abi, number.into()));
    match named {
        Some(name) => format!("errno({name})"),
        None => verdict.to_string(),
    }
}

/// What the caller observes. Where that depends on somebody else, with and without them.
fn effect(verdict: &Verdict, data: &SeccompData, abi: Abi, machine: Machine) -> String {
    let alone = Situation {
        kernel: machine.kernel,
        convention: convention(abi),
        ..Situation::default()
    };
    let answered = Situation {
        has_listener: true,
        traced: Asked::Seccomp,
        sigsys: Disposition::Handled,
        ..alone
    };
    let after = consequence(verdict, data, &alone);
    let who = match verdict.action {
        Action::UserNotif => Some("supervisor"),
        Action::Trace => Some("tracer"),
        Action::Trap => Some("handler"),
        _ => None,
    };
    let others = who.map(|who| format!("{}; without a {who} ", consequence(verdict, data, &answered).effect));
    let recorded = if after.record.is_some() {
        "; an audit record is written"
    } else {
        ""
    };
    format!("{}{}{recorded}", others.unwrap_or_default(), after.effect)
}

fn convention(abi: Abi) -> Convention {
    match abi {
        Abi::Ppc | Abi::Ppc64 | Abi::Ppc64le => Convention::POWERPC,
        Abi::Mips | Abi::Mipsel | Abi::Mips64 | Abi::Mips64el | Abi::MipsN32 | Abi::MipselN32 => Convention::MIPS,
        _ => Convention::default(),
    }
}

/// Whether the kernel asks no filter. Known for x86-64 kernels alone.
fn bypass(chain: &Chain<'_>, data: &SeccompData, abi: Abi, machine: Machine) -> Option<Bypass> {
    /// Numbers below this have a bit in every release that has the bitmap: 5.11 had calls up to 441.
    const SURE: u32 = 441;
    if !matches!(abi, Abi::X86_64 | Abi::X32 | Abi::I386) {
        return None;
    }
    let release = (machine.kernel.major, machine.kernel.minor);
    let bound = Abi::X86_64.cached_nr_bound(release).unwrap_or(SURE);
    let numbers = |abi: Abi| Numbers {
        arch: abi.audit_arch(),
        bound,
    };
    let platform = Platform {
        native: numbers(Abi::X86_64),
        compat: Some(numbers(Abi::I386)),
    };
    platform.bypasses(chain, data, machine.kernel)
}

fn paths(steps: &[(usize, Step)]) -> Vec<Path> {
    let of_one_filter = steps.chunk_by(|(a, _), (b, _)| a == b);
    let path = |steps: &[(usize, Step)]| {
        let (filter, last) = steps.last()?;
        let value = match last.next {
            Next::Return(value) => value,
            Next::Pc(_) => 0,
        };
        let pcs = steps.iter().map(|(_, step)| step.pc).collect();
        Some(Path {
            filter: *filter,
            pcs,
            value,
        })
    };
    of_one_filter.filter_map(path).collect()
}

fn traced((filter, step): &(usize, Step), machine: Machine) -> Traced {
    let (next, returns) = match step.next {
        Next::Pc(pc) => (Some(pc), None),
        Next::Return(value) => (None, Some(value)),
    };
    Traced {
        filter: *filter,
        pc: step.pc,
        instruction: step.insn.at(step.pc).to_string(),
        reads: words::read_by(step.insn, machine.endian),
        a: step.a,
        x: step.x,
        next,
        returns,
    }
}

impl From<Bypass> for Passed {
    fn from(bypass: Bypass) -> Self {
        let reason = match bypass {
            Bypass::ConstantAllow => "constant-allow",
            Bypass::Uretprobe => "uretprobe",
            Bypass::Uprobe => "uprobe",
        };
        Self {
            reason,
            overrules: bypass.overrules(),
            message: bypass.to_string(),
        }
    }
}

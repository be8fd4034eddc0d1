//! The text of a profile.

use callproof_abi::{Abi, errno_number};
use callproof_policy::{Answer, Data, Problem, Span};
use callproof_vm::{Action, Kernel};

use super::arches::abis;
use super::list;
use crate::policy::START;
use crate::policy::build::{Arg, Test};
use crate::policy::json::{Json, Object};
use crate::policy::report::Report;
use crate::policy::{PolicyOptions, Runtime, names};

#[rustfmt::skip] // a table
const PROFILE: &[&str] = &[
    "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags", "listenerPath",
    "listenerMetadata", "syscalls", "comment",
];
#[rustfmt::skip] // a table
const SYSCALL: &[&str] = &[
    "names", "name", "action", "errnoRet", "errno", "args", "includes", "excludes", "comment",
];
const ARG: &[&str] = &["index", "value", "valueTwo", "op"];
const CONDITIONS: &[&str] = &["caps", "arches", "minKernel"];
pub(in crate::policy) const ACTIONS: &[(&str, Action)] = &[
    ("SCMP_ACT_KILL", Action::KillThread),
    ("SCMP_ACT_KILL_THREAD", Action::KillThread),
    ("SCMP_ACT_KILL_PROCESS", Action::KillProcess),
    ("SCMP_ACT_TRAP", Action::Trap),
    ("SCMP_ACT_ERRNO", Action::Errno),
    ("SCMP_ACT_TRACE", Action::Trace),
    ("SCMP_ACT_LOG", Action::Log),
    ("SCMP_ACT_ALLOW", Action::Allow),
    ("SCMP_ACT_NOTIFY", Action::UserNotif),
];
#[rustfmt::skip] // a table
const OPERATORS: &[&str] = &[
    "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
];
#[rustfmt::skip] // a table
const FLAGS: &[&str] = &[
    "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];
/// What Docker and Podman call the ABI of a machine in `arches`.
#[rustfmt::skip] // a table
const MACHINES: &[(&str, Abi)] = &[
    ("amd64", Abi::X86_64), ("x86", Abi::I386), ("x32", Abi::X32), ("arm", Abi::Arm), ("arm64", Abi::Aarch64),
    ("mips", Abi::Mips), ("mipsel", Abi::Mipsel), ("mips64", Abi::Mips64), ("mips64n32", Abi::MipsN32),
    ("mipsel64", Abi::Mips64el), ("mipsel64n32", Abi::MipselN32), ("mips3l64n32", Abi::MipselN32), ("ppc", Abi::Ppc),
    ("ppc64", Abi::Ppc64), ("ppc64le", Abi::Ppc64le), ("riscv64", Abi::Riscv64), ("s390", Abi::S390),
    ("s390x", Abi::S390x), ("loong64", Abi::Loongarch64), ("loongarch64", Abi::Loongarch64),
];

/// How many tests all calls together can have; a filter has at most 4,096 instructions.
const MOST_TESTS: usize = 1 << 15;

/// A profile for one process.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) default: Answer,
    /// The ABIs that the filter is for, the native one first
    pub(super) abis: Vec<Abi>,
    /// Those that the text lists
    pub(super) listed: Vec<Abi>,
    /// The entries that are in force
    pub(super) syscalls: Vec<Syscall>,
}

/// One entry of `syscalls`.
#[derive(Debug)]
pub(super) struct Syscall {
    pub(super) names: Vec<(String, Span)>,
    pub(super) answer: Answer,
    pub(super) args: Vec<Arg>,
    pub(super) span: Span,
}

impl Profile {
    pub(super) fn read(json: Json<'_>, options: &PolicyOptions<'_>, report: &mut Report) -> Option<Self> {
        let json = inside_config(json, report);
        let object = Object::read(json, "a profile", PROFILE, report);
        let (abis, listed) = abis(&object, options, report);
        check_flags(&object, report);
        for field in ["listenerPath", "listenerMetadata", "comment"] {
            object.string(field, report);
        }
        let default = match object.get("defaultAction") {
            Some(_) => answer(
                &object,
                ["defaultAction", "defaultErrnoRet", "defaultErrno"],
                &abis,
                options,
                report,
            ),
            None => {
                report.problem("the profile has no `defaultAction`", object.span);
                None
            }
        };
        let native = abis.first().copied().unwrap_or(Abi::X86_64);
        let entries = object.items("syscalls", report);
        let entry = |json| syscall(json, native, &abis, options, report);
        let syscalls: Vec<Syscall> = entries.into_iter().filter_map(entry).collect();
        let syscalls = bounded(syscalls, report);
        let default = default?;
        if options.runtime == Runtime::Runc && default.action == Action::UserNotif {
            report.problem("runc refuses `SCMP_ACT_NOTIFY` as the default action", default.span);
        }
        Some(Self {
            default,
            abis,
            listed,
            syscalls,
        })
    }

    /// Says what the text does not.
    pub(super) fn tell(&self, options: &PolicyOptions<'_>, report: &mut Report) {
        let message = format!(
            "calls of other ABIs than {} kill the thread, whatever `defaultAction` says",
            list(&self.abis)
        );
        report.note(message, START);
        let narrow: Vec<Abi> = self
            .abis
            .iter()
            .copied()
            .filter(|abi| abi.pointer_bits() == 32)
            .collect();
        let tests = self.syscalls.iter().any(|syscall| !syscall.args.is_empty());
        if tests && !narrow.is_empty() && matches!(options.runtime, Runtime::Runc | Runtime::Crun) {
            let message = format!(
                "on {} the low halves of arguments and values are compared",
                list(&narrow)
            );
            report.note(message, START);
        }
    }
}

/// The entries, unless names times conditions are too many.
fn bounded(syscalls: Vec<Syscall>, report: &mut Report) -> Vec<Syscall> {
    let mut tests = 0_usize;
    for syscall in &syscalls {
        tests = tests.saturating_add(syscall.names.len().saturating_mul(syscall.args.len()));
        if tests > MOST_TESTS {
            let message = format!("the calls have more than {MOST_TESTS} conditions together");
            report.push(Problem::new(message, syscall.span).help("a filter has at most 4,096 instructions"));
            return Vec::new();
        }
    }
    syscalls
}

/// The profile inside a whole `config.json` of a container.
fn inside_config<'t>(json: Json<'t>, report: &mut Report) -> Json<'t> {
    let mut inner = json;
    for field in ["linux", "seccomp"] {
        if inner.kind() != "an object" {
            return json;
        }
        let found = inner
            .entries("a profile", report)
            .into_iter()
            .find(|(name, ..)| name == field);
        match found {
            Some((_, _, value)) => inner = value,
            None => return json,
        }
    }
    inner
}

fn check_flags(object: &Object<'_>, report: &mut Report) {
    for (flag, span) in object.strings("flags", report) {
        if !FLAGS.contains(&flag.as_str()) {
            report.unknown("flag", &flag, "", span, FLAGS.iter().copied());
        }
    }
}

/// An action with its error, from the fields of these names.
fn answer(
    object: &Object<'_>,
    fields: [&str; 3],
    abis: &[Abi],
    options: &PolicyOptions<'_>,
    report: &mut Report,
) -> Option<Answer> {
    let [action_field, number_field, name_field] = fields;
    let number = object.number(number_field, report);
    let named = object.string(name_field, report);
    let native = abis.first().copied().unwrap_or(Abi::X86_64);
    let named = named.and_then(|(name, span)| Some((errno_of(&name, native, span, report)?, span)));
    let (name, span) = object.string(action_field, report)?;
    let Some((_, action)) = ACTIONS.iter().find(|(known, _)| *known == name) else {
        report.unknown("action", &name, "", span, ACTIONS.iter().map(|(name, _)| *name));
        return None;
    };
    if let (Some((number, _)), Some((named, span))) = (number, named)
        && number != named
    {
        report.note(
            format!("`{name_field}` is {named}, and counts; `{number_field}` is {number}"),
            span,
        );
    }
    let data = named.or(number);
    let takes_data = matches!(action, Action::Errno | Action::Trace);
    if let (false, Some((_, at))) = (takes_data, data) {
        let message = format!("`{name}` has no error");
        if options.runtime == Runtime::Crun {
            report.problem(format!("{message}, and crun refuses it"), at);
        } else {
            report.note(format!("{message}; the number is ignored"), at);
        }
    }
    let mut answer = Answer::new(*action);
    if takes_data {
        // EPERM is 1 everywhere, and what both runtimes return when nothing is said.
        let (number, at) = data.unwrap_or((1, span));
        if number > 0xffff {
            report.note(format!("only the low 16 bits of {number} fit an action"), at);
        }
        let number = u16::try_from(number & 0xffff).unwrap_or_default();
        answer = if *action == Action::Errno {
            names::errno(number, abis)
        } else {
            Answer {
                data: Data::Number(number),
                ..answer
            }
        };
    }
    answer.span = span;
    Some(answer)
}

/// The number of an error that is given by name, or as digits in quotes.
fn errno_of(name: &str, native: Abi, span: Span, report: &mut Report) -> Option<u64> {
    if let Ok(number) = name.parse::<u32>() {
        return Some(u64::from(number));
    }
    if name.len() <= 64 && report.open() {
        match errno_number(native, name) {
            Ok(number) => return Some(u64::from(number)),
            Err(error) => report.problem(error.to_string(), span),
        }
    } else {
        report.problem("an error name that does not exist", span);
    }
    None
}

/// An entry, unless its conditions exclude the process.
fn syscall(
    json: Json<'_>,
    native: Abi,
    abis: &[Abi],
    options: &PolicyOptions<'_>,
    report: &mut Report,
) -> Option<Syscall> {
    let object = Object::read(json, "an entry of `syscalls`", SYSCALL, report);
    object.string("comment", report);
    let mut names = object.strings("names", report);
    if let Some(name) = object.string("name", report).filter(|(name, _)| !name.is_empty()) {
        if !names.is_empty() {
            report.problem("`name` and `names` exclude each other", name.1);
        }
        names.push(name);
    }
    if names.is_empty() {
        report.problem("the entry names no system call", object.span);
    }
    let args: Vec<Arg> = object
        .items("args", report)
        .into_iter()
        .filter_map(|json| arg(json, report))
        .collect();
    if object.get("action").is_none() {
        report.problem("the entry has no `action`", object.span);
    }
    let answer = answer(&object, ["action", "errnoRet", "errno"], abis, options, report);
    let excluded = conditions(&object, "excludes", native, options, report).is_some_and(|met| met.any);
    let included = conditions(&object, "includes", native, options, report).is_none_or(|met| met.all);
    let answer = answer?;
    if options.runtime == Runtime::Runc
        && answer.action == Action::UserNotif
        && names.iter().any(|(name, _)| name == "write")
    {
        report.problem("runc refuses `SCMP_ACT_NOTIFY` for `write`", object.span);
    }
    let span = object.span;
    (included && !excluded).then_some(Syscall {
        names,
        answer,
        args,
        span,
    })
}

/// Which conditions of an `includes` or `excludes` a process meets.
struct Met {
    any: bool,
    all: bool,
}

fn conditions(
    object: &Object<'_>,
    field: &str,
    native: Abi,
    options: &PolicyOptions<'_>,
    report: &mut Report,
) -> Option<Met> {
    let object = Object::read(object.get(field)?, &format!("`{field}`"), CONDITIONS, report);
    let mut met = Vec::new();
    for (cap, span) in object.strings("caps", report) {
        if !cap.starts_with("CAP_") {
            report.note(
                format!(
                    "`{}` is no capability: their names begin with `CAP_`",
                    crate::text::shown(&cap)
                ),
                span,
            );
        }
        met.push(options.caps.contains(&cap));
    }
    let arches = object.strings("arches", report);
    if !arches.is_empty() {
        // One of them is enough, while of capabilities all are needed.
        let here = |name: &str| MACHINES.iter().any(|(known, abi)| *known == name && *abi == native);
        for (name, span) in &arches {
            if !MACHINES.iter().any(|(known, _)| known == name) {
                report.note(
                    format!("no machine is called `{}` here", crate::text::shown(name)),
                    *span,
                );
            }
        }
        met.push(arches.iter().any(|(name, _)| here(name)));
    }
    if let Some((release, span)) = object.string("minKernel", report) {
        match release.parse::<Kernel>() {
            Ok(release) => met.push(options.kernel >= release),
            Err(error) => report.push(Problem::new(error.to_string(), span)),
        }
    }
    Some(Met {
        any: met.contains(&true),
        all: !met.contains(&false),
    })
}

fn arg(json: Json<'_>, report: &mut Report) -> Option<Arg> {
    let object = Object::read(json, "a condition", ARG, report);
    for field in ["index", "op"] {
        if object.get(field).is_none() {
            report.problem(format!("the condition has no `{field}`"), object.span);
        }
    }
    let index = object.number("index", report);
    let value = object.number("value", report).map_or(0, |(value, _)| value);
    let second = object.number("valueTwo", report);
    let (op, span) = object.string("op", report)?;
    let masked = op == "SCMP_CMP_MASKED_EQ";
    if let (false, Some((1.., at))) = (masked, second) {
        report.note(
            "`valueTwo` says something with `SCMP_CMP_MASKED_EQ` alone, and is ignored",
            at,
        );
    }
    let wanted = second.map_or(0, |(value, _)| value);
    if masked && wanted & !value != 0 {
        report.note(
            "bits of `valueTwo` that the mask in `value` does not have are ignored",
            span,
        );
    }
    let test = match op.as_str() {
        "SCMP_CMP_NE" => Test::Ne(value),
        "SCMP_CMP_LT" => Test::Lt(value),
        "SCMP_CMP_LE" => Test::Le(value),
        "SCMP_CMP_EQ" => Test::Eq(value),
        "SCMP_CMP_GE" => Test::Ge(value),
        "SCMP_CMP_GT" => Test::Gt(value),
        "SCMP_CMP_MASKED_EQ" => Test::Masked(value, wanted),
        _ => {
            report.unknown("operator", &op, "", span, OPERATORS.iter().copied());
            return None;
        }
    };
    let (index, at) = index?;
    let Some(index) = u8::try_from(index).ok().filter(|index| *index < 6) else {
        report.problem(format!("a call has six arguments, 0 to 5, and this is {index}"), at);
        return None;
    };
    Some(Arg { index, test })
}

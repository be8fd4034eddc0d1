//! From the fields of a file to steps.

use core::ops::Range;

use toml::Spanned;

use super::raw::{RawScenario, RawStep, Word};
use super::step::{
    Abi, Actor, Call, Edit, How, Id, Install, MOST_ACTORS, Need, Scenario, Signal, Step, Stops, What, Where, Who,
};
use super::{calls, rules};

/// What is wrong, and at which bytes of the file.
pub(super) type Located = (String, Range<usize>);

type Result<T> = core::result::Result<T, String>;

/// Names of flags, options and their bits.
type Bits = &'static [(&'static str, u32)];

const INSTALL_FLAGS: Bits = &[
    ("tsync", 1),
    ("log", 2),
    ("spec_allow", 4),
    ("new_listener", 8),
    ("tsync_esrch", 16),
    ("wait_killable", 32),
];
const TRACE_OPTIONS: Bits = &[("seccomp", 0x80), ("suspend", 0x0020_0000)];
const SEND_FLAGS: Bits = &[("continue", 1)];
const ADD_FLAGS: Bits = &[("setfd", 1), ("send", 2)];

/// Most steps of a scenario.
const MOST_STEPS: usize = 10_000;

/// Makes a scenario of its fields.
pub(super) fn scenario(raw: RawScenario, line: &dyn Fn(usize) -> usize) -> core::result::Result<Scenario, Located> {
    let at = raw.name.span();
    if raw.steps.len() > MOST_STEPS {
        return Err((format!("a scenario has at most {MOST_STEPS} steps"), at));
    }
    let mut people = People::default();
    let mut steps = Vec::new();
    for raw in raw.steps {
        let span = raw.span();
        let step = step(raw.into_inner(), line(span.start), &mut people);
        steps.push(step.map_err(|message| (message, span))?);
    }
    let mut needs = Vec::new();
    for need in raw.needs {
        let span = need.span();
        needs.push(self::need(&need).map_err(|message| (message, span))?);
    }
    if people.0.len() > MOST_ACTORS {
        return Err((format!("a scenario has at most {MOST_ACTORS} actors"), at));
    }
    Ok(Scenario {
        line: line(at.start),
        name: raw.name.into_inner(),
        needs,
        actors: people.0,
        steps,
    })
}

fn need(need: &Spanned<String>) -> Result<Need> {
    Ok(match need.get_ref().as_str() {
        "root" => Need::Root,
        "i386" => Need::I386,
        "user_namespaces" => Need::UserNamespaces,
        "audit" => Need::Audit,
        release => Need::Release(release.parse().map_err(|_| {
            format!("`{release}` is not `root`, `i386`, `user_namespaces`, `audit` or a release such as `6.12`")
        })?),
    })
}

/// Who was heard of so far.
#[derive(Debug)]
struct People(Vec<Actor>);

impl Default for People {
    fn default() -> Self {
        Self(vec![Actor {
            name: "main".to_owned(),
            outside: false,
        }])
    }
}

impl People {
    fn find(&mut self, name: &str) -> Result<Who> {
        if let Some(who) = self.0.iter().position(|actor| actor.name == name) {
            return Ok(who);
        }
        if !["supervisor", "tracer"].contains(&name) {
            return Err(format!(
                "nobody is called `{name}`; a step `thread` or `fork` makes new actors"
            ));
        }
        Ok(self.push(name, true))
    }

    fn make(&mut self, name: &str) -> Result<Who> {
        if self.0.iter().any(|actor| actor.name == name) || ["supervisor", "tracer"].contains(&name) {
            return Err(format!("somebody is called `{name}` already"));
        }
        Ok(self.push(name, false))
    }

    fn push(&mut self, name: &str, outside: bool) -> Who {
        self.0.push(Actor {
            name: name.to_owned(),
            outside,
        });
        self.0.len().saturating_sub(1)
    }
}

fn step(mut raw: RawStep, line: usize, people: &mut People) -> Result<Step> {
    let verb = core::mem::take(&mut raw.r#do);
    let who = match raw.who.take() {
        Some(name) => people.find(&name)?,
        None => 0,
    };
    let what = what(&verb, &mut raw, people)?;
    if let What::Call { during: Some(_), .. } = what {
        people.find("tracer")?;
    }
    if let Some(field) = raw.left_over() {
        return Err(format!("a step `{verb}` has no field `{field}`"));
    }
    Ok(Step {
        line,
        who,
        what,
        expect: raw.expect.take().unwrap_or_else(|| "done".to_owned()),
    })
}

fn what(verb: &str, raw: &mut RawStep, people: &mut People) -> Result<What> {
    match verb {
        "call" => Ok(What::Call {
            call: call(raw)?,
            during: raw.during.take().map(|name| signal(&name)).transpose()?,
        }),
        "finish" => Ok(What::Finish),
        "no_new_privs" => Ok(What::NoNewPrivs(four(raw, [1, 0, 0, 0])?)),
        "get_no_new_privs" => Ok(What::GetNoNewPrivs(four(raw, [0; 4])?)),
        "install" => install(raw).map(What::Install),
        "seccomp" => seccomp(raw),
        "strict" => Ok(strict(raw)),
        "set_mode" => Ok(What::SetMode(unsigned(
            raw.mode.take().ok_or("the field `mode` is missing")?,
        ))),
        "get_mode" => Ok(What::GetMode),
        "thread" => people.make(&name(raw)?).map(What::Thread),
        "fork" => people.make(&name(raw)?).map(What::Fork),
        "exec" => call(raw).map(What::Exec),
        "exit" => Ok(What::Exit {
            all: raw.all.take().unwrap_or(false),
        }),
        "handler" => Ok(What::Handler {
            signal: signal(raw.signal.take().as_deref().unwrap_or("sys"))?,
            how: how(raw.how.take().as_deref().unwrap_or("handle"))?,
        }),
        "block" => Ok(What::Block),
        "drop_privileges" => Ok(What::DropPrivileges),
        "user_namespace" => Ok(What::UserNamespace),
        "limit_files" => Ok(What::LimitFiles),
        "actions" => Ok(What::Actions {
            write: raw.write.take(),
        }),
        _ => about_others(verb, raw, people),
    }
}

/// Steps that are about another actor, or about a notification.
fn about_others(verb: &str, raw: &mut RawStep, people: &mut People) -> Result<What> {
    match verb {
        "receive" => Ok(What::Receive {
            dirty: raw.dirty.take().unwrap_or(false),
        }),
        "send" => Ok(What::Send {
            id: id(raw),
            val: raw.val.take().unwrap_or(0),
            error: raw.error.take().unwrap_or(0),
            flags: bits(raw.flags.take(), SEND_FLAGS)?,
        }),
        "valid" => Ok(What::Valid {
            id: id(raw),
            legacy: raw.legacy.take().unwrap_or(false),
        }),
        "add_fd" => add_fd(raw),
        "set_flags" => Ok(What::SetFlags(u64::from(bits(raw.flags.take(), &[("wake_up", 1)])?))),
        "close_listener" => Ok(What::CloseListener),
        "status" | "record" | "kill" | "signal" | "trace" | "options" | "edit" | "resume" | "detach" | "get_filter"
        | "get_metadata" => {
            let of = people.find(raw.of.take().as_deref().unwrap_or("main"))?;
            about(verb, raw, of)
        }
        _ => Err(format!("`{verb}` is no step; docs/SCENARIOS.md lists them")),
    }
}

fn about(verb: &str, raw: &mut RawStep, of: Who) -> Result<What> {
    Ok(match verb {
        "status" => What::Status { of },
        "record" => What::Record { of },
        "kill" => What::Kill { of },
        "signal" => What::Signal {
            of,
            signal: signal(raw.signal.take().as_deref().unwrap_or("usr1"))?,
        },
        "trace" => What::Trace {
            of,
            options: options(raw)?,
            stops: stops(raw.stops.take().as_deref().unwrap_or("seccomp"))?,
        },
        "options" => What::Options {
            of,
            options: options(raw)?,
        },
        "edit" => What::Edit { of, edit: edit(raw)? },
        "resume" => What::Resume { of },
        "detach" => What::Detach { of },
        "get_filter" => What::GetFilter {
            of,
            index: unsigned(raw.index.take().unwrap_or(0)),
            pointer: pointer(raw)?,
        },
        _ => What::GetMetadata {
            of,
            index: unsigned(raw.index.take().unwrap_or(0)),
            size: unsigned(raw.size.take().unwrap_or(16)),
        },
    })
}

fn name(raw: &mut RawStep) -> Result<String> {
    raw.name.take().ok_or_else(|| "the field `name` is missing".to_owned())
}

/// The 64 bits of a number.
const fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

fn call(raw: &mut RawStep) -> Result<Call> {
    let abi = match raw.abi.take().as_deref() {
        None | Some("x86_64") => Abi::X86_64,
        Some("i386") => Abi::I386,
        Some(other) => return Err(format!("`{other}` is not `x86_64` or `i386`")),
    };
    let nr = raw.nr.take().ok_or("the field `nr` is missing")?;
    Ok(Call {
        nr: number(&nr, abi)?,
        args: six(raw)?.unwrap_or_default(),
        abi,
    })
}

/// A number of a call that is safe to make: x86-64's 335 and 336 belong to the kernel's own trampolines.
fn number(word: &Word, abi: Abi) -> Result<i32> {
    let nr = match word {
        Word::Number(number) => i32::try_from(*number).map_err(|_| format!("{number} has more than 32 bits"))?,
        Word::Name(name) => calls::number(name, abi)
            .ok_or_else(|| format!("`{name}` is no call that scenarios know; write its number"))?,
    };
    if abi == Abi::X86_64 && matches!(nr, 335 | 336) {
        return Err(format!(
            "call {nr} is a trap of the kernel for itself and is not made here"
        ));
    }
    Ok(nr)
}

fn six(raw: &mut RawStep) -> Result<Option<[u64; 6]>> {
    let Some(given) = raw.args.take() else {
        return Ok(None);
    };
    let mut args = [0; 6];
    if given.len() > args.len() {
        return Err("a call has six arguments".to_owned());
    }
    for (to, from) in args.iter_mut().zip(given) {
        *to = unsigned(from);
    }
    Ok(Some(args))
}

fn four(raw: &mut RawStep, default: [u64; 4]) -> Result<[u64; 4]> {
    let args = six(raw)?;
    Ok(args.map_or(default, |[a, b, c, d, ..]| [a, b, c, d]))
}

fn signal(name: &str) -> Result<Signal> {
    Ok(match name {
        "sys" => Signal::Sys,
        "usr1" => Signal::Usr1,
        "chld" => Signal::Chld,
        "kill" => Signal::Kill,
        _ => return Err(format!("`{name}` is not `sys`, `usr1`, `chld` or `kill`")),
    })
}

fn how(name: &str) -> Result<How> {
    Ok(match name {
        "default" => How::Default,
        "ignore" => How::Ignore,
        "handle" => How::Handle,
        "restart" => How::Restart,
        _ => return Err(format!("`{name}` is not `default`, `ignore`, `handle` or `restart`")),
    })
}

fn stops(name: &str) -> Result<Stops> {
    Ok(match name {
        "seccomp" => Stops::Seccomp,
        "entry" => Stops::Entry,
        "emulated" => Stops::Emulated,
        _ => return Err(format!("`{name}` is not `seccomp`, `entry` or `emulated`")),
    })
}

fn pointer(raw: &mut RawStep) -> Result<Where> {
    Ok(match raw.pointer.take().as_deref() {
        None => Where::Good,
        Some("null") => Where::Null,
        Some("bad") => Where::Bad,
        Some("null_program") => Where::NullProgram,
        Some("bad_program") => Where::BadProgram,
        Some(other) => {
            return Err(format!(
                "`{other}` is not `null`, `bad`, `null_program` or `bad_program`"
            ));
        }
    })
}

/// Adds up named and numbered bits.
fn bits(words: Option<Vec<Word>>, names: Bits) -> Result<u32> {
    let mut sum = 0;
    for word in words.unwrap_or_default() {
        sum |= match word {
            Word::Number(number) => u32::try_from(number).map_err(|_| format!("{number} is no set of 32 bits"))?,
            Word::Name(name) => {
                let found = names.iter().find(|(known, _)| *known == name);
                let known = || names.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
                found.ok_or_else(|| format!("`{name}` is none of {}", known()))?.1
            }
        };
    }
    Ok(sum)
}

fn options(raw: &mut RawStep) -> Result<u32> {
    bits(raw.options.take(), TRACE_OPTIONS)
}

fn install(raw: &mut RawStep) -> Result<Install> {
    let pad = raw.pad.take().unwrap_or(0);
    let program = match (raw.insns.take(), raw.filter.take()) {
        (Some(insns), None) => insns
            .into_iter()
            .map(|(code, jt, jf, k)| callproof_vm::Insn { code, jt, jf, k })
            .collect(),
        (None, rules) => rules::program(&rules.unwrap_or_default())?,
        (Some(_), Some(_)) => return Err("a filter has rules or instructions, not both".to_owned()),
    };
    let program = rules::padded(pad, program);
    if program.len() > callproof_vm::length::MAX_INSNS {
        return Err("a program has at most 4096 instructions; a field `len` may say more".to_owned());
    }
    let prctl = match raw.via.take().as_deref() {
        None | Some("seccomp") => false,
        Some("prctl") => true,
        Some(other) => return Err(format!("`{other}` is not `seccomp` or `prctl`")),
    };
    Ok(Install {
        program,
        len: raw.len.take(),
        flags: bits(raw.flags.take(), INSTALL_FLAGS)?,
        pointer: pointer(raw)?,
        prctl,
    })
}

fn strict(raw: &mut RawStep) -> What {
    if raw.via.take().as_deref() == Some("prctl") {
        return What::SetMode(1);
    }
    What::Seccomp {
        op: 0,
        flags: 0,
        pointer: Where::Null,
        value: 0,
    }
}

fn seccomp(raw: &mut RawStep) -> Result<What> {
    let op = match raw.op.take().ok_or("the field `op` is missing")? {
        Word::Number(number) => u32::try_from(number).map_err(|_| format!("{number} is no operation"))?,
        Word::Name(name) => match name.as_str() {
            "set_mode_strict" => 0,
            "get_action_avail" => 2,
            "get_notif_sizes" => 3,
            _ => {
                return Err(format!(
                    "`{name}` is not `set_mode_strict`, `get_action_avail` or `get_notif_sizes`"
                ));
            }
        },
    };
    if op == 1 {
        return Err("operation 1 is the step `install`".to_owned());
    }
    let value = match raw.value.take() {
        None => 0,
        Some(Word::Name(text)) => rules::value(&text)?,
        Some(Word::Number(number)) => u32::try_from(number).map_err(|_| format!("{number} has more than 32 bits"))?,
    };
    Ok(What::Seccomp {
        op,
        flags: bits(raw.flags.take(), INSTALL_FLAGS)?,
        pointer: pointer(raw)?,
        value,
    })
}

fn edit(raw: &mut RawStep) -> Result<Edit> {
    let nr = raw.nr.take().map(|word| number(&word, Abi::X86_64)).transpose()?;
    Ok(Edit {
        nr,
        args: six(raw)?,
        result: raw.result.take(),
    })
}

const fn id(raw: &mut RawStep) -> Id {
    match raw.id.take() {
        None | Some(0) => Id::Last,
        Some(other) => Id::Wrong(unsigned(other)),
    }
}

fn add_fd(raw: &mut RawStep) -> Result<What> {
    let fd = raw.fd.take();
    Ok(What::AddFd {
        id: id(raw),
        flags: bits(raw.flags.take(), ADD_FLAGS)?,
        fd: fd.map(u32::try_from).transpose().map_err(|_| "`fd` is no descriptor")?,
        closed: raw.dirty.take().unwrap_or(false),
    })
}

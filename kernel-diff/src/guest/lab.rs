//! Everything that happens with a guest, in order.

use core::time::Duration;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use callproof_vm::{Endian, Machine, ShiftByX};

use super::boot::{Accelerator, Boot, Patience, accelerator};
use super::catalog::Guest;
use super::console::Console;
use super::directed::directed;
use super::facts::{Engine, Facts};
use super::jobs::{Answer, Job, decode};
use super::judge::{Decisive, Questions, Recorded, observes};
use super::player::{Files, Player, Ran};
use super::scenarios::{Scenarios, Strange};
use super::store::{Kernel, Store, write_initrd};
use super::tales::{Tale, Tales};
use super::tool::{LabError, Result, is_here};
use crate::campaign::{Case, Disagreement, Mismatch, Model, Report, Source};

/// How much a guest is asked.
#[derive(Clone, Copy)]
pub struct Effort<'s> {
    /// Where programs and calls come from
    pub source: &'s dyn Source,
    /// How many programs
    pub programs: u64,
    /// How many calls for each
    pub calls: usize,
    /// What else to run, in guests that can
    pub player: Option<&'s Player>,
}

impl core::fmt::Debug for Effort<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} programs, {} calls each", self.programs, self.calls)
    }
}

/// What a guest found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The guest
    pub guest: &'static Guest,
    /// Its kernel's package
    pub kernel: Kernel,
    /// What the kernel says of itself
    pub facts: Facts,
    /// What ran it
    pub accelerator: Accelerator,
    /// One for each setting of the JIT
    pub engines: Vec<EngineFound>,
    /// How long it took, without fetching and building
    pub elapsed: Duration,
}

/// What a guest found with one setting of the JIT.
#[derive(Clone, Debug)]
pub struct EngineFound {
    /// The setting
    pub engine: Engine,
    /// How it was modelled
    pub model: Machine,
    /// The comparison
    pub report: Report,
    /// How many of the results hang on a rule that differs between machines
    pub decisive: Decisive,
    /// What the kernel answered, without what needed constants
    pub recorded: Vec<Recorded>,
    /// Of how many chains of simple filters was compared what the caller sees
    pub chains: usize,
    /// Those that went otherwise than modelled
    pub strange: Vec<Strange>,
    /// What became of [`Effort::player`], where it was run
    pub ran: Option<Ran>,
    /// What became of the scenarios, where it was not run
    pub tales: Vec<Tale>,
}

/// Programs that a guest is given in one boot.
const PROGRAMS_PER_BOOT: u64 = 2000;

/// A busy host makes a guest ten times slower.
const PATIENCE: Patience = Patience {
    whole: Duration::from_secs(45 * 60),
    silence: Duration::from_secs(240),
};

/// Fails when this host lacks a program that a guest needs.
///
/// # Errors
/// [`LabError::Missing`] names the programs and the command that installs them.
pub fn check(guest: &Guest) -> Result<()> {
    let general = [
        ("apt-get", "apt"),
        ("apt-cache", "apt"),
        ("dpkg-deb", "dpkg"),
        ("tar", "tar"),
    ];
    let general = general.map(|(tool, package)| (tool, vec![package]));
    let own = [
        (guest.board.qemu, guest.board.packages.to_vec()),
        (guest.compiler.command, guest.compiler.packages.to_vec()),
    ];
    let missing: Vec<_> = general
        .into_iter()
        .chain(own)
        .filter(|(tool, _)| !is_here(tool))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tools = missing.iter().map(|(tool, _)| *tool).collect();
    let mut packages: Vec<&str> = missing.into_iter().flat_map(|(_, packages)| packages).collect();
    packages.sort_unstable();
    packages.dedup();
    Err(LabError::Missing {
        guest: guest.name,
        tools,
        install: format!("apt-get install --no-install-recommends {}", packages.join(" ")),
    })
}

/// Boots a guest, lets it judge programs, and compares.
///
/// The kernel is the newest of its Debian release, or the one whose package has `version`. `progress` is told how many
/// programs are done.
///
/// # Errors
/// [`LabError`] when the guest cannot be had or does not answer.
pub fn run(
    store: &Store,
    (guest, version): (&'static Guest, Option<&str>),
    effort: Effort<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Found> {
    check(guest)?;
    let kernel = store.kernel(guest, version)?;
    let agent = store.agent(guest)?;
    let start = Instant::now();
    let work = store.work()?;
    let initrd = work.path().join("initrd");
    write_initrd(&initrd, &agent, &[], &Files::new())?;
    let mut boot = Boot {
        guest,
        accelerator: Accelerator::Tcg,
        image: &kernel.image,
        initrd: &initrd,
        mode: "probe",
        patience: PATIENCE,
    };
    // Whether KVM works here is a fact about the host.
    static USABLE: OnceLock<Accelerator> = OnceLock::new();
    if guest.board.kvm == std::env::consts::ARCH {
        boot.accelerator = *USABLE.get_or_init(|| accelerator(boot));
    }
    let console = twice(|| boot.run())?;
    let facts = Facts::read(&console.facts).map_err(|name| garbled(guest, format!("it told no `{name}`")))?;
    boot.mode = "run";
    let engines = engines(boot, (&agent, &initrd), &facts, effort, progress)?;
    let (accelerator, elapsed) = (boot.accelerator, start.elapsed());
    Ok(Found {
        guest,
        kernel,
        facts,
        accelerator,
        engines,
        elapsed,
    })
}

fn engines(
    boot: Boot<'_>,
    (agent, initrd): (&[u8], &Path),
    facts: &Facts,
    effort: Effort<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<EngineFound>> {
    let guest = boot.guest;
    let seen = observes(facts, guest.arches, guest.withheld);
    let interpreter = facts
        .model(guest, Engine::Interpreter)
        .ok_or_else(|| garbled(guest, format!("its release `{}` is none", facts.release)))?;
    let mut engines: Vec<EngineFound> = Vec::new();
    let mut scenarios = Scenarios::new(facts);
    let player = effort.player.filter(|player| player.is_for(guest));
    let mut files = player.map_or(Ok(Files::new()), Player::files)?;
    let tales = if player.is_some() { None } else { Tales::new(facts) };
    files.extend(tales.iter().map(|tales| ("stories".to_owned(), tales.encode())));
    let mut first = 0_u64;
    while first < effort.programs {
        let numbers = first..first.saturating_add(PROGRAMS_PER_BOOT).min(effort.programs);
        first = numbers.end;
        let once = numbers.start == 0;
        let mut questions = Questions::default();
        if once {
            for (number, (program, data)) in (effort.programs..).zip(directed(facts)) {
                let case = Case { number, program, data };
                questions.ask(case, facts, &seen);
            }
        }
        questions.generate(effort.source, numbers, effort.calls, (facts, &seen), &interpreter);
        let jobs = [&questions.jobs[..], &scenarios.jobs].concat();
        write_initrd(initrd, agent, &super::jobs::encode(&jobs), &files)?;
        for (engine, answered) in answers(boot, facts, &jobs)? {
            let (answers, played) = answered
                .answers
                .split_at_checked(questions.jobs.len())
                .unwrap_or_default();
            let model = facts.model(guest, engine).unwrap_or(interpreter);
            let compared = questions.compare(answers, &model, &seen);
            let found = EngineFound {
                engine,
                model,
                report: compared.report,
                decisive: compared.decisive,
                recorded: compared.recorded,
                chains: played.len(),
                strange: scenarios.compare(played, model),
                ran: answered.ran,
                tales: judge(tales.as_ref(), answered.told.as_deref()).map_err(|what| garbled(guest, what))?,
            };
            match engines.iter_mut().find(|earlier| earlier.engine == engine) {
                Some(earlier) => earlier.add(found),
                None => engines.push(found),
            }
        }
        // They are played once; without their files the agent tells nothing more.
        (scenarios, files) = (Scenarios::default(), Files::new());
        progress(first);
    }
    Ok(engines)
}

/// What one engine said in a boot.
#[derive(Debug)]
struct Answered {
    answers: Vec<Answer>,
    ran: Option<Ran>,
    told: Option<Vec<u8>>,
}

/// What became of the scenarios, if the agent was given any.
fn judge(tales: Option<&Tales>, told: Option<&[u8]>) -> core::result::Result<Vec<Tale>, String> {
    match (tales, told) {
        (Some(tales), Some(told)) => tales.judge(told).ok_or_else(|| "its stories cannot be read".to_owned()),
        _ => Ok(Vec::new()),
    }
}

/// Boots, and reads what each engine said.
fn answers(boot: Boot<'_>, facts: &Facts, jobs: &[Job]) -> Result<Vec<(Engine, Answered)>> {
    let console = twice(|| boot.run())?;
    if Facts::read(&console.facts).as_ref() != Ok(facts) {
        return Err(garbled(boot.guest, "it tells other facts than before".to_owned()));
    }
    answered(console.frames, jobs).map_err(|what| garbled(boot.guest, what))
}

/// Sorts an agent's frames. What else an engine did follows its answers.
fn answered(frames: Vec<(String, Vec<u8>)>, jobs: &[Job]) -> core::result::Result<Vec<(Engine, Answered)>, String> {
    let mut engines: Vec<(Engine, Answered)> = Vec::new();
    for (name, bytes) in frames {
        let (engine, part) = name
            .split_once('.')
            .map_or((&*name, None), |(name, part)| (name, Some(part)));
        let engine = Engine::named(engine).ok_or_else(|| format!("it has an engine `{engine}`"))?;
        let wrong = || format!("it says `{name}` twice, or where it does not belong");
        let is_new = engines.iter().all(|(earlier, _)| *earlier != engine);
        match (engines.last_mut().filter(|(last, _)| *last == engine), part) {
            (Some((_, answered)), Some("player")) if answered.ran.is_none() => {
                answered.ran = Some(Ran::read(&bytes).ok_or("its player has no status")?);
            }
            (Some((_, answered)), Some("stories")) if answered.told.is_none() => answered.told = Some(bytes),
            (None, None) if is_new => {
                let answers = decode(jobs, &bytes).map_err(|bad| bad.to_string())?;
                let (ran, told) = (None, None);
                engines.push((engine, Answered { answers, ran, told }));
            }
            _ => return Err(wrong()),
        }
    }
    Ok(engines)
}

impl EngineFound {
    fn add(&mut self, other: Self) {
        self.report.add(other.report);
        self.decisive.add(other.decisive);
        self.recorded.extend(other.recorded);
        self.chains = self.chains.saturating_add(other.chains);
        self.strange.extend(other.strange);
        // It runs in the first boot.
        self.ran = self.ran.take().or(other.ran);
        self.tales.extend(other.tales);
    }
}

/// A busy host can garble a console or lose a guest once.
fn twice(mut boot: impl FnMut() -> Result<Console>) -> Result<Console> {
    boot().or_else(|_| boot())
}

fn garbled(guest: &Guest, what: String) -> LabError {
    LabError::Guest {
        guest: guest.name,
        what,
        said: String::new(),
    }
}

/// Other machines that differ from the model in one rule and would give what the kernel gave: the possible reasons of a
/// mismatch, so far as the emulator has a parameter for them.
#[must_use]
pub fn explanations(mismatch: &Mismatch, model: Machine) -> Vec<Machine> {
    let Disagreement::Value { data, kernel, .. } = mismatch.kind else {
        return Vec::new();
    };
    let shifts = ShiftByX::ALL.map(|shift| Machine { shift, ..model });
    let endians = [Endian::Little, Endian::Big].map(|endian| Machine { endian, ..model });
    let others = shifts.into_iter().chain(endians);
    others
        .filter(|other| Model::run(other, &mismatch.program, &[data]) == [kernel])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(frames: &[(&str, &[u8])]) -> core::result::Result<Vec<(Engine, Answered)>, String> {
        let frames = frames.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        answered(frames.collect(), &[])
    }

    #[test]
    fn what_an_agent_says_is_sorted_by_engine() {
        let frames: [(&str, &[u8]); 5] = [
            ("interpreter", &[]),
            ("interpreter.stories", &[1]),
            ("interpreter.player", &[0, 3, 0, 0, 7]),
            ("jit", &[]),
            ("jit.player", &[9, 0, 0, 0]),
        ];
        let engines = sorted(&frames).unwrap();
        let names: Vec<_> = engines.iter().map(|(engine, _)| *engine).collect();
        assert_eq!(names, [Engine::Interpreter, Engine::Jit]);
        let (first, second) = (&engines[0].1, &engines[1].1);
        assert_eq!((first.told.as_deref(), second.told.as_deref()), (Some(&[1][..]), None));
        assert_eq!(first.ran.as_ref().unwrap().exit_code(), Some(3));
        assert_eq!(second.ran.as_ref().unwrap().exit_code(), None);
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        let refused: [&[(&str, &[u8])]; 8] = [
            &[("vax", &[])],
            &[("jit.player", &[0; 4])],
            &[("jit", &[]), ("jit", &[])],
            &[("jit", &[]), ("interpreter", &[]), ("jit", &[])],
            &[("jit", &[]), ("interpreter.stories", &[])],
            &[("jit", &[]), ("jit.stories", &[]), ("jit.stories", &[])],
            &[("jit", &[]), ("jit.player", &[0; 3])],
            &[("jit", &[]), ("jit.other", &[])],
        ];
        for frames in refused {
            assert!(sorted(frames).is_err(), "{frames:?}");
        }
        assert!(sorted(&[("jit", &[0; 4])]).is_err(), "more answers than jobs");
    }
}

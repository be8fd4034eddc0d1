//! A question, the verifier's answer and the solver's.

use core::time::Duration;

use callproof_policy::{ByteOrder, Env, parse_properties};
use callproof_testgen::{Choose, Seed};
use callproof_verifier::{Answer, Limits, Query, Session, Shown, Side};
use callproof_vm::{Endian, Filter, Insn, Kernel, Machine, SeccompData, ShiftByX};

use crate::encode::{self, Fault, Ran, Setting, bv};
use crate::meaning::Cell;
use crate::programs;
use crate::solver::{Said, Solver};

/// What came of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Holds,
    Fails,
    /// The claim speaks of no call
    Vacuous,
    /// The verifier reached a limit
    Undecided,
    /// The solver gave up
    Unknown,
    /// The two contradict each other
    Disagreement(String),
}

/// What a question needs: choices, a machine, a solver.
pub(crate) struct Case<'s> {
    pub(crate) choose: Seed,
    pub(crate) setting: Setting,
    pub(crate) palette: Vec<u32>,
    pub(crate) solver: &'s mut Solver,
    pub(crate) script: String,
}

/// Enough for programs of this size; what takes more is counted as undecided.
pub(crate) fn limits() -> Limits {
    Limits {
        states: 50_000,
        nodes: 1_000_000,
        steps: 3_000_000,
        conflicts: 20_000,
        time: Duration::from_secs(5),
        ..Limits::default()
    }
}

impl<'s> Case<'s> {
    pub(crate) fn new(seed: u64, number: u64, solver: &'s mut Solver, fault: Option<Fault>) -> Self {
        let mut choose = Seed::new(seed, number);
        let machine = Machine {
            kernel: choose.pick(&[
                Kernel::LATEST,
                Kernel::LATEST,
                Kernel::new(4, 14),
                Kernel::new(4, 13),
                Kernel::new(5, 4),
            ]),
            endian: choose.pick(&[Endian::Little, Endian::Big]),
            shift: choose.pick(&ShiftByX::ALL),
        };
        let palette = programs::palette(&mut choose);
        Self {
            choose,
            setting: Setting { machine, fault },
            palette,
            solver,
            script: String::new(),
        }
    }

    pub(crate) const fn machine(&self) -> Machine {
        self.setting.machine
    }

    pub(crate) const fn kernel(&self) -> Kernel {
        self.setting.machine.kernel
    }

    pub(crate) fn program(&mut self) -> Vec<Insn> {
        programs::program(&mut self.choose, &self.palette)
    }

    /// From now on programs allow, or deny in one way.
    pub(crate) fn allow_or_deny(&mut self) {
        self.palette = vec![0x7fff_0000, 0x7fff_0000, self.palette[0] & 0x0005_ffff];
    }

    /// A program that tests for these numbers, or those of the table if there are none.
    pub(crate) fn about(&mut self, numbers: &[u32], cells: &[Cell]) -> Vec<Vec<Insn>> {
        vec![programs::policy(&mut self.choose, &self.palette, numbers, cells)]
    }

    /// One program, or now and then a chain of two or three.
    pub(crate) fn programs(&mut self) -> Vec<Vec<Insn>> {
        let count = if self.choose.one_in(4) {
            2 + self.choose.below(2)
        } else {
            1
        };
        (0..count).map(|_| self.program()).collect()
    }

    pub(crate) fn declare(&mut self, prefix: &str) -> Vec<String> {
        encode::declare(&mut self.script, prefix)
    }

    pub(crate) fn encode(&mut self, name: &str, programs: &[Vec<Insn>], words: &[String]) -> Ran {
        let programs: Vec<&[Insn]> = programs.iter().map(Vec::as_slice).collect();
        encode::chain(&mut self.script, name, &programs, words, self.setting)
    }

    /// Hands the script to the solver.
    pub(crate) fn load(&mut self) {
        self.solver.load(&self.script);
    }

    /// What the verifier answers to a claim.
    pub(crate) fn answer(&self, claim: &str, programs: &[Vec<Insn>], other: &[Vec<Insn>]) -> Answer {
        let text = format!("use \"other\" as other\n{claim}\n");
        let file = parse_properties("question", &text).unwrap_or_else(|problems| panic!("{claim}: {problems}"));
        let (property, env) = file.properties(&Env::default()).remove(0);
        let (own, others) = (loaded(programs), loaded(other));
        let sides = if others.is_empty() {
            Vec::new()
        } else {
            vec![("other".to_owned(), Side::Chain(&others))]
        };
        let query = Query {
            claim: &property.claim,
            env: &env,
        };
        let mut session = Session::new(&own, sides, self.machine(), ByteOrder::OfArch, &limits());
        let outcome = session.ask(&query);
        outcome.unwrap_or_else(|error| panic!("{claim}: {error}")).answer
    }

    /// Holds the verifier's answer against the solver's. `bad` can be true when the claim is false; `asked` when it
    /// speaks of any call. `w` are the words of the input, or nothing when `bad` is about two inputs.
    pub(crate) fn judge(&mut self, answer: &Answer, bad: &str, asked: &str, w: &[String]) -> Came {
        let (came, formula, expected) = match answer {
            Answer::Undecided(_) => return Came::Undecided,
            Answer::Vacuous => (Came::Vacuous, asked, Said::Unsat),
            Answer::Holds { .. } => (Came::Holds, bad, Said::Unsat),
            Answer::Fails(_) => (Came::Fails, bad, Said::Sat),
        };
        let came = self.expect(came, formula, expected, "the claim");
        let came = match (came, answer) {
            (Came::Holds, _) if asked != "true" => self.expect(Came::Holds, asked, Said::Sat, "what is asked about"),
            (came, _) => came,
        };
        match (came, answer) {
            (Came::Fails, Answer::Fails(found)) if !w.is_empty() => {
                let here = at(&found.shown[0].call, w);
                self.expect(Came::Fails, &format!("(and {here} {bad})"), Said::Sat, "the witness")
            }
            (came, _) => came,
        }
    }

    /// `came`, if the solver says what it should.
    pub(crate) fn expect(&mut self, came: Came, formula: &str, expected: Said, what: &str) -> Came {
        match self.solver.ask(formula) {
            Said::Unknown => Came::Unknown,
            said if said == expected => came,
            said => Came::Disagreement(format!(
                "of {what} the solver says {said:?}, and the verifier says {came:?}"
            )),
        }
    }

    /// `came`, if a shown call has the value that it is shown with.
    pub(crate) fn confirm(&mut self, came: Came, shown: &Shown, value: &str, w: &[String]) -> Came {
        let here = at(&shown.call, w);
        let formula = format!("(and {here} (= {value} {}))", bv(shown.verdict.value));
        self.expect(came, &formula, Said::Sat, "a shown call")
    }
}

/// That the input is this call, as programs on its own ABI make it.
pub(crate) fn at(call: &SeccompData, w: &[String]) -> String {
    at_words(&call.words(Endian::of_audit_arch(call.arch)), w)
}

pub(crate) fn at_words(words: &[u32; 16], w: &[String]) -> String {
    let same = w
        .iter()
        .zip(words)
        .map(|(name, value)| format!("(= {name} {})", bv(*value)));
    format!("(and {})", same.collect::<Vec<_>>().join(" "))
}

pub(crate) fn loaded(programs: &[Vec<Insn>]) -> Vec<Filter<'_>> {
    programs.iter().map(|program| programs::load(program)).collect()
}

//! Filters and chains as bit-vector terms, written from the meaning of the 41 opcodes alone.
//!
//! Jumps go forward only, so one pass over the program is enough: every instruction has the ways that lead to it, and
//! where ways meet each register becomes an if-then-else over them. Nothing here looks at the verifier.

use core::fmt::Write;

use callproof_vm::{Insn, Kernel, Machine, ShiftByX};

/// A mistake that an encoder might make, to see that the comparison notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `jgt` is taken for `jge`
    GreaterOrEqual,
    /// Division by zero goes on with 0 in A
    DivisionGoesOn,
    /// Of equally severe values the oldest filter's counts
    OldestWinsTies,
    /// Severity is compared unsigned
    UnsignedSeverity,
    /// Memory cells read as 0
    ForgottenStores,
}

/// Everything that the meaning of a chain depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) machine: Machine,
    pub(crate) fault: Option<Fault>,
}

/// What one filter does, as names of terms in the script.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// What it returns: 32 bits
    pub(crate) value: String,
    /// Executed instructions: 16 bits
    pub(crate) cost: String,
    /// Whether each instruction is executed
    pub(crate) here: Vec<String>,
    /// Conditional jumps: (instruction, whether it is executed and the test holds, ... and it does not)
    pub(crate) tests: Vec<(usize, String, String)>,
    /// Shifts by X: (instruction, whether it is executed with X of 32 or more)
    pub(crate) shifts: Vec<(usize, String)>,
    /// Divisions by X: (instruction, whether it is executed with X = 0)
    pub(crate) divisions: Vec<(usize, String)>,
}

/// What a chain does.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) filters: Vec<Run>,
    pub(crate) value: String,
    pub(crate) cost: String,
}

pub(crate) fn bv(value: u32) -> String {
    format!("#x{value:08x}")
}

/// The 16 words of an input, declared as constants.
pub(crate) fn declare(script: &mut String, prefix: &str) -> Vec<String> {
    let words: Vec<String> = (0..16).map(|word| format!("{prefix}{word}")).collect();
    for word in &words {
        writeln!(script, "(declare-const {word} (_ BitVec 32))").unwrap();
    }
    words
}

/// Whether this severity is above that: less severe. Since 4.14 the top 16 bits count as a signed number.
pub(crate) fn less_severe(this: &str, that: &str, setting: Setting) -> String {
    let mask = severity_mask(setting.machine.kernel);
    let op = match setting.fault {
        Some(Fault::UnsignedSeverity) => "bvugt",
        _ => "bvsgt",
    };
    format!("({op} (bvand {this} {mask}) (bvand {that} {mask}))")
}

pub(crate) fn severity_mask(kernel: Kernel) -> &'static str {
    if (kernel.major, kernel.minor) >= (4, 14) {
        "#xffff0000"
    } else {
        "#x7fff0000"
    }
}

/// Runs a chain, its oldest filter first. Names of terms begin with `name`.
pub(crate) fn chain(script: &mut String, name: &str, programs: &[&[Insn]], words: &[String], setting: Setting) -> Ran {
    let filters: Vec<Run> = programs
        .iter()
        .enumerate()
        .map(|(place, program)| Encoder::new(script, format!("{name}{place}_"), program, words, setting).run())
        .collect();
    let values: Vec<&str> = filters.iter().map(|run| run.value.as_str()).collect();
    let value = combined(script, name, &values, setting);
    let cost = filters
        .iter()
        .fold("#x0000".to_owned(), |sum, run| format!("(bvadd {sum} {})", run.cost));
    Ran { filters, value, cost }
}

/// The value that several come to, the oldest filter's first.
pub(crate) fn combined(script: &mut String, name: &str, values: &[&str], setting: Setting) -> String {
    let mut best = bv(0x7fff_0000);
    let mut newest_first: Vec<_> = values.iter().rev().collect();
    if setting.fault == Some(Fault::OldestWinsTies) {
        newest_first.reverse();
    }
    for (place, value) in newest_first.into_iter().enumerate() {
        let better = less_severe(&best, value, setting);
        let next = format!("{name}best{place}");
        writeln!(
            script,
            "(define-fun {next} () (_ BitVec 32) (ite {better} {value} {best}))"
        )
        .unwrap();
        best = next;
    }
    best
}

/// A way into an instruction.
#[derive(Clone)]
struct Way {
    taken: String,
    a: String,
    x: String,
    cells: Vec<String>,
    /// Instructions executed before: a term, or none, and so many more
    cost: (Option<String>, u16),
}

struct Encoder<'e> {
    script: &'e mut String,
    prefix: String,
    program: &'e [Insn],
    words: &'e [String],
    setting: Setting,
    fresh: usize,
    ways: Vec<Vec<Way>>,
    returns: Vec<(String, String, String)>,
    run: Run,
}

impl<'e> Encoder<'e> {
    fn new(script: &'e mut String, prefix: String, program: &'e [Insn], words: &'e [String], setting: Setting) -> Self {
        let mut ways = vec![Vec::new(); program.len()];
        ways[0].push(Way {
            taken: "true".into(),
            a: bv(0),
            x: bv(0),
            cells: vec![bv(0); 16],
            cost: (None, 0),
        });
        Self {
            script,
            prefix,
            program,
            words,
            setting,
            fresh: 0,
            ways,
            returns: Vec::new(),
            run: Run::default(),
        }
    }

    fn define(&mut self, sort: &str, term: &str) -> String {
        let name = format!("{}{}", self.prefix, self.fresh);
        self.fresh += 1;
        writeln!(self.script, "(define-fun {name} () {sort} {term})").unwrap();
        name
    }

    fn word(&mut self, term: &str) -> String {
        self.define("(_ BitVec 32)", term)
    }

    fn run(mut self) -> Run {
        for pc in 0..self.program.len() {
            let ways = core::mem::take(&mut self.ways[pc]);
            let Some(state) = self.meet(&ways) else {
                self.run.here.push("false".into());
                continue;
            };
            self.run.here.push(state.taken.clone());
            self.step(pc, state);
        }
        let (mut value, mut cost) = (bv(0), "#x0000".to_owned());
        for (taken, returned, spent) in core::mem::take(&mut self.returns) {
            value = self.word(&format!("(ite {taken} {returned} {value})"));
            cost = self.define("(_ BitVec 16)", &format!("(ite {taken} {spent} {cost})"));
        }
        self.run.value = value;
        self.run.cost = cost;
        self.run
    }

    /// The state where ways meet; `None` when there is no way.
    fn meet(&mut self, ways: &[Way]) -> Option<Way> {
        let (last, others) = ways.split_last()?;
        let mut all = last.clone();
        for way in others {
            all.a = self.choice(&way.taken, &way.a, &all.a);
            all.x = self.choice(&way.taken, &way.x, &all.x);
            for (cell, other) in all.cells.iter_mut().zip(&way.cells) {
                if cell != other {
                    let term = format!("(ite {} {other} {cell})", way.taken);
                    *cell = format!("{}{}", self.prefix, self.fresh);
                    self.fresh += 1;
                    writeln!(self.script, "(define-fun {cell} () (_ BitVec 32) {term})").unwrap();
                }
            }
            if all.cost != way.cost {
                let term = format!("(ite {} {} {})", way.taken, count(&way.cost), count(&all.cost));
                all.cost = (Some(self.define("(_ BitVec 16)", &term)), 0);
            }
        }
        if !others.is_empty() {
            let ways: Vec<&str> = ways.iter().map(|way| way.taken.as_str()).collect();
            all.taken = self.define("Bool", &format!("(or {})", ways.join(" ")));
        }
        Some(all)
    }

    fn choice(&mut self, condition: &str, yes: &str, no: &str) -> String {
        if yes == no {
            return yes.to_owned();
        }
        self.word(&format!("(ite {condition} {yes} {no})"))
    }

    fn leave(&mut self, state: &Way, value: String) {
        let taken = state.taken.clone();
        self.returns.push((taken, value, count(&state.cost)));
    }

    /// One instruction. Opcodes as `linux/bpf_common.h` has them.
    fn step(&mut self, pc: usize, mut state: Way) {
        let insn = self.program[pc];
        let k = bv(insn.k);
        state.cost.1 += 1;
        let cell = insn.k as usize % 16;
        match insn.code {
            0x00 => state.a = k,
            0x01 => state.x = k,
            0x20 => state.a = self.words[insn.k as usize / 4].clone(),
            0x80 => state.a = bv(64),
            0x81 => state.x = bv(64),
            0x60 => state.a = state.cells[cell].clone(),
            0x61 => state.x = state.cells[cell].clone(),
            0x02 | 0x03 if self.setting.fault == Some(Fault::ForgottenStores) => {}
            0x02 => state.cells[cell] = state.a.clone(),
            0x03 => state.cells[cell] = state.x.clone(),
            0x07 => state.x = state.a.clone(),
            0x87 => state.a = state.x.clone(),
            0x84 => state.a = self.word(&format!("(bvneg {})", state.a)),
            0x05 => return self.ways[pc + 1 + insn.k as usize].push(state),
            0x06 => return self.leave(&state, k),
            0x16 => return self.leave(&state, state.a.clone()),
            code if code & 7 == 5 => return self.branch(pc, &state),
            code if code & 7 == 4 => self.compute(pc, &mut state),
            code => panic!("{code:#x} is no opcode of seccomp"),
        }
        self.ways[pc + 1].push(state);
    }

    fn branch(&mut self, pc: usize, state: &Way) {
        let insn = self.program[pc];
        let (a, other) = (&state.a, self.operand(insn, state));
        let greater = if self.setting.fault == Some(Fault::GreaterOrEqual) {
            "bvuge"
        } else {
            "bvugt"
        };
        let test = match insn.code & 0xf0 {
            0x10 => format!("(= {a} {other})"),
            0x20 => format!("({greater} {a} {other})"),
            0x30 => format!("(bvuge {a} {other})"),
            0x40 => format!("(distinct (bvand {a} {other}) #x00000000)"),
            _ => panic!("no test"),
        };
        let yes = self.define("Bool", &format!("(and {} {test})", state.taken));
        let no = self.define("Bool", &format!("(and {} (not {test}))", state.taken));
        for (taken, skip) in [(&yes, insn.jt), (&no, insn.jf)] {
            let taken = taken.clone();
            self.ways[pc + 1 + usize::from(skip)].push(Way { taken, ..state.clone() });
        }
        self.run.tests.push((pc, yes, no));
    }

    fn operand(&self, insn: Insn, state: &Way) -> String {
        if insn.code & 8 == 8 {
            state.x.clone()
        } else {
            bv(insn.k)
        }
    }

    fn compute(&mut self, pc: usize, state: &mut Way) {
        let insn = self.program[pc];
        let other = self.operand(insn, state);
        let by_x = insn.code & 8 == 8;
        let op = match insn.code & 0xf0 {
            0x00 => "bvadd",
            0x10 => "bvsub",
            0x20 => "bvmul",
            0x30 => "bvudiv",
            0x40 => "bvor",
            0x50 => "bvand",
            0x60 => "bvshl",
            0x70 => "bvlshr",
            0xa0 => "bvxor",
            _ => panic!("no operation"),
        };
        let mut right = other.clone();
        if by_x && matches!(op, "bvshl" | "bvlshr") {
            let wide = self.define("Bool", &format!("(and {} (bvuge {other} #x00000020))", state.taken));
            self.run.shifts.push((pc, wide));
            // Bit-vector shifts by 32 or more give 0.
            right = match self.setting.machine.shift {
                ShiftByX::Masked => format!("(bvand {other} #x0000001f)"),
                ShiftByX::SixBitZero => format!("(bvand {other} #x0000003f)"),
                ShiftByX::Arm8 => format!("(bvand {other} #x000000ff)"),
            };
        }
        let mut term = format!("({op} {} {right})", state.a);
        if by_x && op == "bvudiv" {
            let zero = self.define("Bool", &format!("(and {} (= {other} #x00000000))", state.taken));
            self.run.divisions.push((pc, zero.clone()));
            if self.setting.fault == Some(Fault::DivisionGoesOn) {
                term = format!("(ite (= {other} #x00000000) #x00000000 {term})");
            } else {
                self.returns.push((zero.clone(), bv(0), count(&state.cost)));
                state.taken = self.define("Bool", &format!("(and {} (not {zero}))", state.taken));
            }
        }
        state.a = self.word(&term);
    }
}

fn count((term, more): &(Option<String>, u16)) -> String {
    match term {
        None => format!("#x{more:04x}"),
        Some(term) => format!("(bvadd {term} #x{more:04x})"),
    }
}

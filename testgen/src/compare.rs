//! Holds `callproof-vm` against the [reference](crate::reference).
//!
//! One case is made of the seed and the number of the case, compares one evaluation, admission, chain or length, and
//! needs no kernel. The same functions serve tests and fuzz targets; with a planted fault they prove that the net
//! catches.

use core::fmt;

use callproof_vm::length::converted_len;
use callproof_vm::{Chain, Endian, Filter, Insn, Machine, SeccompData};

use crate::choose::{Choose, Seed};
use crate::data::{Caller, Harvest};
use crate::mutate::near_valid;
use crate::program::{Shape, program, program_of};
use crate::reference::Reference;

/// What the two models disagree about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The question
    pub subject: Subject,
    /// The programs, oldest first; one unless the subject is a chain
    pub programs: Vec<Vec<Insn>>,
    /// The call that was judged, if any, and on what byte order
    pub call: Option<(SeccompData, Endian)>,
    /// What `callproof-vm` says
    pub vm: u32,
    /// What the reference says
    pub reference: u32,
}

/// A question that both models answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// What does a program return? A 32-bit value
    Evaluation,
    /// Is a program installed? 1 or 0
    Admission,
    /// What does a chain return? A 32-bit value
    Chain,
    /// How long is a program to the chain budget? Instructions
    Length,
    /// How many programs of a chain fit on a thread? Their number
    Budget,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vm, reference, .. } = self;
        writeln!(f, "{:?}: vm {vm:#x}, reference {reference:#x}", self.subject)?;
        if let Some((call, endian)) = &self.call {
            writeln!(f, "{endian:?} {call:x?}")?;
        }
        for program in &self.programs {
            writeln!(f, "program:")?;
            for (pc, insn) in program.iter().enumerate() {
                writeln!(f, "  {pc}: {} {insn:?}", insn.at(pc))?;
            }
        }
        Ok(())
    }
}

/// Compares one case: the kind of question follows from its number.
///
/// # Errors
/// The difference, if there is one.
pub fn case(reference: Reference, seed: u64, number: u64) -> Result<(), Box<Difference>> {
    let mut seed = Seed::new(seed, number);
    match number % 32 {
        // Twelve long programs take as long as a thousand other cases.
        0 if number.is_multiple_of(512) => budget(reference, &mut seed),
        0..=8 => admission(reference, near_valid(&mut seed)),
        9..=12 => chain(reference, &mut seed),
        13..=15 => length(reference, program(&mut seed)),
        _ => evaluation(reference, program(&mut seed), &mut seed),
    }
}

/// Compares what a program returns for a call that is made for it.
///
/// # Errors
/// The difference, if there is one.
pub fn evaluation(reference: Reference, program: Vec<Insn>, choose: &mut impl Choose) -> Result<(), Box<Difference>> {
    let (call, machine) = (call_for(&program, choose), some_machine(choose));
    let value = match Filter::load(&program[..]) {
        Ok(filter) => filter.run(&call, machine),
        Err(_) => return admission(reference, program),
    };
    let other = reference.run(&program, &call, machine.endian);
    equal(
        Subject::Evaluation,
        vec![program],
        Some((call, machine.endian)),
        [value, other],
    )
}

/// Compares whether a program is installed.
///
/// # Errors
/// The difference, if there is one.
pub fn admission(reference: Reference, program: Vec<Insn>) -> Result<(), Box<Difference>> {
    let vm = u32::from(Filter::load(&program[..]).is_ok());
    let other = u32::from(reference.admits(&program));
    equal(Subject::Admission, vec![program], None, [vm, other])
}

/// Compares the converted length of a program.
///
/// # Errors
/// The difference, if there is one.
pub fn length(reference: Reference, program: Vec<Insn>) -> Result<(), Box<Difference>> {
    let lengths = [converted_len(&program), reference.charged_len(&program)];
    equal(Subject::Length, vec![program], None, lengths)
}

/// Compares the verdict of a chain of two to five programs.
fn chain(reference: Reference, choose: &mut Seed) -> Result<(), Box<Difference>> {
    let count = choose.below(4).saturating_add(2);
    let programs: Vec<Vec<Insn>> = (0..count)
        .map(|_| {
            let len = choose.below(5);
            program_of(Shape::Policy, len as usize, choose)
        })
        .collect();
    let longest = programs.last().map_or(&[][..], Vec::as_slice);
    let (call, machine) = (call_for(longest, choose), some_machine(choose));
    let Some(filters) = load_all(&programs) else {
        return Ok(());
    };
    let value = Chain::new(&filters).run(&call, machine).value;
    let other = reference.run_chain(&programs, &call, machine.endian);
    equal(Subject::Chain, programs, Some((call, machine.endian)), [value, other])
}

/// Compares how many programs of a chain fit.
fn budget(reference: Reference, choose: &mut Seed) -> Result<(), Box<Difference>> {
    let programs: Vec<Vec<Insn>> = (0..12)
        .map(|_| {
            let len = choose.below(4097);
            program_of(Shape::Mixed, len as usize, choose)
        })
        .collect();
    let Some(filters) = load_all(&programs) else {
        return Ok(());
    };
    let fits = match Chain::new(&filters).check_budget(Machine::default()) {
        Ok(()) => filters.len(),
        Err((index, _)) => index,
    };
    let counts = [fits, reference.fitting(&programs)].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    equal(Subject::Budget, programs, None, counts)
}

fn load_all(programs: &[Vec<Insn>]) -> Option<Vec<Filter<'_>>> {
    programs.iter().map(|program| Filter::load(&program[..]).ok()).collect()
}

fn call_for(program: &[Insn], choose: &mut impl Choose) -> SeccompData {
    let caller = Caller::any(choose);
    Harvest::of(program).call(choose, caller)
}

fn some_machine(choose: &mut impl Choose) -> Machine {
    let endian = if choose.one_in(4) { Endian::Big } else { Endian::Little };
    Machine {
        endian,
        ..Machine::default()
    }
}

fn equal(
    subject: Subject,
    programs: Vec<Vec<Insn>>,
    call: Option<(SeccompData, Endian)>,
    [vm, reference]: [u32; 2],
) -> Result<(), Box<Difference>> {
    if vm == reference {
        return Ok(());
    }
    Err(Box::new(Difference {
        subject,
        programs,
        call,
        vm,
        reference,
    }))
}

//! Judges that compare what two sides say of what they are given.

use callproof_formats::{Format, Problem, ReadOptions, WriteOptions, write};
use callproof_vm::{Filter, Insn, Kernel, Machine, SeccompData};

use super::Disagreement;

/// Whether another emulator returns what the kernel returns, for each of the calls. Programs that the kernel would not
/// install are left alone.
///
/// # Errors
/// The first call for which it returns something else.
pub fn engine(
    program: &[Insn],
    calls: &[SeccompData],
    machine: Machine,
    mut other: impl FnMut(&SeccompData) -> u32,
) -> Result<(), Box<Disagreement>> {
    let Ok(filter) = Filter::load_on(machine.kernel, program) else {
        return Ok(());
    };
    for call in calls {
        let answers = [other(call), filter.run(call, machine)];
        let [found, expected] = answers;
        if found != expected {
            return Err(Disagreement::shown(
                "the other emulator returns something else",
                *call,
                answers,
            ));
        }
    }
    Ok(())
}

/// Whether another loader installs a program when the kernel does.
///
/// # Errors
/// When it does not, with the rules that the program breaks.
pub fn admission(program: &[Insn], kernel: Kernel, installed: bool) -> Result<(), Box<Disagreement>> {
    match (Filter::load_on(kernel, program), installed) {
        (Ok(_), false) => Err(Disagreement::new("the program is refused, and the kernel installs it")),
        (Err(rejected), true) => Err(Disagreement::new(format_args!(
            "the program is installed, and the kernel refuses it: {rejected}"
        ))),
        _ => Ok(()),
    }
}

/// Whether a program is what it was after every format has written it and read it again, with notes and without.
///
/// # Errors
/// The format that changes it.
pub fn round_trips(program: &[Insn]) -> Result<(), Box<Disagreement>> {
    for &format in Format::ALL {
        for annotate in [false, true] {
            let options = WriteOptions {
                annotate,
                ..WriteOptions::default()
            };
            let written = write(program, format, &options);
            let reader = ReadOptions {
                format: Some(format),
                ..ReadOptions::default()
            };
            match reader.read(&written) {
                Ok(read) if read.insns == program => {}
                Ok(_) => return Err(Disagreement::new(format_args!("{format} changes the program"))),
                // A line without instructions hands no filter over.
                Err(error) if program.is_empty() && matches!(error.problem(), Problem::NoFilter { .. }) => {}
                Err(error) => {
                    return Err(Disagreement::new(format_args!("{format} cannot be read back: {error}")));
                }
            }
        }
    }
    Ok(())
}

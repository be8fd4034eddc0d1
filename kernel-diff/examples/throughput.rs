//! How many answers a second the oracles give on this machine, one line each. Every answer is held against the emulator.

#![expect(clippy::print_stdout, reason = "the figures are what this is for")]

use core::error::Error;
use std::thread;
use std::time::Instant;

use callproof_kernel_diff::{
    AdmissionOracle, NativeOracle, NotifyOracle, Oracle, PtraceOracle, Question, SocketOracle, machine,
};
use callproof_testgen::{Caller, Harvest, Seed, near_valid, program};
use callproof_vm::{Filter, Insn, SeccompData};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Programs without a division by X (one that kills costs a process) and what they are asked, by x86_64 calls.
fn cases(count: usize, calls: usize, salt: u64, ip: u64) -> Vec<(Vec<Insn>, Vec<SeccompData>)> {
    let mut cases = Vec::new();
    for number in 0.. {
        if cases.len() == count {
            break;
        }
        let mut seed = Seed::new(salt, number);
        let program = program(&mut seed);
        if program.len() > 1000 || program.iter().any(|insn| insn.code == 0x3c) {
            continue;
        }
        let caller = Caller { arch: 0xc000_003e, ip };
        let data = Harvest::of(&program).calls(&mut seed, calls, &[caller]);
        cases.push((program, data));
    }
    cases
}

/// Asks on as many threads as `threads` says; gives programs and calls for each second.
fn rate<O: Oracle>(open: impl Fn() -> Outcome<O> + Sync, [threads, count, calls]: [usize; 3]) -> Outcome<(f64, f64)> {
    let work = |salt: usize| -> Outcome<(usize, usize, f64)> {
        let mut oracle = open()?;
        let [(_, ip), _] = oracle.observes().instruction_pointers;
        let cases = cases(count, calls, salt as u64, ip);
        let questions: Vec<Question<'_>> = cases.iter().map(|(program, data)| Question { program, data }).collect();
        let start = Instant::now();
        let answers = oracle.evaluate_all(&questions);
        let seconds = start.elapsed().as_secs_f64();
        let mut compared = 0_usize;
        for ((program, data), answer) in cases.iter().zip(answers) {
            let (filter, values) = (Filter::load(&program[..]).map_err(|error| error.to_string())?, answer?);
            if data
                .iter()
                .zip(&values)
                .any(|(call, &value)| filter.run(call, machine()) != value)
            {
                return Err("kernel and emulator disagree".into());
            }
            compared = compared.saturating_add(values.len());
        }
        Ok((cases.len(), compared, seconds))
    };
    let work = &work;
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..threads).map(|salt| scope.spawn(move || work(salt))).collect();
        let mut sum = (0.0, 0.0);
        for job in jobs {
            let (programs, calls, seconds) = job.join().map_err(|_| "a thread ended early")??;
            sum.0 += float(programs) / seconds;
            sum.1 += float(calls) / seconds;
        }
        Ok(sum)
    })
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn admissions(threads: usize) -> Outcome<f64> {
    let work = |salt: usize| -> Outcome<f64> {
        let mut oracle = AdmissionOracle::new()?;
        let programs: Vec<Vec<Insn>> = (0..20_000)
            .map(|n| near_valid(&mut Seed::new(salt as u64, n)))
            .collect();
        let asked: Vec<&[Insn]> = programs.iter().map(Vec::as_slice).collect();
        let start = Instant::now();
        let answers = oracle.admits_all(&asked);
        let seconds = start.elapsed().as_secs_f64();
        for (program, answer) in asked.iter().zip(answers) {
            if answer? != Filter::load(*program).is_ok() {
                return Err("kernel and emulator disagree".into());
            }
        }
        Ok(float(programs.len()) / seconds)
    };
    let work = &work;
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..threads).map(|salt| scope.spawn(move || work(salt))).collect();
        let ended = jobs
            .into_iter()
            .map(|job| job.join().map_err(|_| "a thread ended early")?);
        ended.sum()
    })
}

fn notifications() -> Outcome<f64> {
    let mut oracle = NotifyOracle::new()?;
    let calls: Vec<_> = (0..20_000)
        .map(|nr| (callproof_kernel_diff::Entry::Syscall, nr % 300, [7; 6]))
        .collect();
    let start = Instant::now();
    let seen = oracle.notified(&calls)?;
    if seen.iter().any(|one| one.made != one.seen) {
        return Err("a call looks otherwise than it was made".into());
    }
    Ok(float(seen.len()) / start.elapsed().as_secs_f64())
}

fn main() -> Outcome<()> {
    let threads = thread::available_parallelism()?.get();
    println!("{threads} threads");
    let native = || Ok(NativeOracle::new()?);
    for (count, calls) in [(100, 4096), (500, 256), (2000, 16), (4000, 1)] {
        let (programs, evaluations) = rate(native, [threads, count, calls])?;
        println!("native, {calls} calls a program: {programs:.0} programs/s, {evaluations:.0} evaluations/s");
    }
    println!("admission: {:.0} programs/s", admissions(threads)?);
    let (_, evaluations) = rate(|| Ok(SocketOracle::new()?), [threads, 300, 64])?;
    println!("socket: {evaluations:.0} evaluations/s");
    let (_, evaluations) = rate(|| Ok(PtraceOracle::new()?), [threads, 40, 64])?;
    println!("ptrace: {evaluations:.0} evaluations/s");
    println!("notification, 1 thread: {:.0} calls/s", notifications()?);
    Ok(())
}

//! Random policies, and calls near everything that they compare with.

#![allow(dead_code, unreachable_pub, reason = "each test that shares these uses some of them")]

use callproof_abi::Abi;
use callproof_policy::{Condition, Field, Formula, GroundPolicy};
use callproof_vm::SeccompData;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// ABIs of both byte orders and word sizes.
pub(crate) const ABIS: &str = "x86_64, x32, i386, aarch64, s390x, mips, ppc64le, unknown";

const CALLS: &[&str] = &[
    "read",
    "write(1 | 2)",
    "socket(AF_UNIX)",
    "socket(!(AF_UNIX | AF_INET), SOCK_STREAM)",
    "ioctl(_, TIOCSTI)",
    "ioctl(_, raw:TIOCSTI)",
    "openat(flags & O_ACCMODE == O_RDONLY)",
    "mprotect(_, _, prot & PROT_EXEC)",
    "clone(clone_flags & (CLONE_NEWUSER|CLONE_NEWNS) == CLONE_NEWUSER)",
    "clone3",
    "exit_group(-1)",
    "getpid, gettid, kill(_, 9)",
    "*",
    "unallocated",
    "3..=9",
    "-1",
    "0x40000000..=0x40000010",
    "process_vm_*",
    "prctl(>= 2)",
    "prctl(3..=77)",
    "futex(raw:<= 0x1ffffffff, _, lo:> 3)",
    "futex(raw:!= 0x500000005)",
    "*(raw(args[0]) == 0x0000000700000007)",
    "*(hi(args[1]) != 0)",
    "*(lo(args[2]) & 0xff0 == 0x120)",
    "*(raw(args[5]) & 0xffff00000000ffff == 0x1200000000034)",
    "*(raw(args[3]) > 0xffffffff)",
    "*(ip < 0x7f0000000000)",
    "*(hi(ip) == 0x7f | raw(args[4]) & 0x8000000000000000)",
];

const ANSWERS: &[&str] = &[
    "allow",
    "log",
    "kill",
    "kill_thread",
    "errno(EPERM)",
    "errno(ENOSYS)",
    "errno(0)",
    "errno(4095)",
    "trap(65535)",
    "trace(7)",
    "notify",
];

const EXCEPT: &[&str] = &[
    "",
    "",
    "",
    " except read, 5..=7, socket(AF_INET)",
    " except *(hi(args[0]) == 0)",
];

const ON: &[&str] = &[
    "",
    "",
    " on x86_64",
    " on x32",
    " on x86_64, x32, aarch64",
    " on s390x",
    " on mips, i386",
    " on unknown",
    " on any",
];

/// A policy of at most so many rules. Where a rule has no meaning it says so in a comment and is left out.
pub(crate) fn text(most: usize) -> impl Strategy<Value = String> {
    let rule = (select(ANSWERS), select(CALLS), 0..400_u32, select(EXCEPT), select(ON));
    let rules = vec(rule, most / 2..=most);
    (select(ANSWERS), rules).prop_map(|(default, rules)| {
        let mut text = format!("default {default}\n");
        for (answer, calls, number, except, on) in rules {
            // Conditions by name need an ABI; a plain number says something everywhere.
            let named = on == " on any" || on == " on unknown" || on.is_empty() || except.contains("socket(");
            let here = on != " on any" && on != " on unknown" && !on.is_empty();
            let calls = if calls.contains('(') && named && !calls.starts_with('*') && !here {
                number.to_string()
            } else {
                calls.to_owned()
            };
            let except = if here { except } else { "" };
            text += &format!("{answer} {calls}{except}{on}\n");
        }
        text
    })
}

/// Choices from which [`calls`] are made.
pub(crate) fn seeds(count: usize) -> impl Strategy<Value = Vec<u64>> {
    any::<u64>().prop_map(move |seed| stream(seed, count))
}

/// The same choices each time.
pub(crate) fn fixed_seeds(count: usize) -> Vec<u64> {
    stream(7, count)
}

fn stream(mut state: u64, count: usize) -> Vec<u64> {
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..count).map(|_| next()).collect()
}

/// Calls on every ABI whose fields lie at, just below and just above what the policy compares with.
pub(crate) fn calls(policy: &GroundPolicy, seeds: &[u64]) -> Vec<SeccompData> {
    let mut numbers = vec![0, 0x4000_0000, u64::from(u32::MAX)];
    let mut values = vec![0, u64::MAX, 1 << 32, 0x8000_0000];
    for (condition, _) in policy.cells.iter().flat_map(|rules| &rules.rules) {
        harvest(condition, &mut numbers, &mut values);
    }
    for list in [&mut numbers, &mut values] {
        list.sort_unstable();
        list.dedup();
    }
    let archs: Vec<u32> = Abi::ALL
        .iter()
        .map(|abi| abi.audit_arch())
        .chain([0, 1, 0x4000_0001])
        .collect();
    let call = |seed: &u64| {
        let mut rest = stream(*seed, 12).into_iter();
        let mut draw = move || rest.next().unwrap();
        let arch = archs[draw() as usize % archs.len()];
        let near = draw();
        let nr = numbers[draw() as usize % numbers.len()]
            .wrapping_add(near % 3)
            .wrapping_sub(1) as u32;
        let nr = if near & 0x100 == 0 { nr } else { nr ^ 0x4000_0000 };
        let mut value = || {
            let (pick, how) = (draw(), draw());
            let value = values[pick as usize % values.len()];
            match how % 6 {
                0 => value.wrapping_add(1),
                1 => value.wrapping_sub(1),
                2 => value.rotate_left(32),
                3 => value | (how & 0xffff_ffff_0000_0000),
                _ => value,
            }
        };
        let args = [value(), value(), value(), value(), 0, 0];
        let mut call = SeccompData::new(arch, nr.cast_signed(), args);
        let swap = (*seed % 6) as usize;
        call.args.swap(0, swap);
        call.instruction_pointer = call.args[3];
        call
    };
    seeds.iter().map(call).collect()
}

fn harvest(condition: &Condition, numbers: &mut Vec<u64>, values: &mut Vec<u64>) {
    match condition {
        Formula::Atom(test) if test.field == Field::Nr => numbers.push(test.value),
        Formula::Atom(test) => values.push(test.value),
        Formula::Not(inner) => harvest(inner, numbers, values),
        Formula::All(parts) | Formula::Any(parts) => {
            parts.iter().for_each(|part| harvest(part, numbers, values));
        }
    }
}

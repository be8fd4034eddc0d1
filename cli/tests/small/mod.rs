//! Small filters that look at few values, so that every call number can be tried with every value that matters.

use callproof_abi::{Abi, errno_name};
use callproof_testgen::{Choose, Seed};
use callproof_vm::{Action, Chain, Filter, Insn, Kernel, Machine, SeccompData};

/// ABIs whose calls are all tried.
pub const ABIS: [Abi; 4] = [Abi::X86_64, Abi::X32, Abi::I386, Abi::Aarch64];

const VALUES: [u32; 10] = [
    0x7fff_0000,
    0x7fff_0000,
    0x7fff_0000,
    0x7ffc_0000,
    0x0005_0001,
    0x0005_000d,
    0x0003_0007,
    0x8000_0000,
    0,
    0x7fc0_0000,
];

fn value(seed: &mut Seed) -> Insn {
    let at = usize::try_from(seed.below(10)).unwrap();
    Insn::stmt(0x06, VALUES[at])
}

/// A test of one half of an argument that decides between two bodies.
fn test(seed: &mut Seed, argument: u32, deep: bool) -> Vec<Insn> {
    let high = argument == 0 && seed.one_in(4);
    let offset = 16 + 8 * argument + if high { 4 } else { 0 };
    let code = [0x15, 0x35, 0x25, 0x45][usize::try_from(seed.below(4)).unwrap()];
    let constant = seed.below(if high { 2 } else { 8 });
    let met = if deep && seed.one_in(2) {
        test(seed, 1, false)
    } else {
        vec![value(seed)]
    };
    let skipped = u8::try_from(met.len()).unwrap();
    let mut body = vec![Insn::stmt(0x20, offset), Insn::jump(code, constant, 0, skipped)];
    body.extend(met);
    body.push(value(seed));
    body
}

/// A filter with rules for a few numbers of one or two ABIs.
pub fn filter(seed: &mut Seed) -> Vec<Insn> {
    let other = [Abi::I386, Abi::Aarch64][usize::try_from(seed.below(2)).unwrap()];
    let mut program = vec![
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, Abi::X86_64.audit_arch(), 2, 0),
        Insn::jump(0x15, other.audit_arch(), 1, 0),
        value(seed),
        Insn::stmt(0x20, 0),
    ];
    if seed.one_in(2) {
        program.push(Insn::jump(0x35, 0x4000_0000, 0, 1));
        program.push(value(seed));
    }
    for _ in 0..1 + seed.below(12) {
        let number = seed.below(460);
        let body = if seed.one_in(3) {
            test(seed, 0, true)
        } else {
            vec![value(seed)]
        };
        program.push(Insn::jump(0x15, number, 0, u8::try_from(body.len()).unwrap()));
        program.extend(body);
    }
    program.push(value(seed));
    program
}

/// As a FILTER argument.
pub fn hex(program: &[Insn]) -> String {
    let bytes = program.iter().flat_map(|insn| {
        let code = insn.code.to_le_bytes();
        let k = insn.k.to_le_bytes();
        [code[0], code[1], insn.jt, insn.jf, k[0], k[1], k[2], k[3]]
    });
    let digits: String = bytes.map(|byte| format!("{byte:02x}")).collect();
    format!("hex:{digits}")
}

/// The numbers of an ABI's calls, and some that no call has.
pub fn numbers(abi: Abi) -> Vec<(u32, bool)> {
    let mut calls: Vec<u32> = abi.syscalls().map(|call| call.number).collect();
    calls.sort_unstable();
    calls.dedup();
    let others = [
        0_u32,
        459,
        600,
        0x3fff_ffff,
        0x4000_0258,
        0x8000_0000,
        0xc000_0000,
        u32::MAX,
    ];
    let mut numbers: Vec<(u32, bool)> = calls.iter().map(|number| (*number, true)).collect();
    let own = |number: &u32| Abi::from_call(abi.audit_arch(), *number) == Some(abi) && !calls.contains(number);
    numbers.extend(others.into_iter().filter(own).map(|number| (number, false)));
    numbers
}

/// Every value of the arguments that such a filter can tell apart.
pub fn arguments() -> Vec<[u64; 6]> {
    let mut all = Vec::new();
    for first in 0..=8 {
        for second in 0..=8 {
            for high in 0..=2 {
                all.push([high << 32 | first, second, 0, 0, 0, 0]);
            }
        }
    }
    all
}

/// What a filter answers, as the command names it.
pub fn verdict(filter: &[Filter<'_>], call: &SeccompData) -> (u32, String) {
    let value = Chain::new(filter).run(call, Machine::default()).value;
    let abi = Abi::from_call(call.arch, call.nr.cast_unsigned());
    let data = value & 0xffff;
    let name = match Action::of(value, Kernel::LATEST) {
        Action::Errno => format!("errno({})", errno_name(abi.unwrap_or(Abi::X86_64), data).unwrap()),
        action @ (Action::Trap | Action::Trace) => format!("{action}({data})"),
        action => action.name().to_owned(),
    };
    (value, name)
}

/// Whether a value permits a call.
pub fn permits(value: u32) -> bool {
    Action::of(value, Kernel::LATEST).permits()
}

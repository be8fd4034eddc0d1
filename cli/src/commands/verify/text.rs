//! Numbers, registers, conditions and verdicts as people write them.

use callproof_abi::{Abi, X32_BIT, errno_name};
use callproof_verifier::{Condition, Ranges, Register, Width};
use callproof_vm::{Action, Kernel};

use super::witness::constant_name;

/// The numbers that calls of an ABI can have: x86_64 and x32 share an architecture.
pub(super) fn clip(numbers: &[(u32, u32)], abi: Option<Abi>) -> Ranges {
    const NEXT: u32 = X32_BIT * 2;
    let own: &[(u32, u32)] = match abi {
        Some(Abi::X86_64) => &[(0, X32_BIT - 1), (NEXT, NEXT + X32_BIT - 1), (u32::MAX, u32::MAX)],
        Some(Abi::X32) => &[(X32_BIT, NEXT - 1), (NEXT + X32_BIT, u32::MAX - 1)],
        _ => &[(0, u32::MAX)],
    };
    let common = numbers.iter().flat_map(|(from, to)| {
        own.iter().filter_map(move |(low, high)| {
            let (from, to) = (*from.max(low), *to.min(high));
            (from <= to).then_some((from, to))
        })
    });
    common.collect()
}

/// Names of calls, and ranges of numbers that are no calls.
pub(super) fn calls(numbers: &[(u32, u32)], abi: Option<Abi>) -> Vec<String> {
    let mut named = Vec::new();
    let mut bare = Vec::new();
    for &(from, to) in numbers {
        let mut next = Some(from);
        for call in abi
            .into_iter()
            .flat_map(Abi::syscalls)
            .filter(|call| (from..=to).contains(&call.number))
        {
            named.push(call.name.to_owned());
            if let Some(start) = next.filter(|start| *start < call.number) {
                bare.push(range(start.into(), u64::from(call.number).saturating_sub(1)));
            }
            next = call.number.checked_add(1);
        }
        if let Some(start) = next.filter(|start| *start <= to) {
            bare.push(range(start.into(), to.into()));
        }
    }
    named.extend(bare);
    named
}

fn range(from: u64, to: u64) -> String {
    if from == to {
        number(from)
    } else {
        format!("{}..={}", number(from), number(to))
    }
}

/// Small numbers as people write them, others in hex.
fn number(value: u64) -> String {
    if value < 1000 {
        value.to_string()
    } else {
        format!("{value:#x}")
    }
}

/// The name of a part of a call.
pub(super) fn register_text(register: Register, width: Width, abi: Option<Abi>, call: Option<&str>) -> String {
    let name = match register {
        Register::Arch => return "arch".to_owned(),
        Register::Number => return "nr".to_owned(),
        Register::InstructionPointer => "ip".to_owned(),
        Register::Argument(index) => {
            let known = abi.zip(call).and_then(|(abi, call)| abi.syscall_named(call).ok());
            let arg = known.and_then(|call| call.prototype()?.args.get(usize::from(index)));
            let name = arg.map(|arg| format!(" ({})", arg.name)).unwrap_or_default();
            format!("args[{index}]{name}")
        }
    };
    match width {
        Width::Full => name,
        Width::Low => format!("low half of {name}"),
        Width::High => format!("high half of {name}"),
    }
}

/// A condition on it.
pub(super) fn condition_text(
    condition: &Condition,
    register: Register,
    abi: Option<Abi>,
    call: Option<&str>,
) -> String {
    let named = |value: u64| {
        let name = match (register, abi, call) {
            (Register::Argument(index), Some(abi), Some(call)) => constant_name(abi, call, index.into(), value),
            _ => None,
        };
        name.map_or_else(|| format!("{value:#x}"), |name| format!("{value:#x} ({name})"))
    };
    let ranges = |list: &[(u64, u64)]| {
        let one = |(from, to): &(u64, u64)| match (*from, *to) {
            (from, to) if from == to => named(from),
            (from, u64::MAX) => format!("{from:#x} and above"),
            (from, to) => format!("{from:#x}..={to:#x}"),
        };
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let masks = |list: &[(u64, u64)]| {
        let one = |(mask, value): &(u64, u64)| format!("& {mask:#x} == {value:#x}");
        list.iter().map(one).collect::<Vec<_>>().join(" or ")
    };
    match condition {
        Condition::In(list) => format!("is {}", ranges(list)),
        Condition::NotIn(list) => format!("is not {}", ranges(list)),
        Condition::Masked(list) => masks(list),
        Condition::NotMasked(list) => format!("not ({})", masks(list)),
        Condition::Otherwise => "otherwise".to_owned(),
    }
}

/// A verdict with errors named.
pub(super) fn verdict(value: u32, abi: Option<Abi>, kernel: Kernel) -> String {
    let action = Action::of(value, kernel);
    let data = value & 0xffff;
    match action {
        Action::Errno => {
            let name = errno_name(abi.unwrap_or(Abi::X86_64), data.min(4095));
            name.map_or_else(|| format!("errno({data})"), |name| format!("errno({name})"))
        }
        Action::Trap | Action::Trace => format!("{action}({data})"),
        Action::Unknown => format!("unknown action {value:#010x}"),
        _ => action.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_64_and_x32_share_numbers() {
        let all = [(0, u32::MAX)];
        assert_eq!(
            clip(&all, Some(Abi::X32)),
            [(0x4000_0000, 0x7fff_ffff), (0xc000_0000, 0xffff_fffe)]
        );
        assert_eq!(clip(&[(5, 6)], Some(Abi::X86_64)), [(5, 6)]);
        assert_eq!(clip(&[(5, 6)], Some(Abi::X32)), []);
        assert_eq!(clip(&all, None), all);
    }

    #[test]
    fn numbers_without_a_name_stay_numbers() {
        assert_eq!(
            calls(&[(0, 1), (999, 1001)], Some(Abi::X86_64)),
            ["read", "write", "999..=0x3e9"]
        );
        assert_eq!(calls(&[(7, 7)], None), ["7"]);
    }
}

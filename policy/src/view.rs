//! Which bits of the argument registers the kernel reads.

use callproof_abi::{Abi, Syscall};

/// The bits of each argument register that the kernel reads for a call of an ABI, as masks.
///
/// They follow from the prototype of the call on that ABI and never exceed the registers of the ABI: on i386 all are
/// within the low 32 bits, although the filter sees 64 (see [`crate::predicate`]). Registers behind the last argument
/// are not read. `call` is `None` for a number that the tables do not know: a newer kernel can have a call there, so
/// all six registers count as read. The same goes for a number whose call has no prototype in the tables.
///
/// ```
/// use callproof_abi::Abi;
/// let ioctl = Abi::X86_64.syscall_named("ioctl").ok();
/// assert_eq!(callproof_policy::kernel_reads(Abi::X86_64, ioctl), [0xffff_ffff, 0xffff_ffff, u64::MAX, 0, 0, 0]);
/// ```
#[must_use]
pub fn kernel_reads(abi: Abi, call: Option<Syscall>) -> [u64; 6] {
    let whole = ones(abi.register_bits());
    let Some(prototype) = call.and_then(|call| call.prototype()) else {
        return [whole; 6];
    };
    let mut masks = [0; 6];
    for (mask, arg) in masks.iter_mut().zip(prototype.args) {
        *mask = arg.width(abi).mask();
    }
    masks
}

/// The lowest bits, so many.
pub(crate) const fn ones(bits: u32) -> u64 {
    match 1_u64.checked_shl(bits) {
        Some(power) => power - 1,
        None => u64::MAX,
    }
}

/// The calls of two ABIs, matched by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// A call of the left ABI and the call of the same name on the right
    pub common: Vec<(Syscall, Syscall)>,
    /// Calls that only the left ABI has
    pub left_only: Vec<Syscall>,
}

/// What `left <= right` compares: each call of `left` with the call of the same name on `right`.
///
/// The claim is: whenever the left call is permitted (allow or log), the right call is permitted too, with the same
/// instruction pointer and with the argument registers cut to [`Abi::register_bits`] of `left`, which is what the kernel
/// can read there. Calls that only `left` has, and numbers of no call, are compared with nothing; tools list the former.
#[must_use]
pub fn pairs(left: Abi, right: Abi) -> Pairs {
    let (mut common, mut left_only) = (Vec::new(), Vec::new());
    for call in left.syscalls() {
        match right.syscall_named(call.name) {
            Ok(other) => common.push((call, other)),
            Err(_) => left_only.push(call),
        }
    }
    Pairs { common, left_only }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(abi: Abi, name: &str) -> [u64; 6] {
        kernel_reads(abi, Some(abi.syscall_named(name).unwrap()))
    }

    #[test]
    fn no_abi_reads_more_than_its_registers() {
        for &abi in Abi::ALL {
            for call in abi.syscalls() {
                let excess = kernel_reads(abi, Some(call)).map(|mask| mask & !ones(abi.register_bits()));
                assert_eq!(excess, [0; 6], "{abi} {}", call.name);
            }
        }
    }

    #[test]
    fn widths_differ_by_abi() {
        let low = 0xffff_ffff;
        assert_eq!(reads(Abi::X86_64, "mmap")[..3], [u64::MAX, u64::MAX, u64::MAX]);
        assert_eq!(reads(Abi::I386, "mmap2")[..2], [low, low]);
        assert_eq!(reads(Abi::X86_64, "openat"), [low, u64::MAX, low, 0xffff, 0, 0]);
        assert_eq!(kernel_reads(Abi::X86_64, None), [u64::MAX; 6]);
        assert_eq!(kernel_reads(Abi::I386, None), [low; 6]);
    }

    #[test]
    fn x32_calls_pair_with_their_x86_64_twins() {
        let pairs = pairs(Abi::X32, Abi::X86_64);
        let execve = pairs.common.iter().find(|(left, _)| left.name == "execve").unwrap();
        assert_eq!((execve.0.number, execve.1.number), (0x4000_0208, 59));
        let left_only: Vec<&str> = pairs.left_only.iter().map(|call| call.name).collect();
        assert!(!left_only.contains(&"execve"), "{left_only:?}");
    }
}

//! What a call's arguments are, as its entry point reads them.

use crate::Abi;

/// The arguments of one system call as the kernel's entry point declares them.
#[derive(Debug, PartialEq, Eq)]
pub struct Prototype {
    /// One element a register argument of `seccomp_data`, in that order.
    ///
    /// On 32-bit ABIs a 64-bit argument such as `loff_t` takes two elements, `pos_lo` and `pos_hi`, in the order of
    /// the ABI. Arguments beyond the sixth register (mips o32 has them on the stack) are left out: filters do not see
    /// them.
    pub args: &'static [Arg],
}

/// One argument of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct Arg {
    /// The kernel's name of the argument, such as `dfd`.
    pub name: &'static str,
    /// The C type that the entry point declares, such as `unsigned int` or `const char *`.
    pub c_type: &'static str,
    pub(crate) reads: Reads,
}

/// How an entry point reads one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// A signed value of so many bits.
    I(u8),
    /// An unsigned value of so many bits.
    U(u8),
    /// A signed value as wide as the entry point's `long`.
    Long,
    /// An unsigned value as wide as the entry point's `long`.
    ULong,
    /// An address as wide as the entry point's `long`.
    Pointer,
    /// An address of 32 bits, whatever the register has above.
    Pointer32,
}

/// How many bits of an argument count, and how they are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Width {
    /// Low bits that the kernel reads: 16, 32 or 64. The bits above are ignored. 0 is a register that the calling
    /// convention leaves out before a 64-bit pair.
    pub bits: u32,
    /// Whether the value is signed.
    pub signed: bool,
    /// Whether it is an address.
    pub pointer: bool,
}

impl Width {
    /// The bits that the kernel reads, as a mask over the 64-bit argument.
    #[must_use]
    pub const fn mask(self) -> u64 {
        if self.bits >= 64 {
            u64::MAX
        } else {
            (1 << self.bits) - 1
        }
    }
}

/// One argument of a generated table.
pub(crate) const fn arg(name: &'static str, c_type: &'static str, reads: Reads) -> Arg {
    Arg { name, c_type, reads }
}

impl Arg {
    /// Which bits of the argument the kernel reads for a caller of `abi`.
    ///
    /// A 32-bit `int` leaves the high half unread. A `long`, `size_t` or address has
    /// [`register_bits`](Abi::register_bits): 64 on x32 and mips n32 too, where the kernel uses its 64-bit entry
    /// points, unless the entry point is a compat one with 32-bit types.
    #[must_use]
    pub const fn width(&self, abi: Abi) -> Width {
        let word = abi.register_bits();
        let (bits, signed, pointer) = match self.reads {
            Reads::I(bits) => (bits as u32, true, false),
            Reads::U(bits) => (bits as u32, false, false),
            Reads::Long => (word, true, false),
            Reads::ULong => (word, false, false),
            Reads::Pointer => (word, false, true),
            Reads::Pointer32 => (32, false, true),
        };
        Width { bits, signed, pointer }
    }
}

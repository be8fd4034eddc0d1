//! How an architecture hands a result to the caller.

use crate::data::SeccompData;

/// How errors are told apart from results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ErrorStyle {
    /// A negative number in the result register: most ABIs
    #[default]
    Negative,
    /// A positive number in `r3`, and the summary overflow bit of CR0 set: powerpc with the `sc` instruction
    SummaryOverflow,
    /// A positive number in `v0`, and `a3` set to 1: mips
    FlagRegister,
}

/// What becomes of an allowed call whose number is below 0. No architecture has such a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum BelowZero {
    /// It returns `ENOSYS`
    #[default]
    NoSuchCall,
    /// On 32-bit arm kernels, -1 is passed over and leaves the first argument as its result; any other number is a
    /// private call of arm's that does not exist, which is SIGILL. Seen on 7.2.
    Arm,
}

/// The facts about an architecture that seccomp's answers depend on. The default is right for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convention {
    /// The number of `SIGSYS`: 31, on mips 12
    pub sigsys: u8,
    /// The number of `ENOSYS`: 38, on mips 89
    pub enosys: u16,
    /// How errors are returned
    pub errors: ErrorStyle,
    /// What numbers below 0 do
    pub below_zero: BelowZero,
}

impl Default for Convention {
    fn default() -> Self {
        Self {
            sigsys: 31,
            enosys: 38,
            errors: ErrorStyle::Negative,
            below_zero: BelowZero::NoSuchCall,
        }
    }
}

impl Convention {
    /// powerpc, called with `sc`. Read in source and not run.
    pub const POWERPC: Self = Self {
        sigsys: 31,
        enosys: 38,
        errors: ErrorStyle::SummaryOverflow,
        below_zero: BelowZero::NoSuchCall,
    };
    /// A 32-bit arm kernel.
    pub const ARM: Self = Self {
        sigsys: 31,
        enosys: 38,
        errors: ErrorStyle::Negative,
        below_zero: BelowZero::Arm,
    };
    /// mips, every ABI. Its numbers were seen on a running kernel; the registers were read in source.
    pub const MIPS: Self = Self {
        sigsys: 12,
        enosys: 89,
        errors: ErrorStyle::FlagRegister,
        below_zero: BelowZero::NoSuchCall,
    };

    /// What the caller finds when the kernel sets an error (0 for none) and a value.
    #[must_use]
    pub fn set(&self, error: i64, value: i64) -> Return {
        let raw = if error == 0 { value } else { error };
        let plain = |register, flag| Return { register, flag };
        match self.errors {
            ErrorStyle::Negative => plain(raw, None),
            // The way out of the kernel turns every small negative number into an error, whoever put it there.
            ErrorStyle::SummaryOverflow if (-4095..0).contains(&raw) => plain(raw.wrapping_neg(), Some(true)),
            ErrorStyle::SummaryOverflow => plain(raw, Some(error != 0)),
            ErrorStyle::FlagRegister if error == 0 => plain(value, Some(false)),
            ErrorStyle::FlagRegister => plain(error.wrapping_neg(), Some(true)),
        }
    }

    /// What the caller finds after a failure with this error number.
    #[must_use]
    pub fn error(&self, number: u16) -> Return {
        self.set(i64::from(number).wrapping_neg(), 0)
    }

    /// What the caller finds after a call that does not exist.
    #[must_use]
    pub fn no_such_call(&self) -> Return {
        self.error(self.enosys)
    }

    /// What the result register holds before the call is made, errors being negative: `ENOSYS`, and on 32-bit arm the
    /// first argument, whose register it is.
    #[must_use]
    pub fn before(&self, call: &SeccompData) -> i64 {
        match self.below_zero {
            BelowZero::NoSuchCall => i64::from(self.enosys).wrapping_neg(),
            BelowZero::Arm => {
                let [first, ..] = call.args;
                i64::from(u32::try_from(first & 0xffff_ffff).unwrap_or(0).cast_signed())
            }
        }
    }

    /// What the caller finds when a tracer left this in the result register, errors being negative.
    #[must_use]
    pub fn left_by_tracer(&self, result: i64) -> Return {
        let error = if (-4095..0).contains(&result) { result } else { 0 };
        self.set(error, result)
    }
}

/// The result of a call, as registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Return {
    /// The result register
    pub register: i64,
    /// The error flag beside it (powerpc: CR0.SO, mips: `a3`), where there is one
    pub flag: Option<bool>,
}

impl Return {
    /// The error number that libc would put into `errno`, if it took this for an error.
    #[must_use]
    pub fn errno(&self) -> Option<u16> {
        let number = match self.flag {
            None => self.register.checked_neg()?,
            Some(true) => self.register,
            Some(false) => return None,
        };
        u16::try_from(number).ok().filter(|number| (1..=4095).contains(number))
    }
}

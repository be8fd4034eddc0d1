//! One call as a trace shows it.

use callproof_abi::Abi;
use callproof_vm::SeccompData;

/// A call, as far as the trace tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceCall {
    /// The ABI; `None` when the trace gives an `arch` word of none
    pub abi: Option<Abi>,
    /// The `arch` word
    pub arch: u32,
    /// The number that a filter sees; `None` when the trace gives a name that the ABI does not have, or one for which
    /// the ABI has two calls (`socket` and `socketcall`)
    pub nr: Option<u32>,
    /// The name, as written or from the tables
    pub name: Option<String>,
    /// The registers
    pub args: [ArgSeen; 6],
    /// The instruction pointer
    pub ip: Option<u64>,
    /// The process or thread
    pub pid: Option<u32>,
    /// How it ended
    pub outcome: Outcome,
    /// The line that it begins on, or the record, from 1
    pub line: u64,
    /// How many such calls there were
    pub count: u64,
}

/// What is known of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ArgSeen {
    /// All 64 bits
    Known(u64),
    /// The bits of the mask; tracers show what the kernel reads of an `int`, and not what lies above
    Bits {
        /// Which bits are known
        mask: u64,
        /// What they are
        value: u64,
    },
    /// Nothing
    #[default]
    Unknown,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Outcome {
    /// The trace does not tell
    #[default]
    Unknown,
    /// It returned this
    Returned(i64),
    /// It failed with this error
    Failed(u32),
    /// A filter's verdict was logged: its 32-bit value
    Verdict(u32),
    /// A filter sent SIGSYS for it
    Signal,
}

impl ArgSeen {
    /// Whether a register with this value shows so.
    #[must_use]
    pub const fn fits(self, register: u64) -> bool {
        match self {
            Self::Known(value) => register == value,
            Self::Bits { mask, value } => register & mask == value,
            Self::Unknown => true,
        }
    }
}

impl TraceCall {
    /// A call of an ABI of which nothing else is known.
    #[must_use]
    pub const fn new(abi: Abi) -> Self {
        Self {
            abi: Some(abi),
            arch: abi.audit_arch(),
            nr: None,
            name: None,
            args: [ArgSeen::Unknown; 6],
            ip: None,
            pid: None,
            outcome: Outcome::Unknown,
            line: 0,
            count: 1,
        }
    }

    /// A call by `arch` word and number.
    #[must_use]
    pub fn of(arch: u32, nr: u32) -> Self {
        let abi = Abi::from_call(arch, nr);
        let name = abi.and_then(|abi| abi.syscall_name(nr));
        Self {
            abi,
            arch,
            nr: Some(nr),
            name: name.map(str::to_owned),
            ..Self::new(Abi::X86_64)
        }
    }

    /// The same, on a line that has none yet.
    pub(super) fn at(self, line: u64) -> Self {
        let line = if self.line == 0 { line } else { self.line };
        Self { line, ..self }
    }

    /// The call as a filter sees it, when all of it is known; an unknown instruction pointer counts as 0.
    #[must_use]
    pub fn data(&self) -> Option<SeccompData> {
        let mut args = [0; 6];
        for (arg, seen) in args.iter_mut().zip(self.args) {
            let ArgSeen::Known(value) = seen else { return None };
            *arg = value;
        }
        let nr = self.nr?.cast_signed();
        Some(SeccompData {
            nr,
            arch: self.arch,
            instruction_pointer: self.ip.unwrap_or_default(),
            args,
        })
    }

    /// Whether a call shows so in the trace.
    #[must_use]
    pub fn fits(&self, call: &SeccompData) -> bool {
        let here = call.arch == self.arch && self.nr.is_none_or(|nr| nr == call.nr.cast_unsigned());
        let ip = self.ip.is_none_or(|ip| ip == call.instruction_pointer);
        here && ip
            && self
                .args
                .iter()
                .zip(call.args)
                .all(|(seen, register)| seen.fits(register))
    }
}

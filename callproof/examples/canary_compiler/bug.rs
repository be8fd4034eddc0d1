//! The bugs that can be planted, modelled on those that filter compilers had.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    Halves,
    StaleAccumulator,
    AndToOr,
    JumpOverflow,
    LostDefault,
    DroppedRule,
    SwappedHalves,
    WrongNumbers,
    X32Guard,
    Narrow,
    UnsetScratch,
    NoReturn,
    Crash,
    Hang,
    Unsteady,
    Garbage,
    Flood,
}

impl Bug {
    pub(crate) const ALL: [Self; 17] = [
        Self::Halves,
        Self::StaleAccumulator,
        Self::AndToOr,
        Self::JumpOverflow,
        Self::LostDefault,
        Self::DroppedRule,
        Self::SwappedHalves,
        Self::WrongNumbers,
        Self::X32Guard,
        Self::Narrow,
        Self::UnsetScratch,
        Self::NoReturn,
        Self::Crash,
        Self::Hang,
        Self::Unsteady,
        Self::Garbage,
        Self::Flood,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Halves => "halves",
            Self::StaleAccumulator => "stale-accumulator",
            Self::AndToOr => "and-to-or",
            Self::JumpOverflow => "jump-overflow",
            Self::LostDefault => "lost-default",
            Self::DroppedRule => "dropped-rule",
            Self::SwappedHalves => "swapped-halves",
            Self::WrongNumbers => "wrong-numbers",
            Self::X32Guard => "x32-guard",
            Self::Narrow => "narrow",
            Self::UnsetScratch => "unset-scratch",
            Self::NoReturn => "no-return",
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Unsteady => "unsteady",
            Self::Garbage => "garbage",
            Self::Flood => "flood",
        }
    }

    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Halves => "64-bit `>` is `>` of the high halves or `>` of the low ones",
            Self::StaleAccumulator => "a word is not loaded again after it was masked",
            Self::AndToOr => "several conditions of one call: one of them is enough",
            Self::JumpOverflow => "jumps of more than 255 lose their high bits",
            Self::LostDefault => "calls that no rule names are allowed, whatever the default is",
            Self::DroppedRule => "of two rules that follow each other for one call the second is lost",
            Self::SwappedHalves => "big-endian machines are thought to have the low half first",
            Self::WrongNumbers => "calls have the numbers of x86_64 on every ABI",
            Self::X32Guard => "x32 is taken for x86_64",
            Self::Narrow => "64-bit values are compared by their low half",
            Self::UnsetScratch => "a mask is read from a scratch cell that nothing wrote",
            Self::NoReturn => "the last return is missing where there are more than two rules",
            Self::Crash => "it dies of a range",
            Self::Hang => "it does not end on a mask",
            Self::Unsteady => "rules with the same answer come in any order",
            Self::Garbage => "half an instruction too much is written for more than one rule",
            Self::Flood => "it writes without end for a test of a high half",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}

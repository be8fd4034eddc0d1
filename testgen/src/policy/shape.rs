//! What a generated policy may contain.

use callproof_abi::Abi;
use callproof_policy::predicate::View;
use callproof_policy::{Answer, Data};
use callproof_vm::Action;

/// What a generated policy may contain. The default is everything that the language of policies has; the constructors
/// are what the format of a tool can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyShape {
    /// ABIs that a policy can be for; x86_64 when there are none
    pub abis: Vec<Abi>,
    /// For how many of them one policy is at most
    pub most_abis: u32,
    /// How many rules a usual policy has at most
    pub most_rules: u32,
    /// One policy in so many has up to 600 rules; 0 for none
    pub long: u32,
    /// What rules may answer
    pub answers: Vec<Answer>,
    /// Whether all rules of a policy have the same answer, which is not the default
    pub one_answer: bool,
    /// What other calls of the ABIs may get
    pub defaults: Vec<Answer>,
    /// What calls of other ABIs may get
    pub elsewhere: Vec<Answer>,
    /// How arguments are compared; none for rules without conditions
    pub comparisons: Vec<Comparison>,
    /// Which bits of an argument are compared
    pub views: Vec<View>,
    /// How many tests a rule has at most
    pub most_tests: u32,
    /// Whether several tests of a rule can be of one argument
    pub repeated: bool,
    /// Whether tests are joined by more than `&&`
    pub nested: bool,
    /// Whether several rules can be for the same call
    pub overlapping: bool,
    /// Whether such rules can have different answers
    pub contradicting: bool,
    /// Whether rules can be for some of the ABIs only
    pub apart: bool,
    /// Whether numbers of x86_64 from 0x80000000 to 0xbfffffff get what other ABIs get, as libseccomp has it
    pub guarded: bool,
    /// Whether ABIs with the `arch` word of a policy's ABI get what its other calls get, as where a tool looks at the word
    /// alone: x32 beside x86_64
    pub by_arch: bool,
    /// Whether calls are also meant by number, range or pattern, with exceptions, and values by name
    pub worded: bool,
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Comparison {
    /// Equal
    #[default]
    Eq,
    /// Not equal
    Ne,
    /// Less
    Lt,
    /// Less or equal
    Le,
    /// Greater
    Gt,
    /// Greater or equal
    Ge,
    /// Some bits are equal
    MaskedEq,
    /// Some bits, compared in any other way
    MaskedOther,
    /// At least one of some bits is set
    AnyBit,
    /// From one value to another
    Range,
}

impl Comparison {
    /// Every comparison.
    pub const ALL: &'static [Self] = &[
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
        Self::MaskedEq,
        Self::MaskedOther,
        Self::AnyBit,
        Self::Range,
    ];

    /// Those that seccompiler, libseccomp and the OCI specification know.
    pub const LIBRARY: &'static [Self] = &[
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
        Self::MaskedEq,
    ];
}

/// Machines that people write policies for, 32-bit and big-endian ones among them.
const USUAL: &[Abi] = &[
    Abi::X86_64,
    Abi::I386,
    Abi::X32,
    Abi::Aarch64,
    Abi::Arm,
    Abi::Riscv64,
    Abi::S390x,
    Abi::Mips,
];

impl Default for PolicyShape {
    fn default() -> Self {
        let answers = answers(&[0, 9, 0xffff], &[0, 7, 0xffff], &[0, 4095]);
        Self {
            abis: USUAL.to_vec(),
            most_abis: 3,
            most_rules: 12,
            long: 50,
            defaults: answers.clone(),
            elsewhere: answers.clone(),
            answers,
            one_answer: false,
            comparisons: Comparison::ALL.to_vec(),
            views: vec![View::Kernel, View::Raw, View::Lo, View::Hi],
            most_tests: 4,
            repeated: true,
            nested: true,
            overlapping: true,
            contradicting: true,
            apart: true,
            guarded: false,
            by_arch: false,
            worded: true,
        }
    }
}

impl PolicyShape {
    /// What seccompiler's JSON can say of one ABI: one answer for the calls that rules have and one for the others;
    /// calls of other ABIs kill the process.
    #[must_use]
    pub fn seccompiler() -> Self {
        let library = Self::library();
        Self {
            abis: vec![Abi::X86_64, Abi::Aarch64, Abi::Riscv64],
            elsewhere: vec![Answer::new(Action::KillProcess)],
            views: vec![View::Lo, View::Raw],
            one_answer: true,
            by_arch: true,
            answers: without(Action::UserNotif, library.answers),
            defaults: without(Action::UserNotif, library.defaults),
            ..Self::library()
        }
    }

    /// What a profile of the OCI specification can say, by its own words: the first entry that has a call decides.
    /// The ABIs are little-endian ones, which can stand in one profile.
    #[must_use]
    pub fn oci() -> Self {
        Self {
            abis: USUAL.iter().copied().filter(|abi| !abi.big_endian()).collect(),
            most_abis: 3,
            ..Self::library()
        }
    }

    /// What libseccomp can be told in any order: one test for an argument, and rules of a call that agree. Without x32,
    /// whose numbers libseccomp mixes with those of x86_64.
    #[must_use]
    pub fn libseccomp() -> Self {
        Self {
            abis: USUAL.iter().copied().filter(|abi| *abi != Abi::X32).collect(),
            most_abis: 3,
            repeated: false,
            contradicting: false,
            guarded: true,
            ..Self::library()
        }
    }

    /// What minijail's text can say on ABIs of 64 bits; on those of 32 it compares the low halves ([`View::Lo`]).
    #[must_use]
    pub fn minijail() -> Self {
        let stops = [Action::KillThread, Action::KillProcess, Action::Trap, Action::UserNotif];
        let mut comparisons = Comparison::LIBRARY.to_vec();
        comparisons.push(Comparison::AnyBit);
        Self {
            abis: vec![Abi::X86_64, Abi::Aarch64, Abi::Riscv64],
            answers: answers(&[0], &[0], &[0, 4095]),
            defaults: stops.map(Answer::new).to_vec(),
            comparisons,
            views: vec![View::Raw],
            by_arch: true,
            ..Self::library()
        }
    }

    /// What Kafel can say: any combination of masked comparisons of an argument with a number.
    #[must_use]
    pub fn kafel() -> Self {
        Self {
            abis: vec![Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::Arm, Abi::Riscv64],
            answers: answers(&[0, 9], &[0, 7], &[0, 4095]),
            defaults: answers(&[0, 9], &[0, 7], &[0, 4095]),
            comparisons: Comparison::ALL.to_vec(),
            views: vec![View::Kernel, View::Raw, View::Lo, View::Hi],
            nested: true,
            by_arch: true,
            ..Self::library()
        }
    }

    /// One ABI, names of calls, conjunctions of comparisons of whole registers; other ABIs kill the thread.
    fn library() -> Self {
        Self {
            most_abis: 1,
            elsewhere: vec![Answer::new(Action::KillThread)],
            answers: answers(&[0], &[0, 7], &[0, 4095]),
            defaults: answers(&[0], &[0, 7], &[0, 4095]),
            comparisons: Comparison::LIBRARY.to_vec(),
            views: vec![View::Raw],
            nested: false,
            apart: false,
            worded: false,
            ..Self::default()
        }
    }
}

/// Every action, with these data for traps, tracers and errors, and errors by name.
fn answers(traps: &[u16], traces: &[u16], errors: &[u16]) -> Vec<Answer> {
    let plain = [
        Action::Allow,
        Action::Log,
        Action::KillThread,
        Action::KillProcess,
        Action::UserNotif,
    ];
    let mut answers: Vec<Answer> = plain.map(Answer::new).to_vec();
    answers.extend(["EPERM", "ENOSYS", "EACCES"].map(Answer::errno));
    for (action, list) in [(Action::Trap, traps), (Action::Trace, traces), (Action::Errno, errors)] {
        answers.extend(list.iter().map(|data| Answer {
            data: Data::Number(*data),
            ..Answer::new(action)
        }));
    }
    answers
}

fn without(action: Action, mut answers: Vec<Answer>) -> Vec<Answer> {
    answers.retain(|answer| answer.action != action);
    answers
}

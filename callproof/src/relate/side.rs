//! What can be held against each other.

use std::path::Path;

use callproof_policy::{AbiList, Env, GroundPolicy, Policy};
use callproof_verifier::Side as Asked;
use callproof_vm::{Filter as Loaded, Insn, Kernel, Machine};

use crate::compile::compile;
use crate::error::Error;
use crate::filter::Filter;
use crate::options::{Options, abis};
use crate::programs::reading;
use crate::source::{Policies, Reading, admit};

/// Something that decides calls and can be compared: a chain of filters or a policy.
///
/// | type | is |
/// |---|---|
/// | `str`, `[u8]` | the content of a file of any format: a filter, or a policy |
/// | `[Insn]`, `Vec<Insn>` | one filter |
/// | [`Filter`] | a chain, with the ABIs and the kernel that it is for |
/// | [`Policy`] | ordered rules over names |
/// | [`GroundPolicy`] | the same in numbers |
pub trait Subject: sealed::Sealed {
    /// What it says of its surroundings.
    #[doc(hidden)]
    fn surroundings(&self) -> (Option<&AbiList>, Option<Kernel>) {
        (None, None)
    }

    /// What it comes to there. `is_policy` tells that nothing but a policy will do.
    #[doc(hidden)]
    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for str {}
    impl Sealed for [u8] {}
    impl Sealed for [callproof_vm::Insn] {}
    impl Sealed for crate::Filter {}
    impl Sealed for callproof_policy::Policy {}
    impl Sealed for callproof_policy::GroundPolicy {}
    impl<T> Sealed for Vec<T> {}
    impl Sealed for String {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

/// One side of a comparison.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Side {
    /// What people are told it is called
    pub(super) name: String,
    pub(super) meaning: Meaning,
}

#[derive(Clone, Debug)]
pub(super) enum Meaning {
    /// Programs, oldest first, and what each is called
    Chain(Vec<Vec<Insn>>, Vec<String>),
    Policy(GroundPolicy),
}

/// What both sides are compared in.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Frame {
    pub(super) reading: Reading,
    pub(super) options: Options,
    pub(super) machine: Machine,
}

impl Frame {
    /// The ABIs and the kernel of the options; else of the left side, else of the right.
    pub(super) fn new(left: &(impl Subject + ?Sized), right: &(impl Subject + ?Sized), options: &Options) -> Self {
        let ((first, kernel), (second, newer)) = (left.surroundings(), right.surroundings());
        let mut options = options.clone();
        options.kernel = options.kernel.or(kernel).or(newer);
        let said = first.or(second).filter(|_| options.abis.is_empty());
        let mut reading = reading(&options);
        if let Some(list) = said {
            reading.abis = abis(list);
            reading.env = Env::new(list.clone());
        }
        let machine = options.machine(&reading.abis, None);
        reading.endian = machine.endian;
        Self {
            reading,
            options,
            machine,
        }
    }

    fn compiled(&self, policies: &[GroundPolicy]) -> Result<Vec<Vec<Insn>>, Error> {
        let one = |policy| compile(policy, self.machine, self.options.order, &self.options.limits);
        policies.iter().map(one).collect()
    }
}

impl Side {
    fn chain(name: &str, programs: Vec<Vec<Insn>>) -> Self {
        let names = programs.iter().map(|_| name.to_owned()).collect();
        let meaning = Meaning::Chain(programs, names);
        let name = name.to_owned();
        Self { name, meaning }
    }

    fn policy(name: &str, policy: GroundPolicy) -> Self {
        let (name, meaning) = (name.to_owned(), Meaning::Policy(policy));
        Self { name, meaning }
    }

    /// One policy stands for itself; several are a chain, and each filter of it is proved to be its policy.
    fn policies(name: &str, policies: Policies, frame: &Frame) -> Result<Self, Error> {
        match <[GroundPolicy; 1]>::try_from(policies.list) {
            Ok([policy]) => Ok(Self::policy(name, policy)),
            Err(list) => Ok(Self::chain(name, frame.compiled(&list)?)),
        }
    }

    fn read(name: &str, bytes: &[u8], is_policy: bool, frame: &Frame) -> Result<Self, Error> {
        let (reading, path) = (&frame.reading, Path::new(name));
        let found = if is_policy {
            Some(reading.policies(name, bytes, path))
        } else {
            reading.found_policies(path, bytes)
        };
        match found {
            Some(policies) => Self::policies(name, policies?, frame),
            None => Ok(Self::chain(name, reading.programs(name, bytes)?)),
        }
    }

    fn filter(name: &str, programs: Vec<Vec<Insn>>, is_policy: bool) -> Result<Self, Error> {
        if is_policy {
            let help = "give the policy first and the filter that was made of it second";
            return Err(Error::input("a filter stands where a policy is wanted")
                .at(name)
                .help(help));
        }
        Ok(Self::chain(name, programs))
    }

    /// The same as a chain: a policy is compiled, and its filter proved to be it.
    pub(super) fn into_chain(self, frame: &Frame) -> Result<Self, Error> {
        match self.meaning {
            Meaning::Chain(..) => Ok(self),
            Meaning::Policy(policy) => {
                let programs = frame.compiled(&[policy]).map_err(|error| error.at(&self.name))?;
                Ok(Self::chain(&self.name, programs))
            }
        }
    }

    /// The programs, oldest first; none for a policy.
    pub(super) fn programs(&self) -> &[Vec<Insn>] {
        match &self.meaning {
            Meaning::Chain(programs, _) => programs,
            Meaning::Policy(_) => &[],
        }
    }

    /// The filters that the kernel would install; `None` for a policy.
    pub(super) fn admitted(&self, machine: Machine) -> Result<Option<Vec<Loaded<'_>>>, Error> {
        match &self.meaning {
            Meaning::Chain(programs, names) => admit(programs, names, machine).map(Some),
            Meaning::Policy(_) => Ok(None),
        }
    }

    /// What the verifier is asked about.
    pub(super) fn asked<'f>(&self, filters: Option<&'f [Loaded<'f>]>) -> Asked<'f> {
        match &self.meaning {
            Meaning::Policy(policy) => Asked::Policy(policy.clone()),
            Meaning::Chain(..) => Asked::Chain(filters.unwrap_or_default()),
        }
    }
}

impl Subject for [u8] {
    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error> {
        Side::read(name, self, is_policy, frame)
    }
}

impl Subject for Vec<u8> {
    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error> {
        self.as_slice().side(name, is_policy, frame)
    }
}

impl Subject for str {
    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error> {
        self.as_bytes().side(name, is_policy, frame)
    }
}

impl Subject for String {
    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error> {
        self.as_bytes().side(name, is_policy, frame)
    }
}

impl Subject for [Insn] {
    fn side(&self, name: &str, is_policy: bool, _: &Frame) -> Result<Side, Error> {
        Side::filter(name, vec![self.to_vec()], is_policy)
    }
}

impl Subject for Vec<Insn> {
    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error> {
        self.as_slice().side(name, is_policy, frame)
    }
}

impl Subject for Filter {
    fn surroundings(&self) -> (Option<&AbiList>, Option<Kernel>) {
        self.said()
    }

    fn side(&self, name: &str, is_policy: bool, _: &Frame) -> Result<Side, Error> {
        let mut side = Side::filter(name, self.programs().to_vec(), is_policy)?;
        if let Meaning::Chain(_, names) = &mut side.meaning {
            *names = self.names().to_vec();
        }
        Ok(side)
    }
}

impl Subject for Policy {
    fn side(&self, name: &str, _: bool, frame: &Frame) -> Result<Side, Error> {
        let policy = self.ground(&frame.reading.env);
        policy
            .map(|policy| Side::policy(name, policy))
            .map_err(|problems| Error::text(name, "", &problems))
    }
}

impl Subject for GroundPolicy {
    fn side(&self, name: &str, _: bool, _: &Frame) -> Result<Side, Error> {
        Ok(Side::policy(name, self.clone()))
    }
}

impl<T: Subject + ?Sized> Subject for &T {
    fn surroundings(&self) -> (Option<&AbiList>, Option<Kernel>) {
        (**self).surroundings()
    }

    fn side(&self, name: &str, is_policy: bool, frame: &Frame) -> Result<Side, Error> {
        (**self).side(name, is_policy, frame)
    }
}

//! System calls of an ABI: numbers to names and back.

use crate::aliases::SYSCALL_ALIASES;
use crate::generated;
use crate::suggest::{Kind, UnknownName};
use crate::{Abi, Prototype};

/// One row of a generated table: number, index of the name, index of the prototype plus one (0: none).
#[derive(Debug)]
pub(crate) struct Row(pub(crate) u32, pub(crate) u16, pub(crate) u16);

/// One system call of one ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Syscall {
    /// The kernel's name of the call on this ABI, such as `openat`.
    pub name: &'static str,
    /// The number that a filter sees, with bit 30 set on x32.
    pub number: u32,
    /// The ABI.
    pub abi: Abi,
    name_index: u16,
    prototype: u16,
}

impl Syscall {
    fn new(abi: Abi, row: &Row) -> Self {
        let name = generated::NAMES.get(usize::from(row.1)).copied().unwrap_or_default();
        Self {
            name,
            number: row.0,
            abi,
            name_index: row.1,
            prototype: row.2,
        }
    }

    /// The kernel release that first had a call of this name, as major and minor number; `None` when no
    /// source gives it.
    ///
    /// It is the release for the architecture that had it first; others can be later. Calls of the 2.6 series
    /// all give `(2, 6)`, calls older than Linux 1.2 give `(1, 0)`.
    #[must_use]
    pub fn since(&self) -> Option<(u16, u16)> {
        let (major, minor) = generated::SINCE.get(usize::from(self.name_index)).copied()?;
        (major != 0).then_some((u16::from(major), u16::from(minor)))
    }

    /// What the kernel reads of the arguments. `None` for a number that is reserved but has no code behind it
    /// (`afs_syscall`), so that it reads nothing.
    #[must_use]
    pub fn prototype(&self) -> Option<&'static Prototype> {
        generated::PROTOTYPES.get(usize::from(self.prototype).checked_sub(1)?)
    }
}

impl Abi {
    /// Every call that has a number, in ascending order of numbers.
    pub fn syscalls(self) -> impl ExactSizeIterator<Item = Syscall> + DoubleEndedIterator {
        generated::calls(self).iter().map(move |row| Syscall::new(self, row))
    }

    /// The call with this number, with bit 30 set on x32.
    #[must_use]
    pub fn syscall(self, nr: u32) -> Option<Syscall> {
        let rows = generated::calls(self);
        let index = rows.binary_search_by_key(&nr, |row| row.0).ok()?;
        rows.get(index).map(|row| Syscall::new(self, row))
    }

    /// The name of the call with this number, with bit 30 set on x32.
    #[must_use]
    pub fn syscall_name(self, nr: u32) -> Option<&'static str> {
        self.syscall(nr).map(|call| call.name)
    }

    /// The call with this name: the kernel's own, or a usual other one (`llseek` for `_llseek`).
    ///
    /// # Errors
    /// When the ABI has no such call: with the nearest names, or with the ABIs that do have it.
    pub fn syscall_named(self, name: &str) -> Result<Syscall, UnknownName> {
        self.find(name).ok_or_else(|| self.unknown_call(name))
    }

    /// The number of a call, which on x32 includes bit 30.
    ///
    /// # Errors
    /// As for [`syscall_named`](Self::syscall_named).
    pub fn number(self, name: &str) -> Result<u32, UnknownName> {
        self.syscall_named(name).map(|call| call.number)
    }

    fn find(self, name: &str) -> Option<Syscall> {
        let alias = || SYSCALL_ALIASES.iter().find(|(alias, _)| *alias == name);
        self.find_exact(name).or_else(|| self.find_exact(alias()?.1))
    }

    fn find_exact(self, name: &str) -> Option<Syscall> {
        let index = generated::NAMES.binary_search(&name).ok()?;
        let row = generated::calls(self).iter().find(|row| usize::from(row.1) == index)?;
        Some(Syscall::new(self, row))
    }

    fn unknown_call(self, name: &str) -> UnknownName {
        let elsewhere = Self::ALL.iter().copied().filter(|abi| abi.find(name).is_some());
        if elsewhere.clone().next().is_some() {
            return UnknownName::new(Kind::Syscall, Some(self), name, core::iter::empty()).found_on(elsewhere);
        }
        UnknownName::new(Kind::Syscall, Some(self), name, self.syscalls().map(|call| call.name))
    }
}

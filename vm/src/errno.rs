//! Errors by name.

use core::fmt;

/// Defines [`Errno`] and its table together.
macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// An error that seccomp or the calls around it answer with.
        ///
        /// The numbers are those of `asm-generic`, which most ABIs use. A few ABIs number some errors differently (on
        /// mips `ENOSYS` is 89): translating a name into the number of an ABI is not this crate's business.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Errno { $($(#[$doc])* $name,)* }

        impl Errno {
            /// Every error that this crate answers with.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number in `asm-generic/errno.h`.
            ///
            /// ```
            /// assert_eq!(callproof_vm::Errno::ENOSYS.number(), 38);
            /// ```
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

errnos! {
    /// Not permitted
    EPERM = 1;
    /// No such thing
    ENOENT = 2;
    /// No such process or thread
    ESRCH = 3;
    /// Interrupted by a signal
    EINTR = 4;
    /// Unknown `ptrace` request
    EIO = 5;
    /// Not an open file
    EBADF = 9;
    /// Out of memory, or of room on the thread
    ENOMEM = 12;
    /// No privilege
    EACCES = 13;
    /// Bad address
    EFAULT = 14;
    /// Taken
    EBUSY = 16;
    /// Invalid argument
    EINVAL = 22;
    /// Too many open files in the system
    ENFILE = 23;
    /// Too many open files in the process
    EMFILE = 24;
    /// No such system call
    ENOSYS = 38;
    /// Not supported
    EOPNOTSUPP = 95;
    /// Already under way
    EINPROGRESS = 115;
    /// The filter's program was not kept
    EMEDIUMTYPE = 124;
    /// Not supported, as the kernel says it to itself; user space sees the bare number
    ENOTSUPP = 524;
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        for (index, one) in Errno::ALL.iter().enumerate() {
            for other in &Errno::ALL[index + 1..] {
                assert_ne!(one.number(), other.number());
                assert_ne!(one.name(), other.name());
            }
        }
        assert_eq!(Errno::ENOTSUPP.number(), 524);
    }
}

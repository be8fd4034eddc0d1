//! Memory that survives a fork and is shared across it.

use core::ptr::NonNull;
use std::io;

/// Data of which every bit pattern is a value, and which has no destructor.
///
/// # Safety
/// Implementors promise both: zeroed memory and memory that a dying child wrote half a value to are values.
pub(crate) unsafe trait Plain: Sized + 'static {}

/// A zeroed `T` that this process and its children share.
#[derive(Debug)]
pub(crate) struct Mapping<T: Plain>(NonNull<T>);

// SAFETY: a mapping owns its memory as a box does, and `Plain` data has no ties to a thread.
unsafe impl<T: Plain> Send for Mapping<T> {}

impl<T: Plain> Mapping<T> {
    pub(crate) fn new() -> io::Result<Self> {
        const { assert!(align_of::<T>() <= 4096, "mappings are aligned to pages") };
        // SAFETY: a new anonymous mapping touches no existing memory.
        let address = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(address.cast())
            .map(Self)
            .ok_or_else(io::Error::last_os_error)
    }

    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T: Plain> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: the address and size are those of the mapping made in `new`, which nobody else unmaps.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<T>()) };
    }
}

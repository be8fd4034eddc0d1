//! Reading bytes that somebody hostile may have written.

use alloc::vec::Vec;

use crate::Rejected;

/// Reads from the front of a file. No read allocates more than the file is long, times the size of an element.
#[derive(Debug)]
pub(crate) struct Reader<'f> {
    left: &'f [u8],
    len: usize,
}

impl<'f> Reader<'f> {
    pub(crate) const fn new(bytes: &'f [u8]) -> Self {
        Self {
            left: bytes,
            len: bytes.len(),
        }
    }

    /// How many bytes are still to be read.
    pub(crate) const fn left(&self) -> usize {
        self.left.len()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Rejected> {
        let Some((bytes, left)) = self.left.split_first_chunk::<N>() else {
            return Err(self.unreadable("the file ends too early"));
        };
        self.left = left;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Rejected> {
        self.bytes().map(u8::from_le_bytes)
    }

    /// A byte below `end`.
    pub(crate) fn tag(&mut self, end: u8) -> Result<u8, Rejected> {
        let tag = self.u8()?;
        if tag < end {
            Ok(tag)
        } else {
            Err(self.unreadable("a byte stands for nothing that is defined"))
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Rejected> {
        self.bytes().map(u32::from_le_bytes)
    }

    /// An unsigned number in LEB128, in its shortest form.
    pub(crate) fn nat(&mut self) -> Result<u32, Rejected> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                let value = u32::try_from(value).ok().filter(|_| shortest);
                return value.ok_or_else(|| self.unreadable("a number is too large or not in its shortest form"));
            }
        }
        Err(self.unreadable("a number is too long"))
    }

    /// A signed number in zigzag.
    pub(crate) fn int(&mut self) -> Result<i32, Rejected> {
        let nat = self.nat()?;
        let half = (nat >> 1).cast_signed();
        Ok(if nat & 1 == 0 { half } else { !half })
    }

    /// A count of things that take at least a byte each.
    pub(crate) fn count(&mut self) -> Result<usize, Rejected> {
        let count = self.nat()? as usize;
        if count <= self.left() {
            Ok(count)
        } else {
            Err(self.unreadable("a count is larger than what is left of the file"))
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Rejected>,
    ) -> Result<Vec<T>, Rejected> {
        let count = self.count()?;
        (0..count).map(|_| one(self)).collect()
    }

    /// Refuses what follows the end.
    pub(crate) fn end(&self) -> Result<(), Rejected> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(self.unreadable("something follows the end"))
        }
    }

    pub(crate) const fn unreadable(&self, what: &'static str) -> Rejected {
        Rejected::unreadable(self.len.saturating_sub(self.left.len()), what)
    }
}

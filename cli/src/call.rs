//! A call as it was typed, before it is known for which ABI it is read.

use callproof_abi::Abi;
use callproof_formats::call;
use callproof_vm::SeccompData;

use crate::error::{Failure, Result};

/// A call in the words of [`callproof_formats::call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call<'t> {
    text: &'t str,
}

impl<'t> Call<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self {
            text: text.trim_ascii(),
        }
    }

    pub(crate) const fn text(&self) -> &'t str {
        self.text
    }

    /// The call's name, when it has one: `nr=59` and `59()` have none.
    pub(crate) fn name(&self) -> Option<&'t str> {
        let end = self
            .text
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at_checked(end)?;
        let is_name = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_field = rest.trim_start().starts_with('=');
        (is_name && !is_field).then_some(word)
    }

    /// Whether an ABI has the call. Every ABI has every number, and `arch=` in the text names its own.
    pub(crate) fn exists_on(&self, abi: Abi) -> bool {
        let named = self.name().filter(|_| !self.text.contains("arch"));
        named.is_none_or(|name| abi.number(name).is_ok())
    }

    /// The record that a filter sees of this call on an ABI, and the ABI: the text may name another.
    pub(crate) fn resolve(&self, abi: Abi) -> Result<(SeccompData, Option<Abi>)> {
        let data = call::parse(self.text, abi).map_err(|error| Failure::unreadable("call", error))?;
        let same = data.arch == abi.audit_arch();
        let meant = if same {
            Some(abi)
        } else {
            Abi::from_call(data.arch, data.nr.cast_unsigned())
        };
        Ok((data, meant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |text| Call::new(text).name();
        assert_eq!(name(" openat (1)"), Some("openat"));
        assert_eq!(name("getpid"), Some("getpid"));
        assert_eq!(name("nr=3 arch=mips"), None);
        assert_eq!(name("nr = 3"), None);
        assert_eq!(name("59(1)"), None);
        assert_eq!(name(""), None);
        assert_eq!(name("\u{e9}"), None);
    }

    #[test]
    fn the_text_may_name_another_abi() {
        let (data, abi) = Call::new("getpid arch=i386").resolve(Abi::X86_64).unwrap();
        assert_eq!((data.nr, abi), (20, Some(Abi::I386)));
        let (_, abi) = Call::new("1() arch=0x1234").resolve(Abi::X86_64).unwrap();
        assert_eq!(abi, None);
        let (_, abi) = Call::new("0x40000001()").resolve(Abi::X86_64).unwrap();
        assert_eq!(abi, Some(Abi::X86_64), "as asked");
    }
}

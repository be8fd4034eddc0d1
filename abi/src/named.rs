//! Tables of names whose value is the same on most ABIs.

use crate::Abi;

/// A name, its usual value (`None`: only a few ABIs have it), and the place of its list of differences.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) &'static str, pub(crate) Option<u64>, pub(crate) u16);

/// ABIs, one bit each, and the value there (`None`: they do not have the name).
pub(crate) type Differences = [(u64, Option<u64>)];

/// A generated table: names in order, and lists of differences.
pub(crate) struct Table {
    pub(crate) names: &'static [Named],
    pub(crate) differences: &'static [&'static Differences],
}

impl Table {
    /// The value of a name on an ABI.
    pub(crate) fn value(&self, abi: Abi, name: &str) -> Option<u64> {
        let index = self.names.binary_search_by_key(&name, |named| named.0).ok()?;
        self.on(abi, self.names.get(index)?)
    }

    /// All names and values of an ABI, in the order of names.
    pub(crate) fn all(&'static self, abi: Abi) -> impl Iterator<Item = (&'static str, u64)> {
        self.names
            .iter()
            .filter_map(move |named| Some((named.0, self.on(abi, named)?)))
    }

    /// The first name of a value that is no alias, else the first alias.
    pub(crate) fn name_of(&'static self, abi: Abi, value: u64, aliases: &[&str]) -> Option<&'static str> {
        let names = || self.all(abi).filter(|(_, other)| *other == value).map(|(name, _)| name);
        names().find(|name| !aliases.contains(name)).or_else(|| names().next())
    }

    fn on(&self, abi: Abi, named: &Named) -> Option<u64> {
        let list = self.differences.get(usize::from(named.2)).copied().unwrap_or_default();
        let bit = 1_u64 << (abi as u32);
        list.iter()
            .find(|(abis, _)| abis & bit != 0)
            .map_or(named.1, |(_, value)| *value)
    }
}

//! `kernel diff --vm list`: which guests there are, and what they need.

use std::path::Path;

use callproof_kernel_diff::guest::{GUESTS, Guest, Kernel, LabError, Store, check};
use serde::Serialize;

use super::store;
use crate::error::Result;

/// Every guest.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GuestList {
    pub(crate) guests: Vec<Listed>,
}

/// A guest.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Listed {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Debian's release and architecture
    pub(crate) suite: &'static str,
    pub(crate) arch: &'static str,
    /// The kernel's package and version, when it was fetched
    pub(crate) kernel: Option<String>,
    /// Every kernel that was fetched for it: the newest, then those that were asked for by their version
    pub(crate) fetched: Vec<Fetched>,
    /// Programs of the host that it lacks
    pub(crate) missing: Vec<&'static str>,
    /// What installs them
    pub(crate) install: Option<String>,
}

/// A kernel in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fetched {
    /// What asks for it
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) version: String,
    /// SHA-256 of the package
    pub(crate) sha256: String,
}

/// Looks around.
pub(crate) fn run(cache: Option<&Path>) -> Result<GuestList> {
    let store = store(cache)?;
    Ok(GuestList {
        guests: GUESTS.iter().map(|guest| listed(guest, &store)).collect(),
    })
}

fn listed(guest: &Guest, store: &Store) -> Listed {
    let (missing, install) = match check(guest) {
        Err(LabError::Missing { tools, install, .. }) => (tools, Some(install)),
        _ => (Vec::new(), None),
    };
    let kernel = store.cached(guest, None);
    let newest = kernel.iter().map(|kernel| Fetched::new(guest.name.to_owned(), kernel));
    let versions = store.cached_versions(guest);
    let versions = versions
        .iter()
        .map(|kernel| Fetched::new(format!("{}={}", guest.name, kernel.version), kernel));
    let fetched = newest.chain(versions).collect();
    Listed {
        name: guest.name,
        about: guest.about,
        suite: guest.kernel.suite,
        arch: guest.kernel.arch,
        kernel: kernel.map(|kernel| format!("{} {}", kernel.package, kernel.version)),
        fetched,
        missing,
        install,
    }
}

impl Fetched {
    fn new(name: String, kernel: &Kernel) -> Self {
        Self {
            name,
            package: kernel.package.clone(),
            version: kernel.version.clone(),
            sha256: kernel.sha256.clone(),
        }
    }
}

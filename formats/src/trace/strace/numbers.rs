//! Numbers of calls by name. Names that do not exist are slow to look up, so that only so many are.

use core::cell::RefCell;
use std::collections::BTreeMap;

use callproof_abi::Abi;

/// How many names are looked up that are no kernel's own; a log has a handful.
const MOST: usize = 1024;

/// The numbers of calls on the ABIs that a log has come to.
#[derive(Default)]
pub(super) struct Numbers {
    own: RefCell<BTreeMap<Abi, BTreeMap<&'static str, u32>>>,
    others: RefCell<BTreeMap<(Abi, String), Option<u32>>>,
}

impl Numbers {
    /// The number of a call, which on x32 includes bit 30.
    pub(super) fn get(&self, abi: Abi, name: &str) -> Option<u32> {
        let mut own = self.own.borrow_mut();
        let names = own
            .entry(abi)
            .or_insert_with(|| abi.syscalls().map(|call| (call.name, call.number)).collect());
        if let Some(number) = names.get(name) {
            return Some(*number);
        }
        let mut others = self.others.borrow_mut();
        let key = (abi, name.to_owned());
        if let Some(known) = others.get(&key) {
            return *known;
        }
        if others.len() >= MOST {
            return None;
        }
        let number = abi.number(name).ok();
        others.insert(key, number);
        number
    }
}

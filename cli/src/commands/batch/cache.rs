//! Filters that were admitted before, by their text.

use core::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use callproof_vm::{Chain, Endian, Filter, Insn};

use super::request::Complaint;
use crate::commands::check::CHAIN_BUDGET;
use crate::hex;
use crate::settings::Settings;

/// A thread forgets everything when it holds this many texts, or this many bytes of text.
const MAX_TEXTS: usize = 1024;
const MAX_BYTES: usize = 16 << 20;

/// What became of the filters of a request.
#[derive(Debug)]
pub(super) enum Admission {
    Filters(Vec<Filter<'static>>),
    Refused(Refusal),
    Unreadable(Complaint),
}

/// Why the kernel would not install a filter.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) errno: &'static str,
    pub(super) pc: Option<usize>,
    pub(super) rule: &'static str,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

#[derive(Default)]
struct Cache {
    admissions: HashMap<Box<str>, [Option<Rc<Admission>>; 2]>,
    bytes: usize,
}

/// The filters that a JSON text holds, admitted. All requests of a process have the same settings.
pub(super) fn admission(text: &str, endian: Endian, settings: &Settings) -> Rc<Admission> {
    CACHE.with_borrow_mut(|cache| {
        if let Some(Some(known)) = cache.admissions.get(text).and_then(|both| both.get(slot(endian))) {
            return Rc::clone(known);
        }
        let admission = Rc::new(admit(text, endian, settings));
        cache.keep(text, endian, Rc::clone(&admission));
        admission
    })
}

impl Cache {
    fn keep(&mut self, text: &str, endian: Endian, admission: Rc<Admission>) {
        if self.admissions.len() >= MAX_TEXTS || self.bytes.saturating_add(text.len()) > MAX_BYTES {
            self.admissions.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(text.len());
        let both = self.admissions.entry(text.into()).or_default();
        if let Some(place) = both.get_mut(slot(endian)) {
            *place = Some(admission);
        }
    }
}

const fn slot(endian: Endian) -> usize {
    match endian {
        Endian::Little => 0,
        Endian::Big => 1,
    }
}

fn admit(text: &str, endian: Endian, settings: &Settings) -> Admission {
    let programs = match programs(text, endian) {
        Ok(programs) => programs,
        Err(complaint) => return Admission::Unreadable(complaint),
    };
    let mut filters = Vec::with_capacity(programs.len());
    for program in programs {
        match Filter::load_on(settings.kernel, program) {
            Ok(filter) => filters.push(filter),
            Err(rejected) => {
                let Some(first) = rejected.violations().next() else {
                    continue;
                };
                return Admission::Refused(Refusal {
                    errno: "EINVAL",
                    pc: first.at.map(|(pc, _)| pc),
                    rule: first.rule.name(),
                });
            }
        }
    }
    match Chain::new(&filters).check_budget(settings.machine_of(endian)) {
        Ok(()) => Admission::Filters(filters),
        Err(_) => Admission::Refused(Refusal {
            errno: "ENOMEM",
            pc: None,
            rule: CHAIN_BUDGET,
        }),
    }
}

fn programs(text: &str, endian: Endian) -> Result<Vec<Vec<Insn>>, Complaint> {
    let texts: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|_| "`filter` holds something else than strings".to_owned())?
    } else {
        vec![
            serde_json::from_str(text)
                .map_err(|_| "`filter` is neither a string nor an array of strings".to_owned())?,
        ]
    };
    if texts.is_empty() {
        return Err("`filter` is an empty array; a chain has at least one filter".to_owned());
    }
    let read = |text: &String| hex::program(text, endian).map_err(|why| format!("`filter`: {why}"));
    texts.iter().map(read).collect()
}

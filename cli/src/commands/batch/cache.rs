//! Filters that were admitted before, by their text.

use core::cell::RefCell;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use callproof_formats::batch::{Filters, Rejection, Request, Response};
use callproof_vm::{Chain, Endian, Filter};

use crate::commands::check::CHAIN_BUDGET;
use crate::settings::Settings;

/// A thread forgets everything when it holds this many chains, or this many bytes of text.
const MAX_CHAINS: usize = 1024;
const MAX_BYTES: usize = 16 << 20;

/// What became of the filters of a request.
#[derive(Debug)]
pub(super) enum Admission {
    Filters(Vec<Filter<'static>>),
    Refused(Response),
    Unreadable(String),
}

thread_local! {
    static LITTLE: RefCell<Cache> = RefCell::default();
    static BIG: RefCell<Cache> = RefCell::default();
}

#[derive(Default)]
struct Cache {
    admissions: HashMap<Filters<'static>, Rc<Admission>>,
    bytes: usize,
}

/// The filters of a request, admitted. All requests of a process have the same settings.
pub(super) fn admission(request: &Request<'_>, settings: &Settings) -> Rc<Admission> {
    let cache = match request.endian {
        Endian::Little => &LITTLE,
        Endian::Big => &BIG,
    };
    if let Some(known) = cache.with_borrow(|cache| find(&cache.admissions, &request.filters)) {
        return known;
    }
    let admission = Rc::new(admit(request, settings).unwrap_or_else(Admission::Unreadable));
    cache.with_borrow_mut(|cache| cache.keep(&request.filters, &admission));
    admission
}

/// Owned and borrowed texts are compared alike.
fn find<'f>(admissions: &HashMap<Filters<'f>, Rc<Admission>>, filters: &Filters<'f>) -> Option<Rc<Admission>> {
    admissions.get(filters).cloned()
}

impl Cache {
    fn keep(&mut self, filters: &Filters<'_>, admission: &Rc<Admission>) {
        let bytes: usize = filters.iter().map(str::len).sum();
        if self.admissions.len() >= MAX_CHAINS || self.bytes.saturating_add(bytes) > MAX_BYTES {
            self.admissions.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.admissions.insert(owned(filters), Rc::clone(admission));
    }
}

fn owned(filters: &Filters<'_>) -> Filters<'static> {
    let own = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
    match filters {
        Filters::One(one) => Filters::One(own(one)),
        Filters::Many(many) => Filters::Many(many.iter().map(own).collect()),
    }
}

fn admit(request: &Request<'_>, settings: &Settings) -> Result<Admission, String> {
    let programs = request.programs().map_err(|error| error.to_string())?;
    if programs.is_empty() {
        return Err("`filter` is an empty list; a chain has at least one filter".to_owned());
    }
    let mut filters = Vec::with_capacity(programs.len());
    for program in programs {
        match Filter::load_on(settings.kernel, program) {
            Ok(filter) => filters.push(filter),
            Err(rejected) => return Ok(Admission::Refused(Response::rejected(&rejected))),
        }
    }
    Ok(
        match Chain::new(&filters).check_budget(settings.machine_of(request.endian)) {
            Ok(()) => Admission::Filters(filters),
            Err(_) => Admission::Refused(Response::Rejected(Rejection {
                errno: "ENOMEM",
                pc: None,
                rule: CHAIN_BUDGET.to_owned(),
            })),
        },
    )
}

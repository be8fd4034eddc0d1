//! Filters that were admitted before, by their text, with the engine that judges their calls.

use core::cell::RefCell;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use std::thread::LocalKey;

use callproof_engines::{Adaptive, Kind};
use callproof_formats::batch::{Filters, Rejection, Request, Response};
use callproof_vm::{Chain, Endian, Filter, Machine};

use crate::commands::check::CHAIN_BUDGET;
use crate::settings::Settings;

/// A thread forgets everything when it holds this many chains, this many bytes of text, or this many engines: most take
/// some 100 KiB, and none more than 4 MiB.
const MAX_CHAINS: usize = 1024;
const MAX_ENGINES: usize = 32;
const MAX_BYTES: usize = 16 << 20;

/// What became of the filters of a request.
#[derive(Debug)]
pub(super) enum Admission {
    Admitted(Box<Adaptive>),
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
    engines: usize,
}

/// Takes note of an engine that is about to be made for the chain of a request.
pub(super) fn grow(request: &Request<'_>) {
    cache(request.endian).with_borrow_mut(|cache| {
        if cache.engines >= MAX_ENGINES {
            *cache = Cache::default();
        }
        cache.engines = cache.engines.saturating_add(1);
    });
}

/// The filters of a request, admitted. All requests of a process have the same settings.
pub(super) fn admission(request: &Request<'_>, engine: Option<Kind>, settings: &Settings) -> Rc<Admission> {
    let cache = cache(request.endian);
    if let Some(known) = cache.with_borrow(|cache| find(&cache.admissions, &request.filters)) {
        return known;
    }
    let admission = Rc::new(admit(request, engine, settings).unwrap_or_else(Admission::Unreadable));
    cache.with_borrow_mut(|cache| cache.keep(&request.filters, &admission));
    admission
}

fn cache(endian: Endian) -> &'static LocalKey<RefCell<Cache>> {
    match endian {
        Endian::Little => &LITTLE,
        Endian::Big => &BIG,
    }
}

/// Owned and borrowed texts are compared alike.
fn find<'f>(admissions: &HashMap<Filters<'f>, Rc<Admission>>, filters: &Filters<'f>) -> Option<Rc<Admission>> {
    admissions.get(filters).cloned()
}

impl Cache {
    fn keep(&mut self, filters: &Filters<'_>, admission: &Rc<Admission>) {
        let bytes: usize = filters.iter().map(str::len).sum();
        if self.admissions.len() >= MAX_CHAINS || self.bytes.saturating_add(bytes) > MAX_BYTES {
            *self = Self::default();
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

fn admit(request: &Request<'_>, engine: Option<Kind>, settings: &Settings) -> Result<Admission, String> {
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
    // The byte order of a request goes before that of the settings.
    let machine = Machine {
        endian: request.endian,
        ..settings.machine_of(request.endian)
    };
    Ok(match Chain::new(&filters).check_budget(machine) {
        Ok(()) => Admission::Admitted(Box::new(Adaptive::new(filters, machine, engine))),
        Err(_) => Admission::Refused(Response::Rejected(Rejection {
            errno: "ENOMEM",
            pc: None,
            rule: CHAIN_BUDGET.to_owned(),
        })),
    })
}

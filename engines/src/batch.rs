//! Many calls at once, on all cores, without an allocation for each.
//!
//! What is longer, the calls or the room for answers, is left as it is. All of it runs on the threads of the surrounding
//! rayon pool.

use callproof_vm::{Endian, SeccompData};
use rayon::prelude::*;

use crate::engine::{Decision, Engine};

/// Calls that a core takes at a time.
const PORTION: usize = 4096;

/// [`Engine::decide_all`] on all cores.
pub fn decide(engine: &dyn Engine, calls: &[SeccompData], decisions: &mut [Decision]) {
    let portions = calls.par_chunks(PORTION).zip(decisions.par_chunks_mut(PORTION));
    portions.for_each(|(calls, decisions)| engine.decide_all(calls, decisions));
}

/// [`Engine::values`] on all cores.
pub fn values(engine: &dyn Engine, calls: &[SeccompData], values: &mut [u32]) {
    let portions = calls.par_chunks(PORTION).zip(values.par_chunks_mut(PORTION));
    portions.for_each(|(calls, values)| engine.values(calls, values));
}

/// [`Engine::values_of_records`] on all cores.
pub fn values_of_records(engine: &dyn Engine, records: &[[u8; 64]], endian: Endian, values: &mut [u32]) {
    let portions = records.par_chunks(PORTION).zip(values.par_chunks_mut(PORTION));
    portions.for_each(|(records, values)| engine.values_of_records(records, endian, values));
}

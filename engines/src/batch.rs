//! Many calls at once, on all cores, without an allocation for each.

use callproof_vm::{Endian, SeccompData};
use rayon::prelude::*;

use crate::engine::{Decision, Engine};

/// Calls that a core takes at a time.
const PORTION: usize = 4096;

/// Decides about calls, into a slice of the same length; what is longer is left as it is.
///
/// It runs on the threads of the surrounding rayon pool.
pub fn decide(engine: &dyn Engine, calls: &[SeccompData], decisions: &mut [Decision]) {
    let portions = calls.par_chunks(PORTION).zip(decisions.par_chunks_mut(PORTION));
    portions.for_each(|(calls, decisions)| {
        for (call, decision) in calls.iter().zip(decisions) {
            *decision = engine.decide(call);
        }
    });
}

/// As [`decide`], for the combined values alone.
pub fn values<E: Engine + ?Sized>(engine: &E, calls: &[SeccompData], values: &mut [u32]) {
    let portions = calls.par_chunks(PORTION).zip(values.par_chunks_mut(PORTION));
    portions.for_each(|(calls, values)| {
        for (call, value) in calls.iter().zip(values) {
            *value = engine.value(call);
        }
    });
}

/// As [`values`], for records as they lie in memory on a machine of this byte order.
pub fn values_of_records<E: Engine + ?Sized>(engine: &E, records: &[[u8; 64]], endian: Endian, values: &mut [u32]) {
    let portions = records.par_chunks(PORTION).zip(values.par_chunks_mut(PORTION));
    portions.for_each(|(records, values)| {
        for (record, value) in records.iter().zip(values) {
            *value = engine.value(&SeccompData::from_bytes(record, endian));
        }
    });
}

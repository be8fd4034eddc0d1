//! Claims about the parts of registers that verdicts depend on, as statements.

use std::collections::BTreeMap;

use callproof_checker::{Part, Relation, View};
use callproof_policy::{ByteOrder, Cell, Env, Grounded, Predicate, Region, kernel_reads};
use callproof_vm::{Endian, Machine};

use super::super::Session;
use super::super::answer::Stop;
use super::super::regions::Regions;
use super::super::registers::free_bits;
use super::{Stated, among, forced, part, view};

/// Calls of which the kernel reads the same bits.
pub(in super::super) struct Alike {
    /// Which bits of each argument
    pub(in super::super) reads: [u64; 6],
    /// Where the halves of arguments are
    pub(in super::super) endian: Endian,
    /// The calls
    pub(in super::super) calls: Region,
}

/// The calls of a predicate by the bits that the kernel reads of their registers. Unknown architectures are left out.
pub(in super::super) fn alike(calls: &Grounded, order: ByteOrder) -> Vec<Alike> {
    let mut groups = Vec::new();
    for part in calls.parts.iter().filter(|part| !part.condition.is_false()) {
        let Cell::Abi(abi) = part.cell else { continue };
        let endian = order.of(abi.audit_arch());
        let asked = part.region(order);
        let mut numbers: BTreeMap<[u64; 6], Vec<u32>> = BTreeMap::new();
        for call in abi.syscalls() {
            numbers
                .entry(kernel_reads(abi, Some(call)))
                .or_default()
                .push(call.number);
        }
        let known = numbers.values().flatten().copied().collect::<Vec<_>>();
        let mut add = |reads, calls| {
            let calls = Region::all([asked.clone(), calls]);
            groups.push(Alike { reads, endian, calls });
        };
        for (reads, numbers) in &numbers {
            add(*reads, among(0, numbers));
        }
        add(kernel_reads(abi, None), among(0, &known).negated());
    }
    groups
}

/// Replaces what the kernel does not read: two calls that are the same to the kernel become one.
pub(super) fn same_view<'f>(session: &Session<'f>, calls: &Predicate, env: &Env) -> Result<Stated<'f>, Stop> {
    let mut regions = Regions::new(session.machine().endian);
    let mut parts = Vec::new();
    for group in alike(&calls.ground(env)?, session.order) {
        let mut free = [0; 16];
        for (argument, mask) in (0_u8..).zip(group.reads) {
            free_bits(&mut free, argument, !mask, group.endian);
        }
        let within = regions.add(&group.calls);
        parts.extend(whatever(session.machine(), within, &free));
    }
    Ok(Stated::about(session.filters(), regions, parts))
}

/// The value does not depend on the free bits (a mask for each word in memory).
fn whatever(machine: Machine, within: u32, free: &[u32; 16]) -> Vec<Part> {
    let places: Vec<(u8, u32, u32)> = (0_u8..)
        .zip(free)
        .filter(|(_, mask)| **mask != 0)
        .map(|(place, mask)| (place, *mask, 0))
        .collect();
    let force = forced(&places, machine.endian);
    part(within, vec![view(0), View { chain: 0, force }], Relation::Equal)
}

/// In these groups of calls, the value does not depend on the free bits that are given with each.
pub(in super::super) fn independent<'f>(session: &Session<'f>, groups: &[(&Region, [u32; 16])]) -> Stated<'f> {
    let mut regions = Regions::new(session.machine().endian);
    let mut parts = Vec::new();
    for (calls, free) in groups {
        let within = regions.add(calls);
        parts.extend(whatever(session.machine(), within, free));
    }
    Stated::about(session.filters(), regions, parts)
}

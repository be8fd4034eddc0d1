//! Writes a proof as its page says.

use std::collections::HashMap;

use callproof_checker::{Claim, Machine, Region, Relation, Set, Shift, Way};

use super::Proof;
use super::diagram::{Bit, Bits, Edge, NODES};

pub(crate) fn nat(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn int(out: &mut Vec<u8>, value: i32) {
    nat(out, (value << 1 ^ value >> 31).cast_unsigned());
}

pub(crate) fn word(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn set(out: &mut Vec<u8>, set: &Set) {
    nat(out, set.len() as u32);
    for &(first, last) in set {
        word(out, first);
        word(out, last);
    }
}

/// Everything up to the body.
pub(crate) fn head(kind: u8, machine: &Machine, shape: &[Vec<u32>], claim: &Claim) -> Vec<u8> {
    let mut out = b"CPRF".to_vec();
    let shift = match machine.shift {
        Shift::Masked => 0,
        Shift::Arm8 => 1,
        Shift::SixBitZero => 2,
    };
    out.extend([
        1,
        kind,
        u8::from(machine.big_endian),
        u8::from(machine.before_4_14),
        shift,
    ]);
    nat(&mut out, shape.len() as u32);
    for chain in shape {
        nat(&mut out, chain.len() as u32);
        chain.iter().for_each(|&length| nat(&mut out, length));
    }
    nat(&mut out, claim.region.len() as u32);
    claim.region.iter().for_each(|node| region(&mut out, node));
    nat(&mut out, claim.parts.len() as u32);
    for part in &claim.parts {
        nat(&mut out, part.within);
        nat(&mut out, part.views.len() as u32);
        for view in &part.views {
            out.push(view.chain);
            nat(&mut out, view.force.len() as u32);
            for &(slot, mask, value) in &view.force {
                out.push(slot);
                word(&mut out, mask);
                word(&mut out, value);
            }
        }
        relation(&mut out, &part.relation);
    }
    out
}

fn region(out: &mut Vec<u8>, node: &Region) {
    out.push(node.word);
    word(out, node.mask);
    nat(out, node.otherwise);
    nat(out, node.cases.len() as u32);
    let mut next = 0;
    for &(first, last, to) in &node.cases {
        nat(out, first - next);
        nat(out, last - first);
        nat(out, to);
        next = last.wrapping_add(1);
    }
}

fn relation(out: &mut Vec<u8>, relation: &Relation) {
    match relation {
        Relation::Within(values) => {
            out.push(0);
            set(out, values);
        }
        Relation::Equal(values) => {
            out.push(1);
            set(out, values);
        }
        Relation::SameAction => out.push(2),
        Relation::Refines => out.push(3),
        Relation::Implies(values) => {
            out.push(4);
            set(out, values);
        }
        Relation::Cost(bound) => {
            out.push(5);
            nat(out, *bound);
        }
        Relation::CostAtLeast(bound) => {
            out.push(7);
            nat(out, *bound);
        }
        Relation::Never(events) => {
            out.push(6);
            nat(out, events.len() as u32);
            for event in events {
                nat(out, event.filter);
                nat(out, event.pc);
                out.push(match event.way {
                    Way::Reached => 0,
                    Way::Yes => 1,
                    Way::No => 2,
                });
            }
        }
    }
}

impl Proof {
    /// The file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let statement = &self.statement;
        let mut out = head(1, &statement.machine, &statement.shape, &statement.claim);
        nat(&mut out, self.classes.len() as u32);
        for class in &self.classes {
            match class.as_slice() {
                [(first, last)] if first == last => {
                    nat(&mut out, 0);
                    word(&mut out, *first);
                }
                ranges => set(&mut out, &ranges.to_vec()),
            }
        }
        let weighted = matches!(
            statement.claim.parts[0].relation,
            Relation::Cost(_) | Relation::CostAtLeast(_)
        );
        let terminals = self.classes.len().max(2) as u32;
        let ids = self.nodes(&mut out, terminals, weighted);
        let id = |id: u32| if id < NODES { id } else { ids[&id] };
        self.regions.iter().for_each(|&node| nat(&mut out, id(node)));
        let edge = |out: &mut Vec<u8>, edge: Edge| {
            nat(out, id(edge.id));
            if weighted {
                int(out, edge.add);
            }
        };
        for points in self.points.iter().flatten() {
            nat(&mut out, points.len() as u32);
            let mut pc = 0;
            for point in points {
                nat(&mut out, (point.pc - pc) as u32);
                pc = point.pc;
                let live = point.state.iter().enumerate().filter(|(_, value)| value.is_some());
                nat(&mut out, live.map(|(register, _)| 1 << register).sum());
                point.state.iter().flatten().for_each(|bits| value(&mut out, bits));
                edge(&mut out, point.edge);
            }
        }
        self.combined.iter().flatten().for_each(|&both| edge(&mut out, both));
        out
    }

    /// Writes the nodes, the last variables first, and tells their numbers.
    fn nodes(&self, out: &mut Vec<u8>, terminals: u32, weighted: bool) -> HashMap<u32, u32> {
        let node = |n: u32| self.table.nodes[n as usize];
        // Only what somebody refers to.
        let mut used = vec![false; self.table.nodes.len()];
        let points = self.points.iter().flatten().flatten().map(|point| point.edge.id);
        let combined = self.combined.iter().flatten().map(|edge| edge.id);
        let mut open: Vec<u32> = points.chain(combined).chain(self.regions.iter().copied()).collect();
        while let Some(id) = open.pop() {
            if id >= NODES && !std::mem::replace(&mut used[(id - NODES) as usize], true) {
                open.extend([node(id - NODES).low, node(id - NODES).high]);
            }
        }
        let mut order: Vec<u32> = (0..self.table.nodes.len() as u32)
            .filter(|&n| used[n as usize])
            .collect();
        order.sort_by_key(|&n| std::cmp::Reverse(node(n).var));
        let mut runs: Vec<Vec<u32>> = Vec::new();
        for n in order {
            match runs.last_mut() {
                Some(run) if node(run[0]).var == node(n).var => run.push(n),
                _ => runs.push(vec![n]),
            }
        }
        nat(out, runs.len() as u32);
        let mut ids = HashMap::new();
        let mut next = terminals;
        for run in runs {
            nat(out, node(run[0]).var);
            nat(out, run.len() as u32);
            for n in run {
                for child in [node(n).low, node(n).high] {
                    let code = if child < NODES {
                        child
                    } else {
                        terminals + (next - 1 - ids[&child])
                    };
                    nat(out, code);
                }
                if weighted {
                    int(out, node(n).weight);
                }
                ids.insert(NODES + n, next);
                next += 1;
            }
        }
        ids
    }
}

fn value(out: &mut Vec<u8>, bits: &Bits) {
    let (mut shift, mut slot, mut mask, mut flips) = (None, 0, 0, 0);
    for (i, bit) in bits.iter().enumerate() {
        let place = 0x8000_0000_u32 >> i;
        match *bit {
            Bit::Const(true) => flips |= place,
            Bit::Const(false) => {}
            Bit::Input(var, flip) => {
                slot = (var / 32) as u8;
                shift = Some((var % 32).cast_signed() - i as i32);
                mask |= place;
                if flip {
                    flips |= place;
                }
            }
        }
    }
    match shift {
        None => {
            out.push(0);
            word(out, flips);
        }
        Some(0) if mask == u32::MAX && flips == 0 => out.push(1 + slot),
        Some(shift) => {
            out.extend([17, slot]);
            int(out, shift);
            word(out, mask);
            word(out, flips);
        }
    }
}

//! Bytes of a proof file.

use callproof_checker::{Claim, Region, Relation, Set, Shift, Statement, Way};

use crate::proof::Body;
use crate::proof::fields::Stated;
use crate::proof::points::Point;
use crate::proof::table::{ROWS, Row, Table};

/// The whole file.
pub(super) fn file(statement: &Statement, table: &Table, region: &[u32], body: &Body) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(1 << 12));
    out.head(1, statement);
    let numbers = Numbers::of(table);
    out.classes(&table.classes);
    out.nodes(table, &numbers);
    for &node in region {
        out.nat(numbers.of_node(node));
    }
    for filter in body.points.iter().flatten() {
        out.points(filter, &numbers, table.weighted);
    }
    for &edge in body.combined.iter().flatten() {
        out.edge(edge, &numbers, table.weighted);
    }
    out.0
}

/// The whole file of a refutation.
pub(super) fn refutation(statement: &Statement, given: u32, steps: &[(Vec<u32>, Vec<u32>)]) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(1 << 12));
    out.head(2, statement);
    out.count(steps);
    for (number, (literals, hints)) in (given..).zip(steps) {
        out.0.push(1);
        out.count(literals);
        for &literal in literals {
            out.nat(literal);
        }
        out.count(hints);
        for &hint in hints {
            out.nat(number.saturating_sub(hint));
        }
    }
    out.0
}

/// The numbers that rows have in the file: by descending variable, behind the terminals.
struct Numbers {
    terminals: u32,
    /// For each row, its number
    of_row: Vec<u32>,
    /// The rows in their order
    rows: Vec<u32>,
}

impl Numbers {
    fn of(table: &Table) -> Self {
        let terminals = length(&table.classes).max(2);
        let mut rows: Vec<u32> = (0..length(&table.rows)).collect();
        // Among rows of one variable the order in which they were found keeps neighbours together.
        rows.sort_by_key(|row| core::cmp::Reverse(table.rows.get(*row as usize).map_or(0, |row| row.var)));
        let mut of_row = vec![0; rows.len()];
        for (row, number) in rows.iter().zip(terminals..) {
            if let Some(slot) = of_row.get_mut(*row as usize) {
                *slot = number;
            }
        }
        Self {
            terminals,
            of_row,
            rows,
        }
    }

    fn of_node(&self, node: u32) -> u32 {
        match node.checked_sub(ROWS) {
            Some(row) => self.of_row.get(row as usize).copied().unwrap_or(0),
            None => node,
        }
    }
}

struct Out(Vec<u8>);

impl Out {
    fn nat(&mut self, mut value: u32) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.0.push(low & 0x7f);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    fn int(&mut self, value: i32) {
        self.nat((value << 1 ^ value >> 31).cast_unsigned());
    }

    fn word(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn count<T>(&mut self, list: &[T]) {
        self.nat(length(list));
    }

    fn head(&mut self, kind: u8, statement: &Statement) {
        let machine = &statement.machine;
        self.0.extend(*b"CPRF");
        let shift = match machine.shift {
            Shift::Masked => 0,
            Shift::Arm8 => 1,
            Shift::SixBitZero => 2,
        };
        self.0.extend([
            1,
            kind,
            u8::from(machine.big_endian),
            u8::from(machine.before_4_14),
            shift,
        ]);
        self.count(&statement.shape);
        for chain in &statement.shape {
            self.count(chain);
            for &length in chain {
                self.nat(length);
            }
        }
        self.claim(&statement.claim);
    }

    fn claim(&mut self, claim: &Claim) {
        self.count(&claim.region);
        for node in &claim.region {
            self.region(node);
        }
        self.count(&claim.parts);
        for part in &claim.parts {
            self.nat(part.within);
            self.count(&part.views);
            for view in &part.views {
                self.0.push(view.chain);
                self.count(&view.force);
                for &(word, mask, value) in &view.force {
                    self.0.push(word);
                    self.word(mask);
                    self.word(value);
                }
            }
            self.relation(&part.relation);
        }
    }

    fn region(&mut self, node: &Region) {
        self.0.push(node.word);
        self.word(node.mask);
        self.nat(node.otherwise);
        self.count(&node.cases);
        let mut next = 0_u32;
        for &(first, last, to) in &node.cases {
            self.nat(first.wrapping_sub(next));
            self.nat(last.wrapping_sub(first));
            self.nat(to);
            next = last.wrapping_add(1);
        }
    }

    fn relation(&mut self, relation: &Relation) {
        match relation {
            Relation::Within(values) => self.values(0, values),
            Relation::Equal(values) => self.values(1, values),
            Relation::SameAction => self.0.push(2),
            Relation::Refines => self.0.push(3),
            Relation::Implies(values) => self.values(4, values),
            Relation::Cost(bound) => {
                self.0.push(5);
                self.nat(*bound);
            }
            Relation::CostAtLeast(bound) => {
                self.0.push(7);
                self.nat(*bound);
            }
            Relation::Never(events) => {
                self.0.push(6);
                self.count(events);
                for event in events {
                    self.nat(event.filter);
                    self.nat(event.pc);
                    self.0.push(match event.way {
                        Way::Reached => 0,
                        Way::Yes => 1,
                        Way::No => 2,
                    });
                }
            }
        }
    }

    fn values(&mut self, tag: u8, ranges: &Set) {
        self.0.push(tag);
        self.count(ranges);
        for &(first, last) in ranges {
            self.word(first);
            self.word(last);
        }
    }

    /// One class for each value.
    fn classes(&mut self, classes: &[u32]) {
        self.count(classes);
        for &value in classes {
            self.nat(0);
            self.word(value);
        }
    }

    fn nodes(&mut self, table: &Table, numbers: &Numbers) {
        let row = |number: &u32| table.rows.get(*number as usize);
        let same = |a: &u32, b: &u32| row(a).map(|row| row.var) == row(b).map(|row| row.var);
        self.nat(u32::try_from(numbers.rows.chunk_by(same).count()).unwrap_or(0));
        let mut number = numbers.terminals;
        for run in numbers.rows.chunk_by(same) {
            self.nat(u32::from(run.first().and_then(row).map_or(0, |row| row.var)));
            self.count(run);
            for row in run.iter().filter_map(row) {
                self.row(row, number, numbers, table.weighted);
                number = number.saturating_add(1);
            }
        }
    }

    fn row(&mut self, row: &Row, number: u32, numbers: &Numbers, weighted: bool) {
        for child in [row.low, row.high] {
            let child = numbers.of_node(child);
            let back = if child < numbers.terminals {
                child
            } else {
                number
                    .saturating_sub(1)
                    .saturating_sub(child)
                    .saturating_add(numbers.terminals)
            };
            self.nat(back);
        }
        if weighted {
            self.int(row.weight);
        }
    }

    fn edge(&mut self, (node, offset): (u32, i32), numbers: &Numbers, weighted: bool) {
        self.nat(numbers.of_node(node));
        if weighted {
            self.int(offset);
        }
    }

    fn points(&mut self, points: &[Point], numbers: &Numbers, weighted: bool) {
        self.count(points);
        let mut before = 0_u32;
        for point in points {
            self.nat(point.pc.saturating_sub(before));
            before = point.pc;
            self.nat(
                point
                    .state
                    .iter()
                    .fold(0, |live, (register, _)| live | 1 << (register & 31)),
            );
            for (_, value) in &point.state {
                self.stated(*value);
            }
            self.edge(point.edge, numbers, weighted);
        }
    }

    fn stated(&mut self, value: Stated) {
        match value {
            Stated::Const(k) => {
                self.0.push(0);
                self.word(k);
            }
            Stated::Field {
                word,
                shift: 0,
                mask: u32::MAX,
                flip: 0,
            } => self.0.push(word.saturating_add(1)),
            Stated::Field {
                word,
                shift,
                mask,
                flip,
            } => {
                self.0.extend([17, word]);
                self.int(i32::from(shift));
                self.word(mask);
                self.word(flip);
            }
        }
    }
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

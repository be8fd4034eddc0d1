//! Random claims.

use callproof_testgen::Choose;

use crate::encode::bv;
use crate::meaning::{Calls, Cell, Condition, HERE, KNOWN, Kind, Part, Pattern, Selector, Verdicts, one};

/// Some calls on some ABIs.
pub(crate) fn calls(choose: &mut impl Choose) -> Calls {
    let cells = cells(choose);
    let named = cells.iter().all(|cell| !matches!(cell, Cell::All | Cell::Any));
    let patterns = (0..=choose.below(3)).map(|_| pattern(choose, named, &cells)).collect();
    let except = if choose.one_in(3) {
        (0..=choose.below(2)).map(|_| pattern(choose, named, &cells)).collect()
    } else {
        Vec::new()
    };
    Calls {
        patterns,
        except,
        cells,
    }
}

fn cells(choose: &mut impl Choose) -> Vec<Cell> {
    match choose.below(8) {
        0 => vec![Cell::Any],
        1 => vec![Cell::All],
        2 => vec![Cell::Unknown, choose.pick(&HERE)],
        3 => vec![Cell::X86_64, Cell::X32],
        4 => vec![Cell::X86_64, Cell::S390x],
        5 => vec![choose.pick(&HERE)],
        _ => vec![Cell::X86_64],
    }
}

fn pattern(choose: &mut impl Choose, named: bool, cells: &[Cell]) -> Pattern {
    let selector = match choose.below(if named { 8 } else { 4 }) {
        0 => Selector::All,
        1 => Selector::Number(choose.pick(&[0, 1, 3, 8, 16, 54, 101, 0x4000_0208, u32::MAX, 335])),
        2 => {
            let from = choose.below(60);
            Selector::Range(from, from + choose.below(400))
        }
        3 if named && choose.one_in(2) => Selector::Unallocated,
        3 => Selector::All,
        _ => Selector::Known(choose.below(KNOWN) as usize),
    };
    let mut conditions: Vec<Condition> = Vec::new();
    for _ in 0..choose.below(3) {
        let condition = condition(choose, &selector, cells);
        if conditions
            .iter()
            .all(|other| other.argument != condition.argument && other.part == condition.part)
        {
            conditions.push(condition);
        }
    }
    Pattern { selector, conditions }
}

/// A condition that means something, and could be met, on each of the cells.
fn condition(choose: &mut impl Choose, selector: &Selector, cells: &[Cell]) -> Condition {
    let mut argument = choose.below(4) as usize;
    let mut part = choose.pick(&[Part::Raw, Part::Low, Part::High]);
    let mut width = if part == Part::Raw { u64::MAX } else { 0xffff_ffff };
    match selector {
        Selector::Known(call) => {
            let reads = cells
                .iter()
                .fold(u64::MAX, |all, cell| all & cell.reads(*call)[argument]);
            if reads != 0 && !choose.one_in(3) {
                (part, width) = (Part::Read, reads);
            }
        }
        _ if choose.one_in(8) => argument = 6,
        _ => {}
    }
    let value = |choose: &mut _| {
        let small = Choose::pick(
            choose,
            &[1, 2, 3, 5, 7, 16, 31, 64, 0x5412, 0xffff, u64::from(u32::MAX)],
        );
        let large = if Choose::one_in(choose, 4) {
            small << 32 | 1
        } else {
            small
        };
        large & width
    };
    let compare = choose.pick(&["==", "==", "!=", "<", "<=", ">", ">=", "&"]);
    let masked = compare == "&" || choose.one_in(3);
    let mask = masked.then(|| value(choose).max(1));
    let value = value(choose).max(1) & mask.unwrap_or(u64::MAX);
    // Nothing is below 0, and nothing above everything.
    let never = value == 0 || value >= mask.unwrap_or(width);
    let compare = if never && matches!(compare, "<" | ">" | "<=" | ">=") {
        "=="
    } else {
        compare
    };
    Condition {
        argument,
        part,
        mask,
        compare,
        value,
    }
}

/// A set of verdicts, often with the values of the palette in it.
pub(crate) fn verdicts(choose: &mut impl Choose, palette: &[u32]) -> Verdicts {
    let words = [
        "deny",
        "deny",
        "permit",
        "allow",
        "log",
        "errno",
        "kill",
        "kill_thread",
        "killed",
        "trap",
        "trace",
        "notify",
        "unknown",
    ];
    if choose.one_in(3) {
        return exactly(choose, palette);
    }
    let kinds = (0..=choose.below(2)).map(|_| Kind::Word(one(choose, &words)));
    Verdicts(kinds.collect())
}

/// The verdicts of some values of the palette.
pub(crate) fn exactly(choose: &mut impl Choose, palette: &[u32]) -> Verdicts {
    let mut kinds: Vec<Kind> = Vec::new();
    for value in palette {
        if !kinds.is_empty() && choose.one_in(4) {
            continue;
        }
        let data = value & 0xffff;
        kinds.push(match value >> 16 {
            0x7fff => Kind::Word("allow"),
            0x8000 => Kind::Word("kill"),
            0x0000 => Kind::Word("kill_thread"),
            0x7ffc => Kind::Word("log"),
            0x7fc0 => Kind::Word("notify"),
            0x0005 => Kind::Errno(vec![data.min(4095)]),
            0x0003 => Kind::Trap(vec![data]),
            0x7ff0 => Kind::Trace(vec![data]),
            _ => Kind::Word("unknown"),
        });
    }
    Verdicts(kinds)
}

/// That two inputs are calls of the same name on two ABIs, with the same registers as far as the left ABI has them.
pub(crate) fn counterparts(left: Cell, right: Cell, v: &[String], w: &[String]) -> String {
    let (Some(a), Some(b)) = (left.abi(), right.abi()) else {
        panic!("two ABIs")
    };
    let pairs = a.syscalls().filter_map(|call| {
        let other = b.syscalls().find(|other| other.name == call.name)?;
        Some(format!(
            " (and (= {} {}) (= {} {}))",
            v[0],
            bv(call.number),
            w[0],
            bv(other.number)
        ))
    });
    let mut all = vec![
        format!("(or{})", pairs.collect::<String>()),
        format!("(= {} {})", v[1], bv(left.arch())),
        format!("(= {} {})", w[1], bv(right.arch())),
    ];
    for word in 2..16 {
        // Both have the low half first.
        let cut = left == Cell::I386 && word > 4 && word % 2 == 1;
        let same = if cut { "#x00000000" } else { v[word].as_str() };
        all.push(format!("(= {} {same})", w[word]));
    }
    format!("(and {})", all.join(" "))
}

/// Some calls of x86_64 or i386, whatever their arguments.
pub(crate) fn cacheable(choose: &mut impl Choose) -> Calls {
    let patterns = (0..=choose.below(2)).map(|_| Pattern {
        selector: Selector::Known(choose.below(KNOWN) as usize),
        conditions: Vec::new(),
    });
    Calls {
        patterns: patterns.collect(),
        except: Vec::new(),
        cells: vec![choose.pick(&[Cell::X86_64, Cell::X86_64, Cell::I386])],
    }
}

/// One, two or three of the first calls of the table on one ABI, each all of its calls.
pub(crate) fn whole_calls(choose: &mut impl Choose, first: u32) -> Calls {
    let patterns = (0..=choose.below(3)).map(|_| Pattern {
        selector: Selector::Known(choose.below(first) as usize),
        conditions: Vec::new(),
    });
    Calls {
        patterns: patterns.collect(),
        except: Vec::new(),
        cells: vec![choose.pick(&HERE)],
    }
}

//! The head of a proof file: what it claims. `docs/PROOFS.md` sections 1 to 3.

use alloc::vec::Vec;

use crate::Rejected;
use crate::bytes::Reader;

/// What a proof file claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The machine on which the filters run
    pub machine: Machine,
    /// For each chain, for each filter, oldest first: how many instructions it has
    pub shape: Vec<Vec<u32>>,
    /// What is claimed about the chains
    pub claim: Claim,
}

/// What changes the answer of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Most significant byte first
    pub big_endian: bool,
    /// How filters are combined: before Linux 4.14 the top bit of a result was ignored
    pub before_4_14: bool,
    /// What a shift by X does
    pub shift: Shift,
}

/// What a shift by X does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// It shifts by `X & 31`
    Masked,
    /// It shifts by `X & 255`, and 32 or more gives 0
    Arm8,
    /// It shifts by `X & 63`, and 32 or more gives 0
    SixBitZero,
}

/// All parts hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Sets of inputs, which the parts refer to. Nodes number 2, 3, ...; 0 is "never", 1 is "always"
    pub region: Vec<Region>,
    /// 1 to 4,096; all about values, or all about cost, or one about events
    pub parts: Vec<Part>,
}

/// For every input in the region, the relation holds between the values of the views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of a region node
    pub within: u32,
    /// One or two
    pub views: Vec<View>,
    /// What must hold
    pub relation: Relation,
}

/// One node of a region: the node whose range holds `word & mask`, else the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Which word, numbered as in the variable order
    pub word: u8,
    /// Which bits of it
    pub mask: u32,
    /// First and last value and node, ascending
    pub cases: Vec<(u32, u32, u32)>,
    /// The node for all other values
    pub otherwise: u32,
}

/// A comparison of unsigned words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// `==`
    Eq,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `&`: some common bit
    Set,
}

/// A chain, looked at with some bits of the input replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Which chain
    pub chain: u8,
    /// Word, which bits of it, their values; each word once, ascending
    pub force: Vec<(u8, u32, u32)>,
}

/// Inclusive ranges of values, ascending, not touching.
pub type Set = Vec<(u32, u32)>;

/// What must hold between the values of the views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The value is in the set
    Within(Set),
    /// If the first value is in the set, both values are equal
    Equal(Set),
    /// Both values have the same severity
    SameAction,
    /// The first value is at least as severe as the second
    Refines,
    /// If the first value is in the set, so is the second
    Implies(Set),
    /// The filters of the chain execute at most so many instructions
    Cost(u32),
    /// None of this ever happens in the filters of the chain
    Never(Vec<Event>),
    /// The filters of the chain execute at least so many instructions
    CostAtLeast(u32),
}

impl Relation {
    /// Whether it is about how many instructions are executed.
    pub(crate) const fn is_about_cost(&self) -> bool {
        matches!(self, Self::Cost(_) | Self::CostAtLeast(_))
    }
}

/// Something that may happen while a filter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which filter, 0 being the oldest
    pub filter: u32,
    /// Which instruction
    pub pc: u32,
    /// What happens there
    pub way: Way,
}

/// What may happen at an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// It is executed
    Reached,
    /// The condition of a jump holds, a division divides by zero, a shift by X has X of 32 or more
    Yes,
    /// It does not, a division by X or shift by X is none of these
    No,
}

impl Way {
    /// A bit for each way.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::Reached => 1,
            Self::Yes => 2,
            Self::No => 4,
        }
    }
}

/// For each instruction of a filter, the ways in question: a bit for each.
pub(crate) fn asked(length: usize, filter: usize, events: &[Event]) -> Vec<u8> {
    let mut asked = alloc::vec![0; length];
    for event in events.iter().filter(|event| event.filter as usize == filter) {
        if let Some(ways) = asked.get_mut(event.pc as usize) {
            *ways |= event.way.bit();
        }
    }
    asked
}

/// How the proof is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Diagram,
    Refutation,
}

const MAGIC: [u8; 4] = *b"CPRF";
const VERSION: u8 = 1;
const MAX_FILE: usize = 64 << 20;
const MAX_FILTERS: usize = 4096;
const MAX_PARTS: usize = 4096;
const MAX_INSNS: u32 = 4096;
const MAX_ALL_INSNS: u64 = 65_536;

/// Reads what a proof file claims, without checking it.
///
/// # Errors
/// The file is not a proof file of version 1, or its head is malformed.
pub fn statement(file: &[u8]) -> Result<Statement, Rejected> {
    head(&mut Reader::new(file)).map(|(_, statement)| statement)
}

pub(crate) fn head(r: &mut Reader<'_>) -> Result<(Method, Statement), Rejected> {
    if r.left() > MAX_FILE {
        return Err(r.unreadable("the file is larger than 64 MiB"));
    }
    if r.bytes()? != MAGIC {
        return Err(r.unreadable("it does not start with `CPRF`"));
    }
    if r.u8()? != VERSION {
        return Err(r.unreadable("only version 1 is understood"));
    }
    let method = match r.tag(3)? {
        1 => Method::Diagram,
        2 => Method::Refutation,
        _ => return Err(r.unreadable("this kind of proof is not known")),
    };
    let machine = machine(r)?;
    let shape = shape(r)?;
    let claim = claim(r, &shape)?;
    let statement = Statement { machine, shape, claim };
    Ok((method, statement))
}

fn machine(r: &mut Reader<'_>) -> Result<Machine, Rejected> {
    Ok(Machine {
        big_endian: r.tag(2)? == 1,
        before_4_14: r.tag(2)? == 1,
        shift: match r.tag(3)? {
            0 => Shift::Masked,
            1 => Shift::Arm8,
            _ => Shift::SixBitZero,
        },
    })
}

fn shape(r: &mut Reader<'_>) -> Result<Vec<Vec<u32>>, Rejected> {
    let shape = r.list(|r| r.list(Reader::nat))?;
    let lengths = || shape.iter().flatten();
    let total: u64 = lengths().map(|&length| u64::from(length)).sum();
    let sound = (1..=2).contains(&shape.len())
        && shape.iter().all(|chain| (1..=MAX_FILTERS).contains(&chain.len()))
        && lengths().all(|length| (1..=MAX_INSNS).contains(length))
        && total <= MAX_ALL_INSNS;
    if sound {
        Ok(shape)
    } else {
        Err(r.unreadable("chains, filters or instructions are more or fewer than allowed"))
    }
}

fn claim(r: &mut Reader<'_>, shape: &[Vec<u32>]) -> Result<Claim, Rejected> {
    let mut known = 2_u32;
    let region = r.list(|r| {
        let node = region(r, known)?;
        known = known.saturating_add(1);
        Ok(node)
    })?;
    let parts = r.list(|r| part(r, known, shape))?;
    let kind = |part: &Part| match part.relation {
        Relation::Cost(_) | Relation::CostAtLeast(_) => 1,
        Relation::Never(_) => 2,
        _ => 0,
    };
    let kinds = parts.iter().map(kind);
    let most = if kinds.clone().eq([2]) { 1 } else { MAX_PARTS };
    let alike = kinds.clone().min() == kinds.max();
    if alike && (1..=most).contains(&parts.len()) {
        Ok(Claim { region, parts })
    } else {
        Err(r.unreadable("a claim has no part, too many, or parts that do not go together"))
    }
}

/// Nodes up to and without `known` may be referred to.
fn part(r: &mut Reader<'_>, known: u32, shape: &[Vec<u32>]) -> Result<Part, Rejected> {
    let within = node(r, known)?;
    let views = r.list(|r| view(r, shape.len()))?;
    let chain = views.first().and_then(|view| shape.get(usize::from(view.chain)));
    let relation = relation(r, chain.map_or(&[], Vec::as_slice))?;
    let wanted = match relation {
        Relation::Within(_) | Relation::Cost(_) | Relation::CostAtLeast(_) | Relation::Never(_) => 1,
        Relation::Equal(_) | Relation::SameAction | Relation::Refines | Relation::Implies(_) => 2,
    };
    if views.len() == wanted {
        Ok(Part {
            within,
            views,
            relation,
        })
    } else {
        Err(r.unreadable("the relation is not about so many views"))
    }
}

/// The number of a node that was defined before.
fn node(r: &mut Reader<'_>, known: u32) -> Result<u32, Rejected> {
    let to = r.nat()?;
    if to < known {
        Ok(to)
    } else {
        Err(r.unreadable("a region refers to what was not defined before"))
    }
}

fn region(r: &mut Reader<'_>, known: u32) -> Result<Region, Rejected> {
    let (word, mask) = (r.tag(16)?, r.u32()?);
    let otherwise = node(r, known)?;
    let mut next = Some(0_u32);
    let cases = r.list(|r| {
        let (gap, span) = (r.nat()?, r.nat()?);
        let first = next.and_then(|next| next.checked_add(gap));
        let range = first.and_then(|first| Some((first, first.checked_add(span)?)));
        let (first, last) = range.ok_or_else(|| r.unreadable("a case lies beyond the largest word"))?;
        next = last.checked_add(1);
        Ok((first, last, node(r, known)?))
    })?;
    Ok(Region {
        word,
        mask,
        cases,
        otherwise,
    })
}

fn view(r: &mut Reader<'_>, chains: usize) -> Result<View, Rejected> {
    let chain = r.tag(2)?;
    let force = r.list(|r| Ok((r.tag(16)?, r.u32()?, r.u32()?)))?;
    let ascending = force.is_sorted_by(|one, next| one.0 < next.0);
    let sound = ascending && force.iter().all(|&(_, mask, value)| value & !mask == 0);
    if sound && usize::from(chain) < chains {
        Ok(View { chain, force })
    } else {
        Err(r.unreadable("a view is of no chain, or forces bits twice or out of order"))
    }
}

/// `chain` holds the lengths of the filters that are viewed.
fn relation(r: &mut Reader<'_>, chain: &[u32]) -> Result<Relation, Rejected> {
    Ok(match r.tag(8)? {
        0 => Relation::Within(set(r)?),
        1 => Relation::Equal(set(r)?),
        2 => Relation::SameAction,
        3 => Relation::Refines,
        4 => Relation::Implies(set(r)?),
        5 => Relation::Cost(r.nat()?),
        6 => Relation::Never(r.list(|r| event(r, chain))?),
        _ => Relation::CostAtLeast(r.nat()?),
    })
}

fn event(r: &mut Reader<'_>, chain: &[u32]) -> Result<Event, Rejected> {
    let (filter, pc) = (r.nat()?, r.nat()?);
    let way = match r.tag(3)? {
        0 => Way::Reached,
        1 => Way::Yes,
        _ => Way::No,
    };
    if chain.get(filter as usize).is_some_and(|&length| pc < length) {
        Ok(Event { filter, pc, way })
    } else {
        Err(r.unreadable("the claim is about an instruction that does not exist"))
    }
}

pub(crate) fn set(r: &mut Reader<'_>) -> Result<Set, Rejected> {
    let ranges = r.list(|r| Ok((r.u32()?, r.u32()?)))?;
    let apart = ranges.is_sorted_by(|one, next| one.1.checked_add(1).is_some_and(|end| end < next.0));
    if apart && ranges.iter().all(|&(first, last)| first <= last) {
        Ok(ranges)
    } else {
        Err(r.unreadable("the ranges of a set are not in order"))
    }
}

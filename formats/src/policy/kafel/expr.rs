//! Conditions: what is written, and what Kafel compares.

use callproof_policy::predicate::{Cond, Relation, View};

use super::lex::Tok;
use super::parse::{Parsed, Parser, unexpected, value};
use crate::policy::parts::test;
use crate::text::Kind;

/// How deep brackets and `!` may nest.
const DEEPEST: usize = 64;

/// Something that is true or false.
#[derive(Debug)]
pub(super) enum Logic {
    Not(Box<Logic>),
    All(Vec<Logic>),
    Any(Vec<Logic>),
    Compare(Relation, Box<Bits>, Box<Bits>, Tok),
}

/// Something of 64 bits.
#[derive(Debug)]
pub(super) enum Bits {
    Number(u64),
    Argument(Tok),
    And(Box<Bits>, Box<Bits>, Tok),
    Or(Box<Bits>, Box<Bits>, Tok),
}

/// A bracket can hold either.
enum Either {
    Logic(Logic),
    Bits(Bits),
}

impl Parser<'_> {
    /// A condition; commas mean `||` and bind loosest.
    pub(super) fn logic(&mut self) -> Parsed<Logic> {
        let at = self.peek().clone();
        match self.list(0)? {
            Either::Logic(logic) => Ok(logic),
            Either::Bits(_) => Err(at
                .problem("a number is no condition")
                .help("compare it, for example `== 0`")),
        }
    }

    fn list(&mut self, depth: usize) -> Parsed<Either> {
        if depth > DEEPEST {
            let message = format!("brackets are nested more than {DEEPEST} deep");
            return Err(self.peek().problem(message));
        }
        self.chain(&[",", "||"], depth)
    }

    /// `A , B` or `A && B`, from loose to tight.
    fn chain(&mut self, marks: &[&str], depth: usize) -> Parsed<Either> {
        let mut parts = Vec::new();
        let mut first = self.part(marks, depth)?;
        while marks.iter().any(|mark| self.peek().is(mark)) {
            let mark = self.next();
            let second = self.part(marks, depth)?;
            let (Either::Logic(left), Either::Logic(right)) = (first, second) else {
                let message = format!("`{}` joins conditions, and here is a number", mark.text);
                return Err(mark.problem(message));
            };
            parts.push(left);
            first = Either::Logic(right);
        }
        Ok(match first {
            Either::Logic(last) if !parts.is_empty() => {
                parts.push(last);
                Either::Logic(if marks.contains(&"&&") {
                    Logic::All(parts)
                } else {
                    Logic::Any(parts)
                })
            }
            alone => alone,
        })
    }

    fn part(&mut self, marks: &[&str], depth: usize) -> Parsed<Either> {
        if marks.contains(&"&&") {
            self.primary(depth)
        } else {
            self.chain(&["&&"], depth)
        }
    }

    /// `!A`, or a comparison.
    fn primary(&mut self, depth: usize) -> Parsed<Either> {
        if depth > DEEPEST {
            return Err(self.peek().problem(format!("`!` is nested more than {DEEPEST} deep")));
        }
        let at = self.peek().clone();
        if self.eat("!") {
            return match self.primary(depth.saturating_add(1))? {
                Either::Logic(inner) => Ok(Either::Logic(Logic::Not(Box::new(inner)))),
                Either::Bits(_) => Err(at.problem("`!` stands before a condition, and here is a number")),
            };
        }
        let left = self.bits(true, depth)?;
        let Some(relation) = relation(self.peek()) else {
            return Ok(left);
        };
        let mark = self.next();
        let right = self.bits(true, depth)?;
        match (left, right) {
            (Either::Bits(left), Either::Bits(right)) => Ok(Either::Logic(Logic::Compare(
                relation,
                Box::new(left),
                Box::new(right),
                mark,
            ))),
            _ => Err(mark.problem(format!("`{}` compares numbers, and here is a condition", mark.text))),
        }
    }

    /// `A | B`, and inside of it `A & B`.
    fn bits(&mut self, or: bool, depth: usize) -> Parsed<Either> {
        let mark = if or { "|" } else { "&" };
        let part = |parser: &mut Self| {
            if or {
                parser.bits(false, depth)
            } else {
                parser.operand(depth)
            }
        };
        let mut left = part(self)?;
        while self.peek().is(mark) {
            let tok = self.next();
            let (Either::Bits(a), Either::Bits(b)) = (left, part(self)?) else {
                return Err(tok.problem(format!("`{mark}` joins numbers, and here is a condition")));
            };
            let (a, b) = (Box::new(a), Box::new(b));
            left = Either::Bits(if or { Bits::Or(a, b, tok) } else { Bits::And(a, b, tok) });
        }
        Ok(left)
    }

    fn operand(&mut self, depth: usize) -> Parsed<Either> {
        let tok = self.peek().clone();
        if self.eat("(") {
            let inner = self.list(depth.saturating_add(1))?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.eat("-") {
            let number = self.next();
            return match number.kind {
                Kind::Number => Ok(Either::Bits(Bits::Number(value(&number)?.wrapping_neg()))),
                _ => Err(unexpected(&number, "a number")),
            };
        }
        self.next();
        match tok.kind {
            Kind::Number => Ok(Either::Bits(Bits::Number(value(&tok)?))),
            Kind::Word => Ok(Either::Bits(match self.constants.get(&tok.text) {
                Some(value) => Bits::Number(*value),
                None => Bits::Argument(tok),
            })),
            _ => Err(unexpected(&tok, "an argument, a number or `(`")),
        }
    }
}

fn relation(tok: &Tok) -> Option<Relation> {
    if tok.kind != Kind::Mark {
        return None;
    }
    Some(match tok.text.as_str() {
        "==" => Relation::Eq,
        "!=" => Relation::Ne,
        "<" => Relation::Lt,
        "<=" => Relation::Le,
        ">" => Relation::Gt,
        ">=" => Relation::Ge,
        _ => return None,
    })
}

/// An argument: which register, and whether Kafel gives it 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) index: u8,
    pub(super) wide: bool,
}

/// `register & mask | set`; the bits of `set` are not in `mask`.
#[derive(Clone, Copy, Debug)]
struct Masked {
    argument: Option<Argument>,
    mask: u64,
    set: u64,
    /// Whether 64 bits are compared
    wide: bool,
}

/// What a condition comes to.
#[derive(Clone, Debug)]
pub(super) enum Folded {
    Known(bool),
    Cond(Cond),
}

/// What a condition means; `find` gives the register of a name.
pub(super) fn fold(logic: &Logic, find: &dyn Fn(&Tok) -> Parsed<Argument>) -> Parsed<Folded> {
    match logic {
        Logic::Not(inner) => Ok(match fold(inner, find)? {
            Folded::Known(known) => Folded::Known(!known),
            Folded::Cond(cond) => Folded::Cond(Cond::Not(Box::new(cond))),
        }),
        Logic::All(parts) => join(parts, find, false),
        Logic::Any(parts) => join(parts, find, true),
        Logic::Compare(relation, left, right, tok) => {
            let (left, right) = (masked(left, find)?, masked(right, find)?);
            compare(*relation, left, right, tok)
        }
    }
}

/// All of the parts, or any: `decisive` is the truth of one part that settles the whole.
fn join(parts: &[Logic], find: &dyn Fn(&Tok) -> Parsed<Argument>, decisive: bool) -> Parsed<Folded> {
    let mut conds = Vec::new();
    let mut settled = false;
    for part in parts {
        match fold(part, find)? {
            Folded::Known(known) => settled |= known == decisive,
            Folded::Cond(cond) => conds.push(cond),
        }
    }
    Ok(match conds.len() {
        _ if settled => Folded::Known(decisive),
        0 => Folded::Known(!decisive),
        _ if decisive => Folded::Cond(Cond::Either(conds)),
        _ => Folded::Cond(Cond::All(conds)),
    })
}

fn masked(bits: &Bits, find: &dyn Fn(&Tok) -> Parsed<Argument>) -> Parsed<Masked> {
    match bits {
        Bits::Number(number) => Ok(constant(*number)),
        Bits::Argument(tok) => {
            let argument = find(tok)?;
            Ok(Masked {
                argument: Some(argument),
                mask: u64::MAX,
                set: 0,
                wide: argument.wide,
            })
        }
        Bits::And(left, right, tok) => {
            let (a, b) = (masked(left, find)?, masked(right, find)?);
            let mask = (a.mask & b.mask) | (a.mask & b.set) | (b.mask & a.set);
            combined(a, b, mask, a.set & b.set, tok)
        }
        Bits::Or(left, right, tok) => {
            let (a, b) = (masked(left, find)?, masked(right, find)?);
            let set = a.set | b.set;
            combined(a, b, (a.mask | b.mask) & !set, set, tok)
        }
    }
}

fn constant(set: u64) -> Masked {
    Masked {
        argument: None,
        mask: 0,
        set,
        wide: set > u64::from(u32::MAX),
    }
}

fn combined(a: Masked, b: Masked, mask: u64, set: u64, tok: &Tok) -> Parsed<Masked> {
    let argument = match (a.argument, b.argument) {
        (Some(a), Some(b)) if a != b => return Err(two_arguments(tok)),
        (a, b) => a.or(b),
    };
    // Kafel computes with numbers before it looks at widths, and drops what cannot matter.
    let number = |side: Masked, number: u64| side.argument.is_none() && side.set == number;
    let neutral = if tok.is("&") { u64::MAX } else { 0 };
    if argument.is_none() || number(a, !neutral) || number(b, !neutral) {
        return Ok(constant(set));
    }
    let wide = (a.wide && !number(a, neutral)) || (b.wide && !number(b, neutral));
    Ok(Masked {
        argument,
        mask,
        set,
        wide,
    })
}

fn two_arguments(tok: &Tok) -> callproof_policy::Problem {
    let problem = tok.problem("a condition on two arguments at once cannot be told as rules about each");
    problem.help("compare each argument with a number")
}

fn compare(relation: Relation, left: Masked, right: Masked, tok: &Tok) -> Parsed<Folded> {
    match (left.argument, right.argument) {
        // Kafel compares two numbers by their low halves.
        (None, None) => Ok(Folded::Known(holds(relation, low(left.set), low(right.set)))),
        (Some(argument), None) => Ok(against(relation, argument, left, right, tok)),
        (None, Some(argument)) => Ok(against(turned(relation), argument, right, left, tok)),
        (Some(a), Some(b)) if a == b && left.mask == u64::MAX && right.mask == u64::MAX => {
            Ok(Folded::Known(holds(relation, 0, 0)))
        }
        _ => Err(two_arguments(tok)),
    }
}

/// An argument against a number.
fn against(relation: Relation, argument: Argument, side: Masked, number: Masked, tok: &Tok) -> Folded {
    let wide = side.wide || number.wide;
    let cut = |bits: u64| if wide { bits } else { low(bits) };
    let (mask, set, number) = (cut(side.mask), cut(side.set), cut(number.set));
    // The set bits are in none of the mask's, so that they can be taken off both sides.
    let Some(rest) = number.checked_sub(set) else {
        return Folded::Known(holds(relation, 1, 0));
    };
    let view = if wide { View::Raw } else { View::Lo };
    let mask = (mask != cut(u64::MAX)).then_some(mask);
    Folded::Cond(test(argument.index, view, mask, relation, rest, tok.span))
}

fn holds(relation: Relation, left: u64, right: u64) -> bool {
    match relation {
        Relation::Eq => left == right,
        Relation::Ne => left != right,
        Relation::Lt => left < right,
        Relation::Le => left <= right,
        Relation::Gt => left > right,
        Relation::Ge => left >= right,
    }
}

/// The same with the sides exchanged.
const fn turned(relation: Relation) -> Relation {
    match relation {
        Relation::Lt => Relation::Gt,
        Relation::Le => Relation::Ge,
        Relation::Gt => Relation::Lt,
        Relation::Ge => Relation::Le,
        same => same,
    }
}

const fn low(bits: u64) -> u64 {
    bits & 0xffff_ffff
}

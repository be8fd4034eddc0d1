//! The tree of comparisons that libseccomp keeps for one call.
//!
//! A level is a list of tests of 32-bit words that are tried in order. A test that is met, or not met, leads to an
//! answer, to a further level, or to the next test of its own level; so does the end of a further level.

use callproof_policy::Span;
use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};

use crate::policy::build::{Arg, LOW, Test};

/// All rules with conditions for one call on one ABI.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    level: Vec<Node>,
}

/// A way through the tree to an answer.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    steps: Vec<(Word, bool)>,
    pub(super) value: u32,
}

/// Rules that contradict one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict;

/// A test of half a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    index: u8,
    high: bool,
    compare: Compare,
    mask: u64,
    datum: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Eq,
    Masked,
    Gt,
    Ge,
}

#[derive(Clone, Debug)]
struct Node {
    word: Word,
    /// Rank among the operators of the rule, for the order of a level
    rank: u8,
    /// Whether greater data come later in a level
    falling: bool,
    full: u64,
    yes: Next,
    no: Next,
}

/// Where a test leads.
#[derive(Clone, Debug, Default)]
struct Next {
    answer: Option<u32>,
    level: Vec<Node>,
}

impl Tree {
    /// Adds a rule.
    ///
    /// # Errors
    /// When the library would refuse it beside those that are there.
    pub(super) fn add(&mut self, args: &[Arg], value: u32, bits: u32) -> Result<(), Conflict> {
        let mut args = args.to_vec();
        args.sort_by_key(|arg| arg.index);
        let mut next = Next {
            answer: Some(value),
            level: Vec::new(),
        };
        for arg in args.iter().rev() {
            next = if bits == 32 {
                half(*arg, next)
            } else {
                whole(*arg, next)
            };
        }
        next.level.into_iter().try_for_each(|node| merge(&mut self.level, node))
    }

    /// Every way to an answer, in the order in which they are tried.
    pub(super) fn branches(&self) -> Vec<Branch> {
        let mut branches = Vec::new();
        walk(&self.level, &mut Vec::new(), &mut branches);
        branches
    }
}

fn walk(level: &[Node], steps: &mut Vec<(Word, bool)>, branches: &mut Vec<Branch>) {
    for node in level {
        for (met, next) in [(true, &node.yes), (false, &node.no)] {
            steps.push((node.word, met));
            if !next.level.is_empty() {
                walk(&next.level, steps, branches);
            } else if let Some(value) = next.answer {
                let steps = steps.clone();
                branches.push(Branch { steps, value });
            }
            steps.pop();
        }
    }
}

impl Branch {
    pub(super) fn conds(&self) -> Vec<(u8, Cond)> {
        let cond = |(word, met): &(Word, bool)| (word.index, word.cond(*met));
        self.steps.iter().map(cond).collect()
    }
}

impl Word {
    fn cond(self, met: bool) -> Cond {
        let number = |value: u64| Value::Number(i128::from(value));
        let check = match (self.compare, met) {
            (Compare::Eq, true) => Check::Compare(None, Relation::Eq, number(self.datum)),
            (Compare::Eq, false) => Check::Compare(None, Relation::Ne, number(self.datum)),
            (Compare::Masked, true) => Check::Compare(Some(number(self.mask)), Relation::Eq, number(self.datum)),
            (Compare::Masked, false) => Check::Compare(Some(number(self.mask)), Relation::Ne, number(self.datum)),
            (Compare::Gt, true) => Check::Compare(None, Relation::Gt, number(self.datum)),
            (Compare::Gt, false) => Check::Compare(None, Relation::Le, number(self.datum)),
            (Compare::Ge, true) => Check::Compare(None, Relation::Ge, number(self.datum)),
            (Compare::Ge, false) => Check::Compare(None, Relation::Lt, number(self.datum)),
        };
        Cond::Test(ArgTest {
            subject: Subject::Here,
            view: if self.high { View::Hi } else { View::Lo },
            check,
            span: Span::default(),
        })
    }
}

impl Node {
    fn new(arg: Arg, high: bool, compare: Compare, mask: u64, datum: u64) -> Self {
        let part = |value: u64| if high { value >> 32 } else { value & LOW };
        let (rank, falling) = match arg.test {
            Test::Lt(_) | Test::Le(_) => (2, true),
            Test::Gt(_) | Test::Ge(_) => (1, false),
            Test::Eq(_) | Test::Ne(_) | Test::Masked(..) | Test::Any(_) => (3, false),
        };
        let word = Word {
            index: arg.index,
            high,
            compare,
            mask: part(mask),
            datum: part(datum) & part(mask),
        };
        Self {
            word,
            rank,
            falling,
            full: datum,
            yes: Next::default(),
            no: Next::default(),
        }
    }

    fn yes(mut self, next: Next) -> Self {
        self.yes = next;
        self
    }

    fn no(mut self, next: Next) -> Self {
        self.no = next;
        self
    }

    fn leaf(&self) -> bool {
        self.yes.level.is_empty() && self.no.level.is_empty()
    }

    /// Whether this test comes after another in a level.
    fn before(&self, other: &Self) -> bool {
        let place = |node: &Self| (node.word.index, node.word.high, node.rank);
        let (a, b) = (place(self), place(other));
        if a != b {
            return a < b;
        }
        if self.falling {
            self.word.datum > other.word.datum
        } else {
            self.word.datum < other.word.datum
        }
    }
}

impl Next {
    fn level(node: Node) -> Self {
        Self {
            answer: None,
            level: vec![node],
        }
    }
}

/// The tests for a rule's condition where words have 64 bits.
fn whole(arg: Arg, next: Next) -> Next {
    let node = |high, compare, mask, datum| Node::new(arg, high, compare, mask, datum);
    let (ge, gt) = (Compare::Ge, Compare::Gt);
    let above = |compare, datum, next: Next| {
        let low = node(false, compare, u64::MAX, datum).yes(next.clone());
        let equal = node(true, Compare::Eq, u64::MAX, datum).yes(Next::level(low));
        node(true, gt, u64::MAX, datum).yes(next).no(Next::level(equal))
    };
    let below = |compare, datum, next: Next| {
        let low = node(false, compare, u64::MAX, datum).no(next.clone());
        let equal = node(true, Compare::Eq, u64::MAX, datum).yes(Next::level(low)).no(next);
        node(true, gt, u64::MAX, datum).no(Next::level(equal))
    };
    Next::level(match arg.test {
        Test::Gt(datum) => above(gt, datum, next),
        Test::Ge(datum) => above(ge, datum, next),
        Test::Le(datum) => below(gt, datum, next),
        Test::Lt(datum) => below(ge, datum, next),
        Test::Eq(datum) => {
            let low = node(false, Compare::Eq, u64::MAX, datum).yes(next);
            node(true, Compare::Eq, u64::MAX, datum).yes(Next::level(low))
        }
        Test::Ne(datum) => {
            let low = node(false, Compare::Eq, u64::MAX, datum).no(next.clone());
            node(true, Compare::Eq, u64::MAX, datum).yes(Next::level(low)).no(next)
        }
        Test::Masked(0, _) => return next,
        Test::Masked(mask, datum) => {
            let low = node(false, Compare::Masked, mask, datum).yes(next);
            node(true, Compare::Masked, mask, datum).yes(Next::level(low))
        }
        // The library has no such operator, and its users write no such rule.
        Test::Any(_) => return next,
    })
}

/// The test for a rule's condition where words have 32 bits.
fn half(arg: Arg, next: Next) -> Next {
    let node = |compare, mask, datum| Node::new(arg, false, compare, mask, datum);
    Next::level(match arg.test {
        Test::Gt(datum) => node(Compare::Gt, u64::MAX, datum).yes(next),
        Test::Ge(datum) => node(Compare::Ge, u64::MAX, datum).yes(next),
        Test::Le(datum) => node(Compare::Gt, u64::MAX, datum).no(next),
        Test::Lt(datum) => node(Compare::Ge, u64::MAX, datum).no(next),
        Test::Eq(datum) => node(Compare::Eq, u64::MAX, datum).yes(next),
        Test::Ne(datum) => node(Compare::Eq, u64::MAX, datum).no(next),
        Test::Masked(mask, _) if mask & LOW == 0 => return next,
        Test::Masked(mask, datum) => node(Compare::Masked, mask, datum).yes(next),
        Test::Any(_) => return next,
    })
}

/// Adds a test and what hangs on it to a level.
fn merge(level: &mut Vec<Node>, new: Node) -> Result<(), Conflict> {
    for (place, old) in level.iter_mut().enumerate() {
        if old.word == new.word {
            return join(old, new);
        }
        if old.before(&new) {
            level.insert(place, new);
            return Ok(());
        }
    }
    level.push(new);
    Ok(())
}

/// Adds what hangs on a test to what hangs on the same test.
fn join(old: &mut Node, new: Node) -> Result<(), Conflict> {
    let leaf = old.leaf() || new.leaf();
    if let (Some(a), Some(b)) = (old.yes.answer, new.yes.answer)
        && a != b
    {
        if new.word.high && new.full > old.full {
            old.yes.answer = Some(b);
        }
        if leaf {
            return Err(Conflict);
        }
    }
    if let (Some(a), Some(b)) = (old.no.answer, new.no.answer)
        && a != b
        && leaf
    {
        return Err(Conflict);
    }
    graft(&mut old.yes, new.yes)?;
    graft(&mut old.no, new.no)
}

/// Adds where a test leads to where the same test leads.
fn graft(old: &mut Next, new: Next) -> Result<(), Conflict> {
    if let Some(answer) = new.answer
        && old.answer.is_none()
    {
        if !old.level.iter().all(|node| uniform(node, answer)) {
            return Err(Conflict);
        }
        old.level.clear();
        old.answer = Some(answer);
    }
    if old.answer.is_some() {
        // What is there already covers all that is added.
        return Ok(());
    }
    new.level.into_iter().try_for_each(|node| merge(&mut old.level, node))
}

/// Whether everything below a test has one answer.
fn uniform(node: &Node, answer: u32) -> bool {
    [&node.yes, &node.no].into_iter().all(|next| {
        next.answer.is_none_or(|other| other == answer) && next.level.iter().all(|node| uniform(node, answer))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Word {
        fn met(self, args: [u64; 3]) -> bool {
            let register = args[usize::from(self.index)];
            let word = if self.high { register >> 32 } else { register & LOW };
            match self.compare {
                Compare::Eq => word == self.datum,
                Compare::Masked => word & self.mask == self.datum,
                Compare::Gt => word > self.datum,
                Compare::Ge => word >= self.datum,
            }
        }
    }

    fn of_tree(tree: &Tree, args: [u64; 3]) -> Option<u32> {
        let taken = |branch: &Branch| branch.steps.iter().all(|(word, met)| word.met(args) == *met);
        tree.branches().into_iter().find(taken).map(|branch| branch.value)
    }

    fn holds(arg: &Arg, args: [u64; 3], bits: u32) -> bool {
        let cut = |value: u64| if bits == 32 { value & LOW } else { value };
        let register = cut(args[usize::from(arg.index)]);
        match arg.test {
            Test::Eq(value) => register == cut(value),
            Test::Ne(value) => register != cut(value),
            Test::Lt(value) => register < cut(value),
            Test::Le(value) => register <= cut(value),
            Test::Gt(value) => register > cut(value),
            Test::Ge(value) => register >= cut(value),
            Test::Masked(mask, value) => register & cut(mask) == cut(value & mask),
            Test::Any(mask) => register & cut(mask) != 0,
        }
    }

    const VALUES: [u64; 6] = [0, 1, 2, 0x1_0000_0000, 0x1_0000_0001, u64::MAX];

    fn test() -> impl Strategy<Value = Test> {
        let value = || prop::sample::select(&VALUES);
        prop_oneof![
            value().prop_map(Test::Eq),
            value().prop_map(Test::Ne),
            value().prop_map(Test::Lt),
            value().prop_map(Test::Le),
            value().prop_map(Test::Gt),
            value().prop_map(Test::Ge),
            (prop::sample::select(&[1_u64, 3, LOW, u64::MAX]), value())
                .prop_map(|(mask, value)| Test::Masked(mask, value)),
        ]
    }

    fn rule() -> impl Strategy<Value = Vec<Arg>> {
        let arg = |index| prop::option::of(test().prop_map(move |test| Arg { index, test }));
        let args = (arg(0), arg(1), arg(2)).prop_map(|(a, b, c)| a.into_iter().chain(b).chain(c).collect::<Vec<_>>());
        args.prop_filter("a rule in a tree has conditions", |args| !args.is_empty())
    }

    proptest! {
        /// A call gets the answer of a rule that it meets, and none when it meets none.
        #[test]
        fn the_tree_knows_the_rules(
            rules in prop::collection::vec((rule(), 1..3_u32), 1..5),
            calls in prop::collection::vec([prop::sample::select(&VALUES), prop::sample::select(&VALUES), prop::sample::select(&VALUES)], 20),
            bits in prop::sample::select(&[32_u32, 64]),
        ) {
            let mut tree = Tree::default();
            if rules.iter().any(|(args, value)| tree.add(args, *value, bits).is_err()) {
                return Ok(());
            }
            for call in calls {
                let met: Vec<u32> = rules
                    .iter()
                    .filter(|(args, _)| args.iter().all(|arg| holds(arg, call, bits)))
                    .map(|(_, value)| *value)
                    .collect();
                match of_tree(&tree, call) {
                    Some(value) => prop_assert!(met.contains(&value), "{call:x?} {rules:x?}"),
                    None => prop_assert!(met.is_empty(), "{call:x?} {rules:x?}"),
                }
            }
        }
    }
}

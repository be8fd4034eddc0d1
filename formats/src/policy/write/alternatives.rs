//! Conditions as alternatives: at least one list of tests must hold as a whole.

use callproof_policy::Formula;

/// How many tests the alternatives of one condition can have together.
const MOST: usize = 1 << 12;

/// Why a condition cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsayable {
    /// It comes to too many tests
    Long,
    /// The format has no words for a test
    Test(&'static str),
}

impl Unsayable {
    /// What is wrong, to go behind the name of a rule.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Long => format!("its condition comes to more than {MOST} tests when it is written as alternatives"),
            Self::Test(what) => (*what).to_owned(),
        }
    }

    /// What to do about it.
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::Long => "split the rule, or take it apart into rules that come one after the other",
            Self::Test(_) => "write the rule for whole registers (`raw:`), or choose another format",
        }
    }
}

/// Lists of tests, of which one must hold as a whole.
pub(super) type Alternatives<T> = Vec<Vec<T>>;

/// The alternatives of a formula. `say` gives those of one test, or of its opposite when the flag is false.
pub(super) fn alternatives<A, T: Clone + PartialEq>(
    formula: &Formula<A>,
    say: &impl Fn(&A, bool) -> Result<Alternatives<T>, Unsayable>,
) -> Result<Alternatives<T>, Unsayable> {
    signed(formula, true, say)
}

fn signed<A, T: Clone + PartialEq>(
    formula: &Formula<A>,
    holds: bool,
    say: &impl Fn(&A, bool) -> Result<Alternatives<T>, Unsayable>,
) -> Result<Alternatives<T>, Unsayable> {
    match formula {
        Formula::Atom(test) => say(test, holds),
        Formula::Not(inner) => signed(inner, !holds, say),
        Formula::All(parts) if holds => every(parts, holds, say),
        Formula::Any(parts) if !holds => every(parts, holds, say),
        Formula::All(parts) | Formula::Any(parts) => {
            let mut found: Alternatives<T> = Vec::new();
            for part in parts {
                for list in signed(part, holds, say)? {
                    // An alternative that asks for less makes one that asks for more needless.
                    if !found.iter().any(|known| includes(&list, known)) {
                        found.retain(|known| !includes(known, &list));
                        found.push(list);
                    }
                }
                bounded(&found)?;
            }
            Ok(found)
        }
    }
}

/// All of the parts: one alternative of each, in every combination.
fn every<A, T: Clone + PartialEq>(
    parts: &[Formula<A>],
    holds: bool,
    say: &impl Fn(&A, bool) -> Result<Alternatives<T>, Unsayable>,
) -> Result<Alternatives<T>, Unsayable> {
    let mut found: Alternatives<T> = vec![Vec::new()];
    for part in parts {
        let lists = signed(part, holds, say)?;
        let mut joined = Vec::new();
        for (left, right) in found
            .iter()
            .flat_map(|left| lists.iter().map(move |right| (left, right)))
        {
            let new = right.iter().filter(|test| !left.contains(test));
            joined.push(left.iter().chain(new).cloned().collect::<Vec<T>>());
            if joined.len() > MOST {
                return Err(Unsayable::Long);
            }
        }
        bounded(&joined)?;
        found = joined;
    }
    Ok(found)
}

fn includes<T: PartialEq>(list: &[T], part: &[T]) -> bool {
    part.iter().all(|test| list.contains(test))
}

fn bounded<T>(lists: &[Vec<T>]) -> Result<(), Unsayable> {
    let tests: usize = lists.iter().map(Vec::len).sum();
    if tests > MOST { Err(Unsayable::Long) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type F = Formula<u8>;

    fn lists(formula: &F) -> Result<Alternatives<(u8, bool)>, Unsayable> {
        alternatives(formula, &|test, holds| Ok(vec![vec![(*test, holds)]]))
    }

    /// A formula of the bits of a byte, as deep as asked for.
    fn formula(state: &mut u64, depth: u32) -> F {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let choice = *state >> 33;
        let parts = |state: &mut u64| (0..choice % 4).map(|_| formula(state, depth - 1)).collect();
        match choice % 7 {
            0 | 1 if depth > 0 => F::All(parts(state)),
            2 | 3 if depth > 0 => F::Any(parts(state)),
            4 if depth > 0 => F::Not(Box::new(formula(state, depth - 1))),
            _ => F::Atom(u8::try_from(choice % 8).unwrap()),
        }
    }

    #[test]
    fn alternatives_hold_where_the_formula_does() {
        let mut state = 1;
        for _ in 0..3000 {
            let formula = formula(&mut state, 4);
            let Ok(lists) = lists(&formula) else { continue };
            for byte in 0..=255_u8 {
                let bit = |bit: &u8| byte >> bit & 1 == 1;
                let one = lists
                    .iter()
                    .any(|list| list.iter().all(|(test, holds)| bit(test) == *holds));
                assert_eq!(one, formula.holds(&bit), "{formula:?} {byte:b} {lists:?}");
            }
        }
    }

    #[test]
    fn too_many_are_refused() {
        let pair = |n: u8| F::Any(vec![F::Atom(n), F::Atom(n + 100)]);
        let many = F::All((0..40).map(pair).collect());
        assert_eq!(lists(&many), Err(Unsayable::Long));
        assert_eq!(lists(&F::TRUE), Ok(vec![Vec::new()]));
        assert_eq!(lists(&F::FALSE), Ok(Vec::new()));
    }
}

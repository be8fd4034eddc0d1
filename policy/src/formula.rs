//! Boolean combinations of tests, whatever the tests are.

/// A boolean combination of atoms.
///
/// Two kinds exist: a [`Condition`](crate::Condition) tests the 64-bit fields of a call, a
/// [`Region`](crate::Region) tests the 32-bit words that a filter loads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Formula<A> {
    /// One test
    Atom(A),
    /// True when the inner formula is not
    Not(Box<Self>),
    /// True when every one is; an empty list is true
    All(Vec<Self>),
    /// True when at least one is; an empty list is false
    Any(Vec<Self>),
}

impl<A> Formula<A> {
    /// True for every call.
    pub const TRUE: Self = Self::All(Vec::new());
    /// True for no call.
    pub const FALSE: Self = Self::Any(Vec::new());

    /// Whether this is literally [`TRUE`](Self::TRUE). A formula can hold everywhere without being it.
    #[must_use]
    pub const fn is_true(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }

    /// Whether this is literally [`FALSE`](Self::FALSE). A formula can hold nowhere without being it.
    #[must_use]
    pub const fn is_false(&self) -> bool {
        matches!(self, Self::Any(parts) if parts.is_empty())
    }

    /// The conjunction, with constants folded and nested conjunctions flattened.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::All(inner) => flat.extend(inner),
                part if part.is_false() => return Self::FALSE,
                part => flat.push(part),
            }
        }
        Self::single(flat).unwrap_or_else(Self::All)
    }

    /// The disjunction, with constants folded and nested disjunctions flattened.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Any(inner) => flat.extend(inner),
                part if part.is_true() => return Self::TRUE,
                part => flat.push(part),
            }
        }
        Self::single(flat).unwrap_or_else(Self::Any)
    }

    /// The one element of a list of one, else the list back.
    fn single(mut parts: Vec<Self>) -> Result<Self, Vec<Self>> {
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            Some(last) => {
                parts.push(last);
                Err(parts)
            }
            None => Err(parts),
        }
    }

    /// The formula that holds exactly where this one does not; a double negation cancels.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::All(parts) if parts.is_empty() => Self::FALSE,
            Self::Any(parts) if parts.is_empty() => Self::TRUE,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The truth of the formula, given that of its atoms.
    pub fn holds(&self, atom: &impl Fn(&A) -> bool) -> bool {
        match self {
            Self::Atom(test) => atom(test),
            Self::Not(inner) => !inner.holds(atom),
            Self::All(parts) => parts.iter().all(|part| part.holds(atom)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(atom)),
        }
    }

    /// The same combination of what each atom becomes.
    pub fn map<B>(&self, atom: &impl Fn(&A) -> Formula<B>) -> Formula<B> {
        match self {
            Self::Atom(test) => atom(test),
            Self::Not(inner) => inner.map(atom).negated(),
            Self::All(parts) => Formula::all(parts.iter().map(|part| part.map(atom))),
            Self::Any(parts) => Formula::any(parts.iter().map(|part| part.map(atom))),
        }
    }

    /// How many atoms it has, repetitions counted.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Atom(_) => 1,
            Self::Not(inner) => inner.size(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type F = Formula<u8>;

    fn holds(formula: &F, truth: u8) -> bool {
        formula.holds(&|atom| truth & atom != 0)
    }

    #[test]
    fn constants_fold() {
        assert!(F::all([F::TRUE, F::TRUE]).is_true());
        assert!(F::all([F::Atom(1), F::FALSE]).is_false());
        assert!(F::any([F::FALSE, F::FALSE]).is_false());
        assert!(F::any([F::Atom(1), F::TRUE]).is_true());
        assert_eq!(F::all([F::TRUE, F::Atom(1)]), F::Atom(1));
        assert_eq!(F::TRUE.negated(), F::FALSE);
        assert_eq!(F::Atom(1).negated().negated(), F::Atom(1));
    }

    #[test]
    fn truth_is_that_of_the_parts() {
        let formula = F::any([F::all([F::Atom(1), F::Atom(2).negated()]), F::Atom(4)]);
        for truth in 0..8 {
            assert_eq!(holds(&formula, truth), (truth & 3 == 1) || truth & 4 != 0, "{truth:b}");
        }
        assert_eq!(formula.size(), 3);
    }
}

//! The exact function of a chain of filters.

use callproof_vm::{Kernel, SeccompData, combine};

use crate::diagram::{Arena, Bits, Build, Diagram, Leaves, Plan, Ref, Words, above, boolean};
use crate::fault::{Fault, planted};
use crate::graph::{Edge, Graph, Kind, NodeId};
use crate::limits::{Limit, Undecided};
use crate::space::Space;
use crate::subject::Subject;
use crate::value::Value;
use crate::view::{View, signed};

/// What a chain answers to every call. Two functions of one space and view are equal when they are the same function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub(crate) form: Form,
    view: View,
}

/// How a function is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One diagram whose leaves are the values
    Whole(Ref),
    /// One boolean function for each bit of the value, for filters that return more values than one can list
    Bits(Box<Bits>),
}

impl Function {
    /// What about the values is told apart.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }
}

impl Space {
    /// The exact function of a chain.
    ///
    /// ```
    /// use callproof_verifier::{Limits, Space, Subject, View};
    /// use callproof_vm::{Filter, Insn, Machine};
    ///
    /// let one = [Filter::load(vec![Insn::stmt(0x20, 0), Insn::jump(0x15, 59, 0, 1), Insn::stmt(0x06, 0x50001), Insn::stmt(0x06, 0x7fff0000)])?];
    /// let same = [Filter::load(vec![Insn::stmt(0x20, 0), Insn::stmt(0x14, 59), Insn::jump(0x35, 1, 0, 1), Insn::stmt(0x06, 0x7fff0000), Insn::stmt(0x06, 0x50001)])?];
    /// let (machine, limits) = (Machine::default(), Limits::default());
    /// let one = Subject::new(&one, machine, &limits)?;
    /// let same = Subject::new(&same, machine, &limits)?;
    /// let mut space = Space::new(machine, &[&one, &same], &limits);
    /// assert_eq!(space.function(&one, View::Value)?, space.function(&same, View::Value)?);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Undecided`] when a limit is reached.
    pub fn function(&mut self, subject: &Subject<'_>, view: View) -> Result<Function, Undecided> {
        let form = match self.whole(subject, view) {
            Ok(root) => Form::Whole(root),
            Err(Undecided {
                limit: Limit::Values, ..
            }) => Form::Bits(Box::new(Slices::of_chain(&mut self.arena, subject)?)),
            Err(undecided) => return Err(undecided),
        };
        Ok(Function { form, view })
    }

    fn whole(&mut self, subject: &Subject<'_>, view: View) -> Result<Ref, Undecided> {
        let kernel = subject.machine().kernel;
        let nothing = view.stand_in(0x7fff_0000, kernel);
        let mut combined: Option<Ref> = None;
        // Newest first, as the kernel does it.
        for graph in subject.graphs().iter().rev() {
            let older = whole_filter(&mut self.arena, graph, view, kernel)?;
            combined = Some(match combined {
                None => older,
                Some(newer) => {
                    let mut both = |newer, older| {
                        if planted(Fault::OldestWinsTies) {
                            return combine([(0, older), (1, newer)], kernel).value;
                        }
                        combine([(1, newer), (0, older)], kernel).value
                    };
                    let op = self.arena.own_op();
                    self.arena.apply(op, newer, older, &mut both)?
                }
            });
        }
        combined.map_or_else(|| self.arena.constant(nothing), Ok)
    }

    /// The value of a function for a call.
    #[must_use]
    pub fn value(&self, function: &Function, call: &SeccompData) -> u32 {
        let words = call.words(self.machine().endian);
        match &function.form {
            Form::Whole(root) => self.arena.evaluate(*root, &words),
            Form::Bits(bits) => (0_u32..).zip(bits.iter()).fold(0, |value, (place, bit)| {
                value | self.arena.evaluate(*bit, &words) << (place & 31)
            }),
        }
    }

    /// Every value that a function has for some call, in no order; `None` when they are too many to be listed.
    #[must_use]
    pub fn values(&self, function: &Function) -> Option<Vec<u32>> {
        match &function.form {
            Form::Whole(root) => Some(self.arena.leaves(*root)),
            Form::Bits(_) => None,
        }
    }

    /// Number of nodes of one function.
    #[must_use]
    pub fn size(&self, function: &Function) -> usize {
        match &function.form {
            Form::Whole(root) => self.arena.reachable([*root]).len(),
            Form::Bits(bits) => self.arena.reachable(**bits).len(),
        }
    }
}

/// One filter as one diagram.
fn whole_filter(arena: &mut Arena, graph: &Graph, view: View, kernel: Kernel) -> Result<Ref, Undecided> {
    let plan = Plan::new(graph);
    let build = whole_build(arena, &plan, view, kernel)?;
    Ok(at_root(graph, build.known()))
}

/// The functions of a filter's nodes.
pub(crate) fn whole_build<'p, 'g>(
    arena: &mut Arena,
    plan: &'p Plan<'g>,
    view: View,
    kernel: Kernel,
) -> Result<Build<'p, 'g, Arena>, Undecided> {
    let graph = plan.graph;
    let mut build = Build::new(arena, plan);
    let mut last = (0, arena.constant(view.stand_in(0, kernel))?);
    let mut words = None;
    for (id, value) in returns(graph) {
        let leaf = match value {
            Value::Const(value) if value == last.0 => last.1,
            Value::Const(value) => {
                last = (value, arena.constant(view.stand_in(value, kernel))?);
                last.1
            }
            _ => {
                let words = words.get_or_insert_with(|| Words::new(graph));
                let bits = words.bits(arena, value)?;
                computed(arena, &bits, view, kernel)?
            }
        };
        build.set(id, leaf);
    }
    build.all(arena, &mut Straight)?;
    Ok(build)
}

/// The nodes that return, and what.
pub(crate) fn returns(graph: &Graph) -> impl Iterator<Item = (NodeId, Value)> + '_ {
    (0_u32..)
        .zip(graph.nodes())
        .filter_map(|(number, node)| match node.kind {
            Kind::Return(value) => Some((NodeId(number), value)),
            Kind::Test { .. } => None,
        })
}

/// The function where a filter starts.
pub(crate) fn at_root<E: Copy + Default>(graph: &Graph, known: &[E]) -> E {
    known.get(graph.root().to.index()).copied().unwrap_or_default()
}

/// An edge is worth what its end is worth.
pub(crate) struct Straight;

impl<D: Diagram> Leaves<D> for Straight {
    #[inline]
    fn edge(
        &mut self,
        diagram: &mut D,
        _: NodeId,
        _: bool,
        edge: Edge,
        known: &[D::Edge],
    ) -> Result<D::Edge, Undecided> {
        let end = known.get(edge.to.index()).copied().unwrap_or_else(|| diagram.zero());
        Ok(diagram.plus(end, edge.steps))
    }
}

/// A value that is computed from the input, as seen in a view.
fn computed(arena: &mut Arena, bits: &Bits, view: View, kernel: Kernel) -> Result<Ref, Undecided> {
    if view == View::Value {
        return listed(arena, bits, kernel);
    }
    let rank = rank(arena, bits, kernel)?;
    let mut result = Ref::FALSE;
    for (from, stand_in) in view.steps(kernel) {
        let leaf = arena.constant(stand_in)?;
        let start: [Ref; 16] = core::array::from_fn(|place| boolean(from >> place & 1 == 1));
        let before = above(arena, &start, &rank)?;
        result = arena.choose(before, result, leaf)?;
    }
    Ok(result)
}

/// A computed value as a diagram with one leaf for each value, as long as those are few.
fn listed(arena: &mut Arena, bits: &Bits, kernel: Kernel) -> Result<Ref, Undecided> {
    let most = arena.limits().values as usize;
    let mut result = arena.constant(0)?;
    for (place, bit) in (0_u32..).zip(bits) {
        let op = arena.own_op();
        let with = arena.map(op, result, &mut |value| value | 1 << (place & 31))?;
        result = arena.choose(*bit, with, result)?;
        if arena.leaves(result).len() > most {
            return Err(arena.meter().stop(Limit::Values));
        }
    }
    let op = arena.own_op();
    arena.map(op, result, &mut |value| View::Value.stand_in(value, kernel))
}

/// The bits of a value's severity, the least significant first.
pub(crate) fn rank(arena: &mut Arena, bits: &Bits, kernel: Kernel) -> Result<[Ref; 16], Undecided> {
    let mut rank = [Ref::FALSE; 16];
    for (bit, of_value) in rank.iter_mut().zip(bits.iter().skip(16)) {
        *bit = *of_value;
    }
    if let Some(top) = rank.last_mut() {
        *top = if signed(kernel) { arena.not(*top)? } else { Ref::FALSE };
    }
    Ok(rank)
}

/// Chains as one boolean function for each bit of the value.
struct Slices;

const ALLOW: u32 = 0x7fff_0000;

impl Slices {
    fn of_chain(arena: &mut Arena, subject: &Subject<'_>) -> Result<Bits, Undecided> {
        let kernel = subject.machine().kernel;
        // A value as severe as ALLOW is not less than the bare ALLOW that the kernel starts with: so its data is lost.
        let mut best: Bits = core::array::from_fn(|place| boolean(ALLOW >> place & 1 == 1));
        for graph in subject.graphs().iter().rev() {
            let older = Self::of_filter(arena, graph)?;
            let (rank_older, rank_best) = (rank(arena, &older, kernel)?, rank(arena, &best, kernel)?);
            let more_severe = above(arena, &rank_best, &rank_older)?;
            for (bit, older) in best.iter_mut().zip(older) {
                *bit = arena.choose(more_severe, older, *bit)?;
            }
        }
        Ok(best)
    }

    fn of_filter(arena: &mut Arena, graph: &Graph) -> Result<Bits, Undecided> {
        let plan = Plan::new(graph);
        let mut words = Words::new(graph);
        let values: Vec<(NodeId, Bits)> = returns(graph)
            .map(|(id, value)| Ok((id, words.bits(arena, value)?)))
            .collect::<Result<_, Undecided>>()?;
        let mut slices = [Ref::FALSE; 32];
        for (place, slice) in slices.iter_mut().enumerate() {
            let mut build = Build::new(arena, &plan);
            for (id, bits) in &values {
                build.set(*id, bits.get(place).copied().unwrap_or(Ref::FALSE));
            }
            build.all(arena, &mut Straight)?;
            *slice = at_root(graph, build.known());
        }
        Ok(slices)
    }
}

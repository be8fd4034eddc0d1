//! Instructions with labels, and what becomes of them.

use callproof_vm::Insn;

/// `ld [k]`
const LOAD: u16 = 0x20;
/// `and #k`
const AND: u16 = 0x54;
/// `and x`
const AND_X: u16 = 0x5c;
/// `ldx M[k]`
const LOAD_X: u16 = 0x61;
/// `ja k`
const JA: u16 = 0x05;
/// `ret #k`
const RET: u16 = 0x06;

/// How the accumulator is compared with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Equal,
    Above,
    WithBit,
}

impl Is {
    const fn code(self) -> u16 {
        match self {
            Self::Equal => 0x15,
            Self::Above => 0x25,
            Self::WithBit => 0x45,
        }
    }
}

/// A place to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

#[derive(Clone, Copy, Debug)]
enum Item {
    Plain(Insn),
    Branch {
        is: Is,
        k: u32,
        yes: Label,
        no: Label,
        /// Whether the way there is longer than a conditional jump
        far: bool,
    },
    Mark(Label),
}

/// Code from its beginning on.
#[derive(Debug, Default)]
pub(crate) struct Code {
    items: Vec<Item>,
    labels: usize,
    /// Whether long jumps are cut
    cuts_jumps: bool,
    /// Whether masks come from a cell that nothing wrote
    unset_mask: bool,
}

impl Code {
    pub(crate) fn new(cuts_jumps: bool, unset_mask: bool) -> Self {
        Self {
            cuts_jumps,
            unset_mask,
            ..Self::default()
        }
    }

    pub(crate) fn label(&mut self) -> Label {
        self.labels = self.labels.saturating_add(1);
        Label(self.labels)
    }

    pub(crate) fn mark(&mut self, label: Label) {
        self.items.push(Item::Mark(label));
    }

    /// Loads a word of `seccomp_data`.
    pub(crate) fn load(&mut self, word: u8) {
        self.plain(Insn::stmt(LOAD, u32::from(word) * 4));
    }

    pub(crate) fn and(&mut self, mask: u32) {
        if self.unset_mask {
            self.plain(Insn::stmt(LOAD_X, 0));
            self.plain(Insn::stmt(AND_X, 0));
        } else {
            self.plain(Insn::stmt(AND, mask));
        }
    }

    pub(crate) fn ret(&mut self, value: u32) {
        self.plain(Insn::stmt(RET, value));
    }

    pub(crate) fn branch(&mut self, is: Is, k: u32, yes: Label, no: Label) {
        let far = false;
        self.items.push(Item::Branch { is, k, yes, no, far });
    }

    fn plain(&mut self, insn: Insn) {
        self.items.push(Item::Plain(insn));
    }

    /// The program. Branches that lead too far get jumps of their own, until none does.
    pub(crate) fn finish(mut self) -> Vec<Insn> {
        while !self.cuts_jumps {
            let places = self.places();
            let mut grown = false;
            let mut at: usize = 0;
            for item in &mut self.items {
                if let Item::Branch { yes, no, far, .. } = item
                    && !*far
                {
                    let reached = |label: &Label| skip(&places, at, *label) <= 255;
                    *far = !(reached(yes) && reached(no));
                    grown |= *far;
                }
                at = at.saturating_add(length(item));
            }
            if !grown {
                break;
            }
        }
        self.written()
    }

    /// Where each label stands.
    fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.labels.saturating_add(1)];
        let mut at: usize = 0;
        for item in &self.items {
            if let Item::Mark(label) = item
                && let Some(place) = places.get_mut(label.0)
            {
                *place = at;
            }
            at = at.saturating_add(length(item));
        }
        places
    }

    fn written(&self) -> Vec<Insn> {
        let places = self.places();
        let mut program: Vec<Insn> = Vec::new();
        for item in &self.items {
            let at = program.len();
            match item {
                Item::Plain(insn) => program.push(*insn),
                Item::Mark(_) => {}
                Item::Branch { is, k, yes, no, far } => {
                    if *far {
                        program.push(Insn::jump(is.code(), *k, 0, 1));
                        program.push(jump(skip(&places, at.saturating_add(1), *yes)));
                        program.push(jump(skip(&places, at.saturating_add(2), *no)));
                    } else {
                        let [yes, no] = [yes, no].map(|label| low_byte(skip(&places, at, *label)));
                        program.push(Insn::jump(is.code(), *k, yes, no));
                    }
                }
            }
        }
        program
    }
}

fn jump(skip: usize) -> Insn {
    Insn::stmt(JA, u32::try_from(skip).unwrap_or(u32::MAX))
}

/// How many instructions lie between one and a label.
fn skip(places: &[usize], at: usize, label: Label) -> usize {
    let place = places.get(label.0).copied().unwrap_or_default();
    place.saturating_sub(at.saturating_add(1))
}

fn low_byte(skip: usize) -> u8 {
    u8::try_from(skip & 0xff).unwrap_or_default()
}

const fn length(item: &Item) -> usize {
    match item {
        Item::Plain(_) | Item::Branch { far: false, .. } => 1,
        Item::Branch { far: true, .. } => 3,
        Item::Mark(_) => 0,
    }
}

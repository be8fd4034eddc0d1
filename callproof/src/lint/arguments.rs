//! Rules about the bits of argument registers.

use callproof_abi::{Abi, Arg, Syscall};
use callproof_policy::kernel_reads;
use callproof_verifier::{Relation, Set, Shown, WordTest};
use callproof_vm::Endian;

use super::finding::{Finding, listed};
use super::lens::{Found, Lens, State};
use super::rules::Severity;

/// 64-bit arguments whose high half does nothing or is refused, so that it need not be compared. `kernel_clone` takes
/// `lower_32_bits(clone_flags)`, `ksys_unshare` and `do_mprotect_pkey` refuse unknown bits, `sys_32_personality` of mips
/// cuts its argument, and `do_mmap` looks at known bits (Linux 6.18: a flag of bit 32 changes nothing).
const NARROW: &[(&str, &str)] = &[
    ("clone", "clone_flags"),
    ("unshare", "unshare_flags"),
    ("mprotect", "prot"),
    ("pkey_mprotect", "prot"),
    ("mmap", "prot"),
    ("mmap", "flags"),
    ("personality", "personality"),
];

/// The most of an argument's low halves that may be permitted for a comparison with a list of values to be likely.
const FEW: f64 = 1.0 / 256.0;

/// Masks of the words in memory.
pub(super) type Free = [u32; 16];

/// `view-bypass`, `view-denies`
pub(super) fn views(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    let mut denying = Denying::default();
    for (call, calls) in decided_by_arguments(lens)? {
        let reads = kernel_reads(call.abi, Some(call));
        let endian = lens.order.of(call.abi.audit_arch());
        let mut free = [0; 16];
        for (argument, mask) in (0_u8..).zip(reads) {
            mark(&mut free, argument, !mask, endian);
        }
        let clean = clean(lens, calls, &free)?;
        let subject = format!("{} on {}", call.name, call.abi);
        let (clean_open, clean_denied) = (lens.open(clean)?, lens.denied(clean)?);
        let bypass = reachable(lens, clean_denied, &free)?;
        let open = lens.open(calls)?;
        let extended = extended(lens, call)?;
        let bypass = lens.session.space().and(bypass, open)?;
        // A list of what is permitted that has -1 with more bits than are read lets nothing else through.
        let bypass = lens.session.space().minus(bypass, extended)?;
        if !bypass.is_empty() {
            let message = format!(
                "`{}` on {} is denied, and permitted with other bits set that the kernel does not read",
                call.name, call.abi
            );
            let shown = twins(lens, bypass, clean_denied, &free)?;
            Finding::new("view-bypass", &*subject, message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
        let junk = reachable(lens, clean_open, &free)?;
        let denied = lens.denied(calls)?;
        let junk = lens.session.space().and(junk, denied)?;
        if !junk.is_empty() {
            denying.add(lens, call, junk, (clean_open, &free))?;
        }
    }
    denying.tell(lens, found)
}

/// Denials that only bits cause which the kernel does not read, by ABI. C extends signs, so that is likely to be met
/// with negative numbers; other values come with zeros above from every compiler.
#[derive(Default)]
struct Denying {
    list: Vec<(Abi, Severity, Vec<&'static str>, Vec<Shown>)>,
}

impl Denying {
    fn add(&mut self, lens: &mut Lens<'_>, call: Syscall, junk: Set, (clean, free): (Set, &Free)) -> Found<()> {
        let negative = sign_extended(lens, call, junk)?;
        let (severity, set) = if negative.is_empty() {
            (Severity::Info, junk)
        } else {
            (Severity::Warning, negative)
        };
        let known = self
            .list
            .iter_mut()
            .find(|(abi, of, ..)| (*abi, *of) == (call.abi, severity));
        if let Some((_, _, names, _)) = known {
            names.push(call.name);
            return Ok(());
        }
        let shown = twins(lens, set, clean, free)?;
        self.list.push((call.abi, severity, vec![call.name], shown));
        Ok(())
    }

    fn tell(self, lens: &Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
        for (abi, severity, names, shown) in self.list {
            let how = if severity == Severity::Info {
                "anything above the bits that the kernel reads"
            } else {
                "a negative number, sign-extended as C does"
            };
            let message = format!("on {abi} permitted, and denied with {how}: {}", listed(&names));
            Finding::new("view-denies", format!("{} on {abi}", names.join(", ")), message)
                .severity(severity)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
        Ok(())
    }
}

/// The calls in which one argument has a sign that is extended beyond the bits that are read: to 32 bits, whatever is
/// above, or to 64.
fn extended(lens: &mut Lens<'_>, call: Syscall) -> Found<Set> {
    let mut all = Set::EMPTY;
    for (argument, arg) in arguments(call) {
        let bits = arg.width(call.abi).bits;
        for upper in [32, 64] {
            if bits == 0 || bits >= upper {
                continue;
            }
            let ones = u64::MAX.checked_shr(64_u32.saturating_sub(upper)).unwrap_or(u64::MAX);
            let above = u64::MAX << bits.saturating_sub(1) & ones;
            let own = with_bits(lens, (call.abi, argument), above, above)?;
            all = lens.session.space().or(all, own)?;
        }
    }
    Ok(all)
}

/// Those of the calls with a signed 32-bit argument that is negative and extended, and nothing else above.
fn sign_extended(lens: &mut Lens<'_>, call: Syscall, calls: Set) -> Found<Set> {
    let mut all = Set::EMPTY;
    for (argument, arg) in arguments(call) {
        let width = arg.width(call.abi);
        if !width.signed || width.bits != 32 || call.abi.register_bits() != 64 {
            continue;
        }
        let above = 0xffff_ffff_8000_0000;
        let mut own = with_bits(lens, (call.abi, argument), above, above)?;
        for other in (0..6).filter(|other| *other != argument) {
            let none = with_bits(lens, (call.abi, other), 0xffff_ffff_0000_0000, 0)?;
            own = lens.session.space().and(own, none)?;
        }
        let space = lens.session.space();
        let own = space.and(own, calls)?;
        all = space.or(all, own)?;
    }
    Ok(all)
}

/// `half-argument`
pub(super) fn halves(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for (call, calls) in decided_by_arguments(lens)? {
        let endian = lens.order.of(call.abi.audit_arch());
        for (argument, arg) in arguments(call) {
            if arg.width(call.abi).bits != 64 || NARROW.contains(&(call.name, arg.name)) {
                continue;
            }
            let (mut low, mut high) = ([0; 16], [0; 16]);
            mark(&mut low, argument, 0xffff_ffff, endian);
            mark(&mut high, argument, 0xffff_ffff_0000_0000, endian);
            let open = lens.open(calls)?;
            if reachable(lens, open, &high)? != open {
                continue;
            }
            let any_low = reachable(lens, open, &low)?;
            let space = lens.session.space();
            // A test of single bits leaves most values; a comparison with values that are permitted leaves few.
            if any_low == open || space.share(open) > space.share(any_low) * FEW {
                continue;
            }
            let small = with_bits(lens, (call.abi, argument), 0xffff_ffff_0000_0000, 0)?;
            let large = lens.session.space().minus(open, small)?;
            let message = format!(
                "argument {argument} (`{}`) of `{}` on {} is compared in its low half alone",
                arg.name, call.name, call.abi
            );
            let subject = format!("{}, argument {argument}, on {}", call.name, call.abi);
            let shown = lens.show(large)?;
            Finding::new("half-argument", subject, message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// `pointer-compared`
pub(super) fn pointers(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for (call, calls) in decided_by_arguments(lens)? {
        let endian = lens.order.of(call.abi.audit_arch());
        for (argument, arg) in arguments(call) {
            let width = arg.width(call.abi);
            if !width.pointer {
                continue;
            }
            let mut free = [0; 16];
            mark(&mut free, argument, u64::MAX, endian);
            let null = with_bits(lens, (call.abi, argument), width.mask(), 0)?;
            let some = lens.session.space().minus(calls, null)?;
            let open = lens.open(some)?;
            let possible = reachable(lens, open, &free)?;
            let space = lens.session.space();
            let possible = space.and(possible, some)?;
            let other = space.minus(possible, open)?;
            if other.is_empty() {
                continue;
            }
            let message = format!(
                "argument {argument} (`{}`) of `{}` on {} is an address, and the verdict depends on it",
                arg.name, call.name, call.abi
            );
            let subject = format!("{}, argument {argument}, on {}", call.name, call.abi);
            let shown = twins(lens, other, open, &free)?;
            Finding::new("pointer-compared", subject, message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// The calls of which some are permitted and others not.
pub(super) fn decided_by_arguments(lens: &mut Lens<'_>) -> Found<Vec<(Syscall, Set)>> {
    let mut decided = Vec::new();
    let mut abis = lens.abis.clone();
    if abis.contains(&Abi::X86_64) && !abis.contains(&Abi::X32) {
        abis.push(Abi::X32);
    }
    for abi in abis {
        for call in abi.syscalls() {
            let calls = lens.number(call)?;
            if lens.state_of(calls)? == State::Mixed {
                decided.push((call, calls));
            }
        }
    }
    Ok(decided)
}

/// The arguments of a call, numbered.
pub(super) fn arguments(call: Syscall) -> impl Iterator<Item = (u8, &'static Arg)> {
    let args = call.prototype().map(|prototype| prototype.args).unwrap_or_default();
    (0_u8..).zip(args)
}

/// Adds the bits of an argument to those of the words it lies in.
fn mark(free: &mut Free, argument: u8, bits: u64, endian: Endian) {
    let first = usize::from(argument).saturating_mul(2).saturating_add(4);
    let low = u32::try_from(bits & 0xffff_ffff).unwrap_or_default();
    let high = u32::try_from(bits >> 32).unwrap_or_default();
    let halves = match endian {
        Endian::Little => [low, high],
        Endian::Big => [high, low],
    };
    for (word, half) in free.iter_mut().skip(first).zip(halves) {
        *word |= half;
    }
}

/// The calls in which these bits of an argument have this value, in the byte order of the ABI.
pub(super) fn with_bits(lens: &mut Lens<'_>, (abi, argument): (Abi, u8), bits: u64, value: u64) -> Found<Set> {
    let endian = lens.order.of(abi.audit_arch());
    let (mut masks, mut values) = ([0; 16], [0; 16]);
    mark(&mut masks, argument, bits, endian);
    mark(&mut values, argument, value, endian);
    let mut all = Set::ALL;
    for (word, (mask, value)) in (0_u8..).zip(masks.into_iter().zip(values)) {
        let space = lens.session.space();
        let same = space.word(&WordTest {
            word,
            relation: Relation::Equal,
            mask,
            value,
        })?;
        all = space.and(all, same)?;
    }
    Ok(all)
}

/// The low half of an argument.
pub(super) fn free_low(argument: u8, endian: Endian) -> Free {
    let mut low = [0; 16];
    mark(&mut low, argument, 0xffff_ffff, endian);
    low
}

/// The calls that differ from some call of a set in free bits alone.
pub(super) fn reachable(lens: &mut Lens<'_>, set: Set, free: &Free) -> Found<Set> {
    Ok(lens.session.space().whatever(set, free)?)
}

/// Those of the calls in which every free bit is zero.
fn clean(lens: &mut Lens<'_>, calls: Set, free: &Free) -> Found<Set> {
    let mut clean = calls;
    for (word, mask) in (0_u8..).zip(free) {
        if *mask != 0 {
            let space = lens.session.space();
            let zero = space.word(&WordTest {
                word,
                relation: Relation::Equal,
                mask: *mask,
                value: 0,
            })?;
            clean = space.and(clean, zero)?;
        }
    }
    Ok(clean)
}

/// A call of the first set, and its like in the second: the two differ in free bits alone.
fn twins(lens: &mut Lens<'_>, first: Set, second: Set, free: &Free) -> Found<Vec<Shown>> {
    let mut shown = lens.show(first)?;
    let Some(call) = shown.first().map(|shown| shown.call) else {
        return Ok(shown);
    };
    let endian = lens.session.space().machine().endian;
    let mut alike = second;
    for (word, (value, free)) in (0_u8..).zip(call.words(endian).iter().zip(free)) {
        let space = lens.session.space();
        let same = space.word(&WordTest {
            word,
            relation: Relation::Equal,
            mask: !free,
            value: value & !free,
        })?;
        alike = space.and(alike, same)?;
    }
    shown.extend(lens.show(alike)?);
    Ok(shown)
}

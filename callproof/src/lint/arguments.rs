//! Rules about the bits of argument registers.

use callproof_abi::{Abi, Arg, Syscall};
use callproof_policy::kernel_reads;
use callproof_verifier::{Relation, Set};
use callproof_vm::Endian;

use super::finding::Finding;
use super::lens::{Found, Lens, State};
use super::rules::Severity;

/// 64-bit arguments of which the kernel uses the low half, or of which it refuses what is in the high half: their high
/// half need not be compared. `kernel_clone` takes `lower_32_bits(clone_flags)`, `ksys_unshare` refuses unknown flags.
const NARROW: &[(&str, &str)] = &[("clone", "clone_flags"), ("unshare", "unshare_flags")];

/// The most of an argument's low halves that may be permitted for a comparison with a list of values to be likely.
const FEW: f64 = 1.0 / 256.0;

/// Masks of the words in memory.
type Free = [u32; 16];

/// `view-bypass`, `view-denies`
pub(super) fn views(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
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
        let bypass = lens.session.space().and(bypass, open)?;
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
            denies(lens, call, junk, (clean_open, &free), &subject, found)?;
        }
    }
    Ok(())
}

/// A denial that only bits cause which the kernel does not read. C extends signs, so that is likely to be met with
/// negative numbers; other values come with zeros above from every compiler.
fn denies(
    lens: &mut Lens<'_>,
    call: Syscall,
    junk: Set,
    (clean, free): (Set, &Free),
    subject: &str,
    found: &mut Vec<Finding>,
) -> Found<()> {
    let negative = sign_extended(lens, call, junk)?;
    let (severity, set, how) = if negative.is_empty() {
        (Severity::Info, junk, "anything above the bits that the kernel reads")
    } else {
        (Severity::Warning, negative, "a negative number, sign-extended as C does")
    };
    let message = format!("`{}` on {} is permitted, and denied with {how}", call.name, call.abi);
    let shown = twins(lens, set, clean, free)?;
    Finding::new("view-denies", subject, message)
        .severity(severity)
        .showing(lens, &shown)
        .shown_in(found)
}

/// Those of the calls with a signed 32-bit argument that is negative and extended, and nothing else above.
fn sign_extended(lens: &mut Lens<'_>, call: Syscall, calls: Set) -> Found<Set> {
    let mut all = Set::EMPTY;
    for (argument, arg) in arguments(call) {
        let width = arg.width(call.abi);
        if !width.signed || width.bits != 32 || call.abi.register_bits() != 64 {
            continue;
        }
        let space = lens.session.space();
        let mut own = space.argument(argument, Relation::Equal, 0xffff_ffff_8000_0000, 0xffff_ffff_8000_0000)?;
        for other in (0..6).filter(|other| *other != argument) {
            let none = space.argument(other, Relation::Equal, 0xffff_ffff_0000_0000, 0)?;
            own = space.and(own, none)?;
        }
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
            let large = space.argument(argument, Relation::Above, u64::MAX, u64::from(u32::MAX))?;
            let large = space.and(open, large)?;
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
            let null = lens
                .session
                .space()
                .argument(argument, Relation::Equal, width.mask(), 0)?;
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
fn decided_by_arguments(lens: &mut Lens<'_>) -> Found<Vec<(Syscall, Set)>> {
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
fn arguments(call: Syscall) -> impl Iterator<Item = (u8, &'static Arg)> {
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

/// The calls that differ from some call of a set in free bits alone.
fn reachable(lens: &mut Lens<'_>, set: Set, free: &Free) -> Found<Set> {
    Ok(lens.session.space().whatever(set, free)?)
}

/// Those of the calls in which every free bit is zero.
fn clean(lens: &mut Lens<'_>, calls: Set, free: &Free) -> Found<Set> {
    let mut clean = calls;
    for (word, mask) in (0_u8..).zip(free) {
        if *mask != 0 {
            let space = lens.session.space();
            let zero = space.word(&callproof_verifier::WordTest {
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
fn twins(
    lens: &mut Lens<'_>,
    first: Set,
    second: Set,
    free: &Free,
) -> Found<Vec<callproof_verifier::Shown>> {
    let mut shown = lens.show(first)?;
    let Some(call) = shown.first().map(|shown| shown.call) else {
        return Ok(shown);
    };
    let endian = lens.session.space().machine().endian;
    let mut alike = second;
    for (word, (value, free)) in (0_u8..).zip(call.words(endian).iter().zip(free)) {
        let space = lens.session.space();
        let same = space.word(&callproof_verifier::WordTest {
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

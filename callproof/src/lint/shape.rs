//! Rules about filters that decide nothing, and about comparisons that take the halves of a number apart.

use callproof_abi::Abi;
use callproof_verifier::Set;
use callproof_vm::Action;

use super::arguments::{arguments, decided_by_arguments, free_low, reachable, with_bits};
use super::finding::Finding;
use super::lens::{Found, Lens, State};
use super::rules::Severity;

/// `one-verdict`: no call is denied, or none is permitted.
pub(super) fn one_verdict(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    const RULE: &str = "one-verdict";
    let denied = lens.denied(Set::ALL)?;
    if denied.is_empty() {
        // A filter that only writes records is meant so.
        if lens.acting(Action::Log)?.is_empty() {
            let shown = lens.show(Set::ALL)?;
            return Finding::new(RULE, "every call", "every call is permitted: the filter has no effect")
                .showing(lens, &shown)
                .shown_in(found);
        }
        return Ok(());
    }
    for abi in lens.abis.clone() {
        if lens.state("*", abi)? != State::Denied {
            return Ok(());
        }
    }
    let Some(abi) = lens.abis.first().copied() else {
        return Ok(());
    };
    let shown = lens.show_denied("exit_group", abi)?;
    Finding::new(RULE, "every call", "no call at all is permitted, not even `exit_group`")
        .severity(Severity::Info)
        .showing(lens, &shown)
        .shown_in(found)
}

/// High halves of large numbers. A test of bits of a high half cannot tell all of them from zero, unless it asks whether
/// any of many bits is set; a comparison by size can.
const LARGE: [u32; 3] = [0xffff_ffff, 0x8000_0000, 0x7fff_ffff];

/// `torn-comparison`: the low half of a 64-bit number decides although the high half has decided.
///
/// Where numbers are compared by size, the low half counts for one high half alone. Here it counts for all large ones
/// and not for zero.
pub(super) fn torn(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for (call, calls) in decided_by_arguments(lens)? {
        let endian = lens.order.of(call.abi.audit_arch());
        for (argument, arg) in arguments(call) {
            let width = arg.width(call.abi);
            if width.bits != 64 || width.pointer {
                continue;
            }
            let low = free_low(argument, endian);
            let mut part = Set::EMPTY;
            let mut decides = true;
            for high in LARGE {
                part = with_high(lens, calls, (call.abi, argument), high)?;
                let open = lens.open(part)?;
                decides &= reachable(lens, open, &low)? != open;
            }
            if !decides {
                continue;
            }
            let small = with_high(lens, calls, (call.abi, argument), 0)?;
            let open = lens.open(small)?;
            if reachable(lens, open, &low)? != open {
                continue;
            }
            let message = format!(
                "argument {argument} (`{}`) of `{}` on {} is compared half by half: the low half decides for every large high half",
                arg.name, call.name, call.abi
            );
            let (open, denied) = (lens.open(part)?, lens.denied(part)?);
            let mut shown = lens.show(open)?;
            shown.extend(lens.show(denied)?);
            let subject = format!("{}, argument {argument}, on {}", call.name, call.abi);
            Finding::new("torn-comparison", subject, message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// Those of the calls in which an argument has this high half.
fn with_high(lens: &mut Lens<'_>, calls: Set, register: (Abi, u8), high: u32) -> Found<Set> {
    let part = with_bits(lens, register, 0xffff_ffff_0000_0000, u64::from(high) << 32)?;
    Ok(lens.session.space().and(calls, part)?)
}

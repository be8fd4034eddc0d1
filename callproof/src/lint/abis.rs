//! Rules about architectures: what `arch` and bit 30 of the number let through.

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, Claim, pairs, parse_predicate};
use callproof_verifier::{Answer, Set};
use callproof_vm::isa::Op;

use super::finding::{Finding, listed};
use super::lens::{Found, Lens, State, Stop};
use super::rules::Severity;

/// Calls whose compat twin is worth an error when it is open; the others are worth a warning.
const SENSITIVE: &[&str] = &[
    "ptrace",
    "process_vm_writev",
    "process_vm_readv",
    "execve",
    "execveat",
    "mount",
    "move_mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "bpf",
    "init_module",
    "finit_module",
    "kexec_load",
    "open_by_handle_at",
    "perf_event_open",
    "keyctl",
    "add_key",
    "userfaultfd",
    "io_uring_setup",
    "clone3",
    "socket",
];

/// `arch-unchecked`
pub(super) fn unchecked(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    if !denies_something(lens)? {
        return Ok(());
    }
    let unknown = unknown(lens)?;
    let open = lens.open(unknown)?;
    if open.is_empty() {
        return Ok(());
    }
    let looks = looks_at_arch(lens);
    let (severity, message) = if !looks {
        (
            Severity::Error,
            "the filter never looks at `arch`: calls of every architecture are judged by their numbers alone",
        )
    } else if partner_open(lens)? {
        (
            Severity::Warning,
            "calls of other architectures are permitted, those of a second ABI of the same kernel among them",
        )
    } else {
        (
            Severity::Info,
            "calls of unknown architectures are permitted; the ABIs of the same kernel are not",
        )
    };
    let shown = lens.show(open)?;
    Finding::new("arch-unchecked", "other architectures", message)
        .severity(severity)
        .showing(lens, &shown)
        .shown_in(found)
}

/// `x32-open`, `compat-open`
pub(super) fn partners(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    let looks = looks_at_arch(lens);
    for native in natives(lens) {
        if !lens.state("* except -1", native)?.is_open() {
            continue;
        }
        for &partner in native.partners() {
            // Without a look at `arch` each ABI is open to the numbers of the other: `arch-unchecked` says so.
            if is_below(partner, native) && (looks || partner == Abi::X32) {
                partner_of(lens, partner, native, found)?;
            }
        }
    }
    Ok(())
}

fn partner_of(lens: &mut Lens<'_>, partner: Abi, native: Abi, found: &mut Vec<Finding>) -> Found<()> {
    let More { names, first } = more_open(lens, partner, native)?;
    let rule = if partner == Abi::X32 { "x32-open" } else { "compat-open" };
    let subject = format!("{partner} beside {native}");
    if let Some((left, right)) = first {
        // Programs of an older ABI need older calls: two lists of what is permitted may well differ in those.
        let lists = lens.default_state(native)? == State::Denied && lens.default_state(partner)? == State::Denied;
        let severity = match names.iter().any(|name| SENSITIVE.contains(name)) {
            true => Severity::Error,
            false if partner == Abi::X32 => Severity::Error,
            false if lists => Severity::Info,
            false => Severity::Warning,
        };
        let message = format!("{partner} permits what {native} denies: {}", listed(&names));
        let mut shown = lens.show(left)?;
        shown.extend(lens.show(right)?);
        return Finding::new(rule, subject, message)
            .severity(severity)
            .showing(lens, &shown)
            .shown_in(found);
    }
    // No call is closed on one side and open on the other; some arguments of a call may be. They cannot be compared
    // where the byte orders differ, as those of ppc and ppc64le do.
    if lens.order.of(partner.audit_arch()) != lens.order.of(native.audit_arch()) {
        return Ok(());
    }
    let list = |abi| AbiList::of([AbiItem::Abi(abi)]);
    let claim = Claim::AbiOrder {
        left: list(partner),
        right: list(native),
    };
    let answer = lens.ask(&claim)?.answer;
    let shown = match answer {
        Answer::Fails(failure) => failure.shown,
        Answer::Undecided(tried) => {
            return Err(Stop::Undecided(crate::cases::judge::undecided(&tried)));
        }
        Answer::Holds { .. } | Answer::Vacuous => return Ok(()),
    };
    let name = shown
        .first()
        .and_then(|shown| partner.syscall_name(shown.call.nr.cast_unsigned()));
    let message = format!(
        "{partner} permits arguments of `{}` that {native} denies",
        name.unwrap_or("a call")
    );
    Finding::new(rule, subject, message)
        .severity(Severity::Warning)
        .showing(lens, &shown)
        .shown_in(found)
}

/// The calls that are denied natively whatever their arguments and open on the partner.
struct More {
    /// Their names, the sensitive ones first
    names: Vec<&'static str>,
    /// One of them: what is open on the partner, and the native calls
    first: Option<(Set, Set)>,
}

fn more_open(lens: &mut Lens<'_>, partner: Abi, native: Abi) -> Found<More> {
    let mut names = Vec::new();
    let mut first = None;
    for (left, right) in pairs(partner, native).common {
        // Recent kernels let these pass every filter.
        let passes = matches!(left.name, "uprobe" | "uretprobe");
        if left.prototype().is_none() || passes {
            continue;
        }
        let left_calls = lens.number(left)?;
        let open = lens.open(left_calls)?;
        if open.is_empty() {
            continue;
        }
        let right_calls = lens.number(right)?;
        if lens.open(right_calls)?.is_empty() {
            let sensitive = SENSITIVE.contains(&left.name);
            if first.is_none() || (sensitive && !names.iter().any(|name| SENSITIVE.contains(name))) {
                first = Some((open, right_calls));
            }
            names.push(left.name);
        }
    }
    names.sort_by_key(|name| !SENSITIVE.contains(name));
    Ok(More { names, first })
}

/// The ABIs that are none's 32-bit side among those that the filter is for.
fn natives(lens: &Lens<'_>) -> Vec<Abi> {
    lens.abis.iter().copied().filter(|abi| !is_second(lens, *abi)).collect()
}

/// Whether the filter is for a larger ABI of the same kernel too.
pub(super) fn is_second(lens: &Lens<'_>, abi: Abi) -> bool {
    lens.abis.iter().any(|other| is_below(abi, *other))
}

/// Whether one kernel serves both and the first is the smaller one.
fn is_below(small: Abi, large: Abi) -> bool {
    large.partners().contains(&small) && small.pointer_bits() < large.pointer_bits()
}

/// Whether some ABI that one kernel serves beside those of the filter permits anything.
fn partner_open(lens: &mut Lens<'_>) -> Found<bool> {
    for native in natives(lens) {
        for &partner in native.partners() {
            if is_below(partner, native) && !lens.abis.contains(&partner) {
                let calls = lens.calls("*", partner)?;
                if !lens.open(calls)?.is_empty() {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Whether anything is denied on the ABIs that the filter is for.
fn denies_something(lens: &mut Lens<'_>) -> Found<bool> {
    for abi in lens.abis.clone() {
        let calls = lens.calls("* except -1", abi)?;
        if !lens.denied(calls)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn unknown(lens: &mut Lens<'_>) -> Found<Set> {
    let env = callproof_policy::Env::new(AbiList::of([AbiItem::Unknown]));
    let grounded = parse_predicate("*").ok().and_then(|all| all.ground(&env).ok());
    match grounded {
        Some(grounded) => Ok(lens.session.asked(&grounded)?),
        None => Ok(Set::EMPTY),
    }
}

/// Whether any filter loads the word of the architecture.
fn looks_at_arch(lens: &Lens<'_>) -> bool {
    const ARCH: u32 = 4;
    let loads = |insn: &callproof_vm::Insn| matches!(insn.op(), Some(Op::LdAbs(_))) && insn.k == ARCH;
    lens.filters.iter().any(|filter| filter.program().iter().any(loads))
}

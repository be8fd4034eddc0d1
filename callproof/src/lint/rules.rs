//! The rules that filters are held against.

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; often meant so
    Info,
    /// Likely not what was meant
    Warning,
    /// Lets calls through that the filter itself shows it wants to stop
    Error,
}

impl Severity {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its stable name
    pub id: &'static str,
    /// The most that a finding of it matters; a finding can matter less
    pub severity: Severity,
    /// What it finds, in one line
    pub summary: &'static str,
    /// Why that is bad
    pub why: &'static str,
    /// What to do
    pub fix: &'static str,
}

impl Rule {
    /// The section of the documentation, as a path from the root of the project.
    #[must_use]
    pub fn page(&self) -> String {
        format!("docs/LINT.md#{}", self.id)
    }

    /// The rule of a name.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.id == id)
    }
}

const fn rule(
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    why: &'static str,
    fix: &'static str,
) -> Rule {
    Rule {
        id,
        severity,
        summary,
        why,
        fix,
    }
}

use Severity::{Error, Info, Warning};

/// Every rule, in the order in which findings are told.
pub static RULES: &[Rule] = &[
    rule(
        "arch-unchecked",
        Error,
        "calls of an unknown architecture are permitted",
        "a number means another call on each ABI, so a filter that does not look at `arch` judges the wrong calls",
        "compare `arch` first and kill, or deny, what is none of the ABIs that the filter is for",
    ),
    rule(
        "one-verdict",
        Warning,
        "every call is permitted, or none is",
        "a filter that decides nothing is most often made from a list that was empty by mistake",
        "see that the list from which the filter is made has what was meant",
    ),
    rule(
        "x32-open",
        Error,
        "x32 permits a call that x86_64 denies",
        "x32 shares its `arch` with x86_64 and sets bit 30 of the number: tests for the plain number do not see it",
        "deny numbers of 0x40000000 and above, or give x32 the rules of x86_64",
    ),
    rule(
        "compat-open",
        Error,
        "a second ABI of the same kernel permits a call that the native one denies",
        "a 64-bit program can make calls of the 32-bit ABI (`int 0x80` on x86), and the kernel does the same for them",
        "deny the ABI as a whole, or give it the same rules",
    ),
    rule(
        "unknown-allowed",
        Warning,
        "numbers of no known call are permitted",
        "the next kernel release can put a new call there, which the filter then permits",
        "list what is permitted and deny the rest; newer calls are best answered with ENOSYS",
    ),
    rule(
        "unknown-errno",
        Info,
        "numbers of no known call get an error other than ENOSYS",
        "the C library tries newer calls first and falls back to older ones only for ENOSYS",
        "answer numbers that the filter does not know with ENOSYS",
    ),
    rule(
        "errno-fallback",
        Warning,
        "a call for which the C library has a fallback gets an error that stops it",
        "the fallback is taken for ENOSYS alone; with another error the program fails although the older call is permitted",
        "answer the newer call with ENOSYS",
    ),
    rule(
        "view-bypass",
        Error,
        "a bit that the kernel does not read makes a denied call permitted",
        "the kernel drops the high half of a 32-bit argument; the filter compares it, and so the caller can dodge the test",
        "compare the bits that the kernel reads and no others: mask the high half away",
    ),
    rule(
        "view-denies",
        Warning,
        "a bit that the kernel does not read makes a permitted call denied",
        "an `int` can reach the register sign-extended, or with anything above its 32 bits; the call is then denied",
        "compare the bits that the kernel reads and no others",
    ),
    rule(
        "half-argument",
        Warning,
        "only the low half of a 64-bit argument is compared with the values that are permitted",
        "the kernel reads all 64 bits: a caller can add any high half and have another value permitted",
        "compare the high half too",
    ),
    rule(
        "torn-comparison",
        Warning,
        "the halves of a 64-bit number are compared each for itself",
        "a larger number can have a smaller low half: it is taken for a small one",
        "compare the low half only where the high halves are equal",
    ),
    rule(
        "pointer-compared",
        Warning,
        "the verdict depends on an address other than NULL",
        "an address does not tell what lies there, and the caller chooses it",
        "do not look at pointers; deny the call, or leave the decision to something that sees the memory",
    ),
    rule(
        "group-gap",
        Warning,
        "calls are denied, and another call that does the same is permitted",
        "what the denied calls do can be had from the other one",
        "deny the whole group",
    ),
    rule(
        "namespace-gap",
        Warning,
        "a kind of new namespace is denied in one call and permitted in another",
        "`clone`, `clone3` and `unshare` make the same namespaces; the flags of `clone3` lie in memory",
        "deny the flag in `clone` and `unshare`, and answer `clone3` with ENOSYS",
    ),
    rule(
        "io-uring-open",
        Warning,
        "`io_uring_setup` is permitted while calls that it can stand in for are denied",
        "operations of an io_uring are no system calls: no filter sees them",
        "deny `io_uring_setup`, `io_uring_enter` and `io_uring_register`",
    ),
    rule(
        "multiplexed-open",
        Warning,
        "`socketcall` or `ipc` permits what the call of its own is denied",
        "the call behind the multiplexer is the same, and its arguments lie in memory",
        "deny the sub-number (the first argument), or the multiplexer",
    ),
    rule(
        "dangerous-pair",
        Warning,
        "`ptrace` is denied, and another way into the memory of a process is permitted",
        "`process_vm_writev` and `pidfd_getfd` take the same permission check as attaching does",
        "deny `process_vm_readv`, `process_vm_writev` and `pidfd_getfd` as well",
    ),
    rule(
        "terminal-injection",
        Warning,
        "one of `TIOCSTI` and `TIOCLINUX` is denied and the other permitted",
        "both can put characters into a terminal that another program reads",
        "deny both, in the low 32 bits of the argument",
    ),
    rule(
        "self-lock",
        Warning,
        "no filter can be installed after this one",
        "`seccomp` and `prctl(PR_SET_SECCOMP)` are both denied, so a newer filter of the thread is refused",
        "install it last, or permit one of the two",
    ),
    rule(
        "kill-thread",
        Info,
        "a denied call kills the thread alone",
        "the other threads of the process go on, without what the dead one held",
        "return SECCOMP_RET_KILL_PROCESS (since Linux 4.14)",
    ),
    rule(
        "wide-shift",
        Warning,
        "a shift by 32 or more",
        "its result depends on the machine and on whether the filter is compiled",
        "keep the distance below 32",
    ),
    rule(
        "zero-division",
        Warning,
        "a division by zero",
        "the filter returns 0 at once: the thread is killed",
        "test the divisor first",
    ),
    rule(
        "dead-code",
        Info,
        "instructions that no call reaches",
        "they cost room, and a rule among them never counts",
        "remove them, or repair the tests before them",
    ),
    rule(
        "one-way-test",
        Info,
        "tests that always go the same way",
        "the test was decided before; the rule it stands for may be shadowed",
        "remove them, or repair the tests before them",
    ),
    rule(
        "duplicate-rule",
        Info,
        "a rule of a policy says again what an earlier one says",
        "it has no effect",
        "remove it",
    ),
    rule(
        "contradictory-rule",
        Warning,
        "a rule of a policy gives calls another answer than an earlier one, which wins",
        "it has no effect, and whoever wrote it meant it to have one",
        "keep the one that is meant",
    ),
    rule(
        "shadowed-rule",
        Warning,
        "every call of a rule is taken by earlier rules",
        "it has no effect",
        "put it first, narrow the earlier rules, or remove it",
    ),
    rule(
        "unknown-name",
        Warning,
        "a policy names a call that no ABI has",
        "the rule is left out, so the call that was meant gets another answer",
        "correct the name",
    ),
    rule(
        "runtime-differs",
        Warning,
        "tools make different filters of the same policy",
        "the policy is stricter under one runtime than under another",
        "write it so that it means the same to all: two masks on one argument as one mask with all bits",
    ),
    rule(
        "reader-note",
        Info,
        "a policy means something else than its text seems to say",
        "the tool that owns the format reads it in this way",
        "write what is meant",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_section() {
        let page = include_str!("../../../docs/LINT.md");
        for rule in RULES {
            assert!(page.contains(&format!("\n### {}\n", rule.id)), "{}", rule.id);
            assert_eq!(Rule::named(rule.id), Some(rule));
        }
    }
}

//! Expectations as assertions.

/// Asserts that a [`Filter`](crate::Filter) denies calls, for every value that they leave open.
///
/// ```
/// let filter = callproof::Filter::load("../examples/web-server.bpf")?;
/// callproof::assert_denies!(filter, "ptrace, process_vm_*", "socket(!(AF_UNIX | AF_INET | AF_INET6)) on x86_64");
/// # Ok::<(), callproof::Error>(())
/// ```
#[macro_export]
macro_rules! assert_denies {
    ($filter:expr, $($calls:expr),+ $(,)?) => {{
        let filter: &$crate::Filter = &$filter;
        $(filter.expect_denies($calls);)+
    }};
}

/// Asserts that a [`Filter`](crate::Filter) allows calls, for every value that they leave open.
///
/// ```should_panic
/// let filter = callproof::Filter::load("../examples/web-server.bpf").unwrap();
/// // The flags of openat are open, and those that write are denied.
/// callproof::assert_allows!(filter, "openat(_, _, _) on x86_64");
/// ```
#[macro_export]
macro_rules! assert_allows {
    ($filter:expr, $($calls:expr),+ $(,)?) => {{
        let filter: &$crate::Filter = &$filter;
        $(filter.expect_allows($calls);)+
    }};
}

/// Asserts that a [`Filter`](crate::Filter) is never more permissive than the filter or policy of a file.
///
/// ```
/// let filter = callproof::Filter::load("../examples/web-server.bpf")?;
/// callproof::assert_subset!(filter, "../examples/web-server.policy");
/// # Ok::<(), callproof::Error>(())
/// ```
#[macro_export]
macro_rules! assert_subset {
    ($filter:expr, $of:expr $(,)?) => {{
        let filter: &$crate::Filter = &$filter;
        filter.expect_subset_of($of);
    }};
}

/// Asserts that a [`Filter`](crate::Filter) gives every call the verdict that the filter or policy of a file gives it.
///
/// ```
/// let filter = callproof::Filter::load("../examples/web-server.bpf")?;
/// callproof::assert_equivalent!(filter, "../examples/web-server.bpfasm");
/// # Ok::<(), callproof::Error>(())
/// ```
#[macro_export]
macro_rules! assert_equivalent {
    ($filter:expr, $other:expr $(,)?) => {{
        let filter: &$crate::Filter = &$filter;
        filter.expect_equivalent_to($other);
    }};
}

/// Asserts that a compiler made the right filter of a policy: both give every call the same verdict.
///
/// The policy is text in any policy format, or a [`Policy`](callproof_policy::Policy); the filter is what the compiler
/// wrote: bytes or text in any format, instructions, or a [`Filter`](crate::Filter). A third argument,
/// [`Options`](crate::Options), says for which ABIs and kernel. Without ABIs every possible input is meant, and a rule
/// that names none is for all of them.
///
/// ```
/// let policy = "default errno(EPERM)\nallow read, exit_group on x86_64\n";
/// let filter = "
///     ld [4]
///     jne #0xc000003e, deny
///     ld [0]
///     jeq #0, allow
///     jeq #231, allow
///     deny: ret #0x00050001
///     allow: ret #0x7fff0000";
/// callproof::assert_compiles_to!(policy, filter);
/// ```
///
/// ```should_panic
/// // Nobody asked which ABI the call is made on: number 0 is restart_syscall on i386.
/// let filter = "
///     ld [0]
///     jeq #0, allow
///     ret #0x00050001
///     allow: ret #0x7fff0000";
/// callproof::assert_compiles_to!("default errno(EPERM)\nallow read on x86_64\n", filter);
/// ```
///
/// # Panics
/// When they differ: with a call that shows it, both verdicts and a line that runs it again. Also when the answer is
/// undecided or there is none.
#[macro_export]
macro_rules! assert_compiles_to {
    ($policy:expr, $filter:expr $(,)?) => {
        $crate::relate::expect_compiled(&$policy, &$filter, &$crate::Options::default())
    };
    ($policy:expr, $filter:expr, $options:expr $(,)?) => {
        $crate::relate::expect_compiled(&$policy, &$filter, &$options)
    };
}

/// Makes a test of each case of case files, for `cargo test` and `cargo nextest`.
///
/// It is all that a test target needs, which must have `harness = false`:
///
/// ```toml
/// [[test]]
/// name = "filters"
/// path = "tests/filters.rs"
/// harness = false
/// ```
///
/// ```no_run
/// // tests/filters.rs
/// callproof::cases!("tests/*.calls");
/// ```
///
/// Paths count from the folder of the package; in the last part `*` stands for any letters. Each case is a test called
/// `daemon.calls:12 deny ptrace`. Cases that an ABI does not have are ignored, not passed; an undecided one fails.
#[macro_export]
macro_rules! cases {
    ($($pattern:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::harness::main(::core::env!("CARGO_MANIFEST_DIR"), &[$($pattern),+])
        }
    };
}

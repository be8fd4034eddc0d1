//! What `--help` shows below the options.

/// `callproof --help`
pub(super) const CALLPROOF: &str = "\
Examples:
  callproof demo
  callproof check filter.bpf
  callproof eval filter.bpf 'socket(AF_INET, SOCK_STREAM, 0)'
  callproof prove filter.bpf 'deny ptrace' 'x32 <= x86_64'
  callproof kernel diff --programs 100000 --seed 1

Documentation: docs/CLI.md";

/// `callproof demo --help`
pub(super) const DEMO: &str = "\
Examples:
  callproof demo                 the filter that callproof brings along
  callproof demo my-filter.bpf

Exits with 0, or with 5 when the emulator and the running kernel disagree.";

/// `callproof check --help`, `callproof disasm --help`
pub(super) const FILTERS: &str = "\
Examples:
  callproof check filter.bpf
  callproof check --format github filter.bpf
  callproof check oldest.bpf newer.bpf newest.bpf
  callproof check hex:06000000ffff0000
  callproof disasm --arch x86_64,i386 filter.bpf
  callproof disasm pid:1234";

/// `callproof eval --help`
pub(super) const EVAL: &str = "\
Examples:
  callproof eval filter.bpf 'openat(AT_FDCWD, 0x7000, O_RDONLY|O_CLOEXEC)'
  callproof eval --arch x86_64,i386,x32 filter.bpf 'socket(AF_INET, SOCK_STREAM, 0)'
  callproof eval --trace filter.bpf 59
  callproof eval oldest.bpf newest.bpf '435(0, 88)'
  callproof eval --batch requests.jsonl > answers.jsonl
  callproof eval filter.bpf --records calls.bin > values.bin

Exits with 0 when every ABI allows the call and 1 when one denies it; with --batch or --records, with 0 when \
everything was answered.";

/// `callproof lint --help`
pub(super) const LINT: &str = "\
Examples:
  callproof lint filter.bpf
  callproof lint --arch x86_64,i386 oldest.bpf newest.bpf
  callproof lint --format sarif=lint.sarif daemon.policy
  callproof lint --allow 'self-lock=it is the last filter' filter.bpf
  callproof lint --write-baseline known.json filter.bpf
  callproof lint --baseline known.json --fail-on error filter.bpf

Exits with 0 when nothing is as bad as --fail-on says, 1 when something is, 3 when a rule is undecided. What each rule \
means: docs/LINT.md";

/// `callproof asm --help`
pub(super) const ASM: &str = "\
Examples:
  callproof asm filter.bpfasm -o filter.bpf
  callproof asm - --to c < filter.bpfasm";

/// `callproof convert --help`
pub(super) const CONVERT: &str = "\
Examples:
  callproof convert filter.bpf --to c
  callproof convert filter.bpf --to hex -o filter.hex
  callproof convert --arch x86_64,i386 daemon.policy --to raw -o daemon.bpf
  callproof convert --input-format raw --endian big s390x.bpf --to asm
  callproof convert daemon.policy --to oci -o daemon.json
  callproof convert profile.json --to seccompiler --arch x86_64 --only-arch

A policy is compiled for the ABIs of --arch; the filter is written only when it is proved to be the policy. A policy in \
another format is written only when it is proved to mean the same; exits with 1 and a call when it does not, with 2 when \
the format cannot say it, with 3 when that is undecided.";

/// `callproof dump --help`
pub(super) const DUMP: &str = "\
Examples:
  callproof dump --pid 1234
  callproof dump --pid 1234 --to raw --out filters/
  callproof dump --to hex --out filters/ --exec some-daemon --its-option

Reading another process's filters needs CAP_SYS_ADMIN and a caller without filters. Recording a command needs neither.";

/// `callproof completions --help`
pub(super) const COMPLETIONS: &str = "\
Examples:
  callproof completions bash > ~/.local/share/bash-completion/completions/callproof
  callproof completions fish > ~/.config/fish/completions/callproof.fish";

/// `callproof man --help`
pub(super) const MAN: &str = "\
Examples:
  callproof man | man -l -
  callproof man --out /usr/local/share/man/man1";

/// `callproof fuzz --help`
pub(super) const FUZZ: &str = "\
Examples:
  callproof fuzz --compiler 'my-compiler {policy} -o {out}' --offer seccompiler
  callproof fuzz --compiler 'my-compiler --arch {arch}' --arch x86_64,i386 --time 60
  callproof fuzz --compiler './cc.sh {policy} {out}' --seed 7 --out findings --keep-going
  callproof fuzz --replay findings/001-differs
  callproof fuzz --replay findings/001-differs --compiler 'my-fixed-compiler {policy} -o {out}'

docs/FUZZING.md is the way from a compiler to a finding. Exits with 0 when nothing is found, 1 when something is, 3 when \
no filter could be proved or shown to be wrong.";

/// `callproof kernel vectors check --help`
pub(super) const VECTORS_CHECK: &str = "\
Examples:
  callproof kernel vectors check vectors/eval.jsonl vectors/valid.jsonl

Exits with 0 when every answer is the emulator's too, and with 5 otherwise.";

/// `callproof kernel vectors record --help`
pub(super) const VECTORS_RECORD: &str = "\
Examples:
  callproof kernel vectors record --programs 1000 --seed 7 -o here.jsonl
  callproof kernel vectors record --kinds scenarios,chains -o here.jsonl

Needs a kernel that lets this process install filters; exits with 4 otherwise.";

/// `callproof kernel diff --help`
pub(super) const DIFF: &str = "\
Examples:
  callproof kernel diff --programs 100000 --seed 1
  callproof kernel diff --time 60
  callproof kernel diff --vm list
  callproof kernel diff --vm debian-s390x --programs 300
  callproof kernel diff --vm all --jobs 2 --seed 1

Needs no privileges. Exits with 0 when there is no mismatch, with 5 when there is one (it is shrunk and written to a \
file), and with 4 when this kernel does not let this process install filters, or when a guest of --vm cannot run here.";

/// `callproof explain --help`
pub(super) const EXPLAIN: &str = "\
Examples:
  callproof explain filter.bpf
  callproof explain --arch x86_64,i386 --origin daemon.policy
  callproof explain --limit time=60s,memory=2G oldest.bpf newest.bpf

Exits with 0, or with 3 when it is undecided within the limits.";

/// `callproof cost --help`
pub(super) const COST: &str = "\
Examples:
  callproof cost --arch x86_64,i386 filter.bpf
  callproof cost --max 60 oldest.bpf newest.bpf
  strace -c -f daemon 2>&1 | callproof cost --trace - --max-mean 25 filter.bpf
  callproof cost --live --arch x86_64 filter.bpf
  callproof cost --strip cost.html filter.bpf

Instructions, answers from the kernel's bitmap and nanoseconds are three separate figures; docs/COST.md says what each \
means and how well nanoseconds can be predicted.
Exits with 0, 1 when more is spent than --max or --max-mean allow, 3 when it is undecided, 4 when --live cannot \
measure here.";

/// `callproof prove --help`
pub(super) const PROVE: &str = "\
Examples:
  callproof prove filter.bpf 'deny ptrace, process_vm_*' 'unknown arch killed'
  callproof prove --arch x86_64 filter.bpf daemon.props
  callproof prove old.bpf,new.bpf 'x32 <= x86_64'
  callproof prove --proof-out deny.proof filter.bpf 'deny ptrace on x86_64'
  callproof prove --arch x86_64 filter.bpf --policy daemon.policy
  callproof prove --live filter.bpf 'deny socket(!AF_UNIX)'
  callproof prove --engine sat --limit time=60s filter.bpf 'no dead code'

Claims without `on` speak of the ABIs of --arch, or else of every possible input. docs/PROPERTIES.md is the language.
Exits with 0 when every claim holds, 1 when one fails, 3 when one is undecided.";

/// `callproof test --help`
pub(super) const TEST: &str = "\
Examples:
  callproof test web-server.calls
  callproof test tests/*.calls --format junit=report.xml --format github
  callproof test web-server.calls --filter new.bpf
  callproof test web-server.calls --bless
  callproof test web-server.calls --mutants
  callproof test web-server.calls --coverage --min-coverage 90 --coverage-out coverage.info

docs/CASES.md describes case files. Exits with 0 when every case passes or fails as expected, 1 when one fails or (with
--mutants) a change goes unnoticed, 3 when one is undecided, 2 when nothing could be tested.";

/// `callproof equiv --help`, `callproof diff --help`
pub(super) const COMPARE: &str = "\
Examples:
  callproof equiv before.bpf after.bpf
  callproof equiv base.bpf,extra.bpf merged.bpf
  callproof diff --arch x86_64 before.bpf after.bpf

Exits with 0 when there is no difference, 1 when there is one, 3 when it is undecided.";

/// `callproof subset --help`
pub(super) const SUBSET: &str = "\
Examples:
  callproof subset mine.bpf --of baseline.bpf
  callproof subset mine.bpf --of baseline.bpf --allowed-only

Without --allowed-only every action of A must be at least as severe as that of B, in the kernel's order.
Exits with 0 when it is so, 1 when not, 3 when it is undecided.";

/// `callproof check-proof --help`
pub(super) const CHECK_PROOF: &str = "\
Examples:
  callproof check-proof deny.proof filter.bpf
  callproof check-proof same.proof before.bpf after.bpf

Exits with 0 when the proof is accepted, and with 1 when it is not.";

/// `callproof why --help`
pub(super) const WHY: &str = "\
Examples:
  callproof why 'type=SECCOMP msg=audit(1700000000.1:2): sig=31 arch=c000003e syscall=101 ip=0x7f code=0x80000000' filter.bpf
  callproof why 'clone3(0x7ffe, 88) = -1 EPERM (Operation not permitted)' filter.bpf
  journalctl -k -o json | callproof why - filter.bpf
  strace -f daemon 2>&1 | callproof why - pid:1234

Calls that are treated alike are told once, with their number. docs/TRACES.md describes what is read.
Exits with 0 when the filters permit every call, 1 when they deny one, 3 when that depends on what the log does not tell.";

/// `callproof replay --help`
pub(super) const REPLAY: &str = "\
Examples:
  callproof replay daemon.strace filter.bpf
  callproof replay --arch aarch64 daemon.strace.gz oldest.bpf newest.bpf
  strace -f -n daemon 2>&1 | callproof replay - filter.bpf --format json

docs/TRACES.md describes traces.
Exits with 0 when the filters permit every call, 1 when they deny one, 3 when that depends on what the trace does not
tell.";

/// `callproof kernel scenarios --help`
pub(super) const SCENARIOS: &str = "\
Examples:
  callproof kernel scenarios
  callproof kernel scenarios --filter tsync --list
  callproof kernel scenarios my-scenarios.toml --format junit=scenarios.xml

Every scenario is played on the task model and on the kernel, in child processes. Exits with 5 when the two show \
different things, with 1 when both show the same and the scenario says something else, and with 4 when no scenario \
could be played on the kernel. docs/SCENARIOS.md has the language.";

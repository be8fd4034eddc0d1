//! Policies that say in words of our own what filters of the corpus were made of.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

/// Policies that say in words of our own what Kafel compiled into the filters of these names.
pub const KAFEL: &[(&str, &str)] = &[
    (
        "and_eq_long",
        "ALLOW { write { (buf & 0xc267df278caf1f35) == 0xc267df278caf1f35 } }",
    ),
    ("and_eq_long_set", "ALLOW { write { 0 == (0xf1f1f1f1f1f1f1f1 & buf) } }"),
    (
        "and_eq_short_top",
        "ALLOW { write { buf & 0xf1f1f1f100000000 == 0xf1f1f1f100000000 } }",
    ),
    (
        "basic",
        "ALLOW { write(a, b, c) { (a == 1 || a == 2) && (c < 4 || b == 0) } }",
    ),
    ("basic_many", "ALLOW { write, open, read, lseek } ERRNO(5) { ptrace }"),
    (
        "composition",
        "POLICY r { ALLOW { read(a) { a == 0 } } } POLICY w { ALLOW { write(a) { a == 1, 2 == a } } } USE w, USE r",
    ),
    ("custom_syscall", "ALLOW { SYSCALL[-1](a, b) { a == 1 && b == 2 } }"),
    ("empty", "DEFAULT KILL"),
    ("empty_not_kill", "DEFAULT ALLOW"),
    (
        "ftrace",
        "ALLOW { write { fd == 1 || 2 == fd || buf == 0, count < 10 } } DEFAULT DENY",
    ),
    (
        "or_flags",
        "#define W 1\n#define C 64\nALLOW { open { flags == 2|C, flags == W|C } }",
    ),
];

/// What the names of captured units stand for, in directives of our own.
pub const SYSTEMD: &[(&str, &str)] = &[
    ("d-syscallarch-native", "SystemCallArchitectures=native"),
    ("d-mdwx", "MemoryDenyWriteExecute=yes"),
    ("d-suidsgid", "RestrictSUIDSGID=yes"),
    ("d-ns-all", "RestrictNamespaces=yes"),
    ("d-af-none", "RestrictAddressFamilies=none"),
    ("d-personality", "LockPersonality=true"),
    ("d-clock", "ProtectClock=1"),
    ("d-kmod", "ProtectKernelModules=on"),
    ("d-klog", "ProtectKernelLogs=yes"),
    ("d-hostname", "ProtectHostname=yes"),
    ("d-privdev", "PrivateDevices=yes"),
    ("d-tunables", "ProtectKernelTunables=yes"),
    ("scf-system-service", "SystemCallFilter=@system-service"),
    (
        "scf-system-service-eperm",
        "SystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM",
    ),
    (
        "scf-system-service-minus",
        "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\nSystemCallErrorNumber=EPERM",
    ),
    ("scf-known", "SystemCallFilter=@known"),
];

/// Members of groups that the library under the captured filters, libseccomp 2.5.4, did not know: no rules for them.
pub const UNKNOWN_TO_LIBSECCOMP: [&str; 2] = ["uretprobe", "map_shadow_stack"];
/// Address families of packaged units, and the filters for x32 or x86_64 of which they are.
pub const FAMILIES: &[(&str, &str)] = &[
    (
        "unit-systemd-networkd-deb12.1",
        "AF_UNIX AF_NETLINK AF_INET AF_INET6 AF_PACKET",
    ),
    ("unit-ModemManager-deb12.0", "AF_NETLINK AF_UNIX AF_QIPCRTR"),
    ("unit-ModemManager-deb12.1", "AF_NETLINK AF_UNIX AF_QIPCRTR"),
];

/* On x86-64: no file is created, whatever its name. Other ABIs are killed. */
struct sock_filter no_new_files[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 85, 5, 0),   /* creat */
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 1, 0),    /* open: flags are args[1] */
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 257, 4, 7),  /* openat: flags are args[2] */
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0100, 1, 0), /* O_CREAT */
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 30), /* EROFS */
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 32),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0100, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 30),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

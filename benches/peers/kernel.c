/* The running kernel: how much longer calls take under a filter than under one that returns at once.
 *
 * Every return is made ERRNO, so nothing is executed and the kernel's bitmap of allowed calls has no entry. The calls
 * are made by child processes, which cannot leave by a call any more and end by a trap. A round is two of them, one with a
 * minimal filter. They cannot ask for the time for which they ran, so the fastest of some passes counts. A filter's values
 * are not seen here, and the checksum is 0. x86-64 records only. */
#include "race.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSES 15

struct record {
    int32_t nr;
    uint32_t arch;
    uint64_t ip, args[6];
};

static long call(const struct record *record) {
    long result;
    register uint64_t r10 __asm__("r10") = record->args[3];
    register uint64_t r8 __asm__("r8") = record->args[4];
    register uint64_t r9 __asm__("r9") = record->args[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)record->nr), "D"(record->args[0]), "S"(record->args[1]), "d"(record->args[2]), "r"(r10),
                       "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static void child(struct sock_fprog *filter, const struct record *records, size_t count, double *time) {
    double least = 1e18;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter))
        _exit(4);
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t done = 0;
        double start = now(CLOCK_MONOTONIC), passed;
        for (size_t turn = 0; turn < BETWEEN; turn += count) {
            for (size_t i = 0; i < count; i++)
                if (call(&records[i]) != -1)
                    __builtin_trap();
            done += count;
        }
        passed = (now(CLOCK_MONOTONIC) - start) / (double)done;
        least = passed < least ? passed : least;
    }
    *time = least;
    __builtin_trap();
}

static double measure(struct sock_fprog *filter, const struct record *records, size_t count, double *shared) {
    *shared = -1;
    pid_t pid = fork();
    if (pid == 0)
        child(filter, records, count, shared);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || *shared < 0)
        exit(4);
    return *shared;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    size_t insns, count, kept = 0;
    struct sock_filter *program = load(argv[1], sizeof *program, &insns);
    struct record *records = load(argv[2], sizeof *records, &count);
    for (size_t i = 0; i < insns; i++)
        if ((program[i].code & 7) == 6)
            program[i] = (struct sock_filter){0x06, 0, 0, 0x00050001};
    /* 335 and 336 pass every filter on recent kernels. */
    for (size_t i = 0; i < count; i++)
        if (records[i].arch == 0xc000003e && records[i].nr != 335 && records[i].nr != 336)
            records[kept++] = records[i];
    double *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kept == 0 || shared == MAP_FAILED)
        return 4;
    struct sock_filter least[] = {{0x06, 0, 0, 0x00050001}};
    struct sock_fprog filter = {(unsigned short)insns, program}, minimal = {1, least};
    puts("0");
    while (asked()) {
        double without = measure(&minimal, records, kept, shared);
        printf("%.3f\n", measure(&filter, records, kept, shared) - without);
    }
    return 0;
}

/* The simulator of libseccomp, tools/scmp_bpf_sim.c, as libseccomp.sh has fetched it. It reads words in the order of the
 * architecture that it simulates. It knows the instructions that libseccomp generates; at another one the process ends. */
#include "simulator.c"
#include "race.h"

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    size_t count;
    struct bpf_program program;
    program.i = load(argv[1], sizeof *program.i, &program.i_cnt);
    const struct seccomp_data *records = load(argv[2], sizeof *records, &count);
    arch = AUDIT_ARCH_X86_64;
    RACE(count, bpf_execute(&program, &records[i]));
    return 0;
}

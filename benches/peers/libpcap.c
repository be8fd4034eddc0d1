/* The interpreter of libpcap. It reads words of a packet in network order, so the records are turned around first. */
#include "race.h"
#include <arpa/inet.h>
#include <string.h>

/* Of pcap/bpf.h, whose other names are those of linux/filter.h as well. */
struct bpf_insn {
    unsigned short code;
    unsigned char jt, jf;
    unsigned int k;
};
unsigned int bpf_filter(const struct bpf_insn *, const unsigned char *, unsigned int, unsigned int);

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    size_t insns, count;
    const struct bpf_insn *program = load(argv[1], sizeof *program, &insns);
    uint32_t(*records)[16] = load(argv[2], sizeof *records, &count);
    for (size_t i = 0; i < count; i++)
        for (int word = 0; word < 16; word++)
            records[i][word] = htonl(records[i][word]);
    RACE(count, bpf_filter(program, (const unsigned char *)records[i], 64, 64));
    return 0;
}

/* A plain switch interpreter, as most that exist are: one loop, one switch over the opcode. */
#include "race.h"
#include <linux/filter.h>

static uint32_t run(const struct sock_filter *insn, const uint32_t *words) {
    uint32_t a = 0, x = 0, cells[16];
    for (;; insn++) {
        uint32_t k = insn->k;
        switch (insn->code) {
        case 0x00: a = k; continue;
        case 0x01: x = k; continue;
        case 0x02: cells[k] = a; continue;
        case 0x03: cells[k] = x; continue;
        case 0x04: a += k; continue;
        case 0x05: insn += k; continue;
        case 0x06: return k;
        case 0x07: x = a; continue;
        case 0x0c: a += x; continue;
        case 0x14: a -= k; continue;
        case 0x15: insn += a == k ? insn->jt : insn->jf; continue;
        case 0x16: return a;
        case 0x1c: a -= x; continue;
        case 0x1d: insn += a == x ? insn->jt : insn->jf; continue;
        case 0x20: a = words[k / 4]; continue;
        case 0x24: a *= k; continue;
        case 0x25: insn += a > k ? insn->jt : insn->jf; continue;
        case 0x2c: a *= x; continue;
        case 0x2d: insn += a > x ? insn->jt : insn->jf; continue;
        case 0x34: a /= k; continue;
        case 0x35: insn += a >= k ? insn->jt : insn->jf; continue;
        case 0x3c:
            if (x == 0)
                return 0;
            a /= x;
            continue;
        case 0x3d: insn += a >= x ? insn->jt : insn->jf; continue;
        case 0x44: a |= k; continue;
        case 0x45: insn += a & k ? insn->jt : insn->jf; continue;
        case 0x4c: a |= x; continue;
        case 0x4d: insn += a & x ? insn->jt : insn->jf; continue;
        case 0x54: a &= k; continue;
        case 0x5c: a &= x; continue;
        case 0x60: a = cells[k]; continue;
        case 0x61: x = cells[k]; continue;
        case 0x64: a <<= k; continue;
        case 0x6c: a <<= x & 31; continue;
        case 0x74: a >>= k; continue;
        case 0x7c: a >>= x & 31; continue;
        case 0x80: a = 64; continue;
        case 0x81: x = 64; continue;
        case 0x84: a = -a; continue;
        case 0x87: a = x; continue;
        case 0xa4: a ^= k; continue;
        case 0xac: a ^= x; continue;
        default: return 0;
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    size_t insns, count;
    const struct sock_filter *program = load(argv[1], sizeof *program, &insns);
    const uint32_t(*records)[16] = load(argv[2], sizeof *records, &count);
    RACE(count, run(program, records[i]));
    return 0;
}

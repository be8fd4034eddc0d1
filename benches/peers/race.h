/* What every peer has in common: it reads a filter and records, and times itself.
 *
 *   PEER FILTER RECORDS
 *
 * FILTER is an array of struct sock_filter, RECORDS one of struct seccomp_data, both as they lie in memory. A peer prints
 * a checksum over what it returns for the records. Then, for each line that it reads, it prints the time of one evaluation
 * in nanoseconds, measured over one round; so the rounds of all entrants can take turns. */
#ifndef RACE_H
#define RACE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUND_NS 20e6
/* Evaluations between two looks at the clock, at least. */
#define BETWEEN 10000

static void *load(const char *path, size_t size, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(2);
    }
    long bytes = ftell(file);
    rewind(file);
    void *items = malloc(bytes > 0 ? (size_t)bytes : 1);
    if (!items || fread(items, 1, (size_t)bytes, file) != (size_t)bytes) {
        perror(path);
        exit(2);
    }
    fclose(file);
    *count = (size_t)bytes / size;
    return items;
}

/* Nanoseconds by a clock: CLOCK_PROCESS_CPUTIME_ID has nothing of what others take of the processor meanwhile. */
static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Whether another round is wanted. */
static int asked(void) {
    int c;
    fflush(stdout);
    do {
        c = getchar();
    } while (c != '\n' && c != EOF);
    return c == '\n';
}

/* Races EVALUATE, an expression in which `i` is the number of a record and which gives a 32-bit value. */
#define RACE(count, EVALUATE)                                                                                          \
    do {                                                                                                               \
        uint64_t sum = 0;                                                                                              \
        volatile uint32_t kept;                                                                                        \
        for (size_t i = 0; i < (count); i++)                                                                           \
            sum += (uint64_t)(uint32_t)(EVALUATE) * (uint64_t)(i + 1);                                                 \
        printf("%llu\n", (unsigned long long)sum);                                                                     \
        while (asked()) {                                                                                              \
            double start = now(CLOCK_PROCESS_CPUTIME_ID), passed;                                                      \
            uint64_t done = 0;                                                                                         \
            do {                                                                                                       \
                for (size_t pass = 0; pass < BETWEEN; pass += (count)) {                                               \
                    for (size_t i = 0; i < (count); i++)                                                               \
                        kept = (EVALUATE);                                                                             \
                    done += (count);                                                                                   \
                }                                                                                                      \
                passed = now(CLOCK_PROCESS_CPUTIME_ID) - start;                                                        \
            } while (passed < ROUND_NS);                                                                               \
            printf("%.3f\n", passed / (double)done);                                                                   \
        }                                                                                                              \
        (void)kept;                                                                                                    \
    } while (0)

#endif

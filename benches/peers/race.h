/* What every peer has in common: it reads a filter and records, and times itself.
 *
 *   PEER FILTER RECORDS
 *
 * FILTER is an array of struct sock_filter, RECORDS one of struct seccomp_data, both as they lie in memory. A peer
 * prints the median time of one evaluation in nanoseconds, and a checksum over what it returned for the records. */
#ifndef RACE_H
#define RACE_H
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define ROUND_NS 20e6

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

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int count) {
    qsort(times, (size_t)count, sizeof *times, ascending);
    return times[count / 2];
}

/* Times EVALUATE, an expression in which `i` is the number of a record and which gives a 32-bit value. */
#define RACE(count, EVALUATE)                                                                                          \
    do {                                                                                                               \
        uint64_t sum = 0;                                                                                              \
        double times[ROUNDS];                                                                                          \
        volatile uint32_t kept;                                                                                        \
        for (size_t i = 0; i < (count); i++)                                                                           \
            sum += (uint64_t)(uint32_t)(EVALUATE) * (uint64_t)(i + 1);                                                 \
        for (int round = 0; round < ROUNDS; round++) {                                                                 \
            double start = now(), passed;                                                                              \
            uint64_t done = 0;                                                                                         \
            do {                                                                                                       \
                for (size_t i = 0; i < (count); i++)                                                                   \
                    kept = (EVALUATE);                                                                                 \
                done += (count);                                                                                       \
                passed = now() - start;                                                                                \
            } while (passed < ROUND_NS);                                                                               \
            times[round] = passed / (double)done;                                                                      \
        }                                                                                                              \
        (void)kept;                                                                                                    \
        printf("%.3f %llu\n", median(times, ROUNDS), (unsigned long long)sum);                                         \
    } while (0)

#endif

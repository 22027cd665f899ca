// Latencies in nanoseconds, counted in buckets that are 1/64 of their value wide, so a percentile is right to 1.6 %.
#ifndef PP_BENCH_HISTOGRAM_H
#define PP_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { PP_BENCH_STEP_BITS = 6, PP_BENCH_BUCKETS = 40 << PP_BENCH_STEP_BITS };

struct pp_bench_histogram {
    uint64_t counts[PP_BENCH_BUCKETS];
    uint64_t total;
    uint64_t max; // nanoseconds, exact
};

static inline uint32_t pp_bench_bucket(uint64_t value)
{
    uint64_t steps = 1u << PP_BENCH_STEP_BITS;
    if (value < steps)
        return (uint32_t)value;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - PP_BENCH_STEP_BITS;
    uint64_t bucket = (shift + 1) * steps + (value >> shift) - steps;
    return bucket < PP_BENCH_BUCKETS ? (uint32_t)bucket : PP_BENCH_BUCKETS - 1;
}

static inline void pp_bench_histogram_add(struct pp_bench_histogram *histogram, uint64_t value)
{
    histogram->counts[pp_bench_bucket(value)]++;
    histogram->total++;
    if (value > histogram->max)
        histogram->max = value;
}

// The value that share (0 to 1) of all values do not exceed, in nanoseconds; 0 where nothing was added.
uint64_t pp_bench_histogram_at(const struct pp_bench_histogram *histogram, double share);

#endif

// Reading a histogram; see histogram.h.
#include "histogram.h"

// The middle of a bucket, the inverse of pp_bench_bucket().
static uint64_t bucket_value(uint32_t bucket)
{
    uint32_t steps = 1u << PP_BENCH_STEP_BITS;
    if (bucket < steps)
        return bucket;
    uint32_t shift = bucket / steps - 1;
    uint64_t low = (uint64_t)(steps + bucket % steps) << shift;
    return low + (1ull << shift) / 2;
}

uint64_t pp_bench_histogram_at(const struct pp_bench_histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < PP_BENCH_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (histogram->counts[i] && seen >= wanted)
            return bucket_value(i) < histogram->max ? bucket_value(i) : histogram->max;
    }
    return histogram->max;
}

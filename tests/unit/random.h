/* Numbers for tests that try many things: the same on every run, and every failure can be repeated from its seed. */
#ifndef PP_TESTS_RANDOM_H
#define PP_TESTS_RANDOM_H

#include <stdint.h>

struct pp_random {
    uint64_t state;
};

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static inline uint64_t pp_random_next(struct pp_random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* From 0 to below `n`. */
static inline uint64_t pp_random_below(struct pp_random *random, uint64_t n)
{
    return pp_random_next(random) % n;
}

#endif

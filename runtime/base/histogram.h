/* How long things took: counts by fixed bounds, from a microsecond to ten seconds in steps of 1, 2.5 and 5. */
#ifndef PP_BASE_HISTOGRAM_H
#define PP_BASE_HISTOGRAM_H

#include <stdint.h>

#define PP_HISTOGRAM_BOUNDS 22

/* In nanoseconds, rising. */
extern const uint64_t pp_histogram_bounds[PP_HISTOGRAM_BOUNDS];

/* Zero-initialised it is empty. counts[i] is of what took at most bounds[i], and more than the bound before; the last
 * count is of all that took longer. */
struct pp_histogram {
    uint64_t counts[PP_HISTOGRAM_BOUNDS + 1];
    uint64_t sum; /* nanoseconds */
};

void pp_histogram_add(struct pp_histogram *histogram, uint64_t ns);

#endif

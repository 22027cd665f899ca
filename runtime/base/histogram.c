/* Most of what is measured is short, so the search begins at the shortest. */
#include "base/histogram.h"

#define US 1000u
#define MS 1000000u
#define S 1000000000u

const uint64_t pp_histogram_bounds[PP_HISTOGRAM_BOUNDS] = {
    1 * US, 2500,    5 * US,  10 * US, 25 * US,  50 * US,  100 * US, 250 * US, 500 * US,     1 * MS,   2500 * US,
    5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1ull * S, 2500ull * MS, 5ull * S, 10ull * S,
};

void pp_histogram_add(struct pp_histogram *histogram, uint64_t ns)
{
    unsigned i = 0;
    while (i < PP_HISTOGRAM_BOUNDS && ns > pp_histogram_bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += ns;
}

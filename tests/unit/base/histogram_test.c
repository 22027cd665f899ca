/* Histograms, held against a sorted list of what was added. */
#include "base/histogram.h"
#include "harness.h"
#include "random.h"

#include <stdbool.h>
#include <string.h>

static struct pp_histogram histogram;

static uint64_t total(void)
{
    uint64_t count = 0;
    for (int i = 0; i <= PP_HISTOGRAM_BOUNDS; i++)
        count += histogram.counts[i];
    return count;
}

static void has_bounds_that_rise(void)
{
    CU_ASSERT_EQUAL(pp_histogram_bounds[0], 1000);
    CU_ASSERT_EQUAL(pp_histogram_bounds[PP_HISTOGRAM_BOUNDS - 1], 10000000000);
    for (int i = 1; i < PP_HISTOGRAM_BOUNDS; i++) {
        double step = (double)pp_histogram_bounds[i] / (double)pp_histogram_bounds[i - 1];
        CU_ASSERT(step >= 2 && step <= 2.5);
    }
}

static void counts_a_bound_below_itself(void)
{
    for (int i = 0; i < PP_HISTOGRAM_BOUNDS; i++) {
        memset(&histogram, 0, sizeof histogram);
        pp_histogram_add(&histogram, pp_histogram_bounds[i]);
        CU_ASSERT_EQUAL(histogram.counts[i], 1);
        pp_histogram_add(&histogram, pp_histogram_bounds[i] + 1);
        CU_ASSERT_EQUAL(histogram.counts[i + 1], 1);
        CU_ASSERT_EQUAL(total(), 2);
        CU_ASSERT_EQUAL(histogram.sum, 2 * pp_histogram_bounds[i] + 1);
    }
}

static void takes_nothing_and_for_ever(void)
{
    memset(&histogram, 0, sizeof histogram);
    pp_histogram_add(&histogram, 0);
    pp_histogram_add(&histogram, UINT64_MAX / 2);
    CU_ASSERT_EQUAL(histogram.counts[0], 1);
    CU_ASSERT_EQUAL(histogram.counts[PP_HISTOGRAM_BOUNDS], 1);
}

static void agrees_with_a_list(void)
{
    struct pp_random rnd = {.state = 7};
    uint64_t sum = 0, below[PP_HISTOGRAM_BOUNDS] = {0};
    memset(&histogram, 0, sizeof histogram);
    for (int i = 0; i < 20000; i++) {
        uint64_t ns = pp_random_next(&rnd) >> (24 + pp_random_below(&rnd, 40));
        pp_histogram_add(&histogram, ns);
        sum += ns;
        for (int b = 0; b < PP_HISTOGRAM_BOUNDS; b++)
            below[b] += ns <= pp_histogram_bounds[b];
    }
    uint64_t cumulative = 0;
    for (int b = 0; b < PP_HISTOGRAM_BOUNDS; b++) {
        cumulative += histogram.counts[b];
        CU_ASSERT_EQUAL(cumulative, below[b]);
    }
    CU_ASSERT_EQUAL(total(), 20000);
    CU_ASSERT_EQUAL(histogram.sum, sum);
}

int main(void)
{
    return pp_run_suite("base/histogram", (CU_TestInfo[]){
                                              {"has bounds that rise", has_bounds_that_rise},
                                              {"counts a bound below itself", counts_a_bound_below_itself},
                                              {"takes nothing, and for ever", takes_nothing_and_for_ever},
                                              {"agrees with a list", agrees_with_a_list},
                                              CU_TEST_INFO_NULL,
                                          });
}

/* Measuring the turns of a loop. */
#include "net/loop_delay.h"

#include "base/clock.h"
#include "base/histogram.h"
#include "harness.h"
#include "net/loop.h"

#include <string.h>

#define MS UINT64_C(1000000)

static struct pp_loop *loop;
static struct pp_histogram turns;

static void stop(struct pp_timer *timer)
{
    (void)timer;
    pp_loop_stop(loop);
}

static void keep_the_loop(struct pp_timer *timer)
{
    (void)timer;
    for (uint64_t began = pp_clock_ns(); pp_clock_ns() - began < 30 * MS;) {
    }
}

static void begin(void)
{
    loop = pp_loop_new();
    memset(&turns, 0, sizeof turns);
    pp_loop_measure(loop, &turns);
}

static void run_for(uint64_t ms)
{
    struct pp_timer timer = {.fire = stop};
    pp_loop_timer_start(loop, &timer, ms);
    pp_loop_run(loop);
}

static uint64_t longer_than(uint64_t ns)
{
    uint64_t count = turns.counts[PP_HISTOGRAM_BOUNDS];
    for (int i = 0; i < PP_HISTOGRAM_BOUNDS; i++)
        if (pp_histogram_bounds[i] > ns)
            count += turns.counts[i];
    return count;
}

static void sees_a_turn_that_keeps_the_loop(void)
{
    struct pp_timer timer = {.fire = keep_the_loop};
    begin();
    pp_loop_timer_start(loop, &timer, 5);
    run_for(60);
    run_for(1); /* the turn in which it was stopped has ended too */
    CU_ASSERT(turns.sum >= 30 * MS);
    CU_ASSERT(longer_than(25 * MS) >= 1);
    pp_loop_delete(loop);
}

static void leaves_out_the_time_that_it_waits(void)
{
    begin();
    uint64_t began = pp_clock_ns();
    run_for(100);
    run_for(1);
    CU_ASSERT(turns.sum + 90 * MS <= pp_clock_ns() - began);
    pp_loop_delete(loop);
}

static void measures_until_told_not_to(void)
{
    begin();
    pp_loop_measure(loop, NULL);
    run_for(5);
    CU_ASSERT_EQUAL(turns.sum, 0);
    pp_loop_delete(loop);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"sees a turn that keeps the loop", sees_a_turn_that_keeps_the_loop},
        {"leaves out the time that it waits", leaves_out_the_time_that_it_waits},
        {"measures until told not to", measures_until_told_not_to},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/loop_delay", tests);
}

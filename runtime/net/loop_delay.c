/* A turn is what lies between two waits. libuv counts the time that it waits; the rest of the time between the end of
 * one wait's preparation and the beginning of the next is the turn. */
#include "net/loop_delay.h"

#include "base/clock.h"
#include "base/histogram.h"
#include "net/loop_internal.h"

void pp_loop_measure(struct pp_loop *loop, struct pp_histogram *into)
{
    uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME); /* refused by no libuv from 1.39 on */
    loop->turns = into;
    loop->turn_began = 0;
}

void pp_loop_turn_ends(struct pp_loop *loop)
{
    if (loop->turn_began == 0) /* it was under way when measuring began */
        return;
    uint64_t waited = uv_metrics_idle_time(&loop->uv) - loop->idle_before;
    uint64_t passed = pp_clock_ns() - loop->turn_began;
    pp_histogram_add(loop->turns, passed > waited ? passed - waited : 0);
}

void pp_loop_turn_begins(struct pp_loop *loop)
{
    loop->idle_before = uv_metrics_idle_time(&loop->uv);
    loop->turn_began = pp_clock_ns();
}

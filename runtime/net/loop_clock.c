/* The frozen clock. It is moved in the prepare step of a turn, one due time each, so that sockets are looked at between
 * any two. */
#include "net/loop_clock.h"

#include "net/loop_internal.h"

#define SETTLE_NS 1000000

static void fire_at_once(struct pp_loop *loop)
{
    struct pp_timer *list = loop->clock.at_once, *timer;
    loop->clock.at_once = NULL;
    if (list == NULL)
        return;
    list->link = &list; /* else cancelling the newest would write to the loop */
    pp_timer_reverse(&list);
    while ((timer = list) != NULL) { /* what they start at once has its turn in the next one */
        pp_timer_take(timer);
        timer->fire(timer);
    }
}

static void finish(struct pp_loop *loop)
{
    void (*done)(void *arg) = loop->clock.done;
    loop->clock.done = NULL;
    if (done != NULL)
        done(loop->clock.arg);
}

/* To the next time at which something is due, or that a timer is moved within the wheel. */
static void move(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    uint64_t next = pp_wheel_next(&loop->timers.wheel);
    if (next > clock->target)
        next = clock->target;
    if (next > clock->now)
        clock->now = next;
    pp_wheel_advance(&loop->timers.wheel, clock->now);
}

/* What was written to a socket is at its other end at once as a rule, and a moment later on a machine that is busy. */
static bool is_quiet(struct pp_loop *loop)
{
    if (!pp_loop_is_quiet(loop, loop->clock.wrote ? SETTLE_NS : 0))
        return false;
    loop->clock.wrote = false;
    return true;
}

bool pp_loop_clock_step(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    pp_wheel_advance(&loop->timers.wheel, clock->now); /* what was due when the clock was frozen */
    bool rests = clock->at_once == NULL && loop->later.first == NULL;
    bool moving = clock->done != NULL && rests && is_quiet(loop);
    if (clock->at_once != NULL)
        fire_at_once(loop);
    else if (moving && clock->now < clock->target)
        move(loop);
    else if (moving)
        finish(loop);
    pp_loop_run_tasks(loop);
    return clock->done != NULL || clock->at_once != NULL;
}

void pp_loop_clock_freeze(struct pp_loop *loop)
{
    if (loop->clock.frozen)
        return;
    loop->clock.now = (pp_loop_now_ns(loop) + 999999) / 1000000; /* never back, not by what a turn has taken */
    loop->clock.target = loop->clock.now;
    loop->clock.frozen = true;
    loop->timers.armed = UINT64_MAX;
    uv_timer_stop(&loop->timers.handle);
}

bool pp_loop_clock_frozen(const struct pp_loop *loop)
{
    return loop->clock.frozen;
}

bool pp_loop_clock_advance(struct pp_loop *loop, uint64_t ms, void (*done)(void *arg), void *arg)
{
    struct pp_loop_clock *clock = &loop->clock;
    if (!clock->frozen || clock->done != NULL)
        return false;
    clock->target = clock->now + ms;
    clock->done = done;
    clock->arg = arg;
    return true;
}

void pp_loop_clock_thaw(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    if (!clock->frozen)
        return;
    clock->ahead = clock->now - uv_now(&loop->uv);
    clock->frozen = false;
    pp_timer_reverse(&clock->at_once);
    while (clock->at_once != NULL)
        pp_loop_timer_start(loop, clock->at_once, 0);
    finish(loop);
}

/* The loop's clock held still and moved by hand. */
#include "harness.h"
#include "net/loop.h"
#include "net/loop_clock.h"
#include "net/loop_task.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static struct pp_loop *loop;
static uint64_t start;
static char seen[256]; /* "name at time, " of what fired */

struct named {
    struct pp_timer timer;
    struct pp_turn_task task;
    const char *name;
    uint64_t sleep; /* the task that it queues starts `then` after so many ms */
    struct named *then;
};

static void run_task(struct pp_turn_task *task)
{
    struct named *named = (struct named *)((char *)task - offsetof(struct named, task));
    pp_loop_timer_start(loop, &named->then->timer, named->sleep);
}

static void fire(struct pp_timer *timer)
{
    struct named *named = (struct named *)((char *)timer - offsetof(struct named, timer));
    size_t len = strlen(seen);
    snprintf(seen + len, sizeof seen - len, "%s %u, ", named->name, (unsigned)(pp_loop_now(loop) - start));
    if (named->then != NULL)
        pp_loop_at_turn_end(loop, &named->task);
}

static struct named named(const char *name)
{
    return (struct named){.timer.fire = fire, .task.run = run_task, .name = name};
}

static void stop(struct pp_timer *timer)
{
    (void)timer;
    pp_loop_stop(loop);
}

static void stop_arg(void *arg)
{
    (void)arg;
    pp_loop_stop(loop);
}

static void begin(void)
{
    loop = pp_loop_new();
    pp_loop_clock_freeze(loop);
    start = pp_loop_now(loop);
    memset(seen, 0, sizeof seen);
}

static void run_in_real_time(uint64_t ms)
{
    struct pp_timer timer = {.fire = stop};
    pp_loop_guard_start(loop, &timer, ms);
    pp_loop_run(loop);
}

static void advance(uint64_t ms)
{
    CU_ASSERT_TRUE(pp_loop_clock_advance(loop, ms, stop_arg, NULL));
    pp_loop_run(loop);
}

static void stands_still(void)
{
    begin();
    struct named a = named("a");
    pp_loop_timer_start(loop, &a.timer, 1);
    run_in_real_time(20);
    CU_ASSERT_STRING_EQUAL(seen, "");
    CU_ASSERT_EQUAL(pp_loop_now(loop), start);
    CU_ASSERT_EQUAL(pp_loop_now_ns(loop), start * 1000000);
    advance(1);
    CU_ASSERT_STRING_EQUAL(seen, "a 1, ");
    pp_loop_delete(loop);
}

static void fires_in_order_with_what_is_woken_between(void)
{
    begin();
    struct named a = named("a"), b = named("b"), c = named("c"), far = named("far");
    a.then = &c;
    a.sleep = 5;
    pp_loop_timer_start(loop, &b.timer, 20);
    pp_loop_timer_start(loop, &a.timer, 10);
    pp_loop_timer_start(loop, &far.timer, 10000000);
    advance(9999999);
    CU_ASSERT_STRING_EQUAL(seen, "a 10, c 15, b 20, ");
    advance(1);
    CU_ASSERT_STRING_EQUAL(seen, "a 10, c 15, b 20, far 10000000, ");
    pp_loop_delete(loop);
}

static void fires_what_is_due_at_once_without_being_moved(void)
{
    begin();
    struct named a = named("a"), b = named("b"), c = named("c"), gone = named("gone");
    a.then = &c;
    pp_loop_timer_start(loop, &gone.timer, 0);
    pp_loop_timer_start(loop, &a.timer, 0);
    pp_loop_timer_start(loop, &b.timer, 0);
    pp_loop_timer_stop(loop, &gone.timer);
    run_in_real_time(5);
    CU_ASSERT_STRING_EQUAL(seen, "a 0, b 0, c 0, ");
    pp_loop_delete(loop);
}

static void keeps_what_time_is_left_when_given_back(void)
{
    begin();
    struct named soon = named("soon"), at_once = named("at once"), later = named("later");
    advance(1000000);
    start += 1000000;
    pp_loop_timer_start(loop, &soon.timer, 2);
    pp_loop_timer_start(loop, &at_once.timer, 0);
    pp_loop_timer_start(loop, &later.timer, 500000);
    pp_loop_clock_thaw(loop);
    CU_ASSERT_FALSE(pp_loop_clock_frozen(loop));
    run_in_real_time(30);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "at once "));
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "soon "));
    CU_ASSERT_PTR_NULL(strstr(seen, "later"));
    CU_ASSERT_TRUE(pp_loop_now(loop) > start);
    pp_loop_clock_freeze(loop);
    advance(500000);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "later "));
    pp_loop_delete(loop);
}

static unsigned ended;

static void count_end(void *arg)
{
    (void)arg;
    ended++;
}

static void is_advanced_by_one_at_a_time(void)
{
    begin();
    ended = 0;
    CU_ASSERT_TRUE(pp_loop_clock_advance(loop, 10, count_end, NULL));
    CU_ASSERT_FALSE(pp_loop_clock_advance(loop, 10, count_end, NULL));
    pp_loop_clock_thaw(loop);
    CU_ASSERT_EQUAL(ended, 1);
    CU_ASSERT_FALSE(pp_loop_clock_advance(loop, 10, count_end, NULL));
    run_in_real_time(2);
    CU_ASSERT_EQUAL(ended, 1);
    pp_loop_delete(loop);
}

static void leaves_guards_alone(void)
{
    begin();
    struct named guard = named("guard"), moved = named("moved");
    pp_loop_guard_start(loop, &guard.timer, 1);
    pp_loop_guard_start(loop, &moved.timer, 1);
    pp_loop_timer_start(loop, &moved.timer, 1); /* to the clock that stands */
    run_in_real_time(20);
    CU_ASSERT_STRING_EQUAL(seen, "guard 0, ");
    pp_loop_guard_start(loop, &guard.timer, 1000000);
    advance(2000000);
    CU_ASSERT_STRING_EQUAL(seen, "guard 0, moved 1, ");
    pp_loop_timer_stop(loop, &guard.timer);
    CU_ASSERT_FALSE(pp_timer_pending(&guard.timer));
    pp_loop_delete(loop);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"stands still until it is moved", stands_still},
        {"fires in order, with what is woken between", fires_in_order_with_what_is_woken_between},
        {"fires what is due at once without being moved", fires_what_is_due_at_once_without_being_moved},
        {"keeps what time is left when it is given back", keeps_what_time_is_left_when_given_back},
        {"is advanced by one at a time", is_advanced_by_one_at_a_time},
        {"leaves guards alone", leaves_guards_alone},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/loop_clock", tests);
}

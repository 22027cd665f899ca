/* The timer wheel in virtual time, held against a plain array of due times. */
#include "base/wheel.h"
#include "harness.h"
#include "random.h"

#include <stdlib.h>
#include <string.h>

#define TIMERS 400

static struct pp_wheel wheel;
static struct pp_random rnd;

/* A timer with what the model knows of it. */
struct modelled {
    struct pp_timer timer;
    uint64_t due; /* UINT64_MAX while idle */
    unsigned fired;
};

static struct modelled all[TIMERS];
static uint64_t last_due; /* of what fired before */
static bool changing;     /* firing adds and cancels others */

static struct modelled *modelled_of(struct pp_timer *timer)
{
    return (struct modelled *)((char *)timer - offsetof(struct modelled, timer));
}

static void add(struct modelled *m, uint64_t due)
{
    pp_wheel_add(&wheel, &m->timer, due);
    m->due = due > wheel.now ? due : wheel.now + 1;
}

static void cancel(struct modelled *m)
{
    pp_wheel_cancel(&wheel, &m->timer);
    m->due = UINT64_MAX;
}

static struct modelled *any(void)
{
    return &all[pp_random_below(&rnd, TIMERS)];
}

/* Near times mostly, and every level of the wheel now and then. */
static uint64_t some_delay(void)
{
    return pp_random_next(&rnd) >> (26 + pp_random_below(&rnd, 38));
}

static void on_fire(struct pp_timer *timer)
{
    struct modelled *m = modelled_of(timer);
    if (pp_timer_pending(timer) || m->due != wheel.now || m->due < last_due)
        CU_FAIL("fired at another time than it was due");
    last_due = m->due;
    m->due = UINT64_MAX;
    m->fired++;
    if (!changing)
        return;
    if (pp_random_below(&rnd, 2))
        add(m, wheel.now + some_delay());
    if (pp_random_below(&rnd, 4) == 0)
        cancel(any());
    if (pp_random_below(&rnd, 4) == 0)
        add(any(), wheel.now + pp_random_below(&rnd, 3));
}

static void begin(uint64_t now, uint64_t seed)
{
    pp_wheel_create(&wheel, now);
    rnd.state = seed;
    last_due = 0;
    changing = false;
    memset(all, 0, sizeof all);
    for (int i = 0; i < TIMERS; i++) {
        all[i].due = UINT64_MAX;
        all[i].timer.fire = on_fire;
    }
}

static uint64_t earliest(void)
{
    uint64_t due = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        due = all[i].due < due ? all[i].due : due;
    return due;
}

static bool agrees(void)
{
    uint64_t due = earliest(), next = pp_wheel_next(&wheel);
    for (int i = 0; i < TIMERS; i++)
        if (pp_timer_pending(&all[i].timer) != (all[i].due != UINT64_MAX))
            return false;
    return (next == UINT64_MAX) == (due == UINT64_MAX) && next <= due && due > wheel.now;
}

static void model_run(uint64_t seed)
{
    begin(pp_random_below(&(struct pp_random){seed}, UINT64_C(1) << 41), seed);
    changing = true;
    for (int step = 0; step < 2000; step++) {
        switch (pp_random_below(&rnd, 4)) {
        case 0:
        case 1:
            add(any(), wheel.now + some_delay());
            break;
        case 2:
            cancel(any());
            break;
        default:
            pp_wheel_advance(&wheel, wheel.now + some_delay() % 100000);
        }
        if (!agrees()) {
            CU_FAIL("the wheel and the model differ");
            return;
        }
    }
    changing = false;
    while (earliest() != UINT64_MAX)
        pp_wheel_advance(&wheel, earliest());
    CU_ASSERT_EQUAL(pp_wheel_next(&wheel), UINT64_MAX);
}

static void agrees_with_a_model(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        model_run(seed);
}

static void fires_at_its_time_on_every_level(void)
{
    for (unsigned shift = 0; shift < 40; shift++)
        for (int off = -1; off <= 1; off++) {
            begin(1000, 1);
            uint64_t due = 1000 + (UINT64_C(1) << shift) + (uint64_t)(int64_t)off;
            if (due <= 1000)
                continue;
            add(&all[0], due);
            pp_wheel_advance(&wheel, due - 1);
            CU_ASSERT_EQUAL(all[0].fired, 0);
            pp_wheel_advance(&wheel, due);
            CU_ASSERT_EQUAL(all[0].fired, 1);
        }
}

static void fires_what_is_past_a_millisecond_from_now(void)
{
    begin(1000, 1);
    add(&all[0], 0);
    add(&all[1], 1000);
    pp_wheel_advance(&wheel, 1000);
    CU_ASSERT_EQUAL(all[0].fired + all[1].fired, 0);
    CU_ASSERT_EQUAL(pp_wheel_next(&wheel), 1001);
    pp_wheel_advance(&wheel, 1001);
    CU_ASSERT_EQUAL(all[0].fired + all[1].fired, 2);
}

static void keeps_the_furthest_for_later(void)
{
    begin(5, 1);
    pp_wheel_add(&wheel, &all[0].timer, UINT64_MAX);
    CU_ASSERT_TRUE(pp_timer_pending(&all[0].timer));
    CU_ASSERT_TRUE(pp_wheel_next(&wheel) > UINT64_C(1) << 39);
    pp_wheel_advance(&wheel, UINT64_C(1) << 39);
    CU_ASSERT_EQUAL(all[0].fired, 0);
    pp_wheel_cancel(&wheel, &all[0].timer);
    CU_ASSERT_EQUAL(pp_wheel_next(&wheel), UINT64_MAX);
}

static void moves_a_timer_that_is_added_again(void)
{
    begin(0, 1);
    add(&all[0], 10);
    add(&all[0], 100000);
    pp_wheel_advance(&wheel, 99999);
    CU_ASSERT_EQUAL(all[0].fired, 0);
    add(&all[0], 100005);
    pp_wheel_advance(&wheel, 200000);
    CU_ASSERT_EQUAL(all[0].fired, 1);
}

static void may_cancel_what_is_idle(void)
{
    begin(0, 1);
    cancel(&all[0]);
    add(&all[0], 5);
    cancel(&all[0]);
    cancel(&all[0]);
    CU_ASSERT_FALSE(pp_timer_pending(&all[0].timer));
    CU_ASSERT_EQUAL(pp_wheel_next(&wheel), UINT64_MAX);
    pp_wheel_advance(&wheel, 10);
    CU_ASSERT_EQUAL(all[0].fired, 0);
}

static struct pp_timer *victim;

static void cancel_victim(struct pp_timer *timer)
{
    (void)timer;
    pp_wheel_cancel(&wheel, victim);
}

/* Of two that are due at once, whichever fires first takes the other away. */
static void fires_no_timer_that_was_cancelled_beside_it(void)
{
    begin(0, 1);
    add(&all[0], 7);
    pp_wheel_add(&wheel, &all[1].timer, 7);
    all[1].timer.fire = cancel_victim;
    victim = &all[0].timer;
    pp_wheel_advance(&wheel, 7);
    CU_ASSERT_TRUE(all[0].fired <= 1);
    CU_ASSERT_FALSE(pp_timer_pending(&all[0].timer));
    CU_ASSERT_EQUAL(pp_wheel_next(&wheel), UINT64_MAX);
}

static uint64_t again_at;

static void add_again(struct pp_timer *timer)
{
    modelled_of(timer)->fired++;
    if (modelled_of(timer)->fired < 100)
        pp_wheel_add(&wheel, timer, again_at);
}

/* A timer that asks for now again has its turn a millisecond later: advance ends. */
static void does_not_turn_on_the_spot(void)
{
    begin(0, 1);
    again_at = 0;
    all[0].timer.fire = add_again;
    pp_wheel_add(&wheel, &all[0].timer, 1);
    pp_wheel_advance(&wheel, 10);
    CU_ASSERT_EQUAL(all[0].fired, 10);
    pp_wheel_advance(&wheel, 1000);
    CU_ASSERT_EQUAL(all[0].fired, 100);
}

static char order[8];

static void note_order(struct pp_timer *timer)
{
    order[strlen(order)] = (char)('a' + (modelled_of(timer) - all));
}

/* Whatever the level that they were put on: some are added while they are far off, others when they are near. */
static void fires_equals_in_the_order_of_adding(void)
{
    static const uint64_t dues[] = {5, 64, 100, 4096, 5000, 300000};
    for (size_t d = 0; d < sizeof dues / sizeof *dues; d++) {
        begin(0, 1);
        memset(order, 0, sizeof order);
        for (int i = 0; i < 6; i++) {
            all[i].timer.fire = note_order;
            pp_wheel_add(&wheel, &all[i].timer, dues[d]);
            pp_wheel_advance(&wheel, wheel.now + (dues[d] - wheel.now) / 2);
        }
        pp_wheel_add(&wheel, &all[1].timer, dues[d]); /* again: it is the last now */
        pp_wheel_advance(&wheel, dues[d]);
        CU_ASSERT_STRING_EQUAL(order, "acdefb");
    }
}

static void does_not_go_back(void)
{
    begin(1000, 1);
    add(&all[0], 1010);
    pp_wheel_advance(&wheel, 500);
    CU_ASSERT_EQUAL(wheel.now, 1000);
    pp_wheel_advance(&wheel, 1010);
    CU_ASSERT_EQUAL(all[0].fired, 1);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"agrees with a model, whatever is added and cancelled", agrees_with_a_model},
        {"fires at its time on every level", fires_at_its_time_on_every_level},
        {"fires what is past a millisecond from now", fires_what_is_past_a_millisecond_from_now},
        {"keeps the furthest for later", keeps_the_furthest_for_later},
        {"moves a timer that is added again", moves_a_timer_that_is_added_again},
        {"may cancel what is idle", may_cancel_what_is_idle},
        {"fires no timer that was cancelled beside it", fires_no_timer_that_was_cancelled_beside_it},
        {"does not turn on the spot", does_not_turn_on_the_spot},
        {"fires equals in the order of adding", fires_equals_in_the_order_of_adding},
        {"does not go back in time", does_not_go_back},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/wheel", tests);
}

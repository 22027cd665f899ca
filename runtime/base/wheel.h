/* A hierarchical timer wheel: adding and cancelling cost O(1) however many timers there are, and time is passed in.
 *
 * Level n has 64 slots of 64^n milliseconds. A timer sits on the level of the highest 6-bit digit in which its due time
 * differs from the wheel's time, so it moves down one level each time that digit is reached, and fires from level 0. */
#ifndef PP_BASE_WHEEL_H
#define PP_BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_WHEEL_LEVELS 7 /* 64^7 ms: 139 years */

/* Embedded in what it belongs to. Zero-initialised it is idle. */
struct pp_timer {
    struct pp_timer *next;
    struct pp_timer **link; /* what points here; NULL while idle */
    uint64_t due;           /* ms, on the clock of the wheel */
    void (*fire)(struct pp_timer *timer);
};

struct pp_wheel {
    uint64_t now;
    uint64_t occupied[PP_WHEEL_LEVELS];
    struct pp_timer *slots[PP_WHEEL_LEVELS][64];
};

/* `now` is below 2^41, as milliseconds since a machine's start are for its first 69 years. */
void pp_wheel_create(struct pp_wheel *wheel, uint64_t now);

/* Fires `timer` once, at the first advance to `due` or later; what is due already fires one millisecond from the
 * wheel's now. A timer that was pending is moved. timer->fire must be set. */
void pp_wheel_add(struct pp_wheel *wheel, struct pp_timer *timer, uint64_t due);

/* An idle timer may be cancelled. */
void pp_wheel_cancel(struct pp_wheel *wheel, struct pp_timer *timer);

/* Lists of timers outside of a wheel, newest first. pp_timer_take takes a timer off such a list. */
void pp_timer_push(struct pp_timer **list, struct pp_timer *timer);
void pp_timer_take(struct pp_timer *timer);
/* Turns the list around: oldest first. */
void pp_timer_reverse(struct pp_timer **list);

static inline bool pp_timer_pending(const struct pp_timer *timer)
{
    return timer->link != NULL;
}

/* Fires what is due up to `now`, in order of due time, and of adding where that is the same. Timers may be added and
 * cancelled while it runs. */
void pp_wheel_advance(struct pp_wheel *wheel, uint64_t now);

/* No timer fires before the returned time; UINT64_MAX where there is none. */
uint64_t pp_wheel_next(const struct pp_wheel *wheel);

#endif

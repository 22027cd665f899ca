/* The timer wheel. Invariant: each slot in use lies ahead of the wheel's time on its level, so the lowest bit of the
 * lowest occupied level is the next thing to happen. */
#include "base/wheel.h"

#include <stddef.h>
#include <string.h>

#define FURTHEST (UINT64_C(1) << 40) /* what is due later is moved once it is nearer: 34 years */

void pp_wheel_create(struct pp_wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->now = now;
}

static void put(struct pp_wheel *wheel, struct pp_timer *timer)
{
    int level = (63 - __builtin_clzll(timer->due ^ wheel->now)) / 6;
    int slot = (int)(timer->due >> (6 * level)) & 63;
    struct pp_timer **head = &wheel->slots[level][slot];
    timer->next = *head;
    timer->link = head;
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    *head = timer;
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

static void take(struct pp_timer *timer)
{
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
    timer->link = NULL;
    timer->next = NULL;
}

void pp_wheel_add(struct pp_wheel *wheel, struct pp_timer *timer, uint64_t due)
{
    pp_wheel_cancel(wheel, timer);
    if (due <= wheel->now)
        due = wheel->now + 1;
    if (due - wheel->now > FURTHEST)
        due = wheel->now + FURTHEST;
    timer->due = due;
    put(wheel, timer);
}

void pp_wheel_cancel(struct pp_wheel *wheel, struct pp_timer *timer)
{
    if (timer->link == NULL)
        return;
    /* The slot's bit may only be cleared when its list is empty, which shows where the link is the list's head. */
    struct pp_timer **head = timer->link;
    take(timer);
    struct pp_timer **first = &wheel->slots[0][0];
    if (*head == NULL && head >= first && head < first + PP_WHEEL_LEVELS * 64) {
        ptrdiff_t index = head - first;
        wheel->occupied[index / 64] &= ~(UINT64_C(1) << (index % 64));
    }
}

uint64_t pp_wheel_next(const struct pp_wheel *wheel)
{
    for (int level = 0; level < PP_WHEEL_LEVELS; level++)
        if (wheel->occupied[level] != 0) {
            uint64_t slot = (uint64_t)__builtin_ctzll(wheel->occupied[level]);
            int shift = 6 * level;
            return (wheel->now >> (shift + 6) << (shift + 6)) | slot << shift;
        }
    return UINT64_MAX;
}

/* Moves the timers of the slot that the wheel's time has just entered on `level` to the levels below. */
static void cascade(struct pp_wheel *wheel, int level)
{
    int slot = (int)(wheel->now >> (6 * level)) & 63;
    struct pp_timer *timer = wheel->slots[level][slot];
    wheel->slots[level][slot] = NULL;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (timer != NULL) {
        struct pp_timer *next = timer->next;
        if (timer->due == wheel->now) { /* put() wants a time ahead: due now belongs into the slot about to fire */
            struct pp_timer **head = &wheel->slots[0][wheel->now & 63];
            timer->next = *head;
            timer->link = head;
            if (timer->next != NULL)
                timer->next->link = &timer->next;
            *head = timer;
        } else {
            put(wheel, timer);
        }
        timer = next;
    }
}

void pp_wheel_advance(struct pp_wheel *wheel, uint64_t now)
{
    uint64_t at;
    while ((at = pp_wheel_next(wheel)) <= now) {
        wheel->now = at;
        for (int level = PP_WHEEL_LEVELS - 1; level > 0; level--)
            if ((at & ((UINT64_C(1) << (6 * level)) - 1)) == 0)
                cascade(wheel, level);
        int slot = (int)at & 63;
        wheel->occupied[0] &= ~(UINT64_C(1) << slot);
        struct pp_timer *timer;
        while ((timer = wheel->slots[0][slot]) != NULL) {
            take(timer);
            timer->fire(timer);
        }
    }
    if (now > wheel->now)
        wheel->now = now;
}

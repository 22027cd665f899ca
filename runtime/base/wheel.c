/* The timer wheel. Invariants: each slot in use lies ahead of the wheel's time on its level, so the lowest bit of the
 * lowest occupied level is the next thing to happen. A slot's list has the newest first, and is turned around when it
 * is its turn; whatever reaches a slot from the level above does so before anything is added to it directly. */
#include "base/wheel.h"

#include <stddef.h>
#include <string.h>

#define FURTHEST (UINT64_C(1) << 40) /* what is due later is moved once it is nearer: 34 years */

void pp_wheel_create(struct pp_wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->now = now;
}

void pp_timer_push(struct pp_timer **list, struct pp_timer *timer)
{
    timer->next = *list;
    timer->link = list;
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    *list = timer;
}

void pp_timer_take(struct pp_timer *timer)
{
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
    timer->link = NULL;
    timer->next = NULL;
}

void pp_timer_reverse(struct pp_timer **list)
{
    struct pp_timer *rest = *list;
    *list = NULL;
    while (rest != NULL) {
        struct pp_timer *timer = rest;
        rest = timer->next;
        pp_timer_push(list, timer);
    }
}

static void put(struct pp_wheel *wheel, struct pp_timer *timer)
{
    int level = (63 - __builtin_clzll(timer->due ^ wheel->now)) / 6;
    int slot = (int)(timer->due >> (6 * level)) & 63;
    pp_timer_push(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= UINT64_C(1) << slot;
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
    pp_timer_take(timer);
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
    struct pp_timer **list = &wheel->slots[level][slot], *timer;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    pp_timer_reverse(list);
    while ((timer = *list) != NULL) {
        pp_timer_take(timer);
        if (timer->due == wheel->now) /* put() wants a time ahead: due now belongs into the slot about to fire */
            pp_timer_push(&wheel->slots[0][wheel->now & 63], timer);
        else
            put(wheel, timer);
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
        pp_timer_reverse(&wheel->slots[0][slot]);
        struct pp_timer *timer;
        while ((timer = wheel->slots[0][slot]) != NULL) {
            pp_timer_take(timer);
            timer->fire(timer);
        }
    }
    if (now > wheel->now)
        wheel->now = now;
}

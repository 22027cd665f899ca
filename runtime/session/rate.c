/* Window counters. */
#include "session/rate.h"

/* Moves the window on to the one that holds `now`. True where it moved. */
static bool roll(struct pp_rate_window *window, uint64_t length, uint64_t now)
{
    uint64_t start = now - now % length;
    if (start == window->start)
        return false;
    window->before = start == window->start + length ? window->count : 0;
    window->count = 0;
    window->start = start;
    return true;
}

static bool has_room(const struct pp_rate_window *window, uint64_t length, uint32_t limit, bool sliding, uint64_t now)
{
    if (limit == 0)
        return true;
    uint64_t used = window->count;
    if (sliding)
        used += window->before * (length - (now - window->start)) / length;
    return used < limit;
}

bool pp_rate_allow(struct pp_rate *rate, const struct pp_rate_limit *limit, uint64_t now)
{
    if (roll(&rate->second, 1000, now))
        rate->told_second = false;
    if (roll(&rate->minute, 60000, now))
        rate->told_minute = false;
    rate->by_minute = !has_room(&rate->minute, 60000, limit->per_minute, limit->sliding, now);
    if (rate->by_minute || !has_room(&rate->second, 1000, limit->per_second, limit->sliding, now))
        return false;
    rate->second.count++;
    rate->minute.count++;
    return true;
}

bool pp_rate_tell_once(struct pp_rate *rate)
{
    bool *told = rate->by_minute ? &rate->told_minute : &rate->told_second;
    bool first = !*told;
    *told = true;
    return first;
}

/* Rate limiting of one client in constant memory: messages per second and per minute, in fixed or sliding windows. */
#ifndef PP_SESSION_RATE_H
#define PP_SESSION_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct pp_rate_limit {
    uint32_t per_second, per_minute; /* 0: no limit */
    bool sliding; /* the window before counts in proportion to how much of it the last second (minute) still covers */
};

struct pp_rate_window {
    uint64_t start; /* ms */
    uint32_t count, before;
};

/* Zero-initialised it has seen nothing. */
struct pp_rate {
    struct pp_rate_window second, minute;
    bool told_second, told_minute; /* the client was told in this one: see pp_rate_tell_once */
    bool by_minute;                /* what the last refused message was over */
};

/* Counts one message at `now`; false where it is over the limit (it is not counted then). */
bool pp_rate_allow(struct pp_rate *rate, const struct pp_rate_limit *limit, uint64_t now);

/* After a refusal: true once in each second, or minute, whose limit refuses: one answer, not one for each message. */
bool pp_rate_tell_once(struct pp_rate *rate);

#endif

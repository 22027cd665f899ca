/* One pp_rate for each limit. */
#include "session/limiter.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define LOOKS 2 /* messages read for each that may pass */

static bool allow(struct pp_rate *rate, const struct pp_rate_limit *limit, uint64_t now, struct pp_refusal *refusal)
{
    if (pp_rate_allow(rate, limit, now))
        return true;
    refusal->limit = rate->by_minute ? limit->per_minute : limit->per_second;
    refusal->window = rate->by_minute ? 60000 : 1000;
    refusal->first = pp_rate_tell_once(rate);
    return false;
}

/* The counters of the overrides; they begin anew where a reload has changed how many there are. */
static struct pp_rate *more(struct pp_limiter *limiter, const struct pp_limits *limits)
{
    if (limiter->more == NULL || limiter->override_count != limits->override_count) {
        free(limiter->more);
        limiter->more = pp_calloc(1 + limits->override_count, sizeof *limiter->more);
        limiter->override_count = limits->override_count;
    }
    return limiter->more;
}

bool pp_limiter_allow(struct pp_limiter *limiter, const struct pp_limits *limits, const char *ns, size_t ns_len,
                      uint64_t now, struct pp_refusal *refusal)
{
    *refusal = (struct pp_refusal){0};
    if (ns == NULL) {
        ns = "/";
        ns_len = 1;
    }
    for (size_t i = 0; i < limits->override_count; i++) {
        const struct pp_limit_override *override = &limits->overrides[i];
        if (override->ns_len == ns_len && memcmp(override->ns, ns, ns_len) == 0) {
            refusal->ns = override->ns;
            refusal->ns_len = ns_len;
            return allow(&more(limiter, limits)[1 + i], &override->limit, now, refusal);
        }
    }
    return allow(&limiter->rest, &limits->rest, now, refusal);
}

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a == 0 || b == 0 ? 0 : a + b; /* 0 is no limit */
}

bool pp_limiter_may_look(struct pp_limiter *limiter, const struct pp_limits *limits, uint64_t now,
                         struct pp_refusal *refusal)
{
    *refusal = (struct pp_refusal){0};
    struct pp_rate_limit all = limits->rest;
    for (size_t i = 0; i < limits->override_count; i++) {
        all.per_second = sum(all.per_second, limits->overrides[i].limit.per_second);
        all.per_minute = sum(all.per_minute, limits->overrides[i].limit.per_minute);
    }
    all.per_second *= LOOKS;
    all.per_minute *= LOOKS;
    return allow(&more(limiter, limits)[0], &all, now, refusal);
}

void pp_limiter_destroy(struct pp_limiter *limiter)
{
    free(limiter->more);
    *limiter = (struct pp_limiter){0};
}

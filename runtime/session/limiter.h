/* The rate limits of one client: one for most namespaces together, and one each for those that have their own. */
#ifndef PP_SESSION_LIMITER_H
#define PP_SESSION_LIMITER_H

#include "session/rate.h"

#include <stddef.h>

struct pp_limit_override {
    const char *ns;
    size_t ns_len;
    struct pp_rate_limit limit;
};

/* Shared by the clients of a server. */
struct pp_limits {
    struct pp_rate_limit rest; /* of the namespaces without an override, together */
    const struct pp_limit_override *overrides;
    size_t override_count;
};

/* Zero-initialised it has seen nothing. Its size depends on the number of overrides, and not on what a client sends. */
struct pp_limiter {
    struct pp_rate rest;
    struct pp_rate *more; /* of the looks, then one for each override; NULL until there is one */
    size_t override_count;
};

struct pp_refusal {
    const char *ns; /* NULL: of the namespaces without an override */
    size_t ns_len;
    uint32_t limit, window; /* so many messages in so many ms */
    bool first;             /* of its window: the client is to be told */
};

/* Is there any limit at all? */
static inline bool pp_limits_any(const struct pp_limits *limits)
{
    return (limits->rest.per_second | limits->rest.per_minute) != 0 || limits->override_count != 0;
}

/* Counts one message to a namespace (NULL: the default one) at `now`; false with `refusal` filled where it is over. */
bool pp_limiter_allow(struct pp_limiter *limiter, const struct pp_limits *limits, const char *ns, size_t ns_len,
                      uint64_t now, struct pp_refusal *refusal);

/* Where there are overrides, a message has to be read before it can be counted. This counts what is read: false where a
 * client sends far more than all of its limits together, so that refusing stays cheap. */
bool pp_limiter_may_look(struct pp_limiter *limiter, const struct pp_limits *limits, uint64_t now,
                         struct pp_refusal *refusal);

void pp_limiter_destroy(struct pp_limiter *limiter);

#endif

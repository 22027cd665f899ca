/* What the files of this folder share. */
#ifndef PP_DELTA_DELTA_INTERNAL_H
#define PP_DELTA_DELTA_INTERNAL_H

#include <string.h>

#include "delta/delta.h"

/* A map that stands where a delta is read and has such a key says something about its place; it has that key alone. */
#define PP_DELTA_DELETED "__pp_deleted"
#define PP_DELTA_ARRAY_OPS "__pp_array_ops"
#define PP_DELTA_VALUE "__pp_value"

static inline bool pp_delta_is_reserved(const struct pp_value_key *key)
{
    return key->len > 5 && memcmp(key->bytes, "__pp_", 5) == 0;
}

struct pp_differ {
    struct pp_buf *out;
    unsigned depth;    /* levels that are open in `out` */
    unsigned overhead; /* what was written that `after` has not, counted so far */
};

/* Appends the delta of two values at a place where deltas are read: true; or nothing, where they are equal. */
bool pp_diff_values(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after);

/* The same for two arrays. */
bool pp_diff_arrays(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after);

/* Keeps what was appended since `start`, or the whole of `after` where that is shorter. */
void pp_diff_keep_shorter(struct pp_differ *d, size_t start, const struct pp_value *after);

#endif

/* What changed between two documents, as a document; docs/protocol.md says how it is written. For every a and b:
 *
 *     diff(a, a) is nothing          patch(a, diff(a, b)) = b
 *
 *     struct pp_buf out = {0};
 *     if (pp_delta_diff(&before.root, &after.root, &out)) … send out …
 *     if (!pp_delta_patch(&state, &before.root, &delta.root, &error)) … ask for the whole … */
#ifndef PP_DELTA_DELTA_H
#define PP_DELTA_DELTA_H

#include <stdbool.h>

#include "value/value.h"

struct pp_buf;

/* A state may be so deep that a delta of it, which may take one level more, still fits into a message. */
#define PP_DELTA_STATE_DEPTH 60
#define PP_DELTA_MAX_DEPTH 61

/* Operations that one array may be patched with; more are refused, since each costs the length of the array. */
#define PP_DELTA_MAX_OPS 1024

/* Up to so many bytes a map's delta names its changes even where the map as a whole would be shorter. */
#define PP_DELTA_SMALL 128

/* Appends what makes `after` out of `before`, as JSON: true; or appends nothing, where they are equal: false. It is
 * never longer than PP_DELTA_SMALL or than {"__pp_value":after}, and never deeper than PP_DELTA_MAX_DEPTH where `after`
 * is no deeper than PP_DELTA_STATE_DEPTH. */
bool pp_delta_diff(const struct pp_value *before, const struct pp_value *after, struct pp_buf *out);

/* Makes the root of `into` what `delta` makes out of `before`: true; or leaves it empty, with a static text in `error`,
 * where the delta does not fit, is no delta, or the result is deeper than PP_DELTA_STATE_DEPTH or larger than the tree
 * may be. A delta from a peer is safe. What did not change is shared: `before` and `delta` are not of the tree `into`,
 * and live as long as its root is used. */
bool pp_delta_patch(struct pp_tree *into, const struct pp_value *before, const struct pp_value *delta,
                    const char **error);

#endif

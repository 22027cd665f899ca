/* A state's changes as packed bits, and back: docs/protocol.md, "Declared state", has each bit. */
#ifndef PP_STATE_DELTA_H
#define PP_STATE_DELTA_H

#include "state/state.h"

/* How a delta or a snapshot was taken. But for OK and DESYNC nothing is changed. */
enum pp_state_status {
    PP_STATE_OK,
    PP_STATE_MALFORMED,
    PP_STATE_GAP,   /* a delta that does not follow the version at hand */
    PP_STATE_DESYNC /* applied, and the state is not what the sender has: ask for a snapshot */
};

/* Appends the delta of what has changed since the last commit, and commits: 1. Without a change 0, and nothing
 * is appended. With `json` the same change is appended there as a JSON delta. Either may be NULL. */
int pp_state_encode(struct pp_state_block *root, struct pp_buf *out, struct pp_buf *json);

/* Appends the delta to the last commit from `copy`, a state of the same schema that was loaded from an earlier
 * snapshot, and the same as a JSON delta: 1. 0 where there can be none, since the number or key of an item that is gone
 * is another's now; nothing is appended. The copy stays what it is. */
int pp_state_since(struct pp_state_block *copy, struct pp_state_block *root, struct pp_buf *out, struct pp_buf *json);

/* Appends a snapshot of the last commit. */
void pp_state_snapshot(struct pp_state_block *root, struct pp_buf *out);

/* Of the last commit. */
uint32_t pp_state_hash(struct pp_state_block *root);

/* Takes a delta in that follows the version at hand by `steps`, which is 1 but for views; what was changed here since
 * the last commit is lost. The same change is appended to `json` as a JSON delta, unless that is NULL. */
enum pp_state_status pp_state_apply(struct pp_state_block *root, const void *bytes, size_t len, uint32_t steps,
                                    struct pp_buf *json);

/* Takes a snapshot in, in place of all that was there. */
enum pp_state_status pp_state_load(struct pp_state_block *root, const void *bytes, size_t len);

/* Appends the last commit, or where `now` what there is, as JSON. */
void pp_state_json(struct pp_state_block *root, int now, struct pp_buf *out);

/* Appends what the last scan found as a JSON delta. */
void pp_state_json_delta(struct pp_state_block *root, struct pp_buf *out);

/* The order of the code for the distances between `count` ids below `size`. */
static inline unsigned pp_state_id_order(uint32_t size, uint32_t count)
{
    uint32_t mean = size / count;
    unsigned order = mean > 0 ? 31 - (unsigned)__builtin_clz(mean) : 0;
    return order < 7 ? order : 7;
}

#endif

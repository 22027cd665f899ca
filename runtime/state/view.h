/* Deltas and snapshots for somebody who sees only some items of the root's maps. While pieces are kept, each delta
 * (pp_state_encode) leaves the bits of what changed, item by item; a view's delta is put together of these, after the
 * commit. For who was behind a copy of an earlier state has such pieces, of all that changed since. For its reader a
 * view is a state like any other, of fewer items. */
#ifndef PP_STATE_VIEW_H
#define PP_STATE_VIEW_H

#include "state/delta.h"

#define PP_STATE_SIGHT_MAPS 8

struct pp_state_pieces;

/* Of these maps only the items whose ids are in a set, a bit for each; of all else everything. */
struct pp_state_sight {
    uint32_t count;
    struct {
        uint32_t field;               /* of the root: pp_state_map_field; each once */
        uint32_t words;               /* of both sets */
        const uint64_t *known, *seen; /* before what changed, and now: what is seen is there */
    } maps[PP_STATE_SIGHT_MAPS];
};

/* The number of the root's field that is a map of that name, in the root itself; -1: there is none. */
int pp_state_map_field(const struct pp_state_block *root, const char *name, size_t len);

/* The map that is the field of that number. */
const struct pp_state_group *pp_state_map(struct pp_state_block *root, uint32_t field);

/* Keeps pieces from the next delta on, or lets go of them. */
void pp_state_want_pieces(struct pp_state_block *root, bool wanted);

/* Of what the scan found: for pp_state_encode. */
void pp_state_keep_pieces(struct pp_state_block *root);
void pp_state_delete_pieces(struct pp_state_pieces *pieces); /* NULL is fine */

/* Keeps pieces with `copy`, a state of the same schema that was loaded from an earlier snapshot: of what became
 * different from it to the root's last commit. The copy stays what it is. */
void pp_state_keep_since(struct pp_state_block *copy, struct pp_state_block *root);

/* For that: who knows the item `was` of the root's map can't be told of the item `is` in one delta. Who sees all of the
 * field can be told of nothing: PP_STATE_NOBODY says no more than that. */
#define PP_STATE_NOBODY UINT32_MAX
void pp_state_note_clash(struct pp_state_block *copy, uint32_t field, uint32_t was, uint32_t is);

/* Appends the delta from what is known to what is seen: 1; 0 where it is the same, unless it is wanted `always`. What
 * changed are the pieces of `changes`: the root after its delta; or NULL where nothing did: then what came into the
 * view and left it is all there is; or a copy that has them up to the root's last commit: 0 where there can be no
 * delta, since the number or key of an item that was known and is gone is that of another that is seen. */
int pp_state_view_delta(struct pp_state_block *root, const struct pp_state_sight *sight,
                        const struct pp_state_block *changes, bool always, struct pp_buf *out);

/* Appends a snapshot of what is seen, of the last commit. */
void pp_state_view_snapshot(struct pp_state_block *root, const struct pp_state_sight *sight, struct pp_buf *out);

#endif

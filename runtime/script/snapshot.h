/* Lua values as documents, and what became of a state since it was looked at last. What a typed room does in a tick:
 *
 *     struct pp_snapshot last = {0};                                   kept with the room
 *     switch (pp_snapshot_step(&last, L, index, "state", &out, error, sizeof error)) {
 *     case PP_SNAPSHOT_CHANGED: … `out` got the delta, as JSON …
 *     case PP_SNAPSHOT_SAME: … nothing to send …
 *     case PP_SNAPSHOT_BAD: … `error` names the path; what was seen last stays …
 *     }
 *     pp_value_write(pp_snapshot_root(&last), &out);                   the whole, for who joins
 *     pp_snapshot_destroy(&last);
 *
 * The first step compares with nil, so its delta is the whole. No garbage is left for Lua's collector. */
#ifndef PP_SCRIPT_SNAPSHOT_H
#define PP_SCRIPT_SNAPSHOT_H

#include <lua.h>

#include "value/value.h"

struct pp_buf;

/* Replaces the tree by the Lua value at `index`: true; or leaves it empty with the reason in `error`, which begins with
 * `name` and the path in the value (`state.players[3].x: NaN cannot be encoded`; lua_json.h has room for it). Tables
 * are taken as lua_json.h says; they may nest 60 levels. The tree bounds the size. Nothing is called and nothing
 * raised, but for Lua's own "not enough memory". [-0, +0] */
bool pp_lua_snapshot(lua_State *L, int index, const char *name, struct pp_tree *tree, char *error, size_t error_size);

/* The same, where the value is probably much like the tree's root: true, with the value in `out`, which shares with the
 * root what did not change (where nothing did, all of it); what is new takes memory of the tree. Or false with the
 * error; where the tree is `full`, that may be for what it has piled up. The root itself stays as it is. */
bool pp_lua_snapshot_again(lua_State *L, int index, const char *name, struct pp_tree *tree, struct pp_value *out,
                           char *error, size_t error_size);

/* Zero-initialised it has seen nil. States are piled up in one tree, until that has become twice as large as the first
 * of them; then the next one is begun with. */
struct pp_snapshot {
    struct pp_tree trees[2];
    size_t first_bytes; /* of the first state in the tree */
    unsigned last;      /* the tree whose root was seen last */
    bool afresh;        /* what was looked at is in the other tree */
    struct pp_value next;
    struct pp_value before; /* what was seen before the last commit: good until the next look */
};

enum pp_snapshot_step { PP_SNAPSHOT_CHANGED, PP_SNAPSHOT_SAME, PP_SNAPSHOT_BAD };

/* Looks at the state: true, with it in `next`, while what was seen last stays that; or false with the error. */
bool pp_snapshot_look(struct pp_snapshot *snapshot, lua_State *L, int index, const char *name, char *error,
                      size_t error_size);

/* What was looked at is what was seen last; once after a look that was good. */
void pp_snapshot_commit(struct pp_snapshot *snapshot);

/* Looks at the state again and appends what changed to `out`. [-0, +0] */
enum pp_snapshot_step pp_snapshot_step(struct pp_snapshot *snapshot, lua_State *L, int index, const char *name,
                                       struct pp_buf *out, char *error, size_t error_size);

/* What was seen last; good until the next step. */
static inline const struct pp_value *pp_snapshot_root(const struct pp_snapshot *snapshot)
{
    return &snapshot->trees[snapshot->last].root;
}

void pp_snapshot_destroy(struct pp_snapshot *snapshot);

#endif

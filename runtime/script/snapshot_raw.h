/* The fast way to take a snapshot, for script/snapshot.c. */
#ifndef PP_SCRIPT_SNAPSHOT_RAW_H
#define PP_SCRIPT_SNAPSHOT_RAW_H

#include <stdbool.h>

#include "script/lua_raw.h"

struct pp_tree;
struct pp_value;

struct pp_raw_marks {
    const void *array; /* the metatable of arrays */
    pp_raw_value null;
};

/* Puts the table into `out`, on memory of the tree; what is the same is taken from `old` (or NULL), where that is all
 * of it `out` is `old` itself. False where there is anything in it that can't be sent or is uncommon, or that does not
 * fit: then it says nothing, nothing has happened, and the table is to be taken the slow way. `table` is one of Lua's
 * where pp_raw_is_known(). */
bool pp_snapshot_raw(const void *table, const struct pp_raw_marks *marks, struct pp_tree *tree,
                     const struct pp_value *old, struct pp_value *out);

#endif

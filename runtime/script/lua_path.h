/* Walking Lua values in depth, and naming the place where something was wrong: `payload.players[3].x: reason`. While a
 * table is open its key and its value stand in two slots of the Lua stack, so the path can be read off the stack. */
#ifndef PP_SCRIPT_LUA_PATH_H
#define PP_SCRIPT_LUA_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct pp_lua_path {
    lua_State *L;
    const char *root; /* what the value as a whole is called */
    char *error;      /* where a reason is written, NUL-terminated; longer ones lose the end of the path */
    size_t error_size;
    int first_slot;     /* the key of level 1, its value behind it; two slots for each level */
    const int *indexes; /* where not NULL: the key of level i is the number indexes[i], unless that is 0 */
};

static inline int pp_lua_path_key_slot(const struct pp_lua_path *path, int level)
{
    return path->first_slot + 2 * (level - 1);
}

/* Writes the reason behind the path of the first `levels` keys. Always false. */
bool pp_lua_path_fail(const struct pp_lua_path *path, int levels, const char *reason);

/* Says that a value of this type, of those that JSON hasn't, can't be encoded. Always false. */
bool pp_lua_path_fail_type(const struct pp_lua_path *path, int levels, int type);

/* Looks at every key of a table that is more than a plain object or list, at the place of the first `levels` keys:
 * n where they are 1..n in any order, or -1 with the error. [-0, +0] and needs two free slots */
int pp_lua_path_count_sequence(const struct pp_lua_path *path, int levels, int table);

#endif

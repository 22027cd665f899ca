/* What the members of a typed room know of its state, as a Lua object: see lua_told.c. */
#ifndef PP_SCRIPT_LUA_TOLD_H
#define PP_SCRIPT_LUA_TOLD_H

#include <lua.h>

struct pp_snapshot;

/* The object at `index`; raises where it is something else. */
struct pp_snapshot *pp_lua_told_check(lua_State *L, int index);

/* [-0, +0] Adds its constructor to the module table on top. */
void pp_bind_told(lua_State *L);

#endif

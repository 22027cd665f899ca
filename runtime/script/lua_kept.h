/* A state that members of a typed room saw last, as a Lua object: see lua_kept.c. */
#ifndef PP_SCRIPT_LUA_KEPT_H
#define PP_SCRIPT_LUA_KEPT_H

#include <lua.h>

struct pp_value;

/* The state of the object at `index`; raises where it is something else. */
const struct pp_value *pp_lua_kept_check(lua_State *L, int index);

/* [-0, +0] Adds its constructor to the module table on top. */
void pp_bind_kept(lua_State *L);

#endif

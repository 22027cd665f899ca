/* What the members of a typed room know of its state, as a Lua object: see lua_told.c. */
#ifndef PP_SCRIPT_LUA_TOLD_H
#define PP_SCRIPT_LUA_TOLD_H

#include <lua.h>

/* [-0, +0] Adds its constructor to the module table on top. */
void pp_bind_told(lua_State *L);

#endif

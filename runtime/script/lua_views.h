/* The views of a typed room's members, as a Lua object: see lua_views.c. */
#ifndef PP_SCRIPT_LUA_VIEWS_H
#define PP_SCRIPT_LUA_VIEWS_H

#include <lua.h>

/* [-0, +0] Adds its constructor to the module table on top. */
void pp_bind_views(lua_State *L);

#endif

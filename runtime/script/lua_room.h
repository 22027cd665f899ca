/* Rooms and audiences for Lua: what lua_room.c has for the files beside it. */
#ifndef PP_SCRIPT_LUA_ROOM_H
#define PP_SCRIPT_LUA_ROOM_H

#include "hub/audience.h"
#include "script/lua_server.h"

/* [-0, +0] The audience that three values from `index` on make: a client that is left out, an array of keys of rooms,
 * and one of rooms that are left out; each may be nil. Good until the next call, while the arrays are on the stack. */
struct pp_audience pp_lua_audience(lua_State *L, int index);

/* [-0, +1] The keys of the rooms that the member is in, as an array; nil where there are none. */
void pp_lua_push_rooms(lua_State *L, const struct pp_member *member);

/* [-0, +0] Adds the functions on rooms to the module table on top. */
void pp_bind_room_functions(lua_State *L);

#endif

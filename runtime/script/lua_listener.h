/* A listening port as a Lua object ("painda.listener"), made by painda.core.http. HttpServer and PPServer share one
 * where both speak on the same port. */
#ifndef PP_SCRIPT_LUA_LISTENER_H
#define PP_SCRIPT_LUA_LISTENER_H

#include <lua.h>

struct pp_listener;

/* The listener of the userdata at `index`: raises the usual argument error where it is something else, and "the
 * listener is closed" after close(). Good until close() or the collection of the userdata: keep it (luaL_ref) while it
 * is used. */
struct pp_listener *pp_lua_listener_check(lua_State *L, int index);

/* The same, or NULL, without raising: for finalisers, where the listener may have gone first. */
struct pp_listener *pp_lua_listener_test(lua_State *L, int index);

/* [-0, +1 or +2] listen{host=, port=, cert=, key=, handshakeTimeout=, maxPendingPerIp=}, the table at index 1 →
 * listener, or nil and why it can't listen. Methods: port(), stop() (accepts no more, what is open stays), close(). */
int pp_lua_listener_open(lua_State *L);

/* [-0, +0] Makes the metatable; more than once is fine. */
void pp_lua_listener_init(lua_State *L);

#endif

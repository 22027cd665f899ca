/* The modules that C gives to Lua, one function each: [-0, +1] the module's table. They are in package.preload as
 * painda.core.NAME; applications use what lua/painda/ makes of them. */
#ifndef PP_SCRIPT_BIND_H
#define PP_SCRIPT_BIND_H

#include <lua.h>

int pp_bind_runtime(lua_State *L); /* log, timers, tasks, clock, collector, files */
int pp_bind_json(lua_State *L);
int pp_bind_schema(lua_State *L);
int pp_bind_delta(lua_State *L);
int pp_bind_server(lua_State *L); /* servers and their clients */
int pp_bind_http(lua_State *L);
int pp_bind_client(lua_State *L);
int pp_bind_compiler(lua_State *L);
int pp_bind_state(lua_State *L); /* declared states, which are called by FFI */
int pp_bind_supervisor(lua_State *L);
int pp_bind_clock(lua_State *L); /* for tests */
int pp_bind_control(lua_State *L);
int pp_bind_files(lua_State *L);
int pp_bind_terminal(lua_State *L);
int pp_bind_last_words(lua_State *L);

#endif

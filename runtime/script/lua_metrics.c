/* What is measured where it is asked for:
 *
 *     measure(server, on)     the time of the server's message handlers     handler_time(server) → counts, sum
 *     measure_loop(on)        the turns of the loop                         loop_delay() → counts, sum
 *     histogram_bounds() → array of seconds
 *
 * counts has one more than there are bounds, and the sum is in seconds. What was measured stays when measuring ends. */
#include "base/histogram.h"
#include "base/memory.h"
#include "net/loop_delay.h"
#include "script/lua_server.h"

#include <lauxlib.h>

static struct pp_histogram turns; /* of the process's one loop */

/* [-0, +2] */
static int push_histogram(lua_State *L, const struct pp_histogram *histogram)
{
    lua_createtable(L, PP_HISTOGRAM_BOUNDS + 1, 0);
    for (int i = 0; i <= PP_HISTOGRAM_BOUNDS; i++) {
        lua_pushnumber(L, (lua_Number)histogram->counts[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushnumber(L, (lua_Number)histogram->sum / 1e9);
    return 2;
}

static int measure(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    server->measures = lua_toboolean(L, 2);
    if (server->measures && server->handler_time == NULL)
        server->handler_time = pp_calloc(1, sizeof *server->handler_time);
    return 0;
}

static int handler_time(lua_State *L)
{
    static const struct pp_histogram none;
    const struct pp_histogram *found = pp_lua_server_check(L, 1)->handler_time;
    return push_histogram(L, found ? found : &none);
}

static int measure_loop(lua_State *L)
{
    pp_loop_measure(pp_vm_loop(pp_vm_of(L)), lua_toboolean(L, 1) ? &turns : NULL);
    return 0;
}

static int loop_delay(lua_State *L)
{
    return push_histogram(L, &turns);
}

static int histogram_bounds(lua_State *L)
{
    lua_createtable(L, PP_HISTOGRAM_BOUNDS, 0);
    for (int i = 0; i < PP_HISTOGRAM_BOUNDS; i++) {
        lua_pushnumber(L, (lua_Number)pp_histogram_bounds[i] / 1e9);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

void pp_bind_metrics(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"measure", measure},       {"handler_time", handler_time},         {"measure_loop", measure_loop},
        {"loop_delay", loop_delay}, {"histogram_bounds", histogram_bounds}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}

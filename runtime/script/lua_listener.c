/* Listening ports for Lua. The userdata owns the listener; closing it and collecting it both end it. */
#include "script/lua_listener.h"

#include "net/listener.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

#define LISTENER "painda.listener"
#define DEFAULT_HANDSHAKE_TIMEOUT 10000

struct listener_box {
    struct pp_listener *listener; /* NULL once closed */
};

static struct listener_box *test_box(lua_State *L, int index)
{
    struct listener_box *box = lua_touserdata(L, index);
    if (box == NULL || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, LISTENER);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? box : NULL;
}

struct pp_listener *pp_lua_listener_test(lua_State *L, int index)
{
    struct listener_box *box = test_box(L, index);
    return box ? box->listener : NULL;
}

struct pp_listener *pp_lua_listener_check(lua_State *L, int index)
{
    struct listener_box *box = test_box(L, index);
    if (box == NULL)
        luaL_argerror(L, index, "a listener expected");
    if (box->listener == NULL)
        luaL_argerror(L, index, "the listener is closed");
    return box->listener;
}

/* The string field of the table at 1, or NULL; it stays on the stack, which keeps it alive. */
static const char *string_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s is a string, got %s", name, luaL_typename(L, -1));
    return lua_tostring(L, -1);
}

/* A whole number from 0 to `most`. */
static uint32_t number_field(lua_State *L, const char *name, double most, uint32_t otherwise)
{
    lua_getfield(L, 1, name);
    lua_Number given = lua_isnil(L, -1) ? otherwise : lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(given >= 0 && given <= most && given == (lua_Number)(uint32_t)given))
        luaL_error(L, "%s is a whole number from 0 to %d", name, (int)most);
    lua_pop(L, 1);
    return (uint32_t)given;
}

int pp_lua_listener_open(lua_State *L)
{
    char error[256];
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct pp_listen_options options = {
        .host = string_field(L, "host"),
        .port = (int)number_field(L, "port", 65535, 0),
        .cert = string_field(L, "cert"),
        .key = string_field(L, "key"),
        .handshake_timeout = number_field(L, "handshakeTimeout", INT32_MAX, DEFAULT_HANDSHAKE_TIMEOUT),
        .max_pending_per_ip = number_field(L, "maxPendingPerIp", INT32_MAX, 0),
    };
    if ((options.cert == NULL) != (options.key == NULL))
        return luaL_error(L, "cert and key go together: %s is missing", options.cert ? "key" : "cert");
    struct listener_box *box = lua_newuserdata(L, sizeof *box);
    box->listener = NULL;
    luaL_getmetatable(L, LISTENER);
    lua_setmetatable(L, -2);
    box->listener = pp_listener_open(pp_vm_loop(pp_vm_of(L)), &options, error, sizeof error);
    if (box->listener != NULL)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int listener_port(lua_State *L)
{
    lua_pushinteger(L, pp_listener_port(pp_lua_listener_check(L, 1)));
    return 1;
}

static int listener_stop(lua_State *L)
{
    pp_listener_stop(pp_lua_listener_check(L, 1));
    return 0;
}

/* Also the finaliser; closing twice is fine. */
static int listener_close(lua_State *L)
{
    struct listener_box *box = test_box(L, 1);
    luaL_argcheck(L, box != NULL, 1, "a listener expected");
    struct pp_listener *listener = box->listener;
    box->listener = NULL;
    if (listener != NULL)
        pp_listener_delete(listener);
    return 0;
}

void pp_lua_listener_init(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"port", listener_port},
        {"stop", listener_stop},
        {"close", listener_close},
        {NULL, NULL},
    };
    if (luaL_newmetatable(L, LISTENER)) {
        lua_pushcfunction(L, listener_close);
        lua_setfield(L, -2, "__gc");
        lua_newtable(L);
        luaL_register(L, NULL, methods);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "listener");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

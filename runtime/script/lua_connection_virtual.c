/* Connections to a server of this process: a virtual client's. */
#include "net/handshake.h"
#include "script/lua_connection.h"
#include "script/lua_server.h"
#include "session/virtual.h"

#include <lauxlib.h>

#define ADDRESS "127.0.0.1"

static const char *string_field(lua_State *L, const char *name, const char *otherwise)
{
    lua_getfield(L, 1, name);
    const char *text = luaL_optstring(L, -1, otherwise);
    lua_pop(L, 1); /* the options hold it */
    return text;
}

int pp_lua_connection_connect_virtual(lua_State *L)
{
    struct pp_lua_connection *connection = pp_lua_connection_new(L);
    lua_getfield(L, 1, "server");
    struct pp_lua_server *server = pp_lua_server_check(L, -1);
    const struct pp_virtual_options options = {
        .limits = &server->config.conn,
        .id = string_field(L, "id", ""),
        .handshake = pp_handshake_make(string_field(L, "path", "/"), string_field(L, "query", ""), ADDRESS,
                                       string_field(L, "headers", "")),
        .admit = pp_lua_server_admit,
        .server = server,
    };
    connection->virtual = pp_virtual_new(pp_vm_loop(connection->vm), &options, &pp_lua_connection_ops, connection);
    lua_settop(L, 3);
    return 1;
}

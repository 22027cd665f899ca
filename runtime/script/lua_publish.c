/* publish(server, type, json, clients) → how many it was sent to.
 *
 * A message of the protocol whose payload is JSON already, to the clients of an array (those that are gone are left
 * out): made once, whoever receives it. `json` comes from the encoder and is not looked at. */
#include "base/buf.h"
#include "script/lua_server.h"
#include "wire/envelope.h"

#include <lauxlib.h>

static uint32_t send_to_all(lua_State *L, int clients, struct pp_outgoing *out)
{
    uint32_t sent = 0;
    for (int i = 1, count = (int)lua_objlen(L, clients); i <= count; i++) {
        lua_rawgeti(L, clients, i);
        struct pp_lua_client *client = pp_lua_client_at(L, -1);
        lua_pop(L, 1); /* the array holds it */
        if (client->member.session != NULL)
            sent += pp_session_send(client->member.session, out, false);
    }
    return sent;
}

static int publish(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    size_t type_len, len;
    const char *type = luaL_checklstring(L, 2, &type_len), *json = luaL_checklstring(L, 3, &len);
    luaL_checktype(L, 4, LUA_TTABLE);
    struct pp_buf envelope = {0}; /* nothing below raises */
    pp_envelope_begin(&envelope, type, type_len);
    pp_buf_append(&envelope, json, len);
    pp_envelope_end(&envelope, NULL, 0, 0);
    struct pp_outgoing out = {
        .encoding = &server->config.encoding, .envelope = envelope.data, .envelope_len = envelope.len, .control = true};
    lua_pushnumber(L, send_to_all(L, 4, &out));
    pp_outgoing_destroy(&out);
    pp_buf_destroy(&envelope);
    return 1;
}

void pp_bind_publish(lua_State *L)
{
    static const luaL_Reg functions[] = {{"publish", publish}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}

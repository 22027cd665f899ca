/* Messages of the protocol whose payload is JSON already, for some clients: made once, whoever receives them. The JSON
 * comes from an encoder and is not looked at. Clients that are gone are left out.
 *
 *     publish(server, type, json, clients) → how many it was sent to, of an array of clients
 *     parcel(server, type, json) → a message to be sent again and again
 *     frame_parcel(server, frame_type, bytes) → the same of a frame, for clients that offered the capability `state`
 *     parcel:send(clients) → as publish            parcel:clear(): lets go of its memory; it is not sent any more */
#include "base/buf.h"
#include "script/lua_server.h"
#include "wire/envelope.h"

#include <lauxlib.h>

#define PARCEL "painda.core.parcel"

struct parcel {
    struct pp_buf bytes;    /* an envelope, or what is in the frame */
    struct pp_outgoing out; /* of the server in the environment */
};

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

static void fill(struct parcel *parcel, const struct pp_lua_server *server, lua_State *L)
{
    size_t type_len, len;
    const char *type = lua_tolstring(L, 2, &type_len), *json = lua_tolstring(L, 3, &len);
    pp_envelope_begin(&parcel->bytes, type, type_len);
    pp_buf_append(&parcel->bytes, json, len);
    pp_envelope_end(&parcel->bytes, NULL, 0, 0);
    parcel->out = (struct pp_outgoing){.encoding = &server->config.encoding,
                                       .envelope = parcel->bytes.data,
                                       .envelope_len = parcel->bytes.len,
                                       .control = true};
}

static void empty(struct parcel *parcel)
{
    pp_outgoing_destroy(&parcel->out);
    pp_buf_destroy(&parcel->bytes);
    *parcel = (struct parcel){0};
}

static int publish(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    struct parcel parcel = {0}; /* nothing raises while it is in use */
    luaL_checktype(L, 2, LUA_TSTRING);
    luaL_checktype(L, 3, LUA_TSTRING);
    luaL_checktype(L, 4, LUA_TTABLE);
    fill(&parcel, server, L);
    lua_pushnumber(L, send_to_all(L, 4, &parcel.out));
    empty(&parcel);
    return 1;
}

/* [-0, +1] An empty parcel of the server at 1, which has type and payload at 2 and 3. */
static struct parcel *push_parcel(lua_State *L)
{
    lua_settop(L, 3);
    struct parcel *parcel = lua_newuserdata(L, sizeof *parcel);
    *parcel = (struct parcel){0};
    luaL_getmetatable(L, PARCEL);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0); /* holds the server, whose encoding the message is made by */
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    return parcel;
}

static int new_parcel(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    luaL_checktype(L, 2, LUA_TSTRING);
    luaL_checktype(L, 3, LUA_TSTRING);
    fill(push_parcel(L), server, L);
    return 1;
}

static int new_frame_parcel(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    size_t len;
    uint16_t type_id = (uint16_t)luaL_checkinteger(L, 2);
    const char *bytes = luaL_checklstring(L, 3, &len);
    struct parcel *parcel = push_parcel(L);
    pp_buf_append(&parcel->bytes, bytes, len);
    parcel->out = (struct pp_outgoing){.encoding = &server->config.encoding,
                                       .schema_payload = parcel->bytes.data,
                                       .schema_payload_len = len,
                                       .type_id = type_id,
                                       .control = true,
                                       .only_framed = true};
    return 1;
}

static int send_parcel(lua_State *L)
{
    struct parcel *parcel = luaL_checkudata(L, 1, PARCEL);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnumber(L, parcel->out.encoding != NULL ? send_to_all(L, 2, &parcel->out) : 0);
    return 1;
}

static int clear_parcel(lua_State *L)
{
    empty(luaL_checkudata(L, 1, PARCEL));
    return 0;
}

void pp_bind_publish(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send", send_parcel}, {"clear", clear_parcel}, {"__gc", clear_parcel}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"publish", publish}, {"parcel", new_parcel}, {"frame_parcel", new_frame_parcel}, {NULL, NULL}};
    luaL_newmetatable(L, PARCEL);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_register(L, NULL, functions);
}

/* publish_room(server, key, behind, type, json, above) → to how many it was sent, how many fell behind
 *
 * A message of the protocol, with its payload as JSON, to the members of the room `key`: made once. Who has more than
 * `above` bytes waiting is left out, and joins the room `behind`, whose members are left out too. */
#include "base/buf.h"
#include "hub/room.h"
#include "script/lua_server.h"
#include "wire/envelope.h"

#include <lauxlib.h>

static struct pp_buf envelope; /* kept between calls */

struct room_send {
    struct pp_hub *hub;
    const struct pp_room *behind; /* NULL where nobody is */
    const char *behind_key;
    size_t behind_len, above;
    uint32_t sent, fell_behind;
};

static void send_to(struct room_send *send, struct pp_member *member, struct pp_outgoing *out)
{
    if (pp_session_is_outside(member->session) ||
        (send->behind != NULL && pp_room_has(send->hub, send->behind, member)))
        return;
    if (pp_session_queued(member->session) <= send->above) {
        send->sent += pp_session_send(member->session, out, false);
    } else {
        pp_room_join(send->hub, member, send->behind_key, send->behind_len);
        send->behind = pp_room_find(send->hub, send->behind_key, send->behind_len);
        send->fell_behind++;
    }
}

static int publish_room(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    struct room_send send = {.hub = &server->hub, .above = (size_t)luaL_checknumber(L, 6)};
    size_t key_len, type_len, json_len;
    const char *key = luaL_checklstring(L, 2, &key_len), *type = luaL_checklstring(L, 4, &type_len);
    const char *json = luaL_checklstring(L, 5, &json_len);
    send.behind_key = luaL_checklstring(L, 3, &send.behind_len);
    send.behind = pp_room_find(send.hub, send.behind_key, send.behind_len);
    const struct pp_room *room = pp_room_find(send.hub, key, key_len);
    pp_buf_clear(&envelope); /* nothing below raises */
    pp_envelope_begin(&envelope, type, type_len);
    pp_buf_append(&envelope, json, json_len);
    pp_envelope_end(&envelope, NULL, 0, 0);
    struct pp_outgoing out = {
        .encoding = &server->config.encoding, .envelope = envelope.data, .envelope_len = envelope.len, .control = true};
    for (uint32_t i = 0; room != NULL && i < room->count; i++)
        send_to(&send, room->members[i], &out);
    pp_outgoing_destroy(&out);
    lua_pushnumber(L, send.sent);
    lua_pushnumber(L, send.fell_behind);
    return 2;
}

void pp_bind_typed_room(lua_State *L)
{
    static const luaL_Reg functions[] = {{"publish_room", publish_room}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}

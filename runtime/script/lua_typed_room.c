/* What a typed room tells its members at a tick.
 *
 *     publish_room(server, key, behind, above, type, json, frame_type, frame) → to how many it was sent, how many fell
 *         behind. The same change in two forms: `json` as a message of the protocol, `frame` to those members that
 *         offered the capability `state`. Either may be nil where nobody takes it. Each is made once. Who has more
 *         than `above` bytes waiting is left out, and joins the room `behind`, whose members are left out too.
 *     room_forms(server, key, behind, above) → of those who are not behind: does somebody take JSON, does somebody take
 *         frames, and do more than `above` bytes wait for somebody
 *     takes_state(client) → did it offer the capability */
#include "base/buf.h"
#include "hub/room.h"
#include "script/lua_server.h"
#include "wire/envelope.h"

#include <lauxlib.h>

static struct pp_buf envelope; /* kept between calls */

struct room_send {
    struct pp_hub *hub;
    const struct pp_room *room, *behind; /* NULL where nobody is in it */
    const char *behind_key;
    size_t behind_len, above;
    uint32_t sent, fell_behind;
};

/* Reads the two keys from `index` on. */
static struct room_send find_rooms(lua_State *L, struct pp_lua_server *server, int index)
{
    struct room_send send = {.hub = &server->hub};
    size_t key_len;
    const char *key = luaL_checklstring(L, index, &key_len);
    send.behind_key = luaL_checklstring(L, index + 1, &send.behind_len);
    send.room = pp_room_find(send.hub, key, key_len);
    send.behind = pp_room_find(send.hub, send.behind_key, send.behind_len);
    return send;
}

static bool is_told(const struct room_send *send, const struct pp_member *member)
{
    return !pp_session_is_outside(member->session) &&
           (send->behind == NULL || !pp_room_has(send->hub, send->behind, member));
}

static void send_to(struct room_send *send, struct pp_member *member, struct pp_outgoing *out)
{
    if (pp_session_queued(member->session) <= send->above) {
        send->sent += pp_session_send(member->session, out, false);
    } else {
        pp_room_join(send->hub, member, send->behind_key, send->behind_len);
        send->behind = pp_room_find(send->hub, send->behind_key, send->behind_len);
        send->fell_behind++;
    }
}

/* The message of type and payload at 5 and 6, in `envelope`. */
static struct pp_outgoing json_message(lua_State *L, const struct pp_lua_server *server)
{
    size_t type_len, json_len;
    const char *type = luaL_checklstring(L, 5, &type_len), *json = lua_tolstring(L, 6, &json_len);
    pp_buf_clear(&envelope);
    if (json != NULL) {
        pp_envelope_begin(&envelope, type, type_len);
        pp_buf_append(&envelope, json, json_len);
        pp_envelope_end(&envelope, NULL, 0, 0);
    }
    return (struct pp_outgoing){
        .encoding = &server->config.encoding, .envelope = envelope.data, .envelope_len = envelope.len, .control = true};
}

/* The frame of type and payload at 7 and 8. */
static struct pp_outgoing frame_message(lua_State *L, const struct pp_lua_server *server)
{
    struct pp_outgoing out = {.encoding = &server->config.encoding, .control = true, .only_framed = true};
    out.type_id = (uint16_t)lua_tointeger(L, 7);
    out.schema_payload = lua_tolstring(L, 8, &out.schema_payload_len);
    return out;
}

static int publish_room(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    lua_settop(L, 8);
    struct room_send send = find_rooms(L, server, 2);
    send.above = (size_t)luaL_checknumber(L, 4);
    struct pp_outgoing json = json_message(L, server), frame = frame_message(L, server);
    /* nothing below raises */
    for (uint32_t i = 0; send.room != NULL && i < send.room->count; i++) {
        struct pp_member *member = send.room->members[i];
        bool framed = frame.schema_payload != NULL && pp_session_takes_state(member->session);
        if (is_told(&send, member) && (framed || json.envelope_len > 0))
            send_to(&send, member, framed ? &frame : &json);
    }
    pp_outgoing_destroy(&json);
    pp_outgoing_destroy(&frame);
    lua_pushnumber(L, send.sent);
    lua_pushnumber(L, send.fell_behind);
    return 2;
}

static int room_forms(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    struct room_send send = find_rooms(L, server, 2);
    size_t above = (size_t)luaL_checknumber(L, 4);
    bool forms[2] = {false}, slow = false;
    for (uint32_t i = 0; send.room != NULL && i < send.room->count; i++) {
        const struct pp_member *member = send.room->members[i];
        if (!is_told(&send, member))
            continue;
        forms[pp_session_takes_state(member->session)] = true;
        slow = slow || pp_session_queued(member->session) > above;
    }
    lua_pushboolean(L, forms[false]);
    lua_pushboolean(L, forms[true]);
    lua_pushboolean(L, slow);
    return 3;
}

static int takes_state(lua_State *L)
{
    const struct pp_lua_client *client = pp_lua_client_at(L, 1);
    lua_pushboolean(L, client->member.session != NULL && pp_session_takes_state(client->member.session));
    return 1;
}

void pp_bind_typed_room(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"publish_room", publish_room}, {"room_forms", room_forms}, {"takes_state", takes_state}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}

/* Sending: a Lua value becomes an envelope (or a schema's bytes) once, and goes to one client or to all.
 *
 * The functions take a type and a payload, or a message object in place of both, and answer true, or nil with a text
 * and a code: "closed" where the client is gone, "ENCODE_ERROR" for what can't be sent. */
#include "base/buf.h"
#include "base/utf8.h"
#include "script/lua_json.h"
#include "script/lua_message.h"
#include "script/lua_room.h"
#include "script/lua_schema.h"
#include "script/lua_server.h"
#include "wire/envelope.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* Kept between calls so that sending allocates packets only. Nothing here calls back into Lua while they are in use. */
static struct pp_buf envelope, schema_bytes;

/* What to send, as found on the Lua stack. */
struct source {
    const char *type;
    size_t type_len;
    const struct pp_message *raw; /* its payload is copied as it is; NULL: the payload is the value at `payload` */
    int payload;
    const char *ns;
    size_t ns_len;
    uint64_t ack_id;
};

static bool write_json_payload(lua_State *L, const struct source *source, char *error, size_t error_size)
{
    if (source->raw == NULL)
        return pp_lua_json_encode(L, source->payload, &envelope, error, error_size);
    if (source->raw->payload_len > 0)
        pp_buf_append(&envelope, source->raw->payload, source->raw->payload_len);
    else
        pp_buf_append(&envelope, "null", 4);
    return true;
}

static bool write_envelope(lua_State *L, const struct source *source, struct pp_outgoing *out, char *error,
                           size_t error_size)
{
    pp_buf_clear(&envelope);
    if (!pp_envelope_begin(&envelope, source->type, source->type_len)) {
        snprintf(error, error_size, "the type is not valid UTF-8");
        return false;
    }
    if (!write_json_payload(L, source, error, error_size))
        return false;
    if (!pp_envelope_end(&envelope, source->ns, source->ns_len, source->ack_id)) {
        snprintf(error, error_size, "the namespace is not valid UTF-8");
        return false;
    }
    out->envelope = envelope.data;
    out->envelope_len = envelope.len;
    return true;
}

static bool write_schema(lua_State *L, const struct source *source, const struct pp_schema *schema,
                         struct pp_outgoing *out, char *error, size_t error_size)
{
    pp_buf_clear(&schema_bytes);
    if (!pp_lua_schema_encode(L, schema, source->payload, &schema_bytes, error, error_size))
        return false;
    out->schema_payload = schema_bytes.data ? schema_bytes.data : "";
    out->schema_payload_len = schema_bytes.len;
    out->type_id = schema->id;
    out->schema_version = schema->version;
    return true;
}

/* The schema that the message travels by, or NULL: a namespace or an ack needs the envelope. */
static const struct pp_schema *schema_for(lua_State *L, struct pp_lua_server *server, struct source *source)
{
    if (server->config.registry == NULL || source->ns_len > 0 || source->ack_id > 0)
        return NULL;
    const struct pp_schema *schema = pp_registry_by_name(server->config.registry, source->type, source->type_len);
    if (schema != NULL && source->raw != NULL) { /* it came as JSON: read it after all */
        lua_getfield(L, source->payload, "payload");
        source->payload = lua_gettop(L);
        source->raw = NULL;
    }
    return schema;
}

/* [-0, +2] Fails with the text in `error`. */
static int fail(lua_State *L, const char *text, const char *code)
{
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushstring(L, code);
    return 3;
}

static bool is_control(const struct source *source)
{
    return source->type_len >= 5 && memcmp(source->type, "__pp_", 5) == 0;
}

/* Reads type and payload at 2 and 3, or a message object at 2, and ns and ack at 4 and 5. NULL, or what is wrong. */
static const char *read_source(lua_State *L, bool control, struct pp_message *message, struct source *source)
{
    *source = (struct source){.payload = 3};
    if (lua_type(L, 2) == LUA_TSTRING) {
        source->type = lua_tolstring(L, 2, &source->type_len);
    } else if (pp_lua_message_test(L, 2)) {
        if (pp_lua_message_raw(L, 2, message)) {
            source->raw = message;
            source->payload = 2;
            source->type = message->type;
            source->type_len = message->type_len;
        } else { /* it was read or changed: its fields are what counts */
            lua_settop(L, 9);
            lua_getfield(L, 2, "payload");
            lua_replace(L, 3);
            lua_getfield(L, 2, "type");
            lua_replace(L, 2);
            source->type = lua_tolstring(L, 2, &source->type_len);
        }
    }
    if (source->type == NULL || source->type_len == 0)
        return "the type of a message is a string that is not empty";
    if (is_control(source) != control)
        return "types that begin with __pp_ belong to the protocol";
    if (source->raw == NULL && lua_isnone(L, 3)) {
        lua_settop(L, 2);
        lua_pushnil(L); /* a payload that was left out is null */
    }
    if (lua_type(L, 4) == LUA_TSTRING)
        source->ns = lua_tolstring(L, 4, &source->ns_len);
    source->ack_id = (uint64_t)lua_tonumber(L, 5);
    return NULL;
}

/* Who is sent to: one session, or an audience. */
struct receivers {
    const struct pp_session *session;
    const struct pp_audience *audience;
};

/* Does somebody need the envelope even where there is a schema? */
static bool any_text(struct pp_lua_server *server, const struct receivers *to)
{
    return to->session ? pp_session_speaks_text(to->session) : pp_audience_any_text(&server->hub, to->audience);
}

/* Fills `out`; 0, or the number of results to return. */
static int build(lua_State *L, struct pp_lua_server *server, bool control, const struct receivers *to,
                 struct pp_outgoing *out)
{
    struct source source;
    struct pp_message message;
    char error[PP_LUA_JSON_ERROR];
    const char *wrong = read_source(L, control, &message, &source);
    if (wrong != NULL)
        return fail(L, wrong, "ENCODE_ERROR");
    *out = (struct pp_outgoing){.encoding = &server->config.encoding, .control = control};
    const struct pp_schema *schema = schema_for(L, server, &source);
    if (schema != NULL && !write_schema(L, &source, schema, out, error, sizeof error))
        return fail(L, error, "ENCODE_ERROR");
    if ((schema == NULL || any_text(server, to)) && !write_envelope(L, &source, out, error, sizeof error))
        return fail(L, error, "ENCODE_ERROR");
    return 0;
}

static int send_to_client(lua_State *L, bool control)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    struct pp_session *session = client->member.session;
    struct pp_outgoing out;
    if (session == NULL)
        return fail(L, "closed", "closed");
    int failed = build(L, client->server, control, &(struct receivers){.session = session}, &out);
    if (failed)
        return failed;
    bool sent = pp_session_send(session, &out, lua_toboolean(L, 6));
    pp_outgoing_destroy(&out);
    if (!sent)
        return fail(L, "closed", "closed");
    lua_pushboolean(L, 1);
    return 1;
}

/* send(client, type, payload, ns, ack_id, volatile) */
static int send(lua_State *L)
{
    return send_to_client(L, false);
}

/* send_control(client, type, payload, ns): the same for the protocol's own types. */
static int send_control(lua_State *L)
{
    return send_to_client(L, true);
}

/* broadcast(server, type, payload, ns, nil, volatile, except, rooms, without) → how many it was sent to. The last two
 * are arrays of keys: to the members of any of `rooms` (nil: to everybody), but not to those of `without`. */
static int broadcast_as(lua_State *L, bool control)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    struct pp_outgoing out;
    lua_settop(L, 9);
    struct pp_audience audience = pp_lua_audience(L, 7);
    int failed = build(L, server, control, &(struct receivers){.audience = &audience}, &out);
    if (failed)
        return failed;
    lua_pushinteger(L, pp_audience_send(&server->hub, &audience, &out, lua_toboolean(L, 6)));
    pp_outgoing_destroy(&out);
    return 1;
}

static int broadcast(lua_State *L)
{
    return broadcast_as(L, false);
}

static int broadcast_control(lua_State *L)
{
    return broadcast_as(L, true);
}

/* send_raw(client, bytes, text): a WebSocket message as it is; text must be UTF-8. */
static int send_raw(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    bool text = lua_toboolean(L, 3);
    if (text && !pp_utf8_valid(bytes, len))
        return fail(L, "the text is not valid UTF-8", "ENCODE_ERROR");
    if (client->member.session == NULL || !pp_session_send_raw(client->member.session, bytes, len, text))
        return fail(L, "closed", "closed");
    lua_pushboolean(L, 1);
    return 1;
}

/* send_error(client, code, message) */
static int send_error(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    if (client->member.session != NULL)
        pp_session_send_error(client->member.session, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
    return 0;
}

void pp_bind_send_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {{"send", send},
                                         {"send_control", send_control},
                                         {"send_raw", send_raw},
                                         {"send_error", send_error},
                                         {"broadcast", broadcast},
                                         {"broadcast_control", broadcast_control},
                                         {NULL, NULL}};
    luaL_register(L, NULL, functions);
}

/* painda.core.client: connections to servers, for lua/painda/client.lua.
 *
 *     connect(options, handlers) → connection, or nil and why it can't work
 *         options   host port path secure insecure caFile unixPath headers connectTimeout pingInterval pingTimeout
 *                   maxPayload maxDecompressedSize maxQueue threshold (nil: no compression) mode json registry
 *         handlers  object; open(object), message(object, type, payload, ackId, ns), fault(object, code, text),
 *                   frame(object, typeId, bytes): one of the protocol's own that is no envelope; pong(object),
 *                   closed(object, code, reason, byPeer)
 *     send(connection, type, payload, ns, ackId) → true, or nil, text and "closed", "full" or "ENCODE_ERROR"
 *     connect_virtual(options, handlers) → connection to a server of this process: lua_connection.h
 *     close(connection, code, reason)        queued(connection) → bytes        ping(connection)
 *
 * A connection is held in the registry until `closed` was called, and is a handle that answers "closed" afterwards. */
#include "base/buf.h"
#include "script/bind.h"
#include "script/call.h"
#include "script/lua_atoms.h"
#include "script/lua_connection.h"
#include "script/lua_json.h"
#include "script/lua_message.h"
#include "script/lua_schema.h"
#include "session/virtual.h"
#include "wire/compress.h"
#include "wire/envelope.h"
#include "wire/frame.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

/* Shared by all connections, since each use is over before Lua runs. They last as long as the process. */
static struct pp_inflater *inflater;
static struct pp_buf inflated_bytes;

static struct pp_lua_connection *check_connection(lua_State *L)
{
    return luaL_checkudata(L, 1, PP_LUA_CONNECTION);
}

/* --- events --- */

static lua_State *begin(struct pp_lua_connection *connection, enum pp_lua_connection_reference handler)
{
    lua_State *task = pp_call_begin(connection->vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, connection->references[handler]);
    lua_rawgeti(task, LUA_REGISTRYINDEX, connection->references[PP_CONNECTION_OBJECT]);
    return task;
}

void pp_lua_connection_release(struct pp_lua_connection *connection)
{
    lua_State *L = pp_vm_lua(connection->vm);
    for (int i = 0; i < PP_CONNECTION_REFERENCES; i++) {
        luaL_unref(L, LUA_REGISTRYINDEX, connection->references[i]);
        connection->references[i] = LUA_NOREF;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, connection->self);
    connection->self = LUA_NOREF;
}

static void on_open(void *owner)
{
    struct pp_lua_connection *connection = owner;
    pp_call_run(connection->vm, begin(connection, PP_CONNECTION_OPEN), 1, "open");
}

static void on_pong(void *owner)
{
    struct pp_lua_connection *connection = owner;
    pp_call_run(connection->vm, begin(connection, PP_CONNECTION_PONG), 1, "pong");
}

static void on_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    struct pp_lua_connection *connection = owner;
    lua_State *task = begin(connection, PP_CONNECTION_CLOSED);
    lua_pushinteger(task, code);
    lua_pushstring(task, reason);
    lua_pushboolean(task, by_peer);
    connection->client = NULL;
    connection->virtual = NULL;
    struct pp_vm *vm = connection->vm;
    pp_lua_connection_release(connection); /* from here on the collector may take it */
    pp_call_run(vm, task, 4, "close");
}

static void fault(struct pp_lua_connection *connection, const char *code, const char *text)
{
    lua_State *task = begin(connection, PP_CONNECTION_FAULT);
    lua_pushstring(task, code);
    lua_pushstring(task, text);
    pp_call_run(connection->vm, task, 3, "error");
}

/* All that the message's spans point at is read before the handler runs: it may use the buffers again. */
static void deliver(struct pp_lua_connection *connection, const struct pp_message *message)
{
    char error[PP_LUA_JSON_ERROR];
    lua_State *task = begin(connection, PP_CONNECTION_MESSAGE);
    lua_pushlstring(task, message->type, message->type_len);
    if (!pp_lua_message_push_payload(task, message, NULL, error, sizeof error)) {
        pp_call_cancel(connection->vm, task);
        fault(connection, message->schema ? "SCHEMA_ERROR" : "DECODE_ERROR", error);
        return;
    }
    if (message->ack_id > 0)
        lua_pushnumber(task, (lua_Number)message->ack_id);
    else
        lua_pushnil(task);
    if (message->ns_len > 0)
        lua_pushlstring(task, message->ns, message->ns_len);
    else
        lua_pushnil(task);
    pp_lua_atom_note_text(message->type, message->type_len);
    pp_call_run(connection->vm, task, 5, "message");
}

static void on_envelope(struct pp_lua_connection *connection, char *text, size_t len)
{
    struct pp_envelope envelope;
    if (pp_envelope_scan(text, len, &envelope) != 0) {
        fault(connection, "DECODE_ERROR", envelope.error);
        return;
    }
    struct pp_message message = {
        .type = envelope.type,
        .type_len = envelope.type_len,
        .payload = envelope.payload,
        .payload_len = envelope.payload_len,
        .ns = envelope.ns,
        .ns_len = envelope.ns_len,
        .ack_id = envelope.ack_id,
    };
    deliver(connection, &message);
}

static void on_schema_payload(struct pp_lua_connection *connection, const struct pp_frame *frame, const char *payload,
                              size_t len)
{
    const struct pp_schema *schema = pp_registry_by_id(connection->registry, frame->type_id);
    if (schema == NULL) {
        fault(connection, "SCHEMA_ERROR", "the server sent a schema that is not in the registry");
        return;
    }
    struct pp_message message = {
        .type = schema->name,
        .type_len = schema->name_len,
        .payload = payload,
        .payload_len = len,
        .schema = schema,
        .schema_version = frame->schema_version,
    };
    deliver(connection, &message);
}

static void on_protocol_frame(struct pp_lua_connection *connection, const struct pp_frame *frame, const char *payload,
                              size_t len)
{
    lua_State *task = begin(connection, PP_CONNECTION_FRAME);
    lua_pushinteger(task, frame->type_id);
    lua_pushlstring(task, payload, len);
    pp_call_run(connection->vm, task, 3, "message");
}

/* The frame's payload, inflated where it has to be; NULL where it can't be. The bytes may be written to. */
static char *read_payload(struct pp_lua_connection *connection, const struct pp_frame *frame, size_t *len)
{
    *len = frame->payload_len;
    if (!(frame->flags & PP_FLAG_COMPRESSED))
        return (char *)frame->payload;
    if (inflater == NULL)
        inflater = pp_inflater_new();
    pp_buf_clear(&inflated_bytes);
    enum pp_inflate_status status =
        pp_inflate(inflater, frame->payload, frame->payload_len, connection->max_decompressed, &inflated_bytes);
    if (status != PP_INFLATE_OK) {
        fault(connection, "DECODE_ERROR",
              status == PP_INFLATE_CORRUPT ? "the compressed payload is broken"
                                           : "the compressed payload is too large");
        return NULL;
    }
    *len = inflated_bytes.len;
    pp_buf_reserve(&inflated_bytes, 1); /* so that there are bytes to point at */
    return inflated_bytes.data;
}

static void start_close(struct pp_lua_connection *connection, uint16_t code, const char *reason)
{
    connection->closing = true;
    if (connection->client != NULL)
        pp_client_close(connection->client, code, reason);
    else
        pp_virtual_close(connection->virtual, code, reason);
}

static void on_bad_frame(struct pp_lua_connection *connection, const struct pp_frame *frame)
{
    bool version = frame->fault == PP_FRAME_BAD_VERSION;
    if (frame->fault == PP_FRAME_FINE) {
        fault(connection, "DECODE_ERROR", "truncated frame");
        return;
    }
    fault(connection, "DECODE_ERROR", pp_frame_fault_text(frame->fault));
    start_close(connection, version ? 4010 : 4011, version ? "Invalid Protocol Version" : "malformed frame");
}

static void on_frames(struct pp_lua_connection *connection, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len && !connection->closing;) {
        struct pp_frame frame;
        size_t payload_len;
        ptrdiff_t taken = pp_frame_decode(bytes + at, len - at, &frame);
        if (taken < 0) {
            on_bad_frame(connection, &frame);
            return;
        }
        at += (size_t)taken;
        char *payload = read_payload(connection, &frame, &payload_len);
        if (payload != NULL && frame.type_id == 0)
            on_envelope(connection, payload, payload_len);
        else if (payload != NULL && frame.type_id >= PP_TYPE_PROTOCOL)
            on_protocol_frame(connection, &frame, payload, payload_len);
        else if (payload != NULL)
            on_schema_payload(connection, &frame, payload, payload_len);
    }
}

static void on_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    struct pp_lua_connection *connection = owner;
    if (text)
        on_envelope(connection, (char *)bytes, len);
    else
        on_frames(connection, bytes, len);
}

const struct pp_client_ops pp_lua_connection_ops = {
    .open = on_open, .message = on_message, .pong = on_pong, .closed = on_closed};

/* --- what Lua calls --- */

static int close(lua_State *L)
{
    struct pp_lua_connection *connection = check_connection(L);
    if (connection->client != NULL || connection->virtual != NULL)
        start_close(connection, (uint16_t)luaL_checkinteger(L, 2), luaL_checkstring(L, 3));
    return 0;
}

static int queued(lua_State *L)
{
    const struct pp_lua_connection *connection = check_connection(L);
    size_t bytes = 0;
    if (connection->client != NULL)
        bytes = pp_client_queued(connection->client);
    else if (connection->virtual != NULL)
        bytes = pp_virtual_queued(connection->virtual);
    lua_pushinteger(L, (lua_Integer)bytes);
    return 1;
}

/* ping(connection) → true: a pong comes behind all that the server sent before; false where nobody is asked. */
static int ping(lua_State *L)
{
    struct pp_lua_connection *connection = check_connection(L);
    if (connection->client != NULL)
        pp_client_ping(connection->client);
    lua_pushboolean(L, connection->client != NULL);
    return 1;
}

/* --- connecting --- */

/* The string field of the options at 1, or NULL. It stays on the stack, which keeps it alive. */
static const char *string_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    return lua_isnil(L, -1) ? NULL : luaL_checkstring(L, -1);
}

static bool flag_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static double number_field(lua_State *L, const char *name, double most, double otherwise)
{
    lua_getfield(L, 1, name);
    double value = lua_isnil(L, -1) ? otherwise : luaL_checknumber(L, -1);
    lua_pop(L, 1);
    return value < 0 ? 0 : value < most ? value : most;
}

static void read_options(lua_State *L, struct pp_client_options *options)
{
    *options = (struct pp_client_options){
        .host = string_field(L, "host"),
        .port = (int)number_field(L, "port", 65535, 80),
        .unix_path = string_field(L, "unixPath"),
        .path = string_field(L, "path"),
        .headers = string_field(L, "headers"),
        .ca_file = string_field(L, "caFile"),
        .secure = flag_field(L, "secure"),
        .insecure = flag_field(L, "insecure"),
        .connect_timeout = (uint32_t)number_field(L, "connectTimeout", INT32_MAX, 20000),
        .ping_interval = (uint32_t)number_field(L, "pingInterval", INT32_MAX, 0),
        .ping_timeout = (uint32_t)number_field(L, "pingTimeout", INT32_MAX, 10000),
        .max_payload = (size_t)number_field(L, "maxPayload", INT32_MAX, 10 << 20),
        .max_queue = (size_t)number_field(L, "maxQueue", INT32_MAX, 16 << 20),
    };
    if (options->path == NULL)
        options->path = "/";
}

static void read_encoding(lua_State *L, struct pp_lua_connection *connection)
{
    connection->json = flag_field(L, "json");
    connection->mode = (uint16_t)number_field(L, "mode", 3, 0);
    connection->max_decompressed = (size_t)number_field(L, "maxDecompressedSize", INT32_MAX, 10 << 20);
    connection->threshold = (size_t)number_field(L, "threshold", INT32_MAX, INT32_MAX);
}

/* Stack: options, handlers, connection. */
static void keep_references(lua_State *L, struct pp_lua_connection *connection)
{
    static const char *const names[] = {"object", "open", "message", "frame", "fault", "pong", "closed"};
    for (int i = 0; i < PP_CONNECTION_REGISTRY; i++) {
        lua_getfield(L, 2, names[i]);
        connection->references[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_getfield(L, 1, "registry");
    connection->registry = pp_lua_registry_test(L, lua_gettop(L));
    connection->references[PP_CONNECTION_REGISTRY] = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_getfield(L, 1, "server");
    connection->references[PP_CONNECTION_SERVER] = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 3);
    connection->self = luaL_ref(L, LUA_REGISTRYINDEX);
}

struct pp_lua_connection *pp_lua_connection_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct pp_lua_connection *connection = lua_newuserdata(L, sizeof *connection);
    *connection = (struct pp_lua_connection){.vm = pp_vm_of(L), .self = LUA_NOREF};
    for (int i = 0; i < PP_CONNECTION_REFERENCES; i++)
        connection->references[i] = LUA_NOREF;
    luaL_getmetatable(L, PP_LUA_CONNECTION);
    lua_setmetatable(L, 3);
    read_encoding(L, connection);
    keep_references(L, connection);
    return connection;
}

static int connect(lua_State *L)
{
    char error[256];
    struct pp_client_options options;
    struct pp_lua_connection *connection = pp_lua_connection_new(L);
    read_options(L, &options);
    connection->client = pp_client_connect(pp_vm_loop(connection->vm), &options, &pp_lua_connection_ops, connection,
                                           error, sizeof error);
    if (connection->client == NULL) {
        pp_lua_connection_release(connection);
        lua_pushnil(L);
        lua_pushstring(L, error);
        return 2;
    }
    lua_settop(L, 3);
    return 1;
}

static int collect(lua_State *L)
{
    struct pp_lua_connection *connection = lua_touserdata(L, 1);
    if (connection->client != NULL)
        pp_client_drop(connection->client);
    if (connection->virtual != NULL)
        pp_virtual_drop(connection->virtual);
    connection->client = NULL;
    connection->virtual = NULL;
    return 0;
}

int pp_bind_client(lua_State *L)
{
    static const luaL_Reg functions[] = {{"connect", connect},
                                         {"connect_virtual", pp_lua_connection_connect_virtual},
                                         {"send", pp_lua_connection_send},
                                         {"close", close},
                                         {"queued", queued},
                                         {"ping", ping},
                                         {NULL, NULL}};
    luaL_newmetatable(L, PP_LUA_CONNECTION);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "connection");
    lua_setfield(L, -2, "__metatable");
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}

/* Sending to a server: a Lua value becomes an envelope or a schema's bytes, then a frame. */
#include "base/buf.h"
#include "script/lua_connection.h"
#include "script/lua_json.h"
#include "script/lua_schema.h"
#include "session/virtual.h"
#include "wire/compress.h"
#include "wire/envelope.h"
#include "wire/frame.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* Shared by all connections, since each use is over before Lua runs. They last as long as the process. */
static struct pp_compressor *compressor;
static struct pp_buf payload_bytes, smaller_bytes;

/* [-0, +3] */
static int refuse(lua_State *L, const char *text, const char *code)
{
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushstring(L, code);
    return 3;
}

/* Writes the envelope of the message at 2 to 5 into payload_bytes. */
static bool write_envelope(lua_State *L, char *error, size_t error_size)
{
    size_t type_len, ns_len = 0;
    const char *type = lua_tolstring(L, 2, &type_len), *ns = lua_tolstring(L, 4, &ns_len);
    if (!pp_envelope_begin(&payload_bytes, type, type_len)) {
        snprintf(error, error_size, "the type is not valid UTF-8");
        return false;
    }
    if (!pp_lua_json_encode(L, 3, &payload_bytes, error, error_size))
        return false;
    bool ended = pp_envelope_end(&payload_bytes, ns, ns_len, (uint64_t)lua_tonumber(L, 5));
    if (!ended)
        snprintf(error, error_size, "the namespace is not valid UTF-8");
    return ended;
}

static struct pp_packet *packet_of(const struct pp_buf *bytes)
{
    struct pp_packet *packet = pp_packet_new(bytes->len);
    if (bytes->len > 0)
        memcpy(pp_packet_data(packet), bytes->data, bytes->len);
    return packet;
}

/* A frame around payload_bytes. */
static struct pp_packet *make_frame(const struct pp_lua_connection *connection, const struct pp_schema *schema)
{
    uint16_t flags = connection->mode;
    const struct pp_buf *payload = &payload_bytes;
    if (payload->len >= connection->threshold) {
        if (compressor == NULL)
            compressor = pp_compressor_new(-1);
        pp_buf_clear(&smaller_bytes);
        if (pp_compress(compressor, payload->data, payload->len, &smaller_bytes)) {
            flags |= PP_FLAG_COMPRESSED;
            payload = &smaller_bytes;
        }
    }
    struct pp_packet *packet = packet_of(payload);
    pp_frame_encode(pp_packet_push(packet, PP_FRAME_HEADER), flags, schema ? schema->id : 0,
                    schema ? schema->version : 0, (uint32_t)payload->len);
    return packet;
}

/* The schema that the message at 2 to 5 travels by, or NULL: a namespace or an ack needs the envelope. */
static const struct pp_schema *schema_for(lua_State *L, const struct pp_lua_connection *connection)
{
    size_t len;
    const char *type = lua_tolstring(L, 2, &len);
    if (connection->json || !lua_isnil(L, 4) || !lua_isnil(L, 5))
        return NULL;
    return pp_registry_by_name(connection->registry, type, len);
}

int pp_lua_connection_send(lua_State *L)
{
    struct pp_lua_connection *connection = luaL_checkudata(L, 1, PP_LUA_CONNECTION);
    char error[PP_LUA_JSON_ERROR];
    luaL_checktype(L, 2, LUA_TSTRING);
    lua_settop(L, 5);
    if ((connection->client == NULL && connection->virtual == NULL) || connection->closing)
        return refuse(L, "closed", "closed");
    const struct pp_schema *schema = schema_for(L, connection);
    pp_buf_clear(&payload_bytes);
    bool written = schema ? pp_lua_schema_encode(L, schema, 3, &payload_bytes, error, sizeof error)
                          : write_envelope(L, error, sizeof error);
    if (!written)
        return refuse(L, error, "ENCODE_ERROR");
    struct pp_packet *packet = connection->json ? packet_of(&payload_bytes) : make_frame(connection, schema);
    enum pp_client_sent sent = connection->client ? pp_client_send(connection->client, packet, connection->json)
                                                  : pp_virtual_send(connection->virtual, packet);
    pp_packet_unref(packet);
    if (sent != PP_CLIENT_QUEUED)
        return refuse(L, sent == PP_CLIENT_FULL ? "too much is waiting to be sent" : "closed",
                      sent == PP_CLIENT_FULL ? "full" : "closed");
    lua_pushboolean(L, 1);
    return 1;
}

/* Payloads of every kind of serializer from Lua values and back, and the upgrade of other versions. */
#include "script/lua_schema.h"

#include "base/utf8.h"
#include "script/lua_json.h"
#include "script/lua_struct.h"
#include "wire/bytes.h"
#include "wire/schema_codec.h"

#include <lauxlib.h>
#include <stdio.h>

#define REASON 256 /* a message without the schema's name */

/* Room for what decoding or encoding pushes. */
static bool make_room(lua_State *L, const struct pp_record *record, char *reason)
{
    unsigned depth = record ? record->depth : 1;
    if (lua_checkstack(L, (int)(PP_LUA_STRUCT_SLOTS * (depth + 4))))
        return true;
    snprintf(reason, REASON, "the Lua stack is full");
    return false;
}

static bool bytes(lua_State *L, const char **out, size_t *len)
{
    *out = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
    return *out != NULL;
}

/* Encoding: the value is on top of the stack in each of these; what they leave above it, the caller removes. */

static bool encode_bytes(lua_State *L, const struct pp_serializer *serializer, struct pp_buf *out, char *error)
{
    const char *from;
    size_t len;
    bool text = serializer->kind == PP_STRING;
    if (bytes(L, &from, &len) && (!text || pp_utf8_valid(from, len))) {
        pp_buf_append(out, from, len);
        return true;
    }
    char given[96];
    pp_lua_describe(L, given, sizeof(given));
    snprintf(error, REASON, "expected %s, got %s", text ? "UTF-8 text" : "a string of bytes", given);
    return false;
}

/* [-0, +1] A copy of the table on top without one key. */
static void push_without(lua_State *L, const char *key)
{
    int from = lua_gettop(L);
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* stack: copy, key, key, value */
        lua_rawset(L, -4);
    }
    lua_pushstring(L, key);
    lua_pushnil(L);
    lua_rawset(L, -3);
}

static bool encode_mixed(lua_State *L, const struct pp_serializer *serializer, struct pp_buf *out, char *error)
{
    const char *key = serializer->binary_field, *from;
    size_t len, start = out->len;
    char given[96];
    if (lua_type(L, -1) != LUA_TTABLE) {
        pp_lua_describe(L, given, sizeof(given));
        snprintf(error, REASON, "expected a table with the bytes in \"%s\", got %s", key, given);
        return false;
    }
    lua_pushstring(L, key);
    lua_rawget(L, -2);
    if (!bytes(L, &from, &len)) {
        pp_lua_describe(L, given, sizeof(given));
        snprintf(error, REASON, "%s: expected a string of bytes, got %s", key, given);
        return false;
    }
    lua_pushvalue(L, -2);
    push_without(L, key);
    pp_buf_append(out, "\0\0\0\0", 4);
    if (!pp_lua_json_encode(L, -1, out, error, REASON))
        return false;
    if (out->data[start + 4] != '{') {
        snprintf(error, REASON, "expected string keys beside \"%s\"", key);
        return false;
    }
    pp_put_u32((unsigned char *)out->data + start, (uint32_t)(out->len - start - 4));
    pp_buf_append(out, from, len);
    return true;
}

static bool encode(lua_State *L, const struct pp_serializer *serializer, struct pp_buf *out, char *error)
{
    switch (serializer->kind) {
    case PP_STRUCT:
        return pp_record_encode(serializer->record, &pp_lua_source, L, out, error, REASON);
    case PP_JSON:
        return pp_lua_json_encode(L, -1, out, error, REASON);
    case PP_MIXED:
        return encode_mixed(L, serializer, out, error);
    default:
        return encode_bytes(L, serializer, out, error);
    }
}

bool pp_lua_schema_encode(lua_State *L, const struct pp_schema *schema, int index, struct pp_buf *out, char *error,
                          size_t error_size)
{
    int top = lua_gettop(L);
    size_t start = out->len;
    char reason[REASON];
    bool fine = make_room(L, schema->serializer->record, reason);
    if (fine) {
        lua_pushvalue(L, index);
        fine = encode(L, schema->serializer, out, reason);
        lua_settop(L, top);
    }
    if (fine)
        return true;
    out->len = start;
    snprintf(error, error_size, "schema \"%s\": %s", schema->name, reason);
    return false;
}

/* Decoding: each pushes one value, or returns false with the reason and whatever it left on the stack. */

static bool decode_mixed(lua_State *L, const struct pp_serializer *serializer, const void *payload, size_t len,
                         char *error)
{
    const char *json, *binary;
    size_t json_len, binary_len;
    if (!pp_mixed_split(payload, len, &json, &json_len, &binary, &binary_len)) {
        snprintf(error, REASON, "the length of the JSON reaches past the end of the payload");
        return false;
    }
    if (!pp_lua_json_decode(L, json, json_len, error, REASON))
        return false;
    bool object = lua_istable(L, -1) && !lua_getmetatable(L, -1); /* an array would carry its mark */
    if (!object) {
        snprintf(error, REASON, "the JSON is not an object");
        return false;
    }
    lua_pushlstring(L, binary, binary_len);
    lua_setfield(L, -2, serializer->binary_field);
    return true;
}

static bool decode(lua_State *L, const struct pp_serializer *serializer, const void *payload, size_t len, char *error)
{
    switch (serializer->kind) {
    case PP_STRUCT:
        return pp_record_decode(serializer->record, payload, len, &pp_lua_sink, L, error, REASON);
    case PP_JSON:
        return pp_lua_json_decode(L, payload, len, error, REASON);
    case PP_MIXED:
        return decode_mixed(L, serializer, payload, len, error);
    case PP_STRING:
        if (!pp_utf8_valid(payload, len)) {
            snprintf(error, REASON, "the text is not valid UTF-8");
            return false;
        }
        break;
    case PP_BUFFER:
        break;
    }
    lua_pushlstring(L, payload, len);
    return true;
}

/* The value of another version, as far as it can be read: by that version's layout where it is known, else the bytes.
 */
static bool decode_previous(lua_State *L, const struct pp_serializer *serializer, uint16_t version, const void *payload,
                            size_t len, char *error)
{
    if (serializer->kind != PP_STRUCT)
        return decode(L, serializer, payload, len, error);
    const struct pp_record *layout = pp_serializer_previous(serializer, version);
    if (layout)
        return make_room(L, layout, error) && pp_record_decode(layout, payload, len, &pp_lua_sink, L, error, REASON);
    lua_pushlstring(L, payload, len);
    return true;
}

/* [-0, +1] The function, or nil where the collector has taken it (a finaliser may still decode). */
static void push_upgrade(lua_State *L, struct pp_serializer *serializer)
{
    int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_SERIALIZERS);
    lua_pushlightuserdata(L, serializer);
    lua_rawget(L, -2);
    if (lua_isuserdata(L, -1)) {
        lua_getfenv(L, -1);
        lua_rawgeti(L, -1, 1);
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

static bool upgrade(lua_State *L, const struct pp_schema *schema, uint16_t version, const void *payload, size_t len,
                    char *error)
{
    if (!schema->serializer->can_upgrade) {
        snprintf(error, REASON, "version %u was sent, version %u is registered and can't upgrade it", version,
                 schema->version);
        return false;
    }
    push_upgrade(L, schema->serializer);
    lua_pushinteger(L, version);
    if (!decode_previous(L, schema->serializer, version, payload, len, error))
        return false;
    int status = lua_pcall(L, 2, 1, 0);
    if (status != 0) {
        if (lua_type(L, -1) == LUA_TTABLE) { /* painda.Error */
            lua_pushliteral(L, "message");
            lua_rawget(L, -2);
        }
        const char *message = lua_tostring(L, -1);
        snprintf(error, REASON, "upgrade from version %u raised: %s", version, message ? message : "an error");
        return false;
    }
    if (!lua_isnil(L, -1))
        return true;
    snprintf(error, REASON, "upgrade from version %u returned nothing", version);
    return false;
}

int pp_lua_schema_decode(lua_State *L, const struct pp_schema *schema, uint16_t version, const void *payload,
                         size_t len, char *error, size_t error_size)
{
    int top = lua_gettop(L);
    char reason[REASON];
    bool fine = make_room(L, schema->serializer->record, reason);
    if (fine && (version == 0 || version == schema->version))
        fine = decode(L, schema->serializer, payload, len, reason);
    else if (fine)
        fine = upgrade(L, schema, version, payload, len, reason);
    if (fine)
        return 1;
    lua_settop(L, top);
    snprintf(error, error_size, "schema \"%s\": %s", schema->name, reason);
    return 0;
}

/* painda.core.schema: serializers and registries as Lua objects.
 *
 * A serializer's userdata owns the references to field names that its records carry, and its environment table holds
 * the upgrade function (not the Lua registry: that function may well reach the PPSchemaRegistry, which could then never
 * be collected). A registry's environment holds every serializer registered with it, so they live as long as the
 * registry. */
#include "script/lua_schema.h"
#include "script/schema_fields.h"

#include "base/memory.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define REGISTRY "painda.PPSchemaRegistry"
#define SERIALIZER "painda.serializer"
#define REASON 512

struct registry_box {
    struct pp_registry *registry;
    struct pp_buf scratch;
};

struct serializer_box {
    struct pp_serializer *serializer;
};

/* luaL_checkudata without the error. */
static void *test_box(lua_State *L, int index, const char *kind)
{
    void *box = lua_touserdata(L, index);
    if (box == NULL || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, kind);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? box : NULL;
}

struct pp_registry *pp_lua_registry_test(lua_State *L, int index)
{
    struct registry_box *box = test_box(L, index, REGISTRY);
    return box ? box->registry : NULL;
}

struct pp_registry *pp_lua_registry_check(lua_State *L, int index)
{
    struct pp_registry *registry = pp_lua_registry_test(L, index);
    if (registry == NULL)
        luaL_argerror(L, index, "a PPSchemaRegistry expected");
    return registry;
}

/* Serializers: each constructor takes [id,] what is its own, [options]. */

/* A whole number from `least` to `most` at `index`, or an error about `what`. */
static uint16_t check_number(lua_State *L, int index, int least, int most, const char *what)
{
    lua_Number given = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : -1;
    if (!(given >= least && given <= most && given == (lua_Number)(int)given))
        luaL_error(L, "%s is a whole number from %d to %d, got %s", what, least, most,
                   lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index) : luaL_typename(L, index));
    return (uint16_t)given;
}

/* Removes an id from the front of the arguments; 0 where there is none. */
static uint16_t take_id(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TNUMBER)
        return 0;
    uint16_t id = check_number(L, 1, 1, PP_SCHEMA_ID_MAX, "a type id");
    lua_remove(L, 1);
    return id;
}

/* [-0, +1] The userdata, empty, so that it owns whatever is put into it; found again by its serializer's address. */
static struct serializer_box *push_serializer(lua_State *L, enum pp_serializer_kind kind, uint16_t id)
{
    struct serializer_box *box = lua_newuserdata(L, sizeof(*box));
    box->serializer = pp_serializer_new(kind, id, NULL, NULL);
    luaL_getmetatable(L, SERIALIZER);
    lua_setmetatable(L, -2);
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_SERIALIZERS);
    lua_pushlightuserdata(L, box->serializer);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return box;
}

/* The layouts of earlier versions: { [1] = fields, … }, at `index`. */
static void read_previous(lua_State *L, int index, struct pp_serializer *serializer, const char *who)
{
    char reason[REASON];
    if (lua_type(L, index) != LUA_TTABLE)
        luaL_error(L, "%s: options.previous is a table of field lists by version, got %s", who,
                   luaL_typename(L, index));
    lua_pushnil(L);
    while (lua_next(L, index)) {
        uint16_t version = check_number(L, -2, 1, 65535, "a version in options.previous");
        struct pp_record *record = pp_lua_fields_compile(L, -1, reason, sizeof(reason));
        if (record == NULL)
            luaL_error(L, "%s: options.previous[%d]: %s", who, version, reason);
        pp_serializer_add_previous(serializer, version, record);
        lua_pop(L, 1);
    }
}

/* Reads the options at `index` (nil is none), { upgrade = function, previous = … }, into the serializer on top. */
static void read_options(lua_State *L, int index, struct pp_serializer *serializer, const char *who)
{
    static const char *const with_previous[] = {"upgrade", "previous", NULL};
    static const char *const only_upgrade[] = {"upgrade", NULL};
    char reason[REASON];
    int top = lua_gettop(L);
    if (lua_isnoneornil(L, index))
        return;
    if (lua_type(L, index) != LUA_TTABLE)
        luaL_error(L, "%s: options are a table like {upgrade = function}, got %s", who, luaL_typename(L, index));
    const char *const *known = serializer->kind == PP_STRUCT ? with_previous : only_upgrade;
    if (!pp_lua_known_keys(L, index, known, reason, sizeof(reason)))
        luaL_error(L, "%s: options: %s", who, reason);
    lua_createtable(L, 1, 0);
    lua_getfield(L, index, "previous");
    lua_getfield(L, index, "upgrade"); /* stack: … serializer, environment, previous, upgrade */
    if (!lua_isnil(L, -2) && lua_isnil(L, -1))
        luaL_error(L, "%s: options.previous is of use only together with options.upgrade", who);
    if (!lua_isnil(L, -2))
        read_previous(L, top + 2, serializer, who);
    if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
        luaL_error(L, "%s: options.upgrade is a function(fromVersion, value), got %s", who, luaL_typename(L, -1));
    serializer->can_upgrade = !lua_isnil(L, -1);
    lua_rawseti(L, top + 1, 1);
    lua_pushvalue(L, top + 1);
    lua_setfenv(L, top);
    lua_settop(L, top);
}

static int struct_serializer(lua_State *L)
{
    char reason[REASON];
    uint16_t id = take_id(L);
    lua_settop(L, 2); /* fields, options */
    struct serializer_box *box = push_serializer(L, PP_STRUCT, id);
    box->serializer->record = pp_lua_fields_compile(L, 1, reason, sizeof(reason));
    if (box->serializer->record == NULL)
        return luaL_error(L, "structSerializer: %s", reason);
    read_options(L, 2, box->serializer, "structSerializer");
    return 1;
}

static int plain_serializer(lua_State *L, enum pp_serializer_kind kind, const char *who)
{
    uint16_t id = take_id(L);
    lua_settop(L, 1); /* options */
    struct serializer_box *box = push_serializer(L, kind, id);
    read_options(L, 1, box->serializer, who);
    return 1;
}

static int json_serializer(lua_State *L)
{
    return plain_serializer(L, PP_JSON, "jsonSerializer");
}

static int string_serializer(lua_State *L)
{
    return plain_serializer(L, PP_STRING, "stringSerializer");
}

static int buffer_serializer(lua_State *L)
{
    return plain_serializer(L, PP_BUFFER, "bufferSerializer");
}

static int mixed_serializer(lua_State *L)
{
    uint16_t id = take_id(L);
    lua_settop(L, 2); /* binaryField, options */
    size_t len = 0;
    const char *field = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &len) : NULL;
    if (len == 0 || strlen(field) != len)
        return luaL_error(L, "mixedSerializer: the name of the binary field is expected, got %s",
                          len ? "a name with a zero byte" : luaL_typename(L, 1));
    struct serializer_box *box = push_serializer(L, PP_MIXED, id);
    box->serializer->binary_field = pp_strndup(field, len);
    read_options(L, 2, box->serializer, "mixedSerializer");
    return 1;
}

static int serializer_gc(lua_State *L)
{
    struct serializer_box *box = lua_touserdata(L, 1);
    struct pp_serializer *serializer = box->serializer;
    pp_lua_fields_forget(L, serializer->record);
    for (struct pp_layout *layout = serializer->previous; layout; layout = layout->next)
        pp_lua_fields_forget(L, layout->record);
    pp_serializer_unref(serializer);
    box->serializer = NULL;
    return 0;
}

/* Registries. */

static int registry_new(lua_State *L)
{
    struct registry_box *box = lua_newuserdata(L, sizeof(*box));
    *box = (struct registry_box){.registry = pp_registry_new()};
    luaL_getmetatable(L, REGISTRY);
    lua_setmetatable(L, -2);
    lua_newtable(L);
    lua_setfenv(L, -2);
    return 1;
}

static int registry_gc(lua_State *L)
{
    struct registry_box *box = lua_touserdata(L, 1);
    pp_registry_unref(box->registry);
    box->registry = NULL;
    pp_buf_destroy(&box->scratch);
    return 0;
}

static struct registry_box *check_box(lua_State *L, const char *method)
{
    struct registry_box *box = test_box(L, 1, REGISTRY);
    if (box == NULL)
        luaL_error(L, "call it as registry:%s(…), with a colon", method);
    else if (box->registry == NULL)
        luaL_error(L, "%s: the registry was collected", method);
    return box;
}

static int registry_tostring(lua_State *L)
{
    struct registry_box *box = check_box(L, "tostring");
    lua_pushfstring(L, "PPSchemaRegistry (%d schemas)", (int)pp_registry_count(box->registry));
    return 1;
}

/* registry:register(name, [version,] serializer) */
static int registry_register(lua_State *L)
{
    struct registry_box *box = check_box(L, "register");
    uint16_t version = 1;
    size_t len = 0;
    char reason[REASON];
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "register: the name of a message type is expected, got %s", luaL_typename(L, 2));
    const char *name = lua_tolstring(L, 2, &len);
    if (lua_type(L, 3) == LUA_TNUMBER) {
        version = check_number(L, 3, 1, 65535, "a schema's version");
        lua_remove(L, 3);
    }
    lua_settop(L, 3);
    struct serializer_box *given = test_box(L, 3, SERIALIZER);
    if (given == NULL || given->serializer == NULL)
        return luaL_error(L, "register \"%s\": a serializer is expected (structSerializer, jsonSerializer, …), got %s",
                          name, luaL_typename(L, 3));
    if (!pp_registry_add(box->registry, name, len, version, given->serializer, reason, sizeof(reason)))
        return luaL_error(L, "register: %s", reason);
    lua_getfenv(L, 1);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, (int)pp_registry_count(box->registry));
    lua_settop(L, 1);
    return 1;
}

/* The schema that argument 2 names, by name or by id, or NULL. */
static const struct pp_schema *find(lua_State *L, const struct registry_box *box)
{
    size_t len;
    lua_Number id = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : 0;
    if (id >= 1 && id <= PP_SCHEMA_ID_MAX)
        return pp_registry_by_id(box->registry, (uint16_t)id);
    if (lua_type(L, 2) != LUA_TSTRING)
        return NULL;
    const char *name = lua_tolstring(L, 2, &len);
    return pp_registry_by_name(box->registry, name, len);
}

static const struct pp_schema *check_schema(lua_State *L, const struct registry_box *box, const char *method)
{
    const struct pp_schema *schema = find(L, box);
    if (schema == NULL)
        luaL_error(L, "%s: no schema is registered as %s", method,
                   lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2));
    return schema;
}

static int fail(lua_State *L, const char *reason)
{
    lua_pushnil(L);
    lua_pushstring(L, reason);
    lua_pushliteral(L, "SCHEMA_ERROR");
    return 3;
}

/* registry:get(nameOrId) → { name, id, version, kind } or nil */
static int registry_get(lua_State *L)
{
    static const char *const kinds[] = {"struct", "json", "string", "buffer", "mixed"};
    const struct pp_schema *schema = find(L, check_box(L, "get"));
    if (schema == NULL)
        return 0;
    lua_createtable(L, 0, 4);
    lua_pushlstring(L, schema->name, schema->name_len);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, schema->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, schema->version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, kinds[schema->serializer->kind]);
    lua_setfield(L, -2, "kind");
    return 1;
}

/* registry:encode(nameOrId, value) → bytes, or nil, message, "SCHEMA_ERROR" */
static int registry_encode(lua_State *L)
{
    struct registry_box *box = check_box(L, "encode");
    const struct pp_schema *schema = check_schema(L, box, "encode");
    char reason[REASON];
    lua_settop(L, 3);
    pp_buf_clear(&box->scratch);
    if (!pp_lua_schema_encode(L, schema, 3, &box->scratch, reason, sizeof(reason)))
        return fail(L, reason);
    lua_pushlstring(L, box->scratch.data, box->scratch.len);
    return 1;
}

/* registry:decode(nameOrId, bytes[, version]) → value, or nil, message, "SCHEMA_ERROR" */
static int registry_decode(lua_State *L)
{
    struct registry_box *box = check_box(L, "decode");
    const struct pp_schema *schema = check_schema(L, box, "decode");
    size_t len;
    char reason[REASON];
    if (lua_type(L, 3) != LUA_TSTRING)
        return luaL_error(L, "decode: a string of bytes is expected, got %s", luaL_typename(L, 3));
    const char *payload = lua_tolstring(L, 3, &len);
    uint16_t version = lua_isnoneornil(L, 4) ? 0 : check_number(L, 4, 0, 65535, "a schema's version");
    return pp_lua_schema_decode(L, schema, version, payload, len, reason, sizeof(reason)) ? 1 : fail(L, reason);
}

static void make_metatables(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"register", registry_register}, {"get", registry_get}, {"encode", registry_encode},
        {"decode", registry_decode},     {NULL, NULL},
    };
    if (luaL_newmetatable(L, REGISTRY)) {
        lua_pushcfunction(L, registry_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, registry_tostring);
        lua_setfield(L, -2, "__tostring");
        lua_newtable(L);
        luaL_register(L, NULL, methods);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "PPSchemaRegistry");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
    if (luaL_newmetatable(L, SERIALIZER)) {
        lua_pushcfunction(L, serializer_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushliteral(L, "serializer");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

/* The userdata of each living serializer by its address; the collector takes the entries of the dead. */
static void make_index(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_SERIALIZERS);
    bool there = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (there)
        return;
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, PP_LUA_SERIALIZERS);
}

int pp_bind_schema(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"PPSchemaRegistry", registry_new},
        {"structSerializer", struct_serializer},
        {"jsonSerializer", json_serializer},
        {"stringSerializer", string_serializer},
        {"bufferSerializer", buffer_serializer},
        {"mixedSerializer", mixed_serializer},
        {NULL, NULL},
    };
    make_metatables(L);
    make_index(L);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}

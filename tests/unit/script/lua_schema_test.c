/* Schemas between Lua and bytes, through the C door that the send and receive paths use. What users see is in
 * tests/spec/schema_spec.lua. */
#include "harness.h"
#include "script/bind.h"
#include "script/lua_json.h"
#include "script/lua_schema.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

static char error[512];

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    pp_lua_json_init(L);
    pp_bind_schema(L);
    lua_setglobal(L, "painda");
    return L;
}

/* Runs Lua that returns one value, which is left on the stack. */
static void run(lua_State *L, const char *code)
{
    int status = luaL_loadstring(L, code) || lua_pcall(L, 0, 1, 0);
    if (status != 0)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    CU_ASSERT_EQUAL_FATAL(status, 0);
}

/* stack: the registry that the code returns, at 1 */
static struct pp_registry *registry_of(lua_State *L, const char *code)
{
    run(L, code);
    return pp_lua_registry_check(L, 1);
}

static const char moves[] =
    "local p = painda local r = p.PPSchemaRegistry()"
    "r:register('move', 2, p.structSerializer(7, { {name='x', type='float32'}, {name='y', type='float32'} }, {"
    "  previous = { [1] = { {name='x', type='uint8'} } },"
    "  upgrade = function(from, value)"
    "    if from == 1 then return {x = value.x, y = from} end"
    "    if from == 3 then return {raw = value} end"
    "    if from == 4 then error('too new') end"
    "    if from == 5 then error({message = 'an Error'}) end"
    "    if from == 6 then coroutine.yield() end"
    "  end }))"
    "return r";

static void encodes_into_the_callers_buffer(void)
{
    lua_State *L = open_state();
    struct pp_registry *registry = registry_of(L, moves);
    struct pp_buf out = {0};
    pp_buf_append_string(&out, "head");
    run(L, "return {x = 1.5, y = -2}");
    CU_ASSERT_TRUE(pp_lua_schema_encode(L, pp_registry_by_id(registry, 7), -1, &out, error, sizeof(error)));
    CU_ASSERT(out.len == 12 && memcmp(out.data, "head\x3F\xC0\0\0\xC0\0\0\0", 12) == 0);
    CU_ASSERT_EQUAL(lua_gettop(L), 2);
    run(L, "return {x = 1.5}");
    CU_ASSERT_FALSE(pp_lua_schema_encode(L, pp_registry_by_id(registry, 7), 3, &out, error, sizeof(error)));
    CU_ASSERT_STRING_EQUAL(error, "schema \"move\": y: expected a number up to 3.4e38 (float32), got nothing");
    CU_ASSERT_EQUAL(out.len, 12);
    CU_ASSERT_EQUAL(lua_gettop(L), 3);
    pp_buf_destroy(&out);
    lua_close(L);
}

static void calls_no_metamethod(void)
{
    lua_State *L = open_state();
    struct pp_registry *registry = registry_of(L, moves);
    const struct pp_schema *schema = pp_registry_by_name(registry, "move", 4);
    struct pp_buf out = {0};
    run(L, "return setmetatable({x = 1}, {__index = function() error('called') end})");
    CU_ASSERT_FALSE(pp_lua_schema_encode(L, schema, -1, &out, error, sizeof(error)));
    pp_buf_destroy(&out);
    lua_close(L);
}

static void decodes_one_value(void)
{
    lua_State *L = open_state();
    const struct pp_schema *schema = pp_registry_by_id(registry_of(L, moves), 7);
    for (unsigned version = 0; version <= 2; version += 2) { /* unversioned, and its own */
        CU_ASSERT_EQUAL(
            pp_lua_schema_decode(L, schema, (uint16_t)version, "\x3F\xC0\0\0\xC0\0\0\0", 8, error, sizeof(error)), 1);
        CU_ASSERT_EQUAL(lua_gettop(L), 2);
        lua_getfield(L, 2, "x");
        CU_ASSERT_EQUAL(lua_tonumber(L, -1), 1.5);
        lua_settop(L, 1);
    }
    CU_ASSERT_EQUAL(pp_lua_schema_decode(L, schema, 2, "\x3F\xC0\0", 3, error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(lua_gettop(L), 1);
    CU_ASSERT_STRING_EQUAL(error, "schema \"move\": the payload is 3 bytes, at least 8 are needed");
    lua_close(L);
}

static void upgrades_other_versions(void)
{
    lua_State *L = open_state();
    const struct pp_schema *schema = pp_registry_by_id(registry_of(L, moves), 7);
    CU_ASSERT_EQUAL(pp_lua_schema_decode(L, schema, 1, "\x05", 1, error, sizeof(error)), 1);
    lua_getfield(L, -1, "x");
    CU_ASSERT_EQUAL(lua_tonumber(L, -1), 5);
    lua_settop(L, 1);
    CU_ASSERT_EQUAL(pp_lua_schema_decode(L, schema, 3, "bytes", 5, error, sizeof(error)), 1);
    lua_getfield(L, -1, "raw");
    CU_ASSERT_STRING_EQUAL(lua_tostring(L, -1), "bytes");
    lua_settop(L, 1);
    lua_close(L);
}

static void survives_every_bad_upgrade(void)
{
    static const char *const reasons[] = {
        [1] = "the payload is 2 bytes, only 1 of them belong to it",
        [4] = "too new",
        [5] = "upgrade from version 5 raised: an Error",
        [6] = "raised",
        [7] = "upgrade from version 7 returned nothing",
    };
    lua_State *L = open_state();
    const struct pp_schema *schema = pp_registry_by_id(registry_of(L, moves), 7);
    for (unsigned version = 1; version <= 7; version++) {
        if (reasons[version] == NULL)
            continue;
        CU_ASSERT_EQUAL(pp_lua_schema_decode(L, schema, (uint16_t)version, "ab", 2, error, sizeof(error)), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, reasons[version]));
        CU_ASSERT_EQUAL(lua_gettop(L), 1);
    }
    lua_close(L);
}

static void refuses_a_version_nobody_upgrades(void)
{
    lua_State *L = open_state();
    const struct pp_schema *schema =
        pp_registry_by_name(registry_of(L, "local r = painda.PPSchemaRegistry()"
                                           "return r:register('s', painda.stringSerializer())"),
                            "s", 1);
    CU_ASSERT_EQUAL(pp_lua_schema_decode(L, schema, 2, "x", 1, error, sizeof(error)), 0);
    CU_ASSERT_STRING_EQUAL(error, "schema \"s\": version 2 was sent, version 1 is registered and can't upgrade it");
    lua_close(L);
}

static void tells_registries_from_other_values(void)
{
    lua_State *L = open_state();
    registry_of(L, moves);
    lua_newtable(L);
    lua_pushliteral(L, "text");
    lua_newuserdata(L, 64);
    run(L, "return painda.jsonSerializer()");
    lua_pushlightuserdata(L, L);
    run(L, "return io.stdout");
    CU_ASSERT_PTR_NOT_NULL(pp_lua_registry_test(L, 1));
    for (int index = 2; index <= 9; index++)
        CU_ASSERT_PTR_NULL(pp_lua_registry_test(L, index));
    lua_close(L);
}

/* How many values the Lua registry's list of references holds: free ones included. */
static size_t references(lua_State *L)
{
    return lua_objlen(L, LUA_REGISTRYINDEX);
}

static void returns_what_it_took(void)
{
    lua_State *L = open_state();
    static const char churn[] =
        "for i = 1, 500 do local r = painda.PPSchemaRegistry()"
        "  r:register('a', painda.structSerializer({ {name = 'x', type = 'array',"
        "    of = { {name = 'n' .. i % 7, type = 'string'} }} }, {upgrade = function() return r end,"
        "    previous = {[9] = { {name = 'y', type = 'bool'} }}}))"
        " pcall(painda.structSerializer, { {name = 'x', type = 'uint8'}, {name = 'x'} })"
        " pcall(r.register, r, 'a', painda.jsonSerializer())"
        " pcall(painda.structSerializer, { {name = 'x', type = 'uint8'} }, {upgrade = 1})"
        "  if i % 50 == 0 then r = nil collectgarbage() collectgarbage() end end "
        "collectgarbage() collectgarbage() return 1";
    run(L, churn);
    lua_settop(L, 0);
    size_t before = references(L);
    int kilobytes = lua_gc(L, LUA_GCCOUNT, 0);
    run(L, churn);
    lua_settop(L, 0);
    CU_ASSERT_EQUAL(references(L), before);
    CU_ASSERT(lua_gc(L, LUA_GCCOUNT, 0) <= kilobytes + 64);
    lua_close(L);
}

static void keeps_serializers_as_long_as_the_registry(void)
{
    lua_State *L = open_state();
    struct pp_registry *registry = registry_of(L, moves);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    const struct pp_schema *schema = pp_registry_by_name(registry, "move", 4);
    CU_ASSERT_EQUAL(pp_lua_schema_decode(L, schema, 1, "\x05", 1, error, sizeof(error)), 1);
    run(L, "return {x = 1, y = 1}");
    struct pp_buf out = {0};
    CU_ASSERT_TRUE(pp_lua_schema_encode(L, schema, -1, &out, error, sizeof(error)));
    pp_buf_destroy(&out);
    lua_close(L);
}

static void serves_finalisers(void)
{
    /* One finaliser runs before those of the registry and the serializer, the other after them. */
    static const char code[] =
        "local p, r, s = painda "
        "local function use()"
        "  pcall(r.encode, r, 'm', {x = 1}) pcall(r.decode, r, 'm', '1') pcall(r.decode, r, 'm', '1', 9)"
        "  pcall(r.register, r, 'again', s) pcall(tostring, r)"
        " end "
        "local after = newproxy(true) getmetatable(after).__gc = use "
        "s = p.structSerializer({ {name='x', type='uint8'} }, {upgrade = function() return r end})"
        "r = p.PPSchemaRegistry() r:register('m', s)"
        "local before = newproxy(true) getmetatable(before).__gc = use "
        "return r";
    lua_State *L = open_state();
    run(L, code);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    run(L, code);
    lua_setglobal(L, "kept");
    lua_close(L);
    CU_PASS("no crash");
}

int main(void)
{
    static CU_TestInfo tests[] = {
        {"encodes into the caller's buffer", encodes_into_the_callers_buffer},
        {"calls no metamethod", calls_no_metamethod},
        {"decodes one value", decodes_one_value},
        {"upgrades other versions", upgrades_other_versions},
        {"survives every bad upgrade", survives_every_bad_upgrade},
        {"refuses a version nobody upgrades", refuses_a_version_nobody_upgrades},
        {"tells registries from other values", tells_registries_from_other_values},
        {"returns what it took", returns_what_it_took},
        {"keeps serializers as long as the registry", keeps_serializers_as_long_as_the_registry},
        {"serves finalisers", serves_finalisers},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("script/lua_schema", tests);
}

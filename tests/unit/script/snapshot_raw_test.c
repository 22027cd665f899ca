#include "script/snapshot_raw.h"

#include <lauxlib.h>
#include <lualib.h>

#include "base/buf.h"
#include "harness.h"
#include "script/lua_json.h"
#include "script/snapshot.h"

static lua_State *L;
static struct pp_tree tree;
static struct pp_value now;
static struct pp_raw_marks marks;

/* make(seed): a random value; change(value): the same with a few things changed, in place. */
static const char maker[] =
    "local null = ...\n"
    "local random, deep = math.random, 0\n"
    "local scalars = { function() return random(-5, 5) end, function() return random() end,\n"
    "  function() return random(2) == 1 end, function() return null end,\n"
    "  function() return ('text '):rep(random(0, 9)):sub(random(9)) end, function() return '\\195\\164' end }\n"
    "local function value()\n"
    "  if deep > 2 or random(3) > 1 then return scalars[random(#scalars)]() end\n"
    "  deep = deep + 1\n"
    "  local table, list = {}, random(2) == 1\n"
    "  for i = 1, random(0, 12) do\n"
    "    if list then table[i] = value() else table['k' .. random(30)] = value() end\n"
    "  end\n"
    "  deep = deep - 1\n"
    "  return table\n"
    "end\n"
    "function make(seed) math.randomseed(seed); return { value(), value(), { x = value() } } end\n"
    "function change(table)\n"
    "  for key, old in pairs(table) do\n"
    "    if type(old) == 'table' then change(old) elseif random(5) == 1 then table[key] = scalars[random(#scalars)]() "
    "end\n"
    "  end\n"
    "  if #table == 0 and random(4) == 1 then table['k' .. random(30)] = random(3) ~= 1 and value() or nil end\n"
    "  if #table > 0 and random(4) == 1 then table[#table + random(0, 1)] = random(2) == 1 and 1 or nil end\n"
    "end\n";

/* Runs the Lua text, which returns a table, and takes that. */
static bool take(const char *text, const struct pp_value *old)
{
    CU_ASSERT_EQUAL_FATAL(luaL_dostring(L, text), 0);
    bool taken = pp_snapshot_raw(lua_topointer(L, -1), &marks, &tree, old, &now);
    lua_pop(L, 1);
    return taken;
}

static void is_what_the_encoder_sees(void)
{
    char error[PP_LUA_JSON_ERROR], text[64];
    struct pp_tree parsed = {0};
    struct pp_buf json = {0};
    for (int seed = 1; seed < 500; seed++) {
        snprintf(text, sizeof text, "state = make(%d)", seed);
        CU_ASSERT_EQUAL_FATAL(luaL_dostring(L, text), 0);
        pp_tree_clear(&tree);
        struct pp_value last;
        for (int round = 0; round < 4; round++) {
            CU_ASSERT_TRUE(take("change(state) return state", round > 0 ? &last : NULL));
            last = now;
            lua_getglobal(L, "state");
            pp_buf_clear(&json);
            CU_ASSERT_TRUE_FATAL(pp_lua_json_encode(L, -1, &json, error, sizeof error));
            CU_ASSERT_TRUE_FATAL(pp_tree_parse(&parsed, json.data, json.len, error, sizeof error));
            lua_pop(L, 1);
            CU_ASSERT_TRUE_FATAL(pp_value_equal(&parsed.root, &now)); /* `seed` says of which state */
            CU_ASSERT_TRUE(take("return state", &last));
            CU_ASSERT_TRUE(now.items == last.items);
        }
    }
    pp_tree_destroy(&parsed);
    pp_buf_destroy(&json);
}

static void shares_what_is_the_same(void)
{
    CU_ASSERT_TRUE_FATAL(take("state = {a = {1, 2, {'x'}}, b = {c = 'y'}} return state", NULL));
    struct pp_value first = now;
    CU_ASSERT_TRUE_FATAL(take("return {a = {1, 2, {'x'}}, b = {c = 'z'}}", &first));
    CU_ASSERT_PTR_NOT_EQUAL(now.members, first.members);
    CU_ASSERT_PTR_EQUAL(pp_value_get(&now, "a", 1)->value.items, pp_value_get(&first, "a", 1)->value.items);
    CU_ASSERT_TRUE_FATAL(take("return {a = {1, 2, {'x'}}, b = {c = 'y'}}", &first));
    CU_ASSERT_PTR_EQUAL(now.members, first.members);
}

static void finds_elements_that_were_not_filled_in_order(void)
{
    static const char *const texts[] = {
        "return {[1] = 1, [2] = 2, [3] = 3}",
        "return {[3] = 3, [2] = 2, 1}",
        "local t = {} for i = 3, 1, -1 do t[i] = i end return t",
        "local t = table.new(0, 8) for i = 1, 3 do t[i] = i end return t",
        "local t = {x = 1, y = 2, z = 3} t.x, t.y, t.z = nil for i = 1, 3 do t[i] = i end return t",
    };
    CU_ASSERT_TRUE_FATAL(take("return {1, 2, 3}", NULL));
    struct pp_value first = now;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CU_ASSERT_TRUE(take(texts[i], &first));
        CU_ASSERT_PTR_EQUAL(now.items, first.items);
    }
}

static void leaves_to_others_what_it_is_not_sure_of(void)
{
    static const char *const texts[] = {
        "return {1, 2, x = 3}",
        "return {[2] = 1}",
        "return {[1] = 1, [2] = 2, x = 3}",
        "return {[1] = 1, [3] = 3}",
        "return {1, [1.5] = 2}",
        "return {1, 2, [-1] = 3}",
        "return {[0] = 1, 2}",
        "return {1, nil, 3}",
        "return {{x = 0/0}}",
        "return {x = 1/0}",
        "return {print}",
        "return {'\\255'}",
        "return {['\\255'] = 1}",
        "return {[true] = 1}",
        "local t = {} t.t = t return t",
        "return {io.stdout}",
        "return {1ll}",
        "local t = setmetatable({x = 1}, getmetatable(mark)) return t",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t bytes = tree.bytes;
        CU_ASSERT_FALSE(take(texts[i], NULL));
        CU_ASSERT_TRUE(tree.bytes == bytes && tree.open_count == 0 && !tree.full);
    }
    tree.max_bytes = tree.bytes + 1000;
    CU_ASSERT_FALSE(take("return {('x'):rep(2000)}", NULL));
    CU_ASSERT_FALSE(take("local t = {} for i = 1, 100 do t[i] = i end return t", NULL));
    CU_ASSERT_TRUE(take("return {('x'):rep(500)}", NULL));
    tree.max_bytes = 0;
}

static void knows_an_empty_array_by_its_mark(void)
{
    CU_ASSERT_TRUE(take("return {mark, {}}", NULL));
    CU_ASSERT_EQUAL(now.items[0].kind, PP_VALUE_ARRAY);
    CU_ASSERT_EQUAL(now.items[1].kind, PP_VALUE_MAP);
}

int main(void)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    pp_lua_json_init(L);
    /* Without this LuaJIT all works, and slowly: the tests are to say so. */
    if (!pp_raw_is_known(L) || luaL_dostring(L, "table.new = require 'table.new'") != 0 ||
        luaL_loadstring(L, maker) != 0)
        return 1;
    lua_pushlightuserdata(L, NULL);
    lua_call(L, 1, 0);
    lua_createtable(L, 0, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    marks = (struct pp_raw_marks){lua_topointer(L, -1), pp_raw_null(L)};
    lua_setmetatable(L, -2);
    lua_setglobal(L, "mark");
    int failed =
        pp_run_suite("script/snapshot_raw",
                     (CU_TestInfo[]){{"is what the encoder sees", is_what_the_encoder_sees},
                                     {"shares what is the same", shares_what_is_the_same},
                                     {"finds elements", finds_elements_that_were_not_filled_in_order},
                                     {"leaves what it is not sure of", leaves_to_others_what_it_is_not_sure_of},
                                     {"knows an empty array", knows_an_empty_array_by_its_mark},
                                     CU_TEST_INFO_NULL});
    pp_tree_destroy(&tree);
    lua_close(L);
    return failed;
}

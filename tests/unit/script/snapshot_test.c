#include "script/snapshot.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "base/buf.h"
#include "harness.h"
#include "script/lua_json.h"

static lua_State *L;
static struct pp_snapshot snapshot;
static struct pp_buf out;
static char error[PP_LUA_JSON_ERROR];

/* Runs the Lua text, which changes the global `state`, and looks at that: the delta, "same", or the error. */
static const char *step(const char *text)
{
    int top = lua_gettop(L);
    CU_ASSERT_EQUAL_FATAL(luaL_dostring(L, text), 0);
    lua_getglobal(L, "state");
    pp_buf_clear(&out);
    enum pp_snapshot_step found = pp_snapshot_step(&snapshot, L, -1, "state", &out, error, sizeof error);
    lua_pop(L, 1);
    CU_ASSERT_EQUAL(lua_gettop(L), top);
    pp_buf_append_char(&out, '\0');
    return found == PP_SNAPSHOT_BAD ? error : found == PP_SNAPSHOT_SAME ? "same" : out.data;
}

static void begin(const char *text)
{
    pp_snapshot_destroy(&snapshot);
    snapshot = (struct pp_snapshot){0};
    step(text);
}

static void tells_what_changed(void)
{
    begin("state = {list = {1, 2, {x = 1}}, name = 'a'}");
    CU_ASSERT_STRING_EQUAL(step(""), "same");
    CU_ASSERT_STRING_EQUAL(step("state.name = 'b'"), "{\"name\":\"b\"}");
    CU_ASSERT_STRING_EQUAL(step("state.list[3].x = -0.5"), "{\"list\":[1,2,{\"x\":-0.5}]}");
    CU_ASSERT_STRING_EQUAL(step("state.list[4] = true"), "{\"list\":[1,2,{\"x\":-0.5},true]}");
    CU_ASSERT_STRING_EQUAL(step("state.list[4] = nil"), "{\"list\":[1,2,{\"x\":-0.5}]}");
    CU_ASSERT_STRING_EQUAL(step("state.name = nil"), "{\"name\":{\"__pp_deleted\":true}}");
    CU_ASSERT_STRING_EQUAL(step("state = {list = {[3] = state.list[3], [2] = 2, [1] = 1}}"), "same");
    CU_ASSERT_STRING_EQUAL(step("state.list = {}"), "{\"list\":{}}");
}

static void shares_what_is_the_same(void)
{
    begin("state = {a = {1, 2, {'x'}}, b = {c = 'y'}}");
    const struct pp_value_member *a = pp_value_get(pp_snapshot_root(&snapshot), "a", 1);
    const struct pp_value *items = a->value.items;
    CU_ASSERT_STRING_EQUAL(step("state.b.c = 'z'"), "{\"b\":{\"c\":\"z\"}}");
    a = pp_value_get(pp_snapshot_root(&snapshot), "a", 1);
    CU_ASSERT_PTR_EQUAL(a->value.items, items);
    struct pp_value root = *pp_snapshot_root(&snapshot);
    step("state = {a = {1, 2, {'x'}}, b = {c = 'z'}}");
    CU_ASSERT_PTR_EQUAL(pp_snapshot_root(&snapshot)->members, root.members);
}

static void keeps_the_last_good_state(void)
{
    begin("state = {p = {x = 1}, l = {{1}, {2}}}");
    CU_ASSERT_STRING_EQUAL(step("state.p.x = 0/0; state.l[1][1] = 5"), "state.p.x: NaN cannot be encoded");
    CU_ASSERT_STRING_EQUAL(step("state.p.x = 1; state.l[2][1] = print"), "state.l[2][1]: a function cannot be encoded");
    CU_ASSERT_STRING_EQUAL(step("state.l[2] = {2, x = 1}"),
                           "state.l[2]: the table mixes number keys with string keys; use one kind, or tostring() the "
                           "numbers");
    CU_ASSERT_STRING_EQUAL(step("state.l[2] = {2}"), "{\"l\":[[5],[2]]}");
}

static size_t memory(void)
{
    return snapshot.trees[0].arena.total + snapshot.trees[1].arena.total;
}

static void piles_up_nothing_for_ever(void)
{
    begin("state = {list = {}} for i = 1, 100 do state.list[i] = {n = 'n' .. i} end n = 0");
    size_t most = 0;
    for (int i = 0; i < 3000; i++) {
        step("n = n + 1; state.list[n % 100 + 1].n = 'text' .. n; state['key' .. n % 50] = n % 3 == 0 or nil");
        if (i == 1000)
            most = memory();
    }
    CU_ASSERT_TRUE(memory() <= 2 * most);
    CU_ASSERT_TRUE(most < 200000);
}

/* A state that fits is not refused for what was piled up before. */
static void makes_room_for_a_large_state(void)
{
    begin("state = {('x'):rep(1000)}");
    snapshot.trees[0].max_bytes = snapshot.trees[1].max_bytes = 8000;
    step("state = {('x'):rep(2500)}");
    step("state = {('y'):rep(2600)}");
    CU_ASSERT_EQUAL(*step("state = {('z'):rep(5000)}"), '[');
    CU_ASSERT_EQUAL(*step("state = {('z'):rep(5001)}"), '[');
    CU_ASSERT_STRING_EQUAL(step("state = {('z'):rep(9000)}"), "state[1]: the state is too large from here on");
    CU_ASSERT_STRING_EQUAL(step("state = {('z'):rep(5001)}"), "same");
}

int main(void)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    pp_lua_json_init(L);
    int failed =
        pp_run_suite("script/snapshot", (CU_TestInfo[]){{"tells what changed", tells_what_changed},
                                                        {"shares what is the same", shares_what_is_the_same},
                                                        {"keeps the last good state", keeps_the_last_good_state},
                                                        {"piles up nothing", piles_up_nothing_for_ever},
                                                        {"makes room", makes_room_for_a_large_state},
                                                        CU_TEST_INFO_NULL});
    pp_snapshot_destroy(&snapshot);
    pp_buf_destroy(&out);
    lua_close(L);
    return failed;
}

/* Message objects in Lua: bytes until they are read, and no bytes any more once they were changed. */
#include "harness.h"
#include "script/bind.h"
#include "script/lua_json.h"
#include "script/lua_message.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    pp_lua_json_init(L);
    pp_lua_message_init(L);
    pp_bind_json(L);
    lua_setglobal(L, "json");
    return L;
}

static struct pp_message of(const char *type, const char *payload)
{
    return (struct pp_message){
        .type = type, .type_len = strlen(type), .payload = payload, .payload_len = payload ? strlen(payload) : 0};
}

/* Pushes a message as the global `msg`, from bytes that are gone afterwards; leaves it on the stack. */
static void push(lua_State *L, struct pp_message message)
{
    char copy[512], *at = copy;
    memcpy(at, message.type, message.type_len);
    message.type = at;
    at += message.type_len;
    if (message.payload != NULL)
        memcpy(at, message.payload, message.payload_len);
    message.payload = message.payload ? at : NULL;
    pp_lua_message_push(L, &message);
    memset(copy, '?', sizeof copy);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "msg");
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        CU_FAIL("the code raised");
        lua_pop(L, 1);
    }
}

static bool is_raw(lua_State *L, struct pp_message *out)
{
    lua_getglobal(L, "msg");
    bool raw = pp_lua_message_raw(L, -1, out);
    lua_pop(L, 1);
    return raw;
}

static void has_what_came(void)
{
    lua_State *L = open_state();
    struct pp_message message = of("greet", "{\"name\":\"Ann\",\"n\":[1,2]}");
    message.ack_id = 7;
    message.ns = "/admin";
    message.ns_len = 6;
    push(L, message);
    run(L, "assert(msg.type == 'greet' and msg.__ackId == 7 and msg.__ns == '/admin')\n"
           "assert(msg.payload.name == 'Ann' and msg.payload.n[2] == 2)\n"
           "assert(msg.other == nil and msg[1] == nil and msg[msg] == nil)\n"
           "assert(tostring(msg) == 'message greet')");
    lua_close(L);
}

static void has_nothing_that_did_not_come(void)
{
    lua_State *L = open_state();
    push(L, of("bare", NULL));
    run(L, "assert(msg.payload == json.null and msg.__ackId == nil and msg.__ns == nil)");
    lua_close(L);
}

static void keeps_any_bytes(void)
{
    lua_State *L = open_state();
    struct pp_message message = of("", "\"\\u0000x\"");
    message.type = "a\0b";
    message.type_len = 3;
    push(L, message);
    run(L, "assert(msg.type == 'a\\0b' and msg.payload == '\\0x')");
    lua_close(L);
}

static void reads_its_payload_once(void)
{
    lua_State *L = open_state();
    push(L, of("x", "{\"n\":1}"));
    run(L, "local p = msg.payload assert(msg.payload == p) p.n = 2 assert(msg.payload.n == 2)");
    lua_close(L);
}

/* What nobody has read into a table can be sent on as it came. */
static void is_raw_until_it_may_have_changed(void)
{
    lua_State *L = open_state();
    struct pp_message raw;
    push(L, of("x", "{\"n\":1}"));
    run(L, "assert(msg.type == 'x' and msg.__ackId == nil)");
    CU_ASSERT_TRUE(is_raw(L, &raw));
    CU_ASSERT_EQUAL_FATAL(raw.payload_len, 7);
    CU_ASSERT_EQUAL(memcmp(raw.payload, "{\"n\":1}", 7), 0);
    run(L, "msg.note = 'mine'");
    CU_ASSERT_TRUE(is_raw(L, &raw));
    run(L, "local _ = msg.payload");
    CU_ASSERT_FALSE(is_raw(L, &raw));
    push(L, of("x", "12"));
    run(L, "assert(msg.payload == 12 and msg.payload == 12)"); /* a number can't be changed by its reader */
    CU_ASSERT_TRUE(is_raw(L, &raw));
    run(L, "msg.payload = 13");
    CU_ASSERT_FALSE(is_raw(L, &raw));
    push(L, of("x", "12"));
    run(L, "msg.type = 'y'");
    CU_ASSERT_FALSE(is_raw(L, &raw));
    lua_close(L);
}

static void takes_values(void)
{
    lua_State *L = open_state();
    push(L, of("x", "{\"n\":1}"));
    run(L, "msg.payload = 'new' assert(msg.payload == 'new')\n"
           "msg.type = 'y' assert(msg.type == 'y')\n"
           "msg.mine = 1 msg[2] = 'two' msg[true] = false\n"
           "assert(msg.mine == 1 and msg[2] == 'two' and msg[true] == false)");
    lua_close(L);
}

static void takes_nil(void)
{
    lua_State *L = open_state();
    push(L, of("x", "{\"n\":1}"));
    run(L, "msg.payload = nil assert(msg.payload == nil)\n"
           "msg.mine = 1 msg.mine = nil assert(msg.mine == nil)\n"
           "msg.__ns = nil assert(msg.__ns == nil)\n"
           "msg.payload = 5 assert(msg.payload == 5)\n"
           "assert(not pcall(function() msg[nil] = 1 end))");
    lua_close(L);
}

static void keeps_to_itself(void)
{
    lua_State *L = open_state();
    push(L, of("x", "1"));
    pp_lua_message_push(L, &(struct pp_message){.type = "y", .type_len = 1});
    lua_setglobal(L, "other");
    run(L, "msg.mine = 1 assert(other.mine == nil) assert(other.type == 'y')\n"
           "assert(next(getmetatable(msg)) == nil)\n"
           "assert(not pcall(setmetatable, msg, {}))");
    lua_close(L);
}

static void is_told_from_other_values(void)
{
    lua_State *L = open_state();
    push(L, of("x", "1"));
    CU_ASSERT_TRUE(pp_lua_message_test(L, -1));
    lua_pushnil(L);
    CU_ASSERT_FALSE(pp_lua_message_test(L, -1));
    lua_newtable(L);
    CU_ASSERT_FALSE(pp_lua_message_test(L, -1));
    lua_newuserdata(L, 64);
    CU_ASSERT_FALSE(pp_lua_message_test(L, -1));
    lua_newuserdata(L, 0);
    CU_ASSERT_FALSE(pp_lua_message_test(L, -1));
    lua_pushlightuserdata(L, NULL);
    CU_ASSERT_FALSE(pp_lua_message_test(L, -1));
    lua_getglobal(L, "io");
    lua_getfield(L, -1, "stdout");
    CU_ASSERT_FALSE(pp_lua_message_test(L, -1));
    lua_close(L);
}

static void says_why_a_payload_cannot_be_read(void)
{
    lua_State *L = open_state();
    push(L, of("x", "{broken"));
    run(L, "local ok, err = pcall(function() return msg.payload end) assert(not ok and #err > 0)");
    lua_close(L);
}

/* The payload of a schema is read by whoever makes the object: the schema may be gone when it is looked at. */
static void does_not_keep_a_schema(void)
{
    lua_State *L = open_state();
    struct pp_message message = of("move", "\1\2\3"), raw;
    message.schema = (const struct pp_schema *)&message; /* never looked at */
    push(L, message);
    CU_ASSERT_FALSE(is_raw(L, &raw));
    run(L, "assert(msg.type == 'move') msg.payload = { x = 1 } assert(msg.payload.x == 1)");
    lua_close(L);
}

static void survives_the_collector(void)
{
    lua_State *L = open_state();
    for (int i = 0; i < 1000; i++) {
        push(L, of("x", "{\"list\":[1,2,3]}"));
        lua_pop(L, 1);
        run(L, "kept = kept or {} kept[#kept % 50 + 1] = msg msg.extra = {} local _ = msg.payload");
        if (i % 100 == 0)
            lua_gc(L, LUA_GCCOLLECT, 0);
    }
    run(L, "for _, m in ipairs(kept) do assert(m.payload.list[3] == 3 and m.extra) end");
    lua_close(L);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"has what came", has_what_came},
        {"has nothing that did not come", has_nothing_that_did_not_come},
        {"keeps any bytes", keeps_any_bytes},
        {"reads its payload once", reads_its_payload_once},
        {"is raw until it may have changed", is_raw_until_it_may_have_changed},
        {"takes values", takes_values},
        {"takes nil", takes_nil},
        {"keeps to itself", keeps_to_itself},
        {"is told from other values", is_told_from_other_values},
        {"says why a payload can't be read", says_why_a_payload_cannot_be_read},
        {"does not keep a schema", does_not_keep_a_schema},
        {"survives the collector", survives_the_collector},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("script/message", tests);
}

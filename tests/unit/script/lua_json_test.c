/* JSON to Lua and back: values, marks, every refusal with its path, and a Lua stack that is left as it was. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <lauxlib.h>
#include <lualib.h>

#include "base/buf.h"
#include "script/lua_json.h"
#include "value/json_reader.h"

static lua_State *L;
static char error[PP_LUA_JSON_ERROR];
static struct pp_buf out; /* of encode() */

/* Runs `chunk`, which leaves one value. */
static void eval(const char *chunk)
{
    if (luaL_loadstring(L, chunk) != 0 || lua_pcall(L, 0, 1, 0) != 0) {
        printf("%s\n", lua_tostring(L, -1));
        CU_FAIL_FATAL("the test's Lua is wrong");
    }
}

static int decode(const char *text, size_t len)
{
    int top = lua_gettop(L);
    char *copy = malloc(len > 0 ? len : 1);
    if (len > 0)
        memcpy(copy, text, len);
    int status = pp_lua_json_decode(L, copy, len, error, sizeof error);
    free(copy);
    CU_ASSERT_EQUAL_FATAL(lua_gettop(L), top + status);
    return status;
}

/* The value on top, as text; pops it. NULL where it is refused. */
static const char *encode(void)
{
    int top = lua_gettop(L);
    pp_buf_clear(&out);
    pp_buf_append(&out, "+", 1);
    bool ok = pp_lua_json_encode(L, -1, &out, error, sizeof error);
    CU_ASSERT_EQUAL_FATAL(lua_gettop(L), top);
    lua_pop(L, 1);
    if (!ok)
        CU_ASSERT_EQUAL(out.len, 1);
    pp_buf_append_char(&out, '\0');
    return ok ? out.data + 1 : NULL;
}

static void check_encode(const char *chunk, const char *expected)
{
    eval(chunk);
    const char *text = encode();
    if (text == NULL || strcmp(text, expected) != 0) {
        printf("%s: %s instead of %s\n", chunk, text != NULL ? text : error, expected);
        CU_FAIL("another text");
    }
}

static void check_refused(const char *chunk, const char *reason)
{
    eval(chunk);
    const char *text = encode();
    if (text != NULL || strcmp(error, reason) != 0) {
        printf("%s: %s\n", chunk, text != NULL ? text : error);
        CU_FAIL("another reason");
    }
}

/* Text that comes back as it went in. */
static void check_round_trip(const char *text)
{
    CU_ASSERT_EQUAL_FATAL(decode(text, strlen(text)), 1);
    const char *again = encode();
    if (again == NULL || strcmp(again, text) != 0) {
        printf("%s came back as %s\n", text, again != NULL ? again : error);
        CU_FAIL("another text");
    }
}

static void round_trips(void)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        "[[],{}]",
        "[null]",
        "[1,2,3]",
        "[[1],[[2]],[{\"a\":[]}]]",
        "{\"a\":null}",
        "[{\"x\":1},{\"x\":2},{\"x\":[null,false]}]",
        "\"\xc3\xa9\\u0000\\\"\"",
        "[true,false,\"x\",-1.25,{}]",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38]",
    };
    for (int pass = 0; pass < 40; pass++) /* so that whatever learns from what it has seen, has learned */
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            check_round_trip(texts[i]);
}

static void decodes_to_lua_values(void)
{
    static const char text[] = "{\"n\":null,\"t\":true,\"a\":[10,20],\"o\":{\"x\":-0.5},\"s\":\"a\\u0000b\",\"\":1}";
    CU_ASSERT_EQUAL_FATAL(decode(text, sizeof text - 1), 1);
    lua_setglobal(L, "v");
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "null");
    eval("assert(v.n == null and v.t == true and #v.a == 2 and v.a[2] == 20 and v.o.x == -0.5 and v.s == 'a\\0b')"
         "assert(v[''] == 1 and getmetatable(v) == nil and getmetatable(v.o) == nil)"
         "assert(getmetatable(v.a).__name == 'painda.array') return true");
    lua_getglobal(L, "v");
    lua_getfield(L, -1, "a");
    CU_ASSERT(lua_getmetatable(L, -1));
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    CU_ASSERT(lua_rawequal(L, -1, -2));
    lua_settop(L, 0);
}

static void takes_the_last_of_duplicate_keys(void)
{
    for (int pass = 0; pass < 100; pass++) {
        CU_ASSERT_EQUAL_FATAL(decode("[{\"a\":1,\"b\":2,\"a\":3},{\"b\":1,\"\\u0062\":4}]", 40), 1);
        lua_rawgeti(L, -1, 1);
        lua_getfield(L, -1, "a");
        CU_ASSERT_EQUAL(lua_tonumber(L, -1), 3);
        lua_rawgeti(L, -3, 2);
        lua_getfield(L, -1, "b");
        CU_ASSERT_EQUAL(lua_tonumber(L, -1), 4);
        lua_settop(L, 0);
    }
}

static void refuses_bad_text(void)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "unexpected end of the text at byte 0"},
        {"[1,{\"a\":[1,2", "unexpected end of the text at byte 12"},
        {"{\"a\":1,}", "unexpected character at byte 7"},
        {"[1]]", "unexpected text behind the value at byte 3"},
        {"{\"a\":{\"b\":[{\"c\":1e400}]}}", "number out of range at byte 16"},
        {"[\"a\",\"\xff\"]", "invalid UTF-8 at byte 6"},
        {"{\"a\":1,\"\\ud800\":2}", "lone surrogate at byte 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(decode(cases[i].text, strlen(cases[i].text)), 0);
        CU_ASSERT_STRING_EQUAL(error, cases[i].error);
    }
    char small[8];
    CU_ASSERT_EQUAL(pp_lua_json_decode(L, "x", 1, small, sizeof small), 0);
    CU_ASSERT_STRING_EQUAL(small, "unexpec");
    CU_ASSERT_EQUAL(pp_lua_json_decode(L, "x", 1, NULL, 0), 0);
}

static void bounds_the_depth_both_ways(void)
{
    char text[2 * (PP_JSON_MAX_DEPTH + 1) + 1];
    size_t half = PP_JSON_MAX_DEPTH + 1;
    memset(text, '[', half);
    memset(text + half, ']', half);
    text[2 * half] = '\0';
    CU_ASSERT_EQUAL(decode(text, 2 * half), 0);
    CU_ASSERT_STRING_EQUAL(error, "nested too deep at byte 64");
    text[2 * half - 1] = '\0';
    check_round_trip(text + 1);
    check_refused(
        "local t = {} for i = 1, 64 do t = {t} end return t",
        "payload[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1]"
        "[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1]"
        "[1]: nested deeper than 64 levels; does it contain itself?");
}

static void keeps_wide_and_deep_values(void)
{
    static const char chunk[] =
        "local parts = {} for i = 1, 3000 do parts[i] = '\"key' .. i .. '\":[' .. i .. ',{\"k' .. i .. '\":1}]' end "
        "return '{' .. table.concat(parts, ',') .. '}'";
    eval(chunk);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    for (int pass = 0; pass < 3; pass++) {
        CU_ASSERT_EQUAL_FATAL(decode(text, len), 1);
        lua_setglobal(L, "v");
        eval("for i = 1, 3000 do assert(v['key' .. i][1] == i and v['key' .. i][2]['k' .. i] == 1) end return 1");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    eval("local t = {} for i = 1, 5000 do t[i] = i end return t");
    const char *array = encode();
    CU_ASSERT_FATAL(array != NULL);
    CU_ASSERT_EQUAL_FATAL(decode(array, strlen(array)), 1);
    CU_ASSERT_EQUAL(lua_objlen(L, -1), 5000);
    lua_pop(L, 1);
}

/* Objects of many forms in turn, far more than any cache holds, each checked field by field. */
static void keeps_objects_of_every_form(void)
{
    for (int round = 0; round < 3; round++)
        for (int form = 0; form < 3000; form++) {
            char text[512];
            int fields = 1 + form % 30, len = 0;
            for (int i = 0; i < fields; i++)
                len += snprintf(text + len, sizeof text - (size_t)len, "%c\"k%d\":%d", i == 0 ? '{' : ',',
                                (form * 7 + i) % 500, i);
            text[len++] = '}';
            CU_ASSERT_EQUAL_FATAL(decode(text, (size_t)len), 1);
            for (int i = 0; i < fields; i++) {
                char key[16];
                snprintf(key, sizeof key, "k%d", (form * 7 + i) % 500);
                lua_getfield(L, -1, key);
                if (lua_tonumber(L, -1) != i)
                    CU_FAIL_FATAL("another value");
                lua_pop(L, 1);
            }
            int count = 0;
            for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
                count++;
            CU_ASSERT_EQUAL_FATAL(count, fields);
            lua_pop(L, 1);
        }
}

static void encodes_tables(void)
{
    check_encode("return nil", "null");
    check_encode("return {}", "{}");
    check_encode("return array{}", "[]");
    check_encode("return {1, 2}", "[1,2]");
    check_encode("return {null, null}", "[null,null]");
    check_encode("return array{array{}, {}}", "[[],{}]");
    check_encode("local t = {} t[3] = 3 t[2] = 2 t[1] = 1 return t", "[1,2,3]");
    check_encode("local t = {1, 2, 3} t[3] = nil return t", "[1,2]");
    check_encode("local t = array{1} t[1] = nil return t", "[]");
    check_encode("local t = {} for i = 1, 3 do t[i] = {} t[i].x = 'a' end return t",
                 "[{\"x\":\"a\"},{\"x\":\"a\"},{\"x\":\"a\"}]");
    check_encode("return {a = {b = {c = true}}}", "{\"a\":{\"b\":{\"c\":true}}}");
    check_encode("return {['a\"\\n'] = 1}", "{\"a\\\"\\n\":1}");
    check_encode("return setmetatable({x = 1}, {__index = error, __pairs = error, __len = error})", "{\"x\":1}");
    check_encode("return {1e15, -0.5, 2^53, 2^63, 1/3}",
                 "[1000000000000000,-0.5,9007199254740992,9223372036854775808,0.3333333333333333]");
}

static void names_the_path_of_what_it_refuses(void)
{
    check_refused("return {players = {1, 2, {x = 0/0}}}", "payload.players[3].x: NaN cannot be encoded");
    check_refused("return {1/0}", "payload[1]: an infinite number cannot be encoded");
    check_refused("return -1/0", "payload: an infinite number cannot be encoded");
    check_refused("return {a = {b = print}}", "payload.a.b: a function cannot be encoded");
    check_refused("return {a = io.stdout}", "payload.a: a userdata cannot be encoded");
    check_refused("return {a = coroutine.create(print)}", "payload.a: a coroutine cannot be encoded");
    check_refused(
        "return {a = 1LL}",
        "payload.a: a cdata cannot be encoded; use tonumber() or tostring(), of a declared state schema:toTable()");
    check_refused("return {['a b'] = {['1'] = {['x-y'] = print}}}",
                  "payload[\"a b\"][\"1\"][\"x-y\"]: a function cannot be encoded");
    check_refused("return {a = '\\255'}", "payload.a: the string is not valid UTF-8 and cannot be encoded");
    check_refused("return {a = {['\\255'] = 1}}", "payload.a: a key of the table is not valid UTF-8");
    check_refused("return {a = array{x = 1}}", "payload.a: the table is marked as an array but has string keys");
    check_refused("return {a = {[true] = 1}}", "payload.a: the table has a key that is neither a string nor a number");
    static const char mixed[] =
        "payload.a: the table mixes number keys with string keys; use one kind, or tostring() the numbers";
    check_refused("return {a = {1, 2, x = 3}}", mixed);
    check_refused("return {a = {x = 3, [5] = 1}}", mixed);
    check_refused("local t = {x = 1} t[1] = 1 t.y = 2 t[2] = 2 return {a = t}", mixed);
    static const char sparse[] = "payload.a: the table's number keys are not 1..n without gaps; "
                                 "fill the gaps with painda.null, or use string keys";
    check_refused("return {a = {1, nil, 3}}", sparse);
    check_refused("return {a = {[0] = 0, 1, 2}}", sparse);
    check_refused("return {a = {[2] = 1}}", sparse);
    check_refused("return {a = {[1.5] = 1}}", sparse);
    check_refused("return {a = {[-1] = 1, 1}}", sparse);
    check_refused("return {a = array{[1e300] = 1}}", sparse);
    check_refused("return {1, 2, {3, nil, 5, 'x', print}}",
                  "payload[3]: the table's number keys are not 1..n without gaps; "
                  "fill the gaps with painda.null, or use string keys");
}

static void cuts_a_long_path(void)
{
    eval("local t = print for i = 1, 20 do t = {[('\\195\\169'):rep(30)] = t} end return t");
    CU_ASSERT_PTR_NULL(encode());
    CU_ASSERT(strlen(error) < sizeof error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, ": a function cannot be encoded"));
    lua_pushstring(L, error); /* no character was cut in two: the message itself can be sent */
    CU_ASSERT_PTR_NOT_NULL(encode());

    pp_buf_clear(&out);
    lua_pushcfunction(L, lua_error);
    for (size_t size = 0; size < 40; size++)
        CU_ASSERT_FALSE(pp_lua_json_encode(L, -1, &out, error, size));
    lua_pop(L, 1);
}

static void encodes_at_any_index(void)
{
    pp_buf_clear(&out);
    lua_settop(L, 0);
    lua_pushnumber(L, 1);
    lua_pushnumber(L, 2);
    CU_ASSERT(pp_lua_json_encode(L, 1, &out, error, sizeof error));
    CU_ASSERT(pp_lua_json_encode(L, -1, &out, error, sizeof error));
    CU_ASSERT(pp_lua_json_encode(L, 9, &out, error, sizeof error));
    CU_ASSERT(out.len == 6 && memcmp(out.data, "12null", 6) == 0);
    lua_settop(L, 0);
}

static void works_in_a_coroutine(void)
{
    pp_buf_clear(&out);
    lua_State *co = lua_newthread(L);
    CU_ASSERT_EQUAL_FATAL(pp_lua_json_decode(co, "[{\"a\":[1]},{\"a\":[2]}]", 21, error, sizeof error), 1);
    CU_ASSERT(pp_lua_json_encode(co, -1, &out, error, sizeof error));
    CU_ASSERT(out.len == 21 && memcmp(out.data, "[{\"a\":[1]},{\"a\":[2]}]", 21) == 0);
    lua_settop(L, 0);
}

static uint64_t state = 1;

static unsigned below(unsigned n)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(state >> 33) % n;
}

/* Writes a random value whose text is its only normal form. Keys come from a small set, so that lists of them recur. */
static void write_random(struct pp_buf *to, int depth)
{
    char text[32];
    unsigned kind = below(depth > 0 ? 8 : 5), count = below(8) == 0 ? 20 + below(30) : below(5);
    static const char *const plain[] = {
        "null", "true", "false", "\"\"", "\"caf\xc3\xa9\"", "\"a\\\"\\n\"", "\"a string of more than one block\""};
    if (kind < 2) {
        pp_buf_append_string(to, plain[below(sizeof plain / sizeof *plain)]);
    } else if (kind < 5) {
        snprintf(text, sizeof text, kind == 2 ? "%d" : "%d.25", (int)below(100000) - 50000);
        pp_buf_append_string(to, text);
    } else {
        bool object = kind > 5;
        unsigned first = below(30);
        pp_buf_append_char(to, object ? '{' : '[');
        for (unsigned i = 0; i < count; i++) {
            if (i > 0)
                pp_buf_append_char(to, ',');
            if (object) {
                snprintf(text, sizeof text, below(50) == 0 ? "\"\\u006bey%u\":" : "\"key%u\":", first + i);
                pp_buf_append_string(to, text);
            }
            write_random(to, depth - 1);
        }
        pp_buf_append_char(to, object ? '}' : ']');
    }
}

/* jansson finds the same in a text and in what came of it through Lua. */
static void agrees_with_jansson(void)
{
    struct pp_buf text = {0};
    for (int i = 0; i < 3000; i++) {
        pp_buf_clear(&text);
        write_random(&text, 4);
        CU_ASSERT_EQUAL_FATAL(decode(text.data, text.len), 1);
        const char *again = encode();
        CU_ASSERT_PTR_NOT_NULL_FATAL(again);
        json_t *before = json_loadb(text.data, text.len, JSON_DECODE_ANY, NULL);
        json_t *after = json_loads(again, JSON_DECODE_ANY, NULL);
        CU_ASSERT(before != NULL && json_equal(before, after));
        json_decref(before);
        json_decref(after);
    }
    pp_buf_destroy(&text);
}

/* Decodes `text`, which must be refused where the reader refuses it, and else be what jansson finds. */
static void check_decode(const char *text, size_t len)
{
    struct pp_json_reader reader;
    pp_json_reader_init(&reader, text, len);
    bool valid = pp_json_skip(&reader) && pp_json_next(&reader) == PP_JSON_END;
    CU_ASSERT_EQUAL_FATAL(decode(text, len), valid);
    if (!valid)
        return;
    const char *again = encode();
    json_t *before = json_loadb(text, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    json_t *after = again != NULL ? json_loads(again, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL) : NULL;
    if (before == NULL || !json_equal(before, after)) {
        printf("%.*s came back as %s\n", (int)len, text, again != NULL ? again : error);
        CU_FAIL_FATAL("another value");
    }
    json_decref(before);
    json_decref(after);
}

static void survives_broken_texts(void)
{
    struct pp_buf text = {0};
    for (int i = 0; i < 30000; i++) {
        pp_buf_clear(&text);
        write_random(&text, 3);
        size_t len = text.len;
        if (below(2) == 0)
            len = below((unsigned)len + 1);
        for (unsigned n = below(3); n > 0 && len > 0; n--)
            text.data[below((unsigned)len)] = "\"\\{}[],: 0x\n"[below(13)];
        check_decode(text.data, len);
    }
    pp_buf_destroy(&text);
}

/* Each text is decoded after `usual` was learned, so that other keys are expected than come. */
static void stands_what_it_does_not_expect(void)
{
    static const char usual[] = "[{\"id\":1,\"name\":\"a\",\"position\":{\"x\":1.5,\"y\":2},\"of a key of more than "
                                "sixteen bytes\":[{\"k\":1,\"l\":2},{\"k\":3,\"l\":4}]}]";
    static const char *const texts[] = {
        "[{\"id\":1,\"name\":\"a\",\"position\":{\"x\":1.5,\"y\":2}}]",
        "[{\"id\":1,\"name\":\"a\",\"position\":{\"x\":1.5,\"y\":2,\"z\":3},\"more\":4}]",
        "[{\"id\":1,\"nam\":\"a\",\"positio\":{\"\":1.5,\"yy\":2}}]",
        "[{\"id\":1,\"names\":\"a\",\"positions\":{\"x\":{\"x\":[{\"x\":{}}]}}}]",
        "[{\"id\":1,\"name\":{\"id\":1,\"name\":\"b\"},\"position\":[{\"x\":1,\"y\":2},{\"x\":3},{},{\"y\":1}]}]",
        "[{\"id\":1,\"id\":2,\"name\":3,\"name\":4}]",
        "[{\"id\":1,\"name\":2,\"id\":3,\"name\":4,\"position\":5,\"position\":6}]",
        "[{\"\\u0069d\":1,\"name\":2,\"position\":{\"x\":1,\"\\u0079\":2,\"y\":3}}]",
        "[{\"id\":1,\"na\\u006de\":2,\"name\":3}]",
        "[ { \"id\" : 1 , \"name\" : \"a\" , \"position\" : { \"x\" : 1.5 , \"y\" : 2 } } ]",
        "[{\"id\": 1, \"name\": \"a\", \"position\": {\"x\": 1.5, \"y\": 2}}]",
        "[{\"id\" :1,\"name\"\n:\"a\"}]",
        "[{\"of a key of more than sixteen byteS\":1},{\"id\":1,\"of a key of more than sixTeen bytes\":4}]",
        "{\"a key that is much too long to be learned: it has more than eighty characters with its quotes\":1,\"b\":2}",
    };
    for (int round = 0; round < 40; round++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            check_decode(usual, sizeof usual - 1);
            check_decode(texts[i], strlen(texts[i]));
        }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t len = 0; len < strlen(texts[i]); len++)
            check_decode(texts[i], len);
    for (size_t len = 0; len < sizeof usual - 1; len++)
        check_decode(usual, len);
}

/* Objects inside objects, as deep as may be, and one deeper. */
static void builds_deep_objects(void)
{
    struct pp_buf text = {0};
    for (int pass = 0; pass < 40; pass++)
        for (int depth = 1; depth <= PP_JSON_MAX_DEPTH + 1; depth++) {
            pp_buf_clear(&text);
            for (int i = 1; i < depth; i++)
                pp_buf_append_string(&text, i % 3 == 0 ? "[{\"a\":1}," : "{\"inner\":");
            pp_buf_append_string(&text, "{}");
            for (int i = depth - 1; i > 0; i--)
                pp_buf_append_char(&text, i % 3 == 0 ? ']' : '}');
            check_decode(text.data, text.len);
        }
    pp_buf_destroy(&text);
}

/* What one state has learned is not taken for another's, even where that stands where the first one was. */
static void keeps_states_apart(void)
{
    static const char text[] = "[{\"a\":[1],\"b\":{\"c\":2}},{\"a\":[],\"b\":{\"c\":\"d\"}}]";
    char reason[PP_LUA_JSON_ERROR];
    for (int i = 0; i < 20; i++) {
        lua_State *other = luaL_newstate();
        pp_lua_json_init(other);
        for (int pass = 0; pass < 20 + i; pass++) {
            check_decode(text, sizeof text - 1);
            pp_buf_clear(&out);
            CU_ASSERT_EQUAL_FATAL(pp_lua_json_decode(other, text, sizeof text - 1, reason, sizeof reason), 1);
            CU_ASSERT(pp_lua_json_encode(other, -1, &out, reason, sizeof reason));
            CU_ASSERT_EQUAL(out.len, sizeof text - 1);
            lua_settop(other, 0);
        }
        lua_close(other);
    }
    check_decode(text, sizeof text - 1);
}

static int finalizer_failures;

static int decode_in_finalizer(lua_State *state_of_gc)
{
    static unsigned calls;
    char text[64], reason[64];
    unsigned n = calls++ % 3000;
    int len = snprintf(text, sizeof text, "[{\"f%u\":1,\"g%u\":[2]},{\"key%u\":3}]", n, n / 2, n % 40);
    finalizer_failures += !pp_lua_json_decode(state_of_gc, text, (size_t)len, reason, sizeof reason);
    return 0; /* which drops the value */
}

/* A finalizer may run wherever Lua allocates, so in the midst of decoding, and may decode itself. */
static void stands_finalizers_that_decode(void)
{
    lua_pushcfunction(L, decode_in_finalizer);
    lua_setglobal(L, "finalize");
    eval("function litter() for i = 1, 20 do getmetatable(newproxy(true)).__gc = finalize end end return 1");
    lua_pop(L, 1);
    lua_gc(L, LUA_GCSETPAUSE, 0);
    struct pp_buf text = {0};
    for (int i = 0; i < 1000; i++) {
        lua_getglobal(L, "litter");
        lua_call(L, 0, 0);
        pp_buf_clear(&text);
        write_random(&text, 4);
        CU_ASSERT_EQUAL_FATAL(decode(text.data, text.len), 1);
        const char *again = encode();
        json_t *before = json_loadb(text.data, text.len, JSON_DECODE_ANY, NULL);
        json_t *after = json_loads(again, JSON_DECODE_ANY, NULL);
        CU_ASSERT(before != NULL && json_equal(before, after));
        json_decref(before);
        json_decref(after);
    }
    lua_gc(L, LUA_GCSETPAUSE, 200);
    CU_ASSERT_EQUAL(finalizer_failures, 0);
    pp_buf_destroy(&text);
}

int main(void)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    pp_lua_json_init(L);
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "null");
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    lua_setglobal(L, "mark");
    eval("function array(t) return setmetatable(t, mark) end return 1");
    lua_settop(L, 0);
    int status = pp_run_suite("script/lua_json",
                              (CU_TestInfo[]){{"round trips", round_trips},
                                              {"decodes to Lua values", decodes_to_lua_values},
                                              {"takes the last of duplicate keys", takes_the_last_of_duplicate_keys},
                                              {"refuses bad text", refuses_bad_text},
                                              {"bounds the depth both ways", bounds_the_depth_both_ways},
                                              {"keeps wide and deep values", keeps_wide_and_deep_values},
                                              {"keeps objects of every form", keeps_objects_of_every_form},
                                              {"encodes tables", encodes_tables},
                                              {"names the path of what it refuses", names_the_path_of_what_it_refuses},
                                              {"cuts a long path", cuts_a_long_path},
                                              {"encodes at any index", encodes_at_any_index},
                                              {"works in a coroutine", works_in_a_coroutine},
                                              {"agrees with jansson", agrees_with_jansson},
                                              {"survives broken texts", survives_broken_texts},
                                              {"stands what it does not expect", stands_what_it_does_not_expect},
                                              {"builds deep objects", builds_deep_objects},
                                              {"keeps states apart", keeps_states_apart},
                                              {"stands finalizers that decode", stands_finalizers_that_decode},
                                              CU_TEST_INFO_NULL});
    lua_close(L);
    pp_buf_destroy(&out);
    return status;
}

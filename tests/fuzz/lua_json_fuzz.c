/* The JSON codec of messages: text to Lua values and back, the general way and the short cut of flat objects, with the
 * reader and jansson as oracles. Each text is read often enough for all that is learned from it to be used. */
#include <lauxlib.h>

#include "base/buf.h"
#include "json_oracle.h"
#include "net/loop.h"
#include "script/lua_flat.h"
#include "script/lua_json.h"
#include "script/vm.h"
#include "value/json_reader.h"

#define TIMES 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pp_loop *loop;
static struct pp_vm *vm;
static lua_State *L;

static void close_state(void)
{
    pp_vm_delete(vm);
    pp_loop_delete(loop);
}

static void open_state(void)
{
    loop = pp_loop_new();
    vm = pp_vm_new(loop);
    L = pp_vm_lua(vm);
    atexit(close_state);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "painda.flat");
    expect(lua_pcall(L, 1, 0, 0) == 0, "painda.flat does not load");
}

static bool is_json(const char *text, size_t size)
{
    struct pp_json_reader reader;
    enum pp_json_token token;
    pp_json_reader_init(&reader, text, size);
    do
        token = pp_json_next(&reader);
    while (token != PP_JSON_ERROR && token != PP_JSON_END);
    return token == PP_JSON_END;
}

/* [-1, +0] Holds the value on top against what jansson reads. */
static void check_value(const char *text, size_t size)
{
    char error[PP_LUA_JSON_ERROR];
    struct pp_buf out = {0};
    json_error_t why;
    expect(pp_lua_json_encode(L, -1, &out, error, sizeof error), "what was decoded can't be encoded");
    json_t *before = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    expect(before != NULL || is_janssons_own(&why), "jansson refuses what was decoded");
    json_t *after = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    expect(after != NULL || is_janssons_own(&why), "jansson refuses what was encoded");
    if (before != NULL && after != NULL)
        expect(same(before, after), "the value has changed on its way through Lua");
    json_decref(before);
    json_decref(after);
    pp_buf_destroy(&out);
    lua_pop(L, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char error[PP_LUA_JSON_ERROR];
    pp_shape_id place = 0;
    if (L == NULL)
        open_state();
    bool accepted = is_json(text, size);
    for (int i = 0; i < TIMES; i++) {
        if (pp_flat_read(L, text, size, &place)) {
            expect(accepted, "the short cut takes what is no JSON");
            expect(lua_pcall(L, 0, 1, 0) == 0, "the short cut raises");
        } else {
            int decoded = pp_lua_json_decode_at(L, text, size, &place, error, sizeof error);
            expect(decoded == accepted, "decoding and reading disagree");
            if (!decoded)
                break;
        }
        check_value(text, size);
        expect(lua_gettop(L) == 0, "something is left on the stack");
    }
    return 0;
}

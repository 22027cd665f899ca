/* JSON text to Lua values: the reader's tokens become values on the Lua stack. */
#include "script/lua_json.h"

#include <stdio.h>

#include "value/json_reader.h"

void pp_lua_json_init(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "painda.array");
    lua_setfield(L, -2, "__name");
    lua_setfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
}

static void push_string(lua_State *L, const struct pp_json_reader *r)
{
    if (!r->escaped) {
        lua_pushlstring(L, r->span, r->span_len);
        return;
    }
    char *plain = lua_newuserdata(L, r->span_len);
    lua_pushlstring(L, plain, pp_json_unescape(r->span, r->span_len, plain));
    lua_remove(L, -2);
}

int pp_lua_json_decode(lua_State *L, const char *text, size_t len, char *error, size_t error_size)
{
    struct pp_json_reader r;
    int counts[PP_JSON_MAX_DEPTH + 1] = {0};
    int top = lua_gettop(L);
    pp_json_reader_init(&r, text, len);
    if (!lua_checkstack(L, 2 * PP_JSON_MAX_DEPTH + 8))
        return snprintf(error, error_size, "the Lua stack is full"), 0;
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    for (;;) {
        enum pp_json_token token = pp_json_next(&r);
        switch (token) {
        case PP_JSON_NULL:
            lua_pushlightuserdata(L, NULL);
            break;
        case PP_JSON_TRUE:
        case PP_JSON_FALSE:
            lua_pushboolean(L, token == PP_JSON_TRUE);
            break;
        case PP_JSON_NUMBER:
            lua_pushnumber(L, pp_json_number(&r));
            break;
        case PP_JSON_STRING:
            push_string(L, &r);
            break;
        case PP_JSON_KEY:
            push_string(L, &r);
            continue;
        case PP_JSON_ARRAY_BEGIN:
        case PP_JSON_OBJECT_BEGIN:
            lua_createtable(L, 0, 0);
            counts[r.depth] = 0;
            continue;
        case PP_JSON_ARRAY_END:
            lua_pushvalue(L, top + 1);
            lua_setmetatable(L, -2);
            break;
        case PP_JSON_OBJECT_END:
            break;
        case PP_JSON_ERROR:
            snprintf(error, error_size, "%s at byte %zu", r.error, pp_json_offset(&r));
            lua_settop(L, top);
            return 0;
        case PP_JSON_END:
            lua_remove(L, top + 1);
            return 1;
        }
        if (r.depth == 0)
            continue;
        if (r.kinds & 1)
            lua_rawset(L, -3);
        else
            lua_rawseti(L, -2, ++counts[r.depth]);
    }
}

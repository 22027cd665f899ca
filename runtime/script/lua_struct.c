/* The Lua stack as source and sink of the struct codec. */
#include "script/lua_struct.h"

#include "base/utf8.h"
#include "script/lua_json.h"

#include <lauxlib.h>
#include <stdio.h>

/* The source: the current value is the top of the stack. */

static bool is_record(void *self)
{
    return lua_type(self, -1) == LUA_TTABLE;
}

/* Is the table without keys? [-0, +0] */
static bool is_empty(lua_State *L)
{
    lua_pushnil(L);
    if (lua_next(L, -2) == 0)
        return true;
    lua_pop(L, 2);
    return false;
}

static bool is_array(void *self, size_t *count)
{
    if (lua_type(self, -1) != LUA_TTABLE)
        return false;
    *count = lua_objlen(self, -1);
    return *count > 0 || is_empty(self);
}

/* [-0, +1] */
static void field(void *self, const struct pp_field *member)
{
    lua_State *L = self;
    lua_rawgeti(L, LUA_REGISTRYINDEX, member->tag);
    lua_rawget(L, -2);
}

/* [-0, +1] */
static void element(void *self, size_t index)
{
    lua_rawgeti(self, -1, (int)index + 1);
}

static void leave(void *self)
{
    lua_settop(self, -2);
}

static bool number(void *self, double *out)
{
    if (lua_type(self, -1) != LUA_TNUMBER)
        return false;
    *out = lua_tonumber(self, -1);
    return true;
}

static bool boolean(void *self, bool *out)
{
    *out = lua_toboolean(self, -1);
    return lua_type(self, -1) == LUA_TBOOLEAN;
}

static bool bytes(void *self, const char **out, size_t *len)
{
    if (lua_type(self, -1) != LUA_TSTRING)
        return false;
    *out = lua_tolstring(self, -1, len);
    return true;
}

static void describe_string(lua_State *L, char *out, size_t size)
{
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    size_t shown = len < 32 ? len : 32;
    while (shown > 0 && shown < len && (text[shown] & 0xC0) == 0x80)
        shown--;
    if (pp_utf8_valid(text, len))
        snprintf(out, size, "the string \"%.*s%s\"", (int)shown, text, shown < len ? "…" : "");
    else
        snprintf(out, size, "a string of %zu bytes that is not UTF-8", len);
}

static void describe_table(lua_State *L, char *out, size_t size)
{
    size_t count = lua_objlen(L, -1);
    if (count > 0)
        snprintf(out, size, "a list of %zu", count);
    else
        snprintf(out, size, is_empty(L) ? "an empty table" : "a table with keys");
}

void pp_lua_describe(void *self, char *out, size_t size)
{
    lua_State *L = self;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        snprintf(out, size, "nothing");
        break;
    case LUA_TNUMBER:
        if (lua_tonumber(L, -1) != lua_tonumber(L, -1))
            snprintf(out, size, "NaN");
        else
            snprintf(out, size, "%.16g", lua_tonumber(L, -1));
        break;
    case LUA_TBOOLEAN:
        snprintf(out, size, lua_toboolean(L, -1) ? "true" : "false");
        break;
    case LUA_TSTRING:
        describe_string(L, out, size);
        break;
    case LUA_TTABLE:
        describe_table(L, out, size);
        break;
    default:
        snprintf(out, size, "a %s", luaL_typename(L, -1));
    }
}

const struct pp_value_source pp_lua_source = {
    .is_record = is_record,
    .is_array = is_array,
    .field = field,
    .element = element,
    .leave = leave,
    .number = number,
    .boolean = boolean,
    .bytes = bytes,
    .describe = pp_lua_describe,
};

/* The sink: each value is pushed. */

static void push_number(void *self, double value)
{
    lua_pushnumber(self, value);
}

static void push_boolean(void *self, bool value)
{
    lua_pushboolean(self, value);
}

static void push_bytes(void *self, const char *from, size_t len)
{
    lua_pushlstring(self, from, len);
}

static void push_record(void *self, const struct pp_record *record)
{
    lua_createtable(self, 0, (int)record->count);
}

static void push_key(void *self, const struct pp_field *member)
{
    lua_rawgeti(self, LUA_REGISTRYINDEX, member->tag);
}

/* stack: record, key, value */
static void set(void *self)
{
    lua_rawset(self, -3);
}

static void push_array(void *self, size_t count)
{
    lua_createtable(self, (int)count, 0);
    lua_getfield(self, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    lua_setmetatable(self, -2);
}

/* stack: array, value */
static void append(void *self, size_t index)
{
    lua_rawseti(self, -2, (int)index + 1);
}

const struct pp_value_sink pp_lua_sink = {
    .number = push_number,
    .boolean = push_boolean,
    .string = push_bytes,
    .bytes = push_bytes,
    .record = push_record,
    .key = push_key,
    .set = set,
    .array = push_array,
    .append = append,
};

/* Finding out whether LuaJIT's tables look as lua_raw.h says: tables of many kinds are gone through twice, in memory
 * and by lua_next, and each key and value has to be the same. Memory is asked for before it is read, so that another
 * layout ends with a no and not with a crash. */
#define _GNU_SOURCE /* pipe2 */
#include "script/lua_raw.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stddef.h>
#include <unistd.h>

#define MOST 4096                /* items or nodes of a sample */
#define PAGE 4096                /* bytes of which one is readable where another is */
#define NULLS "painda.raw_nulls" /* in the registry: a list of one null */

static int asked[2]; /* a pipe, while samples are tried */

/* A pipe takes no byte from memory that isn't there. */
static bool is_readable(const void *at, size_t size)
{
    const char *bytes = at;
    if ((uintptr_t)at % 8 != 0)
        return false;
    for (size_t i = 0; i < size; i += PAGE)
        if (write(asked[1], bytes + i, 1) != 1)
            return false;
    return write(asked[1], bytes + size - 1, 1) == 1;
}

static bool is_string(lua_State *L, int index, pp_raw_value value)
{
    size_t len;
    const char *bytes = lua_tolstring(L, index, &len);
    const struct pp_raw_string *string = pp_raw_pointer(value);
    return pp_raw_kind(value) == PP_RAW_STRING && string == lua_topointer(L, index) && string->bytes == bytes &&
           string->len == len;
}

/* Whether `value` is what stands at `index`. */
static bool is_value(lua_State *L, int index, pp_raw_value value)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        return pp_raw_is_number(value) && pp_raw_number(value) == lua_tonumber(L, index);
    case LUA_TBOOLEAN:
        return pp_raw_kind(value) == (lua_toboolean(L, index) ? PP_RAW_TRUE : PP_RAW_FALSE);
    case LUA_TSTRING:
        return is_string(L, index, value);
    case LUA_TTABLE:
        return pp_raw_kind(value) == PP_RAW_TABLE && pp_raw_pointer(value) == lua_topointer(L, index);
    case LUA_TLIGHTUSERDATA:
        return pp_raw_kind(value) == PP_RAW_LIGHTUSERDATA;
    case LUA_TFUNCTION:
        return pp_raw_kind(value) < PP_RAW_STRING && pp_raw_kind(value) != PP_RAW_TABLE && !pp_raw_is_number(value);
    default:
        return false;
    }
}

/* The next pair of the table: lua_next has to come to the same. [-0, +0] Stack: the pair before, which it replaces. */
static bool is_next(lua_State *L, int table, double index, pp_raw_value key, pp_raw_value value)
{
    if (value == PP_RAW_NONE)
        return true;
    lua_pop(L, 1);
    if (!lua_next(L, table)) {
        lua_settop(L, table + 2);
        return false;
    }
    bool same_key = index >= 0 ? lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) == index : is_value(L, -2, key);
    return same_key && is_value(L, -1, value);
}

/* The table on top. */
static bool is_table(lua_State *L)
{
    int table = lua_gettop(L);
    const struct pp_raw_table *raw = lua_topointer(L, table);
    if (!is_readable(raw, sizeof *raw) || raw->items_size > MOST || raw->nodes_mask >= MOST ||
        (raw->items_size > 0 && !is_readable(raw->items, raw->items_size * sizeof *raw->items)) ||
        !is_readable(raw->nodes, (raw->nodes_mask + (size_t)1) * sizeof *raw->nodes))
        return false;
    const void *metatable = lua_getmetatable(L, table) ? lua_topointer(L, -1) : NULL;
    lua_settop(L, table);
    bool same = raw->metatable == metatable;
    lua_pushnil(L);
    lua_pushnil(L);
    for (uint32_t i = 0; i < raw->items_size && same; i++)
        same = is_next(L, table, i, PP_RAW_NONE, raw->items[i]);
    for (uint32_t i = 0; i <= raw->nodes_mask && same; i++)
        same = is_next(L, table, -1, raw->nodes[i].key, raw->nodes[i].value);
    if (same) {
        lua_pop(L, 1);
        same = lua_next(L, table) == 0;
    }
    lua_settop(L, table);
    return same;
}

static const char samples[] =
    "local list, map, holes, back = {}, {}, {}, {}\n"
    "for i = 1, 50 do list[i], map['key' .. i], holes[i] = i + 0.5, ('v'):rep(i), i % 2 == 0 end\n"
    "for i = 1, 50, 3 do holes[i], map['key' .. i] = nil, nil end\n"
    "for i = 40, 1, -1 do back[i] = -i end\n"
    "local null, fn = ..., function() end\n"
    "return {}, { 1 }, { [0] = 1, 2, 3 }, { 'a', true, false, {}, fn, null, 1e300, -0.25, -7, 2^40 },\n"
    "  { x = 1 }, { x = 1, y = 'b', z = true, f = false, t = {}, g = fn, n = null, [2.5] = 'c', [-1] = 1 },\n"
    "  { 1, 2, 3, x = 1, [10] = 10 }, list, map, holes, back, setmetatable({ 1 }, { __index = {} }),\n"
    "  { [true] = 1, [fn] = 2, [{}] = 3 }, { ('long '):rep(1000), [('long '):rep(999)] = '' }\n";

/* [-0, +0] */
static bool try_samples(lua_State *L)
{
    int top = lua_gettop(L);
    bool same = sizeof(void *) == 8 && luaL_loadbuffer(L, samples, sizeof samples - 1, "=samples") == 0;
    if (same) {
        lua_pushlightuserdata(L, NULL);
        same = lua_pcall(L, 1, LUA_MULTRET, 0) == 0 && lua_checkstack(L, 8);
    }
    for (int count = lua_gettop(L) - top, i = 1; same && i <= count; i++) {
        lua_pushvalue(L, top + i);
        same = is_table(L);
        lua_pop(L, 1);
    }
    lua_settop(L, top);
    return same;
}

pp_raw_value pp_raw_null(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, NULLS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 1, 0);
        lua_pushlightuserdata(L, NULL);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, NULLS);
    }
    const struct pp_raw_table *nulls = lua_topointer(L, -1);
    lua_pop(L, 1);
    return nulls->items[1];
}

bool pp_raw_is_known(lua_State *L)
{
    static enum { UNTRIED, KNOWN, UNKNOWN } tried;
    if (tried == UNTRIED && pipe2(asked, O_CLOEXEC | O_NONBLOCK) == 0) {
        tried = try_samples(L) ? KNOWN : UNKNOWN;
        close(asked[0]);
        close(asked[1]);
    }
    return tried == KNOWN;
}

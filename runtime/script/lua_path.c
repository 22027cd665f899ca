/* Paths for error messages, read off the Lua stack. */
#include "script/lua_path.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "value/json_scan.h"

#define LUA_TCDATA 10 /* LuaJIT's, which lua.h doesn't name */

static bool is_identifier(const char *name, size_t len)
{
    if (len == 0 || len > 64 || pp_json_is_digit(*name))
        return false;
    for (size_t i = 0; i < len; i++) {
        char lower = (char)(name[i] | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !pp_json_is_digit(name[i]) && name[i] != '_')
            return false;
    }
    return true;
}

/* Appends to the error text, cut where it is full. */
__attribute__((format(printf, 3, 4))) static void add(const struct pp_lua_path *path, size_t *len, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    if (*len < path->error_size) {
        int n = vsnprintf(path->error + *len, path->error_size - *len, format, args);
        *len += n > 0 ? (size_t)n : 0;
    }
    va_end(args);
}

/* `len` without the last character, which may have been cut in two. */
static size_t whole_characters(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
        len--;
    return len > 0 ? len - 1 : 0;
}

static void add_key(const struct pp_lua_path *path, size_t *len, int slot)
{
    if (lua_type(path->L, slot) != LUA_TSTRING) {
        add(path, len, "[%.14g]", (double)lua_tonumber(path->L, slot));
        return;
    }
    size_t key_len;
    const char *key = lua_tolstring(path->L, slot, &key_len);
    if (is_identifier(key, key_len))
        add(path, len, ".%s", key);
    else
        add(path, len, "[\"%.*s\"]", (int)(key_len > 40 ? whole_characters(key, 40) : key_len), key);
}

bool pp_lua_path_fail(const struct pp_lua_path *path, int levels, const char *reason)
{
    if (path->error_size == 0)
        return false;
    /* A path that leaves no room for the reason loses its end. */
    struct pp_lua_path cut = *path;
    size_t len = 0, tail = strlen(reason) + 2;
    cut.error_size = path->error_size > tail ? path->error_size - tail : 1;
    add(&cut, &len, "%s", path->root);
    for (int level = 1; level <= levels; level++)
        if (path->indexes != NULL && path->indexes[level] != 0)
            add(&cut, &len, "[%d]", path->indexes[level]);
        else
            add_key(&cut, &len, pp_lua_path_key_slot(path, level));
    if (len >= cut.error_size)
        len = whole_characters(path->error, cut.error_size - 1);
    snprintf(path->error + len, path->error_size - len, ": %s", reason);
    return false;
}

bool pp_lua_path_fail_type(const struct pp_lua_path *path, int levels, int type)
{
    static const char *const reasons[] = {
        [LUA_TLIGHTUSERDATA] = "a light userdata cannot be encoded",
        [LUA_TFUNCTION] = "a function cannot be encoded",
        [LUA_TUSERDATA] = "a userdata cannot be encoded",
        [LUA_TTHREAD] = "a coroutine cannot be encoded",
        [LUA_TCDATA] = "a cdata cannot be encoded; use tonumber() or tostring(), of a declared state schema:toTable()",
    };
    return pp_lua_path_fail(path, levels, reasons[type]);
}

int pp_lua_path_count_sequence(const struct pp_lua_path *path, int levels, int table)
{
    lua_State *L = path->L;
    int count = 0;
    double max = 0;
    bool strings = false, others = false;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        int type = lua_type(L, -1);
        double key = type == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        strings = strings || type == LUA_TSTRING;
        others = others || (type != LUA_TSTRING && type != LUA_TNUMBER);
        max = key >= 1 && key == floor(key) ? fmax(max, key) : INFINITY;
        count++;
    }
    if (max == (double)count)
        return count;
    const char *reason =
        "the table's number keys are not 1..n without gaps; fill the gaps with painda.null, or use string keys";
    if (others)
        reason = "the table has a key that is neither a string nor a number";
    else if (strings)
        reason = "the table mixes number keys with string keys; use one kind, or tostring() the numbers";
    pp_lua_path_fail(path, levels, reason);
    return -1;
}

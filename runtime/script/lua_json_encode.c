/* Lua values to JSON text. Each level of nesting keeps its table, the key and the value on the Lua stack, so that a
 * failure can name its path by looking down the stack. */
#include "script/lua_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "script/lua_json_shape.h"
#include "script/lua_path.h"
#include "value/json_reader.h"
#include "value/json_writer.h"

struct encoder {
    lua_State *L;
    struct pp_buf *out;
    struct pp_shapes *shapes;
    struct pp_lua_path path;
    int depth; /* open tables */
};

static bool encode_table(struct encoder *e, int table);

static int key_slot(const struct encoder *e, int level)
{
    return pp_lua_path_key_slot(&e->path, level);
}

static bool fail_at(const struct encoder *e, int levels, const char *reason)
{
    return pp_lua_path_fail(&e->path, levels, reason);
}

static bool fail(const struct encoder *e, const char *reason)
{
    return fail_at(e, e->depth, reason);
}

/* A number that is not short. */
static bool encode_other_number(struct encoder *e, double value)
{
    if (!isfinite(value))
        return fail(e, isnan(value) ? "NaN cannot be encoded" : "an infinite number cannot be encoded");
    e->out->len += pp_json_number_write_any(value, pp_buf_reserve(e->out, PP_JSON_NUMBER_MAX));
    return true;
}

PP_JSON_INLINE bool encode_number(struct encoder *e, double value)
{
    size_t len = pp_json_number_write_short(value, pp_buf_reserve(e->out, PP_JSON_NUMBER_MAX));
    e->out->len += len;
    return len > 0 || encode_other_number(e, value);
}

static bool encode_string(struct encoder *e, int index)
{
    size_t len;
    const char *string = lua_tolstring(e->L, index, &len);
    return pp_json_write_string(e->out, string, len) || fail(e, "the string is not valid UTF-8 and cannot be encoded");
}

static bool encode_other(struct encoder *e, int index, int type)
{
    if (type == LUA_TBOOLEAN && lua_toboolean(e->L, index))
        pp_buf_append(e->out, "true", 4);
    else if (type == LUA_TBOOLEAN)
        pp_buf_append(e->out, "false", 5);
    else if (type == LUA_TNIL || type == LUA_TNONE ||
             (type == LUA_TLIGHTUSERDATA && lua_touserdata(e->L, index) == NULL))
        pp_buf_append(e->out, "null", 4);
    else
        return pp_lua_path_fail_type(&e->path, e->depth, type);
    return true;
}

/* `index` is absolute. */
PP_JSON_INLINE bool encode_value(struct encoder *e, int index)
{
    int type = lua_type(e->L, index);
    if (type == LUA_TNUMBER)
        return encode_number(e, lua_tonumber(e->L, index));
    if (type == LUA_TSTRING)
        return encode_string(e, index);
    if (type == LUA_TTABLE)
        return encode_table(e, index);
    return encode_other(e, index, type);
}

/* [-1, +0] Whether the metatable on top is the array mark. */
static bool is_mark(const struct encoder *e)
{
    lua_State *L = e->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->shapes->array_mark); /* stack now: …, metatable, mark */
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

PP_JSON_INLINE bool has_mark(const struct encoder *e, int table)
{
    return lua_getmetatable(e->L, table) && is_mark(e);
}

/* The table whose keys are neither all strings nor met in the order 1..n: an array all the same, or an error. `start`
 * is where its text begins. */
static bool encode_array_slowly(struct encoder *e, int table, size_t start)
{
    lua_State *L = e->L;
    lua_settop(L, key_slot(e, e->depth) - 1);
    int count = pp_lua_path_count_sequence(&e->path, e->depth - 1, table);
    if (count < 0)
        return false;
    e->out->len = start;
    for (int i = 1; i <= count; i++) {
        pp_buf_append_char(e->out, i == 1 ? '[' : ',');
        lua_pushinteger(L, i);
        lua_rawgeti(L, table, i); /* stack now: …, key, value */
        if (!encode_value(e, key_slot(e, e->depth) + 1))
            return false;
        lua_pop(L, 2);
    }
    pp_buf_append_char(e->out, ']');
    return true;
}

/* Stack: the first key, its value. The slots are empty afterwards. */
static bool encode_array(struct encoder *e, int table)
{
    lua_State *L = e->L;
    int key = key_slot(e, e->depth);
    size_t start = e->out->len;
    double expected = 1;
    do {
        if (lua_type(L, key) != LUA_TNUMBER || lua_tonumber(L, key) != expected)
            return encode_array_slowly(e, table, start);
        pp_buf_append_char(e->out, expected == 1 ? '[' : ',');
        if (!encode_value(e, key + 1))
            return false;
        lua_pop(L, 1);
        expected++;
    } while (lua_next(L, table));
    pp_buf_append_char(e->out, ']');
    return true;
}

/* Appends a key that is not known yet, or cannot be: it needs an escape or is not valid. Stack: the key, its value. */
static bool encode_new_key(struct encoder *e)
{
    lua_State *L = e->L;
    size_t len;
    lua_pushvalue(L, -2);
    const char *name = lua_tolstring(L, -1, &len);
    pp_buf_append_char(e->out, ',');
    if (!pp_json_write_string(e->out, name, len))
        return fail_at(e, e->depth - 1, "a key of the table is not valid UTF-8");
    pp_buf_append_char(e->out, ':');
    pp_shapes_learn_text(e->shapes, L);
    lua_pop(L, 1);
    return true;
}

PP_JSON_INLINE void append_text(struct pp_buf *out, const struct pp_shape_text *text)
{
    char *to = pp_buf_reserve(out, sizeof text->text);
    memcpy(to, text->text, 16);
    if (text->len > 16)
        memcpy(to + 16, text->text + 16, sizeof text->text - 16);
    out->len += text->len;
}

/* As encode_array; `key` is the first key's address. */
static bool encode_object(struct encoder *e, int table, const void *key)
{
    lua_State *L = e->L;
    int value = key_slot(e, e->depth) + 1;
    size_t start = e->out->len;
    for (;;) {
        const struct pp_shape_text *text = pp_shapes_find_text(e->shapes, key);
        if (text != NULL)
            append_text(e->out, text);
        else if (lua_type(L, -2) != LUA_TSTRING)
            return encode_array_slowly(e, table, start);
        else if (!encode_new_key(e))
            return false;
        if (!encode_value(e, value))
            return false;
        lua_pop(L, 1);
        if (!lua_next(L, table))
            break;
        key = lua_topointer(L, -2);
    }
    e->out->data[start] = '{'; /* where the first key put its comma */
    pp_buf_append_char(e->out, '}');
    return true;
}

static bool encode_table(struct encoder *e, int table)
{
    lua_State *L = e->L;
    bool ok;
    if (e->depth == PP_JSON_MAX_DEPTH)
        return fail(e, "nested deeper than 64 levels; does it contain itself?");
    lua_pushnil(L);
    if (!lua_next(L, table)) {
        pp_buf_append(e->out, has_mark(e, table) ? "[]" : "{}", 2);
        return true;
    }
    e->depth++;
    const void *key = lua_topointer(L, -2);
    if (key == NULL) /* a number's, a boolean's, but no string's */
        ok = encode_array(e, table);
    else if (!has_mark(e, table))
        ok = encode_object(e, table, key);
    else
        ok = fail_at(e, e->depth - 1, "the table is marked as an array but has string keys");
    e->depth--;
    return ok;
}

bool pp_lua_json_encode(lua_State *L, int index, struct pp_buf *out, char *error, size_t error_size)
{
    int top = lua_gettop(L);
    if (index < 0 && index > LUA_REGISTRYINDEX)
        index += top + 1;
    size_t before = out->len;
    if (index > top) { /* what an absent argument is */
        pp_buf_append(out, "null", 4);
        return true;
    }
    if (!lua_checkstack(L, 2 * PP_JSON_MAX_DEPTH + 8))
        return snprintf(error, error_size, "payload: the Lua stack is full"), false;
    struct encoder e = {L, out, pp_shapes_open(L), {L, "payload", error, error_size, top + 1, NULL}, 0};
    if (encode_value(&e, index)) /* which leaves the stack as it was */
        return true;
    out->len = before;
    lua_settop(L, top);
    return false;
}

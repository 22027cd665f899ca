/* JSON text to Lua values. The values of an open array or object are collected on the Lua stack behind a free slot,
 *
 *     … free slot | value | value | free slot | value …
 *
 * and become one table when it closes: its size is known by then, and where the object's list of keys is known
 * (lua_json_shape.h), the slot holds the function that makes the table, to be called with the values. What grows too
 * wide to be collected, or has keys that can't be learned, is spilled into a table which takes each value as it comes.
 *
 * Every part of a text is read by a function that takes where it begins and returns one past it, or NULL where it is
 * wrong; then the text is read once more by the reader of json_reader.h, which knows why. */
#include "script/lua_json.h"

#include <stdio.h>

#include <lauxlib.h>

#include "script/lua_json_shape.h"
#include "script/lua_raw.h"
#include "value/json_reader.h"

#define WIDE_ARRAY 32         /* values that are collected at most */
#define ROOM (WIDE_ARRAY + 8) /* stack that an array or object may need, without those in it */
#define MAX_SIZE_HINT 128     /* room that is made for a spilled table ahead of its values */

struct decoder {
    lua_State *L;
    struct pp_shapes *shapes;
    const char *begin, *end;
};

/* An open object. */
struct object {
    int table;                         /* stack index once it is spilled, 0 before */
    unsigned count;                    /* keys that are collected */
    pp_shape_id shape, next;           /* of the collected keys, and what is expected to come of them */
    pp_shape_id slot;                  /* the shape whose function stands in the slot, or 0 */
    pp_shape_id *inner;                /* where to learn the shape of an object in the value that comes */
    pp_shape_id nowhere;               /* for `inner` where there is no such place */
    const char *keys[PP_SHAPE_FIELDS]; /* where the collected ones stand in the text, behind their quotes */
};

static const char *decode_array(struct decoder *d, const char *at, unsigned levels, pp_shape_id *place);
static const char *decode_object(struct decoder *d, const char *at, unsigned levels, pp_shape_id *place);

void pp_lua_json_init(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "painda.array");
    lua_setfield(L, -2, "__name");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    pp_shapes_create(L);
    pp_raw_is_known(L); /* while nothing else runs */
}

static __attribute__((noinline)) void push_escaped(lua_State *L, const char *span, size_t len)
{
    char small[512];
    if (len <= sizeof small) {
        lua_pushlstring(L, small, pp_json_unescape(span, len, small));
        return;
    }
    char *plain = lua_newuserdata(L, len);
    lua_pushlstring(L, plain, pp_json_unescape(span, len, plain));
    lua_remove(L, -2);
}

/* A string behind its opening quote, pushed. */
PP_JSON_INLINE const char *decode_string(struct decoder *d, const char *at)
{
    struct pp_json_scan scan = pp_json_scan_string(at, d->begin, d->end);
    if (scan.error != NULL)
        return NULL;
    if (scan.escaped)
        push_escaped(d->L, at, (size_t)(scan.at - at));
    else
        lua_pushlstring(d->L, at, (size_t)(scan.at - at));
    return scan.at + 1;
}

PP_JSON_INLINE const char *decode_number(struct decoder *d, const char *at)
{
    struct pp_json_decimal decimal = pp_json_scan_number(at, d->end);
    if (decimal.end == NULL)
        return NULL;
    double value = pp_json_number_from(&decimal, at);
    if (__builtin_isinf(value))
        return NULL;
    lua_pushnumber(d->L, value);
    return decimal.end;
}

static const char *decode_word(struct decoder *d, const char *at)
{
    const char *end = pp_json_scan_word(at, d->end);
    if (end != NULL && *at == 'n')
        lua_pushlightuserdata(d->L, NULL);
    else if (end != NULL)
        lua_pushboolean(d->L, *at == 't');
    return end;
}

/* `levels` may still be opened; the shape of an object is learned at `place`. */
PP_JSON_INLINE const char *decode_value(struct decoder *d, const char *at, unsigned levels, pp_shape_id *place)
{
    char c = pp_json_peek(&at, d->end);
    if (c == '"')
        return decode_string(d, at + 1);
    if (c == '-' || pp_json_is_digit(c))
        return decode_number(d, at);
    if (c == '{')
        return decode_object(d, at + 1, levels, place);
    if (c == '[')
        return decode_array(d, at + 1, levels, place);
    return decode_word(d, at);
}

/* pp_lua_json_decode has made room for the outer two. */
static bool may_open(struct decoder *d, unsigned levels)
{
    return levels > 0 && (levels >= PP_JSON_MAX_DEPTH - 1 || lua_checkstack(d->L, ROOM));
}

/* Room for a table that may grow: `count` values are there, the text goes on for `left` bytes. A few bytes of text must
 * not make much memory. */
static int size_hint(unsigned count, size_t left)
{
    size_t hint = count + left / 8;
    return hint < MAX_SIZE_HINT ? (int)hint : MAX_SIZE_HINT;
}

/* [-count, +0] Makes the collected values elements of a new array in their slot; returns its stack index. */
static int build_array(lua_State *L, unsigned count, int size)
{
    int slot = lua_gettop(L) - (int)count;
    lua_createtable(L, size, 0);
    lua_replace(L, slot);
    for (int i = (int)count; i > 0; i--)
        lua_rawseti(L, slot, i);
    return slot;
}

/* Marks the array on top. */
static void mark_array(const struct decoder *d)
{
    lua_rawgeti(d->L, LUA_REGISTRYINDEX, d->shapes->array_mark);
    lua_setmetatable(d->L, -2);
}

/* Behind the opening bracket. */
static const char *decode_array(struct decoder *d, const char *at, unsigned levels, pp_shape_id *place)
{
    unsigned count = 0;
    int table = 0; /* stack index once it is spilled */
    char c = pp_json_peek(&at, d->end);
    if (!may_open(d, levels))
        return NULL;
    lua_pushboolean(d->L, 0); /* the slot */
    while (c != ']') {
        at = decode_value(d, at, levels - 1, place);
        if (at == NULL)
            return NULL;
        count++;
        if (table != 0)
            lua_rawseti(d->L, table, (int)count);
        else if (count == WIDE_ARRAY)
            table = build_array(d->L, count, size_hint(count, (size_t)(d->end - at)));
        c = pp_json_peek(&at, d->end);
        if (c == ',')
            at++;
        else if (c != ']')
            return NULL;
    }
    if (table == 0)
        build_array(d->L, count, (int)count);
    mark_array(d);
    return at + 1;
}

/* [-count, +0] Makes the collected values fields of a new table in their slot; returns its stack index. */
static int build_object(const struct decoder *d, const struct object *o, int size)
{
    lua_State *L = d->L;
    int slot = lua_gettop(L) - (int)o->count;
    lua_createtable(L, 0, size);
    lua_replace(L, slot);
    for (unsigned i = 0; i < o->count; i++) {
        const char *key = o->keys[i];
        lua_pushlstring(L, key, (size_t)((const char *)memchr(key, '"', PP_SHAPE_KEY_LEN) - key));
        lua_pushvalue(L, slot + 1 + (int)i);
        lua_rawset(L, slot);
    }
    lua_settop(L, slot);
    return slot;
}

/* Puts what is known of the objects that were met here in the slot. */
static void open_object(const struct decoder *d, struct object *o, pp_shape_id place)
{
    const struct pp_shape *shape = pp_shapes_at(d->shapes, place);
    bool known = shape->id == place, has_maker = known && shape->has_maker;
    if (has_maker)
        lua_rawgeti(d->L, LUA_REGISTRYINDEX, shape->maker);
    else
        lua_pushboolean(d->L, 0);
    o->table = 0;
    o->count = 0;
    o->shape = 0;
    o->next = known ? shape->first : 0;
    o->slot = has_maker ? place : 0;
}

PP_JSON_INLINE void collect_key(struct object *o, struct pp_shape *shape, const char *key)
{
    o->keys[o->count++] = key + 1;
    o->shape = shape->id;
    o->next = shape->next;
    o->inner = &shape->inner;
}

static void spill(const struct decoder *d, struct object *o, int size)
{
    o->table = build_object(d, o, size);
    o->next = 0;
    o->nowhere = 0;
    o->inner = &o->nowhere;
}

/* A key of an object whose keys are collected: false where it can't be one of them. `len` has its quotes. */
static bool collect_other_key(struct decoder *d, struct object *o, const char *at, size_t len)
{
    struct pp_shape *shape = o->count < PP_SHAPE_FIELDS ? pp_shapes_find(d->shapes, o->shape, at, len) : NULL;
    if (shape != NULL)
        collect_key(o, shape, at);
    return shape != NULL;
}

/* A key with its colon that is what was expected, or NULL. */
PP_JSON_INLINE const char *take_expected_key(struct decoder *d, struct object *o, const char *at)
{
    struct pp_shape *shape = pp_shapes_at(d->shapes, o->next);
    if (shape->id != o->next || !pp_shape_is_next(shape, at, d->end))
        return NULL;
    shape->credit |= PP_SHAPE_CREDIT;
    collect_key(o, shape, at);
    return at + shape->key_len;
}

/* One that is not, or has spaces around it. */
static __attribute__((noinline)) const char *take_other_key(struct decoder *d, struct object *o, const char *at)
{
    const char *first = at;
    if (pp_json_peek(&at, d->end) != '"')
        return NULL;
    if (at > first && (first = take_expected_key(d, o, at)) != NULL)
        return first;
    struct pp_json_scan scan = pp_json_scan_string(at + 1, d->begin, d->end);
    if (scan.error != NULL)
        return NULL;
    if (o->table == 0 && (scan.escaped || !collect_other_key(d, o, at, (size_t)(scan.at + 1 - at))))
        spill(d, o, size_hint(o->count, (size_t)(d->end - at)));
    if (o->table != 0)
        decode_string(d, at + 1);
    at = scan.at + 1;
    return pp_json_peek(&at, d->end) == ':' ? at + 1 : NULL;
}

/* A key with its colon. It is collected, or pushed where the object is spilled. */
PP_JSON_INLINE const char *take_key(struct decoder *d, struct object *o, const char *at)
{
    const char *behind = take_expected_key(d, o, at);
    return behind != NULL ? behind : take_other_key(d, o, at);
}

/* [-count, +0] Makes the table of collected values whose slot holds something else than their shape's function. */
static __attribute__((noinline)) void close_other_object(const struct decoder *d, const struct object *o)
{
    if (!pp_shapes_push_maker(d->shapes, d->L, o->shape, o->keys, o->count)) {
        build_object(d, o, (int)o->count);
        return;
    }
    lua_replace(d->L, -(int)o->count - 2);
    lua_call(d->L, (int)o->count, 1);
}

/* Behind the opening brace. */
static const char *decode_object(struct decoder *d, const char *at, unsigned levels, pp_shape_id *place)
{
    struct object o;
    if (!may_open(d, levels))
        return NULL;
    char c = pp_json_peek(&at, d->end);
    if (c == '}') {
        lua_createtable(d->L, 0, 0);
        return at + 1;
    }
    open_object(d, &o, *place);
    for (;;) {
        at = take_key(d, &o, at);
        if (at == NULL || (at = decode_value(d, at, levels - 1, o.inner)) == NULL)
            return NULL;
        if (o.table != 0)
            lua_rawset(d->L, o.table);
        c = pp_json_peek(&at, d->end);
        if (c != ',')
            break;
        at++;
    }
    if (c != '}')
        return NULL;
    if (o.table != 0)
        return at + 1;
    if (o.slot == o.shape)
        lua_call(d->L, (int)o.count, 1);
    else
        close_other_object(d, &o);
    *place = o.shape;
    return at + 1;
}

/* Writes why `text` was refused. */
static void explain(const char *text, size_t len, char *error, size_t error_size)
{
    struct pp_json_reader reader;
    enum pp_json_token token;
    pp_json_reader_init(&reader, text, len);
    do
        token = pp_json_next(&reader);
    while (token != PP_JSON_ERROR && token != PP_JSON_END);
    if (token == PP_JSON_ERROR)
        snprintf(error, error_size, "%s at byte %zu", reader.error, pp_json_offset(&reader));
    else
        snprintf(error, error_size, "the Lua stack is full");
}

int pp_lua_json_decode(lua_State *L, const char *text, size_t len, char *error, size_t error_size)
{
    return pp_lua_json_decode_at(L, text, len, &pp_shapes_open(L)->outermost, error, error_size);
}

int pp_lua_json_decode_at(lua_State *L, const char *text, size_t len, pp_shape_id *place, char *error,
                          size_t error_size)
{
    struct decoder d = {L, pp_shapes_open(L), text, text + len};
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 2 * ROOM))
        return snprintf(error, error_size, "the Lua stack is full"), 0;
    const char *at = decode_value(&d, text, PP_JSON_MAX_DEPTH, place);
    if (at != NULL && pp_json_skip_space(at, d.end) == d.end)
        return 1;
    lua_settop(L, top);
    explain(text, len, error, error_size);
    return 0;
}

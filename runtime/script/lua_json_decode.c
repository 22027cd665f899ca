/* JSON text to Lua values. The values of an open array or object are collected on the Lua stack behind a free slot,
 *
 *     … | table of shapes | free slot | value | value | free slot | value …
 *
 * and become one table when it closes: its size is known by then, and an object's often seen keys (lua_json_shape.h)
 * need not be touched at all. What grows too wide to be collected is spilled into a table, which takes each value as it
 * comes. */
#include "script/lua_json.h"

#include <stdio.h>

#include "script/lua_json_shape.h"
#include "value/json_reader.h"

#define WIDE_ARRAY 32     /* values that are collected at most */
#define MAX_SIZE_HINT 128 /* room that is made for a spilled table ahead of its values */

/* An open array or object. */
struct level {
    int slot;       /* stack index of the free slot, or of the table it was spilled into */
    unsigned count; /* values so far */
    bool spilled;
};

struct decoder {
    lua_State *L;
    struct pp_shapes *shapes;
    int table; /* stack index of the table of shapes */
    const char *end;
    struct level levels[PP_JSON_MAX_DEPTH + 1];               /* by depth; the first stands for the text itself */
    pp_shape_id ids[PP_JSON_MAX_DEPTH + 1][PP_SHAPE_FIELDS];  /* of the collected keys */
    const char *keys[PP_JSON_MAX_DEPTH + 1][PP_SHAPE_FIELDS]; /* and where they stand in the text */
};

void pp_lua_json_init(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "painda.array");
    lua_setfield(L, -2, "__name");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    pp_shapes_create(L);
}

static void push_escaped(lua_State *L, const char *span, size_t len)
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

PP_JSON_INLINE void push_string(lua_State *L, const struct pp_json_reader *r)
{
    if (r->escaped)
        push_escaped(L, r->span, r->span_len);
    else
        lua_pushlstring(L, r->span, r->span_len);
}

/* Room for a table that may grow: `count` values are there, the text goes on for `left` bytes. A few bytes of text must
 * not make much memory. */
static int size_hint(unsigned count, size_t left)
{
    size_t hint = count + left / 8;
    return hint < MAX_SIZE_HINT ? (int)hint : MAX_SIZE_HINT;
}

/* Makes the collected values elements of a new array in the level's slot. Stack afterwards: up to the slot. */
static void build_array(const struct decoder *d, const struct level *level, int size)
{
    lua_State *L = d->L;
    lua_createtable(L, size, 0);
    lua_replace(L, level->slot);
    for (int i = (int)level->count; i > 0; i--)
        lua_rawseti(L, level->slot, i);
}

/* The same for an object, one key after the other. */
static void build_object(const struct decoder *d, const struct level *level, int size)
{
    lua_State *L = d->L;
    size_t depth = (size_t)(level - d->levels);
    lua_createtable(L, 0, size);
    lua_replace(L, level->slot);
    for (unsigned i = 0; i < level->count; i++) {
        // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): take_key wrote the first `count` of them
        const char *key = d->keys[depth][i];
        if (!pp_shapes_push_key(d->shapes, L, d->table, d->ids[depth][i]))
            lua_pushlstring(L, key, (size_t)((const char *)memchr(key, '"', (size_t)(d->end - key)) - key));
        lua_pushvalue(L, level->slot + 1 + (int)i);
        lua_rawset(L, level->slot);
    }
    lua_settop(L, level->slot);
}

static void close_array(struct decoder *d, const struct level *level)
{
    lua_State *L = d->L;
    if (!level->spilled)
        build_array(d, level, (int)level->count);
    lua_rawgeti(L, d->table, PP_SHAPES_ARRAY);
    lua_setmetatable(L, -2);
}

static void close_object(struct decoder *d, const struct level *level)
{
    lua_State *L = d->L;
    if (level->spilled)
        return;
    if (level->count == 0) {
        lua_createtable(L, 0, 0);
        lua_replace(L, level->slot);
    } else if (pp_shapes_push_function(d->shapes, L, d->table, d->ids[level - d->levels], level->count)) {
        lua_replace(L, level->slot);
        lua_call(L, (int)level->count, 1);
    } else {
        build_object(d, level, (int)level->count);
    }
}

/* A key, the reader's span: an id in the list of its level, or a string on the stack where the object is spilled. */
PP_JSON_INLINE void take_key(struct decoder *d, struct level *level, const struct pp_json_reader *r)
{
    pp_shape_id id = 0;
    if (!r->escaped)
        id = pp_shapes_find_key(d->shapes, d->L, d->table, r->span, r->span_len, d->end);
    if (!level->spilled && id != 0 && level->count < PP_SHAPE_FIELDS) {
        d->ids[r->depth][level->count] = id;
        d->keys[r->depth][level->count] = r->span;
        return;
    }
    if (!level->spilled) {
        build_object(d, level, size_hint(level->count, (size_t)(r->end - r->at)));
        level->spilled = true;
    }
    if (id == 0 || !pp_shapes_push_key(d->shapes, d->L, d->table, id))
        push_string(d->L, r);
}

/* The value on top of the stack belongs to this level. */
PP_JSON_INLINE void take_value(struct decoder *d, struct level *level, const struct pp_json_reader *r)
{
    level->count++;
    if (!level->spilled) {
        if (level->count < WIDE_ARRAY || (r->kinds & 1))
            return;
        build_array(d, level, size_hint(level->count, (size_t)(r->end - r->at)));
        level->spilled = true;
    } else if (r->kinds & 1) {
        lua_rawset(d->L, level->slot);
    } else {
        lua_rawseti(d->L, level->slot, (int)level->count);
    }
}

/* Pushes the value of the reader's text: NULL; or the reason, the stack in disorder. */
static const char *decode(struct decoder *d, struct pp_json_reader *reader)
{
    lua_State *L = d->L;
    struct pp_json_reader r = *reader;
    struct level *level = d->levels;
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
            take_key(d, level, &r);
            continue;
        case PP_JSON_ARRAY_BEGIN:
        case PP_JSON_OBJECT_BEGIN:
            if (!lua_checkstack(L, WIDE_ARRAY + 8)) {
                *reader = r;
                return "the Lua stack is full";
            }
            lua_pushboolean(L, 0);
            *++level = (struct level){.slot = lua_gettop(L)};
            continue;
        case PP_JSON_ARRAY_END:
            close_array(d, level--);
            break;
        case PP_JSON_OBJECT_END:
            close_object(d, level--);
            break;
        case PP_JSON_ERROR:
        case PP_JSON_END:
            *reader = r;
            return r.error;
        }
        take_value(d, level, &r);
    }
}

int pp_lua_json_decode(lua_State *L, const char *text, size_t len, char *error, size_t error_size)
{
    struct decoder d;
    struct pp_json_reader reader;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, WIDE_ARRAY + 8))
        return snprintf(error, error_size, "the Lua stack is full"), 0;
    d.L = L;
    d.table = top + 1;
    d.shapes = pp_shapes_open(L);
    d.end = text + len;
    d.levels[0] = (struct level){0};
    pp_json_reader_init(&reader, text, len);
    const char *reason = decode(&d, &reader);
    if (reason != NULL) {
        snprintf(error, error_size, "%s at byte %zu", reason, pp_json_offset(&reader));
        lua_settop(L, top);
        return 0;
    }
    lua_replace(L, top + 1);
    return 1;
}

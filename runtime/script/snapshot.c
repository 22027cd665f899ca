/* Lua values to trees: one pass with lua_next. As in lua_json_encode.c each open table keeps its key and its value on
 * the Lua stack. */
#include "script/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "delta/delta.h"
#include "script/lua_json.h"
#include "script/lua_path.h"
#include "value/json_scan.h"

#define KEYS 256 /* a power of two */

/* Keys by the address of their Lua string, which no other string has as long as nothing runs and nothing is freed. */
struct known_key {
    const void *string;
    const struct pp_key *key;
};

struct camera {
    lua_State *L;
    struct pp_tree *tree;
    struct pp_lua_path path;
    int depth; /* open tables */
    const void *array_mark;
    struct known_key keys[KEYS];
};

static __attribute__((noinline)) bool take_table(struct camera *c, int table, struct pp_value *out);

static bool fail_at(const struct camera *c, int levels, const char *reason)
{
    return pp_lua_path_fail(&c->path, levels, reason);
}

static int key_slot(const struct camera *c)
{
    return pp_lua_path_key_slot(&c->path, c->depth);
}

/* At the key that is open, whose value it may be. */
static bool fail_full(const struct camera *c)
{
    return fail_at(c, c->depth, "the state is too large from here on");
}

static bool take_string(struct camera *c, int index, struct pp_value *out)
{
    size_t len;
    const char *bytes = lua_tolstring(c->L, index, &len);
    *out = pp_tree_string(c->tree, bytes, len);
    if (out->kind == PP_VALUE_STRING)
        return true;
    return c->tree->full ? fail_full(c) : fail_at(c, c->depth, "the string is not valid UTF-8 and cannot be encoded");
}

static bool take_number(struct camera *c, double number, struct pp_value *out)
{
    if (!isfinite(number))
        return fail_at(c, c->depth, isnan(number) ? "NaN cannot be encoded" : "an infinite number cannot be encoded");
    *out = (struct pp_value){.number = number, .kind = PP_VALUE_NUMBER};
    return true;
}

/* `index` is absolute. */
PP_JSON_INLINE bool take_value(struct camera *c, int index, struct pp_value *out)
{
    int type = lua_type(c->L, index);
    switch (type) {
    case LUA_TNUMBER:
        return take_number(c, lua_tonumber(c->L, index), out);
    case LUA_TSTRING:
        return take_string(c, index, out);
    case LUA_TTABLE:
        return take_table(c, index, out);
    case LUA_TBOOLEAN:
        *out = (struct pp_value){.boolean = lua_toboolean(c->L, index), .kind = PP_VALUE_BOOL};
        return true;
    default:
        *out = (struct pp_value){.kind = PP_VALUE_NIL};
        return type == LUA_TNIL || type == LUA_TNONE ||
               (type == LUA_TLIGHTUSERDATA && lua_touserdata(c->L, index) == NULL) ||
               pp_lua_path_fail_type(&c->path, c->depth, type);
    }
}

static bool has_mark(const struct camera *c, int table)
{
    if (!lua_getmetatable(c->L, table))
        return false;
    bool same = lua_topointer(c->L, -1) == c->array_mark;
    lua_pop(c->L, 1);
    return same;
}

/* The elements 1..count; the key and value slots are free. */
static bool take_items(struct camera *c, int table, int count)
{
    lua_State *L = c->L;
    struct pp_value value;
    for (int i = 1; i <= count && !c->tree->full; i++) {
        lua_pushinteger(L, i);
        lua_rawgeti(L, table, i); /* stack now: …, key, value */
        if (!take_value(c, lua_gettop(L), &value))
            return false;
        pp_tree_push(c->tree, NULL, value);
        lua_pop(L, 2);
    }
    return true;
}

/* Stack: the first key, its value. The slots are empty afterwards. */
static bool take_array(struct camera *c, int table, struct pp_value *out)
{
    lua_State *L = c->L;
    int key = key_slot(c);
    uint32_t first = c->tree->open_count;
    struct pp_value value;
    double expected = 1;
    do {
        if (lua_type(L, key) != LUA_TNUMBER || lua_tonumber(L, key) != expected) {
            lua_settop(L, key - 1);
            int count = pp_lua_path_count_sequence(&c->path, c->depth - 1, table);
            c->tree->open_count = first;
            if (count < 0 || !take_items(c, table, count))
                return false;
            break;
        }
        if (!take_value(c, key + 1, &value))
            return false;
        pp_tree_push(c->tree, NULL, value);
        lua_pop(L, 1);
        expected++;
    } while (!c->tree->full && lua_next(L, table));
    *out = pp_tree_array(c->tree, first);
    return true;
}

/* The key at `slot`, which is not known yet; NULL with the error. */
static const struct pp_key *take_new_key(struct camera *c, int table, int slot, struct known_key *known)
{
    lua_State *L = c->L;
    size_t len;
    if (lua_type(L, slot) != LUA_TSTRING) { /* say what is wrong with the keys */
        lua_settop(L, slot - 1);
        pp_lua_path_count_sequence(&c->path, c->depth - 1, table);
        return NULL;
    }
    const char *bytes = lua_tolstring(L, slot, &len);
    const struct pp_key *key = pp_tree_key(c->tree, bytes, len);
    if (key != NULL)
        *known = (struct known_key){lua_topointer(L, slot), key};
    else if (c->tree->full)
        fail_full(c);
    else
        fail_at(c, c->depth - 1, "a key of the table is not valid UTF-8");
    return key;
}

/* As take_array. */
static bool take_map(struct camera *c, int table, struct pp_value *out)
{
    lua_State *L = c->L;
    int slot = key_slot(c);
    uint32_t first = c->tree->open_count;
    struct pp_value value;
    do {
        const void *string = lua_topointer(L, slot); /* NULL for a number's or a boolean's, which no known key has */
        struct known_key *known = &c->keys[((uintptr_t)string >> 4) % KEYS];
        const struct pp_key *key = known->string == string ? known->key : take_new_key(c, table, slot, known);
        if (key == NULL || !take_value(c, slot + 1, &value))
            return false;
        pp_tree_push(c->tree, key, value);
        lua_pop(L, 1);
    } while (!c->tree->full && lua_next(L, table));
    *out = pp_tree_map(c->tree, first);
    return true;
}

static bool take_table(struct camera *c, int table, struct pp_value *out)
{
    lua_State *L = c->L;
    bool ok;
    if (c->depth == PP_DELTA_STATE_DEPTH)
        return fail_at(c, c->depth, "nested deeper than 60 levels; does it contain itself?");
    lua_pushnil(L);
    if (!lua_next(L, table)) {
        *out = (struct pp_value){.kind = has_mark(c, table) ? PP_VALUE_ARRAY : PP_VALUE_MAP, .depth = 1};
        return true;
    }
    c->depth++;
    if (lua_type(L, -2) != LUA_TSTRING)
        ok = take_array(c, table, out);
    else if (!has_mark(c, table))
        ok = take_map(c, table, out);
    else
        ok = fail_at(c, c->depth - 1, "the table is marked as an array but has string keys");
    c->depth--;
    if (ok && c->tree->full)
        ok = fail_full(c);
    return ok;
}

static const void *array_mark(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    const void *mark = lua_topointer(L, -1);
    lua_pop(L, 1);
    return mark;
}

bool pp_lua_snapshot(lua_State *L, int index, const char *name, struct pp_tree *tree, char *error, size_t error_size)
{
    int top = lua_gettop(L);
    struct camera c = {.L = L, .tree = tree, .path = {L, name, error, error_size, top + 1}};
    if (index < 0 && index > LUA_REGISTRYINDEX)
        index += top + 1;
    pp_tree_clear(tree);
    if (!lua_checkstack(L, 2 * PP_DELTA_STATE_DEPTH + 8))
        return fail_at(&c, 0, "the Lua stack is full");
    c.array_mark = array_mark(L);
    c.keys[0].string = &c; /* not NULL, which what is no string has for an address */
    struct pp_value root;
    bool ok = take_value(&c, index, &root);
    if (ok)
        tree->root = root;
    else
        pp_tree_clear(tree);
    lua_settop(L, top);
    return ok;
}

enum pp_snapshot_step pp_snapshot_step(struct pp_snapshot *snapshot, lua_State *L, int index, const char *name,
                                       struct pp_buf *out, char *error, size_t error_size)
{
    struct pp_tree *before = &snapshot->trees[snapshot->last], *after = &snapshot->trees[!snapshot->last];
    if (!pp_lua_snapshot(L, index, name, after, error, error_size))
        return PP_SNAPSHOT_BAD;
    if (!pp_delta_diff(&before->root, &after->root, out))
        return PP_SNAPSHOT_SAME;
    snapshot->last = !snapshot->last;
    return PP_SNAPSHOT_CHANGED;
}

void pp_snapshot_destroy(struct pp_snapshot *snapshot)
{
    pp_tree_destroy(&snapshot->trees[0]);
    pp_tree_destroy(&snapshot->trees[1]);
}

/* Lua values to trees: one pass with lua_next. As in lua_json_encode.c each open table keeps its key and its value on
 * the Lua stack. Beside each value goes the one that the state before had in its place, or NULL: what is the same is
 * taken from there, so that most of a state is neither copied nor compared again. */
#include "script/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "delta/delta.h"
#include "script/lua_json.h"
#include "script/lua_path.h"
#include "script/lua_raw.h"
#include "script/snapshot_raw.h"
#include "value/json_scan.h"

#define KEYS 256        /* a power of two */
#define PILE_LEAST 4096 /* bytes that a tree may always pile up */

/* Keys by the address of their Lua string, which no other string has as long as nothing runs and nothing is freed. */
struct known_key {
    const void *string;
    const struct pp_value_key *key;
};

struct camera {
    lua_State *L;
    struct pp_tree *tree;
    struct pp_lua_path path;
    int depth;                             /* open tables */
    int indexes[PP_DELTA_STATE_DEPTH + 1]; /* for the path: of the open tables that are arrays, where we are */
    const void *array_mark;
    struct known_key keys[KEYS];
};

static __attribute__((noinline)) bool take_table(struct camera *c, int table, const struct pp_value *old,
                                                 struct pp_value *out);

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

static bool take_string(struct camera *c, int index, const struct pp_value *old, struct pp_value *out)
{
    size_t len;
    const char *bytes = lua_tolstring(c->L, index, &len);
    if (old != NULL && old->kind == PP_VALUE_STRING && old->count == len && memcmp(old->string, bytes, len) == 0) {
        *out = *old;
        return true;
    }
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
PP_JSON_INLINE bool take_value(struct camera *c, int index, const struct pp_value *old, struct pp_value *out)
{
    int type = lua_type(c->L, index);
    switch (type) {
    case LUA_TNUMBER:
        return take_number(c, lua_tonumber(c->L, index), out);
    case LUA_TSTRING:
        return take_string(c, index, old, out);
    case LUA_TTABLE:
        return take_table(c, index, old, out);
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

/* Whether a value is the old one itself: what is not a scalar is that where its memory is. */
static bool is_old(const struct pp_value *value, const struct pp_value *old)
{
    if (value->kind != old->kind || value->count != old->count)
        return false;
    if (value->kind == PP_VALUE_BOOL)
        return value->boolean == old->boolean;
    if (value->kind == PP_VALUE_NUMBER)
        return value->number == old->number;
    return value->kind == PP_VALUE_NIL || value->string == old->string; /* any of the pointers */
}

static bool has_mark(const struct camera *c, int table)
{
    if (!lua_getmetatable(c->L, table))
        return false;
    bool same = lua_topointer(c->L, -1) == c->array_mark;
    lua_pop(c->L, 1);
    return same;
}

/* The array whose keys did not come in order; the key and value slots are free. */
static bool take_array_slowly(struct camera *c, int table, struct pp_value *out)
{
    lua_State *L = c->L;
    struct pp_value value = {.kind = PP_VALUE_NIL};
    int *at = &c->indexes[c->depth], count = pp_lua_path_count_sequence(&c->path, c->depth - 1, table);
    uint32_t first = c->tree->open_count;
    if (count < 0)
        return false;
    lua_pushnil(L);
    for (*at = 1; *at <= count && !c->tree->full; ++*at) {
        lua_rawgeti(L, table, *at); /* stack now: …, nil, value */
        if (!take_value(c, lua_gettop(L), NULL, &value))
            return false;
        pp_tree_push(c->tree, NULL, value);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    *at = 0;
    *out = pp_tree_array(c->tree, first);
    return true;
}

/* Pushes the first elements of the old array, or members of the old map, which turn out to be of the new one too. */
static void push_old(struct camera *c, const struct pp_value *old, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (old->kind == PP_VALUE_MAP)
            pp_tree_push(c->tree, old->members[i].key, old->members[i].value);
        else
            pp_tree_push(c->tree, NULL, old->items[i]);
}

/* The elements 1, 2 … up to the first that is nil; returns how many, or -1 with the error. Stack: a key, the first
 * value. Pushes all of them, or nothing where they are the first of the old ones. */
static int take_items(struct camera *c, int table, const struct pp_value *old, bool *pushed)
{
    lua_State *L = c->L;
    int slot = key_slot(c) + 1, *at = &c->indexes[c->depth];
    uint32_t old_count = old != NULL ? old->count : 0;
    struct pp_value value = {.kind = PP_VALUE_NIL};
    *pushed = false;
    for (*at = 1; !lua_isnil(L, slot) && !c->tree->full; ++*at) {
        uint32_t i = (uint32_t)*at - 1;
        const struct pp_value *before = i < old_count ? &old->items[i] : NULL;
        if (!take_value(c, slot, before, &value))
            return -1;
        if (!*pushed && (before == NULL || !is_old(&value, before))) {
            *pushed = true;
            push_old(c, old, i);
        }
        if (*pushed)
            pp_tree_push(c->tree, NULL, value);
        lua_pop(L, 1);
        lua_rawgeti(L, table, *at + 1);
    }
    int count = *at - 1;
    *at = 0;
    return count;
}

/* Stack: the first key, its value. The slots are empty afterwards. */
static bool take_array(struct camera *c, int table, const struct pp_value *old, struct pp_value *out)
{
    lua_State *L = c->L;
    int slot = key_slot(c), count = 0;
    uint32_t first = c->tree->open_count;
    bool pushed = false;
    if (lua_type(L, slot) == LUA_TNUMBER && lua_tonumber(L, slot) == 1) {
        count = take_items(c, table, old, &pushed);
        if (count < 0)
            return false;
        lua_settop(L, slot - 1);
        lua_pushinteger(L, count);
    }
    if (count == 0 || (!c->tree->full && lua_next(L, table))) { /* that was not all */
        lua_settop(L, slot - 1);
        c->tree->open_count = first;
        return take_array_slowly(c, table, out);
    }
    lua_settop(L, slot - 1);
    if (!pushed && old != NULL && (uint32_t)count == old->count) {
        *out = *old;
        return true;
    }
    if (!pushed && old != NULL)
        push_old(c, old, (uint32_t)count);
    *out = pp_tree_array(c->tree, first);
    return true;
}

/* The key at `slot`, which is not known yet; NULL with the error. It may be `old`. */
static const struct pp_value_key *take_new_key(struct camera *c, int table, int slot, const struct pp_value_key *old,
                                               struct known_key *known)
{
    lua_State *L = c->L;
    size_t len;
    if (lua_type(L, slot) != LUA_TSTRING) { /* say what is wrong with the keys */
        lua_settop(L, slot - 1);
        pp_lua_path_count_sequence(&c->path, c->depth - 1, table);
        return NULL;
    }
    const char *bytes = lua_tolstring(L, slot, &len);
    bool same = old != NULL && old->len == len && memcmp(old->bytes, bytes, len) == 0;
    const struct pp_value_key *key = same ? old : pp_tree_key(c->tree, bytes, len);
    if (key != NULL)
        *known = (struct known_key){lua_topointer(L, slot), key};
    else if (c->tree->full)
        fail_full(c);
    else
        fail_at(c, c->depth - 1, "a key of the table is not valid UTF-8");
    return key;
}

/* As take_array. */
static bool take_map(struct camera *c, int table, const struct pp_value *old, struct pp_value *out)
{
    lua_State *L = c->L;
    int slot = key_slot(c);
    uint32_t first = c->tree->open_count, old_count = old != NULL ? old->count : 0, i = 0;
    bool pushed = false;
    struct pp_value value = {.kind = PP_VALUE_NIL};
    do {
        const struct pp_value_member *before = i < old_count ? &old->members[i] : NULL;
        const void *string = lua_topointer(L, slot); /* NULL for a number's or a boolean's, which no known key has */
        struct known_key *known = &c->keys[((uintptr_t)string >> 4) % KEYS];
        const struct pp_value_key *key = known->key;
        if (known->string != string)
            key = take_new_key(c, table, slot, before != NULL ? before->key : NULL, known);
        if (key == NULL)
            return false;
        if (before != NULL && !pp_key_same(before->key, key))
            before = pp_value_look_up(old, key);
        if (!take_value(c, slot + 1, before != NULL ? &before->value : NULL, &value))
            return false;
        if (!pushed && (before == NULL || before != &old->members[i] || !is_old(&value, &before->value))) {
            pushed = true;
            push_old(c, old, i);
        }
        if (pushed)
            pp_tree_push(c->tree, key, value);
        i++;
        lua_pop(L, 1);
    } while (!c->tree->full && lua_next(L, table));
    if (!pushed && old != NULL && i == old_count) {
        *out = *old;
        return true;
    }
    if (!pushed && old != NULL)
        push_old(c, old, i);
    *out = pp_tree_map(c->tree, first);
    return true;
}

static bool take_table(struct camera *c, int table, const struct pp_value *old, struct pp_value *out)
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
        ok = take_array(c, table, old != NULL && old->kind == PP_VALUE_ARRAY ? old : NULL, out);
    else if (!has_mark(c, table))
        ok = take_map(c, table, old != NULL && old->kind == PP_VALUE_MAP ? old : NULL, out);
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

/* The value at `index`, on memory of the tree, which is not full. */
static bool take(lua_State *L, int index, const char *name, struct pp_tree *tree, const struct pp_value *old,
                 struct pp_value *out, char *error, size_t error_size)
{
    int top = lua_gettop(L);
    struct camera c = {.L = L, .tree = tree, .path = {L, name, error, error_size, top + 1, NULL}};
    c.path.indexes = c.indexes;
    if (index < 0 && index > LUA_REGISTRYINDEX)
        index += top + 1;
    if (!lua_checkstack(L, 2 * PP_DELTA_STATE_DEPTH + 8))
        return fail_at(&c, 0, "the Lua stack is full");
    c.array_mark = array_mark(L);
    if (lua_type(L, index) == LUA_TTABLE && pp_raw_is_known(L)) {
        const struct pp_raw_marks marks = {c.array_mark, pp_raw_null(L)};
        if (pp_snapshot_raw(lua_topointer(L, index), &marks, tree, old, out))
            return true;
    }
    c.keys[0].string = &c; /* not NULL, which what is no string has for an address */
    bool ok = take_value(&c, index, old, out);
    tree->open_count = 0;
    lua_settop(L, top);
    return ok;
}

bool pp_lua_snapshot(lua_State *L, int index, const char *name, struct pp_tree *tree, char *error, size_t error_size)
{
    struct pp_value root;
    pp_tree_clear(tree);
    if (take(L, index, name, tree, NULL, &root, error, error_size))
        return tree->root = root, true;
    pp_tree_clear(tree);
    return false;
}

bool pp_lua_snapshot_again(lua_State *L, int index, const char *name, struct pp_tree *tree, struct pp_value *out,
                           char *error, size_t error_size)
{
    tree->full = false;
    return take(L, index, name, tree, &tree->root, out, error, error_size);
}

bool pp_snapshot_look(struct pp_snapshot *snapshot, lua_State *L, int index, const char *name, char *error,
                      size_t error_size)
{
    struct pp_tree *tree = &snapshot->trees[snapshot->last], *fresh = &snapshot->trees[!snapshot->last];
    snapshot->afresh = tree->bytes > 2 * snapshot->first_bytes + PILE_LEAST;
    if (!snapshot->afresh) {
        if (pp_lua_snapshot_again(L, index, name, tree, &snapshot->next, error, error_size))
            return true;
        if (!tree->full) /* which it may be of old states */
            return false;
        snapshot->afresh = true;
    }
    bool good = pp_lua_snapshot(L, index, name, fresh, error, error_size);
    snapshot->next = fresh->root;
    return good;
}

void pp_snapshot_commit(struct pp_snapshot *snapshot)
{
    struct pp_tree *tree = &snapshot->trees[snapshot->last];
    snapshot->before = tree->root;
    if (snapshot->afresh) { /* the other tree is cleared when it is the next to be filled */
        snapshot->last = !snapshot->last;
        snapshot->first_bytes = snapshot->trees[snapshot->last].bytes;
        snapshot->afresh = false;
    } else {
        tree->root = snapshot->next;
    }
}

enum pp_snapshot_step pp_snapshot_step(struct pp_snapshot *snapshot, lua_State *L, int index, const char *name,
                                       struct pp_buf *out, char *error, size_t error_size)
{
    if (!pp_snapshot_look(snapshot, L, index, name, error, error_size))
        return PP_SNAPSHOT_BAD;
    bool changed = pp_delta_diff(pp_snapshot_root(snapshot), &snapshot->next, out);
    if (changed || snapshot->afresh)
        pp_snapshot_commit(snapshot);
    return changed ? PP_SNAPSHOT_CHANGED : PP_SNAPSHOT_SAME;
}

void pp_snapshot_destroy(struct pp_snapshot *snapshot)
{
    pp_tree_destroy(&snapshot->trees[0]);
    pp_tree_destroy(&snapshot->trees[1]);
}

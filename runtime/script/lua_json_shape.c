/* The slow half of what the JSON decoder learns: taking a slot, and making a shape's function. */
#include "script/lua_json_shape.h"

#include <stdio.h>

#include <lauxlib.h>
#include <luajit.h>

#include "value/json_writer.h"

/* A list of keys must be seen so often before its function is made, since compiling costs some microseconds. */
#define LEARN 16

static const char registry_key;

void pp_shapes_create(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
    lua_createtable(L, PP_SHAPES_END, 0);
    struct pp_shapes *shapes = lua_newuserdata(L, sizeof *shapes);
    memset(shapes, 0, sizeof *shapes);
    for (int i = 0; i < PP_SHAPE_TEXTS; i++)
        shapes->texts[i].string = shapes; /* no string's address, and not NULL, which a key of another type has */
    lua_rawseti(L, -2, PP_SHAPES_SELF);
    for (int i = PP_SHAPES_KEY; i < PP_SHAPES_END; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, i);
    }
    lua_pushvalue(L, -3); /* stack now: mark, registry key, table, mark */
    lua_rawseti(L, -2, PP_SHAPES_ARRAY);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
}

struct pp_shapes *pp_shapes_open(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, -1, PP_SHAPES_SELF);
    struct pp_shapes *shapes = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return shapes;
}

void pp_shapes_learn_text(struct pp_shapes *shapes, lua_State *L, int table)
{
    char text[PP_SHAPE_TEXT_LEN];
    size_t len;
    const void *address = lua_topointer(L, -1);
    const char *string = lua_tolstring(L, -1, &len);
    if (len + 4 > sizeof text || address == NULL || !pp_json_copy_plain(text + 2, string, len))
        return;
    text[0] = ',';
    text[1] = '"';
    text[len + 2] = '"';
    text[len + 3] = ':';
    /* Of its two slots the one that is taken changes, so that two keys that want the same end up side by side. */
    unsigned slot = pp_shape_text_slot(address) ^ (unsigned)(shapes->learned_texts++ & 1);
    struct pp_shape_text *place = &shapes->texts[slot];
    lua_pushvalue(L, -1);
    lua_rawseti(L, table, PP_SHAPES_TEXT + (int)slot);
    place->string = address;
    place->len = (uint8_t)(len + 4);
    memcpy(place->text, text, len + 4);
}

pp_shape_id pp_shapes_learn_key(struct pp_shapes *shapes, lua_State *L, int table, const struct pp_shape_key *key,
                                unsigned first_slot)
{
    unsigned slot = first_slot + (unsigned)(shapes->installed % PP_SHAPE_PROBES);
    for (unsigned i = 0; i < PP_SHAPE_PROBES; i++)
        if (shapes->keys[(first_slot + i) % PP_SHAPE_KEYS].id == 0) {
            slot = first_slot + i;
            break;
        }
    slot %= PP_SHAPE_KEYS;
    struct pp_shape_key *old = &shapes->keys[slot];
    if (old->id != 0 && old->credit > 0) {
        old->credit--;
        shapes->installed++; /* the next one threatens its neighbour */
        return 0;
    }
    lua_pushlstring(L, key->text,
                    key->len); /* may run finalizers, which may decode: the slot is filled in one go behind it */
    lua_rawseti(L, table, PP_SHAPES_KEY + (int)slot);
    *old = *key;
    old->id = ++shapes->installed * PP_SHAPE_KEYS + slot;
    return old->id;
}

/* Our functions only ever return to C, where a trace cannot go: the compiler need not try. Raises inside a finalizer.
 */
static int leave_uncompiled(lua_State *L)
{
    luaJIT_setmode(L, 1, LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF);
    return 0;
}

/* Pushes the function for these keys: true; or pushes nothing where one of them was evicted. */
static bool compile(const struct pp_shapes *shapes, lua_State *L, const pp_shape_id *ids, unsigned count)
{
    char code[64 + PP_SHAPE_FIELDS * (PP_SHAPE_KEY_LEN + 32)];
    size_t len = (size_t)sprintf(code, "return function(");
    for (unsigned i = 0; i < count; i++)
        len += (size_t)sprintf(code + len, "%sa%u", i > 0 ? "," : "", i);
    len += (size_t)sprintf(code + len, ") return {");
    for (unsigned i = 0; i < count; i++) {
        const struct pp_shape_key *key = pp_shapes_key(shapes, ids[i]);
        if (key->id != ids[i])
            return false;
        /* The reader has refused control characters, and a key with a backslash (so any with a quote) has no id. */
        len += (size_t)sprintf(code + len, "[\"%.*s\"]=a%u,", key->len, key->text, i);
    }
    len += (size_t)sprintf(code + len, "} end");
    if (luaL_loadbuffer(L, code, len, "=json") != 0 || lua_pcall(L, 0, 1, 0) != 0) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushcfunction(L, leave_uncompiled);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 0, 0) != 0)
        lua_pop(L, 1);
    return true;
}

static uint64_t hash_ids(const pp_shape_id *ids, unsigned count)
{
    uint64_t hash = count;
    for (unsigned i = 0; i < count; i++)
        hash = (hash ^ ids[i]) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

static bool is_shape(const struct pp_shape *shape, uint64_t hash, const pp_shape_id *ids, unsigned count)
{
    return shape->hash == hash && shape->count == count && memcmp(shape->ids, ids, count * sizeof *ids) == 0;
}

/* A list that is not known: it takes an empty slot, or that of a list whose credit is gone. */
static void learn(struct pp_shapes *shapes, uint64_t hash, const pp_shape_id *ids, unsigned count)
{
    struct pp_shape *shape = NULL;
    for (unsigned i = 0; i < PP_SHAPE_PROBES; i++) {
        shape = &shapes->shapes[(hash + i) % PP_SHAPE_SHAPES];
        if (shape->count == 0)
            break;
    }
    if (shape->count > 0 && shape->credit > 0) {
        shape->credit--;
        return;
    }
    *shape = (struct pp_shape){.hash = hash, .count = (uint8_t)count, .credit = 1};
    memcpy(shape->ids, ids, count * sizeof *ids);
}

bool pp_shapes_push_function(struct pp_shapes *shapes, lua_State *L, int table, const pp_shape_id *ids, unsigned count)
{
    uint64_t hash = hash_ids(ids, count);
    for (unsigned i = 0; i < PP_SHAPE_PROBES; i++) {
        unsigned slot = (unsigned)((hash + i) % PP_SHAPE_SHAPES);
        struct pp_shape *shape = &shapes->shapes[slot];
        if (!is_shape(shape, hash, ids, count))
            continue;
        if (shape->credit < UINT8_MAX)
            shape->credit++;
        if (shape->has_function) {
            lua_rawgeti(L, table, PP_SHAPES_FUNCTION + (int)slot);
            return true;
        }
        if (shape->credit < LEARN || !compile(shapes, L, ids, count))
            return false;
        /* Compiling may have run finalizers, which may have decoded and taken the slot. */
        if (is_shape(shape, hash, ids, count)) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, table, PP_SHAPES_FUNCTION + (int)slot);
            shape->has_function = true;
        }
        return true;
    }
    learn(shapes, hash, ids, count);
    return false;
}

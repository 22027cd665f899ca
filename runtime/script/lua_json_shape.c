/* The slow half of what JSON teaches: taking a slot, and making a shape's function. */
#include "script/lua_json_shape.h"

#include <stdio.h>

#include <lauxlib.h>
#include <luajit.h>

#include "value/json_writer.h"

/* A list of keys must be seen so often before its function is made, since compiling costs some microseconds. */
#define LEARN 16

static const char registry_key;

_Thread_local struct pp_shapes_last pp_shapes_last;

/* A reference to nothing yet. */
static int reserve(lua_State *L)
{
    lua_pushboolean(L, 0);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void pp_shapes_create(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
    struct pp_shapes *shapes = lua_newuserdata(L, sizeof *shapes);
    memset(shapes, 0, sizeof *shapes);
    lua_rawset(L, LUA_REGISTRYINDEX);
    shapes->array_mark = luaL_ref(L, LUA_REGISTRYINDEX);
    /* So many in one go stand in the registry's array part, where they are found fastest. */
    for (int i = 0; i < PP_SHAPE_SLOTS; i++) {
        shapes->slots[i].id = PP_SHAPE_NONE;
        shapes->slots[i].maker = reserve(L);
        shapes->slots[i].reader = reserve(L);
    }
    for (int i = 0; i < PP_SHAPE_TEXTS; i++) {
        shapes->texts[i].string = shapes; /* no string's address, and not NULL, which a key of another type has */
        shapes->texts[i].anchor = reserve(L);
    }
    pp_shapes_last = (struct pp_shapes_last){lua_topointer(L, LUA_REGISTRYINDEX), shapes};
}

struct pp_shapes *pp_shapes_look_up(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct pp_shapes *shapes = lua_touserdata(L, -1);
    lua_pop(L, 1);
    pp_shapes_last = (struct pp_shapes_last){lua_topointer(L, LUA_REGISTRYINDEX), shapes};
    return shapes;
}

void pp_shapes_learn_text(struct pp_shapes *shapes, lua_State *L)
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
    lua_rawseti(L, LUA_REGISTRYINDEX, place->anchor);
    place->string = address;
    place->len = (uint8_t)(len + 4);
    memcpy(place->text, text, len + 4);
}

/* The first slot of a list. Its key is at least two bytes long, for it has quotes. */
static unsigned first_slot(pp_shape_id parent, const char *key, size_t len)
{
    uint64_t head = 0, tail = 0;
    size_t size = len >= 8 ? 8 : len >= 4 ? 4 : 2;
    memcpy(&head, key, size);
    memcpy(&tail, key + len - size, size);
    uint64_t mixed = head ^ (tail << 7 | tail >> 57) ^ len ^ parent * UINT64_C(0xD6E8FEB86659FD93);
    return (unsigned)((mixed * UINT64_C(0x9E3779B97F4A7C15)) >> 54);
}

/* Takes an empty slot, or one whose credit is gone; NULL where there is none, and one has less credit. */
static struct pp_shape *take_slot(struct pp_shapes *shapes, unsigned first)
{
    for (unsigned i = 0; i < PP_SHAPE_PROBES; i++) {
        struct pp_shape *shape = &shapes->slots[(first + i) % PP_SHAPE_SLOTS];
        if (shape->id == PP_SHAPE_NONE)
            return shape;
    }
    /* The next one threatens its neighbour. */
    struct pp_shape *shape = &shapes->slots[(first + shapes->learned++ % PP_SHAPE_PROBES) % PP_SHAPE_SLOTS];
    if (shape->credit == 0)
        return shape;
    shape->credit--;
    return NULL;
}

static struct pp_shape *learn(struct pp_shapes *shapes, pp_shape_id parent, const char *key, size_t len, unsigned first)
{
    const struct pp_shape *before = pp_shapes_at(shapes, parent);
    if (parent != 0 && before->id != parent)
        return NULL; /* evicted since */
    pp_shape_id first_key = before->first;
    struct pp_shape *shape = take_slot(shapes, first);
    if (shape == NULL)
        return NULL;
    pp_shape_id id = ++shapes->learned * PP_SHAPE_SLOTS + (uint64_t)(shape - shapes->slots);
    *shape = (struct pp_shape){.id = id,
                               .parent = parent,
                               .first = parent != 0 ? first_key : id,
                               .mask = len < 7 ? (UINT64_C(1) << 8 * (len + 1)) - 1 : UINT64_MAX,
                               .maker = shape->maker,
                               .reader = shape->reader,
                               .key_len = (uint8_t)(len + 1)};
    memcpy(shape->key, key, len);
    shape->key[len] = ':';
    return shape;
}

struct pp_shape *pp_shapes_find(struct pp_shapes *shapes, pp_shape_id parent, const char *key, size_t len)
{
    if (len >= PP_SHAPE_KEY_LEN)
        return NULL;
    unsigned first = first_slot(parent, key, len);
    struct pp_shape *found = NULL;
    for (unsigned i = 0; i < PP_SHAPE_PROBES && found == NULL; i++) {
        struct pp_shape *shape = &shapes->slots[(first + i) % PP_SHAPE_SLOTS];
        if (shape->parent == parent && shape->key_len == len + 1 && memcmp(shape->key, key, len) == 0)
            found = shape;
    }
    if (found == NULL && (found = learn(shapes, parent, key, len, first)) == NULL)
        return NULL;
    found->credit |= PP_SHAPE_CREDIT;
    struct pp_shape *before = pp_shapes_at(shapes, parent);
    if (before->id == parent)
        before->next = found->id;
    return found;
}

/* Our functions only ever return to C, where a trace cannot go: the compiler need not try. Raises inside a finalizer.
 */
static int leave_uncompiled(lua_State *L)
{
    luaJIT_setmode(L, 1, LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF);
    return 0;
}

/* Pushes the function for these keys: true; or pushes nothing. */
static bool compile(lua_State *L, const char *const *keys, unsigned count)
{
    char code[64 + PP_SHAPE_FIELDS * (PP_SHAPE_KEY_LEN + 32)];
    size_t len = (size_t)sprintf(code, "return function(");
    for (unsigned i = 0; i < count; i++)
        len += (size_t)sprintf(code + len, "%sa%u", i > 0 ? "," : "", i);
    len += (size_t)sprintf(code + len, ") return {");
    for (unsigned i = 0; i < count; i++) {
        /* The reader has refused control characters, and a key with a backslash (so any with a quote) has no shape. */
        int key_len = (int)((const char *)memchr(keys[i], '"', PP_SHAPE_KEY_LEN) - keys[i]);
        len += (size_t)sprintf(code + len, "[\"%.*s\"]=a%u,", key_len, keys[i], i);
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

bool pp_shapes_push_maker(struct pp_shapes *shapes, lua_State *L, pp_shape_id id, const char *const *keys,
                          unsigned count)
{
    struct pp_shape *shape = pp_shapes_at(shapes, id);
    if (shape->id != id)
        return false;
    if (shape->has_maker) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, shape->maker);
        return true;
    }
    if (shape->uses < LEARN) {
        shape->uses++;
        return false;
    }
    if (!compile(L, keys, count))
        return false;
    /* Compiling may have run finalizers, which may have decoded and taken the slot. */
    if (shape->id == id) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, LUA_REGISTRYINDEX, shape->maker);
        shape->has_maker = true;
    }
    return true;
}

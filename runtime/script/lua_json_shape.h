/* What the JSON decoder has learned from the texts before: the strings of keys, and for each often seen list of keys a
 * Lua function that makes the table in one step, `function(a, b) return {["x"] = a, ["y"] = b} end`. It is a cache of
 * fixed size: what it doesn't hold is only slower, whatever a peer sends. */
#ifndef PP_SCRIPT_LUA_JSON_SHAPE_H
#define PP_SCRIPT_LUA_JSON_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lua.h>

#define PP_SHAPE_FIELDS 24   /* longest list of keys that is learned */
#define PP_SHAPE_KEY_LEN 32  /* longest key that is learned */
#define PP_SHAPE_KEYS 1024   /* slots for keys; an id holds ten bits for it */
#define PP_SHAPE_SHAPES 128  /* slots for shapes */
#define PP_SHAPE_PROBES 4    /* slots that a key or a shape may stand in */
#define PP_SHAPE_TEXTS 512   /* slots for the texts of keys */
#define PP_SHAPE_TEXT_LEN 39 /* longest text of a key that is learned, with its quotes, comma and colon */

/* A key that has a slot has an id: a number that is never given again, even where the key is evicted and comes back. */
typedef uint64_t pp_shape_id;

struct pp_shape_key {
    pp_shape_id id; /* count << 10 | slot; 0 for an empty slot */
    uint64_t head;  /* its first eight bytes, zeros behind it where it is shorter */
    uint64_t tail;  /* its last eight bytes; 0 where it is not longer than eight */
    uint8_t len;
    uint8_t credit; /* use since it was threatened with eviction */
    char text[PP_SHAPE_KEY_LEN];
};

struct pp_shape {
    uint64_t hash;
    uint8_t count;  /* of ids; 0 for an empty slot */
    uint8_t credit; /* as above */
    bool has_function;
    pp_shape_id ids[PP_SHAPE_FIELDS];
};

/* A key as encoding writes it. */
struct pp_shape_text {
    const void
        *string; /* the Lua string's address: the collector can't give it to another while the Lua table holds it */
    uint8_t len;
    char text[PP_SHAPE_TEXT_LEN]; /* `,"key":` */
};

struct pp_shapes {
    uint64_t installed; /* keys so far, for ids */
    uint64_t learned_texts;
    struct pp_shape_key keys[PP_SHAPE_KEYS];
    struct pp_shape shapes[PP_SHAPE_SHAPES];
    struct pp_shape_text texts[PP_SHAPE_TEXTS];
};

/* The Lua table that goes with it, which holds what the collector must know of. */
enum {
    PP_SHAPES_SELF = 1,                                    /* the userdata of struct pp_shapes */
    PP_SHAPES_ARRAY,                                       /* the array mark */
    PP_SHAPES_KEY,                                         /* strings, by key slot */
    PP_SHAPES_FUNCTION = PP_SHAPES_KEY + PP_SHAPE_KEYS,    /* functions, by shape slot */
    PP_SHAPES_TEXT = PP_SHAPES_FUNCTION + PP_SHAPE_SHAPES, /* strings, by text slot */
    PP_SHAPES_END = PP_SHAPES_TEXT + PP_SHAPE_TEXTS
};

/* Makes the table of this Lua state; the array mark is on top and popped. [-1, +0] */
void pp_shapes_create(lua_State *L);

/* Pushes the table of this Lua state. [-0, +1] */
struct pp_shapes *pp_shapes_open(lua_State *L);

/* Remembers the text of the key that stands on top of the stack, where it needs no escape. [-0, +0] */
void pp_shapes_learn_text(struct pp_shapes *shapes, lua_State *L, int table);

/* Gives `key` a slot and an id; 0 where none could be had. `table` is the stack index of the Lua table. [-0, +0] */
pp_shape_id pp_shapes_learn_key(struct pp_shapes *shapes, lua_State *L, int table, const struct pp_shape_key *key,
                                unsigned first_slot);

/* Pushes the function that makes a table of these keys out of so many arguments: true; or pushes nothing. [-0, +1 or
 * +0] */
bool pp_shapes_push_function(struct pp_shapes *shapes, lua_State *L, int table, const pp_shape_id *ids, unsigned count);

static inline const struct pp_shape_key *pp_shapes_key(const struct pp_shapes *shapes, pp_shape_id id)
{
    return &shapes->keys[id % PP_SHAPE_KEYS];
}

/* Pushes the string of the key that had this id: true; or pushes nothing where it was evicted since. */
static inline bool pp_shapes_push_key(const struct pp_shapes *shapes, lua_State *L, int table, pp_shape_id id)
{
    if (pp_shapes_key(shapes, id)->id != id)
        return false;
    lua_rawgeti(L, table, PP_SHAPES_KEY + (int)(id % PP_SHAPE_KEYS));
    return true;
}

/* The first eight bytes of a text that is followed by others up to `end`. */
static inline uint64_t pp_shape_head(const char *text, size_t len, const char *end)
{
    uint64_t word = 0;
    if (len >= 8 || end - text >= 8)
        memcpy(&word, text, 8);
    else
        for (size_t i = 0; i < len; i++)
            word |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return len >= 8 ? word : word & ((UINT64_C(1) << (8 * len)) - 1);
}

static inline bool pp_shape_key_is(const struct pp_shape_key *key, uint64_t head, uint64_t tail, const char *text,
                                   size_t len)
{
    return key->head == head && key->tail == tail && key->len == len &&
           (len <= 16 || memcmp(key->text + 8, text + 8, len - 16) == 0);
}

/* The id of a key of the text; learns it where it is new. 0 where it can't be learned: then it is a string like any
 * other. */
static inline pp_shape_id pp_shapes_find_key(struct pp_shapes *shapes, lua_State *L, int table, const char *text,
                                             size_t len, const char *end)
{
    if (len > PP_SHAPE_KEY_LEN)
        return 0;
    uint64_t head = pp_shape_head(text, len, end), tail = 0;
    if (len > 8)
        memcpy(&tail, text + len - 8, 8);
    unsigned slot = (unsigned)(((head ^ (tail << 7 | tail >> 57) ^ len) * UINT64_C(0x9E3779B97F4A7C15)) >> 54);
    for (unsigned i = 0; i < PP_SHAPE_PROBES; i++) {
        struct pp_shape_key *key = &shapes->keys[(slot + i) % PP_SHAPE_KEYS];
        if (pp_shape_key_is(key, head, tail, text, len) && key->id != 0) {
            key->credit |= 8;
            return key->id;
        }
    }
    struct pp_shape_key key = {.head = head, .tail = tail, .len = (uint8_t)len};
    memcpy(key.text, text, len);
    return pp_shapes_learn_key(shapes, L, table, &key, slot);
}

static inline unsigned pp_shape_text_slot(const void *string)
{
    return (unsigned)(((uint64_t)(uintptr_t)string * UINT64_C(0x9E3779B97F4A7C15)) >> 55);
}

/* The text of a key by its string's address (lua_topointer), or NULL. */
static inline const struct pp_shape_text *pp_shapes_find_text(const struct pp_shapes *shapes, const void *string)
{
    unsigned slot = pp_shape_text_slot(string);
    if (shapes->texts[slot].string == string)
        return &shapes->texts[slot];
    return shapes->texts[slot ^ 1].string == string ? &shapes->texts[slot ^ 1] : NULL;
}

#endif

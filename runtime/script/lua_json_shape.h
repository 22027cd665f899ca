/* What the texts and values before have taught: for each often seen list of keys a Lua function that makes the table in
 * one step, `function(a, b) return {["x"] = a, ["y"] = b} end`, and the text of keys for writing. It is a cache of
 * fixed size: what it doesn't hold is only slower, whatever a peer sends.
 *
 * Lists of keys form a tree. A shape is a list, known by its last key and by the shape of the keys before:
 *
 *     0 ── "id" ── "x" ── "y"        {"id":…,"x":…,"y":…}
 *       └─ "item" ── "count"         {"item":…,"count":…}
 *
 * Each remembers which key came next, so most keys of a text are compared with one that is expected and nothing else.
 */
#ifndef PP_SCRIPT_LUA_JSON_SHAPE_H
#define PP_SCRIPT_LUA_JSON_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lua.h>

#define PP_SHAPE_FIELDS 24   /* longest list of keys that is learned */
#define PP_SHAPE_KEY_LEN 61  /* longest key that is learned, with its quotes and a colon */
#define PP_SHAPE_SLOTS 1024  /* slots for shapes; an id holds ten bits for it */
#define PP_SHAPE_PROBES 4    /* slots that a shape may stand in */
#define PP_SHAPE_TEXTS 512   /* slots for the texts of keys */
#define PP_SHAPE_TEXT_LEN 51 /* longest text of a key that is learned, with its quotes, comma and colon */

/* A number that is never given again, even where the shape is evicted and comes back. 0 is the empty list. */
typedef uint64_t pp_shape_id;

struct pp_shape {
    pp_shape_id id;     /* count << 10 | slot; PP_SHAPE_NONE for an empty slot */
    pp_shape_id parent; /* the list without the last key */
    pp_shape_id first;  /* the list of the first key alone */
    pp_shape_id next;   /* the list with one key more that was met last; 0 before */
    pp_shape_id inner;  /* the shape of the object that was met last as this key's value, or in an array there */
    uint64_t mask;      /* of the first eight bytes of `key` those that are part of it */
    int maker;          /* the slot's reference in the registry */
    int reader;         /* another, for lua_flat.h, as are the next and the last three */
    uint32_t kinds;     /* what the reader reads */
    bool has_maker;     /* the reference is that of this shape */
    bool has_reader;
    uint8_t uses;   /* objects of this shape, until it has its maker */
    uint8_t credit; /* use since it was threatened with eviction */
    uint8_t key_len;
    uint8_t rest, skip;
    char key[PP_SHAPE_KEY_LEN]; /* the last key as a text has it, with its quotes and a colon */
};

_Static_assert(sizeof(struct pp_shape) == 128, "a slot is found by a shift, and its fields lie in one cache line");

#define PP_SHAPE_NONE 1
#define PP_SHAPE_CREDIT 8

/* A key as encoding writes it. */
struct pp_shape_text {
    const void *string; /* the Lua string's address: no other can have it while the registry holds it */
    int anchor;         /* the slot's reference in the registry */
    uint8_t len;
    char text[PP_SHAPE_TEXT_LEN]; /* `,"key":` */
};

struct pp_shapes {
    uint64_t learned; /* shapes so far, for ids */
    uint64_t learned_texts;
    int array_mark;        /* reference to the array mark in the registry */
    pp_shape_id outermost; /* the shape of the object that was met last as a whole text, or in an array there */
    struct pp_shape slots[PP_SHAPE_SLOTS];
    struct pp_shape_text texts[PP_SHAPE_TEXTS];
};

/* Makes what belongs to this Lua state; the array mark is on top and popped. [-1, +0] */
void pp_shapes_create(lua_State *L);

/* The state that was used last on this thread, by the address of its registry. Another state may come to have that
 * address, but only after this one was closed, and then pp_shapes_create has written this anew. */
struct pp_shapes_last {
    const void *registry;
    struct pp_shapes *shapes;
};
extern _Thread_local struct pp_shapes_last pp_shapes_last;

/* What belongs to this Lua state, where it is not the last one. */
struct pp_shapes *pp_shapes_look_up(lua_State *L);

/* What belongs to this Lua state, which lives on one thread. [-0, +0] */
static inline struct pp_shapes *pp_shapes_open(lua_State *L)
{
    if (lua_topointer(L, LUA_REGISTRYINDEX) == pp_shapes_last.registry)
        return pp_shapes_last.shapes;
    return pp_shapes_look_up(L);
}

/* The list `parent` with one key more, which stands in the text at `key` with its quotes and without escapes; learns it
 * where it is new. NULL where it can't be learned. */
struct pp_shape *pp_shapes_find(struct pp_shapes *shapes, pp_shape_id parent, const char *key, size_t len);

/* Pushes the function that makes a table of the shape's keys out of so many arguments: true; or pushes nothing. `keys`
 * is where they stand in the text, behind their quotes. [-0, +1 or +0] */
bool pp_shapes_push_maker(struct pp_shapes *shapes, lua_State *L, pp_shape_id id, const char *const *keys,
                          unsigned count);

/* Remembers the text of the key that stands on top of the stack, where it needs no escape. [-0, +0] */
void pp_shapes_learn_text(struct pp_shapes *shapes, lua_State *L);

/* The slot of a shape; it is that shape's where the id is the same. */
static inline struct pp_shape *pp_shapes_at(struct pp_shapes *shapes, pp_shape_id id)
{
    return &shapes->slots[id % PP_SHAPE_SLOTS];
}

/* Whether the text goes on with the shape's last key and a colon. */
static inline bool pp_shape_is_next(const struct pp_shape *shape, const char *at, const char *end)
{
    uint64_t expected, found;
    size_t left = (size_t)(end - at);
    if (left < sizeof found)
        return false; /* or perhaps, but it isn't worth a look */
    memcpy(&expected, shape->key, sizeof expected);
    memcpy(&found, at, sizeof found);
    return ((expected ^ found) & shape->mask) == 0 &&
           (shape->key_len <= 8 ||
            (shape->key_len <= left && memcmp(at + 8, shape->key + 8, shape->key_len - 8U) == 0));
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

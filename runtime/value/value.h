/* A document as a tree: nil, booleans, numbers, strings, arrays and maps, in one arena that is freed at once. It never
 * changes once it is built, so trees may share their parts.
 *
 *     struct pp_tree tree = {0};
 *     if (!pp_tree_parse(&tree, text, len, error, sizeof error)) …
 *     const struct pp_value_member *x = pp_value_get(&tree.root, "x", 1);
 *     pp_tree_clear(&tree);   and build the next one in the same memory
 *     pp_tree_destroy(&tree);
 *
 * Always so: strings and keys are UTF-8, numbers finite, the keys of a map different from each other, and a value's
 * depth is right. Strings and keys lie at multiples of 8 bytes, filled up with zeros, so they compare by words. */
#ifndef PP_VALUE_VALUE_H
#define PP_VALUE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct pp_buf;

/* A tree takes at most so many bytes of memory, unless its user says otherwise (less than 4 GiB); this is some 4 MB of
 * JSON. */
#define PP_TREE_MAX_BYTES ((size_t)8 << 20)

enum pp_value_kind {
    PP_VALUE_NIL,
    PP_VALUE_BOOL,
    PP_VALUE_NUMBER,
    PP_VALUE_STRING,
    PP_VALUE_ARRAY,
    PP_VALUE_MAP,
};

struct pp_value {
    union {
        bool boolean;
        double number;
        const char *string;                    /* `count` bytes */
        const struct pp_value *items;          /* `count` of them */
        const struct pp_value_member *members; /* `count` of them, in the order in which they came */
    };
    uint32_t count;
    uint8_t kind;  /* enum pp_value_kind */
    uint8_t depth; /* levels of arrays and maps, its own too; 0 for all else */
};

struct pp_value_key {
    uint32_t hash; /* keyed at random in each process */
    uint32_t len;
    char bytes[];
};

struct pp_value_member {
    const struct pp_value_key *key;
    struct pp_value value;
};

#define PP_TREE_KEYS 256 /* a power of two */

/* Zero-initialised it is empty: its root is nil. */
struct pp_tree {
    struct pp_value root;
    struct pp_arena arena;
    size_t max_bytes; /* 0: PP_TREE_MAX_BYTES */
    size_t bytes;     /* in use, at most max_bytes while `full` is false */
    bool full;        /* something did not fit: what is being built is to be given up */
    /* While it is built: the values of the open levels, and keys that were met. */
    struct pp_value_member *open;
    uint32_t open_count, open_cap;
    const struct pp_value_key *keys[PP_TREE_KEYS];
};

/* The tree is empty and keeps its memory. */
void pp_tree_clear(struct pp_tree *tree);

void pp_tree_destroy(struct pp_tree *tree);

/* Replaces the tree by the value of a JSON text: true; or leaves it empty and writes the reason into `error`. Of keys
 * that stand twice in an object the last one counts. */
bool pp_tree_parse(struct pp_tree *tree, const char *text, size_t len, char *error, size_t error_size);

/* Replaces the tree by a copy of the value, which may be of another tree; however large it is. */
void pp_tree_copy(struct pp_tree *tree, const struct pp_value *value);

/* Appends the value as JSON. */
void pp_value_write(const struct pp_value *value, struct pp_buf *out);

/* Whether the JSON of the value is certainly longer than `len` bytes; false where that would take long to find out.
 * It looks at no more values than bytes. */
bool pp_value_is_longer(const struct pp_value *value, size_t len);

/* The same value; the order of a map's members does not matter. */
bool pp_value_equal(const struct pp_value *a, const struct pp_value *b);

/* Equal values have the same; keyed at random in each process. */
uint64_t pp_value_hash(const struct pp_value *value);

/* The member of a map with that key, or NULL; for maps of a few members, since it looks at each. */
const struct pp_value_member *pp_value_get(const struct pp_value *map, const char *key, size_t len);

/* --- building --- */

/* Copies a string into the tree. It is nil where the bytes are not UTF-8, or the tree is full. */
struct pp_value pp_tree_string(struct pp_tree *tree, const char *bytes, size_t len);

/* Copies a key into the tree, once for all that are the same and near each other; likewise NULL. */
const struct pp_value_key *pp_tree_key(struct pp_tree *tree, const char *bytes, size_t len);

/* A place for one more value of the innermost open level; its key only matters in a map. */
struct pp_value_member *pp_tree_grow(struct pp_tree *tree);

static inline void pp_tree_push(struct pp_tree *tree, const struct pp_value_key *key, struct pp_value value)
{
    struct pp_value_member *place =
        tree->open_count < tree->open_cap ? &tree->open[tree->open_count++] : pp_tree_grow(tree);
    place->key = key;
    place->value = value;
}

/* Closes a level: what was pushed since open_count was `first` becomes an array or a map. Where the tree is full the
 * value is nil. The keys of a map are different from each other. */
struct pp_value pp_tree_array(struct pp_tree *tree, uint32_t first);
struct pp_value pp_tree_map(struct pp_tree *tree, uint32_t first);

/* The same for keys that may be the same: the last value of each counts. */
struct pp_value pp_tree_map_of_last(struct pp_tree *tree, uint32_t first);

/* --- looking --- */

/* Whether two strings of `len` bytes, as trees hold them, are the same. */
static inline bool pp_value_same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t x, y;
    for (size_t i = 0; i < len; i += sizeof x) {
        __builtin_memcpy(&x, a + i, sizeof x);
        __builtin_memcpy(&y, b + i, sizeof y);
        if (x != y)
            return false;
    }
    return true;
}

static inline bool pp_key_same(const struct pp_value_key *a, const struct pp_value_key *b)
{
    return a == b || (a->hash == b->hash && a->len == b->len && pp_value_same_bytes(a->bytes, b->bytes, a->len));
}

/* pp_value_equal for two values of which neither is an array nor a map; false where one is. */
static inline bool pp_value_same_scalar(const struct pp_value *a, const struct pp_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == PP_VALUE_NUMBER)
        return a->number == b->number;
    if (a->kind == PP_VALUE_STRING)
        return a->count == b->count && pp_value_same_bytes(a->string, b->string, a->count);
    return a->kind == PP_VALUE_NIL || (a->kind == PP_VALUE_BOOL && a->boolean == b->boolean);
}

const struct pp_value_member *pp_value_look_up(const struct pp_value *map, const struct pp_value_key *key);

/* The member of a map with that key, or NULL; `place` is where it probably is, found without a search then. */
static inline const struct pp_value_member *pp_value_find(const struct pp_value *map, const struct pp_value_key *key,
                                                          uint32_t place)
{
    if (place < map->count && pp_key_same(map->members[place].key, key))
        return &map->members[place];
    return pp_value_look_up(map, key);
}

#endif

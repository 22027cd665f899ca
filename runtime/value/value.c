/* Building trees, looking into them and comparing them. A map of more than FEW members has an index behind its members:
 * a table of their numbers with open addressing, twice as large at least as there are members. */
#include "value/value.h"

#include "base/map.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define FEW 16
#define EMPTY UINT32_MAX

void pp_tree_clear(struct pp_tree *tree)
{
    pp_arena_clear(&tree->arena);
    tree->root = (struct pp_value){.kind = PP_VALUE_NIL};
    tree->bytes = 0;
    tree->full = false;
    tree->open_count = 0;
    memset(tree->keys, 0, sizeof tree->keys);
}

void pp_tree_destroy(struct pp_tree *tree)
{
    pp_arena_destroy(&tree->arena);
    free(tree->open);
    *tree = (struct pp_tree){.max_bytes = tree->max_bytes};
}

static size_t most(const struct pp_tree *tree)
{
    return tree->max_bytes != 0 ? tree->max_bytes : PP_TREE_MAX_BYTES;
}

/* NULL where the tree would become too large. */
static void *take(struct pp_tree *tree, size_t size)
{
    static uint64_t nothing; /* has an address, which NULL would not be */
    size_t max = most(tree);
    if (size == 0)
        return &nothing;
    if (size > max - tree->bytes) {
        tree->full = true;
        return NULL;
    }
    tree->bytes += size;
    return pp_arena_take(&tree->arena, size);
}

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

/* The bytes of a string shorter than 8, with zeros behind them. */
static uint64_t load_short(const char *bytes, size_t len)
{
    uint32_t head, tail;
    const unsigned char *b = (const unsigned char *)bytes;
    if (len == 0)
        return 0;
    if (len < 4)
        return b[0] | (uint64_t)b[len / 2] << (len / 2 * 8) | (uint64_t)b[len - 1] << ((len - 1) * 8);
    memcpy(&head, bytes, 4);
    memcpy(&tail, bytes + len - 4, 4);
    return head | (uint64_t)tail << ((len - 4) * 8);
}

/* Copies the bytes and fills up with zeros: whether they are UTF-8. */
static bool copy_padded(char *to, const char *bytes, size_t len)
{
    uint64_t word, high = 0, last = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, bytes + i, 8);
        memcpy(to + i, &word, 8);
        high |= word;
    }
    if (i < len) {
        last = load_short(bytes + i, len - i);
        memcpy(to + i, &last, 8);
    }
    return ((high | last) & UINT64_C(0x8080808080808080)) == 0 || pp_utf8_valid(bytes, len);
}

struct pp_value pp_tree_string(struct pp_tree *tree, const char *bytes, size_t len)
{
    char *copy = take(tree, padded(len));
    if (copy == NULL || !copy_padded(copy, bytes, len))
        return (struct pp_value){.kind = PP_VALUE_NIL};
    return (struct pp_value){.string = copy, .count = (uint32_t)len, .kind = PP_VALUE_STRING};
}

const struct pp_value_key *pp_tree_key(struct pp_tree *tree, const char *bytes, size_t len)
{
    uint32_t hash = (uint32_t)pp_hash(bytes, len);
    const struct pp_value_key **met = &tree->keys[hash % PP_TREE_KEYS];
    if (*met != NULL && (*met)->hash == hash && (*met)->len == len && memcmp((*met)->bytes, bytes, len) == 0)
        return *met;
    struct pp_value_key *key = take(tree, sizeof *key + padded(len));
    if (key == NULL || !copy_padded(key->bytes, bytes, len))
        return NULL;
    key->hash = hash;
    key->len = (uint32_t)len;
    return *met = key;
}

struct pp_value_member *pp_tree_grow(struct pp_tree *tree)
{
    if (tree->open_count == tree->open_cap) {
        tree->open_cap = tree->open_cap != 0 ? tree->open_cap * 2 : 256;
        tree->open = pp_realloc(tree->open, tree->open_cap * sizeof *tree->open);
    }
    /* What is open counts before it is closed, so that a list without end is noticed. */
    if (tree->open_count >= most(tree) / sizeof(struct pp_value))
        tree->full = true;
    return &tree->open[tree->open_count++];
}

struct pp_value pp_tree_array(struct pp_tree *tree, uint32_t first)
{
    uint32_t count = tree->open_count - first;
    const struct pp_value_member *open = count > 0 ? tree->open + first : NULL; /* there may be none yet */
    uint8_t deepest = 0;
    tree->open_count = first;
    struct pp_value *items = take(tree, count * sizeof *items);
    if (items == NULL)
        return (struct pp_value){.kind = PP_VALUE_NIL};
    for (uint32_t i = 0; i < count; i++) {
        items[i] = open[i].value;
        deepest = open[i].value.depth > deepest ? open[i].value.depth : deepest;
    }
    return (struct pp_value){.items = items, .count = count, .kind = PP_VALUE_ARRAY, .depth = (uint8_t)(deepest + 1)};
}

/* The mask of the index of a map with so many members. */
static uint32_t index_mask(uint32_t count)
{
    return (UINT32_C(4) << (31 - __builtin_clz(count))) - 1;
}

/* Where in the index the key stands, or the empty place for it. */
static uint32_t *index_place(const struct pp_value_member *members, uint32_t *index, uint32_t mask,
                             const struct pp_value_key *key)
{
    for (uint32_t at = key->hash & mask;; at = (at + 1) & mask)
        if (index[at] == EMPTY || pp_key_same(members[index[at]].key, key))
            return &index[at];
}

static void make_index(struct pp_value_member *members, uint32_t count)
{
    uint32_t mask = index_mask(count), *index = (uint32_t *)(void *)(members + count);
    memset(index, 0xFF, (mask + 1) * sizeof *index);
    for (uint32_t i = 0; i < count; i++)
        *index_place(members, index, mask, members[i].key) = i;
}

struct pp_value pp_tree_map(struct pp_tree *tree, uint32_t first)
{
    uint32_t count = tree->open_count - first;
    const struct pp_value_member *open = count > 0 ? tree->open + first : NULL;
    uint8_t deepest = 0;
    tree->open_count = first;
    size_t index = count > FEW ? (index_mask(count) + 1) * sizeof(uint32_t) : 0;
    struct pp_value_member *members = take(tree, count * sizeof *members + index);
    if (members == NULL)
        return (struct pp_value){.kind = PP_VALUE_NIL};
    for (uint32_t i = 0; i < count; i++) {
        members[i] = open[i];
        deepest = open[i].value.depth > deepest ? open[i].value.depth : deepest;
    }
    if (count > FEW)
        make_index(members, count);
    return (struct pp_value){.members = members, .count = count, .kind = PP_VALUE_MAP, .depth = (uint8_t)(deepest + 1)};
}

/* Moves the last value of each key to where the key came first; returns how many keys there are. */
static uint32_t keep_last(struct pp_value_member *open, uint32_t count)
{
    uint32_t mask = index_mask(count), kept = 0;
    uint32_t *index = pp_malloc((mask + (size_t)1) * sizeof *index);
    memset(index, 0xFF, (mask + (size_t)1) * sizeof *index);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *place = index_place(open, index, mask, open[i].key);
        if (*place == EMPTY)
            *place = kept++;
        open[*place] = open[i];
    }
    free(index);
    return kept;
}

struct pp_value pp_tree_map_of_last(struct pp_tree *tree, uint32_t first)
{
    uint32_t count = tree->open_count - first;
    if (count > 1 && !tree->full)
        tree->open_count = first + keep_last(tree->open + first, count);
    return pp_tree_map(tree, first);
}

const struct pp_value_member *pp_value_look_up(const struct pp_value *map, const struct pp_value_key *key)
{
    const struct pp_value_member *members = map->members;
    if (map->count > FEW) {
        uint32_t *index = (uint32_t *)(uintptr_t)(members + map->count);
        uint32_t found = *index_place(members, index, index_mask(map->count), key);
        return found != EMPTY ? &members[found] : NULL;
    }
    for (uint32_t i = 0; i < map->count; i++)
        if (pp_key_same(members[i].key, key))
            return &members[i];
    return NULL;
}

const struct pp_value_member *pp_value_get(const struct pp_value *map, const char *key, size_t len)
{
    if (map->kind != PP_VALUE_MAP)
        return NULL;
    const struct pp_value_member *members = map->members;
    for (uint32_t i = 0; i < map->count; i++)
        if (members[i].key->len == len && memcmp(members[i].key->bytes, key, len) == 0)
            return &members[i];
    return NULL;
}

static bool same_maps(const struct pp_value *a, const struct pp_value *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct pp_value_member *other = pp_value_find(b, a->members[i].key, i);
        if (other == NULL || !pp_value_equal(&a->members[i].value, &other->value))
            return false;
    }
    return true;
}

static bool same_arrays(const struct pp_value *a, const struct pp_value *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (!pp_value_equal(&a->items[i], &b->items[i]))
            return false;
    return true;
}

bool pp_value_equal(const struct pp_value *a, const struct pp_value *b)
{
    if (a->kind < PP_VALUE_ARRAY)
        return pp_value_same_scalar(a, b);
    if (a->kind != b->kind || a->count != b->count || a->depth != b->depth)
        return false;
    if (a->kind == PP_VALUE_MAP)
        return a->members == b->members || same_maps(a, b);
    return a->items == b->items || same_arrays(a, b);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a * UINT64_C(0xD6E8FEB86659FD93) + b + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return a ^ a >> 29;
}

uint64_t pp_value_hash(const struct pp_value *value)
{
    uint64_t hash = value->kind, sum = 0;
    double number;
    switch (value->kind) {
    case PP_VALUE_BOOL:
        return mix(hash, value->boolean);
    case PP_VALUE_NUMBER:
        number = value->number + 0.0; /* -0 is 0 */
        memcpy(&sum, &number, sizeof sum);
        return mix(hash, sum);
    case PP_VALUE_STRING:
        return mix(hash, pp_hash(value->string, value->count));
    case PP_VALUE_ARRAY:
        for (uint32_t i = 0; i < value->count; i++)
            hash = mix(hash, pp_value_hash(&value->items[i])) + i;
        return hash;
    case PP_VALUE_MAP: /* in any order */
        for (uint32_t i = 0; i < value->count; i++)
            sum += mix(value->members[i].key->hash, pp_value_hash(&value->members[i].value));
        return mix(hash, sum);
    default:
        return hash;
    }
}

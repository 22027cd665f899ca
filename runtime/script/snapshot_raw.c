/* Lua tables to trees, read in memory: what script/snapshot.c does for all that is good and common, and nothing else.
 * Whatever is not that is UNSURE, for the whole state: the slow way decides about it and finds the words. */
#include "script/snapshot_raw.h"

#include <math.h>

#include "delta/delta.h"
#include "script/lua_raw.h"
#include "value/value.h"

#define KEYS 256      /* a power of two */
#define MAX_SEARCH 63 /* nodes among which elements of an array are looked for, less one */

/* What a value is, beside the one that was in its place before. */
enum found {
    SAME,   /* the old one; nothing is written */
    OTHER,  /* written */
    UNSURE, /* to be given up */
};

static const struct pp_value none = {.kind = UINT8_MAX}; /* where there was no value; it is like no other */

/* Keys by the address of their Lua string, which no other string has as long as nothing runs. */
struct known_key {
    const struct pp_raw_string *string;
    const struct pp_value_key *key;
};

struct camera {
    struct pp_tree *tree;
    const struct pp_raw_marks *marks;
    unsigned depth; /* open tables */
    struct known_key keys[KEYS];
};

static enum found take_table(struct camera *c, const struct pp_raw_table *table, const struct pp_value *old,
                             struct pp_value *out);

/* Whether a string as trees hold it has these bytes, as many. */
static inline bool same_string(const char *held, const char *bytes, size_t len)
{
    uint64_t x, y;
    if (len < 8)
        return memcmp(held, bytes, len) == 0;
    for (size_t i = 0; i + 8 < len; i += 8) {
        memcpy(&x, held + i, 8);
        memcpy(&y, bytes + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, held + len - 8, 8);
    memcpy(&y, bytes + len - 8, 8);
    return x == y;
}

static inline enum found take_number(double number, const struct pp_value *old, struct pp_value *out)
{
    if (old->kind == PP_VALUE_NUMBER && old->number == number)
        return SAME;
    *out = (struct pp_value){.number = number, .kind = PP_VALUE_NUMBER};
    return isfinite(number) ? OTHER : UNSURE;
}

static inline enum found take_string(struct camera *c, const struct pp_raw_string *string, const struct pp_value *old,
                                     struct pp_value *out)
{
    if (old->kind == PP_VALUE_STRING && old->count == string->len &&
        same_string(old->string, string->bytes, string->len))
        return SAME;
    *out = pp_tree_string(c->tree, string->bytes, string->len);
    return out->kind == PP_VALUE_STRING ? OTHER : UNSURE;
}

static inline enum found take_plain(struct pp_value value, const struct pp_value *old, struct pp_value *out)
{
    if (old->kind == value.kind && (value.kind == PP_VALUE_NIL || old->boolean == value.boolean))
        return SAME;
    *out = value;
    return OTHER;
}

static inline enum found take_value(struct camera *c, pp_raw_value raw, const struct pp_value *old,
                                    struct pp_value *out)
{
    if (pp_raw_is_number(raw))
        return take_number(pp_raw_number(raw), old, out);
    switch (pp_raw_kind(raw)) {
    case PP_RAW_STRING:
        return take_string(c, pp_raw_pointer(raw), old, out);
    case PP_RAW_TABLE:
        return take_table(c, pp_raw_pointer(raw), old, out);
    case PP_RAW_TRUE:
    case PP_RAW_FALSE:
        return take_plain((struct pp_value){.boolean = pp_raw_kind(raw) == PP_RAW_TRUE, .kind = PP_VALUE_BOOL}, old,
                          out);
    case PP_RAW_LIGHTUSERDATA:
        return raw == c->marks->null ? take_plain((struct pp_value){.kind = PP_VALUE_NIL}, old, out) : UNSURE;
    default:
        return UNSURE;
    }
}

static bool are_all_none(const pp_raw_value *items, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (items[i] != PP_RAW_NONE)
            return false;
    return true;
}

static uint32_t count_members(const struct pp_raw_table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i <= table->nodes_mask; i++)
        count += table->nodes[i].value != PP_RAW_NONE;
    return count;
}

static pp_raw_value first_key(const struct pp_raw_table *table)
{
    for (uint32_t i = 0; i <= table->nodes_mask; i++)
        if (table->nodes[i].value != PP_RAW_NONE)
            return table->nodes[i].key;
    return PP_RAW_NONE;
}

/* The element of that index, from 1, or PP_RAW_NONE. A few may be among the nodes, where it was not filled in order. */
static inline pp_raw_value item_at(const struct pp_raw_table *table, uint32_t index)
{
    if (index < table->items_size)
        return table->items[index];
    if (table->nodes_mask > MAX_SEARCH)
        return PP_RAW_NONE;
    for (uint32_t i = 0; i <= table->nodes_mask; i++)
        if (pp_raw_is_number(table->nodes[i].key) && pp_raw_number(table->nodes[i].key) == index)
            return table->nodes[i].value;
    return PP_RAW_NONE;
}

/* Whether the elements 1 to `count` are all that there is in the table. */
static bool is_all(const struct pp_raw_table *table, uint32_t count)
{
    uint32_t size = table->items_size;
    if (size == 0)
        return count_members(table) == count;
    return table->items[0] == PP_RAW_NONE && are_all_none(table->items, count + 1, size) &&
           count_members(table) == (count >= size ? count - size + 1 : 0);
}

/* Pushes the first elements of the old array, or members of the old map, which turn out to be of the new one too. */
static void push_old(struct pp_tree *tree, const struct pp_value *old, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (old->kind == PP_VALUE_MAP)
            pp_tree_push(tree, old->members[i].key, old->members[i].value);
        else
            pp_tree_push(tree, NULL, old->items[i]);
}

/* `old` is an array, or none. */
static enum found take_array(struct camera *c, const struct pp_raw_table *table, const struct pp_value *old,
                             struct pp_value *out)
{
    struct pp_tree *tree = c->tree;
    uint32_t first = tree->open_count, i = 0;
    bool pushed = false;
    for (pp_raw_value raw; (raw = item_at(table, i + 1)) != PP_RAW_NONE && !tree->full; i++) {
        const struct pp_value *before = i < old->count ? &old->items[i] : &none;
        struct pp_value value = *before;
        enum found found = take_value(c, raw, before, &value);
        if (found == UNSURE)
            return UNSURE;
        if (found == OTHER && !pushed) {
            pushed = true;
            push_old(tree, old, i);
        }
        if (pushed)
            pp_tree_push(tree, NULL, value);
    }
    if (!is_all(table, i))
        return UNSURE;
    if (!pushed && i == old->count)
        return SAME;
    if (!pushed) /* it has lost its end */
        push_old(tree, old, i);
    *out = pp_tree_array(tree, first);
    return tree->full ? UNSURE : OTHER;
}

/* The key; NULL where it can't be one. It may be `old`, that of the member at its place. */
static inline const struct pp_value_key *take_key(struct camera *c, pp_raw_value raw, const struct pp_value_key *old)
{
    const struct pp_raw_string *string = pp_raw_pointer(raw);
    if (pp_raw_kind(raw) != PP_RAW_STRING)
        return NULL;
    struct known_key *known = &c->keys[((uintptr_t)string >> 4) % KEYS];
    if (known->string == string)
        return known->key;
    const struct pp_value_key *key = old;
    if (key == NULL || key->len != string->len || !same_string(key->bytes, string->bytes, key->len))
        key = pp_tree_key(c->tree, string->bytes, string->len);
    *known = (struct known_key){key != NULL ? string : NULL, key};
    return key;
}

/* `old` is a map, or none. */
static enum found take_map(struct camera *c, const struct pp_raw_table *table, const struct pp_value *old,
                           struct pp_value *out)
{
    static const struct pp_value_member no_member = {.value = {.kind = UINT8_MAX}};
    struct pp_tree *tree = c->tree;
    uint32_t first = tree->open_count, i = 0;
    bool pushed = false;
    for (uint32_t at = 0; at <= table->nodes_mask && !tree->full; at++) {
        const struct pp_raw_node *node = &table->nodes[at];
        const struct pp_value_member *place = i < old->count ? &old->members[i] : &no_member, *before = place;
        if (node->value == PP_RAW_NONE)
            continue;
        const struct pp_value_key *key = take_key(c, node->key, place->key);
        if (key == NULL)
            return UNSURE;
        if (place == &no_member || !pp_key_same(place->key, key))
            before = old->count > 0 ? pp_value_look_up(old, key) : NULL;
        struct pp_value value = before != NULL ? before->value : none;
        enum found found = take_value(c, node->value, before != NULL ? &before->value : &none, &value);
        if (found == UNSURE)
            return UNSURE;
        if (!pushed && (found == OTHER || before != place)) {
            pushed = true;
            push_old(tree, old, i);
        }
        if (pushed)
            pp_tree_push(tree, key, value);
        i++;
    }
    if (!pushed && i == old->count)
        return SAME;
    if (!pushed)
        push_old(tree, old, i);
    *out = pp_tree_map(tree, first);
    return tree->full ? UNSURE : OTHER;
}

/* One without elements is an array where it is marked as such, else a map. */
static enum found take_empty(const struct camera *c, const struct pp_raw_table *table, const struct pp_value *old,
                             struct pp_value *out)
{
    *out = (struct pp_value){.kind = table->metatable == c->marks->array ? PP_VALUE_ARRAY : PP_VALUE_MAP, .depth = 1};
    return old->kind == out->kind && old->count == 0 ? SAME : OTHER;
}

static enum found take_table(struct camera *c, const struct pp_raw_table *table, const struct pp_value *old,
                             struct pp_value *out)
{
    enum found found = UNSURE;
    bool listed = table->items_size > 1 && table->items[1] != PP_RAW_NONE;
    pp_raw_value key = listed ? PP_RAW_NONE : first_key(table);
    if (c->depth == PP_DELTA_STATE_DEPTH || (!listed && !are_all_none(table->items, 0, table->items_size)))
        return UNSURE;
    c->depth++;
    if (listed || pp_raw_is_number(key))
        found = take_array(c, table, old->kind == PP_VALUE_ARRAY ? old : &none, out);
    else if (key == PP_RAW_NONE)
        found = take_empty(c, table, old, out);
    else if (table->metatable != c->marks->array)
        found = take_map(c, table, old->kind == PP_VALUE_MAP ? old : &none, out);
    c->depth--;
    return found;
}

bool pp_snapshot_raw(const void *table, const struct pp_raw_marks *marks, struct pp_tree *tree,
                     const struct pp_value *old, struct pp_value *out)
{
    struct camera c = {.tree = tree, .marks = marks};
    size_t bytes = tree->bytes;
    *out = old != NULL ? *old : none;
    enum found found = take_table(&c, table, old != NULL ? old : &none, out);
    tree->open_count = 0;
    if (found == UNSURE) {
        tree->bytes = bytes;
        tree->full = false;
        return false;
    }
    return true;
}

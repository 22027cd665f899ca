/* Applying a delta that may come from anybody. The result is built on the tree's open values; what is old or literal is
 * copied as a value of 16 bytes and shares all below it. */
#include "delta/delta_internal.h"

#include <math.h>

struct patcher {
    struct pp_tree *into;
    const char *error;
};

static const struct pp_value nil = {.kind = PP_VALUE_NIL};

static struct pp_value merge(struct patcher *p, const struct pp_value *before, const struct pp_value *delta);

static struct pp_value fail(struct patcher *p, const char *error)
{
    if (p->error == NULL)
        p->error = error;
    return nil;
}

/* The only member of a map that has a reserved key; NULL where it has none. */
static const struct pp_value_member *mark_of(struct patcher *p, const struct pp_value *delta)
{
    for (uint32_t i = 0; i < delta->count; i++)
        if (pp_delta_is_reserved(delta->members[i].key)) {
            if (delta->count != 1)
                fail(p, "a delta has a reserved key beside others");
            return &delta->members[i];
        }
    return NULL;
}

static bool is(const struct pp_value_member *member, const char *name)
{
    return member->key->len == strlen(name) && memcmp(member->key->bytes, name, member->key->len) == 0;
}

static bool is_deletion(const struct pp_value *delta)
{
    return delta->kind == PP_VALUE_MAP && delta->count == 1 && is(delta->members, PP_DELTA_DELETED) &&
           delta->members->value.kind == PP_VALUE_BOOL && delta->members->value.boolean;
}

/* Removes from the open members since `first` those that were deleted. */
static void drop_deleted(struct pp_tree *into, uint32_t first)
{
    uint32_t kept = first;
    for (uint32_t i = first; i < into->open_count; i++)
        if (into->open[i].key != NULL)
            into->open[kept++] = into->open[i];
    into->open_count = kept;
}

static struct pp_value merge_map(struct patcher *p, const struct pp_value *before, const struct pp_value *delta)
{
    struct pp_tree *into = p->into;
    uint32_t first = into->open_count, count = before->kind == PP_VALUE_MAP ? before->count : 0, expected = 0;
    for (uint32_t i = 0; i < count; i++)
        pp_tree_push(into, before->members[i].key, before->members[i].value);
    for (uint32_t i = 0; i < delta->count && p->error == NULL; i++) {
        const struct pp_value_member *change = &delta->members[i];
        const struct pp_value_member *old = count > 0 ? pp_value_find(before, change->key, expected) : NULL;
        uint32_t place = old != NULL ? (uint32_t)(old - before->members) : 0;
        expected = old != NULL ? place + 1 : expected;
        if (is_deletion(&change->value)) {
            if (old != NULL)
                into->open[first + place].key = NULL;
            continue;
        }
        struct pp_value value = merge(p, old != NULL ? &old->value : &nil, &change->value);
        if (old != NULL)
            into->open[first + place].value = value;
        else
            pp_tree_push(into, change->key, value);
    }
    drop_deleted(into, first);
    return pp_tree_map(into, first);
}

/* --- arrays: the elements are open values since `first` --- */

/* A number of an operation, an integer up to `max`. */
static bool number_in(struct patcher *p, const struct pp_value *op, const char *name, uint32_t max, uint32_t *out)
{
    const struct pp_value_member *member = pp_value_get(op, name, strlen(name));
    if (member == NULL || member->value.kind != PP_VALUE_NUMBER)
        fail(p, "an array operation lacks a number");
    else if (!(member->value.number >= 0 && member->value.number <= max) ||
             member->value.number != floor(member->value.number))
        fail(p, "an array operation points outside of the array");
    else
        *out = (uint32_t)member->value.number;
    return p->error == NULL;
}

static void apply_set(struct patcher *p, const struct pp_value *op, uint32_t first)
{
    uint32_t index = 0, count = p->into->open_count - first;
    const struct pp_value_member *value = pp_value_get(op, "value", 5);
    if (count == 0 || value == NULL)
        fail(p, count == 0 ? "an array operation points outside of the array" : "a set operation has no value");
    else if (number_in(p, op, "index", count - 1, &index))
        p->into->open[first + index].value = value->value;
}

static void apply_splice(struct patcher *p, const struct pp_value *op, uint32_t first)
{
    struct pp_tree *into = p->into;
    uint32_t index = 0, deleted = 0, count = into->open_count - first;
    const struct pp_value_member *items = pp_value_get(op, "items", 5);
    if (items == NULL || items->value.kind != PP_VALUE_ARRAY) {
        fail(p, "a splice operation has no array of items");
        return;
    }
    if (!number_in(p, op, "index", count, &index) || !number_in(p, op, "deleteCount", count - index, &deleted))
        return;
    const struct pp_value *added = &items->value;
    for (uint32_t i = deleted; i < added->count; i++)
        pp_tree_push(into, NULL, nil);
    struct pp_value_member *at = into->open + first + index;
    memmove(at + added->count, at + deleted, (count - index - deleted) * sizeof *at);
    for (uint32_t i = 0; i < added->count; i++)
        at[i].value = added->items[i];
    into->open_count = first + count - deleted + added->count;
}

/* A key as an index below `count`, in decimal without leading zeros. */
static bool index_of(const struct pp_value_key *key, uint32_t count, uint32_t *out)
{
    uint64_t index = 0;
    if (key->len == 0 || key->len > 10 || (key->len > 1 && key->bytes[0] == '0'))
        return false;
    for (uint32_t i = 0; i < key->len; i++) {
        unsigned digit = (unsigned char)key->bytes[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        index = index * 10 + digit;
    }
    *out = (uint32_t)index;
    return index < count;
}

static void apply_patch(struct patcher *p, const struct pp_value *op, uint32_t first)
{
    uint32_t count = p->into->open_count - first, index = 0;
    const struct pp_value_member *items = pp_value_get(op, "items", 5);
    if (items == NULL || items->value.kind != PP_VALUE_MAP) {
        fail(p, "a patch operation has no object of items");
        return;
    }
    for (uint32_t i = 0; i < items->value.count && p->error == NULL; i++) {
        const struct pp_value_member *item = &items->value.members[i];
        if (!index_of(item->key, count, &index)) {
            fail(p, "an array operation points outside of the array");
            return;
        }
        const struct pp_value before = p->into->open[first + index].value;
        struct pp_value value = merge(p, &before, &item->value);
        p->into->open[first + index].value = value;
    }
}

static void apply_op(struct patcher *p, const struct pp_value *op, uint32_t first)
{
    const struct pp_value_member *name = pp_value_get(op, "op", 2);
    const struct pp_value *text = name != NULL ? &name->value : &nil;
    if (text->kind == PP_VALUE_STRING && text->count == 3 && memcmp(text->string, "set", 3) == 0)
        apply_set(p, op, first);
    else if (text->kind == PP_VALUE_STRING && text->count == 6 && memcmp(text->string, "splice", 6) == 0)
        apply_splice(p, op, first);
    else if (text->kind == PP_VALUE_STRING && text->count == 5 && memcmp(text->string, "patch", 5) == 0)
        apply_patch(p, op, first);
    else
        fail(p, "an array operation is neither set, splice nor patch");
}

static struct pp_value merge_array(struct patcher *p, const struct pp_value *before, const struct pp_value *ops)
{
    uint32_t first = p->into->open_count;
    if (before->kind != PP_VALUE_ARRAY)
        return fail(p, "array operations for what is no array");
    if (ops->kind != PP_VALUE_ARRAY)
        return fail(p, "array operations that are no list");
    if (ops->count > PP_DELTA_MAX_OPS)
        return fail(p, "more than 1024 operations for one array");
    for (uint32_t i = 0; i < before->count; i++)
        pp_tree_push(p->into, NULL, before->items[i]);
    for (uint32_t i = 0; i < ops->count && p->error == NULL; i++)
        apply_op(p, &ops->items[i], first);
    return pp_tree_array(p->into, first);
}

static struct pp_value merge(struct patcher *p, const struct pp_value *before, const struct pp_value *delta)
{
    if (delta->kind != PP_VALUE_MAP)
        return *delta;
    const struct pp_value_member *mark = mark_of(p, delta);
    if (p->error != NULL)
        return nil;
    if (mark == NULL)
        return merge_map(p, before, delta);
    if (is(mark, PP_DELTA_VALUE))
        return mark->value;
    if (is(mark, PP_DELTA_ARRAY_OPS))
        return merge_array(p, before, &mark->value);
    return fail(p, is(mark, PP_DELTA_DELETED) ? "a deletion of what can't be deleted"
                                              : "a delta has a reserved key that is not known");
}

bool pp_delta_patch(struct pp_tree *into, const struct pp_value *before, const struct pp_value *delta,
                    const char **error)
{
    struct patcher p = {.into = into};
    pp_tree_clear(into);
    into->root = merge(&p, before, delta);
    if (into->full)
        fail(&p, "the result is too large");
    else if (into->root.depth > PP_DELTA_STATE_DEPTH)
        fail(&p, "the result is nested too deep");
    if (p.error == NULL)
        return true;
    pp_tree_clear(into);
    *error = p.error;
    return false;
}

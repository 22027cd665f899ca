/* Deltas and snapshots in. What is read is written into the state at once; if the rest is bad, the state goes back to
 * its last commit. */
#include "state/bits.h"
#include "state/delta.h"
#include "state/value.h"

#include "base/memory.h"

#include <stdlib.h>

struct prefix {
    uint64_t mask;
    bool any;
};

static bool get_block(struct pp_bit_reader *r, struct pp_state_block *block, struct prefix *prefix);

/* At most `limit` bytes into `out`, which has room for them; -1 where they are none. */
static int32_t get_text(struct pp_bit_reader *r, char *out, uint32_t limit)
{
    uint32_t len = pp_bits_get_golomb(r, 4);
    if (r->failed || len > limit || (r->end - r->at) / 8 < len)
        return -1;
    for (uint32_t i = 0; i < len; i++)
        out[i] = (char)(unsigned char)pp_bits_get(r, 8);
    return (int32_t)len;
}

static bool get_string(struct pp_bit_reader *r, const struct pp_state_field *field, struct pp_state_block *block)
{
    static char text[PP_STATE_TEXT_MAX];
    int32_t len = get_text(r, text, field->limit);
    return len >= 0 && pp_state_set_text(block, field->offset, text, (size_t)len);
}

static bool get_value(struct pp_bit_reader *r, const struct pp_state_field *field, unsigned char *values)
{
    uint64_t before = pp_state_value_get(field, values), after;
    if (field->kind == PP_STATE_BOOL) {
        after = !before;
    } else if (field->bits <= 8) {
        after = pp_bits_get(r, field->bits);
    } else {
        unsigned size = (unsigned)pp_bits_get(r, 2);
        after = pp_state_changed(field, before, pp_bits_get_wide(r, pp_state_class_bits(field, size)));
    }
    return !r->failed && pp_state_value_set(field, values, after);
}

static bool get_removed(struct pp_bit_reader *r, struct pp_state_group *group)
{
    uint32_t count = pp_bits_get_golomb(r, 0);
    unsigned order = count > 0 ? (unsigned)pp_bits_get(r, 3) : 0;
    uint64_t id = 0;
    for (; count > 0 && !r->failed; count--, id++) {
        id += pp_bits_get_golomb(r, order);
        struct pp_state_block *block = id < group->size ? group->items[id] : NULL;
        if (block == NULL || !(block->flags & PP_STATE_SENT) || block->flags & PP_STATE_GONE)
            return false;
        pp_state_remove(block);
    }
    return !r->failed;
}

/* The item of the id: a map's own, or a new one with the key that follows. */
static struct pp_state_block *get_item(struct pp_bit_reader *r, struct pp_state_group *group, uint64_t id)
{
    if (group->field->kind == PP_STATE_LIST)
        return id < group->count ? group->items[id] : NULL;
    struct pp_state_block *block = id < group->size ? group->items[id] : NULL;
    if (block)
        return block->flags & PP_STATE_GONE ? NULL : block;
    char key[PP_STATE_NAME_MAX];
    int32_t len = get_text(r, key, sizeof(key));
    if (len < 0 || id >= 2 * (uint64_t)group->field->limit || !pp_state_name_is_good(key, (size_t)len) ||
        pp_map_get(&group->keys, key, (size_t)len))
        return NULL;
    return pp_state_place(group, (uint32_t)id, key, (size_t)len);
}

static bool get_items(struct pp_bit_reader *r, struct pp_state_group *group)
{
    uint32_t count = pp_bits_get_golomb(r, 0);
    unsigned order = count > 0 ? (unsigned)pp_bits_get(r, 3) : 0;
    struct prefix prefix = {0};
    uint64_t id = 0;
    for (; count > 0 && !r->failed; count--, id++) {
        id += pp_bits_get_golomb(r, order);
        struct pp_state_block *block = r->failed ? NULL : get_item(r, group, id);
        if (block == NULL || !get_block(r, block, &prefix))
            return false;
    }
    return !r->failed;
}

static bool get_splices(struct pp_bit_reader *r, struct pp_state_group *list)
{
    uint32_t count = pp_bits_get_golomb(r, 0) + 1, end = 0;
    if (r->failed || count > list->count + 1) /* one at each place at most */
        return false;
    struct pp_state_splice *splices = pp_malloc(count * sizeof(*splices));
    for (uint32_t i = 0; i < count; i++) {
        splices[i].place = end + pp_bits_get_golomb(r, 4);
        splices[i].removed = pp_bits_get_golomb(r, 0);
        splices[i].inserted = pp_bits_get_golomb(r, 0);
        end = splices[i].place + splices[i].removed;
    }
    bool fine = !r->failed && pp_state_splice(list, splices, count);
    free(splices);
    return fine;
}

/* Which items the list has. */
static bool get_places(struct pp_bit_reader *r, struct pp_state_group *list)
{
    if (pp_bits_get(r, 1) == 0)
        return !r->failed;
    if (pp_bits_get(r, 1) == 1)
        return get_splices(r, list);
    uint32_t count = pp_bits_get_golomb(r, 4);
    return !r->failed && pp_state_resize(list, count);
}

static bool get_group(struct pp_bit_reader *r, struct pp_state_group *group)
{
    bool fine = group->field->kind == PP_STATE_MAP ? get_removed(r, group) : get_places(r, group);
    return fine && get_items(r, group);
}

static bool get_field(struct pp_bit_reader *r, const struct pp_state_field *field, struct pp_state_block *block)
{
    if (pp_state_is_group(field))
        return get_group(r, pp_state_group_at(block, field->offset));
    if (field->kind == PP_STATE_TEXT)
        return get_string(r, field, block);
    return get_value(r, field, block->values);
}

static bool get_block(struct pp_bit_reader *r, struct pp_state_block *block, struct prefix *prefix)
{
    uint32_t count = block->record->count;
    pp_state_touch(block);
    if (!prefix->any || pp_bits_get(r, 1) == 0)
        prefix->mask = pp_bits_get_wide(r, count);
    prefix->any = true;
    for (uint32_t i = 0; i < count && !r->failed; i++)
        if (prefix->mask >> (count - 1 - i) & 1 && !get_field(r, &block->record->fields[i], block))
            return false;
    return !r->failed;
}

static bool get_body(struct pp_state_block *root, const unsigned char *bytes, size_t len)
{
    struct pp_bit_reader r = {.bytes = bytes, .end = len * 8};
    return get_block(&r, root, &(struct prefix){0}) && pp_bits_ended(&r);
}

static uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

enum pp_state_status pp_state_apply(struct pp_state_block *root, const void *bytes, size_t len, uint32_t steps,
                                    struct pp_buf *json)
{
    const unsigned char *at = bytes, *end = at + len;
    uint32_t version = root->state->version + steps, hash = 0;
    bool has_hash = version % PP_STATE_HASH_EVERY == 0;
    if (len < (has_hash ? 5 : 1))
        return PP_STATE_MALFORMED;
    if (*at++ != (unsigned char)version)
        return PP_STATE_GAP;
    if (has_hash) {
        hash = get_u32(at);
        at += 4;
    }
    pp_state_revert(root);
    if (!get_body(root, at, (size_t)(end - at))) {
        pp_state_revert(root);
        return PP_STATE_MALFORMED;
    }
    pp_state_scan(root);
    if (json)
        pp_state_json_delta(root, json);
    pp_state_commit(root);
    root->state->version = version;
    return has_hash && pp_state_hash(root) != hash ? PP_STATE_DESYNC : PP_STATE_OK;
}

/* It is tried on another state first, since this one has to be emptied for it. */
enum pp_state_status pp_state_load(struct pp_state_block *root, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    if (len < 4)
        return PP_STATE_MALFORMED;
    struct pp_state_block *trial = pp_state_new(root->record->schema);
    bool fine = get_body(trial, at + 4, len - 4);
    pp_state_unref(trial);
    if (!fine)
        return PP_STATE_MALFORMED;
    pp_state_clear(root);
    pp_state_scan(root);
    pp_state_commit(root);
    fine = get_body(root, at + 4, len - 4);
    pp_state_scan(root);
    pp_state_commit(root);
    root->state->version = get_u32(at);
    return fine ? PP_STATE_OK : PP_STATE_MALFORMED;
}

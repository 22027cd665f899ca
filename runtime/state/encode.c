/* Deltas and snapshots out. A snapshot is the delta from a state of initial values to the last commit. */
#include "state/delta.h"
#include "state/list.h"
#include "state/value.h"
#include "state/view.h"
#include "state/writer.h"

static void put_value(struct pp_state_writer *w, const struct pp_state_field *field, uint64_t before, uint64_t after)
{
    if (field->kind == PP_STATE_BOOL)
        return; /* it is the other one */
    if (field->bits <= 8) {
        pp_bits_put(&w->bits, after, field->bits);
        return;
    }
    uint64_t difference = pp_state_difference(field, before, after);
    unsigned size = 0;
    while (size < 3 && difference >> pp_state_class_bits(field, size) != 0)
        size++;
    pp_bits_put(&w->bits, size, 2);
    pp_bits_put_wide(&w->bits, difference, pp_state_class_bits(field, size));
}

void pp_state_put_text(struct pp_state_writer *w, const char *bytes, uint32_t len)
{
    pp_bits_put_golomb(&w->bits, len, 4);
    for (uint32_t i = 0; i < len; i++)
        pp_bits_put(&w->bits, (unsigned char)bytes[i], 8);
}

static void put_text(struct pp_state_writer *w, const unsigned char *at)
{
    struct pp_state_text *text;
    memcpy(&text, at, sizeof(text));
    pp_state_put_text(w, text ? text->bytes : NULL, text ? text->len : 0);
}

void pp_state_find_sent(struct pp_state_group *group)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < group->size; id++)
        if (group->items[id] && group->items[id]->flags & PP_STATE_SENT) {
            group->changed[group->moved ? group->items[id]->before : count] = id;
            count++;
        }
    group->changed_count = count;
}

uint32_t pp_state_put_count(struct pp_state_writer *w, uint32_t count, uint32_t size)
{
    pp_bits_put_golomb(&w->bits, count, 0);
    uint32_t order = count > 0 ? pp_state_id_order(size, count) : 0;
    if (count > 0)
        pp_bits_put(&w->bits, order, 3);
    return order;
}

static void put_removed(struct pp_state_writer *w, const struct pp_state_group *group)
{
    uint32_t count = w->whole ? 0 : group->gone_count, order = pp_state_put_count(w, count, group->size), next = 0;
    for (uint32_t i = 0; i < count; i++) {
        pp_bits_put_golomb(&w->bits, group->gone[i] - next, order);
        next = group->gone[i] + 1;
    }
}

/* The number by which an item is told: of a list its place, which in a snapshot is that at the last commit. */
static uint32_t number_of(const struct pp_state_writer *w, const struct pp_state_block *block)
{
    return w->whole && block->owner->moved ? block->before : block->id;
}

/* Those that the scan found, or all that were sent. */
static void put_items(struct pp_state_writer *w, const struct pp_state_group *group)
{
    uint32_t count = group->changed_count, size = group->size, next = 0;
    if (w->whole && count > 0) /* what is not sent yet has no part in it */
        size = number_of(w, group->items[group->changed[count - 1]]) + 1;
    uint32_t order = pp_state_put_count(w, count, size);
    struct pp_state_prefix prefix = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct pp_state_block *block = group->items[group->changed[i]];
        uint32_t number = number_of(w, block);
        pp_bits_put_golomb(&w->bits, number - next, order);
        if (block->key && (w->whole || !(block->flags & PP_STATE_SENT)))
            pp_state_put_text(w, block->key->bytes, block->key->len);
        pp_state_put_block(w, block, &prefix);
        next = number + 1;
    }
}

static void put_splices(struct pp_state_writer *w, const struct pp_state_group *list)
{
    struct pp_state_splice splice;
    uint32_t count = 0, end = 0;
    for (struct pp_state_walk walk = {0}; pp_state_next_splice(list, &walk, &splice);)
        count++;
    pp_bits_put(&w->bits, count > 0 ? 3 : 0, count > 0 ? 2 : 1);
    if (count > 0)
        pp_bits_put_golomb(&w->bits, count - 1, 0);
    for (struct pp_state_walk walk = {0}; pp_state_next_splice(list, &walk, &splice);) {
        pp_bits_put_golomb(&w->bits, splice.place - end, 4);
        pp_bits_put_golomb(&w->bits, splice.removed, 0);
        pp_bits_put_golomb(&w->bits, splice.inserted, 0);
        end = splice.place + splice.removed;
    }
}

/* Which items a list has: as many as before, more or fewer at its end, or splices. */
static void put_places(struct pp_state_writer *w, const struct pp_state_group *list)
{
    uint32_t count = w->whole ? list->changed_count : list->count;
    if (list->moved && !w->whole) {
        put_splices(w, list);
    } else if (w->whole || count != list->sent) {
        pp_bits_put(&w->bits, 2, 2);
        pp_bits_put_golomb(&w->bits, count, 4);
    } else {
        pp_bits_put(&w->bits, 0, 1);
    }
}

/* The scan's results of a snapshot's groups are gone after this. */
static void put_group(struct pp_state_writer *w, struct pp_state_group *group)
{
    if (w->whole)
        pp_state_find_sent(group);
    if (group->field->kind == PP_STATE_LIST)
        put_places(w, group);
    else
        put_removed(w, group);
    put_items(w, group);
}

uint64_t pp_state_whole_mask(struct pp_state_block *block)
{
    const struct pp_state_record *record = block->record;
    const unsigned char *base = pp_state_base(block);
    uint64_t mask = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        const struct pp_state_field *field = &record->fields[i];
        bool differs;
        if (pp_state_is_group(field))
            differs = pp_state_group_at(block, field->offset)->sent > 0;
        else if (field->kind == PP_STATE_TEXT)
            differs = !pp_state_same_text(base + field->offset, record->initial + field->offset);
        else
            differs = pp_state_value_get(field, base) != pp_state_value_get(field, record->initial);
        mask |= (uint64_t)differs << i;
    }
    return mask;
}

void pp_state_put_fields(struct pp_state_writer *w, struct pp_state_block *block, uint64_t mask)
{
    const struct pp_state_record *record = block->record;
    const unsigned char *base = pp_state_base(block);
    const unsigned char *before = w->whole ? record->initial : base, *after = w->whole ? base : block->values;
    for (; mask != 0; mask &= mask - 1) {
        const struct pp_state_field *field = &record->fields[__builtin_ctzll(mask)];
        if (pp_state_is_group(field))
            put_group(w, pp_state_group_at(block, field->offset));
        else if (field->kind == PP_STATE_TEXT)
            put_text(w, after + field->offset);
        else
            put_value(w, field, pp_state_value_get(field, before), pp_state_value_get(field, after));
    }
}

/* A mask has the first field as its most significant bit. */
static uint64_t in_order(uint64_t mask, uint32_t count)
{
    mask = (mask & UINT64_C(0x5555555555555555)) << 1 | (mask >> 1 & UINT64_C(0x5555555555555555));
    mask = (mask & UINT64_C(0x3333333333333333)) << 2 | (mask >> 2 & UINT64_C(0x3333333333333333));
    mask = (mask & UINT64_C(0x0F0F0F0F0F0F0F0F)) << 4 | (mask >> 4 & UINT64_C(0x0F0F0F0F0F0F0F0F));
    return __builtin_bswap64(mask) >> (64 - count);
}

void pp_state_put_mask(struct pp_state_writer *w, const struct pp_state_record *record, uint64_t mask,
                       struct pp_state_prefix *prefix)
{
    bool same = prefix->any && prefix->mask == mask;
    if (prefix->any)
        pp_bits_put(&w->bits, same, 1);
    if (!same)
        pp_bits_put_wide(&w->bits, in_order(mask, record->count), record->count);
    *prefix = (struct pp_state_prefix){mask, true};
}

void pp_state_put_block(struct pp_state_writer *w, struct pp_state_block *block, struct pp_state_prefix *prefix)
{
    uint64_t mask = w->whole ? pp_state_whole_mask(block) : block->mask;
    pp_state_put_mask(w, block->record, mask, prefix);
    pp_state_put_fields(w, block, mask);
}

static void put_body(struct pp_state_block *root, struct pp_buf *out, bool whole)
{
    struct pp_state_writer w = {{.out = out}, whole};
    pp_state_put_block(&w, root, &(struct pp_state_prefix){0});
    pp_bits_finish(&w.bits);
}

uint32_t pp_state_hash_of(const struct pp_buf *body)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < body->len; i++)
        hash = (hash ^ (unsigned char)body->data[i]) * 16777619U;
    return hash;
}

uint32_t pp_state_hash(struct pp_state_block *root)
{
    struct pp_buf *body = &root->state->scratch;
    pp_buf_clear(body);
    put_body(root, body, true);
    return pp_state_hash_of(body);
}

void pp_state_snapshot(struct pp_state_block *root, struct pp_buf *out)
{
    pp_state_put_u32(out, root->state->version);
    put_body(root, out, true);
}

/* The hash is of what stands in front of it in memory only after the commit: its place is kept. */
int pp_state_encode(struct pp_state_block *root, struct pp_buf *out, struct pp_buf *json)
{
    if (!pp_state_scan(root))
        return 0;
    uint32_t version = ++root->state->version;
    if (root->state->pieces)
        pp_state_keep_pieces(root);
    size_t hash_at = out ? out->len + 1 : 0;
    if (out) {
        pp_buf_append_char(out, (char)(unsigned char)version);
        if (version % PP_STATE_HASH_EVERY == 0)
            pp_state_put_u32(out, 0);
        put_body(root, out, false);
    }
    if (json)
        pp_state_json_delta(root, json);
    pp_state_commit(root);
    if (out && version % PP_STATE_HASH_EVERY == 0) {
        uint32_t hash = __builtin_bswap32(pp_state_hash(root));
        memcpy(out->data + hash_at, &hash, 4);
    }
    return 1;
}

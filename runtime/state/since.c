/* What became different since an earlier state: the copy that was kept of it is made what the state is now, which is a
 * change like any other, and goes back. */
#include "state/delta.h"
#include "state/value.h"
#include "state/view.h"
#include "state/writer.h"

static bool follow(struct pp_state_block *copy, struct pp_state_block *now);

static bool is_there(const struct pp_state_group *group, uint32_t id)
{
    return id < group->size && group->items[id] && group->items[id]->flags & PP_STATE_SENT;
}

static bool same_key(const struct pp_state_block *a, const struct pp_state_block *b)
{
    return a->key->len == b->key->len && memcmp(a->key->bytes, b->key->bytes, a->key->len) == 0;
}

/* The item of that id in the copy; NULL where the delta would remove an item and use its number or key again. */
static struct pp_state_block *item_of(struct pp_state_group *copy, const struct pp_state_block *now)
{
    struct pp_state_block *item = now->id < copy->size ? copy->items[now->id] : NULL;
    if (item)
        return item->flags & PP_STATE_GONE ? NULL : item;
    if (pp_map_get(&copy->keys, now->key->bytes, now->key->len))
        return NULL;
    return pp_state_place(copy, now->id, now->key->bytes, now->key->len);
}

static bool follow_map(struct pp_state_group *copy, struct pp_state_group *now)
{
    for (uint32_t id = copy->size; id > 0; id--)
        if (id <= copy->size && is_there(copy, id - 1) &&
            !(is_there(now, id - 1) && same_key(copy->items[id - 1], now->items[id - 1])))
            pp_state_remove(copy->items[id - 1]);
    for (uint32_t id = 0; id < now->size; id++) {
        struct pp_state_block *item = is_there(now, id) ? item_of(copy, now->items[id]) : NULL;
        if (is_there(now, id) && (item == NULL || !follow(item, now->items[id])))
            return false;
    }
    return true;
}

/* Is what the copy's item holds what the other was at the last commit? As a snapshot would tell them. */
static bool is_same(struct pp_state_block *copy, struct pp_state_block *now, struct pp_buf *scratch)
{
    size_t ends[2];
    pp_buf_clear(scratch);
    for (int i = 0; i < 2; i++) {
        struct pp_state_writer w = {{.out = scratch}, .whole = true};
        pp_state_put_block(&w, i == 0 ? copy : now, &(struct pp_state_prefix){0});
        pp_bits_finish(&w.bits);
        ends[i] = scratch->len;
    }
    return ends[1] == 2 * ends[0] && memcmp(scratch->data, scratch->data + ends[0], ends[0]) == 0;
}

/* The list's item at that place at the last commit; pp_state_find_sent has been called. */
static struct pp_state_block *sent_at(const struct pp_state_group *list, uint32_t place)
{
    return list->items[list->changed[place]];
}

/* Where items came or went: at one place if all in front of it and behind it is the same, else at the end. */
static uint32_t place_of_change(const struct pp_state_group *copy, const struct pp_state_group *now)
{
    uint32_t least = copy->count < now->sent ? copy->count : now->sent, front = 0, back = 0;
    struct pp_buf scratch = {0};
    while (front < least && is_same(copy->items[front], sent_at(now, front), &scratch))
        front++;
    while (back < least - front &&
           is_same(copy->items[copy->count - 1 - back], sent_at(now, now->sent - 1 - back), &scratch))
        back++;
    pp_buf_destroy(&scratch);
    return front + back == least ? front : least;
}

static bool follow_length(struct pp_state_group *copy, const struct pp_state_group *now)
{
    uint32_t place = place_of_change(copy, now);
    return copy->count > now->sent ? pp_state_splice_one(copy, place, copy->count - now->sent, 0)
                                   : pp_state_splice_one(copy, place, 0, now->sent - copy->count);
}

static bool follow_list(struct pp_state_group *copy, struct pp_state_group *now)
{
    pp_state_find_sent(now);
    if (copy->count != now->sent && !follow_length(copy, now))
        return false;
    for (uint32_t i = 0; i < now->sent; i++)
        if (!follow(copy->items[i], sent_at(now, i)))
            return false;
    return true;
}

static void follow_text(struct pp_state_block *copy, const struct pp_state_field *field, const unsigned char *base)
{
    struct pp_state_text *text;
    memcpy(&text, base + field->offset, sizeof(text));
    pp_state_set_text(copy, field->offset, text ? text->bytes : "", text ? text->len : 0);
}

static bool follow_field(struct pp_state_block *copy, struct pp_state_block *now, const struct pp_state_field *field)
{
    const unsigned char *base = pp_state_base(now);
    if (pp_state_is_group(field)) {
        struct pp_state_group *group = pp_state_group_at(copy, field->offset);
        struct pp_state_group *group_now = pp_state_group_at(now, field->offset);
        return (field->kind == PP_STATE_MAP ? follow_map : follow_list)(group, group_now);
    }
    if (field->kind == PP_STATE_TEXT)
        follow_text(copy, field, base);
    else
        pp_state_value_set(field, copy->values, pp_state_value_get(field, base));
    return true;
}

static bool follow(struct pp_state_block *copy, struct pp_state_block *now)
{
    pp_state_touch(copy);
    for (uint32_t i = 0; i < now->record->count; i++)
        if (!follow_field(copy, now, &now->record->fields[i]))
            return false;
    return true;
}

int pp_state_since(struct pp_state_block *copy, struct pp_state_block *root, struct pp_buf *out, struct pp_buf *json)
{
    uint32_t version = root->state->version;
    bool followed = follow(copy, root);
    pp_state_scan(copy);
    if (followed) {
        pp_buf_append_char(out, (char)(unsigned char)version);
        if (version % PP_STATE_HASH_EVERY == 0)
            pp_state_put_u32(out, pp_state_hash(root));
        struct pp_state_writer w = {.bits = {.out = out}};
        pp_state_put_block(&w, copy, &(struct pp_state_prefix){0});
        pp_bits_finish(&w.bits);
        pp_state_json_delta(copy, json);
    }
    pp_state_revert(copy);
    return followed;
}

/* Of a root's map not all of which could be followed: each item that can be, and who can't be told of the others. */
static void follow_items(struct pp_state_block *copy, uint32_t field, const struct pp_state_group *now)
{
    const struct pp_state_group *group = pp_state_map(copy, field);
    for (uint32_t id = 0; id < group->size; id++) {
        if (!is_there(group, id))
            continue;
        struct pp_state_block *item = group->items[id];
        bool used = is_there(now, id);
        if (used && same_key(item, now->items[id])) {
            if (!follow(item, now->items[id]))
                pp_state_note_clash(copy, field, id, id);
            continue;
        }
        const struct pp_state_block *heir = pp_map_get(&now->keys, item->key->bytes, item->key->len);
        if (used)
            pp_state_note_clash(copy, field, id, id);
        if (heir && heir->flags & PP_STATE_SENT)
            pp_state_note_clash(copy, field, id, heir->id);
    }
}

void pp_state_keep_since(struct pp_state_block *copy, struct pp_state_block *root)
{
    pp_state_want_pieces(copy, false);
    pp_state_want_pieces(copy, true);
    pp_state_touch(copy);
    for (uint32_t i = 0; i < root->record->count; i++) {
        const struct pp_state_field *field = &root->record->fields[i];
        if (follow_field(copy, root, field))
            continue;
        pp_state_note_clash(copy, i, PP_STATE_NOBODY, PP_STATE_NOBODY);
        if (field->kind == PP_STATE_MAP)
            follow_items(copy, i, pp_state_map(root, i));
    }
    pp_state_scan(copy);
    pp_state_keep_pieces(copy);
    pp_state_revert(copy);
}

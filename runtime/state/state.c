/* Blocks and groups: making, finding, removing. What was sent is kept, marked GONE, until the commit. */
#include "state/state.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "state/list.h"
#include "state/state_internal.h"
#include "state/view.h"
#include "value/json_writer.h"

#include <stdlib.h>

struct pp_state *pp_state_of(const struct pp_state_block *block)
{
    while (block->owner)
        block = block->owner->parent;
    return block->state;
}

void pp_state_touch(struct pp_state_block *block)
{
    while (!block->touched) {
        struct pp_state_group *group = block->owner;
        block->touched = 1;
        if (group == NULL) {
            if (block->state && block->state->watch)
                block->state->watch->touched(block->state->watch);
            return;
        }
        group->touched[block->id / 64] |= UINT64_C(1) << block->id % 64;
        block = group->parent;
    }
}

/* --- texts --- */

static void release_text(struct pp_state_text *text)
{
    if (text && --text->refs == 0)
        free(text);
}

static struct pp_state_text *new_text(const char *bytes, size_t len)
{
    if (len == 0)
        return NULL;
    struct pp_state_text *text = pp_malloc(sizeof(*text) + len);
    text->refs = 1;
    text->len = (uint32_t)len;
    memcpy(text->bytes, bytes, len);
    return text;
}

static bool is_text(const struct pp_state_text *text, const char *bytes, size_t len)
{
    return text ? text->len == len && memcmp(text->bytes, bytes, len) == 0 : len == 0;
}

static struct pp_state_text **text_at(unsigned char *values, uint32_t offset)
{
    return (struct pp_state_text **)(void *)(values + offset);
}

/* Equal texts at the same place of `values` and of the last commit are the same text, so that comparing the pointers
 * is enough. */
int pp_state_set_text(struct pp_state_block *block, uint32_t offset, const char *bytes, size_t len)
{
    if (!pp_utf8_valid(bytes, len))
        return 0;
    struct pp_state_text **now = text_at(block->values, offset), *sent = *text_at(pp_state_base(block), offset);
    if (is_text(*now, bytes, len))
        return 1;
    pp_state_touch(block);
    release_text(*now);
    *now = is_text(sent, bytes, len) ? sent : new_text(bytes, len);
    if (*now && *now == sent)
        sent->refs++;
    return 1;
}

/* `to` becomes what `from` is; texts differ at most in the fields of `mask`. */
static void copy_values(const struct pp_state_record *record, unsigned char *to, const unsigned char *from,
                        uint64_t mask)
{
    for (uint64_t left = record->texts & mask; left != 0; left &= left - 1) {
        uint32_t offset = record->fields[__builtin_ctzll(left)].offset;
        struct pp_state_text *text;
        memcpy(&text, from + offset, sizeof(text));
        if (text)
            text->refs++;
        release_text(*text_at(to, offset));
    }
    memcpy(to, from, record->size);
}

/* --- blocks --- */

static void add_group(struct pp_state_block *block, uint32_t index)
{
    struct pp_state_group *group = pp_calloc(1, sizeof(*group));
    group->parent = block;
    group->index = index;
    group->field = &block->record->fields[index];
    ((struct pp_state_group **)(void *)(block->values + 2 * (size_t)block->record->size))[group->field->offset] = group;
}

static struct pp_state_block *new_block(struct pp_state_record *record)
{
    size_t values = 2 * (size_t)record->size;
    struct pp_state_block *block = pp_malloc(sizeof(*block) + values + record->groups * sizeof(void *));
    *block = (struct pp_state_block){.refs = 1, .record = record};
    memcpy(block->values, record->initial, record->size);
    memcpy(block->values + record->size, record->initial, record->size);
    for (uint32_t i = 0, left = record->groups; left > 0; i++)
        if (pp_state_is_group(&record->fields[i])) {
            add_group(block, i);
            left--;
        }
    pp_state_schema_ref(record->schema);
    return block;
}

void *pp_state_group_of(struct pp_state_block *block, uint32_t place)
{
    return pp_state_group_at(block, place);
}

struct pp_state_block *pp_state_new(struct pp_state_schema *schema)
{
    struct pp_state_block *root = new_block(schema->root);
    root->state = pp_calloc(1, sizeof(*root->state));
    root->state->root = root;
    root->flags = PP_STATE_SENT;
    return root;
}

/* The block is in no group any more. */
static void detach(struct pp_state_block *block)
{
    block->owner = NULL;
    pp_state_unref(block);
}

static void delete_group(struct pp_state_group *group)
{
    pp_map_destroy(&group->keys);
    for (uint32_t id = 0; id < group->size; id++)
        if (group->items[id])
            detach(group->items[id]);
    free(group->items);
    free(group->changed);
    free(group->gone);
    free(group->touched);
    free(group);
}

void pp_state_unref(struct pp_state_block *block)
{
    if (--block->refs > 0)
        return;
    struct pp_state_record *record = block->record;
    for (uint32_t i = 0; i < record->groups; i++)
        delete_group(pp_state_group_at(block, i));
    for (uint64_t left = record->texts; left != 0; left &= left - 1) {
        uint32_t offset = record->fields[__builtin_ctzll(left)].offset;
        release_text(*text_at(block->values, offset));
        release_text(*text_at(pp_state_base(block), offset));
    }
    if (block->state) {
        pp_buf_destroy(&block->state->scratch);
        free(block->state->label);
        pp_state_delete_pieces(block->state->pieces);
        free(block->state);
    }
    release_text(block->key);
    free(block);
    pp_state_schema_unref(record->schema);
}

/* --- items --- */

bool pp_state_reserve(struct pp_state_group *group, uint32_t size)
{
    struct pp_state *state = pp_state_of(group->parent);
    if (size <= group->capacity)
        return true;
    uint32_t capacity = group->capacity * 2 > 8 ? group->capacity * 2 : 8;
    while (capacity < size)
        capacity *= 2;
    if (state && state->slots + (capacity - group->capacity) > PP_STATE_SLOTS)
        return false;
    if (state)
        state->slots += capacity - group->capacity;
    group->items = pp_realloc(group->items, capacity * sizeof(*group->items));
    group->changed = pp_realloc(group->changed, capacity * sizeof(*group->changed));
    group->gone = pp_realloc(group->gone, capacity * sizeof(*group->gone));
    memset(group->items + group->capacity, 0, (capacity - group->capacity) * sizeof(*group->items));
    size_t words = (group->capacity + 63) / 64, wanted = (capacity + 63) / 64;
    group->touched = pp_realloc(group->touched, wanted * sizeof(*group->touched));
    memset(group->touched + words, 0, (wanted - words) * sizeof(*group->touched));
    group->capacity = capacity;
    return true;
}

struct pp_state_block *pp_state_new_item(struct pp_state_group *group)
{
    struct pp_state *state = pp_state_of(group->parent);
    struct pp_state_block *block = new_block(group->field->element);
    block->owner = group;
    block->touched = 1;
    if (state)
        state->blocks++;
    return block;
}

struct pp_state_block *pp_state_place(struct pp_state_group *group, uint32_t id, const char *key, size_t len)
{
    struct pp_state *state = pp_state_of(group->parent);
    if (group->count >= group->field->limit || (state && state->blocks >= PP_STATE_BLOCKS) ||
        !pp_state_reserve(group, id + 1))
        return NULL;
    struct pp_state_block *block = pp_state_new_item(group);
    block->id = id;
    block->key = new_text(key, len);
    if (group->field->kind == PP_STATE_MAP)
        *pp_map_slot(&group->keys, key, len) = block;
    group->items[id] = block;
    group->size = group->size > id ? group->size : id + 1;
    group->count++;
    group->touched[id / 64] |= UINT64_C(1) << id % 64;
    pp_state_touch(group->parent);
    return block;
}

static void put_back(struct pp_state_block *block)
{
    block->flags = PP_STATE_SENT;
    block->owner->count++;
}

struct pp_state_block *pp_state_find(const struct pp_state_group *group, const char *key, size_t len)
{
    struct pp_state_block *block = pp_map_get(&group->keys, key, len);
    return block && !(block->flags & PP_STATE_GONE) ? block : NULL;
}

static bool is_kept(const struct pp_state_group *group)
{
    const struct pp_state *state = pp_state_of(group->parent);
    return state && state->keepers > 0;
}

static uint32_t first_free(struct pp_state_group *group)
{
    while (group->hint < group->size && group->items[group->hint])
        group->hint++;
    return group->hint;
}

/* The item's id is free. */
static void give_back(struct pp_state_group *group, uint32_t id)
{
    if (is_kept(group)) {
        group->hint = group->hint > group->size ? group->hint : group->size;
        group->skipped = 1;
    } else if (id < group->hint) {
        group->hint = id;
    }
}

struct pp_state_block *pp_state_add(struct pp_state_group *group, const char *key, size_t len)
{
    struct pp_state_block *block = pp_map_get(&group->keys, key, len);
    if (block && block->flags & PP_STATE_GONE) {
        if (group->count >= group->field->limit)
            return NULL;
        return pp_state_resurrect(block);
    }
    if (block)
        return block;
    if (group->skipped && !is_kept(group))
        group->hint = group->skipped = 0;
    uint32_t id = first_free(group);
    if (id < 2 * group->field->limit && (block = pp_state_place(group, id, key, len)) != NULL)
        return block;
    if (group->skipped == 0)
        return NULL;
    group->hint = group->skipped = 0; /* there is no room for others */
    return pp_state_place(group, first_free(group), key, len);
}

uint32_t pp_state_room(const struct pp_state_block *block)
{
    const struct pp_state *state = pp_state_of(block);
    return state ? PP_STATE_BLOCKS - state->blocks : UINT32_MAX;
}

void pp_state_keep(struct pp_state_block *root)
{
    root->state->keepers++;
}

void pp_state_unkeep(struct pp_state_block *root)
{
    root->state->keepers--;
}

/* The block, and all in it, counts in the state or, with -1, no more. */
static void count_in(struct pp_state *state, struct pp_state_block *block, int sign)
{
    state->blocks += (uint32_t)sign;
    for (uint32_t i = 0; i < block->record->groups; i++) {
        const struct pp_state_group *group = pp_state_group_at(block, i);
        state->slots += (uint32_t)sign * group->capacity;
        for (uint32_t id = 0; id < group->size; id++)
            if (group->items[id])
                count_in(state, group->items[id], sign);
    }
}

void pp_state_drop(struct pp_state_block *block)
{
    struct pp_state *state = pp_state_of(block);
    if (state)
        count_in(state, block, -1);
    block->flags = PP_STATE_GONE;
    block->touched = 1;
    detach(block);
}

/* --- what comes back --- */

static struct pp_state_block *copy_sent(struct pp_state_block *block);

static void copy_sent_items(struct pp_state_group *to, const struct pp_state_group *from)
{
    pp_state_reserve(to, from->size);
    for (uint32_t id = 0; id < from->size; id++) {
        struct pp_state_block *item = from->items[id];
        if (item == NULL || !(item->flags & PP_STATE_SENT))
            continue;
        struct pp_state_block *copy = copy_sent(item);
        copy->id = from->moved ? item->before : id;
        copy->owner = to;
        to->items[copy->id] = copy;
        to->size = to->size > copy->id ? to->size : copy->id + 1;
        if (copy->key)
            *pp_map_slot(&to->keys, copy->key->bytes, copy->key->len) = copy;
        to->count++;
        to->sent++;
    }
}

/* The block as it was at the last commit, in no group. */
static struct pp_state_block *copy_sent(struct pp_state_block *block)
{
    const struct pp_state_record *record = block->record;
    struct pp_state_block *copy = new_block(block->record);
    copy->flags = PP_STATE_SENT;
    copy->before = block->before;
    copy->key = block->key;
    if (copy->key)
        copy->key->refs++;
    copy_values(record, copy->values, block->values + record->size, UINT64_MAX);
    copy_values(record, pp_state_base(copy), block->values + record->size, UINT64_MAX);
    for (uint32_t i = 0; i < record->groups; i++)
        copy_sent_items(pp_state_group_at(copy, i), pp_state_group_at(block, i));
    return copy;
}

/* A copy takes the place of the item, whose holders have an object of their own then. The state has room for it, since
 * it is no larger. */
static struct pp_state_block *replace(struct pp_state_block *block)
{
    struct pp_state_group *group = block->owner;
    struct pp_state *state = pp_state_of(group->parent);
    struct pp_state_block *copy = copy_sent(block);
    copy->id = block->id;
    copy->owner = group;
    copy->touched = 1;
    group->items[copy->id] = copy;
    if (copy->key)
        *pp_map_slot(&group->keys, copy->key->bytes, copy->key->len) = copy;
    if (state)
        count_in(state, copy, 1);
    pp_state_drop(block);
    return copy;
}

struct pp_state_block *pp_state_resurrect(struct pp_state_block *block)
{
    if (block->refs > 1)
        block = replace(block);
    pp_state_clear(block);
    put_back(block);
    return block;
}

static void take_out(struct pp_state_block *block)
{
    struct pp_state_group *group = block->owner;
    if (!(block->flags & PP_STATE_GONE))
        group->count--;
    if (block->key)
        pp_map_remove(&group->keys, block->key->bytes, block->key->len);
    group->touched[block->id / 64] &= ~(UINT64_C(1) << block->id % 64);
    group->items[block->id] = NULL;
    give_back(group, block->id);
    while (group->size > 0 && group->items[group->size - 1] == NULL)
        group->size--;
    pp_state_drop(block);
}

void pp_state_remove(struct pp_state_block *block)
{
    pp_state_touch(block);
    if (!(block->flags & PP_STATE_SENT)) {
        take_out(block);
    } else if (!(block->flags & PP_STATE_GONE)) {
        block->flags |= PP_STATE_GONE;
        block->owner->count--;
    }
}

static void clear_group(struct pp_state_group *group)
{
    if (group->field->kind == PP_STATE_LIST) {
        pp_state_resize(group, 0);
        return;
    }
    for (uint32_t id = group->size; id > 0; id--)
        if (id <= group->size && group->items[id - 1])
            pp_state_remove(group->items[id - 1]);
}

void pp_state_clear(struct pp_state_block *block)
{
    pp_state_touch(block);
    copy_values(block->record, block->values, block->record->initial, UINT64_MAX);
    for (uint32_t i = 0; i < block->record->groups; i++)
        clear_group(pp_state_group_at(block, i));
}

/* --- commit and revert: after a scan, both go where it found something --- */

static void commit_block(struct pp_state_block *block);

static void untouch(struct pp_state_group *group)
{
    if (group->touched)
        memset(group->touched, 0, (group->size + 63) / 64 * sizeof(*group->touched));
}

static void commit_group(struct pp_state_group *group)
{
    for (uint32_t i = group->gone_count; i > 0; i--)
        take_out(group->items[group->gone[i - 1]]);
    for (uint32_t i = 0; i < group->changed_count; i++)
        commit_block(group->items[group->changed[i]]);
    if (group->moved)
        pp_state_note_places(group);
    group->gone_count = group->changed_count = 0;
    group->sent = group->count;
    untouch(group);
}

static void commit_block(struct pp_state_block *block)
{
    copy_values(block->record, pp_state_base(block), block->values, block->mask);
    block->flags |= PP_STATE_SENT;
    block->before = block->id;
    block->mask = 0;
    block->touched = 0;
    for (uint32_t i = 0; i < block->record->groups; i++)
        commit_group(pp_state_group_at(block, i));
}

void pp_state_commit(struct pp_state_block *root)
{
    commit_block(root);
}

void pp_state_begin(struct pp_state_block *root)
{
    pp_state_scan(root);
    commit_block(root);
}

static void revert_block(struct pp_state_block *block);

static void revert_group(struct pp_state_group *group)
{
    for (uint32_t i = 0; i < group->gone_count; i++) {
        struct pp_state_block *block = group->items[group->gone[i]];
        put_back(block);
        revert_block(block);
    }
    for (uint32_t i = group->changed_count; i > 0; i--) {
        struct pp_state_block *block = group->items[group->changed[i - 1]];
        if (block->flags & PP_STATE_SENT)
            revert_block(block);
        else if (!group->moved)
            take_out(block);
    }
    if (group->moved)
        pp_state_move_back(group);
    group->gone_count = group->changed_count = 0;
    untouch(group);
}

static void revert_block(struct pp_state_block *block)
{
    block->mask = 0;
    block->touched = 0;
    copy_values(block->record, block->values, pp_state_base(block), UINT64_MAX);
    for (uint32_t i = 0; i < block->record->groups; i++)
        revert_group(pp_state_group_at(block, i));
}

void pp_state_revert(struct pp_state_block *root)
{
    pp_state_scan(root);
    revert_block(root);
}

/* --- names and paths --- */

void pp_state_set_label(struct pp_state_block *root, const char *label)
{
    free(root->state->label);
    root->state->label = label ? pp_strndup(label, strlen(label)) : NULL;
}

const char *pp_state_label(const struct pp_state_block *block)
{
    const struct pp_state *state = pp_state_of(block);
    return state ? state->label : NULL;
}

static void append_name(const struct pp_state_member *member, uint32_t index, struct pp_buf *out)
{
    for (unsigned i = 0; i < member->member_count; i++) {
        const struct pp_state_member *inner = &member->members[i];
        if (index < inner->first || index >= (uint32_t)inner->first + inner->count)
            continue;
        if (out->len > 0)
            pp_buf_append_char(out, '.');
        pp_buf_append(out, inner->name, inner->name_len);
        append_name(inner, index, out);
    }
}

void pp_state_path(const struct pp_state_block *block, struct pp_buf *out)
{
    const struct pp_state_group *group = block->owner;
    if (group == NULL) {
        if (block->state == NULL)
            pp_buf_append_string(out, "(removed)");
        return;
    }
    pp_state_path(group->parent, out);
    append_name(&group->parent->record->names, group->index, out);
    if (out->len > 0)
        pp_buf_append_char(out, '.');
    if (block->key)
        pp_buf_append(out, block->key->bytes, block->key->len);
    else
        pp_json_write_integer(out, block->id + 1);
}

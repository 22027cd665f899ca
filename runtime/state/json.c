/* A state as JSON, and its changes as a JSON delta: for those who do not take packed bits. Field names and keys never
 * look like the sentinels of deltas (pp_state_name_is_good), so nothing has to be escaped. */
#include "state/delta.h"
#include "state/list.h"
#include "state/value.h"
#include "state/writer.h"
#include "value/json_writer.h"

#define SMALL 128 /* bytes of a map's changes that are sent as they are, as in all deltas */

struct view {
    struct pp_buf *out;
    bool now; /* the values as they are, else as they were at the last commit */
};

static void write_record(struct view *v, struct pp_state_block *block);
static void write_changes(struct pp_buf *out, struct pp_state_block *block);

static double signed_value(const struct pp_state_field *field, uint64_t value)
{
    bool is_signed = field->kind == PP_STATE_INT8 || field->kind == PP_STATE_INT16 || field->kind == PP_STATE_INT32;
    unsigned unused = 64 - field->bits;
    return is_signed ? (double)((int64_t)(value << unused) >> unused) : (double)value;
}

static void write_number(struct pp_buf *out, const struct pp_state_field *field, uint64_t value)
{
    double real;
    float single;
    switch (field->kind) {
    case PP_STATE_BOOL:
        pp_buf_append_string(out, value ? "true" : "false");
        return;
    case PP_STATE_FLOAT32:
        memcpy(&single, &(uint32_t){(uint32_t)value}, 4);
        out->len += pp_json_float_write(single, pp_buf_reserve(out, PP_JSON_NUMBER_MAX));
        return;
    case PP_STATE_FLOAT64:
        memcpy(&real, &value, 8);
        break;
    case PP_STATE_QUANTIZED: /* no more digits than the steps have */
        real = round(pp_state_from_steps(field, value) * field->decimals) / field->decimals;
        break;
    default:
        real = signed_value(field, value);
    }
    pp_json_write_number(out, real);
}

static void write_key(struct pp_buf *out, const char *key, size_t len)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        pp_buf_append_char(out, ',');
    pp_json_write_string(out, key, len);
    pp_buf_append_char(out, ':');
}

static void write_item(struct view *v, struct pp_state_block *block, bool first)
{
    if (block->key)
        write_key(v->out, block->key->bytes, block->key->len);
    else if (!first)
        pp_buf_append_char(v->out, ',');
    write_record(v, block);
}

/* Where it is as of the last commit, the scan's results are gone after this. */
static void write_items(struct view *v, struct pp_state_group *group)
{
    uint32_t written = 0;
    if (!v->now) {
        pp_state_find_sent(group);
        for (uint32_t i = 0; i < group->changed_count; i++)
            write_item(v, group->items[group->changed[i]], written++ == 0);
        return;
    }
    for (uint32_t id = 0; id < group->size; id++)
        if (group->items[id] && !(group->items[id]->flags & PP_STATE_GONE))
            write_item(v, group->items[id], written++ == 0);
}

static void write_group(struct view *v, struct pp_state_group *group)
{
    bool is_map = group->field->kind == PP_STATE_MAP;
    pp_buf_append_char(v->out, is_map ? '{' : '[');
    write_items(v, group);
    pp_buf_append_char(v->out, is_map ? '}' : ']');
}

static void write_value(struct view *v, struct pp_state_block *block, const struct pp_state_field *field)
{
    const unsigned char *values = v->now ? block->values : pp_state_base(block);
    struct pp_state_text *text = NULL;
    if (pp_state_is_group(field)) {
        write_group(v, pp_state_group_at(block, field->offset));
    } else if (field->kind == PP_STATE_TEXT) {
        memcpy(&text, values + field->offset, sizeof(text));
        pp_json_write_string(v->out, text ? text->bytes : "", text ? text->len : 0);
    } else {
        write_number(v->out, field, pp_state_value_get(field, values));
    }
}

static void write_member(struct view *v, struct pp_state_block *block, const struct pp_state_member *member)
{
    if (member->member_count == 0) {
        write_value(v, block, &block->record->fields[member->first]);
        return;
    }
    pp_buf_append_char(v->out, '{');
    for (unsigned i = 0; i < member->member_count; i++) {
        write_key(v->out, member->members[i].name, member->members[i].name_len);
        write_member(v, block, &member->members[i]);
    }
    pp_buf_append_char(v->out, '}');
}

static void write_record(struct view *v, struct pp_state_block *block)
{
    write_member(v, block, &block->record->names);
}

void pp_state_json(struct pp_state_block *root, int now, struct pp_buf *out)
{
    write_record(&(struct view){out, now != 0}, root);
}

/* --- changes --- */

/* Puts all of the group in the place of its changes, which begin at `start`, where that is shorter. It may be only
 * where most items are another or gone. */
static void shorten(struct pp_buf *out, size_t start, struct pp_state_group *group)
{
    size_t changes = out->len - start;
    bool is_map = group->field->kind == PP_STATE_MAP;
    if (2 * (group->changed_count + group->gone_count) <= group->count || (is_map && changes <= SMALL))
        return;
    pp_buf_append_string(out, is_map ? "{\"__pp_value\":" : "");
    write_group(&(struct view){out, true}, group);
    pp_buf_append_string(out, is_map ? "}" : "");
    size_t whole = out->len - start - changes;
    if (whole < changes)
        memmove(out->data + start, out->data + start + changes, whole);
    out->len = start + (whole < changes ? whole : changes);
}

static void write_map_changes(struct pp_buf *out, struct pp_state_group *group)
{
    size_t start = out->len;
    pp_buf_append_char(out, '{');
    for (uint32_t i = 0; i < group->gone_count; i++) {
        const struct pp_state_text *key = group->items[group->gone[i]]->key;
        write_key(out, key->bytes, key->len);
        pp_buf_append_string(out, "{\"__pp_deleted\":true}");
    }
    for (uint32_t i = 0; i < group->changed_count; i++) {
        struct pp_state_block *block = group->items[group->changed[i]];
        write_key(out, block->key->bytes, block->key->len);
        if (block->flags & PP_STATE_SENT)
            write_changes(out, block);
        else
            write_record(&(struct view){out, true}, block);
    }
    pp_buf_append_char(out, '}');
    shorten(out, start, group);
}

/* {op:"splice"} of items that came and went; they are there before the patch. */
static void write_splices(struct pp_buf *out, const struct pp_state_group *list)
{
    struct pp_state_splice splice;
    for (struct pp_state_walk walk = {0}; pp_state_next_splice(list, &walk, &splice);) {
        uint32_t first = walk.place - splice.inserted;
        if (out->data[out->len - 1] != '[')
            pp_buf_append_char(out, ',');
        pp_buf_append_string(out, "{\"op\":\"splice\",\"index\":");
        pp_json_write_integer(out, first);
        pp_buf_append_string(out, ",\"deleteCount\":");
        pp_json_write_integer(out, splice.removed);
        pp_buf_append_string(out, ",\"items\":[");
        for (uint32_t id = first; id < walk.place; id++)
            write_item(&(struct view){out, true}, list->items[id], id == first);
        pp_buf_append_string(out, "]}");
    }
}

/* {op:"patch"} of what was there and changed. */
static void write_patch(struct pp_buf *out, const struct pp_state_group *list)
{
    pp_buf_append_string(out, out->data[out->len - 1] == '[' ? "" : ",");
    pp_buf_append_string(out, "{\"op\":\"patch\",\"items\":{");
    for (uint32_t i = 0; i < list->changed_count; i++) {
        struct pp_state_block *block = list->items[list->changed[i]];
        char index[PP_JSON_NUMBER_MAX];
        if (!(block->flags & PP_STATE_SENT))
            continue;
        write_key(out, index, pp_json_integer_write(block->id, index));
        write_changes(out, block);
    }
    pp_buf_append_string(out, "}}");
}

static void write_list_changes(struct pp_buf *out, struct pp_state_group *list)
{
    size_t start = out->len;
    uint32_t patched = 0;
    if (list->sent == 0 || list->count == 0) {
        write_group(&(struct view){out, true}, list);
        return;
    }
    for (uint32_t i = 0; i < list->changed_count; i++)
        patched += list->items[list->changed[i]]->flags & PP_STATE_SENT;
    pp_buf_append_string(out, "{\"__pp_array_ops\":[");
    write_splices(out, list);
    if (patched > 0)
        write_patch(out, list);
    pp_buf_append_string(out, "]}");
    shorten(out, start, list);
}

static void write_member_changes(struct pp_buf *out, struct pp_state_block *block, const struct pp_state_member *member)
{
    const struct pp_state_field *field = &block->record->fields[member->first];
    if (member->member_count == 0 && field->kind == PP_STATE_MAP) {
        write_map_changes(out, pp_state_group_at(block, field->offset));
        return;
    }
    if (member->member_count == 0 && field->kind == PP_STATE_LIST) {
        write_list_changes(out, pp_state_group_at(block, field->offset));
        return;
    }
    if (member->member_count == 0) {
        write_value(&(struct view){out, true}, block, field);
        return;
    }
    pp_buf_append_char(out, '{');
    for (unsigned i = 0; i < member->member_count; i++) {
        const struct pp_state_member *inner = &member->members[i];
        uint64_t fields = (inner->count == 64 ? UINT64_MAX : (UINT64_C(1) << inner->count) - 1) << inner->first;
        if ((block->mask & fields) == 0)
            continue;
        write_key(out, inner->name, inner->name_len);
        write_member_changes(out, block, inner);
    }
    pp_buf_append_char(out, '}');
}

static void write_changes(struct pp_buf *out, struct pp_state_block *block)
{
    write_member_changes(out, block, &block->record->names);
}

void pp_state_json_delta(struct pp_state_block *root, struct pp_buf *out)
{
    write_changes(out, root);
}

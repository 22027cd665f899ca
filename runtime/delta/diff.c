/* Comparing values and maps. The delta is written while comparing; where a part turns out to be no change, or longer
 * than the whole, the buffer goes back to where that part began. */
#include "delta/delta_internal.h"

#include "base/buf.h"
#include "value/json_writer.h"

/* Whether the value, read as a delta, would be taken for something else. What arrays hold is never read as one. */
static bool needs_escape(const struct pp_value *value)
{
    if (value->kind != PP_VALUE_MAP)
        return false;
    for (uint32_t i = 0; i < value->count; i++)
        if (pp_delta_is_reserved(value->members[i].key) || needs_escape(&value->members[i].value))
            return true;
    return false;
}

/* The value as it is, whatever stood there. */
static void write_escaped(struct pp_differ *d, const struct pp_value *value)
{
    pp_buf_append_string(d->out, "{\"" PP_DELTA_VALUE "\":");
    pp_value_write(value, d->out);
    pp_buf_append_char(d->out, '}');
    d->overhead++;
}

/* The value where none stood that a map could be merged with. */
static void write_value(struct pp_differ *d, const struct pp_value *value)
{
    if (needs_escape(value))
        write_escaped(d, value);
    else
        pp_value_write(value, d->out);
}

void pp_diff_keep_shorter(struct pp_differ *d, size_t start, const struct pp_value *after)
{
    struct pp_buf *out = d->out;
    size_t middle = out->len, len = middle - start;
    if (pp_value_is_longer(after, len))
        return;
    if (after->kind == PP_VALUE_MAP)
        write_escaped(d, after);
    else
        pp_value_write(after, out);
    size_t whole = out->len - middle;
    out->len = middle;
    if (whole < len) {
        memmove(out->data + start, out->data + middle, whole);
        out->len = start + whole;
    }
}

/* A key of the map whose text began at `start`, with the comma before it. */
static void write_key(struct pp_buf *out, size_t start, const struct pp_value_key *key)
{
    if (out->len > start + 1)
        pp_buf_append_char(out, ',');
    pp_json_write_string(out, key->bytes, key->len);
    pp_buf_append_char(out, ':');
}

/* Appends the members that are new or changed; returns how many of `before` there are in `after`. */
static uint32_t write_changes(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after,
                              bool *reserved)
{
    size_t start = d->out->len - 1;
    uint32_t expected = 0, found = 0;
    for (uint32_t i = 0; i < after->count; i++) {
        const struct pp_value_member *member = &after->members[i];
        const struct pp_value_member *old = pp_value_find(before, member->key, expected);
        size_t len = d->out->len;
        if (old != NULL) {
            found++;
            expected = (uint32_t)(old - before->members) + 1;
            if (pp_value_same_scalar(&old->value, &member->value))
                continue;
        }
        write_key(d->out, start, member->key);
        if (old == NULL)
            write_value(d, &member->value);
        else if (!pp_diff_values(d, &old->value, &member->value)) {
            d->out->len = len;
            continue;
        }
        *reserved = *reserved || pp_delta_is_reserved(member->key);
    }
    return found;
}

/* Appends the members that are gone. */
static void write_deletions(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after,
                            size_t start, bool *reserved)
{
    uint32_t expected = 0;
    for (uint32_t i = 0; i < before->count; i++) {
        const struct pp_value_key *key = before->members[i].key;
        const struct pp_value_member *kept = pp_value_find(after, key, expected);
        if (kept != NULL) {
            expected = (uint32_t)(kept - after->members) + 1;
            continue;
        }
        write_key(d->out, start, key);
        pp_buf_append_string(d->out, "{\"" PP_DELTA_DELETED "\":true}");
        d->overhead++;
        *reserved = *reserved || pp_delta_is_reserved(key);
    }
}

static bool diff_maps(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after)
{
    size_t start = d->out->len;
    unsigned overhead = d->overhead;
    bool reserved = false;
    if (before->members == after->members && before->count == after->count)
        return false;
    pp_buf_append_char(d->out, '{');
    d->depth++;
    if (write_changes(d, before, after, &reserved) < before->count)
        write_deletions(d, before, after, start, &reserved);
    d->depth--;
    if (d->out->len == start + 1 || reserved) {
        bool changed = d->out->len > start + 1;
        d->out->len = start;
        if (changed)
            write_escaped(d, after);
        return changed;
    }
    pp_buf_append_char(d->out, '}');
    if (d->overhead != overhead && d->out->len - start > PP_DELTA_SMALL)
        pp_diff_keep_shorter(d, start, after);
    return true;
}

bool pp_diff_values(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after)
{
    if (before->kind == after->kind) {
        if (after->kind == PP_VALUE_MAP)
            return diff_maps(d, before, after);
        if (after->kind == PP_VALUE_ARRAY)
            return pp_diff_arrays(d, before, after);
        if (pp_value_equal(before, after))
            return false;
    }
    write_value(d, after);
    return true;
}

bool pp_delta_diff(const struct pp_value *before, const struct pp_value *after, struct pp_buf *out)
{
    struct pp_differ d = {.out = out};
    return pp_diff_values(&d, before, after);
}

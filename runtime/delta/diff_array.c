/* Comparing arrays: {"__pp_array_ops":[splice…, set or patch]}. The splices come in rising order, each with its index
 * in the array as those before have left it; so at the end every element is at its new place, and what changed in place
 * is patched there. */
#include "delta/delta_internal.h"

#include "base/buf.h"
#include "base/memory.h"
#include "delta/align.h"
#include "value/json_writer.h"

#include <stdlib.h>

/* The parts of two arrays that are neither equal at the front nor at the back. */
struct middle {
    const struct pp_value *before, *after;
    uint32_t n, m;
    uint32_t first; /* elements that are equal in front */
    uint32_t *from; /* pp_align's */
};

static struct middle trim(const struct pp_value *before, const struct pp_value *after)
{
    uint32_t n = before->count, m = after->count, first = 0;
    while (first < n && first < m && pp_value_equal(&before->items[first], &after->items[first]))
        first++;
    while (n > first && m > first && pp_value_equal(&before->items[n - 1], &after->items[m - 1])) {
        n--;
        m--;
    }
    return (struct middle){before->items + first, after->items + first, n - first, m - first, first, NULL};
}

/* Begins an operation of the list whose text began at `start`. */
static void write_op(struct pp_buf *out, size_t start, const char *text)
{
    if (out->len > start)
        pp_buf_append_char(out, ',');
    pp_buf_append_string(out, text);
}

static void write_splice(struct pp_buf *out, size_t start, uint32_t index, uint32_t deleted,
                         const struct pp_value *items, uint32_t count)
{
    const struct pp_value added = {.items = items, .count = count, .kind = PP_VALUE_ARRAY};
    write_op(out, start, "{\"op\":\"splice\",\"index\":");
    pp_json_write_integer(out, index);
    pp_buf_append_string(out, ",\"deleteCount\":");
    pp_json_write_integer(out, deleted);
    pp_buf_append_string(out, ",\"items\":");
    pp_value_write(&added, out);
    pp_buf_append_char(out, '}');
}

/* Appends a splice for each run of elements that are gone or new; returns how many. */
static uint32_t write_splices(struct pp_buf *out, const struct middle *mid)
{
    uint32_t i = 0, j = 0, written = 0;
    size_t start = out->len;
    for (;;) {
        while (j < mid->m && mid->from[j] == i) {
            i++;
            j++;
        }
        if (i == mid->n && j == mid->m)
            return written;
        uint32_t end = j;
        while (end < mid->m && mid->from[end] == PP_ALIGN_NEW)
            end++;
        uint32_t until = end < mid->m ? mid->from[end] : mid->n;
        write_splice(out, start, mid->first + j, until - i, mid->after + j, end - j);
        written++;
        i = until;
        j = end;
    }
}

/* Appends {"op":"patch","items":{…}} with what changed in place. Returns how many elements did; `last` is the last. */
static uint32_t write_patch(struct pp_differ *d, const struct middle *mid, size_t list, uint32_t *last)
{
    struct pp_buf *out = d->out;
    uint32_t written = 0;
    write_op(out, list, "{\"op\":\"patch\",\"items\":{");
    size_t first = out->len;
    d->depth += 4;
    for (uint32_t j = 0; j < mid->m; j++) {
        size_t len = out->len;
        if (mid->from[j] == PP_ALIGN_NEW)
            continue;
        pp_buf_append_string(out, len > first ? ",\"" : "\"");
        pp_json_write_integer(out, mid->first + j);
        pp_buf_append(out, "\":", 2);
        if (pp_diff_values(d, &mid->before[mid->from[j]], &mid->after[j])) {
            written++;
            *last = j;
        } else {
            out->len = len;
        }
    }
    d->depth -= 4;
    pp_buf_append(out, "}}", 2);
    return written;
}

static void write_set(struct pp_buf *out, size_t list, uint32_t index, const struct pp_value *value)
{
    write_op(out, list, "{\"op\":\"set\",\"index\":");
    pp_json_write_integer(out, index);
    pp_buf_append_string(out, ",\"value\":");
    pp_value_write(value, out);
    pp_buf_append_char(out, '}');
}

/* Whether the element was replaced as a whole. */
static bool is_replaced(const struct pp_value *before, const struct pp_value *after)
{
    return before->kind != after->kind || after->kind < PP_VALUE_ARRAY;
}

/* False where there would be more operations than a reader takes. */
static bool write_ops(struct pp_differ *d, const struct middle *mid)
{
    struct pp_buf *out = d->out;
    uint32_t last = 0;
    pp_buf_append_string(out, "{\"" PP_DELTA_ARRAY_OPS "\":[");
    size_t list = out->len;
    uint32_t splices = write_splices(out, mid);
    size_t len = out->len;
    uint32_t patched = write_patch(d, mid, list, &last);
    if (patched == 0)
        out->len = len;
    if (patched == 1 && is_replaced(&mid->before[mid->from[last]], &mid->after[last])) {
        out->len = len;
        write_set(out, list, mid->first + last, &mid->after[last]);
    }
    pp_buf_append(out, "]}", 2);
    d->overhead++;
    return splices < PP_DELTA_MAX_OPS;
}

bool pp_diff_arrays(struct pp_differ *d, const struct pp_value *before, const struct pp_value *after)
{
    size_t start = d->out->len;
    if (before->items == after->items && before->count == after->count)
        return false;
    struct middle mid = trim(before, after);
    if (mid.n == 0 && mid.m == 0)
        return false;
    /* Operations are four levels deep, and an escape one more. */
    bool fits = d->depth + after->depth + 4U <= PP_DELTA_MAX_DEPTH;
    if (!fits || before->count == 0 || after->count == 0) {
        pp_value_write(after, d->out);
        return true;
    }
    uint32_t few[128];
    mid.from = mid.m <= 128 ? few : pp_malloc(mid.m * sizeof *mid.from);
    pp_align(mid.before, mid.n, mid.after, mid.m, mid.from);
    if (write_ops(d, &mid)) {
        pp_diff_keep_shorter(d, start, after);
    } else {
        d->out->len = start;
        pp_value_write(after, d->out);
    }
    if (mid.from != few)
        free(mid.from);
    return true;
}

/* Types and records: building them, and their names. */
#include "wire/schema_type.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t least;
} kinds[] = {
    [PP_UINT8] = {"uint8", 1},     [PP_UINT16] = {"uint16", 2},   [PP_UINT32] = {"uint32", 4},
    [PP_INT8] = {"int8", 1},       [PP_INT16] = {"int16", 2},     [PP_INT32] = {"int32", 4},
    [PP_FLOAT32] = {"float32", 4}, [PP_FLOAT64] = {"float64", 8}, [PP_BOOL] = {"bool", 1},
    [PP_VARINT] = {"varint", 1},   [PP_TEXT] = {"string", 2},     [PP_BYTES] = {"bytes", 4},
    [PP_ARRAY] = {"array", 2},     [PP_RECORD] = {"record", 0},
};

/* What people of other languages would write. */
static const char *const aliases[][2] = {
    {"float", "float32"}, {"double", "float64"}, {"number", "float64"}, {"integer", "int32"}, {"boolean", "bool"},
    {"text", "string"},   {"buffer", "bytes"},   {"binary", "bytes"},   {"list", "array"},    {"table", "array"},
    {"int", "int32"},     {"str", "string"},     {"u8", "uint8"},       {"u16", "uint16"},    {"u32", "uint32"},
    {"i8", "int8"},       {"i16", "int16"},      {"i32", "int32"},      {"f32", "float32"},   {"f64", "float64"},
    {"byte", "uint8"},    {"short", "int16"},    {"long", "varint"},    {"uint64", "varint"}, {"int64", "varint"},
};

static bool same(const char *known, const char *name, size_t len)
{
    return strlen(known) == len && memcmp(known, name, len) == 0;
}

int pp_type_by_name(const char *name, size_t len)
{
    for (int code = 0; code < PP_RECORD; code++)
        if (same(kinds[code].name, name, len))
            return code;
    return -1;
}

const char *pp_type_name(enum pp_type_code code)
{
    return kinds[code].name;
}

/* Insertions, deletions and replacements that lead from one word to the other. */
static size_t distance(const char *known, const char *name, size_t len)
{
    size_t row[16]; /* known is one of ours, below 16 letters */
    size_t width = strlen(known);
    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t j = 1; j <= len; j++) {
        size_t diagonal = row[0];
        row[0] = j;
        for (size_t i = 1; i <= width; i++) {
            size_t best = diagonal + (known[i - 1] != name[j - 1]);
            diagonal = row[i];
            if (row[i] + 1 < best)
                best = row[i] + 1;
            if (row[i - 1] + 1 < best)
                best = row[i - 1] + 1;
            row[i] = best;
        }
    }
    return row[width];
}

const char *pp_type_nearest(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
        if (same(aliases[i][0], name, len))
            return aliases[i][1];
    if (len > 16)
        return NULL;
    const char *nearest = NULL;
    size_t least = 4; /* more than three letters wrong is another word */
    for (int code = 0; code < PP_RECORD; code++) {
        size_t steps = distance(kinds[code].name, name, len);
        if (steps < least && steps < len) {
            least = steps;
            nearest = kinds[code].name;
        }
    }
    return nearest;
}

static struct pp_type *type_new(enum pp_type_code code, unsigned depth, size_t least)
{
    struct pp_type *type = pp_calloc(1, sizeof(*type));
    type->code = code;
    type->depth = depth;
    type->least = least;
    return type;
}

struct pp_type *pp_type_scalar(enum pp_type_code code)
{
    return type_new(code, 0, kinds[code].least);
}

struct pp_type *pp_type_array(struct pp_type *of)
{
    struct pp_type *type = type_new(PP_ARRAY, of->depth + 1, kinds[PP_ARRAY].least);
    type->of = of;
    return type;
}

struct pp_type *pp_type_record(struct pp_record *record)
{
    struct pp_type *type = type_new(PP_RECORD, record->depth, record->least);
    type->record = record;
    return type;
}

void pp_type_delete(struct pp_type *type)
{
    if (type == NULL)
        return;
    pp_type_delete(type->of);
    pp_record_delete(type->record);
    free(type);
}

struct pp_record *pp_record_new(void)
{
    struct pp_record *record = pp_calloc(1, sizeof(*record));
    record->depth = 1;
    return record;
}

void pp_record_delete(struct pp_record *record)
{
    if (record == NULL)
        return;
    for (size_t i = 0; i < record->count; i++) {
        free(record->fields[i].name);
        pp_type_delete(record->fields[i].type);
    }
    free(record->fields);
    free(record);
}

static bool can_add(const struct pp_record *record, const char *name, size_t len, const struct pp_type *type)
{
    if (record->count == PP_RECORD_FIELDS || type->depth >= PP_TYPE_DEPTH || len == 0)
        return false;
    for (size_t i = 0; i < record->count; i++)
        if (record->fields[i].name_len == len && memcmp(record->fields[i].name, name, len) == 0)
            return false;
    return true;
}

bool pp_record_add(struct pp_record *record, const char *name, size_t len, struct pp_type *type)
{
    if (!can_add(record, name, len, type)) {
        pp_type_delete(type);
        return false;
    }
    record->fields = pp_realloc(record->fields, (record->count + 1) * sizeof(*record->fields));
    record->fields[record->count++] =
        (struct pp_field){.name = pp_strndup(name, len), .name_len = len, .type = type, .tag = -1};
    record->least += type->least;
    if (record->depth < type->depth + 1)
        record->depth = type->depth + 1;
    return true;
}

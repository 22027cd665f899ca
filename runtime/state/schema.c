/* A schema's bytes, read by recursive descent; then each record's values are laid out, the widest first. */
#include "state/schema.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct pp_state_schema *schema;
    const unsigned char *at, *end;
    char *error;
    size_t error_size;
};

static bool parse_type(struct parser *p, struct pp_state_record *record, struct pp_state_member *member,
                       unsigned depth);

static bool fail(struct parser *p, const char *reason)
{
    snprintf(p->error, p->error_size, "%s", reason);
    return false;
}

static uint64_t take(struct parser *p, unsigned bytes)
{
    uint64_t value = 0;
    if ((size_t)(p->end - p->at) < bytes) {
        p->at = p->end;
        return 0; /* no code, count, limit or length may be 0 */
    }
    for (; bytes > 0; bytes--)
        value = value << 8 | *p->at++;
    return value;
}

int pp_state_name_is_good(const char *name, size_t len)
{
    static const char *const taken[] = {"__proto__", "constructor", "prototype"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (len == strlen(taken[i]) && memcmp(name, taken[i], len) == 0)
            return false;
    return len > 0 && len <= PP_STATE_NAME_MAX && !(len >= 5 && memcmp(name, "__pp_", 5) == 0) &&
           pp_utf8_valid(name, len);
}

int pp_state_text_is_good(const char *text, size_t len)
{
    return pp_utf8_valid(text, len);
}

static struct pp_state_record *new_record(struct parser *p)
{
    struct pp_state_schema *schema = p->schema;
    if (schema->record_count == PP_STATE_RECORDS)
        return NULL;
    struct pp_state_record *record = pp_calloc(1, sizeof(*record));
    record->schema = schema;
    record->names.name = pp_strndup("", 0);
    schema->records[schema->record_count++] = record;
    return record;
}

static bool parse_name(struct parser *p, struct pp_state_member *member, const struct pp_state_member *before)
{
    size_t len = (size_t)take(p, 1);
    const char *name = (const char *)p->at;
    if ((size_t)(p->end - p->at) < len || !pp_state_name_is_good(name, len))
        return fail(p, "a field has a bad name");
    p->at += len;
    member->name = pp_strndup(name, len);
    member->name_len = (uint8_t)len;
    size_t shorter = before && before->name_len < len ? before->name_len : len;
    int order = before ? memcmp(before->name, name, shorter) : -1;
    if (order > 0 || (order == 0 && before->name_len >= len))
        return fail(p, "the fields are not in the order of their names");
    return true;
}

static bool parse_members(struct parser *p, struct pp_state_record *record, struct pp_state_member *parent,
                          unsigned depth)
{
    size_t count = (size_t)take(p, 1);
    if (count == 0 || count > PP_STATE_FIELDS)
        return fail(p, "a record has from 1 to 64 fields");
    parent->members = pp_calloc(count, sizeof(*parent->members));
    for (size_t i = 0; i < count; i++) {
        struct pp_state_member *member = &parent->members[i];
        parent->member_count = (uint16_t)(i + 1);
        if (!parse_name(p, member, i > 0 ? member - 1 : NULL) || !parse_type(p, record, member, depth))
            return false;
    }
    return true;
}

static bool parse_group(struct parser *p, struct pp_state_field *field, unsigned depth)
{
    field->limit = (uint32_t)take(p, 4);
    if (field->limit == 0 || field->limit > PP_STATE_ITEMS_MAX)
        return fail(p, "a map or list holds from 1 to 1048576 items");
    struct pp_state_record *element = new_record(p);
    if (element == NULL)
        return fail(p, "a schema has at most 256 maps and lists");
    field->element = element;
    element->is_single = p->at < p->end && *p->at != PP_STATE_RECORD;
    return parse_type(p, element, &element->names, depth + 1);
}

static bool parse_quantized(struct parser *p, struct pp_state_field *field)
{
    uint64_t low = take(p, 8), high = take(p, 8);
    memcpy(&field->min, &low, 8);
    memcpy(&field->max, &high, 8);
    field->bits = (uint8_t)take(p, 1);
    double range = field->max - field->min;
    if (field->bits < 1 || field->bits > 32 || !isfinite(field->min) || !isfinite(field->max) || !(range > 0) ||
        !isfinite(range))
        return fail(p, "quantized has min below max, and from 1 to 32 bits");
    field->steps = (double)((UINT64_C(1) << field->bits) - 1) / range;
    if (!isfinite(field->steps) || fmax(fabs(field->min), fabs(field->max)) * field->steps > 0x1p48)
        return fail(p, "quantized has finer steps than a double at its bounds");
    field->decimals = pow(10, fmax(0, ceil(log10(2 * field->steps))));
    return true;
}

static bool parse_field(struct parser *p, struct pp_state_field *field, unsigned kind, unsigned depth)
{
    static const uint8_t bits[] = {
        [PP_STATE_BOOL] = 1,     [PP_STATE_UINT8] = 8,  [PP_STATE_UINT16] = 16, [PP_STATE_UINT32] = 32,
        [PP_STATE_INT8] = 8,     [PP_STATE_INT16] = 16, [PP_STATE_INT32] = 32,  [PP_STATE_FLOAT32] = 32,
        [PP_STATE_FLOAT64] = 64, [PP_STATE_VARINT] = 53};
    field->kind = (uint8_t)kind;
    if (kind >= PP_STATE_BOOL && kind <= PP_STATE_VARINT) {
        field->bits = bits[kind];
        return true;
    }
    if (kind == PP_STATE_TEXT) {
        field->limit = (uint32_t)take(p, 4);
        return (field->limit > 0 && field->limit <= PP_STATE_TEXT_MAX) || fail(p, "a string has from 1 to 65535 bytes");
    }
    if (kind == PP_STATE_QUANTIZED)
        return parse_quantized(p, field);
    if (kind == PP_STATE_MAP || kind == PP_STATE_LIST)
        return parse_group(p, field, depth);
    return fail(p, "a type is not known");
}

static bool parse_type(struct parser *p, struct pp_state_record *record, struct pp_state_member *member, unsigned depth)
{
    if (depth > PP_STATE_DEPTH)
        return fail(p, "records, maps and lists nest at most 8 deep");
    unsigned kind = (unsigned)take(p, 1);
    member->first = (uint8_t)record->count;
    bool fine;
    if (kind == PP_STATE_RECORD)
        fine = parse_members(p, record, member, depth + 1);
    else if (record->count == PP_STATE_FIELDS)
        fine = fail(p, "a record has at most 64 fields, those of its records counted");
    else
        fine = parse_field(p, &record->fields[record->count++], kind, depth);
    member->count = (uint8_t)(record->count - member->first);
    return fine;
}

/* Bytes that a value takes in memory. */
static unsigned width_of(const struct pp_state_field *field)
{
    switch (field->kind) {
    case PP_STATE_BOOL:
    case PP_STATE_UINT8:
    case PP_STATE_INT8:
        return 1;
    case PP_STATE_UINT16:
    case PP_STATE_INT16:
        return 2;
    case PP_STATE_UINT32:
    case PP_STATE_INT32:
    case PP_STATE_FLOAT32:
        return 4;
    default:
        return 8; /* doubles, and the pointer to a text */
    }
}

static void lay_out(struct pp_state_record *record)
{
    for (unsigned width = 8; width > 0; width /= 2)
        for (uint32_t i = 0; i < record->count; i++) {
            struct pp_state_field *field = &record->fields[i];
            if (pp_state_is_group(field) || width_of(field) != width)
                continue;
            field->offset = (uint16_t)record->size;
            record->size += width;
        }
    record->size = (record->size + 7) / 8 * 8;
    record->initial = pp_calloc(1, record->size + 1);
    for (uint32_t i = 0; i < record->count; i++) {
        struct pp_state_field *field = &record->fields[i];
        double nearest = fmin(fmax(0, field->min), field->max);
        record->texts |= (uint64_t)(field->kind == PP_STATE_TEXT) << i;
        if (pp_state_is_group(field))
            field->offset = (uint16_t)record->groups++;
        else if (field->kind == PP_STATE_QUANTIZED)
            memcpy(record->initial + field->offset, &nearest, 8);
    }
}

struct pp_state_schema *pp_state_schema_new(const void *bytes, size_t len, char *error, size_t error_size)
{
    struct pp_state_schema *schema = pp_calloc(1, sizeof(*schema));
    struct parser p = {schema, bytes, (const unsigned char *)bytes + len, error, error_size};
    schema->refs = 1;
    schema->bytes = (unsigned char *)pp_strndup(bytes, len);
    schema->len = len;
    bool fine = take(&p, 1) == PP_STATE_FORMAT || fail(&p, "the schema is of a format that is not known");
    schema->root = new_record(&p);
    if (fine && p.at < p.end && *p.at != PP_STATE_RECORD)
        fine = fail(&p, "a state is a record");
    fine = fine && parse_type(&p, schema->root, &schema->root->names, 0);
    if (fine && p.at != p.end)
        fine = fail(&p, "there are bytes behind the schema");
    for (uint32_t i = 0; fine && i < schema->record_count; i++)
        lay_out(schema->records[i]);
    if (fine)
        return schema;
    pp_state_schema_unref(schema);
    return NULL;
}

uint32_t pp_state_offset(const struct pp_state_schema *schema, uint32_t record, uint32_t field)
{
    return schema->records[record]->fields[field].offset;
}

uint32_t pp_state_serial(void)
{
    static uint32_t last;
    return ++last;
}

static void destroy_member(struct pp_state_member *member)
{
    for (unsigned i = 0; i < member->member_count; i++)
        destroy_member(&member->members[i]);
    free(member->members);
    free(member->name);
}

void pp_state_schema_unref(struct pp_state_schema *schema)
{
    if (--schema->refs > 0)
        return;
    for (uint32_t i = 0; i < schema->record_count; i++) {
        destroy_member(&schema->records[i]->names);
        free(schema->records[i]->initial);
        free(schema->records[i]);
    }
    free(schema->bytes);
    free(schema);
}

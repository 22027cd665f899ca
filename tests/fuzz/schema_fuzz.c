/* Struct payloads: the first byte picks a record, the rest is its payload. What decodes must encode to the same bytes
 * again (NaN aside), and no prefix of it may decode. */
#include "../unit/wire/value_tree.h"
#include "wire/schema.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS 5

static struct pp_record *records[RECORDS];

static void require(int holds)
{
    if (!holds)
        abort();
}

static void add(struct pp_record *record, struct pp_type *type)
{
    char name[8];
    snprintf(name, sizeof(name), "f%zu", record->count);
    require(pp_record_add(record, name, strlen(name), type));
}

static struct pp_record *record_of(const enum pp_type_code *codes, size_t count)
{
    struct pp_record *record = pp_record_new();
    for (size_t i = 0; i < count; i++)
        add(record, pp_type_scalar(codes[i]));
    return record;
}

static void make_records(void)
{
    static const enum pp_type_code point[] = {PP_FLOAT32, PP_FLOAT32};
    static const enum pp_type_code all[] = {PP_UINT8, PP_UINT16,  PP_UINT32,  PP_INT8,   PP_INT16, PP_INT32,
                                            PP_BOOL,  PP_FLOAT32, PP_FLOAT64, PP_VARINT, PP_TEXT,  PP_BYTES};
    static const enum pp_type_code player[] = {PP_VARINT, PP_TEXT, PP_BOOL};
    records[0] = record_of(point, 2);
    records[1] = record_of(all, sizeof(all) / sizeof(all[0]));
    records[2] = pp_record_new();
    add(records[2], pp_type_array(pp_type_record(record_of(player, 3))));
    add(records[2], pp_type_record(record_of(point, 2)));
    records[3] = pp_record_new();
    struct pp_type *deep = pp_type_scalar(PP_VARINT);
    while (deep->depth < PP_TYPE_DEPTH - 1)
        deep = pp_type_array(deep);
    add(records[3], deep);
    records[4] = pp_record_new();
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        add(records[4], pp_type_array(pp_type_scalar(all[i])));
}

static void check_same(const struct pp_record *record, struct tree *tree, struct node *value, const uint8_t *payload,
                       size_t len)
{
    char error[256];
    struct pp_buf out = {0};
    require(tree_encode(record, tree, value, &out, error, sizeof(error)));
    require(out.len == len);
    require(tree->saw_nan || len == 0 || memcmp(out.data, payload, len) == 0);
    struct tree shorter = {0};
    require(tree_decode(record, &shorter, payload, len - 1, error, sizeof(error)) == NULL);
    require(strlen(error) > 0 && strlen(error) < sizeof(error));
    tree_clear(&shorter);
    pp_buf_destroy(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (records[0] == NULL)
        make_records();
    if (size == 0)
        return 0;
    char error[256];
    struct tree tree = {0};
    const struct pp_record *record = records[data[0] % RECORDS];
    struct node *value = tree_decode(record, &tree, data + 1, size - 1, error, sizeof(error));
    if (value)
        check_same(record, &tree, value, data + 1, size - 1);
    tree_clear(&tree);
    const char *json, *bytes;
    size_t json_len, bytes_len;
    if (pp_mixed_split(data, size, &json, &json_len, &bytes, &bytes_len))
        require(json_len + bytes_len + 4 == size && bytes + bytes_len == (const char *)data + size);
    return 0;
}

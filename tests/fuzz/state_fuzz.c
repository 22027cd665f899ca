/* Declared state from a peer. The first byte picks what the rest is: a schema, or a snapshot or delta for a state of
 * one of three schemas. What is refused leaves the state as it was; what is taken makes one that its own snapshot makes
 * again. */
#include "state/delta.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SCHEMAS 3

/* All plain values; a map of records with a text and a nested map; lists of numbers and of records. */
static const unsigned char all[] = "\1\15\15\1a\1\1b\2\1c\3\1d\4\1e\5\1f\6\1g\7\1h\10\1i\11\1j\12\1k\13\0\0\0\40"
                                   "\1l\14\300\131\0\0\0\0\0\0\100\131\0\0\0\0\0\0\20\1m\15\1\1n\1";
static const unsigned char maps[] = "\1\15\2\1m\16\0\0\0\10\15\3\1n\13\0\0\0\20\1o\16\0\0\0\4\3\1x\10\1v\2";
static const unsigned char lists[] = "\1\15\2\1l\17\0\0\0\10\3\1r\17\0\0\0\10\15\2\1a\1\1t\13\0\0\0\4";

static struct pp_state_schema *schemas[SCHEMAS];

static void require(int holds)
{
    if (!holds)
        abort();
}

static struct pp_state_schema *make(const unsigned char *bytes, size_t len)
{
    char error[128];
    struct pp_state_schema *schema = pp_state_schema_new(bytes, len, error, sizeof(error));
    require(schema != NULL);
    return schema;
}

/* A state makes itself again from its snapshot, and writing both forms of JSON harms nobody. */
static void check_snapshot(struct pp_state_block *root)
{
    struct pp_buf out = {0}, again = {0};
    struct pp_state_block *copy = pp_state_new(root->record->schema);
    pp_state_snapshot(root, &out);
    require(pp_state_load(copy, out.data, out.len) == PP_STATE_OK);
    pp_state_snapshot(copy, &again);
    require(out.len == again.len && memcmp(out.data, again.data, out.len) == 0);
    require(pp_state_hash(copy) == pp_state_hash(root));
    pp_state_json(root, 1, &out);
    pp_state_unref(copy);
    pp_buf_destroy(&out);
    pp_buf_destroy(&again);
}

static void fuzz_schema(const uint8_t *data, size_t size)
{
    char error[128] = "";
    struct pp_state_schema *schema = pp_state_schema_new(data, size, error, sizeof(error));
    if (schema == NULL) {
        require(error[0] != '\0');
        return;
    }
    require(schema->len == size && memcmp(schema->bytes, data, size) == 0);
    struct pp_state_block *root = pp_state_new(schema);
    check_snapshot(root);
    pp_state_unref(root);
    pp_state_schema_unref(schema);
}

/* The rest is snapshots and deltas, each with a byte of length in front. */
static void fuzz_state(struct pp_state_schema *schema, bool begins_whole, const uint8_t *data, size_t size)
{
    struct pp_state_block *root = pp_state_new(schema);
    struct pp_buf json = {0};
    for (bool whole = begins_whole; size > 1; whole = false) {
        size_t len = data[0] < size ? data[0] : size - 1;
        uint32_t hash = pp_state_hash(root), version = root->state->version;
        enum pp_state_status status =
            whole ? pp_state_load(root, data + 1, len) : pp_state_apply(root, data + 1, len, 1, &json);
        if (status == PP_STATE_MALFORMED || status == PP_STATE_GAP)
            require(pp_state_hash(root) == hash && root->state->version == version && !pp_state_scan(root));
        else
            check_snapshot(root);
        data += len + 1;
        size -= len + 1;
    }
    pp_buf_destroy(&json);
    pp_state_unref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (schemas[0] == NULL) {
        schemas[0] = make(all, sizeof(all) - 1);
        schemas[1] = make(maps, sizeof(maps) - 1);
        schemas[2] = make(lists, sizeof(lists) - 1);
    }
    if (size == 0)
        return 0;
    if (data[0] % 8 == 7)
        fuzz_schema(data + 1, size - 1);
    else
        fuzz_state(schemas[data[0] % SCHEMAS], data[0] & 8, data + 1, size - 1);
    return 0;
}

/* The golden vectors of declared state (sdk/vectors/state.json), read as a client reads them, and what is no delta. */
#include "harness.h"

#include <jansson.h>
#include <stdio.h>

#include "guard.h"
#include "state/delta.h"

static size_t from_hex(const char *text, unsigned char *out)
{
    size_t len = 0;
    for (unsigned byte; sscanf(text, "%2x", &byte) == 1; text += 2)
        out[len++] = (unsigned char)byte;
    return len;
}

struct bytes {
    unsigned char at[8192];
    size_t len;
};

static struct bytes bytes_of(const json_t *object, const char *name)
{
    struct bytes bytes = {.len = 0};
    const char *text = json_string_value(json_object_get(object, name));
    CU_ASSERT_FATAL(text && strlen(text) / 2 < sizeof(bytes.at));
    bytes.len = text ? from_hex(text, bytes.at) : 0;
    return bytes;
}

static struct pp_state_schema *schema_of(const json_t *vector)
{
    struct bytes bytes = bytes_of(vector, "schema");
    char error[128] = "";
    struct pp_state_schema *schema = pp_state_schema_new(bytes.at, bytes.len, error, sizeof(error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    return schema;
}

/* The state is what the line says; where the line says it whole, also in JSON and bytes. */
static void check(struct pp_state_block *root, const json_t *line)
{
    CU_ASSERT_EQUAL(pp_state_hash(root), (uint32_t)json_integer_value(json_object_get(line, "hash")));
    const json_t *whole = json_object_get(line, "state");
    if (whole == NULL)
        return;
    struct pp_buf out = {0};
    pp_state_json(root, 0, &out);
    json_t *got = json_loadb(out.data, out.len, 0, NULL);
    CU_ASSERT(json_equal(got, whole));
    json_decref(got);
    pp_buf_clear(&out);
    pp_state_snapshot(root, &out);
    struct bytes snapshot = bytes_of(line, "snapshot");
    CU_ASSERT_EQUAL_FATAL(out.len, snapshot.len);
    CU_ASSERT_EQUAL(memcmp(out.data, snapshot.at, out.len), 0);
    pp_buf_destroy(&out);
}

static enum pp_state_status apply_guarded(struct pp_state_block *root, const unsigned char *bytes, size_t len)
{
    struct pp_guard guard = pp_guard_new(len + 1);
    enum pp_state_status status = pp_state_apply(root, pp_guard_place(&guard, bytes, len), len, 1, NULL);
    pp_guard_delete(&guard);
    return status;
}

/* Every delta that is cut short or has a byte more is refused and changes nothing. */
static void refuse_damaged(struct pp_state_block *root, struct bytes *delta)
{
    uint32_t hash = pp_state_hash(root);
    for (size_t len = 0; len < delta->len; len++)
        CU_ASSERT_EQUAL(apply_guarded(root, delta->at, len), PP_STATE_MALFORMED);
    delta->at[delta->len] = 0;
    CU_ASSERT_EQUAL(apply_guarded(root, delta->at, delta->len + 1), PP_STATE_MALFORMED);
    delta->at[0]++;
    CU_ASSERT_EQUAL(apply_guarded(root, delta->at, delta->len), PP_STATE_GAP);
    delta->at[0]--;
    CU_ASSERT_EQUAL(pp_state_hash(root), hash);
}

static void follow(const json_t *vector)
{
    struct pp_state_schema *schema = schema_of(vector);
    struct pp_state_block *root = pp_state_new(schema), *late = pp_state_new(schema);
    const json_t *begin = json_object_get(vector, "begin"), *step;
    struct bytes bytes = bytes_of(begin, "snapshot");
    CU_ASSERT_EQUAL(pp_state_load(root, bytes.at, bytes.len), PP_STATE_OK);
    check(root, begin);
    size_t i;
    json_array_foreach(json_object_get(vector, "steps"), i, step)
    {
        bytes = bytes_of(step, "delta");
        refuse_damaged(root, &bytes);
        CU_ASSERT_EQUAL_FATAL(pp_state_apply(root, bytes.at, bytes.len, 1, NULL), PP_STATE_OK);
        CU_ASSERT_EQUAL(root->state->version, (uint32_t)json_integer_value(json_object_get(step, "version")));
        check(root, step);
        if (json_object_get(step, "snapshot") == NULL)
            continue;
        bytes = bytes_of(step, "snapshot");
        CU_ASSERT_EQUAL(pp_state_load(late, bytes.at, bytes.len), PP_STATE_OK);
        check(late, step);
    }
    pp_state_unref(root);
    pp_state_unref(late);
    pp_state_schema_unref(schema);
}

static json_t *load_vectors(void)
{
    json_t *vectors = json_load_file(PP_SOURCE "/sdk/vectors/state.json", 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vectors);
    CU_ASSERT_FATAL(json_array_size(vectors) > 0);
    return vectors;
}

static void follows_the_vectors(void)
{
    json_t *vectors = load_vectors(), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector) follow(vector);
    json_decref(vectors);
}

static void refuses_damaged_schemas(void)
{
    json_t *vectors = load_vectors(), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector)
    {
        struct bytes bytes = bytes_of(vector, "schema");
        char error[128];
        for (size_t len = 0; len < bytes.len; len++) {
            struct pp_guard guard = pp_guard_new(len + 1);
            error[0] = '\0';
            CU_ASSERT_PTR_NULL(pp_state_schema_new(pp_guard_place(&guard, bytes.at, len), len, error, sizeof(error)));
            CU_ASSERT(strlen(error) > 0);
            pp_guard_delete(&guard);
        }
    }
    json_decref(vectors);
}

static void refuses_schemas_that_are_none(void)
{
    static const struct {
        const char *bytes, *reason;
    } cases[] = {
        {"", "the schema is of a format that is not known"},
        {"020d01016101", "the schema is of a format that is not known"},
        {"0102", "a state is a record"},
        {"010d00", "a record has from 1 to 64 fields"},
        {"010d41", "a record has from 1 to 64 fields"},
        {"010d0101610100", "there are bytes behind the schema"},
        {"010d02016201016101", "the fields are not in the order of their names"},
        {"010d02016101016101", "the fields are not in the order of their names"},
        {"010d01016110", "a type is not known"},
        {"010d0101610b00000000", "a string has from 1 to 65535 bytes"},
        {"010d0101610b00010000", "a string has from 1 to 65535 bytes"},
        {"010d0101610e0000000001", "a map or list holds from 1 to 1048576 items"},
        {"010d0101610f0010000101", "a map or list holds from 1 to 1048576 items"},
        {"010d0101ff01", "a field has a bad name"},
        {"010d01065f5f70705f7801", "a field has a bad name"},
        {"010d010001", "a field has a bad name"},
        {"010d0101610c3ff000000000000000000000000000000010", "quantized has min below max, and from 1 to 32 bits"},
        {"010d0101610c00000000000000003ff000000000000021", "quantized has min below max, and from 1 to 32 bits"},
        {"010d0101610c00000000000000007ff000000000000008", "quantized has min below max, and from 1 to 32 bits"},
        {"010d0101610d0101610d0101610d0101610d0101610d0101610d0101610d0101610d0101610d01016101",
         "records, maps and lists nest at most 8 deep"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[256];
        char error[128] = "";
        size_t len = from_hex(cases[i].bytes, bytes);
        CU_ASSERT_PTR_NULL(pp_state_schema_new(bytes, len, error, sizeof(error)));
        CU_ASSERT_STRING_EQUAL(error, cases[i].reason);
    }
}

int main(void)
{
    return pp_run_suite("state/vectors", (CU_TestInfo[]){
                                             {"follows the vectors", follows_the_vectors},
                                             {"refuses damaged schemas", refuses_damaged_schemas},
                                             {"refuses schemas that are none", refuses_schemas_that_are_none},
                                             CU_TEST_INFO_NULL,
                                         });
}

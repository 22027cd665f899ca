/* Schemas: the registry's ids and clashes, the bytes of every type, and what encode and decode refuse. */
#include "harness.h"
#include "value_tree.h"
#include "wire/schema.h"

#include <math.h>
#include <string.h>

static char error[512];

static struct pp_type *scalar(const char *name)
{
    return pp_type_scalar((enum pp_type_code)pp_type_by_name(name, strlen(name)));
}

static struct pp_record *record_of(const char *name, struct pp_type *type)
{
    struct pp_record *record = pp_record_new();
    CU_ASSERT_TRUE_FATAL(pp_record_add(record, name, strlen(name), type));
    return record;
}

static void add(struct pp_record *record, const char *name, const char *type)
{
    CU_ASSERT_TRUE_FATAL(pp_record_add(record, name, strlen(name), scalar(type)));
}

/* The one-field record {v} of a value: does it encode to these bytes and decode from them to the same again? */
static void check_bytes(struct pp_type *type, struct tree *tree, struct node *value, const void *bytes, size_t len)
{
    struct pp_record *record = record_of("v", type);
    struct pp_buf out = {0};
    bool encoded = tree_encode(record, tree, tree_add(tree_node(tree, NODE_RECORD), "v", value), &out, error, 512);
    CU_ASSERT_TRUE(encoded);
    CU_ASSERT(out.len == len && memcmp(out.data, bytes, len) == 0);
    struct node *back = tree_decode(record, tree, bytes, len, error, sizeof(error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_EQUAL(back->children[0]->kind, value->kind);
    CU_ASSERT(back->children[0]->number == value->number);
    pp_buf_clear(&out);
    CU_ASSERT_TRUE(tree_encode(record, tree, back, &out, error, sizeof(error)));
    CU_ASSERT(out.len == len && memcmp(out.data, bytes, len) == 0);
    for (size_t cut = 0; cut < len; cut++)
        CU_ASSERT_PTR_NULL(tree_decode(record, tree, bytes, cut, error, sizeof(error)));
    pp_buf_append_char(&out, 0);
    CU_ASSERT_PTR_NULL(tree_decode(record, tree, out.data, out.len, error, sizeof(error)));
    pp_buf_destroy(&out);
    pp_record_delete(record);
    tree_clear(tree);
}

static void check_number(const char *type, double value, const void *bytes, size_t len)
{
    struct tree tree = {0};
    check_bytes(scalar(type), &tree, tree_number(&tree, value), bytes, len);
}

static void packs_numbers_big_endian(void)
{
    check_number("uint8", 0, "\x00", 1);
    check_number("uint8", 255, "\xFF", 1);
    check_number("int8", -128, "\x80", 1);
    check_number("int8", 127, "\x7F", 1);
    check_number("uint16", 0x1234, "\x12\x34", 2);
    check_number("int16", -2, "\xFF\xFE", 2);
    check_number("uint32", 4294967295.0, "\xFF\xFF\xFF\xFF", 4);
    check_number("uint32", 0x01020304, "\x01\x02\x03\x04", 4);
    check_number("int32", -2147483648.0, "\x80\x00\x00\x00", 4);
    check_number("float32", 1.5, "\x3F\xC0\x00\x00", 4);
    check_number("float32", -INFINITY, "\xFF\x80\x00\x00", 4);
    check_number("float64", -2, "\xC0\x00\x00\x00\x00\x00\x00\x00", 8);
    check_number("float64", 0.1, "\x3F\xB9\x99\x99\x99\x99\x99\x9A", 8);
}

static void packs_varints_in_as_few_bytes_as_they_take(void)
{
    check_number("varint", 0, "\x00", 1);
    check_number("varint", 127, "\x7F", 1);
    check_number("varint", 128, "\x80\x01", 2);
    check_number("varint", 300, "\xAC\x02", 2);
    check_number("varint", 16384, "\x80\x80\x01", 3);
    check_number("varint", PP_VARINT_MAX, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x0F", 8);
}

static void packs_bools_strings_and_bytes(void)
{
    struct tree tree = {0};
    check_bytes(scalar("bool"), &tree, tree_bool(&tree, true), "\x01", 1);
    check_bytes(scalar("bool"), &tree, tree_bool(&tree, false), "\x00", 1);
    check_bytes(scalar("string"), &tree, tree_bytes(&tree, "h\xC3\xA9", 3), "\x00\x03h\xC3\xA9", 5);
    check_bytes(scalar("string"), &tree, tree_bytes(&tree, "", 0), "\x00\x00", 2);
    check_bytes(scalar("bytes"), &tree, tree_bytes(&tree, "\xFF\x00", 2), "\x00\x00\x00\x02\xFF\x00", 6);
}

static void packs_arrays_and_records_inside(void)
{
    struct tree tree = {0};
    struct node *list = tree_node(&tree, NODE_ARRAY);
    tree_add(list, NULL, tree_number(&tree, 1));
    tree_add(list, NULL, tree_number(&tree, 513));
    check_bytes(pp_type_array(scalar("uint16")), &tree, list, "\x00\x02\x00\x01\x02\x01", 6);
    check_bytes(pp_type_array(scalar("float64")), &tree, tree_node(&tree, NODE_ARRAY), "\x00\x00", 2);
    struct node *point = tree_node(&tree, NODE_RECORD);
    tree_add(tree_add(point, "x", tree_number(&tree, 1)), "y", tree_number(&tree, 2));
    struct pp_record *points = record_of("x", scalar("uint8"));
    add(points, "y", "int8");
    list = tree_add(tree_node(&tree, NODE_ARRAY), NULL, point);
    check_bytes(pp_type_array(pp_type_record(points)), &tree, list, "\x00\x01\x01\x02", 4);
}

static void takes_the_least_room_there_is(void)
{
    struct pp_record *record = record_of("x", scalar("float32"));
    add(record, "y", "float32");
    CU_ASSERT_EQUAL(record->least, 8);
    add(record, "z", "float32");
    CU_ASSERT_EQUAL(record->least, 12);
    pp_record_delete(record);
}

/* Encoding `value` as {v: type} fails, and says so like this. */
static void check_refusal(struct pp_type *type, struct tree *tree, struct node *value, const char *message)
{
    struct pp_record *record = record_of("v", type);
    struct pp_buf out = {0};
    struct node *parent = tree_node(tree, NODE_RECORD);
    if (value)
        tree_add(parent, "v", value);
    pp_buf_append_string(&out, "kept");
    CU_ASSERT_FALSE(tree_encode(record, tree, parent, &out, error, sizeof(error)));
    CU_ASSERT_STRING_EQUAL(error, message);
    CU_ASSERT_EQUAL(out.len, 4);
    pp_buf_destroy(&out);
    pp_record_delete(record);
    tree_clear(tree);
}

static void neither_wraps_nor_rounds(void)
{
    static const struct {
        const char *type;
        double value;
        const char *message;
    } cases[] = {
        {"uint8", 256, "v: expected a whole number from 0 to 255 (uint8), got 256"},
        {"uint8", -1, "v: expected a whole number from 0 to 255 (uint8), got -1"},
        {"uint8", 1.5, "v: expected a whole number from 0 to 255 (uint8), got 1.5"},
        {"int8", 128, "v: expected a whole number from -128 to 127 (int8), got 128"},
        {"uint16", 65536, "v: expected a whole number from 0 to 65535 (uint16), got 65536"},
        {"int16", -32769, "v: expected a whole number from -32768 to 32767 (int16), got -32769"},
        {"uint32", 4294967296.0, "v: expected a whole number from 0 to 4294967295 (uint32), got 4294967296"},
        {"int32", 2147483648.0, "v: expected a whole number from -2147483648 to 2147483647 (int32), got 2147483648"},
        {"uint32", INFINITY, "v: expected a whole number from 0 to 4294967295 (uint32), got inf"},
        {"float32", 1e40, "v: expected a number up to 3.4e38 (float32), got 1e+40"},
        {"varint", -1, "v: expected a whole number from 0 to 2^53 - 1 (varint), got -1"},
        {"varint", 9007199254740992.0, "v: expected a whole number from 0 to 2^53 - 1 (varint), got 9007199254740992"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tree tree = {0};
        check_refusal(scalar(cases[i].type), &tree, tree_number(&tree, cases[i].value), cases[i].message);
    }
}

static void lets_nan_be_a_float_only(void)
{
    static const char *const whole[] = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "varint"};
    struct tree tree = {0};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        struct pp_record *record = record_of("v", scalar(whole[i]));
        struct pp_buf out = {0};
        struct node *value = tree_add(tree_node(&tree, NODE_RECORD), "v", tree_number(&tree, NAN));
        CU_ASSERT_FALSE(tree_encode(record, &tree, value, &out, error, sizeof(error)));
        pp_record_delete(record);
        pp_buf_destroy(&out);
    }
    struct pp_record *record = record_of("v", scalar("float32"));
    struct pp_buf out = {0};
    struct node *value = tree_add(tree_node(&tree, NODE_RECORD), "v", tree_number(&tree, NAN));
    CU_ASSERT_TRUE(tree_encode(record, &tree, value, &out, error, sizeof(error)));
    struct node *back = tree_decode(record, &tree, out.data, out.len, error, sizeof(error));
    CU_ASSERT(isnan(back->children[0]->number));
    pp_record_delete(record);
    pp_buf_destroy(&out);
    tree_clear(&tree);
}

static void names_the_field_and_what_it_got(void)
{
    struct tree tree = {0};
    check_refusal(scalar("bool"), &tree, tree_number(&tree, 1), "v: expected true or false (bool), got 1");
    check_refusal(scalar("float64"), &tree, NULL, "v: expected a number (float64), got nothing");
    check_refusal(scalar("string"), &tree, tree_bytes(&tree, "\xFF", 1),
                  "v: expected UTF-8 text of at most 65535 bytes (string), got bytes");
    check_refusal(scalar("bytes"), &tree, tree_number(&tree, 7), "v: expected a string of bytes (bytes), got 7");
    struct node *inner = tree_add(tree_node(&tree, NODE_RECORD), "x", tree_number(&tree, 300));
    struct node *list = tree_node(&tree, NODE_ARRAY);
    tree_add(tree_add(list, NULL, tree_add(tree_node(&tree, NODE_RECORD), "x", tree_number(&tree, 3))), NULL, inner);
    check_refusal(pp_type_array(pp_type_record(record_of("x", scalar("uint8")))), &tree, list,
                  "v[2].x: expected a whole number from 0 to 255 (uint8), got 300");
}

static void bounds_lengths_on_encode(void)
{
    struct tree tree = {0};
    char *text = pp_calloc(1, 65536);
    memset(text, 'a', 65535);
    struct pp_record *record = record_of("v", scalar("string"));
    struct pp_buf out = {0};
    struct node *value = tree_add(tree_node(&tree, NODE_RECORD), "v", tree_bytes(&tree, text, 65535));
    CU_ASSERT_TRUE(tree_encode(record, &tree, value, &out, error, sizeof(error)));
    CU_ASSERT_EQUAL(out.len, 65537);
    value->children[0]->len = 65536;
    CU_ASSERT_FALSE(tree_encode(record, &tree, value, &out, error, sizeof(error)));
    CU_ASSERT_EQUAL(out.len, 65537);
    struct node *list = tree_node(&tree, NODE_ARRAY);
    for (int i = 0; i < 65536; i++)
        tree_add(list, NULL, value);
    struct pp_record *lists = record_of("v", pp_type_array(scalar("bool")));
    value = tree_add(tree_node(&tree, NODE_RECORD), "v", list);
    CU_ASSERT_FALSE(tree_encode(lists, &tree, value, &out, error, sizeof(error)));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "v: expected a list of at most 65535 elements"));
    pp_record_delete(lists);
    pp_record_delete(record);
    pp_buf_destroy(&out);
    tree_clear(&tree);
    free(text);
}

/* {v: type} can't be decoded from these bytes. */
static void check_malformed(struct pp_type *type, const void *bytes, size_t len, const char *message)
{
    struct tree tree = {0};
    struct pp_record *record = record_of("v", type);
    CU_ASSERT_PTR_NULL(tree_decode(record, &tree, bytes, len, error, sizeof(error)));
    CU_ASSERT_STRING_EQUAL(error, message);
    pp_record_delete(record);
    tree_clear(&tree);
}

static void decodes_only_what_it_would_encode(void)
{
    check_malformed(scalar("uint32"), "abc", 3, "the payload is 3 bytes, at least 4 are needed");
    check_malformed(scalar("uint8"), "abc", 3, "the payload is 3 bytes, only 1 of them belong to it");
    check_malformed(scalar("bool"), "\x02", 1, "v: a bool is 0 or 1, not 2");
    check_malformed(scalar("varint"), "\x80\x00", 2, "v: the varint is longer than it needs to be");
    check_malformed(scalar("varint"), "\x80", 1, "v: the payload ends too early: 1 bytes needed, 0 left");
    check_malformed(scalar("varint"), "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x1F", 8, "v: the varint is above 2^53 - 1");
    check_malformed(scalar("varint"), "\x80\x80\x80\x80\x80\x80\x80\x80\x01", 9, "v: the varint is above 2^53 - 1");
    check_malformed(scalar("string"), "\x00\x02\xC3", 3, "v: the payload ends too early: 2 bytes needed, 1 left");
    check_malformed(scalar("string"), "\x00\x01\xC3", 3, "v: the text is not valid UTF-8");
    check_malformed(scalar("string"), "\x00\x03\xED\xA0\x80", 5, "v: the text is not valid UTF-8");
    check_malformed(scalar("bytes"), "\xFF\xFF\xFF\xFF", 4,
                    "v: the payload ends too early: 4294967295 bytes needed, 0 left");
    check_malformed(pp_type_array(scalar("uint16")), "\xFF\xFF\x00\x00", 4,
                    "v: 65535 elements do not fit into the 2 bytes left");
    check_malformed(pp_type_array(scalar("bool")), "\x00\x02\x01\x07", 4, "v[2]: a bool is 0 or 1, not 7");
}

static void bounds_records_at_registration(void)
{
    struct pp_record *record = record_of("x", scalar("uint8"));
    CU_ASSERT_FALSE(pp_record_add(record, "x", 1, scalar("uint8")));
    CU_ASSERT_FALSE(pp_record_add(record, "", 0, scalar("uint8")));
    struct pp_type *deep = scalar("uint8");
    while (deep->depth < PP_TYPE_DEPTH)
        deep = pp_type_array(deep);
    CU_ASSERT_FALSE(pp_record_add(record, "deep", 4, deep));
    CU_ASSERT_EQUAL(record->count, 1);
    for (int i = 1; i < PP_RECORD_FIELDS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d", i);
        add(record, name, "uint8");
    }
    CU_ASSERT_FALSE(pp_record_add(record, "one more", 8, scalar("uint8")));
    pp_record_delete(record);
}

static void knows_types_and_their_neighbours(void)
{
    static const char *const near[][2] = {
        {"flot32", "float32"}, {"Uint8", "uint8"}, {"boolean", "bool"}, {"strin", "string"}, {"double", "float64"}};
    for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
        CU_ASSERT_EQUAL(pp_type_by_name(near[i][0], strlen(near[i][0])), -1);
        CU_ASSERT_STRING_EQUAL(pp_type_nearest(near[i][0], strlen(near[i][0])), near[i][1]);
    }
    CU_ASSERT_PTR_NULL(pp_type_nearest("quaternion", 10));
    CU_ASSERT_PTR_NULL(pp_type_nearest("", 0));
    CU_ASSERT_EQUAL(pp_type_by_name("record", 6), -1);
    CU_ASSERT_EQUAL(pp_type_by_name("string", 6), PP_TEXT);
}

static void derives_ids_from_names(void)
{
    /* FNV-1a of "a" is 0xE40C292C, of "foobar" 0xBF9CF968: published test vectors of the hash. */
    CU_ASSERT_EQUAL(pp_schema_derive_id("a", 1), 0xE40C ^ 0x292C);
    CU_ASSERT_EQUAL(pp_schema_derive_id("foobar", 6), 0xBF9C ^ 0xF968);
    CU_ASSERT_EQUAL(pp_schema_derive_id("player:move", 11), 0x6CE3);
    bool low = false;
    for (int i = 0; i < 300000; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "n%d", i);
        uint16_t id = pp_schema_derive_id(name, (size_t)len);
        low |= id == 1;
        if (id == 0 || id > PP_SCHEMA_ID_MAX)
            CU_FAIL("an id outside of the range");
    }
    CU_ASSERT_TRUE(low);
}

static const struct pp_schema *put(struct pp_registry *registry, const char *name, unsigned version, unsigned id)
{
    struct pp_serializer *serializer = pp_serializer_new(PP_BUFFER, (uint16_t)id, NULL, NULL);
    const struct pp_schema *schema =
        pp_registry_add(registry, name, strlen(name), (uint16_t)version, serializer, error, sizeof(error));
    pp_serializer_unref(serializer);
    return schema;
}

static void finds_schemas_by_name_and_id(void)
{
    struct pp_registry *registry = pp_registry_new();
    CU_ASSERT_PTR_NULL(pp_registry_by_name(registry, "s0", 2));
    CU_ASSERT_PTR_NULL(pp_registry_by_id(registry, 1));
    CU_ASSERT_PTR_NULL(pp_registry_by_id(NULL, 1));
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "s%u", i);
        CU_ASSERT_PTR_NOT_NULL(put(registry, name, i + 1, i + 100));
    }
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "s%u", i);
        const struct pp_schema *schema = pp_registry_by_name(registry, name, (size_t)len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
        CU_ASSERT_PTR_EQUAL(schema, pp_registry_by_id(registry, (uint16_t)(i + 100)));
        CU_ASSERT(schema->version == i + 1 && strcmp(schema->name, name) == 0);
    }
    CU_ASSERT_EQUAL(pp_registry_count(registry), 1000);
    CU_ASSERT_PTR_NULL(pp_registry_by_name(registry, "s1000", 5));
    CU_ASSERT_PTR_NULL(pp_registry_by_name(registry, "s1", 1));
    CU_ASSERT_PTR_NULL(pp_registry_by_id(registry, 99));
    pp_registry_unref(registry);
}

static void refuses_clashes_by_name(void)
{
    struct pp_registry *registry = pp_registry_new();
    CU_ASSERT_PTR_NOT_NULL(put(registry, "move", 1, 7));
    CU_ASSERT_PTR_NULL(put(registry, "move", 2, 8));
    CU_ASSERT_STRING_EQUAL(error, "\"move\" is registered already");
    CU_ASSERT_PTR_NULL(put(registry, "shoot", 1, 7));
    CU_ASSERT_STRING_EQUAL(error, "\"shoot\" and \"move\" both have the type id 7: give one of them another id");
    CU_ASSERT_PTR_NULL(put(registry, "", 1, 8));
    CU_ASSERT_PTR_NULL(put(registry, "__pp_ack", 1, 8));
    CU_ASSERT_PTR_NULL(put(registry, "v0", 0, 8));
    CU_ASSERT_PTR_NULL(put(registry, "high", 1, 0xFF00));
    CU_ASSERT_STRING_EQUAL(error, "\"high\": a type id is a whole number from 1 to 65279, not 65280");
    CU_ASSERT_PTR_NOT_NULL(put(registry, "top", 1, 0xFEFF));
    CU_ASSERT_EQUAL(pp_registry_count(registry), 2);
    pp_registry_unref(registry);
}

static void gives_the_same_ids_in_any_order(void)
{
    static const char *const names[] = {"chat:message", "player:move", "état"};
    for (unsigned first = 0; first < 3; first++) {
        struct pp_registry *registry = pp_registry_new();
        for (unsigned i = 0; i < 3; i++) {
            const char *name = names[(first + i) % 3];
            CU_ASSERT_EQUAL(put(registry, name, 1, 0)->id, pp_schema_derive_id(name, strlen(name)));
        }
        pp_registry_unref(registry);
    }
}

static void keeps_earlier_layouts(void)
{
    struct pp_serializer *serializer = pp_serializer_new(PP_STRUCT, 0, record_of("x", scalar("uint8")), NULL);
    pp_serializer_add_previous(serializer, 1, record_of("old", scalar("uint16")));
    pp_serializer_add_previous(serializer, 2, record_of("newer", scalar("uint16")));
    CU_ASSERT_STRING_EQUAL(pp_serializer_previous(serializer, 1)->fields[0].name, "old");
    CU_ASSERT_STRING_EQUAL(pp_serializer_previous(serializer, 2)->fields[0].name, "newer");
    CU_ASSERT_PTR_NULL(pp_serializer_previous(serializer, 3));
    struct pp_registry *one = pp_registry_new(), *two = pp_registry_ref(pp_registry_new());
    CU_ASSERT_PTR_NOT_NULL(pp_registry_add(one, "a", 1, 3, serializer, error, sizeof(error)));
    CU_ASSERT_PTR_NOT_NULL(pp_registry_add(two, "a", 1, 3, serializer, error, sizeof(error)));
    pp_serializer_unref(serializer);
    pp_registry_unref(one);
    pp_registry_unref(two);
    CU_ASSERT_EQUAL(pp_registry_by_name(two, "a", 1)->serializer->record->count, 1);
    pp_registry_unref(two);
}

static void splits_mixed_payloads(void)
{
    const char *json, *bytes;
    size_t json_len, bytes_len;
    CU_ASSERT_TRUE(pp_mixed_split("\0\0\0\2{}xyz", 9, &json, &json_len, &bytes, &bytes_len));
    CU_ASSERT(json_len == 2 && memcmp(json, "{}", 2) == 0 && bytes_len == 3 && memcmp(bytes, "xyz", 3) == 0);
    CU_ASSERT_TRUE(pp_mixed_split("\0\0\0\2{}", 6, &json, &json_len, &bytes, &bytes_len));
    CU_ASSERT_EQUAL(bytes_len, 0);
    CU_ASSERT_FALSE(pp_mixed_split("\0\0\0\3{}", 6, &json, &json_len, &bytes, &bytes_len));
    CU_ASSERT_FALSE(pp_mixed_split("\xFF\xFF\xFF\xFF", 4, &json, &json_len, &bytes, &bytes_len));
    CU_ASSERT_FALSE(pp_mixed_split("\0\0\0", 3, &json, &json_len, &bytes, &bytes_len));
}

int main(void)
{
    static CU_TestInfo tests[] = {
        {"packs numbers big-endian", packs_numbers_big_endian},
        {"packs varints in as few bytes as they take", packs_varints_in_as_few_bytes_as_they_take},
        {"packs bools, strings and bytes", packs_bools_strings_and_bytes},
        {"packs arrays and records inside", packs_arrays_and_records_inside},
        {"takes the least room there is", takes_the_least_room_there_is},
        {"neither wraps nor rounds", neither_wraps_nor_rounds},
        {"lets NaN be a float only", lets_nan_be_a_float_only},
        {"names the field and what it got", names_the_field_and_what_it_got},
        {"bounds lengths on encode", bounds_lengths_on_encode},
        {"decodes only what it would encode", decodes_only_what_it_would_encode},
        {"bounds records at registration", bounds_records_at_registration},
        {"knows types and their neighbours", knows_types_and_their_neighbours},
        {"derives ids from names", derives_ids_from_names},
        {"finds schemas by name and id", finds_schemas_by_name_and_id},
        {"refuses clashes by name", refuses_clashes_by_name},
        {"gives the same ids in any order", gives_the_same_ids_in_any_order},
        {"keeps earlier layouts", keeps_earlier_layouts},
        {"splits mixed payloads", splits_mixed_payloads},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("wire/schema", tests);
}

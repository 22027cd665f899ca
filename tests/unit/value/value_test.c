#include "value/value.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "harness.h"

static struct pp_tree tree, other;
static struct pp_buf out;

static const char *load(struct pp_tree *into, const char *text, size_t len)
{
    static char error[128];
    error[0] = '\0';
    pp_tree_parse(into, text, len, error, sizeof error);
    return error;
}

/* The text of what is read from the text, or the error. */
static const char *again(const char *text)
{
    const char *error = load(&tree, text, strlen(text));
    pp_buf_clear(&out);
    if (*error == '\0')
        pp_value_write(&tree.root, &out);
    else
        pp_buf_append_string(&out, error);
    pp_buf_append_char(&out, '\0');
    return out.data;
}

static void reads_and_writes(void)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        "false",
                                        "-1.5",
                                        "\"\"",
                                        "\"a\\\"\\u0001é\"",
                                        "[]",
                                        "{}",
                                        "[1,[2,[]],{\"a\":{}}]",
                                        "{\"\":0,\"a\":[{\"b\":null}],\"日本\":\"語\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CU_ASSERT_STRING_EQUAL(again(texts[i]), texts[i]);
    CU_ASSERT_STRING_EQUAL(again(" [ 1.0 , \"\\u00e9\" ] "), "[1,\"é\"]");
    CU_ASSERT_STRING_EQUAL(again("[1,"), "unexpected end of the text at offset 3");
    CU_ASSERT_EQUAL(tree.root.kind, PP_VALUE_NIL);
}

static void knows_its_depth(void)
{
    again("[1,[2,[]],{\"a\":{}}]");
    CU_ASSERT_EQUAL(tree.root.depth, 3);
    again("7");
    CU_ASSERT_EQUAL(tree.root.depth, 0);
}

static void keeps_the_last_of_equal_keys(void)
{
    CU_ASSERT_STRING_EQUAL(again("{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3,\"b\":2}");
    CU_ASSERT_EQUAL(tree.root.count, 2);
    struct pp_buf text = {0};
    pp_buf_append_char(&text, '{');
    for (int i = 0; i < 120; i++) {
        char member[32];
        snprintf(member, sizeof member, "%s\"k%d\":%d", i > 0 ? "," : "", i % 40, i);
        pp_buf_append_string(&text, member);
    }
    pp_buf_append_char(&text, '}');
    CU_ASSERT_STRING_EQUAL(load(&tree, text.data, text.len), "");
    CU_ASSERT_EQUAL_FATAL(tree.root.count, 40);
    for (uint32_t i = 0; i < 40; i++) {
        const struct pp_value_member *member = &tree.root.members[i];
        CU_ASSERT_EQUAL(member->value.number, 80 + i);
        CU_ASSERT_PTR_EQUAL(pp_value_find(&tree.root, member->key, 39 - i), member);
        CU_ASSERT_PTR_EQUAL(pp_value_find(&tree.root, member->key, 1000), member);
    }
    pp_buf_destroy(&text);
}

/* A map of many members is searched in one of another order without looking at each. */
static void finds_members_of_large_maps(void)
{
    struct pp_buf up = {0}, down = {0};
    for (int i = 0; i < 100000; i++) {
        char member[64];
        snprintf(member, sizeof member, "%c\"%d\":%d", i > 0 ? ',' : '{', i, i);
        pp_buf_append_string(&up, member);
        snprintf(member, sizeof member, "%c\"%d\":%d", i > 0 ? ',' : '{', 99999 - i, 99999 - i);
        pp_buf_append_string(&down, member);
    }
    pp_buf_append_char(&up, '}');
    pp_buf_append_char(&down, '}');
    tree.max_bytes = other.max_bytes = (size_t)64 << 20;
    CU_ASSERT_STRING_EQUAL(load(&tree, up.data, up.len), "");
    CU_ASSERT_STRING_EQUAL(load(&other, down.data, down.len), "");
    CU_ASSERT_TRUE(pp_value_equal(&tree.root, &other.root));
    CU_ASSERT_EQUAL(pp_value_hash(&tree.root), pp_value_hash(&other.root));
    tree.max_bytes = 0;
    pp_buf_destroy(&up);
    pp_buf_destroy(&down);
}

static void compares(void)
{
    static const char *const texts[] = {"null", "false", "true", "0",   "1",    "\"\"",      "\"1\"",
                                        "[]",   "{}",    "[1]",  "[0]", "[[]]", "{\"a\":1}", "{\"b\":1}"};
    const size_t count = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            load(&tree, texts[i], strlen(texts[i]));
            load(&other, texts[j], strlen(texts[j]));
            CU_ASSERT_EQUAL(pp_value_equal(&tree.root, &other.root), i == j);
            CU_ASSERT_EQUAL(pp_value_hash(&tree.root) == pp_value_hash(&other.root), i == j);
        }
    load(&tree, "-0", 2);
    load(&other, "0", 1);
    CU_ASSERT_TRUE(pp_value_equal(&tree.root, &other.root));
    CU_ASSERT_EQUAL(pp_value_hash(&tree.root), pp_value_hash(&other.root));
}

static void says_what_is_longer(void)
{
    static const char *const texts[] = {"null", "true", "1", "\"abc\"", "[1,2]", "{\"a\":[1,\"b\"]}", "[]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        load(&tree, texts[i], strlen(texts[i]));
        CU_ASSERT_TRUE(pp_value_is_longer(&tree.root, strlen(texts[i]) - 1));
        CU_ASSERT_FALSE(pp_value_is_longer(&tree.root, strlen(texts[i])));
    }
}

static void is_bounded(void)
{
    char text[4096];
    memset(text, '1', sizeof text);
    text[0] = '"';
    text[sizeof text - 1] = '"';
    tree.max_bytes = 2048;
    CU_ASSERT_STRING_EQUAL(load(&tree, text, sizeof text), "the value is too large at offset 4096");
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? '1' : ',';
    text[0] = '[';
    text[sizeof text - 1] = ']';
    text[1] = '1';
    CU_ASSERT_STRING_EQUAL(load(&tree, text, sizeof text), "the value is too large at offset 4096");
    CU_ASSERT_EQUAL(tree.root.kind, PP_VALUE_NIL);
    tree.max_bytes = 0;
    CU_ASSERT_STRING_EQUAL(load(&tree, "[1]", 3), "");
}

static void frees_all(void)
{
    pp_tree_destroy(&tree);
    pp_tree_destroy(&other);
    pp_buf_destroy(&out);
}

int main(void)
{
    return pp_run_suite("value/value", (CU_TestInfo[]){{"reads and writes JSON", reads_and_writes},
                                                       {"knows its depth", knows_its_depth},
                                                       {"keeps the last of equal keys", keeps_the_last_of_equal_keys},
                                                       {"finds members of large maps", finds_members_of_large_maps},
                                                       {"compares", compares},
                                                       {"says what is longer", says_what_is_longer},
                                                       {"is bounded", is_bounded},
                                                       {"frees all", frees_all},
                                                       CU_TEST_INFO_NULL});
}

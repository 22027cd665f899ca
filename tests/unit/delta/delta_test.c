#include "delta/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pairs.h"

static struct pp_tree before, after, delta, result;
static struct pp_buf out, text;

static void load(struct pp_tree *tree, const char *json)
{
    char error[128] = "";
    if (!pp_tree_parse(tree, json, strlen(json), error, sizeof error))
        fprintf(stderr, "%s: %s\n", json, error);
    CU_ASSERT_STRING_EQUAL_FATAL(error, "");
}

/* The delta of two texts, NUL-terminated; "" where they are equal. */
static const char *diff(const char *a, const char *b)
{
    load(&before, a);
    load(&after, b);
    pp_buf_clear(&out);
    pp_delta_diff(&before.root, &after.root, &out);
    pp_buf_append_char(&out, '\0');
    return out.data;
}

/* What the delta makes of the state, as text, or the error. */
static const char *patch(const char *state, const char *change)
{
    const char *error = NULL;
    load(&before, state);
    load(&delta, change);
    if (!pp_delta_patch(&result, &before.root, &delta.root, &error)) {
        CU_ASSERT_EQUAL(result.root.kind, PP_VALUE_NIL);
        return error;
    }
    pp_buf_clear(&text);
    pp_value_write(&result.root, &text);
    pp_buf_append_char(&text, '\0');
    return text.data;
}

#define LONG                                                                                                           \
    "\"a string that is so long that nobody would send all of this array again only because one of its other "         \
    "elements "                                                                                                        \
    "has changed, or was put in, or has gone away\""

static void maps(void)
{
    CU_ASSERT_STRING_EQUAL(diff("{\"a\":1,\"b\":[1]}", "{\"b\":[1],\"a\":1.0}"), "");
    CU_ASSERT_STRING_EQUAL(diff("{\"score\":10,\"bonus\":5}", "{\"score\":12}"),
                           "{\"score\":12,\"bonus\":{\"__pp_deleted\":true}}");
    CU_ASSERT_STRING_EQUAL(diff("{\"p\":{\"x\":1,\"y\":2}}", "{\"p\":{\"x\":15,\"y\":2}}"), "{\"p\":{\"x\":15}}");
    CU_ASSERT_STRING_EQUAL(diff("{\"a\":1}", "{\"a\":null,\"b\":{}}"), "{\"a\":null,\"b\":{}}");
    CU_ASSERT_STRING_EQUAL(diff("{\"a\":{\"b\":1}}", "{\"a\":[1]}"), "{\"a\":[1]}");
    CU_ASSERT_STRING_EQUAL(diff("{\"a\":1}", "[]"), "[]");
    CU_ASSERT_STRING_EQUAL(diff("0", "-0"), "");
}

static void arrays(void)
{
    CU_ASSERT_STRING_EQUAL(diff("[\"a\",\"b\"]", "[\"a\",\"x\"]"), "[\"a\",\"x\"]");
    CU_ASSERT_STRING_EQUAL(diff("[" LONG ",1,2]", "[" LONG ",5,2]"),
                           "{\"__pp_array_ops\":[{\"op\":\"set\",\"index\":1,\"value\":5}]}");
    CU_ASSERT_STRING_EQUAL(diff("[" LONG ",1,2," LONG "]", "[0," LONG ",2,3," LONG "]"),
                           "{\"__pp_array_ops\":[{\"op\":\"splice\",\"index\":0,\"deleteCount\":0,\"items\":[0]},"
                           "{\"op\":\"splice\",\"index\":2,\"deleteCount\":1,\"items\":[]},"
                           "{\"op\":\"splice\",\"index\":3,\"deleteCount\":0,\"items\":[3]}]}");
    CU_ASSERT_STRING_EQUAL(diff("[{\"id\":1,\"n\":" LONG "},{\"id\":2,\"n\":" LONG "},{\"id\":3,\"x\":1}]",
                                "[{\"id\":2,\"n\":" LONG ",\"x\":1},{\"id\":3,\"x\":2}]"),
                           "{\"__pp_array_ops\":[{\"op\":\"splice\",\"index\":0,\"deleteCount\":1,\"items\":[]},"
                           "{\"op\":\"patch\",\"items\":{\"0\":{\"x\":1},\"1\":{\"x\":2}}}]}");
    CU_ASSERT_STRING_EQUAL(diff("[1]", "[]"), "[]");
}

static void reserved_keys(void)
{
    CU_ASSERT_STRING_EQUAL(diff("{}", "{\"a\":{\"__pp_deleted\":true}}"),
                           "{\"a\":{\"__pp_value\":{\"__pp_deleted\":true}}}");
    CU_ASSERT_STRING_EQUAL(diff("{\"__pp_value\":1,\"a\":1}", "{\"__pp_value\":1,\"a\":2}"), "{\"a\":2}");
    CU_ASSERT_STRING_EQUAL(diff("{\"__pp_value\":1}", "{\"__pp_value\":2}"), "{\"__pp_value\":{\"__pp_value\":2}}");
    CU_ASSERT_STRING_EQUAL(diff("{\"__pp_value\":1}", "{}"), "{\"__pp_value\":{}}");
    CU_ASSERT_STRING_EQUAL(diff("{}", "{\"a\":[{\"__pp_x\":1}]}"), "{\"a\":[{\"__pp_x\":1}]}");
    CU_ASSERT_STRING_EQUAL(patch("{}", "{\"a\":{\"__pp_value\":{\"__pp_deleted\":true}}}"),
                           "{\"a\":{\"__pp_deleted\":true}}");
    CU_ASSERT_STRING_EQUAL(patch("{\"a\":1,\"b\":2}", "{\"a\":{\"__pp_deleted\":true},\"c\":{\"__pp_deleted\":true}}"),
                           "{\"b\":2}");
}

#define OPS(text) "{\"__pp_array_ops\":[" text "]}"

static void refusals(void)
{
    static const char *const bad[] = {
        OPS("{\"op\":\"set\",\"index\":3,\"value\":1}"),
        OPS("{\"op\":\"set\",\"index\":-1,\"value\":1}"),
        OPS("{\"op\":\"set\",\"index\":0.5,\"value\":1}"),
        OPS("{\"op\":\"set\",\"index\":1e300,\"value\":1}"),
        OPS("{\"op\":\"set\",\"index\":0}"),
        OPS("{\"op\":\"set\",\"value\":0}"),
        OPS("{\"op\":\"splice\",\"index\":4,\"deleteCount\":0,\"items\":[]}"),
        OPS("{\"op\":\"splice\",\"index\":2,\"deleteCount\":2,\"items\":[]}"),
        OPS("{\"op\":\"splice\",\"index\":0,\"deleteCount\":0,\"items\":{}}"),
        OPS("{\"op\":\"splice\",\"index\":0,\"deleteCount\":3,\"items\":[]},{\"op\":\"set\",\"index\":0,\"value\":1}"),
        OPS("{\"op\":\"patch\",\"items\":{\"3\":1}}"),
        OPS("{\"op\":\"patch\",\"items\":{\"01\":1}}"),
        OPS("{\"op\":\"patch\",\"items\":{\"\":1}}"),
        OPS("{\"op\":\"patch\",\"items\":{\"4294967296\":1}}"),
        OPS("{\"op\":\"patch\",\"items\":{\"0\":{\"__pp_deleted\":true}}}"),
        OPS("{\"op\":\"patch\",\"items\":[]}"),
        OPS("{\"op\":\"move\",\"index\":0}"),
        OPS("1"),
        "{\"__pp_array_ops\":{}}",
        "{\"__pp_deleted\":true}",
        "{\"__pp_deleted\":1}",
        "{\"__pp_unknown\":1}",
        "{\"__pp_value\":1,\"a\":2}",
        "{\"a\":{\"__pp_array_ops\":[]}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *error = patch("[1,{\"a\":1},2]", bad[i]);
        CU_ASSERT_NOT_EQUAL(*error, '[');
        CU_ASSERT_NOT_EQUAL(*error, '{');
    }
    CU_ASSERT_STRING_EQUAL(patch("[1,{\"a\":1},2]", OPS("{\"op\":\"patch\",\"items\":{\"0\":3,\"1\":{\"b\":2}}}")),
                           "[3,{\"a\":1,\"b\":2},2]");
}

static void append_times(struct pp_buf *buf, const char *piece, unsigned count)
{
    while (count-- > 0)
        pp_buf_append_string(buf, piece);
}

static void bounds(void)
{
    struct pp_buf many = {0};
    pp_buf_append_string(&many, "{\"__pp_array_ops\":[");
    append_times(&many, "{\"op\":\"set\",\"index\":0,\"value\":1},", PP_DELTA_MAX_OPS);
    pp_buf_append_string(&many, "{\"op\":\"set\",\"index\":0,\"value\":1}]}");
    pp_buf_append_char(&many, '\0');
    CU_ASSERT_STRING_EQUAL(patch("[0]", many.data), "more than 1024 operations for one array");
    pp_buf_clear(&many);
    append_times(&many, "[", 61);
    append_times(&many, "]", 61);
    pp_buf_append_char(&many, '\0');
    CU_ASSERT_STRING_EQUAL(patch("[0]", many.data), "the result is nested too deep");
    pp_buf_clear(&many);
    pp_buf_append_char(&many, '[');
    append_times(&many, "\"0123456789abcdef\",", 100);
    pp_buf_append_string(&many, "0]");
    pp_buf_append_char(&many, '\0');
    result.max_bytes = 1000;
    CU_ASSERT_STRING_EQUAL(patch(many.data, OPS("{\"op\":\"set\",\"index\":0,\"value\":1}")),
                           "the result is too large");
    result.max_bytes = 0;
    pp_buf_destroy(&many);
}

/* A delta of nested arrays is no deeper than what a message may be. */
static void deep_arrays(void)
{
    struct pp_buf a = {0}, b = {0};
    char error[128];
    for (int i = 0; i < 59; i++) {
        append_times(&a, "[" LONG ",", 1);
        append_times(&b, "[" LONG ",", 1);
    }
    pp_buf_append_string(&a, "[1");
    pp_buf_append_string(&b, "[2");
    append_times(&a, "]", 60);
    append_times(&b, "]", 60);
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&before, a.data, a.len, error, sizeof error));
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&after, b.data, b.len, error, sizeof error));
    pp_buf_clear(&out);
    CU_ASSERT_TRUE(pp_delta_diff(&before.root, &after.root, &out));
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&delta, out.data, out.len, error, sizeof error));
    CU_ASSERT_TRUE(delta.root.depth <= PP_DELTA_MAX_DEPTH);
    pp_buf_destroy(&a);
    pp_buf_destroy(&b);
}

/* What must be so for every two documents. Returns what is not. */
static const char *broken_law(const struct pp_buf *a, const struct pp_buf *b)
{
    static struct pp_tree same;
    const char *error = NULL;
    char problem[128];
    if (!pp_tree_parse(&before, a->data, a->len, problem, sizeof problem) ||
        !pp_tree_parse(&same, a->data, a->len, problem, sizeof problem) ||
        !pp_tree_parse(&after, b->data, b->len, problem, sizeof problem))
        return "a document is refused";
    pp_buf_clear(&out);
    if (pp_delta_diff(&before.root, &same.root, &out) || out.len > 0)
        return "a document differs from itself";
    bool equal = pp_value_equal(&before.root, &after.root);
    if (equal != (pp_value_hash(&before.root) == pp_value_hash(&after.root)))
        return "the hash is not that of the value";
    if (pp_delta_diff(&before.root, &after.root, &out) == equal)
        return equal ? "equal documents differ" : "the difference is not seen";
    if (equal)
        return out.len == 0 ? NULL : "something was written";
    if (!pp_tree_parse(&delta, out.data, out.len, problem, sizeof problem))
        return "the delta is no JSON";
    if (!pp_delta_patch(&result, &before.root, &delta.root, &error))
        return error;
    pp_buf_clear(&text);
    pp_value_write(&after.root, &text);
    size_t most = text.len + strlen("{\"__pp_value\":}");
    if (out.len > (most > PP_DELTA_SMALL ? most : PP_DELTA_SMALL))
        return "the delta is longer than the whole";
    return pp_value_equal(&result.root, &after.root) ? NULL : "patching makes something else";
}

static void laws(void)
{
    const char *given = getenv("PP_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1, count = given != NULL ? 1 : 4000;
    struct pp_buf a = {0}, b = {0};
    for (uint64_t seed = first; seed < first + count; seed++) {
        pp_buf_clear(&a);
        pp_buf_clear(&b);
        pair_write(seed, &a, &b);
        const char *broken = broken_law(&a, &b);
        CU_ASSERT_PTR_NULL(broken);
        if (broken != NULL) {
            fprintf(stderr, "PP_SEED=%llu: %s\n%.*s\n%.*s\n%.*s\n", (unsigned long long)seed, broken, (int)a.len,
                    a.data, (int)b.len, b.data, (int)out.len, out.data);
            break;
        }
    }
    pp_buf_destroy(&a);
    pp_buf_destroy(&b);
}

/* Applies the delta in `out` to the state in `before`, whatever it was made from. Returns what must not be so. */
static const char *misapply(void)
{
    char problem[128];
    const char *error = NULL;
    if (!pp_tree_parse(&delta, out.data, out.len, problem, sizeof problem))
        return NULL;
    if (!pp_delta_patch(&result, &before.root, &delta.root, &error))
        return error != NULL && result.root.kind == PP_VALUE_NIL ? NULL : "refused, but something is left";
    pp_buf_clear(&text);
    pp_value_write(&result.root, &text);
    if (!pp_tree_parse(&after, text.data, text.len, problem, sizeof problem))
        return "what was made is no JSON";
    return pp_value_equal(&after.root, &result.root) ? NULL : "what was made is written otherwise";
}

/* Deltas that were made for another state, or are damaged, either apply or are refused. */
static void foreign_deltas(void)
{
    const char *given = getenv("PP_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1, count = given != NULL ? 1 : 4000;
    struct pp_buf a = {0}, b = {0};
    char problem[128];
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct pp_random random = {seed};
        a.len = b.len = out.len = 0;
        pair_write(seed, &a, &b);
        CU_ASSERT_TRUE_FATAL(pp_tree_parse(&before, a.data, a.len, problem, sizeof problem));
        CU_ASSERT_TRUE_FATAL(pp_tree_parse(&after, b.data, b.len, problem, sizeof problem));
        pp_delta_diff(&before.root, &after.root, &out);
        for (size_t i = 0; i < out.len; i++)
            if (out.data[i] >= '0' && out.data[i] <= '9' && pp_random_below(&random, 3) == 0)
                out.data[i] = (char)('0' + pp_random_below(&random, 10));
        if (seed % 2 == 0) {
            a.len = b.len = 0;
            pair_write(seed + 1, &a, &b);
            CU_ASSERT_TRUE_FATAL(pp_tree_parse(&before, a.data, a.len, problem, sizeof problem));
        }
        const char *broken = misapply();
        CU_ASSERT_PTR_NULL(broken);
        if (broken != NULL)
            fprintf(stderr, "PP_SEED=%llu: %s\n", (unsigned long long)seed, broken);
    }
    pp_buf_destroy(&a);
    pp_buf_destroy(&b);
}

static void frees_all(void)
{
    struct pp_tree *trees[] = {&before, &after, &delta, &result};
    for (size_t i = 0; i < 4; i++)
        pp_tree_destroy(trees[i]);
    pp_buf_destroy(&out);
    pp_buf_destroy(&text);
}

int main(void)
{
    return pp_run_suite("delta", (CU_TestInfo[]){{"names what changed in a map", maps},
                                                 {"finds the operations of an array", arrays},
                                                 {"escapes reserved keys", reserved_keys},
                                                 {"refuses a delta that does not fit", refusals},
                                                 {"is bounded", bounds},
                                                 {"stays within the depth of messages", deep_arrays},
                                                 {"holds its laws for random documents", laws},
                                                 {"takes deltas of other states, or refuses them", foreign_deltas},
                                                 {"frees all", frees_all},
                                                 CU_TEST_INFO_NULL});
}

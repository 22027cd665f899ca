/* The JSON envelope: its four fields, its rules, and the two ends for writing. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/envelope.h"

/* A copy of exactly its size that may be changed; one test runs at a time, so the last is freed by the next. */
static int scan(const char *text, struct pp_envelope *out)
{
    static char *copy;
    size_t len = strlen(text);
    free(copy);
    copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    return pp_envelope_scan(copy, len, out);
}

static bool is(const char *span, size_t len, const char *expected)
{
    return span != NULL && len == strlen(expected) && memcmp(span, expected, len) == 0;
}

static void finds_the_fields(void)
{
    struct pp_envelope e;
    CU_ASSERT_EQUAL(scan("{\"type\":\"move\",\"payload\": {\"x\":[1,2]} ,\"__ns\":\"/game\",\"__ackId\":42}", &e), 0);
    CU_ASSERT(is(e.type, e.type_len, "move"));
    CU_ASSERT(is(e.payload, e.payload_len, "{\"x\":[1,2]}"));
    CU_ASSERT(is(e.ns, e.ns_len, "/game"));
    CU_ASSERT(e.ack_id == 42 && e.error == NULL);

    CU_ASSERT_EQUAL(scan("{\"type\":\"ping\"}", &e), 0);
    CU_ASSERT(e.payload == NULL && e.payload_len == 0 && e.ns == NULL && e.ns_len == 0 && e.ack_id == 0);

    CU_ASSERT_EQUAL(scan("{\"x\":{\"type\":1},\"payload\":null,\"type\":\"a\"}", &e), 0);
    CU_ASSERT(is(e.type, e.type_len, "a") && is(e.payload, e.payload_len, "null"));
}

static void unescapes_type_and_namespace(void)
{
    struct pp_envelope e;
    CU_ASSERT_EQUAL(scan("{\"t\\u0079pe\":\"caf\\u00e9\\n\",\"payload\":\"\\u00e9\",\"__ns\":\"\\/a\"}", &e), 0);
    CU_ASSERT(is(e.type, e.type_len, "caf\xc3\xa9\n"));
    CU_ASSERT(is(e.payload, e.payload_len, "\"\\u00e9\""));
    CU_ASSERT(is(e.ns, e.ns_len, "/a"));
}

static void takes_the_last_of_duplicates(void)
{
    struct pp_envelope e;
    CU_ASSERT_EQUAL(scan("{\"type\":\"a\\n\",\"payload\":1,\"__ns\":\"x\",\"__ackId\":1,"
                         "\"type\":\"b\",\"payload\":2,\"__ns\":\"y\\n\",\"__ackId\":2}",
                         &e),
                    0);
    CU_ASSERT(is(e.type, e.type_len, "b") && is(e.payload, e.payload_len, "2"));
    CU_ASSERT(is(e.ns, e.ns_len, "y\n") && e.ack_id == 2);
}

static void refuses_what_is_no_envelope(void)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "unexpected end of the text"},
        {"[]", "the envelope must be an object"},
        {"\"type\"", "the envelope must be an object"},
        {"{}", "type is missing"},
        {"{\"payload\":{\"type\":\"a\"}}", "type is missing"},
        {"{\"type\":1}", "type must be a string"},
        {"{\"type\":null}", "type must be a string"},
        {"{\"type\":\"\"}", "type must not be empty"},
        {"{\"type\":\"a\",\"type\":\"\"}", "type must not be empty"},
        {"{\"type\":\"a\",\"__ns\":null}", "__ns must be a string"},
        {"{\"type\":\"a\",\"__ns\":[]}", "__ns must be a string"},
        {"{\"type\":\"a\",\"__ackId\":0}", "__ackId must be a positive integer"},
        {"{\"type\":\"a\",\"__ackId\":-1}", "__ackId must be a positive integer"},
        {"{\"type\":\"a\",\"__ackId\":1.5}", "__ackId must be a positive integer"},
        {"{\"type\":\"a\",\"__ackId\":\"1\"}", "__ackId must be a positive integer"},
        {"{\"type\":\"a\",\"__ackId\":9007199254740994}", "__ackId must be a positive integer"},
        {"{\"type\":\"a\",\"__ackId\":1e400}", "number out of range"},
        {"{\"type\":\"a\"} x", "unexpected text behind the value"},
        {"{\"type\":\"a\"", "unexpected end of the text"},
        {"{\"type\":\"a\",}", "unexpected character"},
        {"{\"type\":\"a\",\"payload\":}", "unexpected character"},
        {"{\"type\":\"a\",\"payload\":[1,]}", "unexpected character"},
        {"{\"type\":\"a\",\"payload\":{\"x\":\"\xff\"}}", "invalid UTF-8"},
        {"{\"type\":\"\\ud800\"}", "lone surrogate"},
        {"{\"type\":\"a\",\"unknown\":[01]}", "invalid number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pp_envelope e;
        CU_ASSERT_EQUAL(scan(cases[i].text, &e), -1);
        if (e.error == NULL || strcmp(e.error, cases[i].error) != 0) {
            printf("%s: %s\n", cases[i].text, e.error != NULL ? e.error : "accepted");
            CU_FAIL("another reason");
        }
        CU_ASSERT(e.type == NULL && e.payload == NULL && e.ns == NULL && e.ack_id == 0);
    }
}

static bool same_span(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a == NULL || b == NULL)
        return a == b && a_len == b_len;
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* A space in front makes no difference, but hides the usual form from whoever looks for it. */
static bool scans_alike(const char *text, size_t len)
{
    struct pp_envelope e, spaced;
    char *copy = malloc(len + 1), *spaced_copy = malloc(len + 1);
    memcpy(copy, text, len);
    *spaced_copy = ' ';
    memcpy(spaced_copy + 1, text, len);
    char *exact = realloc(copy, len > 0 ? len : 1); /* so that a sanitizer sees a read past the end */
    bool same = pp_envelope_scan(exact, len, &e) == pp_envelope_scan(spaced_copy, len + 1, &spaced) &&
                same_span(e.type, e.type_len, spaced.type, spaced.type_len) &&
                same_span(e.payload, e.payload_len, spaced.payload, spaced.payload_len) &&
                same_span(e.ns, e.ns_len, spaced.ns, spaced.ns_len) && e.ack_id == spaced.ack_id &&
                e.error == spaced.error && e.offset + (e.error != NULL) == spaced.offset;
    free(exact);
    free(spaced_copy);
    return same;
}

static void scans_the_usual_form_like_any_other(void)
{
    static const char *const texts[] = {
        "{\"type\":\"echo\",\"payload\":{\"x\":123.5,\"y\":-7.25,\"name\":\"a1\"}}",
        "{\"type\":\"a\",\"payload\":null,\"__ns\":\"/game\",\"__ackId\":42}",
        "{\"type\":\"a\",\"payload\":[],\"__ackId\":999999999999999}",
        "{\"type\":\"a\",\"payload\":\"\",\"__ackId\":9007199254740992}",
        "{\"type\":\"a\",\"payload\":\"\",\"__ackId\":9007199254740993}",
        "{\"type\":\"a\",\"payload\":1,\"__ackId\":0}",
        "{\"type\":\"a\",\"payload\":1,\"__ackId\":00}",
        "{\"type\":\"a\",\"payload\":1,\"__ackId\":01}",
        "{\"type\":\"a\",\"payload\":1,\"__ackId\":}",
        "{\"type\":\"a\",\"payload\":1,\"__ackId\":1e2}",
        "{\"type\":\"a\",\"payload\":1,\"__ackId\":5,\"__ns\":\"/b\"}",
        "{\"type\":\"a\",\"payload\":1,\"__ns\":\"\"}",
        "{\"type\":\"a\",\"payload\":1,\"__ns\":\"\\n\"}",
        "{\"type\":\"a\",\"payload\":1,\"__ns\":1}",
        "{\"type\":\"\",\"payload\":1}",
        "{\"type\":\"\\u0061\",\"payload\":1}",
        "{\"type\":\"caf\xc3\xa9\",\"payload\": 1 , \"__ackId\" : 3 }",
        "{\"type\":\"a\",\"payload\":1,\"payload\":2}",
        "{\"type\":\"a\",\"payload\":1,\"type\":\"b\"}",
        "{\"type\":\"a\",\"payload\":1} ",
        "{\"type\":\"a\",\"payload\":1}}",
        "{\"type\":\"a\",\"payload\":}",
        "{\"type\":\"a\",\"payloads\":1}",
    };
    static const char others[] = "\"\\{}[]:,.-e0 9\n\x80";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[128];
        size_t len = strlen(texts[i]);
        for (size_t at = 0; at <= len; at++) {
            if (!scans_alike(texts[i], at)) {
                printf("%.*s\n", (int)at, texts[i]);
                CU_FAIL("another result");
            }
            memcpy(text, texts[i], len);
            for (size_t other = 0; other < sizeof others && at < len; other++) {
                text[at] = others[other];
                CU_ASSERT(scans_alike(text, len));
            }
        }
    }
}

static void bounds_the_depth_of_the_payload(void)
{
    char text[256], brackets[80];
    struct pp_envelope e;
    for (int depth = 64; depth <= 65; depth++) {
        memset(brackets, '[', sizeof brackets);
        int len = snprintf(text, sizeof text, "{\"type\":\"a\",\"payload\":%.*s", depth, brackets);
        memset(brackets, ']', sizeof brackets);
        snprintf(text + len, sizeof text - (size_t)len, "%.*s}", depth, brackets);
        CU_ASSERT_EQUAL(scan(text, &e), depth == 64 ? 0 : -1);
    }
    CU_ASSERT_STRING_EQUAL(e.error, "nested too deep");
}

static void check_written(const char *ns, uint64_t ack_id, const char *expected)
{
    struct pp_buf out = {0};
    CU_ASSERT(pp_envelope_begin(&out, "ch\"at", 5));
    pp_buf_append(&out, "[1]", 3);
    CU_ASSERT(pp_envelope_end(&out, ns, strlen(ns), ack_id));
    CU_ASSERT(is(out.data, out.len, expected));
    pp_buf_destroy(&out);
}

static void writes_envelopes(void)
{
    check_written("", 0, "{\"type\":\"ch\\\"at\",\"payload\":[1]}");
    check_written("/game", 0, "{\"type\":\"ch\\\"at\",\"payload\":[1],\"__ns\":\"/game\"}");
    check_written("", 7, "{\"type\":\"ch\\\"at\",\"payload\":[1],\"__ackId\":7}");
    check_written("/a", 9007199254740992,
                  "{\"type\":\"ch\\\"at\",\"payload\":[1],\"__ns\":\"/a\",\"__ackId\":9007199254740992}");
}

static void leaves_nothing_behind_when_it_refuses(void)
{
    struct pp_buf out = {0};
    CU_ASSERT_FALSE(pp_envelope_begin(&out, "\xff", 1));
    CU_ASSERT_EQUAL(out.len, 0);
    CU_ASSERT(pp_envelope_begin(&out, "a", 1));
    size_t before = out.len;
    CU_ASSERT_FALSE(pp_envelope_end(&out, "/\xff", 2, 1));
    CU_ASSERT_EQUAL(out.len, before);
    pp_buf_destroy(&out);
}

static void peeks_at_the_usual_form_only(void)
{
    static const char *const others[] = {
        "",
        "}",
        "{\"type\":\"\",\"payload\":1}",
        "{\"type\":\"a\\n\",\"payload\":1}",
        "{ \"type\":\"a\",\"payload\":1}",
        "{\"payload\":1,\"type\":\"a\"}",
        "{\"type\":\"a\",\"payload\":}",
        "{\"type\":\"a\",\"payload\":1",
        "{\"type\":\"a\"}",
    };
    struct pp_envelope found;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CU_ASSERT_FALSE(pp_envelope_peek(others[i], strlen(others[i]), &found));
    const char *text = "{\"type\":\"move\",\"payload\":{\"x\":1}}";
    CU_ASSERT_TRUE_FATAL(pp_envelope_peek(text, strlen(text), &found));
    CU_ASSERT_TRUE(found.type_len == 4 && memcmp(found.type, "move", 4) == 0);
    CU_ASSERT_TRUE(found.payload_len == 7 && memcmp(found.payload, "{\"x\":1}", 7) == 0);
    CU_ASSERT_EQUAL(found.ack_id, 0);
    /* A field behind the payload is left in the span, where no reader of one value can miss it. */
    text = "{\"type\":\"move\",\"payload\":1,\"__ackId\":7}";
    CU_ASSERT_TRUE_FATAL(pp_envelope_peek(text, strlen(text), &found));
    CU_ASSERT_EQUAL(found.payload_len, strlen("1,\"__ackId\":7"));
}

int main(void)
{
    return pp_run_suite(
        "wire/envelope",
        (CU_TestInfo[]){{"finds the fields", finds_the_fields},
                        {"unescapes type and namespace", unescapes_type_and_namespace},
                        {"takes the last of duplicates", takes_the_last_of_duplicates},
                        {"refuses what is no envelope", refuses_what_is_no_envelope},
                        {"scans the usual form like any other", scans_the_usual_form_like_any_other},
                        {"peeks at the usual form only", peeks_at_the_usual_form_only},
                        {"bounds the depth of the payload", bounds_the_depth_of_the_payload},
                        {"writes envelopes", writes_envelopes},
                        {"leaves nothing behind when it refuses", leaves_nothing_behind_when_it_refuses},
                        CU_TEST_INFO_NULL});
}

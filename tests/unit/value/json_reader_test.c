/* The JSON reader: what it accepts, what it refuses and where, and the tokens it gives. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "value/json_reader.h"

/* A copy in a block of exactly its size, so that a sanitizer sees a read past the end. */
static char *exact_copy(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    if (len > 0)
        memcpy(copy, text, len);
    return copy;
}

static enum pp_json_token read_all(struct pp_json_reader *reader)
{
    enum pp_json_token token;
    do
        token = pp_json_next(reader);
    while (token != PP_JSON_END && token != PP_JSON_ERROR);
    return token;
}

/* Reads and skips `text`; both must agree. The reader's error and offset are left in *reader. */
static bool accepts(const char *text, size_t len, struct pp_json_reader *reader)
{
    struct pp_json_reader skipper;
    char *copy = exact_copy(text, len);
    pp_json_reader_init(reader, copy, len);
    bool accepted = read_all(reader) == PP_JSON_END;
    bool skipped_unread = pp_json_skip_value(copy, copy, copy + len, PP_JSON_MAX_DEPTH) != NULL;
    pp_json_reader_init(&skipper, copy, len);
    bool skipped = pp_json_skip(&skipper) && pp_json_next(&skipper) == PP_JSON_END;
    CU_ASSERT_EQUAL(accepted, skipped);
    CU_ASSERT(skipped_unread || !accepted);
    CU_ASSERT_EQUAL(accepted, reader->error == NULL);
    if (!accepted) {
        CU_ASSERT_EQUAL(pp_json_next(reader), PP_JSON_ERROR);
        CU_ASSERT_EQUAL(pp_json_offset(reader), pp_json_offset(&skipper));
    }
    free(copy);
    return accepted;
}

static void accepts_json(void)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1.5e-3",
        "1E+2",
        "\"\"",
        "{}",
        "[]",
        " [ ] ",
        "\t{\r\n}\n",
        "[1,2,3]",
        "{\"a\":1}",
        "{ \"a\" : { } , \"b\" : [ [ ] ] }",
        "[true,false,null]",
        "1e-400",
        "0e999999999999999999",
        "1.7976931348623157e308",
        "9007199254740993",
        "123456789012345678901234567890",
        "{\"a\":1,\"a\":2}",
        "{\"\":0}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uABcd\"",
        "\"\\ud83d\\ude00\"",
        "\"\x7f\"",
        "\"\xc2\x80\xdf\xbf\"",
        "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
        "\"0123456789abcdef0123456789abcdef\"",
        "\"0123456789abcde\\n\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pp_json_reader reader;
        if (!accepts(texts[i], strlen(texts[i]), &reader)) {
            printf("refused: %s (%s)\n", texts[i], reader.error);
            CU_FAIL("a valid text is refused");
        }
    }
}

static void refuses_with_reason_and_offset(void)
{
    static const struct {
        const char *text, *error;
        size_t offset;
    } cases[] = {
        {"", "unexpected end of the text", 0},
        {"  ", "unexpected end of the text", 2},
        {"[1", "unexpected end of the text", 2},
        {"[1,", "unexpected end of the text", 3},
        {"{", "unexpected end of the text", 1},
        {"{\"a\"", "unexpected end of the text", 4},
        {"{\"a\":", "unexpected end of the text", 5},
        {"{\"a\":1", "unexpected end of the text", 6},
        {"[1,]", "unexpected character", 3},
        {"[,1]", "unexpected character", 1},
        {"[1 2]", "unexpected character", 3},
        {"[1}", "unexpected character", 2},
        {"{1:2}", "unexpected character", 1},
        {"{a:2}", "unexpected character", 1},
        {"{\"a\" 2}", "unexpected character", 5},
        {"{\"a\":2,}", "unexpected character", 7},
        {"{\"a\":2]", "unexpected character", 6},
        {"{\"a\":}", "unexpected character", 5},
        {"]", "unexpected character", 0},
        {"'a'", "unexpected character", 0},
        {"NaN", "unexpected character", 0},
        {"+1", "unexpected character", 0},
        {".5", "unexpected character", 0},
        {"[1]x", "unexpected text behind the value", 3},
        {"1 1", "unexpected text behind the value", 2},
        {"01", "invalid number", 0},
        {"-", "invalid number", 0},
        {"-x", "invalid number", 0},
        {"[1.]", "invalid number", 1},
        {"[1.e5]", "invalid number", 1},
        {"[1e]", "invalid number", 1},
        {"[1e+]", "invalid number", 1},
        {"1x", "unexpected text behind the value", 1},
        {"0x10", "unexpected text behind the value", 1},
        {"1e400", "number out of range", 0},
        {"[-1e309]", "number out of range", 1},
        {"1e99999999999999999999", "number out of range", 0},
        {"tru", "invalid literal", 0},
        {"[nulL]", "invalid literal", 1},
        {"\"", "unterminated string", 1},
        {"\"abc", "unterminated string", 4},
        {"\"a\nb\"", "control character in a string", 2},
        {"\"\x1f\"", "control character in a string", 1},
        {"\"a\\x\"", "invalid escape", 2},
        {"\"\\u12g4\"", "invalid escape", 1},
        {"\"\\u12", "invalid escape", 1},
        {"\"\\", "invalid escape", 1},
        {"\"\\ud800\"", "lone surrogate", 1},
        {"\"\\ud800\\u0041\"", "lone surrogate", 1},
        {"\"\\ud800\\ud800\"", "lone surrogate", 1},
        {"\"\\udc00\"", "lone surrogate", 1},
        {"\"\x80\"", "invalid UTF-8", 1},
        {"\"\xc0\xaf\"", "invalid UTF-8", 1},
        {"\"\xc3\"", "invalid UTF-8", 1},
        {"\"\xc3", "invalid UTF-8", 1},
        {"\"\xe0\x9f\xbf\"", "invalid UTF-8", 1},
        {"\"\xed\xa0\x80\"", "invalid UTF-8", 1},
        {"\"\xf0\x8f\xbf\xbf\"", "invalid UTF-8", 1},
        {"\"\xf4\x90\x80\x80\"", "invalid UTF-8", 1},
        {"\"\xf5\x80\x80\x80\"", "invalid UTF-8", 1},
        {"\"0123456789abcdef\xff\"", "invalid UTF-8", 17},
        {"{\"\xff\":1}", "invalid UTF-8", 2},
        {"\xef\xbb\xbf{}", "byte order mark", 0},
        {"\xff", "unexpected character", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pp_json_reader reader;
        if (accepts(cases[i].text, strlen(cases[i].text), &reader)) {
            printf("accepted: %s\n", cases[i].text);
            CU_FAIL("an invalid text is accepted");
        } else if (strcmp(reader.error, cases[i].error) != 0 || pp_json_offset(&reader) != cases[i].offset) {
            printf("%s: %s at %zu\n", cases[i].text, reader.error, pp_json_offset(&reader));
            CU_FAIL("another reason or offset");
        }
    }
}

/* Cut at every byte and with every byte replaced, a text is read and skipped alike. */
static void skips_what_it_reads(void)
{
    static const char *const texts[] = {
        "{\"x\":123.5,\"y\":-7.25,\"name\":\"a1\"}",
        " { \"a\" : [ 1 , -2.5e3 , true , null , \"x\\n\\u00e9\xc3\xa9\" ] , \"b\" : { } , \"c\" : [ ] } ",
        "[[[],{}],0,0.5,-0,12345678,123456789012345678901,1234.56789,1e5,\"0123456789abcdef0123456789\",false]",
    };
    static const char others[] = "\"\\{}[]:,.-+eE0 5\n\x01\x80\xff";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pp_json_reader reader;
        char text[128];
        size_t len = strlen(texts[i]);
        CU_ASSERT(accepts(texts[i], len, &reader));
        for (size_t at = 0; at < len; at++) {
            /* Behind the value only a space stands, which may be cut off. */
            CU_ASSERT_EQUAL(accepts(texts[i], at, &reader), texts[i][at] == ' ' && at + 1 == len);
            memcpy(text, texts[i], len);
            for (size_t other = 0; other < sizeof others; other++) {
                text[at] = others[other];
                accepts(text, len, &reader);
            }
        }
    }
}

static void refuses_nul_bytes(void)
{
    struct pp_json_reader reader;
    CU_ASSERT_FALSE(accepts("\"\0\"", 3, &reader));
    CU_ASSERT_FALSE(accepts("[1]\0", 4, &reader));
    CU_ASSERT_FALSE(accepts("[0\0]", 4, &reader));
}

static void refuses_numbers_whose_digits_wrap(void)
{
    char text[420];
    struct pp_json_reader reader;
    memset(text, '0', sizeof text);
    text[0] = '1'; /* 10^64 and above are 0 modulo 2^64 */
    CU_ASSERT_FALSE(accepts(text, 400, &reader));
    CU_ASSERT_STRING_EQUAL(reader.error, "number out of range");
    memcpy(text + 400, "e-300", 5);
    CU_ASSERT(accepts(text, 405, &reader));
}

static void bounds_the_depth(void)
{
    char text[2 * PP_JSON_MAX_DEPTH + 2];
    struct pp_json_reader reader;
    memset(text, '[', sizeof text / 2);
    memset(text + sizeof text / 2, ']', sizeof text / 2);
    CU_ASSERT(accepts(text + 1, sizeof text - 2, &reader));
    CU_ASSERT_FALSE(accepts(text, sizeof text, &reader));
    CU_ASSERT_STRING_EQUAL(reader.error, "nested too deep");
    CU_ASSERT_EQUAL(pp_json_offset(&reader), PP_JSON_MAX_DEPTH);

    pp_json_reader_init(&reader, "[[[]]]", 6);
    reader.max_depth = 2;
    CU_ASSERT_EQUAL(read_all(&reader), PP_JSON_ERROR);
    pp_json_reader_init(&reader, "[[{}]]", 6);
    reader.max_depth = 3;
    CU_ASSERT_EQUAL(read_all(&reader), PP_JSON_END);
}

static void gives_tokens_in_order(void)
{
    static const char text[] = " {\"a\\n\" : [1, null, true, {}], \"b\":\"x\", \"c\":false} ";
    static const enum pp_json_token tokens[] = {
        PP_JSON_OBJECT_BEGIN, PP_JSON_KEY,          PP_JSON_ARRAY_BEGIN, PP_JSON_NUMBER,     PP_JSON_NULL,
        PP_JSON_TRUE,         PP_JSON_OBJECT_BEGIN, PP_JSON_OBJECT_END,  PP_JSON_ARRAY_END,  PP_JSON_KEY,
        PP_JSON_STRING,       PP_JSON_KEY,          PP_JSON_FALSE,       PP_JSON_OBJECT_END, PP_JSON_END,
    };
    struct pp_json_reader reader;
    pp_json_reader_init(&reader, text, sizeof text - 1);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        enum pp_json_token token = pp_json_next(&reader);
        CU_ASSERT_EQUAL(token, tokens[i]);
        if (token == PP_JSON_STRING)
            CU_ASSERT(reader.span_len == 1 && *reader.span == 'x' && !reader.escaped);
        if (i == 1)
            CU_ASSERT(reader.escaped && reader.span_len == 3 && reader.depth == 1);
    }
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_END);
}

static void skips_between_tokens(void)
{
    static const char text[] = "{\"a\":[1,{\"b\":[]}],\"c\":2}";
    struct pp_json_reader reader;
    pp_json_reader_init(&reader, text, sizeof text - 1);
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_OBJECT_BEGIN);
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_KEY);
    CU_ASSERT(pp_json_skip(&reader));
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_KEY);
    CU_ASSERT(pp_json_skip(&reader));
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_OBJECT_END);
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_END);
}

static void unescapes(void)
{
    static const struct {
        const char *text, *plain;
        size_t len;
    } cases[] = {
        {"", "", 0},
        {"abc", "abc", 3},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
        {"a\\u0000b", "a\0b", 3},
        {"\\u007f\\u0080\\u07ff\\u0800\\uffff", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
        {"\\ud800\\udc00\\uDBFF\\uDFFF", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[64];
        size_t len = strlen(cases[i].text);
        CU_ASSERT_EQUAL_FATAL(pp_json_unescape(cases[i].text, len, out), cases[i].len);
        CU_ASSERT_EQUAL(memcmp(out, cases[i].plain, cases[i].len), 0);
        memcpy(out, cases[i].text, len);
        CU_ASSERT_EQUAL_FATAL(pp_json_unescape(out, len, out), cases[i].len);
        CU_ASSERT_EQUAL(memcmp(out, cases[i].plain, cases[i].len), 0);
    }
}

int main(void)
{
    return pp_run_suite("value/json_reader",
                        (CU_TestInfo[]){{"accepts what RFC 8259 allows", accepts_json},
                                        {"refuses the rest, saying why and where", refuses_with_reason_and_offset},
                                        {"skips what it reads", skips_what_it_reads},
                                        {"refuses NUL bytes", refuses_nul_bytes},
                                        {"refuses numbers whose digits wrap", refuses_numbers_whose_digits_wrap},
                                        {"bounds the depth", bounds_the_depth},
                                        {"gives tokens in order", gives_tokens_in_order},
                                        {"skips between tokens", skips_between_tokens},
                                        {"unescapes, also in place", unescapes},
                                        CU_TEST_INFO_NULL});
}

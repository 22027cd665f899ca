/* Writing strings as JSON: what is escaped, what is refused, and that a refusal leaves nothing behind. */
#include "harness.h"

#include <stdlib.h>

#include "value/json_reader.h"
#include "value/json_writer.h"

static void escapes_what_must_be(void)
{
    static const struct {
        const char *string;
        size_t len;
        const char *text;
    } cases[] = {
        {"", 0, "\"\""},
        {"abc", 3, "\"abc\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"0123456789abcdef0123456789abcdef", 32, "\"0123456789abcdef0123456789abcdef\""},
        {"0123456789abcdef\n", 17, "\"0123456789abcdef\\n\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pp_buf out = {0};
        char *copy = malloc(cases[i].len + 1); /* the writer must not read the byte behind */
        memcpy(copy, cases[i].string, cases[i].len);
        CU_ASSERT(pp_json_write_string(&out, copy, cases[i].len));
        pp_buf_append_char(&out, '\0');
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].text);
        pp_buf_destroy(&out);
        free(copy);
    }
}

static void refuses_invalid_utf8(void)
{
    static const char *const strings[] = {"\x80",         "a\xc0\xaf",        "\xe2\x82",
                                          "\xed\xa0\x80", "\xf4\x90\x80\x80", "0123456789abcdef0123456789\xff"};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        struct pp_buf out = {0};
        pp_buf_append(&out, "before", 6);
        CU_ASSERT_FALSE(pp_json_write_string(&out, strings[i], strlen(strings[i])));
        CU_ASSERT_EQUAL(out.len, 6);
        pp_buf_destroy(&out);
    }
}

/* Every length and every place of a byte that needs work: the fast path's seams. */
static void comes_back_whatever_its_length(void)
{
    static const char *const inserts[] = {"", "\"", "\n", "\xc3\xa9", "\xf0\x9f\x98\x80"};
    for (size_t len = 0; len < 40; len++)
        for (size_t at = 0; at <= len; at++)
            for (size_t k = 0; k < sizeof inserts / sizeof *inserts; k++) {
                char string[64], plain[64];
                size_t extra = strlen(inserts[k]), total = len + extra;
                memset(string, 'x', sizeof string);
                memcpy(string + at, inserts[k], extra);
                struct pp_buf out = {0};
                struct pp_json_reader reader;
                CU_ASSERT(pp_json_write_string(&out, string, total));
                pp_json_reader_init(&reader, out.data, out.len);
                CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_STRING);
                CU_ASSERT_EQUAL(pp_json_unescape(reader.span, reader.span_len, plain), total);
                CU_ASSERT_EQUAL(memcmp(plain, string, total), 0);
                CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_END);
                pp_buf_destroy(&out);
            }
}

int main(void)
{
    return pp_run_suite("value/json_writer",
                        (CU_TestInfo[]){{"escapes what must be", escapes_what_must_be},
                                        {"refuses invalid UTF-8", refuses_invalid_utf8},
                                        {"comes back whatever its length", comes_back_whatever_its_length},
                                        CU_TEST_INFO_NULL});
}

/* The JSON reader, skipper and writer, with jansson as the oracle: both accept the same texts and find the same values
 * in them, but for the limits that differ on purpose. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_oracle.h"
#include "value/json_reader.h"
#include "value/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the text again from its tokens, one normal form for each value. False where the reader refuses it. */
static bool rewrite(struct pp_json_reader *reader, struct pp_buf *out)
{
    bool comma = false;
    for (;;) {
        enum pp_json_token token = pp_json_next(reader);
        if (token == PP_JSON_ERROR || token == PP_JSON_END)
            return token == PP_JSON_END;
        bool closes = token == PP_JSON_ARRAY_END || token == PP_JSON_OBJECT_END;
        if (comma && !closes)
            pp_buf_append_char(out, ',');
        comma = token != PP_JSON_KEY && token != PP_JSON_ARRAY_BEGIN && token != PP_JSON_OBJECT_BEGIN;
        if (token == PP_JSON_NUMBER) {
            double value = pp_json_number(reader);
            expect(isfinite(value), "an accepted number is not finite");
            pp_json_write_number(out, value);
        } else if (token == PP_JSON_STRING || token == PP_JSON_KEY) {
            char *plain = malloc(reader->span_len + 1);
            size_t len = reader->span_len;
            if (reader->escaped)
                len = pp_json_unescape(reader->span, len, plain);
            else
                memcpy(plain, reader->span, len);
            expect(len <= reader->span_len, "unescaping made a string longer");
            expect(pp_json_write_string(out, plain, len), "an accepted string is not UTF-8");
            free(plain);
            if (token == PP_JSON_KEY)
                pp_buf_append_char(out, ':');
        } else {
            static const char *const texts[] = {
                [PP_JSON_NULL] = "null",     [PP_JSON_TRUE] = "true",   [PP_JSON_FALSE] = "false",
                [PP_JSON_ARRAY_BEGIN] = "[", [PP_JSON_ARRAY_END] = "]", [PP_JSON_OBJECT_BEGIN] = "{",
                [PP_JSON_OBJECT_END] = "}",
            };
            pp_buf_append_string(out, texts[token]);
        }
    }
}

/* What jansson alone accepts: deeper nesting, and a NUL byte behind a number, which it swallows. */
static bool is_our_own(const struct pp_json_reader *reader, const char *text, size_t len)
{
    return strcmp(reader->error, "nested too deep") == 0 || memchr(text, '\0', len) != NULL;
}

static bool skips(const char *text, size_t len)
{
    struct pp_json_reader reader;
    pp_json_reader_init(&reader, text, len);
    return pp_json_skip(&reader) && pp_json_next(&reader) == PP_JSON_END;
}

static void check_again(const struct pp_buf *first, const json_t *oracle)
{
    struct pp_json_reader reader;
    struct pp_buf second = {0};
    json_error_t error;
    pp_json_reader_init(&reader, first->data, first->len);
    expect(rewrite(&reader, &second), "what the writer wrote is refused");
    expect(first->len > 0 && first->len == second.len && memcmp(first->data, second.data, first->len) == 0,
           "writing again differs");
    json_t *again = json_loadb(first->data, first->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    /* A double of 2^63 or above may be written without a point, which jansson takes for an integer. */
    expect(again != NULL || is_janssons_own(&error), "jansson refuses what the writer wrote");
    if (again != NULL && oracle != NULL)
        expect(same(oracle, again), "the value has changed on its way through reader and writer");
    json_decref(again);
    pp_buf_destroy(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct pp_json_reader reader;
    struct pp_buf out = {0};
    json_error_t error;
    pp_json_reader_init(&reader, text, size);
    bool accepted = rewrite(&reader, &out);
    expect(pp_json_offset(&reader) <= size, "an offset outside the text");
    expect(accepted == (reader.error == NULL), "an error without a reason");
    expect(skips(text, size) == accepted, "skipping and reading disagree");
    if (accepted)
        expect(pp_json_skip_value(text, text, text + size, PP_JSON_MAX_DEPTH) != NULL, "skipping needs the reader");

    json_t *oracle = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (accepted)
        expect(oracle != NULL || is_janssons_own(&error), "accepted, but jansson refuses it");
    else
        expect(oracle == NULL || is_our_own(&reader, text, size), "refused, but jansson accepts it");
    if (accepted)
        check_again(&out, oracle);
    json_decref(oracle);
    pp_buf_destroy(&out);
    return 0;
}

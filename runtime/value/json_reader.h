/* A strict reader of JSON text (RFC 8259): pull one token after the other. It allocates nothing; strings come as spans
 * of the text, so the text must outlive them.
 *
 *     struct pp_json_reader reader;
 *     pp_json_reader_init(&reader, text, len);
 *     for (;;)
 *         switch (pp_json_next(&reader)) { … }
 *
 * Refused, with a reason and an offset: anything that is not UTF-8, a byte order mark, control characters in strings,
 * lone surrogate escapes, numbers that are infinite as a double, nesting above max_depth, anything behind the value. */
#ifndef PP_VALUE_JSON_READER_H
#define PP_VALUE_JSON_READER_H

#include "value/json_scan.h"

#define PP_JSON_MAX_DEPTH 64

enum pp_json_token {
    PP_JSON_ERROR, /* reader.error says why, reader.at where; every later call gives the same */
    PP_JSON_NULL,
    PP_JSON_TRUE,
    PP_JSON_FALSE,
    PP_JSON_NUMBER, /* span, pp_json_number() */
    PP_JSON_STRING, /* span, escaped */
    PP_JSON_KEY,    /* span, escaped; its value is the next token */
    PP_JSON_ARRAY_BEGIN,
    PP_JSON_ARRAY_END,
    PP_JSON_OBJECT_BEGIN,
    PP_JSON_OBJECT_END,
    PP_JSON_END, /* the value is complete and nothing stands behind it */
};

enum pp_json_expect { PP_JSON_EXPECT_VALUE, PP_JSON_EXPECT_FIRST, PP_JSON_EXPECT_MORE };

struct pp_json_reader {
    const char *at, *begin, *end;
    const char *span; /* of the last string or key (without its quotes) or number */
    size_t span_len;
    bool escaped;                   /* the span must go through pp_json_unescape */
    enum pp_json_expect expect;     /* what may stand at `at` */
    uint64_t kinds;                 /* one bit per open level, the innermost lowest: 1 object, 0 array */
    unsigned depth;                 /* open levels */
    unsigned max_depth;             /* PP_JSON_MAX_DEPTH, or lower by the user's choice */
    struct pp_json_decimal decimal; /* of the last number */
    const char *error;              /* static text, NULL while all is well */
};

PP_JSON_INLINE void pp_json_reader_init(struct pp_json_reader *reader, const char *text, size_t len)
{
    *reader = (struct pp_json_reader){.at = text, .begin = text, .end = text + len, .max_depth = PP_JSON_MAX_DEPTH};
}

/* Where in the text the reader is; after an error, where it is. */
PP_JSON_INLINE size_t pp_json_offset(const struct pp_json_reader *reader)
{
    return (size_t)(reader->at - reader->begin);
}

/* The number that was just read; finite. */
PP_JSON_INLINE double pp_json_number(const struct pp_json_reader *reader)
{
    return pp_json_number_from(&reader->decimal, reader->span);
}

/* Reads past the next value, all of it checked, faster than token by token: true, or false with the error. A value must
 * be due: the start of the text, the inside of an array that is known to go on, or the place after a key. Its nesting
 * is counted from itself, and the skip recurses for each level of it. */
bool pp_json_skip(struct pp_json_reader *reader);

/* The same without a reader: one past the value at `at`, which may open so many levels; or NULL, where pp_json_skip
 * says why. */
const char *pp_json_skip_value(const char *at, const char *begin, const char *end, unsigned levels);

/* Writes the bytes of an escaped span, which the reader accepted, to `out` and returns their count, never more than
 * `len`. `out` may be `text` itself. */
size_t pp_json_unescape(const char *text, size_t len, char *out);

/* Says why the byte at `at` can't stand there; NULL-safe at the end of the text. */
const char *pp_json_unexpected(const char *at, const char *begin, const char *end);

PP_JSON_INLINE enum pp_json_token pp_json_fail(struct pp_json_reader *reader, const char *at, const char *error)
{
    reader->at = at;
    reader->error = error;
    return PP_JSON_ERROR;
}

PP_JSON_INLINE enum pp_json_token pp_json_fail_unexpected(struct pp_json_reader *reader, const char *at)
{
    return pp_json_fail(reader, at, pp_json_unexpected(at, reader->begin, reader->end));
}

/* A string or key, `at` behind its opening quote: `token`, or the error. */
PP_JSON_INLINE enum pp_json_token pp_json_read_string(struct pp_json_reader *reader, const char *at,
                                                      enum pp_json_token token)
{
    struct pp_json_scan scan = pp_json_scan_string(at, reader->begin, reader->end);
    if (scan.error != NULL)
        return pp_json_fail(reader, scan.at, scan.error);
    reader->span = at;
    reader->span_len = (size_t)(scan.at - at);
    reader->escaped = scan.escaped;
    reader->at = scan.at + 1;
    reader->expect = PP_JSON_EXPECT_MORE;
    return token;
}

/* A key with the colon behind it, `at` where its quote must stand. */
PP_JSON_INLINE enum pp_json_token pp_json_read_key(struct pp_json_reader *reader, const char *at)
{
    if (at == reader->end || *at != '"')
        return pp_json_fail_unexpected(reader, at);
    if (pp_json_read_string(reader, at + 1, PP_JSON_KEY) == PP_JSON_ERROR)
        return PP_JSON_ERROR;
    at = reader->at;
    if (at == reader->end || *at != ':') {
        at = pp_json_skip_space(at, reader->end);
        if (at == reader->end || *at != ':')
            return pp_json_fail_unexpected(reader, at);
    }
    reader->at = at + 1;
    reader->expect = PP_JSON_EXPECT_VALUE;
    return PP_JSON_KEY;
}

PP_JSON_INLINE enum pp_json_token pp_json_read_number(struct pp_json_reader *reader, const char *at)
{
    struct pp_json_decimal decimal = pp_json_scan_number(at, reader->end);
    if (decimal.end == NULL)
        return pp_json_fail(reader, at, "invalid number");
    if (!pp_json_is_finite(&decimal, at))
        return pp_json_fail(reader, at, "number out of range");
    reader->decimal = decimal;
    reader->span = at;
    reader->span_len = (size_t)(decimal.end - at);
    reader->at = decimal.end;
    reader->expect = PP_JSON_EXPECT_MORE;
    return PP_JSON_NUMBER;
}

PP_JSON_INLINE enum pp_json_token pp_json_read_word(struct pp_json_reader *reader, const char *at,
                                                    enum pp_json_token token)
{
    const char *end = pp_json_scan_word(at, reader->end);
    if (end == NULL)
        return pp_json_fail(reader, at, "invalid literal");
    reader->at = end;
    reader->expect = PP_JSON_EXPECT_MORE;
    return token;
}

PP_JSON_INLINE enum pp_json_token pp_json_open(struct pp_json_reader *reader, const char *at, unsigned is_object)
{
    if (reader->depth >= reader->max_depth)
        return pp_json_fail(reader, at, "nested too deep");
    reader->depth++;
    reader->kinds = reader->kinds << 1 | is_object;
    reader->at = at + 1;
    reader->expect = PP_JSON_EXPECT_FIRST;
    return is_object ? PP_JSON_OBJECT_BEGIN : PP_JSON_ARRAY_BEGIN;
}

PP_JSON_INLINE enum pp_json_token pp_json_close(struct pp_json_reader *reader, const char *at)
{
    unsigned is_object = reader->kinds & 1;
    reader->depth--;
    reader->kinds >>= 1;
    reader->at = at + 1;
    reader->expect = PP_JSON_EXPECT_MORE;
    return is_object ? PP_JSON_OBJECT_END : PP_JSON_ARRAY_END;
}

/* A value, `at` on its first byte or the end of the text. */
PP_JSON_INLINE enum pp_json_token pp_json_read_value(struct pp_json_reader *reader, const char *at)
{
    if (at == reader->end)
        return pp_json_fail_unexpected(reader, at);
    switch (*at) {
    case '"':
        return pp_json_read_string(reader, at + 1, PP_JSON_STRING);
    case '{':
        return pp_json_open(reader, at, 1);
    case '[':
        return pp_json_open(reader, at, 0);
    case 't':
        return pp_json_read_word(reader, at, PP_JSON_TRUE);
    case 'f':
        return pp_json_read_word(reader, at, PP_JSON_FALSE);
    case 'n':
        return pp_json_read_word(reader, at, PP_JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return pp_json_read_number(reader, at);
    default:
        return pp_json_fail_unexpected(reader, at);
    }
}

/* What stands behind a value or behind an opening bracket. */
PP_JSON_INLINE enum pp_json_token pp_json_read_more(struct pp_json_reader *reader, const char *at)
{
    if (reader->depth == 0) {
        if (at < reader->end)
            return pp_json_fail(reader, at, "unexpected text behind the value");
        reader->at = at;
        return PP_JSON_END;
    }
    if (at == reader->end)
        return pp_json_fail_unexpected(reader, at);
    bool is_object = reader->kinds & 1;
    if (*at == (is_object ? '}' : ']'))
        return pp_json_close(reader, at);
    if (reader->expect == PP_JSON_EXPECT_MORE) {
        if (*at != ',')
            return pp_json_fail_unexpected(reader, at);
        at = pp_json_skip_space(at + 1, reader->end);
    }
    return is_object ? pp_json_read_key(reader, at) : pp_json_read_value(reader, at);
}

/* The next token. Inlined whole, so that a sink's loop keeps the reader in registers. */
PP_JSON_INLINE enum pp_json_token pp_json_next(struct pp_json_reader *reader)
{
    if (reader->error != NULL)
        return PP_JSON_ERROR;
    const char *at = pp_json_skip_space(reader->at, reader->end);
    if (reader->expect == PP_JSON_EXPECT_VALUE)
        return pp_json_read_value(reader, at);
    return pp_json_read_more(reader, at);
}

#endif

/* The parts of the JSON reader that are not worth inlining: long and escaped strings, exponents, skipping, error texts.
 */
#include "value/json_reader.h"

#include "base/utf8.h"

/* The four hex digits at `at`, or -1. */
static int read_hex(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        if (pp_json_is_digit((char)c))
            value = value << 4 | (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* An escape, `at` on its backslash: its length, or 0 with the error. */
static size_t scan_escape(const char *at, const char *end, const char **error)
{
    *error = "invalid escape";
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    int unit = read_hex(at + 2, end);
    if (unit < 0)
        return 0;
    *error = "lone surrogate";
    if (is_low_surrogate(unit))
        return 0;
    if (!is_high_surrogate(unit))
        return 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u' || !is_low_surrogate(read_hex(at + 8, end)))
        return 0;
    return 12;
}

struct pp_json_scan pp_json_scan_string_rest(const char *at, const char *begin, const char *end)
{
    struct pp_json_scan scan = {at, NULL, false};
    for (;;) {
        size_t step = pp_json_plain(at, begin, end);
        at += step;
        if (step == PP_JSON_BLOCK)
            continue;
        if (at == end)
            return (struct pp_json_scan){end, "unterminated string", false};
        unsigned char c = (unsigned char)*at;
        scan.at = at;
        if (c == '"')
            return scan;
        if (c >= 0x80) {
            step = pp_utf8_length(at, end);
            scan.error = "invalid UTF-8";
        } else if (c == '\\') {
            step = scan_escape(at, end, &scan.error);
            scan.escaped = true;
        } else {
            step = 0;
            scan.error = "control character in a string";
        }
        if (step == 0)
            return scan;
        at += step;
        scan.error = NULL;
    }
}

const char *pp_json_scan_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool negative = false;
    int64_t sum = 0;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    const char *first = at;
    for (; at < end && pp_json_is_digit(*at); at++)
        if (sum < INT32_MAX)
            sum = sum * 10 + (*at - '0');
    *exponent = negative ? -sum : sum;
    return at > first ? at : NULL;
}

__attribute__((noinline)) const char *pp_json_skip_spaces(const char *at, const char *end)
{
    return pp_json_skip_space(at, end);
}

/* Skipping: one past the value, or NULL where the text is wrong, without a reason. `levels` may still be opened. */
static const char *skip_array(const char *at, const char *begin, const char *end, unsigned levels);
static const char *skip_object(const char *at, const char *begin, const char *end, unsigned levels);

PP_JSON_INLINE const char *skip_string(const char *at, const char *begin, const char *end)
{
    struct pp_json_scan scan = pp_json_scan_string(at, begin, end);
    return scan.error == NULL ? scan.at + 1 : NULL;
}

PP_JSON_INLINE const char *skip_number(const char *at, const char *end)
{
    struct pp_json_decimal decimal = pp_json_scan_number(at, end);
    return decimal.end != NULL && pp_json_is_finite(&decimal, at) ? decimal.end : NULL;
}

PP_JSON_INLINE const char *skip_value(const char *at, const char *begin, const char *end, unsigned levels)
{
    char c = pp_json_peek(&at, end);
    if (c == '"')
        return skip_string(at + 1, begin, end);
    if (c == '-' || pp_json_is_digit(c))
        return skip_number(at, end);
    if (c == '{')
        return skip_object(at + 1, begin, end, levels);
    if (c == '[')
        return skip_array(at + 1, begin, end, levels);
    return pp_json_scan_word(at, end);
}

static const char *skip_array(const char *at, const char *begin, const char *end, unsigned levels)
{
    if (levels == 0)
        return NULL;
    if (pp_json_peek(&at, end) == ']')
        return at + 1;
    for (;;) {
        at = skip_value(at, begin, end, levels - 1);
        if (at == NULL)
            return NULL;
        char c = pp_json_peek(&at, end);
        if (c == ']')
            return at + 1;
        if (c != ',')
            return NULL;
        at++;
    }
}

static const char *skip_object(const char *at, const char *begin, const char *end, unsigned levels)
{
    if (levels == 0)
        return NULL;
    char c = pp_json_peek(&at, end);
    if (c == '}')
        return at + 1;
    for (;;) {
        if (c != '"' || (at = skip_string(at + 1, begin, end)) == NULL || pp_json_peek(&at, end) != ':')
            return NULL;
        at = skip_value(at + 1, begin, end, levels - 1);
        if (at == NULL)
            return NULL;
        c = pp_json_peek(&at, end);
        if (c == '}')
            return at + 1;
        if (c != ',')
            return NULL;
        at++;
        c = pp_json_peek(&at, end);
    }
}

/* The same token by token, for the reason why and the place where. */
static void skip_slowly(struct pp_json_reader *reader)
{
    struct pp_json_reader inner = {
        .at = reader->at, .begin = reader->begin, .end = reader->end, .max_depth = reader->max_depth};
    do {
        pp_json_next(&inner);
    } while (inner.depth > 0 && inner.error == NULL);
    reader->at = inner.at;
    reader->error = inner.error;
}

const char *pp_json_skip_value(const char *at, const char *begin, const char *end, unsigned levels)
{
    return skip_value(at, begin, end, levels);
}

bool pp_json_skip(struct pp_json_reader *reader)
{
    const char *behind = pp_json_skip_value(reader->at, reader->begin, reader->end, reader->max_depth);
    if (behind != NULL)
        reader->at = behind;
    else
        skip_slowly(reader);
    reader->expect = PP_JSON_EXPECT_MORE;
    return reader->error == NULL;
}

static size_t write_utf8(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00U >> len) | code);
    return len;
}

/* Writes the character of the escape at `*at` and moves behind it. */
static size_t unescape_one(const char **at, char *out)
{
    char kind = (*at)[1];
    *at += 2;
    if (kind != 'u') {
        static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
        const char *name = strchr(names, kind);
        *out = name != NULL ? values[name - names] : kind;
        return 1;
    }
    unsigned code = (unsigned)read_hex(*at, *at + 4);
    *at += 4;
    if (is_high_surrogate((int)code)) {
        code = 0x10000 + ((code - 0xD800) << 10) + ((unsigned)read_hex(*at + 2, *at + 6) - 0xDC00);
        *at += 6;
    }
    return write_utf8(code, out);
}

size_t pp_json_unescape(const char *text, size_t len, char *out)
{
    const char *at = text, *end = text + len;
    char *to = out;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        memmove(to, at, plain);
        at += plain;
        to += plain;
        if (escape != NULL)
            to += unescape_one(&at, to);
    }
    return (size_t)(to - out);
}

const char *pp_json_unexpected(const char *at, const char *begin, const char *end)
{
    if (at == end)
        return "unexpected end of the text";
    if (at == begin && end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
        return "byte order mark";
    return "unexpected character";
}

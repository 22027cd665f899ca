/* Strings and numbers as JSON text, appended to a buffer. Brackets, commas and colons are the caller's. */
#ifndef PP_VALUE_JSON_WRITER_H
#define PP_VALUE_JSON_WRITER_H

#include "base/buf.h"
#include "value/json_scan.h"

/* Appends the string from its byte `plain` on, with the closing quote; the opening quote and `plain` bytes were
 * appended. False where it is not UTF-8: what was appended stays and is the caller's to take back. */
bool pp_json_write_string_rest(struct pp_buf *out, const char *string, size_t len);

/* Appends the string in quotes, escaped. False where it is not UTF-8: nothing is appended. */
static inline bool pp_json_write_string(struct pp_buf *out, const char *string, size_t len)
{
    size_t before = out->len, plain = 0;
    char *to = pp_buf_reserve(out, len + 2 + PP_JSON_BLOCK);
    *to++ = '"';
    while (len - plain >= PP_JSON_BLOCK && pp_json_plain_block(string + plain) == PP_JSON_BLOCK) {
        memcpy(to + plain, string + plain, PP_JSON_BLOCK);
        plain += PP_JSON_BLOCK;
    }
    out->len += 1 + plain;
    if (plain == len) {
        to[plain] = '"';
        out->len++;
        return true;
    }
    if (pp_json_write_string_rest(out, string + plain, len - plain))
        return true;
    out->len = before;
    return false;
}

/* Appends a finite number. NaN and infinities are not JSON: the caller refuses them before. */
static inline void pp_json_write_number(struct pp_buf *out, double value)
{
    out->len += pp_json_number_write(value, pp_buf_reserve(out, PP_JSON_NUMBER_MAX));
}

static inline void pp_json_write_integer(struct pp_buf *out, uint64_t value)
{
    out->len += pp_json_integer_write(value, pp_buf_reserve(out, PP_JSON_NUMBER_MAX));
}

#endif

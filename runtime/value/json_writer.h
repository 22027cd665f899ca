/* Strings and numbers as JSON text, appended to a buffer. Brackets, commas and colons are the caller's. */
#ifndef PP_VALUE_JSON_WRITER_H
#define PP_VALUE_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "value/json_number.h"

/* Whether the eight bytes of `word` can all stand in a string as they are. */
static inline bool pp_json_word_is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    /* A byte below 0x20, or one of the two that became 0, borrows from its highest bit. What this takes for special
     * without need, next to one that is, only takes the slow way. */
    return (((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs) == 0;
}

/* Copies a string none of whose bytes needs a look: true. Else what stands at `to` is to be written again. Reads
 * nothing outside the string: the last word overlaps the one before. */
static inline bool pp_json_copy_plain(char *to, const char *string, size_t len)
{
    uint64_t word, last;
    if (len >= 8) {
        bool plain = true;
        for (size_t i = 0; i + 8 < len; i += 8) {
            memcpy(&word, string + i, 8);
            memcpy(to + i, &word, 8);
            plain &= pp_json_word_is_plain(word);
        }
        memcpy(&last, string + len - 8, 8);
        memcpy(to + len - 8, &last, 8);
        return plain & pp_json_word_is_plain(last);
    }
    if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, string, 4);
        memcpy(&tail, string + len - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + len - 4, &tail, 4);
        return pp_json_word_is_plain((uint64_t)head << 32 | tail);
    }
    word = UINT64_C(0x2020202020202020);
    for (size_t i = 0; i < len; i++) {
        to[i] = string[i];
        word = word << 8 | (unsigned char)string[i];
    }
    return pp_json_word_is_plain(word);
}

/* Appends the string, escaped, with its closing quote, behind the opening one. False where it is not UTF-8: what was
 * appended stays and is the caller's to take back. */
bool pp_json_write_escaped(struct pp_buf *out, const char *string, size_t len);

/* Appends the string in quotes, escaped. False where it is not UTF-8: nothing is appended. */
static inline bool pp_json_write_string(struct pp_buf *out, const char *string, size_t len)
{
    size_t before = out->len;
    char *to = pp_buf_reserve(out, len + 2);
    *to = '"';
    if (pp_json_copy_plain(to + 1, string, len)) {
        to[len + 1] = '"';
        out->len = before + len + 2;
        return true;
    }
    out->len = before + 1;
    if (pp_json_write_escaped(out, string, len))
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

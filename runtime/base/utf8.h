/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef PP_BASE_UTF8_H
#define PP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool pp_utf8_valid(const void *bytes, size_t len);

/* The bytes (2 to 4) of the character that begins at `at`, whose first byte is 0x80 or above; 0 where it is not valid
 * or does not end before `end`. */
static inline size_t pp_utf8_length(const char *at, const char *end)
{
    const unsigned char *s = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    unsigned first = s[0];
    if (first < 0xC2 || left < 2 || (s[1] & 0xC0) != 0x80)
        return 0;
    if (first < 0xE0)
        return 2;
    if (left < 3 || (s[2] & 0xC0) != 0x80)
        return 0;
    if (first < 0xF0) {
        if ((first == 0xE0 && s[1] < 0xA0) || (first == 0xED && s[1] > 0x9F))
            return 0;
        return 3;
    }
    if (left < 4 || (s[3] & 0xC0) != 0x80 || first > 0xF4)
        return 0;
    if ((first == 0xF0 && s[1] < 0x90) || (first == 0xF4 && s[1] > 0x8F))
        return 0;
    return 4;
}

#endif

/* The two expensive scans of JSON text, strings and numbers, as inlined fast paths over the plain cases. json_reader.h
 * is the reader to use; these are its parts. Nothing is read at or past `end`. */
#ifndef PP_VALUE_JSON_SCAN_H
#define PP_VALUE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "value/json_number.h"

#define PP_JSON_INLINE static inline __attribute__((always_inline))

/* What a scan found: `at` is one past what was accepted, or where the error is. */
struct pp_json_scan {
    const char *at;
    const char *error; /* static text, NULL where all is well */
    bool escaped;      /* strings: there is a backslash in it */
};

/* The part of a string from `at` on, up to its closing quote (where scan.at points): the general case. */
struct pp_json_scan pp_json_scan_string_rest(const char *at, const char *end);

/* Bytes from `at` on that need no look: not a quote, not a backslash, not a control character, not above 0x7F. The
 * caller has at least PP_JSON_BLOCK bytes; PP_JSON_BLOCK is returned where all of them are plain. */
#ifdef __SSE2__
#define PP_JSON_BLOCK 16
PP_JSON_INLINE size_t pp_json_plain_block(const char *at)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
    /* Signed comparison: bytes from 0x80 on are negative, so they too are "less than a space". */
    __m128i special = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(special) | 0x10000U);
}
#else
#define PP_JSON_BLOCK 8
PP_JSON_INLINE size_t pp_json_plain_block(const char *at)
{
    for (size_t i = 0; i < PP_JSON_BLOCK; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            return i;
    }
    return PP_JSON_BLOCK;
}
#endif

/* A string whose opening quote was read. scan.at points at the closing quote. */
PP_JSON_INLINE struct pp_json_scan pp_json_scan_string(const char *at, const char *end)
{
    if (end - at >= PP_JSON_BLOCK) {
        size_t plain = pp_json_plain_block(at);
        if (plain < PP_JSON_BLOCK && at[plain] == '"')
            return (struct pp_json_scan){at + plain, NULL, false};
        at += plain;
    }
    struct pp_json_scan rest = pp_json_scan_string_rest(at, end);
    return rest;
}

PP_JSON_INLINE bool pp_json_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Takes digits into `digits` (which wraps after 19 of them) and returns one past the last. */
PP_JSON_INLINE const char *pp_json_scan_digits(const char *at, const char *end, uint64_t *digits)
{
    uint64_t sum = *digits;
    while (at < end && pp_json_is_digit(*at))
        sum = sum * 10 + (uint64_t)(*at++ - '0');
    *digits = sum;
    return at;
}

/* The exponent of a number, `at` on its 'e': added to decimal->exponent. NULL where there is no digit. */
const char *pp_json_scan_exponent(const char *at, const char *end, struct pp_json_decimal *decimal);

/* A number by the grammar, `at` on its first byte ('-' or a digit). One past it, or NULL where it is not a number. */
PP_JSON_INLINE const char *pp_json_scan_number(const char *at, const char *end, struct pp_json_decimal *decimal)
{
    decimal->negative = *at == '-';
    at += decimal->negative;
    const char *first = at;
    decimal->digits = 0;
    decimal->exponent = 0;
    at = pp_json_scan_digits(at, end, &decimal->digits);
    size_t count = (size_t)(at - first);
    if (count == 0 || (count > 1 && *first == '0'))
        return NULL;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = pp_json_scan_digits(at, end, &decimal->digits);
        if (at == fraction)
            return NULL;
        decimal->exponent = -(int64_t)(at - fraction);
        count += (size_t)(at - fraction);
    }
    decimal->count = count;
    if (at < end && (*at | 0x20) == 'e')
        return pp_json_scan_exponent(at, end, decimal);
    return at;
}

#endif

/* What every reader of JSON text is made of: spaces, strings, numbers and words, inlined. json_reader.h is the reader
 * to use where it is fast enough; who needs more takes these. A text is [begin, end); nothing outside it is read. */
#ifndef PP_VALUE_JSON_SCAN_H
#define PP_VALUE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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

PP_JSON_INLINE const char *pp_json_skip_space(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* As pp_json_skip_space, where there probably is one. */
const char *pp_json_skip_spaces(const char *at, const char *end);

/* Moves past spaces and gives the byte that stands there; '\0', which may stand nowhere, at the end of the text. */
PP_JSON_INLINE char pp_json_peek(const char **at, const char *end)
{
    if (*at < end && (unsigned char)**at > ' ')
        return **at;
    *at = pp_json_skip_spaces(*at, end);
    return *at < end ? **at : '\0';
}

/* Whether the text goes on with the characters of `literal`, a string constant. */
#define pp_json_is_next(at, end, literal)                                                                              \
    ((size_t)((end) - (at)) >= sizeof(literal) - 1 && memcmp(at, literal, sizeof(literal) - 1) == 0)

/* One past a `true`, `false` or `null` whose first letter stands at `at`, or NULL. */
PP_JSON_INLINE const char *pp_json_scan_word(const char *at, const char *end)
{
    if (pp_json_is_next(at, end, "true") || pp_json_is_next(at, end, "null"))
        return at + 4;
    return pp_json_is_next(at, end, "false") ? at + 5 : NULL;
}

#define PP_JSON_BLOCK 16

#ifdef __SSE2__
/* One bit for each byte of a block that needs a look: a quote, a backslash, a control character, or above 0x7F. */
PP_JSON_INLINE unsigned pp_json_special(const char *block)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
    /* Signed comparison: bytes from 0x80 on are negative, so they too are "less than a space". */
    __m128i special = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(special);
}
#endif

/* How many of the next bytes, from the first on, need no such look: at most PP_JSON_BLOCK, and at most what is left. */
PP_JSON_INLINE size_t pp_json_plain(const char *at, const char *begin, const char *end)
{
    size_t left = (size_t)(end - at), n = 0;
#ifdef __SSE2__
    if (left >= PP_JSON_BLOCK)
        return (size_t)__builtin_ctz(pp_json_special(at) | 1U << PP_JSON_BLOCK);
    if (end - begin >= PP_JSON_BLOCK) /* the text's last block has them all */
        return (size_t)__builtin_ctz(pp_json_special(end - PP_JSON_BLOCK) >> (PP_JSON_BLOCK - left) | 1U << left);
#endif
    (void)begin;
    for (; n < left && n < PP_JSON_BLOCK; n++) {
        unsigned char c = (unsigned char)at[n];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
    }
    return n;
}

/* The part of a string from `at` on, up to its closing quote (where scan.at points): the general case. */
struct pp_json_scan pp_json_scan_string_rest(const char *at, const char *begin, const char *end);

/* A string whose opening quote was read. scan.at points at the closing quote. */
PP_JSON_INLINE struct pp_json_scan pp_json_scan_string(const char *at, const char *begin, const char *end)
{
    at += pp_json_plain(at, begin, end);
    if (at < end && *at == '"')
        return (struct pp_json_scan){at, NULL, false};
    return pp_json_scan_string_rest(at, begin, end);
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

/* The exponent of a number, `at` on its 'e'. One past it, or NULL where there is no digit. */
const char *pp_json_scan_exponent(const char *at, const char *end, int64_t *exponent);

/* A number by the grammar, `at` on its first byte ('-' or a digit). By value, for what has an address is not kept in
 * registers. */
PP_JSON_INLINE struct pp_json_decimal pp_json_scan_number(const char *at, const char *end)
{
    struct pp_json_decimal decimal = {.negative = *at == '-'};
    at += decimal.negative;
    const char *first = at;
    at = pp_json_scan_digits(at, end, &decimal.digits);
    decimal.count = (size_t)(at - first);
    if (decimal.count == 0 || (decimal.count > 1 && *first == '0'))
        return decimal;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = pp_json_scan_digits(at, end, &decimal.digits);
        if (at == fraction)
            return decimal;
        decimal.exponent = fraction - at;
        decimal.count += (size_t)(at - fraction);
    }
    if (at < end && (*at | 0x20) == 'e') {
        int64_t exponent = 0;
        at = pp_json_scan_exponent(at, end, &exponent);
        decimal.exponent += exponent;
    }
    decimal.end = at;
    return decimal;
}

/* Whether a double can hold `decimal`, whose text begins at `text`. */
PP_JSON_INLINE bool pp_json_is_finite(const struct pp_json_decimal *decimal, const char *text)
{
    /* Below 10^308 there is no need to convert in order to know. */
    return (int64_t)decimal->count + decimal->exponent <= 308 ||
           !__builtin_isinf(pp_json_number_parse(text, (size_t)(decimal->end - text)));
}

#endif

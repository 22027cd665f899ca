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

/* How many of the next PP_JSON_BLOCK bytes, from the first on, need no look: not a quote, not a backslash, not a
 * control character, not above 0x7F. Less than a block may be left: then it is at most what is left. */
#ifdef __SSE2__
/* One bit for each byte that does need one. */
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

/* Eight bytes of text XOR PP_JSON_ZEROS are the values of eight digits, the first in the lowest byte. */
#define PP_JSON_ZEROS UINT64_C(0x3030303030303030)

/* The highest bit of each byte of such a word that is not a digit. Above the first of them a bit may be set without
 * need. */
PP_JSON_INLINE uint64_t pp_json_not_digits(uint64_t word)
{
    const uint64_t ones = PP_JSON_ZEROS / 0x30;
    return ((word + ones * (0x80 - 10)) | word) & (ones * 0x80);
}

/* The number that eight digits make, the first in the lowest byte. */
PP_JSON_INLINE uint64_t pp_json_eight_digits(uint64_t word)
{
    const uint64_t mask = UINT64_C(0x000000FF000000FF);
    word = word * 10 + (word >> 8); /* now two digits in every second byte */
    return ((word & mask) * (100 + (UINT64_C(1000000) << 32)) + (word >> 16 & mask) * (1 + (UINT64_C(10000) << 32))) >>
           32;
}

/* A number of at most six bytes, without sign and exponent: digits / 10^places. `at` is NULL for every other case. */
struct pp_json_short_number {
    const char *at; /* one past it */
    uint64_t digits;
    unsigned count, places;
};

PP_JSON_INLINE struct pp_json_short_number pp_json_scan_short_number(const char *at, const char *end)
{
    const struct pp_json_short_number another = {NULL, 0, 0, 0};
    uint64_t word;
    if (end - at < 8)
        return another;
    memcpy(&word, at, 8);
    word ^= PP_JSON_ZEROS;
    uint64_t others = pp_json_not_digits(word) | UINT64_C(1) << 63; /* so that there is one */
    unsigned whole = (unsigned)__builtin_ctzll(others) / 8, len = whole, count = whole;
    if (whole - 1 >= 6 || (*at == '0' && whole > 1))
        return another;
    if (at[whole] == '.') {
        others &= others - 1; /* true also of its next one, since a point carries nothing on */
        len = (unsigned)__builtin_ctzll(others) / 8;
        count = len - 1;
        if (len == 7 || count == whole)
            return another;
        word ^= (word ^ word >> 8) & -(UINT64_C(1) << 8 * whole); /* the fraction moves over the point */
    }
    if ((at[len] | 0x20) == 'e')
        return another;
    return (struct pp_json_short_number){at + len, pp_json_eight_digits(word << (64 - 8 * count)), count,
                                         count - whole};
}

/* The general case of pp_json_scan_number, and of pp_json_scan_double. */
const char *pp_json_scan_any_number(const char *at, const char *end, struct pp_json_decimal *decimal);
struct pp_json_double pp_json_scan_any_double(const char *at, const char *end);

/* A number by the grammar, `at` on its first byte ('-' or a digit). One past it, or NULL where it is not a number. */
PP_JSON_INLINE const char *pp_json_scan_number(const char *at, const char *end, struct pp_json_decimal *decimal)
{
    bool negative = *at == '-';
    struct pp_json_short_number number = pp_json_scan_short_number(at + negative, end);
    if (number.at == NULL)
        return pp_json_scan_any_number(at, end, decimal);
    *decimal = (struct pp_json_decimal){number.digits, -(int64_t)number.places, number.count, negative};
    return number.at;
}

/* A number with its value; `at` is one past it, or NULL where it is not a number or too big for a double. */
struct pp_json_double {
    const char *at;
    double value;
};

PP_JSON_INLINE struct pp_json_double pp_json_scan_double(const char *at, const char *end)
{
    bool negative = *at == '-';
    struct pp_json_short_number number = pp_json_scan_short_number(at + negative, end);
    if (number.at == NULL)
        return pp_json_scan_any_double(at, end);
    double value = (double)(int64_t)number.digits;
    if (number.places != 0)
        value /= pp_json_powers[number.places]; /* both are exact, so this is the nearest double */
    return (struct pp_json_double){number.at, negative ? -value : value};
}

/* Whether a double can hold the number at [at, end) that pp_json_scan_number found. */
PP_JSON_INLINE bool pp_json_is_finite(const struct pp_json_decimal *decimal, const char *at, const char *end)
{
    /* Below 10^308 there is no need to convert in order to know. */
    return (int64_t)decimal->count + decimal->exponent <= 308 ||
           !__builtin_isinf(pp_json_number_parse(at, (size_t)(end - at)));
}

#endif

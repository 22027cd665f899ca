/* Numbers between text and double. Both directions are exact: what is written reads back as the same double, in the
 * fewest digits. Integers and short decimals are done here, the rest by the C++ standard library (json_number.cc). */
#ifndef PP_VALUE_JSON_NUMBER_H
#define PP_VALUE_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that the longest number needs, with room for the writer to store in whole words. */
#define PP_JSON_NUMBER_MAX 40

/* A number as it stands in a text: digits × 10^exponent. */
struct pp_json_decimal {
    const char *end;  /* one past it; NULL where it is not a number by JSON's grammar */
    uint64_t digits;  /* of all digits, wrapped where count is above 19 */
    int64_t exponent; /* saturates far outside the range of a double */
    size_t count;     /* digits in the text, leading zeros too */
    bool negative;
};

/* `text` is a number by JSON's grammar; the nearest double, infinite where it is too big. */
double pp_json_number_parse(const char *text, size_t len);

/* The double of `decimal`, whose text begins at `text`: infinite where it is too big. */
static inline double pp_json_number_from(const struct pp_json_decimal *decimal, const char *text)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both operands are exact doubles, so one correctly rounded operation gives the nearest double. */
    if (decimal->count > 19 || decimal->digits > (UINT64_C(1) << 53) || decimal->exponent < -22 ||
        decimal->exponent > 22)
        return pp_json_number_parse(text, (size_t)(decimal->end - text));
    double value = (double)(int64_t)decimal->digits;
    if (decimal->exponent < 0)
        value /= powers[-decimal->exponent];
    else if (decimal->exponent > 0)
        value *= powers[decimal->exponent];
    return decimal->negative ? -value : value;
}

/* Writes a finite double, the shortest text that reads back as the same; returns its length. `out` holds
 * PP_JSON_NUMBER_MAX. */
size_t pp_json_number_write(double value, char *out);

/* Writes an integer in decimal; returns its length (at most 20). `out` holds PP_JSON_NUMBER_MAX. */
size_t pp_json_integer_write(uint64_t value, char *out);

/* The same for integers and short decimals; 0 for every other value, NaN and infinities too. */
size_t pp_json_number_write_short(double value, char *out);

/* The shortest text that reads back as the same float: 0.1, where the double of the same value takes 19 digits. */
size_t pp_json_float_write(float value, char *out);

/* The general case of pp_json_number_write. */
size_t pp_json_number_write_any(double value, char *out);

#ifdef __cplusplus
}
#endif

#endif

/* The fast cases of writing numbers: integers, and decimals of few digits. */
#include "value/json_number.h"

#include <math.h>
#include <string.h>

static const char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value)
{
    size_t count = 1;
    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* Writes exactly `count` digits, zeros in front where the value has fewer. */
static void write_digits(uint64_t value, char *out, size_t count)
{
    while (count >= 2) {
        count -= 2;
        memcpy(out + count, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (count > 0)
        *out = (char)('0' + value % 10);
}

size_t pp_json_integer_write(uint64_t value, char *out)
{
    if (value < 10) {
        *out = (char)('0' + value);
        return 1;
    }
    size_t count = count_digits(value);
    write_digits(value, out, count);
    return count;
}

/* The value is scaled / 10^places, and not whole. `places` is a constant, so that nothing here divides. */
static inline __attribute__((always_inline)) size_t write_decimal(uint64_t scaled, size_t places, char *out)
{
    uint64_t power = places == 3 ? 1000 : 1000000;
    size_t len = pp_json_integer_write(scaled / power, out);
    out[len++] = '.';
    write_digits(scaled % power, out + len, places);
    len += places;
    while (out[len - 1] == '0')
        len--;
    return len;
}

size_t pp_json_number_write(double value, char *out)
{
    double size = fabs(value);
    size_t sign = value < 0;
    *out = '-';
    if (size <= 9007199254740992.0) {
        uint64_t whole = (uint64_t)(int64_t)size;
        if ((double)(int64_t)whole == size && (whole != 0 || !signbit(value)))
            return sign + pp_json_integer_write(whole, out + sign);
    }
    /* A decimal of at most 15 digits is told from every other such decimal by its double, so where one that divides
     * back to the value is found, it is the shortest text. */
    if (size < 1e9 && size >= 1e-3) {
        uint64_t thousandths = (uint64_t)(int64_t)(size * 1e3 + 0.5);
        if ((double)(int64_t)thousandths / 1e3 == size)
            return sign + write_decimal(thousandths, 3, out + sign);
        uint64_t millionths = (uint64_t)(int64_t)(size * 1e6 + 0.5);
        if ((double)(int64_t)millionths / 1e6 == size)
            return sign + write_decimal(millionths, 6, out + sign);
    }
    return pp_json_number_write_any(value, out);
}

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

/* Writes a value below 10000; returns its length. */
static inline __attribute__((always_inline)) size_t write_small(unsigned value, char *out)
{
    unsigned high = value / 100, low = value % 100;
    if (value < 10) {
        *out = (char)('0' + value);
        return 1;
    }
    if (value < 100) {
        memcpy(out, pairs + low * 2, 2);
        return 2;
    }
    if (value < 1000) {
        *out = (char)('0' + high);
        memcpy(out + 1, pairs + low * 2, 2);
        return 3;
    }
    memcpy(out, pairs + high * 2, 2);
    memcpy(out + 2, pairs + low * 2, 2);
    return 4;
}

static __attribute__((noinline)) size_t write_big(uint64_t value, char *out)
{
    size_t count = count_digits(value);
    write_digits(value, out, count);
    return count;
}

static inline __attribute__((always_inline)) size_t write_integer(uint64_t value, char *out)
{
    return value < 10000 ? write_small((unsigned)value, out) : write_big(value, out);
}

size_t pp_json_integer_write(uint64_t value, char *out)
{
    return write_integer(value, out);
}

/* Writes the fraction of a decimal with its point; it is not 0. */
static inline size_t write_thousandths(unsigned fraction, char *out)
{
    unsigned low = fraction % 100;
    out[0] = '.';
    out[1] = (char)('0' + fraction / 100);
    memcpy(out + 2, pairs + low * 2, 2);
    return 2 + (low != 0) + (out[3] != '0');
}

static size_t write_millionths(uint64_t fraction, char *out)
{
    size_t len = 7;
    out[0] = '.';
    write_digits(fraction, out + 1, 6);
    while (out[len - 1] == '0')
        len--;
    return len;
}

/* The other decimals and integers; 0 where the value is none. */
static size_t write_long(double value, double size, char *out)
{
    size_t sign = value < 0;
    *out = '-';
    if (size >= 1e9 && size <= 9007199254740992.0) {
        uint64_t whole = (uint64_t)(int64_t)size;
        if ((double)(int64_t)whole == size)
            return sign + write_big(whole, out + sign);
    } else if (size < 1e9 && size >= 1e-3) {
        uint64_t millionths = (uint64_t)(int64_t)(size * 1e6 + 0.5);
        if ((double)(int64_t)millionths / 1e6 == size) {
            size_t len = sign + pp_json_integer_write(millionths / 1000000, out + sign);
            return len + write_millionths(millionths % 1000000, out + len);
        }
    }
    return 0;
}

size_t pp_json_number_write_short(double value, char *out)
{
    double size = fabs(value);
    if (!(size < 1e9))
        return write_long(value, size, out);
    size_t len = signbit(value) != 0;
    int64_t whole = (int64_t)size;
    *out = '-'; /* or what comes next */
    if ((double)whole == size)
        return len + write_integer((uint64_t)whole, out + len);
    /* A decimal of at most 15 digits is told from every other such decimal by its double, so where one that divides
     * back to the value is found, it is the shortest text. */
    int64_t thousandths = (int64_t)(size * 1e3 + 0.5);
    if ((double)thousandths / 1e3 != size)
        return write_long(value, size, out);
    len += write_integer((uint64_t)thousandths / 1000, out + len);
    return len + write_thousandths((unsigned)((uint64_t)thousandths % 1000), out + len);
}

size_t pp_json_number_write(double value, char *out)
{
    size_t len = pp_json_number_write_short(value, out);
    return len > 0 ? len : pp_json_number_write_any(value, out);
}

// The general cases of json_number.h, by the C++ standard library: nearest double in, shortest text out.
#include "value/json_number.h"

#include <charconv>
#include <limits>
#include <system_error>

// Whether a number that no double is near enough to is too small rather than too big, by the place of its first digit
// that isn't zero.
static bool is_below_one(const char *at, const char *end)
{
    long long scale = 0;
    bool seen = false, fraction = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.')
            fraction = true;
        else if (*at >= '1' && *at <= '9')
            seen = true;
        if (*at >= '0' && *at <= '9')
            scale += (seen && !fraction) - (!seen && fraction);
    }
    if (at == end)
        return scale <= 0;
    at += at[1] == '+' ? 2 : 1;
    long exponent = 0;
    if (std::from_chars(at, end, exponent).ec == std::errc::result_out_of_range)
        return *at == '-';
    return scale + exponent <= 0;
}

extern "C" double pp_json_number_parse(const char *text, size_t len)
{
    double value = 0;
    const std::from_chars_result result = std::from_chars(text, text + len, value);
    if (result.ec != std::errc::result_out_of_range)
        return value;
    bool negative = len > 0 && *text == '-';
    if (is_below_one(text, text + len))
        return negative ? -0.0 : 0.0;
    double huge = std::numeric_limits<double>::infinity();
    return negative ? -huge : huge;
}

extern "C" size_t pp_json_number_write_any(double value, char *out)
{
    const std::to_chars_result result = std::to_chars(out, out + PP_JSON_NUMBER_MAX, value);
    return static_cast<size_t>(result.ptr - out);
}

extern "C" size_t pp_json_float_write(float value, char *out)
{
    const std::to_chars_result result = std::to_chars(out, out + PP_JSON_NUMBER_MAX, value);
    return static_cast<size_t>(result.ptr - out);
}

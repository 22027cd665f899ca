/* Numbers: every double comes back as itself, in the fewest digits. */
#include "harness.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/json_reader.h"
#include "value/json_writer.h"

static double read_number(const char *text, size_t len)
{
    struct pp_json_reader reader;
    pp_json_reader_init(&reader, text, len);
    CU_ASSERT_EQUAL(pp_json_next(&reader), PP_JSON_NUMBER);
    CU_ASSERT_EQUAL(reader.span_len, len);
    return pp_json_number(&reader);
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool round_trips(double value)
{
    char text[PP_JSON_NUMBER_MAX + 1];
    size_t len = pp_json_number_write(value, text);
    text[len] = '\0';
    if (same_bits(read_number(text, len), value) && same_bits(strtod(text, NULL), value))
        return true;
    printf("%.17g was written as %s\n", value, text);
    return false;
}

static void writes_the_shortest_text(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {42, "42"},
        {1234567890, "1234567890"},
        {9007199254740991, "9007199254740991"},
        {9007199254740992, "9007199254740992"},
        {-9007199254740992, "-9007199254740992"},
        {0.5, "0.5"},
        {-7.25, "-7.25"},
        {123.5, "123.5"},
        {0.1, "0.1"},
        {0.001, "0.001"},
        {100.01, "100.01"},
        {1.000001, "1.000001"},
        {-999999999.999, "-999999999.999"},
        {0.30000000000000004, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {123456.789, "123456.789"},
        {1e21, "1e+21"},
        {1e-7, "1e-07"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[PP_JSON_NUMBER_MAX + 1];
        text[pp_json_number_write(cases[i].value, text)] = '\0';
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
        CU_ASSERT(round_trips(cases[i].value));
    }
}

static void writes_integers(void)
{
    static const uint64_t values[] = {0,     9,     10,     99,      100,      999,        1000,      9999,
                                      10000, 99999, 100000, 1234567, 99999999, 4294967296, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[PP_JSON_NUMBER_MAX + 1], expected[32];
        text[pp_json_integer_write(values[i], text)] = '\0';
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)values[i]);
        CU_ASSERT_STRING_EQUAL(text, expected);
    }
}

static void keeps_doubles_of_every_kind(void)
{
    uint64_t state = 88172645463325252;
    bool all = true;
    for (int i = 0; i < 200000 && all; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double any, unit = (double)(state >> 11) * 0x1p-53;
        memcpy(&any, &state, sizeof any);
        all = (!isfinite(any) || round_trips(any)) && round_trips(unit) && round_trips(unit * 1000) &&
              round_trips(floor(unit * 1e6) / 1e3) && round_trips(-floor(unit * 1e12) / 1e6) &&
              round_trips(floor(unit * 1e17)) && round_trips(unit * 0x1p-1060);
    }
    CU_ASSERT(all);
}

static void reads_the_nearest_double(void)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},
        {"-0", -0.0},
        {"-0.0e5", -0.0},
        {"123.456", 123.456},
        {"9007199254740993", 9007199254740992},
        {"9007199254740995", 9007199254740996},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"0.1", 0.1},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"0.000000000000000000000001", 1e-24},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"2e-324", 0},
        {"-1e-400", -0.0},
        {"3e-324", 5e-324},
        {"1e-9999999999999999999", 0},
        {"17976931348623157e292", 1.7976931348623157e308},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = read_number(cases[i].text, strlen(cases[i].text));
        if (!same_bits(value, cases[i].value)) {
            printf("%s was read as %.17g\n", cases[i].text, value);
            CU_FAIL("another double");
        }
    }
    CU_ASSERT(isinf(pp_json_number_parse("1e309", 5)));
    CU_ASSERT(pp_json_number_parse("-1e309", 6) < 0);
}

/* [-]digits[.digits][e[+-]digits] without leading zeros, by a plain automaton. */
static const char *end_of_number(const char *at)
{
    at += *at == '-';
    const char *first = at;
    while (isdigit((unsigned char)*at))
        at++;
    if (at == first || (*first == '0' && at > first + 1))
        return NULL;
    if (*at == '.') {
        const char *fraction = ++at;
        while (isdigit((unsigned char)*at))
            at++;
        if (at == fraction)
            return NULL;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        first = at;
        while (isdigit((unsigned char)*at))
            at++;
        if (at == first)
            return NULL;
    }
    return at;
}

/* `text` stands at the end of a block, and once more with others behind it. */
static bool reads_like_strtod(const char *text, size_t len)
{
    const char *expected = end_of_number(text);
    if (len == 0)
        return false;
    for (size_t behind = 0; behind < 12; behind += 3) {
        char *copy = malloc(len + behind);
        memcpy(copy, text, len);
        memset(copy + len, behind == 3 ? ',' : ' ', behind);
        struct pp_json_decimal decimal = pp_json_scan_number(copy, copy + len + behind);
        bool same = (decimal.end == NULL) == (expected == NULL);
        if (same && decimal.end != NULL)
            same = decimal.end - copy == expected - text &&
                   same_bits(pp_json_number_from(&decimal, copy), strtod(text, NULL)) &&
                   pp_json_is_finite(&decimal, copy) == (bool)isfinite(strtod(text, NULL));
        free(copy);
        if (!same)
            return false;
    }
    return true;
}

/* Every text of up to six of these characters that begins like a number. */
static void reads_short_numbers_like_strtod(void)
{
    static const char letters[] = "0159.-e";
    const unsigned count = sizeof letters - 1;
    bool all = true;
    for (size_t len = 1; len <= 6; len++) {
        unsigned texts = 1;
        for (size_t i = 0; i < len; i++)
            texts *= count;
        for (unsigned n = 0; n < texts && all; n++) {
            char text[8] = {0};
            unsigned rest = n;
            for (size_t i = 0; i < len; i++, rest /= count)
                text[i] = letters[rest % count];
            if (*text == '-' || isdigit((unsigned char)*text))
                all = reads_like_strtod(text, len);
            if (!all)
                printf("%s is read wrong\n", text);
        }
    }
    CU_ASSERT(all);
}

static void reads_digits_of_every_count_like_strtod(void)
{
    char text[64];
    for (int whole = 1; whole <= 21; whole++)
        for (int fraction = 0; fraction <= 21; fraction++)
            for (int exponent = 0; exponent <= 1; exponent++) {
                int len = snprintf(text, sizeof text, "-%.*s%s%.*s%s", whole, "987654321012345678909",
                                   fraction > 0 ? "." : "", fraction, "012345678909876543210", exponent ? "e-3" : "");
                CU_ASSERT(reads_like_strtod(text, (size_t)len));
                CU_ASSERT(reads_like_strtod(text + 1, (size_t)len - 1));
            }
}

int main(void)
{
    return pp_run_suite(
        "value/json_number",
        (CU_TestInfo[]){{"writes the shortest text", writes_the_shortest_text},
                        {"writes integers", writes_integers},
                        {"keeps doubles of every kind", keeps_doubles_of_every_kind},
                        {"reads the nearest double", reads_the_nearest_double},
                        {"reads short numbers like strtod", reads_short_numbers_like_strtod},
                        {"reads digits of every count like strtod", reads_digits_of_every_count_like_strtod},
                        CU_TEST_INFO_NULL});
}

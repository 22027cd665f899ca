/* UTF-8: a table of sequences, and every code point there is. */
#include "base/utf8.h"
#include "guard.h"
#include "harness.h"

#include <stdint.h>

struct sample {
    const char *bytes;
    size_t len;
    bool valid;
};

#define SAMPLE(bytes, valid)                                                                                           \
    {                                                                                                                  \
        bytes, sizeof bytes - 1, valid                                                                                 \
    }

static const struct sample samples[] = {
    SAMPLE("", true),
    SAMPLE("a", true),
    SAMPLE("\0", true),
    SAMPLE("\x7F", true),
    SAMPLE("\xC2\x80", true),
    SAMPLE("\xDF\xBF", true),
    SAMPLE("\xE0\xA0\x80", true),
    SAMPLE("\xED\x9F\xBF", true), /* the last before the surrogates */
    SAMPLE("\xEE\x80\x80", true),
    SAMPLE("\xEF\xBF\xBF", true),
    SAMPLE("\xF0\x90\x80\x80", true),
    SAMPLE("\xF4\x8F\xBF\xBF", true), /* U+10FFFF */
    SAMPLE("\x80", false),            /* a continuation alone */
    SAMPLE("\xBF", false),
    SAMPLE("\xC0\x80", false), /* overlong NUL */
    SAMPLE("\xC1\xBF", false), /* overlong */
    SAMPLE("\xC2", false),     /* cut */
    SAMPLE("\xC2\x7F", false),
    SAMPLE("\xC2\xC0", false),
    SAMPLE("\xE0\x9F\xBF", false), /* overlong */
    SAMPLE("\xE0\xA0", false),     /* cut */
    SAMPLE("\xE0\xA0\x7F", false),
    SAMPLE("\xED\xA0\x80", false), /* a surrogate */
    SAMPLE("\xED\xBF\xBF", false),
    SAMPLE("\xED\xA0\x80\xED\xB0\x80", false), /* a pair of them */
    SAMPLE("\xF0\x8F\xBF\xBF", false),         /* overlong */
    SAMPLE("\xF0\x90\x80", false),             /* cut */
    SAMPLE("\xF0\x90\x80\xC0", false),
    SAMPLE("\xF4\x90\x80\x80", false), /* above U+10FFFF */
    SAMPLE("\xF5\x80\x80\x80", false),
    SAMPLE("\xF8\x88\x80\x80\x80", false),
    SAMPLE("\xFE", false),
    SAMPLE("\xFF", false),
};

#define COUNT (sizeof samples / sizeof samples[0])

static void judges_single_sequences(void)
{
    struct pp_guard guard = pp_guard_new(64);
    for (size_t i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(pp_utf8_valid(pp_guard_place(&guard, samples[i].bytes, samples[i].len), samples[i].len),
                        samples[i].valid);
    pp_guard_delete(&guard);
}

/* Whatever the distance to the words that are read at once, and to the end of the memory. */
static void judges_them_anywhere_in_a_text(void)
{
    struct pp_guard guard = pp_guard_new(256);
    char text[128];
    for (size_t i = 0; i < COUNT; i++)
        for (size_t before = 0; before < 20; before++)
            for (size_t after = 0; after < 20; after++) {
                size_t len = before + samples[i].len + after;
                memset(text, 'x', sizeof text);
                memcpy(text + before, samples[i].bytes, samples[i].len);
                if (pp_utf8_valid(pp_guard_place(&guard, text, len), len) != samples[i].valid)
                    CU_FAIL("judged otherwise inside a text");
            }
    pp_guard_delete(&guard);
}

static void judges_them_behind_others(void)
{
    char text[16];
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++) {
            memcpy(text, samples[i].bytes, samples[i].len);
            memcpy(text + samples[i].len, samples[j].bytes, samples[j].len);
            /* what is cut off may be made whole by what follows */
            if (samples[i].valid && samples[j].valid != pp_utf8_valid(text, samples[i].len + samples[j].len))
                CU_FAIL("judged otherwise beside another");
        }
}

static size_t encode(uint32_t c, unsigned char out[4])
{
    if (c < 0x80)
        return out[0] = (unsigned char)c, 1;
    if (c < 0x800) {
        out[0] = (unsigned char)(0xC0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (unsigned char)(0xE0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | c >> 18);
    out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (c & 0x3F));
    return 4;
}

static void knows_every_code_point(void)
{
    unsigned wrong = 0;
    for (uint32_t c = 0; c < 0x120000; c++) {
        unsigned char bytes[4];
        size_t len = encode(c, bytes);
        bool valid = c < 0xD800 || (c > 0xDFFF && c < 0x110000);
        wrong += pp_utf8_valid(bytes, len) != valid;
        wrong += len > 1 && pp_utf8_valid(bytes, len - 1);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Of all two and three bytes, exactly as many are valid as the encoding has room for. */
static void accepts_nothing_else(void)
{
    unsigned two = 0, three = 0;
    for (unsigned first = 0x80; first < 0x100; first++)
        for (unsigned second = 0; second < 0x100; second++) {
            unsigned char bytes[3] = {(unsigned char)first, (unsigned char)second};
            two += pp_utf8_valid(bytes, 2);
            for (unsigned third = 0; third < 0x100; third++) {
                bytes[2] = (unsigned char)third;
                three += first >= 0xE0 && pp_utf8_valid(bytes, 3);
            }
        }
    CU_ASSERT_EQUAL(two, 0x800 - 0x80);
    CU_ASSERT_EQUAL(three, 0x10000 - 0x800 - 0x800);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"judges single sequences", judges_single_sequences},
        {"judges them anywhere in a text", judges_them_anywhere_in_a_text},
        {"judges them behind others", judges_them_behind_others},
        {"knows every code point", knows_every_code_point},
        {"accepts nothing else of two and three bytes", accepts_nothing_else},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/utf8", tests);
}

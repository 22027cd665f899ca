/* Compression: round trips, the bound on inflated bytes, and everything that is not quite zlib. */
#include "harness.h"
#include "wire/compress.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static struct pp_compressor *compressor;
static struct pp_inflater *inflater;

/* Text that compresses well and is not the same everywhere. */
static char *text_of(size_t len)
{
    char *text = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + (i * i / 7 + i / 1000) % 26);
    return text;
}

static void comes_back_as_it_was(void)
{
    static const size_t lengths[] = {100, 1024, 16384, 65536, 70000, 1000000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i];
        char *text = text_of(len);
        struct pp_buf packed = {0}, unpacked = {0};
        pp_buf_append_string(&packed, "before");
        pp_buf_append_string(&unpacked, "before");
        CU_ASSERT_TRUE_FATAL(pp_compress(compressor, text, len, &packed));
        CU_ASSERT(packed.len - 6 < len);
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data + 6, packed.len - 6, len, &unpacked), PP_INFLATE_OK);
        CU_ASSERT_EQUAL(unpacked.len, len + 6);
        CU_ASSERT(memcmp(unpacked.data, "before", 6) == 0 && memcmp(unpacked.data + 6, text, len) == 0);
        pp_buf_destroy(&packed);
        pp_buf_destroy(&unpacked);
        free(text);
    }
}

static void keeps_what_does_not_get_smaller(void)
{
    char noise[5000];
    struct pp_buf out = {0};
    unsigned state = 1;
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)((state = state * 1103515245u + 12345u) >> 23);
    pp_buf_append_string(&out, "kept");
    CU_ASSERT_FALSE(pp_compress(compressor, noise, sizeof(noise), &out));
    CU_ASSERT_FALSE(pp_compress(compressor, "a", 1, &out));
    CU_ASSERT_FALSE(pp_compress(compressor, "", 0, &out));
    CU_ASSERT_EQUAL(out.len, 4);
    CU_ASSERT(memcmp(out.data, "kept", 4) == 0);
    pp_buf_destroy(&out);
}

static void reads_what_zlib_writes_at_any_level(void)
{
    char *text = text_of(30000);
    for (int level = 0; level <= 9; level++) {
        uLongf len = compressBound(30000);
        unsigned char *packed = malloc(len);
        struct pp_buf out = {0};
        compress2(packed, &len, (const unsigned char *)text, 30000, level);
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed, len, 30000, &out), PP_INFLATE_OK);
        CU_ASSERT(out.len == 30000 && memcmp(out.data, text, 30000) == 0);
        pp_buf_destroy(&out);
        free(packed);
    }
    free(text);
}

/* `len` zeros, compressed. */
static struct pp_buf bomb_of(size_t len)
{
    struct pp_buf bomb = {0};
    char *zeros = calloc(1, len);
    CU_ASSERT_TRUE_FATAL(pp_compress(compressor, zeros, len, &bomb));
    free(zeros);
    return bomb;
}

static void stops_at_the_limit(void)
{
    struct pp_buf bomb = bomb_of(64 << 20), out = {0};
    size_t max = 1 << 20;
    pp_buf_append_string(&out, "kept");
    CU_ASSERT_EQUAL(pp_inflate(inflater, bomb.data, bomb.len, max, &out), PP_INFLATE_TOO_LARGE);
    CU_ASSERT_EQUAL(out.len, 4);
    CU_ASSERT(memcmp(out.data, "kept", 4) == 0);
    CU_ASSERT(out.cap <= max + 64);
    pp_buf_destroy(&out);
    pp_buf_destroy(&bomb);
}

static void allows_exactly_the_limit(void)
{
    static const size_t lengths[] = {1000, 16383, 16384, 16385, 32768, 100000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct pp_buf packed = bomb_of(lengths[i]), out = {0};
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, lengths[i] - 1, &out), PP_INFLATE_TOO_LARGE);
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, 0, &out), PP_INFLATE_TOO_LARGE);
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, lengths[i], &out), PP_INFLATE_OK);
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, SIZE_MAX, &out), PP_INFLATE_OK);
        CU_ASSERT_EQUAL(out.len, 2 * lengths[i]);
        pp_buf_destroy(&out);
        pp_buf_destroy(&packed);
    }
}

static void refuses_every_truncation_and_what_follows(void)
{
    char *text = text_of(2000);
    struct pp_buf packed = {0}, out = {0};
    pp_compress(compressor, text, 2000, &packed);
    for (size_t len = 0; len < packed.len; len++)
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, len, 1 << 20, &out), PP_INFLATE_CORRUPT);
    pp_buf_append_char(&packed, 0);
    CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, 1 << 20, &out), PP_INFLATE_CORRUPT);
    CU_ASSERT_EQUAL(out.len, 0);
    packed.len--;
    CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, 1 << 20, &out), PP_INFLATE_OK);
    pp_buf_destroy(&packed);
    pp_buf_destroy(&out);
    free(text);
}

static void refuses_a_wrong_checksum(void)
{
    struct pp_buf packed = bomb_of(5000), out = {0};
    packed.data[packed.len - 1] ^= 1;
    CU_ASSERT_EQUAL(pp_inflate(inflater, packed.data, packed.len, 1 << 20, &out), PP_INFLATE_CORRUPT);
    pp_buf_destroy(&packed);
    pp_buf_destroy(&out);
}

static void refuses_a_preset_dictionary_and_other_formats(void)
{
    unsigned char packed[300];
    struct pp_buf out = {0};
    for (int window = -15; window <= 31; window += 46) { /* raw deflate, gzip */
        z_stream z = {.next_in = (unsigned char *)"hello hello hello", .avail_in = 17, .next_out = packed};
        z.avail_out = sizeof(packed);
        deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
        deflate(&z, Z_FINISH);
        CU_ASSERT_EQUAL(pp_inflate(inflater, packed, z.total_out, 1000, &out), PP_INFLATE_CORRUPT);
        deflateEnd(&z);
    }
    z_stream z = {.next_in = (unsigned char *)"hello hello hello", .avail_in = 17, .next_out = packed};
    z.avail_out = sizeof(packed);
    deflateInit(&z, 6);
    deflateSetDictionary(&z, (const unsigned char *)"hello", 5);
    deflate(&z, Z_FINISH);
    CU_ASSERT_EQUAL(pp_inflate(inflater, packed, z.total_out, 1000, &out), PP_INFLATE_CORRUPT);
    deflateEnd(&z);
    CU_ASSERT_EQUAL(pp_inflate(inflater, "PPND", 4, 1000, &out), PP_INFLATE_CORRUPT);
    pp_buf_destroy(&out);
}

int main(void)
{
    compressor = pp_compressor_new(-1);
    inflater = pp_inflater_new();
    int status = pp_run_suite(
        "wire/compress",
        (CU_TestInfo[]){
            {"comes back as it was", comes_back_as_it_was},
            {"keeps what does not get smaller", keeps_what_does_not_get_smaller},
            {"reads what zlib writes at any level", reads_what_zlib_writes_at_any_level},
            {"stops at the limit", stops_at_the_limit},
            {"allows exactly the limit", allows_exactly_the_limit},
            {"refuses every truncation and what follows", refuses_every_truncation_and_what_follows},
            {"refuses a wrong checksum", refuses_a_wrong_checksum},
            {"refuses a preset dictionary and other formats", refuses_a_preset_dictionary_and_other_formats},
            CU_TEST_INFO_NULL,
        });
    pp_compressor_delete(compressor);
    pp_inflater_delete(inflater);
    return status;
}

/* Bits out and in again: every width, every order, and a reader that never passes its end. */
#include "harness.h"

#include "guard.h"
#include "random.h"
#include "state/bits.h"

#define ROUNDS 2000

static uint64_t low_bits(uint64_t value, unsigned bits)
{
    return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static void reads_what_was_written(void)
{
    struct pp_random random = {1};
    struct pp_buf out = {0};
    struct pp_bit_writer writer = {.out = &out};
    for (int i = 0; i < ROUNDS; i++) {
        unsigned bits = 1 + (unsigned)pp_random_below(&random, 64);
        pp_bits_put_wide(&writer, low_bits(pp_random_next(&random), bits), bits);
        uint32_t value = (uint32_t)pp_random_below(&random, 1U << pp_random_below(&random, 24));
        pp_bits_put_golomb(&writer, value, (unsigned)pp_random_below(&random, 8));
    }
    pp_bits_finish(&writer);
    random.state = 1;
    struct pp_guard guard = pp_guard_new(out.len);
    struct pp_bit_reader reader = {.bytes = pp_guard_place(&guard, out.data, out.len), .end = out.len * 8};
    for (int i = 0; i < ROUNDS; i++) {
        unsigned bits = 1 + (unsigned)pp_random_below(&random, 64);
        CU_ASSERT_EQUAL_FATAL(pp_bits_get_wide(&reader, bits), low_bits(pp_random_next(&random), bits));
        uint32_t value = (uint32_t)pp_random_below(&random, 1U << pp_random_below(&random, 24));
        CU_ASSERT_EQUAL_FATAL(pp_bits_get_golomb(&reader, (unsigned)pp_random_below(&random, 8)), value);
    }
    CU_ASSERT(pp_bits_ended(&reader));
    pp_guard_delete(&guard);
    pp_buf_destroy(&out);
}

static void writes_the_documented_bits(void)
{
    struct pp_buf out = {0};
    struct pp_bit_writer writer = {.out = &out};
    pp_bits_put(&writer, 1, 1);
    pp_bits_put_golomb(&writer, 0, 0); /* 1 */
    pp_bits_put_golomb(&writer, 4, 0); /* 00101 */
    pp_bits_put_golomb(&writer, 9, 3); /* 010 001 */
    pp_bits_finish(&writer);
    CU_ASSERT_EQUAL(out.len, 2);
    CU_ASSERT(out.data != NULL && memcmp(out.data, "\xCA\x88", 2) == 0); /* 1 1 00101 0|10 001 000 */
    pp_buf_destroy(&out);
}

static void fails_at_the_end(void)
{
    struct pp_guard guard = pp_guard_new(2);
    struct pp_bit_reader reader = {.bytes = pp_guard_place(&guard, "\xFF\x00", 2), .end = 16};
    CU_ASSERT_EQUAL(pp_bits_get(&reader, 12), 0xFF0);
    CU_ASSERT(!reader.failed);
    CU_ASSERT_EQUAL(pp_bits_get(&reader, 5), 0);
    CU_ASSERT(reader.failed);
    CU_ASSERT_EQUAL(pp_bits_get(&reader, 1), 0);
    CU_ASSERT(!pp_bits_ended(&reader));
    reader = (struct pp_bit_reader){.bytes = pp_guard_place(&guard, "\x00\x00", 2), .end = 16};
    CU_ASSERT_EQUAL(pp_bits_get_golomb(&reader, 0), 0);
    CU_ASSERT(reader.failed);
    pp_guard_delete(&guard);
}

static void refuses_what_is_behind_the_end(void)
{
    static const unsigned char bytes[] = {0xFF, 0x00};
    struct pp_bit_reader reader = {.bytes = bytes, .end = 16};
    pp_bits_get(&reader, 7);
    CU_ASSERT(!pp_bits_ended(&reader)); /* a byte more */
    reader = (struct pp_bit_reader){.bytes = bytes, .end = 8};
    pp_bits_get(&reader, 7);
    CU_ASSERT(!pp_bits_ended(&reader)); /* the filling is not 0 */
    reader = (struct pp_bit_reader){.bytes = bytes, .end = 16};
    pp_bits_get(&reader, 9);
    CU_ASSERT(pp_bits_ended(&reader));
}

int main(void)
{
    return pp_run_suite("state/bits", (CU_TestInfo[]){
                                          {"reads what was written", reads_what_was_written},
                                          {"writes the documented bits", writes_the_documented_bits},
                                          {"fails at the end", fails_at_the_end},
                                          {"refuses what is behind the end", refuses_what_is_behind_the_end},
                                          CU_TEST_INFO_NULL,
                                      });
}

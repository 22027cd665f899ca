/* The frame header: layout, faults, missing bytes, batches. Input lies against a guard page, so a read past it ends the
 * test. */
#include "harness.h"
#include "wire/frame.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned char *guarded_end; /* the byte here can't be read */

static const unsigned char *guarded(const void *bytes, size_t len)
{
    if (guarded_end == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        unsigned char *two = mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(two + page, page, PROT_NONE);
        guarded_end = two + page;
    }
    return memcpy(guarded_end - len, bytes, len);
}

static const unsigned char example[] = {'P', 'P', 'N', 'D', 0, 2, 0, 2 | 8, 0, 0, 0, 4, 0, 7, 0, 3, 1, 2, 3, 4};

static void writes_the_layout(void)
{
    unsigned char out[PP_FRAME_HEADER];
    pp_frame_encode(out, PP_MODE_GAMING, 7, 3, 4);
    CU_ASSERT(memcmp(out, example, sizeof(out)) == 0);
    pp_frame_encode(out, PP_MODE_VOICE | PP_FLAG_COMPRESSED, 0, 0, 0x01020304);
    CU_ASSERT(memcmp(out, "PPND\0\2\0\7\1\2\3\4\0\0\0\0", sizeof(out)) == 0);
}

static void sends_no_unknown_flag(void)
{
    unsigned char out[PP_FRAME_HEADER];
    pp_frame_encode(out, 0xFFF0, 0, 0, 0);
    CU_ASSERT(out[6] == 0 && out[7] == 0);
}

static void reads_the_layout(void)
{
    struct pp_frame frame;
    const unsigned char *bytes = guarded(example, sizeof(example));
    CU_ASSERT_EQUAL(pp_frame_decode(bytes, sizeof(example), &frame), sizeof(example));
    CU_ASSERT_EQUAL(frame.version, 2);
    CU_ASSERT_EQUAL(frame.flags, PP_MODE_GAMING | PP_FLAG_SCHEMA);
    CU_ASSERT_EQUAL(frame.type_id, 7);
    CU_ASSERT_EQUAL(frame.schema_version, 3);
    CU_ASSERT_EQUAL(frame.payload_len, 4);
    CU_ASSERT_PTR_EQUAL(frame.payload, bytes + 16);
    CU_ASSERT_EQUAL(frame.fault, PP_FRAME_FINE);
}

static void ignores_unknown_flags(void)
{
    unsigned char bytes[PP_FRAME_HEADER];
    struct pp_frame frame;
    pp_frame_encode(bytes, PP_MODE_MEDIA, 0, 0, 0);
    bytes[6] = 0xFF;
    bytes[7] |= 0xF0;
    CU_ASSERT_EQUAL(pp_frame_decode(bytes, sizeof(bytes), &frame), 16);
    CU_ASSERT_EQUAL(frame.flags, PP_MODE_MEDIA);
}

static void asks_for_missing_bytes(void)
{
    struct pp_frame frame;
    for (size_t len = 0; len < sizeof(example); len++) {
        CU_ASSERT_EQUAL(pp_frame_decode(guarded(example, len), len, &frame), -2);
        CU_ASSERT_EQUAL(frame.fault, PP_FRAME_FINE);
    }
}

static void trusts_no_length(void)
{
    struct pp_frame frame;
    unsigned char bytes[sizeof(example)];
    memcpy(bytes, example, sizeof(bytes));
    memset(bytes + 8, 0xFF, 4);
    CU_ASSERT_EQUAL(pp_frame_decode(guarded(bytes, sizeof(bytes)), sizeof(bytes), &frame), -2);
}

static void refuses_another_magic_at_its_first_byte(void)
{
    struct pp_frame frame;
    for (size_t wrong = 0; wrong < 4; wrong++) {
        unsigned char bytes[sizeof(example)];
        memcpy(bytes, example, sizeof(bytes));
        bytes[wrong] ^= 0x20;
        CU_ASSERT_EQUAL(pp_frame_decode(guarded(bytes, wrong), wrong, &frame), -2);
        CU_ASSERT_EQUAL(pp_frame_decode(guarded(bytes, wrong + 1), wrong + 1, &frame), -1);
        CU_ASSERT_EQUAL(frame.fault, PP_FRAME_BAD_MAGIC);
        CU_ASSERT_EQUAL(pp_frame_decode(bytes, sizeof(bytes), &frame), -1);
    }
    CU_ASSERT_STRING_EQUAL(pp_frame_fault_text(frame.fault), "not a Painda frame: it does not begin with PPND");
}

static void refuses_another_version(void)
{
    static const unsigned char versions[][2] = {{0, 0}, {0, 1}, {0, 3}, {2, 0}, {2, 2}, {255, 255}};
    for (size_t i = 0; i < sizeof(versions) / 2; i++) {
        unsigned char bytes[sizeof(example)];
        struct pp_frame frame;
        memcpy(bytes, example, sizeof(bytes));
        memcpy(bytes + 4, versions[i], 2);
        CU_ASSERT_EQUAL(pp_frame_decode(guarded(bytes, 6), 6, &frame), -1);
        CU_ASSERT_EQUAL(pp_frame_decode(guarded(bytes, sizeof(bytes)), sizeof(bytes), &frame), -1);
        CU_ASSERT_EQUAL(frame.fault, PP_FRAME_BAD_VERSION);
        CU_ASSERT_EQUAL(frame.version, versions[i][0] << 8 | versions[i][1]);
    }
}

static void reads_a_batch_frame_by_frame(void)
{
    unsigned char bytes[3 * 20 + 3];
    size_t count = 0, at = 0;
    ptrdiff_t took;
    struct pp_frame frame;
    for (unsigned i = 0; i < 3; i++) {
        pp_frame_encode(bytes + i * 20, 0, (uint16_t)i, 0, 4);
        memset(bytes + i * 20 + 16, (int)i, 4);
    }
    memcpy(bytes + 60, "PPN", 3);
    while ((took = pp_frame_decode(bytes + at, sizeof(bytes) - at, &frame)) > 0) {
        CU_ASSERT_EQUAL(frame.type_id, count);
        CU_ASSERT_EQUAL(frame.payload[3], count);
        at += (size_t)took;
        count++;
    }
    CU_ASSERT_EQUAL(took, -2);
    CU_ASSERT_EQUAL(count, 3);
}

int main(void)
{
    return pp_run_suite("wire/frame",
                        (CU_TestInfo[]){
                            {"writes the layout", writes_the_layout},
                            {"sends no unknown flag", sends_no_unknown_flag},
                            {"reads the layout", reads_the_layout},
                            {"ignores unknown flags", ignores_unknown_flags},
                            {"asks for missing bytes", asks_for_missing_bytes},
                            {"trusts no length", trusts_no_length},
                            {"refuses another magic at its first byte", refuses_another_magic_at_its_first_byte},
                            {"refuses another version", refuses_another_version},
                            {"reads a batch frame by frame", reads_a_batch_frame_by_frame},
                            CU_TEST_INFO_NULL,
                        });
}

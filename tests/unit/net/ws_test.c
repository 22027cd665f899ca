/* Frames: every form of header, masks, limits, all points at which the bytes may be cut. The input ends at a guarded
 * page. */
#include "frames.h"
#include "guard.h"
#include "harness.h"
#include "net/ws.h"
#include "random.h"

#include <string.h>

static struct pp_guard guard;

struct outcome {
    ptrdiff_t n;
    struct pp_ws_frame frame;
    size_t needed;
    uint16_t code;
    const char *reason;
};

static struct outcome read_frame(const void *bytes, size_t len, size_t max)
{
    struct outcome o = {0};
    o.n = pp_ws_read(pp_guard_place(&guard, bytes, len), len, max, &o.frame, &o.needed, &o.code, &o.reason);
    return o;
}

/* What the RFC says about two first bytes: 0, or the code to close with. */
static unsigned judge(unsigned first, unsigned second)
{
    unsigned opcode = first & 15;
    if ((first & 0x70) || (opcode > 2 && opcode < 8) || opcode > 10 || !(second & 0x80))
        return 1002;
    return opcode >= 8 && (!(first & 0x80) || (second & 0x7F) > 125) ? 1002 : 0;
}

static void judges_every_header(void)
{
    unsigned char bytes[14 + 125] = {0};
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            bytes[0] = (unsigned char)first;
            bytes[1] = (unsigned char)second;
            struct outcome o = read_frame(bytes, sizeof bytes, 1000);
            unsigned code = judge(first, second);
            if (code != 0) {
                if (o.n != PP_WS_ERROR || o.code != code || o.reason == NULL)
                    CU_FAIL("took a wrong header");
                /* two bytes are enough to tell */
                if (read_frame(bytes, 2, 1000).n != PP_WS_ERROR)
                    CU_FAIL("waited for more of a wrong header");
                continue;
            }
            size_t length = second & 0x7F, header = length < 126 ? 6 : length == 126 ? 8 : 14;
            length = length < 126 ? length : 0;
            if (o.n != (ptrdiff_t)(header + length) || o.frame.len != length || o.frame.opcode != (first & 15) ||
                o.frame.final != (first >> 7))
                CU_FAIL("misread a header");
        }
}

static void reads_whole(size_t len, unsigned first)
{
    struct pp_buf out = {0};
    unsigned char *payload = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        payload[i] = (unsigned char)(i * 31 + len);
    put_frame(&out, first, payload, len);
    struct outcome o = read_frame(out.data, out.len, len);
    CU_ASSERT_EQUAL_FATAL(o.n, (ptrdiff_t)out.len);
    CU_ASSERT_EQUAL_FATAL(o.frame.len, len);
    CU_ASSERT_EQUAL(o.frame.opcode, first & 15);
    CU_ASSERT_EQUAL(o.frame.final, first >> 7);
    CU_ASSERT_EQUAL(memcmp(o.frame.payload, payload, len), 0);
    free(payload);
    pp_buf_destroy(&out);
}

static void reads_every_length(void)
{
    for (size_t len = 0; len < 300; len++)
        reads_whole(len, 0x82);
    static const size_t lengths[] = {65534, 65535, 65536, 65537, 100003};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        reads_whole(lengths[i], i % 2 ? 0x81 : 0x02);
    reads_whole(125, 0x89);
    reads_whole(0, 0x88);
    reads_whole(3, 0x00);
}

/* Cut anywhere, a frame asks for more, changes nothing, and says how long it is once its header is there. */
static void asks_for_more_at_every_cut(void)
{
    static const size_t lengths[] = {0, 1, 7, 125, 126, 400, 65536};
    char payload[400] = "payload";
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct pp_buf out = {0};
        size_t len = lengths[i] < sizeof payload ? lengths[i] : sizeof payload;
        put_frame(&out, 0x82, payload, len);
        if (lengths[i] == 65536) { /* the long form of the length, of which the bytes never come */
            pp_buf_clear(&out);
            pp_buf_append(&out, "\x82\xFF\0\0\0\0\0\1\0\0mask", 14);
        }
        size_t header = lengths[i] < 126 ? 6 : lengths[i] < 65536 ? 8 : 14, whole = header + lengths[i];
        for (size_t cut = 0; cut < out.len && cut < whole; cut++) {
            struct outcome o = read_frame(out.data, cut, 100000);
            if (o.n != PP_WS_MORE || o.needed != (cut < header ? 0 : whole))
                CU_FAIL("did not ask for more");
            if (memcmp(guard.base + guard.room - cut, out.data, cut) != 0)
                CU_FAIL("changed what is not whole");
        }
        pp_buf_destroy(&out);
    }
}

static void refuses_what_is_too_long_from_its_header_on(void)
{
    struct pp_buf out = {0};
    put_frame(&out, 0x82, "12345678", 8);
    CU_ASSERT_EQUAL(read_frame(out.data, out.len, 8).n, 14);
    struct outcome o = read_frame(out.data, 6, 7);
    CU_ASSERT_EQUAL(o.n, PP_WS_ERROR);
    CU_ASSERT_EQUAL(o.code, 1009);
    CU_ASSERT_EQUAL(read_frame("\x82\xFE\x10\x01mask", 8, 4096).code, 1009);
    CU_ASSERT_EQUAL(read_frame("\x82\xFE\x10\x00mask", 8, 4096).n, PP_WS_MORE);
    /* lengths that would wrap around */
    CU_ASSERT_EQUAL(read_frame("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask", 14, 1 << 20).code, 1009);
    CU_ASSERT_EQUAL(read_frame("\x82\xFF\x80\0\0\0\0\0\0\0mask", 14, 1 << 20).code, 1009);
    CU_ASSERT_EQUAL(read_frame("\x82\xFF\x40\0\0\0\0\0\0\0mask", 14, 1 << 20).code, 1009);
    CU_ASSERT_EQUAL(read_frame("\x02\xFF\0\0\0\0\xFF\xFF\xFF\xFFmask", 14, 1 << 20).code, 1009);
    /* control frames have their own limit */
    pp_buf_clear(&out);
    put_frame(&out, 0x89, "ping", 4);
    CU_ASSERT_EQUAL(read_frame(out.data, out.len, 0).n, 10);
    CU_ASSERT_EQUAL(read_frame("\x82\x80mask", 6, 0).n, 6);
    pp_buf_destroy(&out);
}

static void unmasks_with_any_mask(void)
{
    struct pp_random random = {7};
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[200], plain[200];
        size_t len = (size_t)pp_random_below(&random, 120), at = 0;
        bytes[at++] = 0x82;
        bytes[at++] = (unsigned char)(0x80 | len);
        for (int i = 0; i < 4; i++)
            bytes[at++] = (unsigned char)pp_random_next(&random);
        for (size_t i = 0; i < len; i++) {
            plain[i] = (unsigned char)pp_random_next(&random);
            bytes[at + i] = plain[i] ^ bytes[2 + i % 4];
        }
        struct outcome o = read_frame(bytes, at + len, 1000);
        if (o.n != (ptrdiff_t)(at + len) || memcmp(o.frame.payload, plain, len) != 0)
            CU_FAIL("unmasked wrongly");
    }
}

static void reads_one_frame_after_the_other(void)
{
    struct pp_buf out = {0};
    static const unsigned firsts[] = {0x01, 0x89, 0x00, 0x80, 0x82, 0x8A, 0x88};
    for (size_t i = 0; i < 7; i++)
        put_frame(&out, firsts[i], "some text", i);
    unsigned char *bytes = pp_guard_place(&guard, out.data, out.len);
    size_t at = 0;
    for (size_t i = 0; i < 7; i++) {
        struct outcome o = {0};
        o.n = pp_ws_read(bytes + at, out.len - at, 100, &o.frame, &o.needed, &o.code, &o.reason);
        CU_ASSERT_TRUE_FATAL(o.n > 0);
        CU_ASSERT_EQUAL(o.frame.opcode, firsts[i] & 15);
        CU_ASSERT_EQUAL(o.frame.len, i);
        CU_ASSERT_EQUAL(memcmp(o.frame.payload, "some text", i), 0);
        at += (size_t)o.n;
    }
    CU_ASSERT_EQUAL(at, out.len);
    pp_buf_destroy(&out);
}

static void seals(size_t len, const char *header, size_t header_len)
{
    struct pp_packet *packet = pp_packet_new(len);
    memset(pp_packet_data(packet), 'x', len);
    pp_ws_seal(packet, PP_WS_BINARY);
    CU_ASSERT_EQUAL_FATAL(packet->len, len + header_len);
    CU_ASSERT_EQUAL(packet->payload, len);
    CU_ASSERT_EQUAL(packet->opcode, PP_WS_BINARY);
    CU_ASSERT_EQUAL(memcmp(pp_packet_data(packet), header, header_len), 0);
    CU_ASSERT_EQUAL(len ? pp_packet_data(packet)[header_len] : 'x', 'x');
    pp_packet_unref(packet);
}

static void seals_with_the_shortest_header(void)
{
    seals(0, "\x82\x00", 2);
    seals(125, "\x82\x7D", 2);
    seals(126, "\x82\x7E\x00\x7E", 4);
    seals(65535, "\x82\x7E\xFF\xFF", 4);
    seals(65536, "\x82\x7F\0\0\0\0\0\1\0\0", 10);
}

static void seals_behind_another_header(void)
{
    struct pp_packet *packet = pp_packet_new(1);
    memcpy(pp_packet_push(packet, 16), "0123456789abcdef", 16);
    pp_ws_seal(packet, PP_WS_TEXT);
    CU_ASSERT_EQUAL(packet->payload, 17);
    CU_ASSERT_EQUAL(memcmp(pp_packet_data(packet),
                           "\x81\x11"
                           "0123456789abcdef",
                           18),
                    0);
    pp_packet_unref(packet);
}

static void makes_control_frames(void)
{
    struct pp_packet *packet = pp_ws_control(PP_WS_PONG, "data", 4);
    CU_ASSERT_EQUAL_FATAL(packet->len, 6);
    CU_ASSERT_EQUAL(memcmp(pp_packet_data(packet),
                           "\x8A\x04"
                           "data",
                           6),
                    0);
    pp_packet_unref(packet);
    packet = pp_ws_control(PP_WS_CLOSE, NULL, 0);
    CU_ASSERT_EQUAL(packet->len, 2);
    pp_packet_unref(packet);
}

static void makes_close_frames_that_fit(void)
{
    struct pp_packet *packet = pp_ws_close_packet(4321, "bye");
    CU_ASSERT_EQUAL_FATAL(packet->len, 7);
    CU_ASSERT_EQUAL(memcmp(pp_packet_data(packet),
                           "\x88\x05\x10\xE1"
                           "bye",
                           7),
                    0);
    pp_packet_unref(packet);
    char reason[200];
    memset(reason, 'x', sizeof reason);
    reason[199] = '\0';
    packet = pp_ws_close_packet(1000, reason);
    CU_ASSERT_EQUAL(packet->payload, 125);
    pp_packet_unref(packet);
    memcpy(reason + 121, "\xE2\x82\xAC", 3); /* cut in the middle of a character, the peer would call it broken */
    packet = pp_ws_close_packet(1000, reason);
    CU_ASSERT_EQUAL(packet->payload, 2 + 121);
    pp_packet_unref(packet);
}

static void knows_the_codes_that_may_be_sent(void)
{
    unsigned valid = 0;
    for (unsigned code = 0; code < 65536; code++)
        valid += pp_ws_close_code_valid((uint16_t)code);
    CU_ASSERT_EQUAL(valid, 12 + 2000); /* 1000 to 1014 without three, 3000 to 4999 */
    static const uint16_t wrong[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_FALSE(pp_ws_close_code_valid(wrong[i]));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"judges every header as the RFC does", judges_every_header},
        {"reads every length", reads_every_length},
        {"asks for more at every cut, and changes nothing", asks_for_more_at_every_cut},
        {"refuses what is too long from its header on", refuses_what_is_too_long_from_its_header_on},
        {"unmasks with any mask", unmasks_with_any_mask},
        {"reads one frame after the other", reads_one_frame_after_the_other},
        {"seals with the shortest header", seals_with_the_shortest_header},
        {"seals behind another header", seals_behind_another_header},
        {"makes control frames", makes_control_frames},
        {"makes close frames that fit, cut between characters", makes_close_frames_that_fit},
        {"knows the close codes that may be sent", knows_the_codes_that_may_be_sent},
        CU_TEST_INFO_NULL,
    };
    guard = pp_guard_new(200000);
    int status = pp_run_suite("net/ws", tests);
    pp_guard_delete(&guard);
    return status;
}

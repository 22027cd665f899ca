/* What a client masks, the server's reader must take apart again. */
#include "harness.h"
#include "net/ws_mask.h"

#include <stdlib.h>
#include <string.h>

static struct pp_packet *packet_of(size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    for (size_t i = 0; i < len; i++)
        pp_packet_data(packet)[i] = (unsigned char)(i * 7);
    return packet;
}

static void reads_back(size_t len, enum pp_ws_opcode opcode)
{
    struct pp_packet *packet = packet_of(len);
    struct pp_ws_frame frame;
    size_t needed;
    uint16_t code;
    const char *reason;
    pp_ws_seal_masked(packet, opcode);
    CU_ASSERT_EQUAL(packet->payload, len);
    ptrdiff_t taken = pp_ws_read(pp_packet_data(packet), packet->len, 1 << 20, &frame, &needed, &code, &reason);
    CU_ASSERT_EQUAL_FATAL(taken, packet->len);
    CU_ASSERT_TRUE(frame.final);
    CU_ASSERT_EQUAL(frame.opcode, opcode);
    CU_ASSERT_EQUAL_FATAL(frame.len, len);
    bool same = true;
    for (size_t i = 0; i < len; i++)
        same = same && frame.payload[i] == (unsigned char)(i * 7);
    CU_ASSERT_TRUE(same);
    pp_packet_unref(packet);
}

static void every_length_field(void)
{
    static const size_t lengths[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 100001};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        reads_back(lengths[i], i % 2 ? PP_WS_TEXT : PP_WS_BINARY);
}

static void masks_differ(void)
{
    struct pp_packet *a = packet_of(64), *b = packet_of(64);
    pp_ws_seal_masked(a, PP_WS_BINARY);
    pp_ws_seal_masked(b, PP_WS_BINARY);
    CU_ASSERT_EQUAL_FATAL(a->len, b->len);
    CU_ASSERT_NOT_EQUAL(memcmp(pp_packet_data(a), pp_packet_data(b), a->len), 0);
    pp_packet_unref(a);
    pp_packet_unref(b);
}

static void cuts_a_long_reason(void)
{
    char reason[300];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    struct pp_packet *packet = pp_ws_close_packet_masked(4321, reason);
    struct pp_ws_frame frame;
    size_t needed;
    uint16_t code;
    const char *why;
    ptrdiff_t taken = pp_ws_read(pp_packet_data(packet), packet->len, 1000, &frame, &needed, &code, &why);
    CU_ASSERT_EQUAL_FATAL(taken, packet->len);
    CU_ASSERT_EQUAL(frame.opcode, PP_WS_CLOSE);
    CU_ASSERT_EQUAL(frame.len, 125);
    CU_ASSERT_EQUAL(frame.payload[0] << 8 | frame.payload[1], 4321);
    pp_packet_unref(packet);
}

int main(void)
{
    return pp_run_suite("net/ws_mask", (CU_TestInfo[]){{"every length field reads back", every_length_field},
                                                       {"no two masks are the same", masks_differ},
                                                       {"a close reason is cut to fit", cuts_a_long_reason},
                                                       CU_TEST_INFO_NULL});
}

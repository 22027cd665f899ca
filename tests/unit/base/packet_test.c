/* Packets: headroom, counts, lengths. */
#include "base/packet.h"
#include "harness.h"

#include <string.h>

static void begins_behind_its_headroom(void)
{
    struct pp_packet *packet = pp_packet_new(5);
    memcpy(pp_packet_data(packet), "hello", 5);
    CU_ASSERT_EQUAL(packet->refs, 1);
    CU_ASSERT_EQUAL(packet->len, 5);
    CU_ASSERT_EQUAL(packet->payload, 5);
    CU_ASSERT_EQUAL(packet->start, PP_PACKET_HEADROOM);
    CU_ASSERT_EQUAL(pp_packet_data(packet) - packet->bytes, PP_PACKET_HEADROOM);
    pp_packet_unref(packet);
}

static void takes_headers_in_front(void)
{
    struct pp_packet *packet = pp_packet_new(3);
    memcpy(pp_packet_data(packet), "end", 3);
    memcpy(pp_packet_push(packet, 7), "middle ", 7);
    memcpy(pp_packet_push(packet, 6), "begin ", 6);
    CU_ASSERT_EQUAL_FATAL(packet->len, 16);
    CU_ASSERT_EQUAL(memcmp(pp_packet_data(packet), "begin middle end", 16), 0);
    pp_packet_unref(packet);
}

static void has_room_for_all_headers(void)
{
    struct pp_packet *packet = pp_packet_new(0);
    memset(pp_packet_push(packet, PP_PACKET_HEADROOM), 'x', PP_PACKET_HEADROOM);
    CU_ASSERT_EQUAL(packet->start, 0);
    CU_ASSERT_EQUAL(packet->len, PP_PACKET_HEADROOM);
    pp_packet_unref(packet);
}

static void lives_as_long_as_it_is_held(void)
{
    struct pp_packet *packet = pp_packet_new(1);
    *pp_packet_data(packet) = 'x';
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_PTR_EQUAL(pp_packet_ref(packet), packet);
    for (int i = 0; i < 1000; i++)
        pp_packet_unref(packet);
    CU_ASSERT_EQUAL(packet->refs, 1);
    CU_ASSERT_EQUAL(*pp_packet_data(packet), 'x');
    pp_packet_unref(packet);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"begins behind its headroom", begins_behind_its_headroom},
        {"takes headers in front of what is there", takes_headers_in_front},
        {"has room for all headers", has_room_for_all_headers},
        {"lives as long as it is held", lives_as_long_as_it_is_held},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/packet", tests);
}

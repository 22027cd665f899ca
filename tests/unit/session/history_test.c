/* Histories: what stays, and what all of them count together. */
#include "harness.h"
#include "net/ws.h"
#include "session/history.h"

#include <string.h>

static struct pp_packet *packet_of(size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    memset(pp_packet_data(packet), 'x', len);
    pp_ws_seal(packet, PP_WS_TEXT);
    return packet;
}

static void push(struct pp_history *history, size_t len, size_t *total)
{
    struct pp_packet *packet = packet_of(len);
    pp_history_push(history, packet, 10, 1000, total);
    pp_packet_unref(packet);
}

static void keeps_the_newest(void)
{
    struct pp_history history = {0};
    size_t total = 0;
    for (size_t len = 1; len <= 25; len++)
        push(&history, len, &total);
    CU_ASSERT_EQUAL(history.count, 10);
    CU_ASSERT_EQUAL(history.cap, 10);
    for (uint32_t i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(pp_history_at(&history, i)->len, 2 + 16 + i);
    pp_history_clear(&history, &total);
    CU_ASSERT_EQUAL(total, 0);
}

static void is_bounded_in_bytes(void)
{
    struct pp_history history = {0};
    size_t total = 0;
    for (int i = 0; i < 9; i++)
        push(&history, 100, &total);
    CU_ASSERT_EQUAL(history.count, 9);
    push(&history, 500, &total);
    CU_ASSERT_EQUAL(history.count, 5);
    push(&history, 1000, &total); /* with its header it is above the bound: nothing could come before what follows it */
    CU_ASSERT_EQUAL(history.count, 0);
    CU_ASSERT_EQUAL(history.bytes, 0);
    pp_history_clear(&history, &total);
    CU_ASSERT_EQUAL(total, 0);
}

static void counts_what_is_shared_once(void)
{
    struct pp_history histories[50] = {0};
    struct pp_packet *packet = packet_of(5000);
    size_t total = 0;
    for (int i = 0; i < 50; i++)
        pp_history_push(&histories[i], packet, 10, 10000, &total);
    CU_ASSERT_EQUAL(packet->refs, 51);
    CU_ASSERT(total < 5000 + 50 * 100);
    for (int i = 0; i < 49; i++)
        pp_history_clear(&histories[i], &total);
    CU_ASSERT(total > 5000);
    pp_history_clear(&histories[49], &total);
    CU_ASSERT_EQUAL(total, 0);
    CU_ASSERT_EQUAL(packet->refs, 1);
    pp_packet_unref(packet);
}

int main(void)
{
    return pp_run_suite("session/history", (CU_TestInfo[]){{"keeps the newest", keeps_the_newest},
                                                           {"is bounded in bytes", is_bounded_in_bytes},
                                                           {"counts what is shared once", counts_what_is_shared_once},
                                                           CU_TEST_INFO_NULL});
}

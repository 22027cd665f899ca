/* The send queue against a plain run of bytes: what goes in comes out, in order, however it is taken. */
#include "frames.h"
#include "harness.h"
#include "net/outq.h"
#include "net/ws.h"
#include "random.h"

#include <stdlib.h>

static unsigned char scratch[64 * 1024];

static struct pp_packet *message(enum pp_ws_opcode opcode, size_t len, unsigned fill)
{
    struct pp_packet *packet = pp_packet_new(len);
    memset(pp_packet_data(packet), (int)fill, len);
    pp_ws_seal(packet, opcode);
    return packet;
}

/* Pushes a message, and appends its bytes to `expected`. */
static void push(struct pp_outq *queue, struct pp_packet *packet, struct pp_buf *expected)
{
    pp_outq_push(queue, packet);
    if (expected != NULL)
        pp_buf_append(expected, pp_packet_data(packet), packet->len);
    pp_packet_unref(packet);
}

/* Takes up to `most` bytes of what peek offers; false where the queue is empty. */
static bool take(struct pp_outq *queue, size_t most, struct pp_buf *out)
{
    const unsigned char *bytes;
    size_t len = pp_outq_peek(queue, scratch, sizeof scratch, &bytes);
    len = len < most ? len : most;
    if (len == 0)
        return false;
    pp_buf_append(out, bytes, len);
    pp_outq_consume(queue, len);
    return true;
}

static void take_all(struct pp_outq *queue, struct pp_buf *out)
{
    while (take(queue, SIZE_MAX, out))
        ;
    CU_ASSERT_EQUAL(queue->bytes, 0);
    CU_ASSERT_EQUAL(queue->count, 0);
}

static bool same(const struct pp_buf *a, const struct pp_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void is_empty_at_first(void)
{
    struct pp_outq queue = {0};
    const unsigned char *bytes;
    CU_ASSERT_EQUAL(pp_outq_peek(&queue, scratch, sizeof scratch, &bytes), 0);
    pp_outq_join(&queue);
    pp_outq_destroy(&queue);
}

static void gathers_small_packets(void)
{
    struct pp_outq queue = {0};
    struct pp_buf expected = {0}, out = {0};
    for (unsigned i = 0; i < 100; i++)
        push(&queue, message(PP_WS_BINARY, i, i), &expected);
    CU_ASSERT_EQUAL(queue.bytes, expected.len);
    CU_ASSERT_TRUE(take(&queue, SIZE_MAX, &out)); /* at once */
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_TRUE(same(&expected, &out));
    pp_buf_destroy(&expected);
    pp_buf_destroy(&out);
    pp_outq_destroy(&queue);
}

static void offers_a_large_packet_where_it_lies(void)
{
    struct pp_outq queue = {0};
    const unsigned char *bytes;
    struct pp_packet *large = message(PP_WS_BINARY, 100000, 'x');
    pp_outq_push(&queue, large);
    push(&queue, message(PP_WS_TEXT, 3, 'y'), NULL);
    CU_ASSERT_EQUAL(pp_outq_peek(&queue, scratch, sizeof scratch, &bytes), large->len);
    CU_ASSERT_PTR_EQUAL(bytes, pp_packet_data(large));
    pp_outq_consume(&queue, 7);
    CU_ASSERT_EQUAL(pp_outq_peek(&queue, scratch, sizeof scratch, &bytes), large->len - 7);
    CU_ASSERT_PTR_EQUAL(bytes, pp_packet_data(large) + 7);
    pp_outq_destroy(&queue);
    CU_ASSERT_EQUAL(large->refs, 1);
    pp_packet_unref(large);
}

static void lets_go_of_packets_that_are_out(void)
{
    struct pp_outq queue = {0};
    struct pp_packet *shared = message(PP_WS_BINARY, 10, 'x');
    for (int i = 0; i < 50; i++)
        pp_outq_push(&queue, shared);
    CU_ASSERT_EQUAL(shared->refs, 51);
    pp_outq_consume(&queue, 12 * 20 + 5);
    CU_ASSERT_EQUAL(shared->refs, 31);
    CU_ASSERT_EQUAL(queue.written, 5);
    CU_ASSERT_EQUAL(queue.bytes, 12 * 30 - 5);
    pp_outq_destroy(&queue);
    CU_ASSERT_EQUAL(shared->refs, 1);
    pp_packet_unref(shared);
}

static void agrees_with_a_run_of_bytes(void)
{
    struct pp_outq queue = {0};
    struct pp_buf expected = {0}, out = {0};
    struct pp_random random = {3};
    for (int step = 0; step < 20000; step++) {
        if (pp_random_below(&random, 2)) {
            size_t len = (size_t)(pp_random_next(&random) >> (48 + pp_random_below(&random, 16)));
            push(&queue, message(step % 3 ? PP_WS_BINARY : PP_WS_TEXT, len, (unsigned)step), &expected);
        } else {
            take(&queue, 1 + (size_t)pp_random_below(&random, 1 + pp_random_below(&random, 70000)), &out);
        }
        if (queue.bytes != expected.len - out.len)
            CU_FAIL("miscounted its bytes");
        if (expected.len > 4000000) { /* from the start again, with what is still queued */
            take_all(&queue, &out);
            CU_ASSERT_TRUE(same(&expected, &out));
            pp_buf_clear(&expected);
            pp_buf_clear(&out);
        }
    }
    take_all(&queue, &out);
    CU_ASSERT_TRUE(same(&expected, &out));
    pp_buf_destroy(&expected);
    pp_buf_destroy(&out);
    pp_outq_destroy(&queue);
}

/* What a receiver makes of the bytes: neighbouring binary messages as one run, every other message for itself. */
static void read_messages(const struct pp_buf *bytes, struct pp_buf *out)
{
    struct server_frame frame;
    bool in_run = false;
    size_t at = 0;
    while (take_frame(bytes, &at, &frame)) {
        bool binary = frame.first == 0x82;
        if (!binary || !in_run)
            pp_buf_append_char(out, (char)frame.first);
        pp_buf_append(out, frame.payload, frame.len);
        if (!binary)
            pp_buf_append_string(out, "|");
        in_run = binary;
    }
    CU_ASSERT_EQUAL(at, bytes->len);
}

static void joins_without_changing_what_is_said(void)
{
    struct pp_random random = {11};
    for (int round = 0; round < 300; round++) {
        struct pp_outq queue = {0};
        struct pp_buf expected = {0}, out = {0}, said = {0}, heard = {0};
        for (int i = (int)pp_random_below(&random, 60); i >= 0; i--) {
            enum pp_ws_opcode opcode = pp_random_below(&random, 5) ? PP_WS_BINARY : PP_WS_TEXT;
            size_t len = (size_t)pp_random_below(&random, pp_random_below(&random, 8) ? 200 : 12000);
            push(&queue, message(opcode, len, (unsigned)i), &expected);
            if (pp_random_below(&random, 10) == 0)
                take(&queue, 1 + (size_t)pp_random_below(&random, 300), &out);
            if (pp_random_below(&random, 6) == 0)
                pp_outq_join(&queue);
        }
        size_t begun = queue.written ? queue.slots[queue.head]->len - queue.written : 0, before = queue.bytes;
        pp_outq_join(&queue);
        CU_ASSERT_TRUE(queue.bytes <= before);
        CU_ASSERT_EQUAL(queue.written ? queue.slots[queue.head]->len - queue.written : 0, begun);
        take_all(&queue, &out);
        read_messages(&expected, &said);
        read_messages(&out, &heard);
        CU_ASSERT_TRUE(same(&said, &heard));
        pp_buf_destroy(&expected);
        pp_buf_destroy(&out);
        pp_buf_destroy(&said);
        pp_buf_destroy(&heard);
        pp_outq_destroy(&queue);
    }
}

static void joins_small_neighbours_into_one(void)
{
    struct pp_outq queue = {0};
    struct pp_packet *shared = message(PP_WS_BINARY, 100, 'x');
    for (int i = 0; i < 10; i++)
        pp_outq_push(&queue, shared);
    pp_outq_join(&queue);
    CU_ASSERT_EQUAL(queue.count, 1);
    CU_ASSERT_EQUAL(queue.bytes, 4 + 1000);
    CU_ASSERT_EQUAL(shared->refs, 1);
    CU_ASSERT_EQUAL(shared->len, 102); /* what others hold is not touched */
    pp_outq_destroy(&queue);
    pp_packet_unref(shared);
}

static void joins_up_to_a_size(void)
{
    struct pp_outq queue = {0};
    for (int i = 0; i < 20; i++)
        push(&queue, message(PP_WS_BINARY, 1000, 'x'), NULL);
    push(&queue, message(PP_WS_BINARY, 9000, 'y'), NULL);
    pp_outq_join(&queue);
    size_t payload = 0;
    for (uint32_t i = 0; i < queue.count; i++) {
        struct pp_packet *packet = queue.slots[(queue.head + i) & (queue.cap - 1)];
        CU_ASSERT_TRUE(packet->payload <= 8192 || packet->payload == 9000);
        payload += packet->payload;
    }
    CU_ASSERT_EQUAL(payload, 29000);
    CU_ASSERT_EQUAL(queue.count, 4);
    pp_outq_destroy(&queue);
}

static void leaves_alone_what_is_partly_out(void)
{
    struct pp_outq queue = {0};
    struct pp_buf out = {0};
    for (int i = 0; i < 3; i++)
        push(&queue, message(PP_WS_BINARY, 10, 'x'), NULL);
    take(&queue, 5, &out);
    pp_outq_join(&queue);
    CU_ASSERT_EQUAL(queue.count, 2);
    CU_ASSERT_EQUAL(queue.bytes, 7 + 22);
    pp_outq_destroy(&queue);
    pp_buf_destroy(&out);
}

static void frees_a_large_ring_once_it_is_empty(void)
{
    struct pp_outq queue = {0};
    struct pp_buf out = {0};
    for (int i = 0; i < 1000; i++)
        push(&queue, message(PP_WS_BINARY, 1, 'x'), NULL);
    take_all(&queue, &out);
    CU_ASSERT_EQUAL(queue.cap, 0);
    CU_ASSERT_PTR_NULL(queue.slots);
    pp_outq_destroy(&queue);
    pp_buf_destroy(&out);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"is empty at first", is_empty_at_first},
        {"gathers small packets into one write", gathers_small_packets},
        {"offers a large packet where it lies", offers_a_large_packet_where_it_lies},
        {"lets go of packets that are out", lets_go_of_packets_that_are_out},
        {"agrees with a run of bytes", agrees_with_a_run_of_bytes},
        {"joins without changing what is said", joins_without_changing_what_is_said},
        {"joins small neighbours into one", joins_small_neighbours_into_one},
        {"joins up to a size", joins_up_to_a_size},
        {"leaves alone what is partly out", leaves_alone_what_is_partly_out},
        {"frees a large ring once it is empty", frees_a_large_ring_once_it_is_empty},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/outq", tests);
}

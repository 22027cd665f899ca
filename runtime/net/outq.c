/* The send queue. Small packets are copied together because one write of many is what makes sending cheap. */
#include "net/outq.h"

#include "base/memory.h"
#include "net/ws.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 8
#define KEPT_CAP 16               /* a larger ring is freed once it is empty: idle connections stay small */
#define JOIN_SIZE (8u * 1024u)    /* a joined message stays below: the peer handles it as one piece of work */
#define DIRECT_SIZE (16u * 1024u) /* from here on a packet is written from where it lies */

static struct pp_packet *at(const struct pp_outq *queue, uint32_t i)
{
    return queue->slots[(queue->head + i) & (queue->cap - 1)];
}

static void grow(struct pp_outq *queue)
{
    uint32_t cap = queue->cap ? queue->cap * 2 : FIRST_CAP;
    struct pp_packet **slots = pp_malloc(cap * sizeof *slots);
    for (uint32_t i = 0; i < queue->count; i++)
        slots[i] = at(queue, i);
    free(queue->slots);
    queue->slots = slots;
    queue->cap = cap;
    queue->head = 0;
}

void pp_outq_push(struct pp_outq *queue, struct pp_packet *packet)
{
    if (queue->count == queue->cap)
        grow(queue);
    queue->slots[(queue->head + queue->count) & (queue->cap - 1)] = pp_packet_ref(packet);
    queue->count++;
    queue->bytes += packet->len;
}

size_t pp_outq_peek(const struct pp_outq *queue, unsigned char *scratch, size_t scratch_size,
                    const unsigned char **bytes)
{
    if (queue->count == 0)
        return 0;
    struct pp_packet *first = at(queue, 0);
    size_t left = first->len - queue->written;
    if (left >= DIRECT_SIZE || queue->count == 1) {
        *bytes = pp_packet_data(first) + queue->written;
        return left;
    }
    memcpy(scratch, pp_packet_data(first) + queue->written, left);
    size_t total = left;
    for (uint32_t i = 1; i < queue->count; i++) {
        struct pp_packet *packet = at(queue, i);
        if (packet->len > scratch_size - total)
            break;
        memcpy(scratch + total, pp_packet_data(packet), packet->len);
        total += packet->len;
    }
    *bytes = scratch;
    return total;
}

void pp_outq_consume(struct pp_outq *queue, size_t len)
{
    queue->bytes -= len;
    queue->promised = 0;
    while (len > 0) {
        struct pp_packet *first = at(queue, 0);
        size_t left = first->len - queue->written;
        if (len < left) {
            queue->written += (uint32_t)len;
            return;
        }
        len -= left;
        queue->written = 0;
        queue->head = (queue->head + 1) & (queue->cap - 1);
        queue->count--;
        pp_packet_unref(first);
    }
    if (queue->count == 0 && queue->cap > KEPT_CAP)
        pp_outq_destroy(queue);
}

void pp_outq_promise(struct pp_outq *queue, size_t len)
{
    queue->promised = len;
}

/* How many packets at the front have begun to be written, or are promised. */
static uint32_t begun(const struct pp_outq *queue)
{
    uint32_t count = 0;
    for (size_t until = queue->written + queue->promised, covered = 0; covered < until && count < queue->count; count++)
        covered += at(queue, count)->len;
    return count;
}

void pp_outq_drop_unbegun(struct pp_outq *queue)
{
    for (uint32_t kept = begun(queue); queue->count > kept; queue->count--) {
        struct pp_packet *last = at(queue, queue->count - 1);
        queue->bytes -= last->len;
        pp_packet_unref(last);
    }
}

static bool can_join(const struct pp_packet *packet, size_t total)
{
    return packet->opcode == PP_WS_BINARY && packet->payload <= JOIN_SIZE - total;
}

static struct pp_packet *joined(const struct pp_outq *queue, uint32_t from, uint32_t until, size_t total)
{
    struct pp_packet *packet = pp_packet_new(total);
    unsigned char *out = pp_packet_data(packet);
    for (uint32_t i = from; i < until; i++) {
        struct pp_packet *part = at(queue, i);
        memcpy(out, pp_packet_data(part) + (part->len - part->payload), part->payload);
        out += part->payload;
    }
    pp_ws_seal(packet, PP_WS_BINARY);
    return packet;
}

void pp_outq_join(struct pp_outq *queue)
{
    uint32_t kept = begun(queue);
    for (uint32_t i = kept; i < queue->count;) {
        size_t total = 0;
        uint32_t end = i;
        while (end < queue->count && can_join(at(queue, end), total))
            total += at(queue, end++)->payload;
        if (end < i + 2) {
            queue->slots[(queue->head + kept++) & (queue->cap - 1)] = at(queue, i++);
            continue;
        }
        struct pp_packet *packet = joined(queue, i, end, total);
        queue->bytes += packet->len;
        for (; i < end; i++) {
            queue->bytes -= at(queue, i)->len;
            pp_packet_unref(at(queue, i));
        }
        queue->slots[(queue->head + kept++) & (queue->cap - 1)] = packet;
    }
    queue->count = kept;
}

void pp_outq_destroy(struct pp_outq *queue)
{
    for (uint32_t i = 0; i < queue->count; i++)
        pp_packet_unref(at(queue, i));
    free(queue->slots);
    *queue = (struct pp_outq){0};
}

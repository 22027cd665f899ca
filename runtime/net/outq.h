/* A connection's send queue: references to packets in order, and how far the first has been written. */
#ifndef PP_NET_OUTQ_H
#define PP_NET_OUTQ_H

#include "base/packet.h"

#include <stddef.h>
#include <stdint.h>

struct pp_outq {
    struct pp_packet **slots; /* a ring of cap slots, a power of two */
    uint32_t head, count, cap;
    uint32_t written; /* bytes of the first packet that are out already */
    size_t promised;  /* bytes behind them that must be offered again as they are: TLS may have packed them already */
    size_t bytes;     /* what is still to be written */
};

/* Appends a new reference to `packet`. */
void pp_outq_push(struct pp_outq *queue, struct pp_packet *packet);

/* The bytes to write next: straight from a large first packet, else gathered from several small ones into `scratch`.
 * Returns their number, 0 where the queue is empty; they are good until the queue changes. */
size_t pp_outq_peek(const struct pp_outq *queue, unsigned char *scratch, size_t scratch_size,
                    const unsigned char **bytes);

/* `len` bytes are out; at most what is queued. Packets written whole are let go. */
void pp_outq_consume(struct pp_outq *queue, size_t len);

/* `len` bytes that peek gave could not be written: the next peek gives the same again, and maybe more behind them. */
void pp_outq_promise(struct pp_outq *queue, size_t len);

/* Joins neighbouring small binary messages into one WebSocket message each run. What has begun to be written, or is
 * promised, stays as it is. */
void pp_outq_join(struct pp_outq *queue);

/* Lets go of the packets that have not begun to be written and are not promised. */
void pp_outq_drop_unbegun(struct pp_outq *queue);

/* Lets go of all packets and the ring. */
void pp_outq_destroy(struct pp_outq *queue);

#endif

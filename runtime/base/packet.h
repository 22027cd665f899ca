/* Immutable refcounted bytes with headroom in front: what is encoded once and fanned out by reference.
 *
 *     | headroom (PP_PACKET_HEADROOM) | payload … |
 *                        ^ data, once a transport header was put in front
 *
 * The maker writes the payload, then each layer below may push its header into the headroom; from the first
 * pp_packet_ref on nothing changes any more. Counts are not atomic: a packet belongs to one event loop. */
#ifndef PP_BASE_PACKET_H
#define PP_BASE_PACKET_H

#include <stddef.h>
#include <stdint.h>

/* Ten bytes of WebSocket header and sixteen of frame header, rounded up. */
#define PP_PACKET_HEADROOM 32

struct pp_packet {
    uint32_t refs;
    uint32_t len;     /* bytes from data on */
    uint32_t payload; /* bytes of the transport's message: len without its header */
    uint16_t start;   /* offset of data in bytes */
    uint16_t opcode;  /* WebSocket opcode that the transport header says */
    uint32_t kept;    /* histories that hold a reference (session/history.h): together they count it once */
    unsigned char bytes[];
};

/* A packet of `len` payload bytes, not yet written, with one reference that the caller owns. */
struct pp_packet *pp_packet_new(size_t len);

static inline struct pp_packet *pp_packet_ref(struct pp_packet *packet)
{
    packet->refs++;
    return packet;
}

void pp_packet_free(struct pp_packet *packet);

static inline void pp_packet_unref(struct pp_packet *packet)
{
    if (--packet->refs == 0)
        pp_packet_free(packet);
}

/* Bytes that it takes in memory. */
size_t pp_packet_memory(const struct pp_packet *packet);

static inline unsigned char *pp_packet_data(struct pp_packet *packet)
{
    return packet->bytes + packet->start;
}

/* Moves the start `len` bytes towards the front and returns it, for a header. There must be headroom left. */
static inline unsigned char *pp_packet_push(struct pp_packet *packet, size_t len)
{
    packet->start = (uint16_t)(packet->start - len);
    packet->len = (uint32_t)(packet->len + len);
    return packet->bytes + packet->start;
}

#endif

/* A message on its way out: encoded at most once in each form, whoever receives it.
 *
 *     envelope ──▶ binary packet (frame header, compressed where that is smaller)
 *            └───▶ text packet (the bare envelope), for peers that speak text */
#ifndef PP_SESSION_OUTGOING_H
#define PP_SESSION_OUTGOING_H

#include "base/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_compressor;

/* How a server's messages are framed. */
struct pp_encoding {
    struct pp_compressor *compressor; /* NULL: nothing is compressed */
    size_t threshold;                 /* payloads of fewer bytes are not compressed */
    uint16_t mode;                    /* enum pp_mode, for the flags */
};

struct pp_outgoing {
    const struct pp_encoding *encoding;
    const char *envelope; /* JSON; may be NULL where there is a schema payload and nobody speaks text */
    size_t envelope_len;
    const void *schema_payload; /* NULL for a JSON message */
    size_t schema_payload_len;
    uint16_t type_id, schema_version;
    bool control;                    /* one of the protocol's own: it does not count, and is not sent again */
    bool only_framed;                /* there is no envelope, and who speaks text takes the frame too */
    struct pp_packet *binary, *text; /* made on first use, owned */
};

/* The packet for a peer that speaks text or binary; it belongs to `out`. NULL where a text peer needs an envelope that
 * was not given. The bytes that `out` points to must still be there. */
struct pp_packet *pp_outgoing_packet(struct pp_outgoing *out, bool text);

/* Lets go of the packets. */
void pp_outgoing_destroy(struct pp_outgoing *out);

#endif

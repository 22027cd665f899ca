/* A WebSocket connection of the server, from the upgrade to its end. What is sent is queued and written once per loop
 * turn.
 *
 *     OPEN ──close──▶ CLOSING (close frame queued, waits for the peer's) ──▶ DEAD (descriptor gone, freed at the turn's
 * end)
 *
 * `closed` is told once, at the end of the turn in which the connection left OPEN; the owner must not use it after
 * that. */
#ifndef PP_NET_CONN_H
#define PP_NET_CONN_H

#include "base/packet.h"
#include "net/ws.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_conn;
struct pp_loop;

struct pp_conn_ops {
    /* One whole message. The bytes may be changed and are good until return. The connection may be closed from here. */
    void (*message)(void *owner, unsigned char *bytes, size_t len, bool text);
    void (*pong)(void *owner);
    /* May be NULL. Reading goes on after pp_conn_resume: before any message that has come meanwhile. */
    void (*resumed)(void *owner);
    /* `code` is the peer's, or what this side closed with; `by_peer` tells which. A lost connection is 1006. */
    void (*closed)(void *owner, uint16_t code, const char *reason, bool by_peer);
};

struct pp_conn_limits {
    size_t max_payload;   /* bytes of one message, fragments together */
    size_t max_queue;     /* bytes queued; past that pp_conn_send answers PP_CONN_FULL */
    uint32_t close_after; /* ms that a peer has to answer a close frame */
};

enum pp_conn_send { PP_CONN_QUEUED, PP_CONN_FULL, PP_CONN_CLOSED };

/* From here on `ops` are called with `owner`. Both and `limits` must outlive the connection's `closed`. */
void pp_conn_set_owner(struct pp_conn *conn, const struct pp_conn_ops *ops, const struct pp_conn_limits *limits,
                       void *owner);

/* The peer takes several messages of the protocol in one WebSocket message: small ones that wait together are joined.
 */
void pp_conn_set_batch(struct pp_conn *conn);

/* Queues a new reference to a sealed packet (pp_ws_seal). PP_CONN_FULL: nothing was queued. */
enum pp_conn_send pp_conn_send(struct pp_conn *conn, struct pp_packet *packet);

/* Bytes queued and not yet taken by the system. */
size_t pp_conn_queued(const struct pp_conn *conn);

/* Starts the closing handshake behind what is queued. Does nothing on one that is closing. */
void pp_conn_close(struct pp_conn *conn, uint16_t code, const char *reason);

/* Closes like pp_conn_close, but drops what is queued: for a peer that does not read. */
void pp_conn_abort(struct pp_conn *conn, uint16_t code, const char *reason);

/* Stops reading behind the message that is being told: what has come stays in the buffers here and in the system's, and
 * so holds the peer back. A peer that hangs up is noticed all the same, one that is lost is not: it can't answer a
 * ping. Resuming takes effect at the end of the turn. Closing resumes too, for the peer's close frame. */
void pp_conn_pause(struct pp_conn *conn);
void pp_conn_resume(struct pp_conn *conn);
bool pp_conn_is_paused(const struct pp_conn *conn);

/* How many connections are closing, and so have no owner any more; with `unwritten`, those that still have bytes to
 * write. */
size_t pp_conn_closing(const struct pp_loop *loop, bool unwritten);

/* Ends the connection without a word; the owner hears no more of it. */
void pp_conn_drop(struct pp_conn *conn);

bool pp_conn_is_open(const struct pp_conn *conn);

/* When the last bytes came from the peer, on the loop's clock. */
uint64_t pp_conn_last_heard(const struct pp_conn *conn);

uint64_t pp_conn_bytes_in(const struct pp_conn *conn);
uint64_t pp_conn_bytes_out(const struct pp_conn *conn);

#endif

/* A client within this process: the other end of a session, without a socket. What either side sends is handed over in
 * the next turn, never from within the call that sends it.
 *
 *     pp_virtual_send ─ packet ─▶ pp_session_on_bytes          pp_session_send ─ packet ─▶ ops->message */
#ifndef PP_SESSION_VIRTUAL_H
#define PP_SESSION_VIRTUAL_H

#include "net/client.h"
#include "session/line.h"

struct pp_handshake;
struct pp_loop;
struct pp_session;
struct pp_virtual;

struct pp_virtual_options {
    const struct pp_conn_limits *limits; /* must outlive the connection */
    const char *id;                      /* copied */
    struct pp_handshake *handshake;      /* taken over */
    /* Makes the session of that id on `line` and takes over the handshake, in any case; or returns NULL with the reason
     * in `error`. */
    struct pp_session *(*admit)(void *server, struct pp_line line, const char *id, struct pp_handshake *handshake,
                                char *error, size_t error_size);
    void *server; /* must outlive the connection */
};

/* Begins to connect: `admit` is called in the next turn, then open. What is sent from here on waits for the session. */
struct pp_virtual *pp_virtual_new(struct pp_loop *loop, const struct pp_virtual_options *options,
                                  const struct pp_client_ops *ops, void *owner);

/* Queues a packet without a transport header, a frame of the protocol. It must be this call's alone: the session may
 * change its bytes. */
enum pp_client_sent pp_virtual_send(struct pp_virtual *client, struct pp_packet *packet);

/* Bytes that wait to be handed to the session. */
size_t pp_virtual_queued(const struct pp_virtual *client);

/* Ends behind what was sent. `closed` comes later, in any case. */
void pp_virtual_close(struct pp_virtual *client, uint16_t code, const char *reason);

/* No more is told to the owner, who forgets the client. */
void pp_virtual_drop(struct pp_virtual *client);

#endif

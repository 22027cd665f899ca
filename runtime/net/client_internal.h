/* A client as net/client.c and net/client_dial.c share it. Not for other files. */
#ifndef PP_NET_CLIENT_INTERNAL_H
#define PP_NET_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "net/client.h"
#include "net/loop_internal.h"
#include "net/outq.h"

struct lws;
struct lws_vhost;
struct pp_probe;

#define PP_CLIENT_REASON_MAX 200

enum pp_client_state { LOOKUP, CONNECTING, OPEN, CLOSING, DEAD };

/* What a wsi points at: it may outlive its client by a turn. */
struct pp_client_link {
    struct pp_client *client; /* NULL once the client has no more interest */
    struct pp_loop *loop;
    bool opened;
};

struct pp_client {
    struct pp_loop *loop;
    const struct pp_client_ops *ops;
    void *owner;
    struct pp_client_options options; /* its strings are ours */
    char *host_header;
    enum pp_client_state state;
    uv_getaddrinfo_t lookup;
    bool looking_up;
    struct addrinfo *addresses, *address; /* all of them, and the one at hand; NULL for a Unix socket */
    bool dialed;                          /* … which was tried */
    struct pp_probe *probe;
    struct lws_vhost *vhost;
    struct pp_client_link *link; /* of the wsi at hand */
    struct lws *wsi;
    bool reached; /* the wsi at hand has got through to the other side */
    bool killed;  /* … and was told to end */
    struct pp_outq queue;
    struct pp_buf pieces; /* of a message that is not whole */
    struct pp_turn_task task;
    struct pp_timer timer; /* to OPEN; then the heartbeat; then for the closing handshake */
    uint64_t last_heard, pinged_at;
    bool pinged; /* and waiting for an answer */
    bool told, by_peer;
    uint16_t code;
    char reason[PP_CLIENT_REASON_MAX];
};

/* --- net/client.c --- */

/* Has settle() run at the end of the turn. */
void pp_client_at_turn_end(struct pp_client *client);

/* Goes on where a look-up or an attempt has ended; may free the client. Outside of libwebsockets' callbacks. */
void pp_client_settle(struct pp_client *client);

/* Ends a client that never was open, or that was lost. `closed` is told at the end of the turn. */
__attribute__((format(printf, 2, 3))) void pp_client_fail(struct pp_client *client, const char *format, ...);

/* --- net/client_dial.c --- */

/* Looks the host's name up. What follows goes through pp_client_settle. */
void pp_client_look_up(struct pp_client *client);

/* CONNECTING, with no wsi and no probe: tries the next address; without one, finds out why and fails. */
void pp_client_dial_next(struct pp_client *client);

/* The attempt has failed, and libwebsockets says so with `text`. */
void pp_client_dial_failed(struct pp_client *client, struct lws *wsi, const char *text, size_t len);

/* The last moment before the request is sent: adds the headers at *at. -1 to give up. */
int pp_client_dial_headers(struct pp_client *client, struct lws *wsi, char **at, size_t room);

/* Every wsi of a client ends here, last of all. */
void pp_client_dial_forget(struct pp_client_link *link, struct lws *wsi);

#endif

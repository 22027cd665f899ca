/* A port (or Unix socket) that speaks HTTP and WebSocket. It accepts, bounds what waits for a handshake, lets
 * libwebsockets do TLS and HTTP, and hands each upgraded connection on. */
#ifndef PP_NET_LISTENER_H
#define PP_NET_LISTENER_H

#include "net/conn.h"
#include "net/handshake.h"

#include <stdint.h>

struct pp_http;
struct pp_listener;
struct pp_loop;

struct pp_listen_options {
    const char *host; /* an address, or NULL for all, IPv4 and IPv6; "unix:/path" for a Unix socket */
    int port;         /* 0: the system chooses */
    const char *cert; /* PEM files: both for TLS, or NULL */
    const char *key;
    uint32_t handshake_timeout;  /* ms from the accept to the end of the request's headers */
    uint32_t max_pending_per_ip; /* connections that have not finished their handshake, 0: no limit */
};

struct pp_listener_ops {
    /* Before an upgrade: 0 to go on, else the HTTP status to refuse it with. */
    int (*upgrade)(void *owner, const struct pp_handshake *handshake);
    /* A connection is open. Both pointers are the owner's; it must call pp_conn_set_owner before it returns. */
    void (*open)(void *owner, struct pp_conn *conn, struct pp_handshake *handshake);
};

/* Listens. NULL with a message in `error` where it can't. */
struct pp_listener *pp_listener_open(struct pp_loop *loop, const struct pp_listen_options *options, char *error,
                                     size_t error_size);

/* Who gets the WebSocket connections; NULL ops: upgrades are refused with 426. May change at any time. */
void pp_listener_set_ws(struct pp_listener *listener, const struct pp_listener_ops *ops, void *owner);

/* Who answers HTTP requests; NULL: every request gets 426 Upgrade Required. May change at any time. */
void pp_listener_set_http(struct pp_listener *listener, struct pp_http *http);

int pp_listener_port(const struct pp_listener *listener); /* 0 for a Unix socket */

/* Stops accepting; open WebSocket connections stay. A Unix socket's file is removed. */
void pp_listener_stop(struct pp_listener *listener);

/* Stops, ends what is in its handshake or an HTTP answer, and frees. */
void pp_listener_delete(struct pp_listener *listener);

#endif

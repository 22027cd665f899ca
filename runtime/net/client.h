/* A WebSocket connection to a server, from the name's look-up to its end. libwebsockets does the handshake, TLS and the
 * framing.
 *
 *     LOOKUP ──▶ CONNECTING (one address after the other) ──▶ OPEN ──▶ CLOSING (what is queued, the closing handshake)
 * ──▶ DEAD
 *
 * `closed` is told exactly once, whichever state it ends in. */
#ifndef PP_NET_CLIENT_H
#define PP_NET_CLIENT_H

#include "base/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_client;
struct pp_loop;

#define PP_CLIENT_PATH_MAX 2000 /* bytes of path and query */

struct pp_client_options {
    const char
        *host; /* a name or an address, IPv6 without brackets; with a Unix socket: for the Host header, or NULL */
    int port;
    const char *unix_path;    /* NULL; or a socket's path, "@name" for an abstract one: without TLS */
    const char *path;         /* "/chat?room=1": printable ASCII without spaces, at most PP_CLIENT_PATH_MAX bytes */
    const char *headers;      /* further header lines, each with CR LF behind it; or NULL */
    const char *ca_file;      /* PEM, trusted instead of the system's authorities; or NULL */
    bool secure;              /* TLS: the certificate must be good, and for this host */
    bool insecure;            /* … or any certificate will do */
    uint32_t connect_timeout; /* ms from here to OPEN */
    uint32_t ping_interval;   /* ms of silence after which the server is asked for a sign of life; 0: never */
    uint32_t ping_timeout;    /* ms it has for that */
    size_t max_payload;       /* bytes of one message, fragments together: a longer one closes with 1009 */
    size_t max_queue;         /* bytes queued; past that pp_client_send answers PP_CLIENT_FULL */
};

struct pp_client_ops {
    void (*open)(void *owner);
    /* One whole message. The bytes may be changed and are good until return. The client may be closed from here. */
    void (*message)(void *owner, unsigned char *bytes, size_t len, bool text);
    /* `code` is the peer's or what this side closed with. 1006: lost, or never open: then `reason` says why
     * ("connection refused"). The client must not be used from here on. */
    void (*closed)(void *owner, uint16_t code, const char *reason, bool by_peer);
    void (*pong)(void *owner); /* may be NULL */
};

enum pp_client_sent { PP_CLIENT_QUEUED, PP_CLIENT_FULL, PP_CLIENT_CLOSED };

/* Begins to connect; nothing is told before the loop's next turn. The options' strings are copied. NULL with a message
 * in `error` where they can't work. */
struct pp_client *pp_client_connect(struct pp_loop *loop, const struct pp_client_options *options,
                                    const struct pp_client_ops *ops, void *owner, char *error, size_t error_size);

/* Queues a packet that has no transport header yet. It must be this call's alone (one reference, which stays the
 * caller's to give back): masking changes its bytes, unless the answer is other than PP_CLIENT_QUEUED. Before OPEN and
 * after the close it is PP_CLIENT_CLOSED. */
enum pp_client_sent pp_client_send(struct pp_client *client, struct pp_packet *packet, bool text);

/* Asks for a pong. Does nothing where the client is not OPEN. */
void pp_client_ping(struct pp_client *client);

/* Bytes queued and not yet taken by libwebsockets, with their frame headers. */
size_t pp_client_queued(const struct pp_client *client);

/* The closing handshake behind what is queued, or an end to connecting. `closed` comes later, in any case. `reason` is
 * at most 123 bytes of UTF-8. */
void pp_client_close(struct pp_client *client, uint16_t code, const char *reason);

/* No more is told to the owner, who forgets the client; what is open is cut off. Every client must be closed or dropped
 * before its loop is deleted. */
void pp_client_drop(struct pp_client *client);

#endif

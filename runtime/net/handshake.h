/* What a client said when it connected: one block of memory, owned by whoever accepted the connection. */
#ifndef PP_NET_HANDSHAKE_H
#define PP_NET_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

struct pp_handshake {
    const char *path;    /* "/chat", decoded and without dot segments */
    const char *query;   /* "a=1&b=2", percent-encoded; "" where there is none */
    const char *address; /* of the peer: "127.0.0.1", "::1", "unix" */
    int port;            /* of the peer; 0 for a Unix socket */
    bool secure;         /* over TLS */
    const char *headers; /* "name: value\n" for each header kept, names in lower case */
};

struct lws;

/* Reads the handshake out of a request that libwebsockets is processing. Free with pp_handshake_delete. */
struct pp_handshake *pp_handshake_new(struct lws *wsi);

/* One for a client that made none: the strings are copied. Free with pp_handshake_delete. */
struct pp_handshake *pp_handshake_make(const char *path, const char *query, const char *address, const char *headers);

void pp_handshake_delete(struct pp_handshake *handshake);

/* The value of the header `name` (lower case), with its length; NULL where the client did not send it. */
const char *pp_handshake_header(const struct pp_handshake *handshake, const char *name, size_t *len);

/* The value of `name` in the query string, percent-decoded into `out` of `size` bytes with a NUL; false where it is
 * absent, does not fit, or is not properly encoded. */
bool pp_handshake_query(const struct pp_handshake *handshake, const char *name, char *out, size_t size);

#endif

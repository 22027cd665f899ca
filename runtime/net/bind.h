/* Making a listening socket. */
#ifndef PP_NET_BIND_H
#define PP_NET_BIND_H

#include <stddef.h>

/* A non-blocking listening descriptor; -1 with a message in `error`. `host` is an address, NULL for all addresses (IPv6
 * and IPv4), or "unix:/path". */
int pp_bind(const char *host, int port, char *error, size_t error_size);

/* The same, of a worker: the socket that the one before had there, or a new one which the next will have. */
int pp_bind_lasting(const char *host, int port, char *error, size_t error_size);

/* Ends listening on a descriptor of pp_bind_lasting, for the next worker too, and closes it. */
void pp_unbind_lasting(int fd);

/* The port a descriptor listens on; 0 for a Unix socket. */
int pp_bound_port(int fd);

#endif

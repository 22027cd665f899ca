/* What connections of the client kind share inside libwebsockets: a virtual host for each way of trusting a server. */
#ifndef PP_NET_CLIENT_VHOST_H
#define PP_NET_CLIENT_VHOST_H

#include <stdbool.h>
#include <stddef.h>

struct lws_protocols;
struct lws_vhost;
struct pp_loop;

/* The virtual host for these settings, made on first use. `ca_file` NULL: the system's authorities; `insecure`: any
 * certificate. `protocols` ends with a zeroed one and is the same on every call. NULL with a message in `error`. */
struct lws_vhost *pp_client_vhost(struct pp_loop *loop, const struct lws_protocols *protocols, const char *ca_file,
                                  bool insecure, char *error, size_t error_size);

#endif

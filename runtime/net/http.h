/* The HTTP side of a listener: see net/listener.h. */
#ifndef PP_NET_HTTP_H
#define PP_NET_HTTP_H

#include <stddef.h>

struct lws;
struct pp_http_ops;

/* libwebsockets' HTTP callbacks of one listener come here. `state` is a slot of the connection for the request at hand.
 * Returns what libwebsockets is to be told: 0 to go on, -1 to close. */
int pp_http_event(const struct pp_http_ops *ops, void *owner, struct lws *wsi, int reason, void **state, void *in, size_t len);

#endif

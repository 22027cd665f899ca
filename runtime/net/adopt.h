/* Taking an upgraded connection out of libwebsockets: it has done what it does best (TLS, HTTP, the handshake), and
 * from here on the descriptor is ours, read and written in batches. docs/architecture.md says why, with figures. */
#ifndef PP_NET_ADOPT_H
#define PP_NET_ADOPT_H

#include "net/stream.h"

#include <stdbool.h>

struct lws;
struct pp_loop;

/* Moves the descriptor and TLS of `wsi` into `stream` and ends the wsi, without a byte to the peer. To be called
 * outside of libwebsockets' callbacks, with nothing left in its buffers. False where the system is out of descriptors:
 * the connection is closed then. */
bool pp_adopt(struct pp_loop *loop, struct lws *wsi, struct pp_stream *stream);

#endif

/* Taking an upgraded connection out of libwebsockets: it has done what it does best (TLS, HTTP, the handshake), and
 * from here on the descriptor is ours, read and written in batches. docs/architecture.md says why, with figures. */
#ifndef PP_NET_ADOPT_H
#define PP_NET_ADOPT_H

#include "net/stream.h"

#include <stdbool.h>

struct lws;
struct pp_loop;

/* Moves the descriptor and TLS of `wsi` into `stream`; the caller then ends the wsi, which reaches the peer no more. To
 * be called outside of libwebsockets' callbacks, with nothing left in its buffers. The stream may be used once the wsi
 * is destroyed, after pp_adopt_finish. False where the system is out of descriptors: nothing was moved. */
bool pp_adopt_begin(struct pp_loop *loop, struct lws *wsi, struct pp_stream *stream);
void pp_adopt_finish(struct pp_stream *stream);

#endif

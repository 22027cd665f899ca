/* Making a connection out of a stream: for net/listener.c. */
#ifndef PP_NET_CONN_INTERNAL_H
#define PP_NET_CONN_INTERNAL_H

#include "net/conn.h"
#include "net/stream.h"

/* Takes over `stream`, whose handshake is done. NULL where the loop can't watch it: the stream is closed then. Reading
 * begins at the next turn, so the owner is set in time. */
struct pp_conn *pp_conn_new(struct pp_loop *loop, struct pp_stream stream);

/* Ends those that are closing: at the loop's end. */
void pp_conn_drop_closing(struct pp_loop *loop);

#endif

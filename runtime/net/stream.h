/* A connected byte stream: a descriptor, with TLS or without. Both ends are non-blocking. */
#ifndef PP_NET_STREAM_H
#define PP_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;

struct pp_stream {
    int fd;
    struct ssl_st *ssl; /* NULL without TLS; owned */
};

#define PP_STREAM_AGAIN (-2)
#define PP_STREAM_CLOSED (-1)

/* Bytes read or written, PP_STREAM_AGAIN where the stream has to become ready first, PP_STREAM_CLOSED at its end or on
 * an error. */
ssize_t pp_stream_read(struct pp_stream *stream, void *bytes, size_t len);
ssize_t pp_stream_write(struct pp_stream *stream, const void *bytes, size_t len);

/* Bytes that TLS has already taken off the socket, so that poll would not tell of them. */
bool pp_stream_has_buffered(const struct pp_stream *stream);

/* Closes the descriptor and frees TLS. */
void pp_stream_close(struct pp_stream *stream);

#endif

/* recv/send and their TLS counterparts under one set of results. */
#include "net/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t tls_result(SSL *ssl, int n)
{
    if (n > 0)
        return n;
    int why = SSL_get_error(ssl, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? PP_STREAM_AGAIN : PP_STREAM_CLOSED;
}

static int clamp(size_t len)
{
    return len > 1 << 30 ? 1 << 30 : (int)len;
}

ssize_t pp_stream_read(struct pp_stream *stream, void *bytes, size_t len)
{
    if (stream->ssl != NULL) {
        ERR_clear_error(); /* of other connections: SSL_get_error would blame this one */
        return tls_result(stream->ssl, SSL_read(stream->ssl, bytes, clamp(len)));
    }
    ssize_t n = recv(stream->fd, bytes, len, 0);
    if (n > 0)
        return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? PP_STREAM_AGAIN : PP_STREAM_CLOSED;
}

ssize_t pp_stream_write(struct pp_stream *stream, const void *bytes, size_t len)
{
    if (stream->ssl != NULL) {
        ERR_clear_error();
        return tls_result(stream->ssl, SSL_write(stream->ssl, bytes, clamp(len)));
    }
    ssize_t n = send(stream->fd, bytes, len, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? PP_STREAM_AGAIN : PP_STREAM_CLOSED;
}

bool pp_stream_has_buffered(const struct pp_stream *stream)
{
    return stream->ssl != NULL && SSL_has_pending(stream->ssl);
}

void pp_stream_close(struct pp_stream *stream)
{
    if (stream->ssl != NULL) {
        SSL_shutdown(stream->ssl);
        ERR_clear_error();
        SSL_free(stream->ssl);
        stream->ssl = NULL;
    }
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

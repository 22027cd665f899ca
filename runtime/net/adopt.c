/* The descriptor leaves under a new number; its old number is given a stand-in, so that whatever libwebsockets still
 * does to it while it closes (shutdown, epoll, close) reaches the stand-in and not the peer. */
#include "net/adopt.h"

#include "base/log.h"
#include "net/loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of a socket pair: unlike /dev/null it can be polled, shut down and duplicated without an error. */
static bool have_stand_in(struct pp_loop *loop)
{
    int pair[2];
    if (loop->parked_fd >= 0)
        return true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return false;
    close(pair[1]);
    loop->parked_fd = pair[0];
    return true;
}

/* The session must outlive the wsi and not tell the peer that it ends. */
static SSL *keep_tls(struct lws *wsi)
{
    SSL *ssl = lws_get_ssl(wsi);
    if (ssl == NULL)
        return NULL;
    SSL_up_ref(ssl);
    SSL_set_quiet_shutdown(ssl, 1);
    return ssl;
}

bool pp_adopt_begin(struct pp_loop *loop, struct lws *wsi, struct pp_stream *stream)
{
    int old = lws_get_socket_fd(wsi);
    int fd = have_stand_in(loop) ? fcntl(old, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd < 0) {
        pp_log(PP_LOG_ERROR, "a connection was refused: %s", strerror(errno));
        return false;
    }
    *stream = (struct pp_stream){.fd = fd, .ssl = keep_tls(wsi)};
    /* epoll watches the open file, not the number: it has to forget the pair before they part. */
    epoll_ctl(uv_backend_fd(&loop->uv), EPOLL_CTL_DEL, old, &(struct epoll_event){0});
    dup2(loop->parked_fd, old);
    return true;
}

/* Until here the session named the stand-in: libwebsockets closes whatever descriptor it names. */
void pp_adopt_finish(struct pp_stream *stream)
{
    SSL *ssl = stream->ssl;
    if (ssl == NULL)
        return;
    SSL_set_quiet_shutdown(ssl, 0);
    SSL_set_shutdown(ssl, 0);
    SSL_set_fd(ssl, stream->fd);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

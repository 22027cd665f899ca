/* A session on one end of a pair of sockets, and the bytes that its client sent and got. */
#ifndef PP_TESTS_SESSION_LINK_H
#define PP_TESTS_SESSION_LINK_H

#include "base/memory.h"
#include "net/conn_internal.h"
#include "net/frames.h"
#include "net/handshake.h"
#include "net/loop.h"
#include "session/session.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
    struct pp_loop *loop;
    struct pp_session *session; /* NULL once it is closed */
    int peer;
    struct pp_buf got; /* what the client received */
    struct pp_timer patience;
};

static inline struct pp_handshake *link_handshake(const char *query)
{
    struct pp_handshake *handshake = pp_calloc(1, sizeof *handshake);
    *handshake = (struct pp_handshake){.path = "/", .query = query, .address = "127.0.0.1", .headers = ""};
    return handshake;
}

static inline void link_open(struct link *link, struct pp_loop *loop, const struct pp_session_config *config,
                             struct pp_session_stats *stats, const struct pp_session_ops *ops, void *owner,
                             const char *query)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        abort();
    *link = (struct link){.loop = loop, .peer = pair[1]};
    struct pp_conn *conn = pp_conn_new(loop, (struct pp_stream){.fd = pair[0]});
    link->session = pp_session_new(loop, config, stats, ops, owner, conn, link_handshake(query));
}

static inline void link_close(struct link *link)
{
    if (link->session != NULL)
        pp_session_delete(link->session);
    if (link->peer >= 0)
        close(link->peer);
    pp_buf_destroy(&link->got);
}

static inline void link_stop(struct pp_timer *timer)
{
    pp_loop_stop(((struct link *)((char *)timer - offsetof(struct link, patience)))->loop);
}

/* Runs the loop for `ms`, then takes what the client was sent. */
static inline void link_run(struct link *link, uint64_t ms)
{
    link->patience.fire = link_stop;
    pp_loop_timer_start(link->loop, &link->patience, ms);
    pp_loop_run(link->loop);
    for (ssize_t n; (n = recv(link->peer, pp_buf_reserve(&link->got, 65536), 65536, 0)) > 0;)
        link->got.len += (size_t)n;
}

/* The client sends a WebSocket message, and the loop runs. */
static inline void link_send(struct link *link, unsigned first, const void *payload, size_t len)
{
    struct pp_buf out = {0};
    put_frame(&out, first, payload, len);
    if (send(link->peer, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
        abort();
    pp_buf_destroy(&out);
    link_run(link, 3);
}

#endif

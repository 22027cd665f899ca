/* A connection over a pair of sockets, on a real loop: its peer, by hand, and what its owner is told. */
#ifndef PP_TESTS_NET_CONN_FIXTURE_H
#define PP_TESTS_NET_CONN_FIXTURE_H

#include "base/memory.h"
#include "frames.h"
#include "harness.h"
#include "net/conn.h"
#include "net/conn_internal.h"
#include "net/loop.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One connection, its owner and its peer. */
struct conn_fixture {
    struct pp_loop *loop;
    struct pp_conn *conn; /* NULL once its end was told */
    struct pp_conn_limits *limits;
    int peer;
    struct pp_buf got;   /* what the peer has received */
    struct pp_buf heard; /* the messages: 't' or 'b', the bytes, '\n' */
    unsigned messages, pongs, resumed, told;
    uint16_t code;
    char reason[128];
    bool by_peer, eof;
    void (*on_message)(struct conn_fixture *f);
    struct pp_timer patience;
};

static inline bool stop_when_idle(void *arg)
{
    pp_loop_stop(arg);
    return false;
}

static inline void stop_anyway(struct pp_timer *timer)
{
    struct conn_fixture *f = (struct conn_fixture *)((char *)timer - offsetof(struct conn_fixture, patience));
    pp_loop_stop(f->loop);
}

/* Runs the loop until nothing waits. A loop that has just begun to watch something asks the system before it is idle:
 * the timer ends that. */
static inline void turn(struct conn_fixture *f)
{
    f->patience.fire = stop_anyway;
    pp_loop_timer_start(f->loop, &f->patience, 2);
    pp_loop_run(f->loop);
    pp_loop_timer_stop(f->loop, &f->patience);
}

static inline void heard_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    struct conn_fixture *f = owner;
    f->messages++;
    pp_buf_append_char(&f->heard, text ? 't' : 'b');
    pp_buf_append(&f->heard, bytes, len);
    pp_buf_append_char(&f->heard, '\n');
    memset(bytes, 0, len); /* they may be changed */
    if (f->on_message != NULL)
        f->on_message(f);
}

static inline void heard_pong(void *owner)
{
    ((struct conn_fixture *)owner)->pongs++;
}

static inline void heard_resumed(void *owner)
{
    ((struct conn_fixture *)owner)->resumed++;
}

static inline void heard_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    struct conn_fixture *f = owner;
    f->told++;
    f->code = code;
    f->by_peer = by_peer;
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    f->conn = NULL;
    free(f->limits); /* nobody may look at them from here on */
    f->limits = NULL;
}

static const struct pp_conn_ops ops = {
    .message = heard_message, .pong = heard_pong, .resumed = heard_resumed, .closed = heard_closed};

static inline void open_with(struct conn_fixture *f, int send_buffer)
{
    int pair[2];
    *f = (struct conn_fixture){.loop = pp_loop_new()};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        abort();
    if (send_buffer > 0)
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    f->peer = pair[1];
    f->limits = pp_malloc(sizeof *f->limits);
    *f->limits = (struct pp_conn_limits){.max_payload = 100000, .max_queue = 4000000, .close_after = 60000};
    f->conn = pp_conn_new(f->loop, (struct pp_stream){.fd = pair[0]});
    pp_conn_set_owner(f->conn, &ops, f->limits, f);
    pp_loop_set_idle(f->loop, stop_when_idle, f->loop);
}

static inline void open_pair(struct conn_fixture *f)
{
    open_with(f, 0);
}

static inline void close_pair(struct conn_fixture *f)
{
    if (f->conn != NULL)
        pp_conn_drop(f->conn);
    if (f->peer >= 0)
        close(f->peer);
    pp_loop_set_idle(f->loop, NULL, NULL);
    pp_loop_delete(f->loop);
    free(f->limits);
    pp_buf_destroy(&f->got);
    pp_buf_destroy(&f->heard);
}

/* The peer takes what there is. */
static inline void receive(struct conn_fixture *f)
{
    for (;;) {
        ssize_t n = recv(f->peer, pp_buf_reserve(&f->got, 65536), 65536, 0);
        f->eof = n == 0;
        if (n <= 0)
            return;
        f->got.len += (size_t)n;
    }
}

/* The peer sends all of it, and reads meanwhile. */
static inline void deliver(struct conn_fixture *f, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(f->peer, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        at += n > 0 ? (size_t)n : 0;
        turn(f);
        receive(f);
    }
}

static inline void deliver_frame(struct conn_fixture *f, unsigned first, const void *payload, size_t len)
{
    struct pp_buf out = {0};
    put_frame(&out, first, payload, len);
    deliver(f, out.data, out.len);
    pp_buf_destroy(&out);
}

/* Turns until the connection's descriptor is gone; false where that never happens. */
static inline bool ends(struct conn_fixture *f)
{
    for (int i = 0; i < 2000 && !f->eof; i++) {
        turn(f);
        receive(f);
        if (!f->eof)
            usleep(1000);
    }
    return f->eof;
}

static inline void send_message(struct conn_fixture *f, enum pp_ws_opcode opcode, const void *payload, size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    memcpy(pp_packet_data(packet), payload, len);
    pp_ws_seal(packet, opcode);
    CU_ASSERT_EQUAL(pp_conn_send(f->conn, packet), PP_CONN_QUEUED);
    pp_packet_unref(packet);
}

/* The last frame that the peer got is a close frame with this code, or with none where it is 1005. */
static inline void got_close(struct conn_fixture *f, unsigned code)
{
    struct server_frame frame = {0};
    size_t at = 0;
    while (take_frame(&f->got, &at, &frame))
        ;
    CU_ASSERT_EQUAL(at, f->got.len);
    CU_ASSERT_EQUAL_FATAL(frame.first, 0x88);
    unsigned found = frame.len >= 2 ? (unsigned)frame.payload[0] << 8 | frame.payload[1] : 1005;
    CU_ASSERT_EQUAL(found, code);
}

static inline void heard_is(const struct conn_fixture *f, const char *bytes, size_t len)
{
    CU_ASSERT_EQUAL_FATAL(f->heard.len, len);
    CU_ASSERT_EQUAL(memcmp(f->heard.data ? f->heard.data : "", bytes, len), 0);
}

#endif

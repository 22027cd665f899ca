/* Accepting, the handshake through libwebsockets, and handing the open connection on. */
#define _GNU_SOURCE /* accept4 */
#include "net/listener.h"

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "net/adopt.h"
#include "net/bind.h"
#include "net/conn_internal.h"
#include "net/http.h"
#include "net/loop_internal.h"
#include "net/lws.h"
#include "net/peer.h"
#include "net/tls.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define PAUSE_MS 100 /* without descriptors, accepting again at once would only spin */

struct pp_listener {
    struct pp_loop *loop;
    int fd;
    uv_poll_t poll;
    struct pp_timer pause;
    struct lws_vhost *vhost;
    struct lws_protocols protocols[2];
    char vhost_name[32];
    char *unix_path;
    const struct pp_listener_ops *ws_ops;
    void *ws_owner;
    struct pp_http *http;
    uint32_t handshake_timeout, max_pending_per_ip;
    struct pp_map pending_per_ip; /* address → count */
    struct pending *pendings;     /* every connection that libwebsockets holds for this listener */
    int port;
    bool stopped, deleted;
};

/* A connection while libwebsockets has it. Kept as the opaque pointer of its wsi, freed when that ends. */
struct pending {
    struct pending *next, **link;
    struct pp_listener *listener;
    struct lws *wsi;
    struct pp_timer timeout;
    struct pp_handshake *handshake;
    struct pp_turn_task adopt;
    struct pp_timer adopt_later;
    void *http;   /* of the request at hand: net/http.c */
    bool counted; /* in pending_per_ip */
    bool upgraded;
    bool parked; /* `stream` has left libwebsockets, and waits for it to end the rest */
    struct pp_stream stream;
    char address[64];
};

/* --- the connections that wait --- */

static void count_off(struct pending *pending)
{
    if (!pending->counted)
        return;
    pending->counted = false;
    struct pp_map *map = &pending->listener->pending_per_ip;
    size_t len = strlen(pending->address);
    uintptr_t count = (uintptr_t)pp_map_get(map, pending->address, len);
    if (count <= 1)
        pp_map_remove(map, pending->address, len);
    else
        *pp_map_slot(map, pending->address, len) = (void *)(count - 1);
}

static bool count_on(struct pending *pending)
{
    struct pp_listener *listener = pending->listener;
    void **slot = pp_map_slot(&listener->pending_per_ip, pending->address, strlen(pending->address));
    uintptr_t count = (uintptr_t)*slot;
    if (listener->max_pending_per_ip > 0 && count >= listener->max_pending_per_ip)
        return false;
    *slot = (void *)(count + 1);
    pending->counted = true;
    return true;
}

/* At once: an asynchronous kill would wait until libwebsockets' own timers next have something to do. */
static void on_handshake_timeout(struct pp_timer *timer)
{
    struct pending *pending = (struct pending *)((char *)timer - offsetof(struct pending, timeout));
    lws_set_timeout(pending->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
}

/* After pp_listener_delete: once libuv, libwebsockets and every pending let go. */
static void free_if_unused(struct pp_listener *listener)
{
    if (!listener->deleted || listener->pendings != NULL || listener->poll.data != NULL || listener->vhost != NULL)
        return;
    pp_map_destroy(&listener->pending_per_ip);
    free(listener);
}

static void pending_delete(struct pending *pending)
{
    struct pp_listener *listener = pending->listener;
    struct pp_loop *loop = listener->loop;
    count_off(pending);
    pp_loop_timer_stop(loop, &pending->timeout);
    pp_loop_timer_stop(loop, &pending->adopt_later);
    pp_handshake_delete(pending->handshake);
    *pending->link = pending->next;
    if (pending->next != NULL)
        pending->next->link = pending->link;
    free(pending);
}

/* The wsi is gone. A queued adoption still holds the struct and frees it when it runs; one that has begun goes on. */
static void on_wsi_gone(struct pending *pending)
{
    struct pp_listener *listener = pending->listener;
    pending->wsi = NULL;
    if (pending->parked)
        pp_loop_at_turn_end(listener->loop, &pending->adopt);
    if (pending->adopt.queued)
        return;
    pending_delete(pending);
    free_if_unused(listener);
}

/* --- the upgraded ones --- */

/* Has libwebsockets read more than the handshake? It tells only that some connection has bytes to be read; where this
 * one is the only such, that changes as soon as it is paused. A client may not send before it has our answer. */
static bool sent_early(struct pending *pending)
{
    struct lws_context *context = pending->listener->loop->lws;
    if (lws_service_adjust_timeout(context, 1, 0) != 0)
        return false;
    lws_rx_flow_control(pending->wsi, 0);
    return lws_service_adjust_timeout(context, 1, 0) != 0;
}

/* libwebsockets is through with the connection: it is ours. */
static void take_over(struct pending *pending)
{
    struct pp_listener *listener = pending->listener;
    const struct pp_listener_ops *ops = listener->ws_ops;
    void *owner = listener->ws_owner;
    struct pp_loop *loop = listener->loop;
    struct pp_handshake *handshake = pending->handshake;
    struct pp_stream stream = pending->stream;
    pending->handshake = NULL;
    pending_delete(pending);
    free_if_unused(listener);
    pp_adopt_finish(&stream);
    struct pp_conn *conn = pp_conn_new(loop, stream);
    if (conn != NULL && ops != NULL) {
        ops->open(owner, conn, handshake);
        return;
    }
    pp_handshake_delete(handshake);
    if (conn != NULL)
        pp_conn_close(conn, PP_WS_CLOSE_GOING_AWAY, "server shutting down");
}

static void run_adoption(struct pp_turn_task *task)
{
    struct pending *pending = (struct pending *)((char *)task - offsetof(struct pending, adopt));
    struct pp_listener *listener = pending->listener;
    if (pending->parked) {
        take_over(pending);
        return;
    }
    if (pending->wsi == NULL) {
        pending_delete(pending);
        free_if_unused(listener);
        return;
    }
    if (lws_partial_buffered(pending->wsi)) { /* our answer is not to be left behind */
        pp_loop_guard_start(listener->loop, &pending->adopt_later, 1);
        return;
    }
    if (sent_early(pending)) {
        lws_set_timeout(pending->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
        return;
    }
    pending->parked = pp_adopt_begin(listener->loop, pending->wsi, &pending->stream);
    lws_set_timeout(pending->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
}

static void on_adopt_later(struct pp_timer *timer)
{
    struct pending *pending = (struct pending *)((char *)timer - offsetof(struct pending, adopt_later));
    pp_loop_at_turn_end(pending->listener->loop, &pending->adopt);
}

/* --- libwebsockets' callbacks --- */

static bool header_is(struct lws *wsi, enum lws_token_indexes token, const char *value)
{
    char text[32];
    return lws_hdr_copy(wsi, text, sizeof text, token) > 0 && strcasecmp(text, value) == 0;
}

static const char *reason_phrase(int status)
{
    switch (status) {
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed\r\nallow: GET";
    case 426: /* whoever speaks another version is told ours (RFC 6455, section 4.4) */
        return "Upgrade Required\r\nupgrade: websocket\r\nsec-websocket-version: 13";
    default:
        return "Service Unavailable";
    }
}

/* Answers the handshake and ends the line. libwebsockets' own answers would say HTTP/1.0 here, and link a style sheet.
 */
static int refuse(struct lws *wsi, int status)
{
    char room[LWS_PRE + 256], *text = room + LWS_PRE;
    int len = snprintf(text, sizeof room - LWS_PRE, "HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                       status, reason_phrase(status));
    lws_write(wsi, (unsigned char *)text, (size_t)len, LWS_WRITE_HTTP_HEADERS);
    return -1;
}

static int on_upgrade(struct pp_listener *listener, struct pending *pending, struct lws *wsi)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) == 0)
        return refuse(wsi, 405);
    if (!header_is(wsi, WSI_TOKEN_VERSION, "13"))
        return refuse(wsi, 426);
    if (listener->ws_ops == NULL || listener->stopped)
        return refuse(wsi, listener->stopped ? 503 : 404);
    pp_handshake_delete(pending->handshake);
    pending->handshake = pp_handshake_new(wsi);
    int status = listener->ws_ops->upgrade(listener->ws_owner, pending->handshake);
    return status ? refuse(wsi, status) : 0;
}

static int on_http(struct pp_listener *listener, struct pending *pending, struct lws *wsi, int reason, void *in,
                   size_t len)
{
    if (reason == LWS_CALLBACK_HTTP) {
        pp_loop_timer_stop(listener->loop, &pending->timeout);
        count_off(pending);
        if (listener->http == NULL)
            return refuse(wsi, 426);
    }
    return pp_http_event(listener->http, wsi, reason, &pending->http, in, len);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct pending *pending = lws_get_opaque_user_data(wsi);
    if (pending == NULL) /* not a connection: vhost and loop housekeeping */
        return 0;
    struct pp_listener *listener = pending->listener;
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return header_is(wsi, WSI_TOKEN_UPGRADE, "websocket") ? 0 : -1;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_upgrade(listener, pending, wsi);
    case LWS_CALLBACK_ESTABLISHED:
        pp_loop_timer_stop(listener->loop, &pending->timeout);
        count_off(pending);
        pending->upgraded = true;
        pp_loop_at_turn_end(listener->loop, &pending->adopt);
        return 0;
    case LWS_CALLBACK_RECEIVE: /* frames before the handshake was answered */
        return -1;
    case LWS_CALLBACK_WSI_DESTROY:
        if (!pending->upgraded)
            on_http(listener, pending, wsi, LWS_CALLBACK_CLOSED_HTTP, NULL, 0);
        on_wsi_gone(pending);
        return 0;
    default:
        return pending->upgraded ? 0 : on_http(listener, pending, wsi, reason, in, len);
    }
}

/* --- accepting --- */

static void accepted(struct pp_listener *listener, int fd, const struct sockaddr *address)
{
    struct pp_peer peer;
    int on = 1;
    pp_peer_from(address, &peer);
    struct pending *pending = pp_calloc(1, sizeof *pending);
    pending->listener = listener;
    pending->timeout.fire = on_handshake_timeout;
    pending->adopt.run = run_adoption;
    pending->adopt_later.fire = on_adopt_later;
    memcpy(pending->address, peer.address, sizeof pending->address);
    pending->link = &listener->pendings;
    pending->next = listener->pendings;
    if (pending->next != NULL)
        pending->next->link = &pending->next;
    listener->pendings = pending;
    if (!count_on(pending)) {
        close(fd);
        pending_delete(pending);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct lws *wsi = lws_adopt_socket_vhost(listener->vhost, fd); /* closes fd where it fails */
    if (wsi == NULL) {
        pending_delete(pending);
        return;
    }
    pending->wsi = wsi;
    lws_set_opaque_user_data(wsi, pending);
    pp_loop_guard_start(listener->loop, &pending->timeout, listener->handshake_timeout);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void watch(struct pp_listener *listener)
{
    uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
}

static void on_pause_over(struct pp_timer *timer)
{
    watch((struct pp_listener *)((char *)timer - offsetof(struct pp_listener, pause)));
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct pp_listener *listener = poll->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            accepted(listener, fd, (struct sockaddr *)&address);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pp_log(PP_LOG_WARN, "no new connection can be accepted for %d ms: %s", PAUSE_MS, strerror(errno));
            uv_poll_stop(poll);
            pp_loop_guard_start(listener->loop, &listener->pause, PAUSE_MS);
        }
        return;
    }
}

/* --- life --- */

/* It outlives lws_vhost_destroy for as long as a wsi is bound to it, and reads its name and protocols until then. */
static void on_vhost_gone(struct lws_vhost *vhost, void *arg)
{
    struct pp_listener *listener = arg;
    (void)vhost;
    listener->vhost = NULL;
    free_if_unused(listener);
}

static bool make_vhost(struct pp_listener *listener, const struct pp_listen_options *options, char *error,
                       size_t error_size)
{
    static unsigned count;
    struct lws_context *context = pp_lws_context(listener->loop);
    if (context == NULL) {
        snprintf(error, error_size, "libwebsockets did not start");
        return false;
    }
    listener->protocols[0] = (struct lws_protocols){.name = "painda", .callback = on_lws, .rx_buffer_size = 4096};
    /* A Host header chooses among virtual hosts by name: no header holds a line break. */
    snprintf(listener->vhost_name, sizeof listener->vhost_name, "listener\n%u", ++count);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = listener->vhost_name,
        .protocols = listener->protocols,
        .ssl_cert_filepath = options->cert,
        .ssl_private_key_filepath = options->key,
        .alpn = "http/1.1", /* offering h2 would expose a parser that 4.1 has memory errors in */
        .ssl_options_set = PP_TLS_OPTIONS,
        .finalize = on_vhost_gone,
        .finalize_arg = listener,
        .keepalive_timeout = 10,
        .timeout_secs = 10,
        .options = options->cert ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
    };
    listener->vhost = lws_create_vhost(context, &info);
    if (listener->vhost == NULL)
        snprintf(error, error_size, "libwebsockets could not make a virtual host");
    return listener->vhost != NULL;
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct pp_listener *listener = handle->data;
    listener->poll.data = NULL;
    free_if_unused(listener);
}

struct pp_listener *pp_listener_open(struct pp_loop *loop, const struct pp_listen_options *options, char *error,
                                     size_t error_size)
{
    if (options->cert != NULL && !pp_tls_check_files(options->cert, options->key, error, error_size))
        return NULL;
    int fd = pp_bind_lasting(options->host, options->port, error, error_size);
    if (fd < 0)
        return NULL;
    struct pp_listener *listener = pp_calloc(1, sizeof *listener);
    listener->loop = loop;
    listener->fd = fd;
    listener->handshake_timeout = options->handshake_timeout;
    listener->max_pending_per_ip = options->max_pending_per_ip;
    listener->pause.fire = on_pause_over;
    listener->port = pp_bound_port(fd);
    if (!make_vhost(listener, options, error, error_size)) {
        pp_unbind_lasting(fd);
        free(listener);
        return NULL;
    }
    if (options->host != NULL && strncmp(options->host, "unix:", 5) == 0)
        listener->unix_path = pp_strndup(options->host + 5, strlen(options->host + 5));
    uv_poll_init(&loop->uv, &listener->poll, fd);
    listener->poll.data = listener;
    watch(listener);
    return listener;
}

void pp_listener_set_ws(struct pp_listener *listener, const struct pp_listener_ops *ops, void *owner)
{
    listener->ws_ops = ops;
    listener->ws_owner = owner;
}

void pp_listener_set_http(struct pp_listener *listener, struct pp_http *http)
{
    listener->http = http;
}

int pp_listener_port(const struct pp_listener *listener)
{
    return listener->port;
}

void pp_listener_stop(struct pp_listener *listener)
{
    if (listener->stopped)
        return;
    listener->stopped = true;
    pp_loop_timer_stop(listener->loop, &listener->pause);
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    pp_unbind_lasting(listener->fd);
    if (listener->unix_path != NULL)
        unlink(listener->unix_path);
    free(listener->unix_path);
    listener->unix_path = NULL;
}

void pp_listener_delete(struct pp_listener *listener)
{
    pp_listener_stop(listener);
    listener->ws_ops = NULL;
    listener->http = NULL;
    /* Ending a wsi here and now takes its pending off the list. */
    for (struct pending *pending = listener->pendings, *next; pending != NULL; pending = next) {
        next = pending->next;
        if (pending->wsi != NULL && !pending->parked)
            lws_set_timeout(pending->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
    }
    lws_vhost_destroy(listener->vhost);
    listener->deleted = true;
    free_if_unused(listener);
}

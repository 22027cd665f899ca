/* A client once it is connected, its end whichever way it comes, and libwebsockets' callbacks.
 *
 * What ends a client is only noted in those callbacks. It happens in pp_client_settle, at the end of the turn. */
#include "net/client.h"

#include "base/memory.h"
#include "net/client_internal.h"
#include "net/client_vhost.h"
#include "net/ws_mask.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>

#define CLOSE_AFTER 5000          /* ms for the closing handshake */
#define KEPT_BUFFER (64u * 1024u) /* a larger buffer for a message in pieces is not kept for the next one */

/* --- ends --- */

void pp_client_at_turn_end(struct pp_client *client)
{
    pp_loop_at_turn_end(client->loop, &client->task);
}

static void set_end(struct pp_client *client, uint16_t code, bool by_peer, const char *reason, size_t len)
{
    client->code = code;
    client->by_peer = by_peer;
    snprintf(client->reason, sizeof client->reason, "%.*s", (int)len, reason);
}

static void die(struct pp_client *client)
{
    client->state = DEAD;
    pp_loop_timer_stop(client->loop, &client->timer);
    if (client->looking_up)
        uv_cancel((uv_req_t *)&client->lookup); /* one that a thread has begun goes on to its end */
    pp_client_at_turn_end(client);
}

void pp_client_fail(struct pp_client *client, const char *format, ...)
{
    char reason[PP_CLIENT_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    set_end(client, PP_WS_CLOSE_ABNORMAL, false, reason, strlen(reason));
    die(client);
}

static void tell(struct pp_client *client)
{
    if (client->told)
        return;
    client->told = true;
    client->ops->closed(client->owner, client->code, client->reason, client->by_peer);
}

static void free_client(struct pp_client *client)
{
    pp_loop_timer_stop(client->loop, &client->timer);
    pp_outq_destroy(&client->queue);
    pp_buf_destroy(&client->pieces);
    if (client->addresses != NULL)
        uv_freeaddrinfo(client->addresses);
    free((char *)client->options.host);
    free((char *)client->options.unix_path);
    free((char *)client->options.path);
    free((char *)client->options.headers);
    free(client->host_header);
    free(client);
}

static void kill_wsi(struct pp_client *client)
{
    if (client->wsi == NULL || client->killed)
        return;
    client->killed = true;
    lws_set_timeout(client->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
}

/* The connection is gone, after a closing handshake or without one. */
static void on_gone(struct pp_client *client)
{
    client->killed = true;
    if (client->state == CLOSING)
        die(client);
    else if (client->state == OPEN)
        pp_client_fail(client, "the connection was lost");
}

void pp_client_settle(struct pp_client *client)
{
    if (client->state == CONNECTING && client->wsi == NULL && client->probe == NULL)
        pp_client_dial_next(client);
    if (client->wsi == NULL && (client->state == OPEN || client->state == CLOSING))
        on_gone(client);
    if (client->state != DEAD)
        return;
    kill_wsi(client);
    tell(client);
    if (client->wsi == NULL && !client->looking_up && client->probe == NULL && !client->task.queued)
        free_client(client);
}

static void run_task(struct pp_turn_task *task)
{
    pp_client_settle((struct pp_client *)((char *)task - offsetof(struct pp_client, task)));
}

/* --- heartbeat and timeouts --- */

static void push(struct pp_client *client, struct pp_packet *sealed)
{
    pp_outq_push(&client->queue, sealed);
    if (client->queue.count == 1 && !client->killed)
        lws_callback_on_writable(client->wsi);
}

static void push_owned(struct pp_client *client, struct pp_packet *sealed)
{
    push(client, sealed);
    pp_packet_unref(sealed);
}

static void beat(struct pp_client *client)
{
    uint64_t now = pp_loop_now(client->loop), interval = client->options.ping_interval;
    uint64_t silent = now - client->last_heard;
    if (client->pinged && client->last_heard >= client->pinged_at)
        client->pinged = false;
    if (client->pinged && now - client->pinged_at >= client->options.ping_timeout) {
        pp_client_fail(client, "Ping timeout");
        return;
    }
    uint64_t next = client->options.ping_timeout;
    if (!client->pinged && silent < interval) {
        next = interval - silent;
    } else if (!client->pinged) {
        client->pinged = true;
        client->pinged_at = now;
        push_owned(client, pp_ws_control_masked(PP_WS_PING, NULL, 0));
    }
    pp_loop_timer_start(client->loop, &client->timer, next);
}

static void on_timer(struct pp_timer *timer)
{
    struct pp_client *client = (struct pp_client *)((char *)timer - offsetof(struct pp_client, timer));
    if (client->state == OPEN)
        beat(client);
    else if (client->state == CLOSING)
        die(client);
    else
        pp_client_fail(client, "no connection within %u ms", (unsigned)client->options.connect_timeout);
}

/* --- an open connection --- */

static void on_open(struct pp_client *client)
{
    client->state = OPEN;
    client->last_heard = pp_loop_now(client->loop);
    pp_loop_timer_stop(client->loop, &client->timer);
    if (client->options.ping_interval > 0)
        pp_loop_timer_start(client->loop, &client->timer, client->options.ping_interval);
    client->ops->open(client->owner);
}

static void take_piece(struct pp_client *client, struct lws *wsi, unsigned char *bytes, size_t len)
{
    client->last_heard = pp_loop_now(client->loop);
    size_t remaining = lws_remaining_packet_payload(wsi);
    size_t room = client->options.max_payload - client->pieces.len; /* never more than that was taken */
    if (len > room || remaining > room - len) {
        pp_client_close(client, PP_WS_CLOSE_TOO_BIG, "message too big");
        return;
    }
    bool whole = remaining == 0 && lws_is_final_fragment(wsi), text = !lws_frame_is_binary(wsi);
    if (whole && client->pieces.len == 0) {
        client->ops->message(client->owner, bytes, len, text);
        return;
    }
    pp_buf_append(&client->pieces, bytes, len);
    if (!whole)
        return;
    client->ops->message(client->owner, (unsigned char *)client->pieces.data, client->pieces.len, text);
    pp_buf_clear(&client->pieces);
    if (client->pieces.cap > KEPT_BUFFER)
        pp_buf_destroy(&client->pieces);
}

/* Returns what libwebsockets is to be told: 0 to answer and close, -1 to close where this is the answer. */
static int on_peer_close(struct pp_client *client, const unsigned char *bytes, size_t len)
{
    if (client->state != OPEN)
        return client->queue.count == 0 ? -1 : 0;
    uint16_t code = len >= 2 ? (uint16_t)(bytes[0] << 8 | bytes[1]) : PP_WS_CLOSE_NO_STATUS;
    set_end(client, code, true, len > 2 ? (const char *)bytes + 2 : "", len > 2 ? len - 2 : 0);
    client->state = CLOSING;
    pp_loop_guard_start(client->loop, &client->timer, CLOSE_AFTER);
    return 0;
}

/* Returns what libwebsockets is to be told: -1 to close. Whole frames are gathered for one raw write; what the socket
 * does not take, libwebsockets copies. */
static int on_writeable(struct pp_client *client, struct lws *wsi)
{
    const unsigned char *bytes;
    while (client->queue.count > 0 && !lws_send_pipe_choked(wsi)) {
        size_t len = pp_outq_peek(&client->queue, client->loop->tx, sizeof client->loop->tx, &bytes);
        if (lws_write(wsi, (unsigned char *)bytes, len, LWS_WRITE_HTTP) < 0)
            return -1;
        client->loop->clock.wrote = true;
        pp_outq_consume(&client->queue, len);
    }
    if (client->queue.count > 0)
        lws_callback_on_writable(wsi);
    return 0;
}

/* --- libwebsockets' callbacks --- */

static int on_client_event(struct pp_client *client, struct lws *wsi, int reason, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
        client->reached = true;
        return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return client->state == CONNECTING ? pp_client_dial_headers(client, wsi, in, len) : -1;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        pp_client_dial_failed(client, wsi, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        if (client->state != CONNECTING)
            return -1;
        client->wsi = wsi;
        client->link->opened = true;
        on_open(client);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (client->state == OPEN)
            take_piece(client, wsi, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        client->last_heard = pp_loop_now(client->loop);
        if (client->state == OPEN && client->ops->pong != NULL)
            client->ops->pong(client->owner);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writeable(client, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_peer_close(client, in, len);
    case LWS_CALLBACK_CLIENT_CLOSED:
        on_gone(client);
        return 0;
    default:
        return 0;
    }
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct pp_client_link *link = lws_get_opaque_user_data(wsi);
    if (link == NULL) /* of a virtual host, not of a connection */
        return 0;
    if (reason == LWS_CALLBACK_WSI_DESTROY)
        pp_client_dial_forget(link, wsi);
    else if (link->client != NULL)
        return on_client_event(link->client, wsi, reason, in, len);
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "painda-client", .callback = on_lws, .rx_buffer_size = 16 * 1024, .tx_packet_size = 1024 * 1024},
    {.name = NULL},
};

/* --- life --- */

static char *copy(const char *text)
{
    return text ? pp_strndup(text, strlen(text)) : NULL;
}

/* What libwebsockets would cut off, or put on the wire as it is. */
static bool options_fit(const struct pp_client_options *options, char *error, size_t error_size)
{
    const char *wrong = NULL;
    if (options->unix_path == NULL && (options->host == NULL || options->host[0] == '\0'))
        wrong = "there is no host to connect to";
    else if (options->host != NULL && (strlen(options->host) > 100 || strpbrk(options->host, " \r\n\t")))
        wrong = "the host's name has more than 100 bytes, or spaces in it";
    else if (options->unix_path != NULL && (strlen(options->unix_path) > 100 || options->secure))
        wrong =
            options->secure ? "TLS over a Unix socket is not supported" : "a Unix socket's path has at most 100 bytes";
    else if (strlen(options->path) > PP_CLIENT_PATH_MAX || options->path[0] != '/')
        wrong = "path and query begin with / and have at most 2000 bytes";
    for (const char *at = options->path; wrong == NULL && *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            wrong = "path and query are ASCII without spaces: percent-encode anything else";
    if (wrong != NULL)
        snprintf(error, error_size, "%s", wrong);
    return wrong == NULL;
}

struct pp_client *pp_client_connect(struct pp_loop *loop, const struct pp_client_options *options,
                                    const struct pp_client_ops *ops, void *owner, char *error, size_t error_size)
{
    if (!options_fit(options, error, error_size))
        return NULL;
    struct lws_vhost *vhost = pp_client_vhost(loop, protocols, options->secure ? options->ca_file : NULL,
                                              options->insecure, error, error_size);
    if (vhost == NULL)
        return NULL;
    struct pp_client *client = pp_calloc(1, sizeof *client);
    client->loop = loop;
    client->ops = ops;
    client->owner = owner;
    client->vhost = vhost;
    client->options = *options;
    client->options.host = copy(options->host ? options->host : "localhost");
    client->options.unix_path = copy(options->unix_path);
    client->options.path = copy(options->path);
    client->options.headers = copy(options->headers);
    client->options.ca_file = NULL;
    client->task.run = run_task;
    client->timer.fire = on_timer;
    pp_loop_guard_start(loop, &client->timer, options->connect_timeout);
    pp_client_look_up(client);
    return client;
}

enum pp_client_sent pp_client_send(struct pp_client *client, struct pp_packet *packet, bool text)
{
    if (client->state != OPEN)
        return PP_CLIENT_CLOSED;
    if (client->queue.bytes + packet->len > client->options.max_queue)
        return PP_CLIENT_FULL;
    pp_ws_seal_masked(packet, text ? PP_WS_TEXT : PP_WS_BINARY);
    push(client, packet);
    return PP_CLIENT_QUEUED;
}

void pp_client_ping(struct pp_client *client)
{
    if (client->state == OPEN)
        push_owned(client, pp_ws_control_masked(PP_WS_PING, NULL, 0));
}

size_t pp_client_queued(const struct pp_client *client)
{
    return client->queue.bytes;
}

void pp_client_close(struct pp_client *client, uint16_t code, const char *reason)
{
    if (client->state == CLOSING || client->state == DEAD)
        return;
    set_end(client, code, false, reason, strnlen(reason, 123));
    if (client->state != OPEN) {
        die(client);
        return;
    }
    /* Not by lws_close_reason: libwebsockets, built for debugging as Debian's is, closes twice on libuv and loses the
     * frame. */
    push_owned(client, pp_ws_close_packet_masked(code, client->reason));
    client->state = CLOSING;
    pp_loop_guard_start(client->loop, &client->timer, CLOSE_AFTER);
}

void pp_client_drop(struct pp_client *client)
{
    client->told = true;
    if (client->state != DEAD)
        die(client);
}

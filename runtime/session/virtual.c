/* Virtual clients. One belongs to two: the session, until it was told of the end or forgets it, and the owner,
 * likewise. It is freed when both are gone. */
#include "session/virtual.h"

#include "base/buf.h"
#include "base/memory.h"
#include "net/handshake.h"
#include "net/loop_task.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

/* Packets on their way to one side, from `first` on. */
struct way {
    struct pp_packet **packets;
    uint32_t first, count, cap;
    size_t bytes;
};

struct pp_virtual {
    struct pp_loop *loop;
    struct pp_virtual_options options; /* admit is NULL once it was called, and then handshake and id are too */
    const struct pp_client_ops *ops;   /* NULL once the owner is gone */
    void *owner;
    struct pp_session *session; /* NULL before it is made, and once it is gone */
    struct pp_turn_task task;
    struct way in, out; /* to the session, to the owner */
    char *reason;       /* of the end; NULL where there is none */
    uint16_t code;
    bool closing, by_server;
    bool paused, resumed; /* `resumed` until the session was told */
    bool running;         /* in its task: who frees it is known */
};

static const struct pp_sink_ops sink;
static struct pp_buf scratch; /* what a packet that others share is copied to; its use is over before the next */

/* --- ways --- */

static bool has_room(const struct way *way, size_t len, const struct pp_conn_limits *limits)
{
    return way->count == 0 || way->bytes + len <= limits->max_queue;
}

static void push(struct way *way, struct pp_packet *packet)
{
    if (way->first + way->count == way->cap) {
        way->cap = way->cap ? way->cap * 2 : 4;
        way->packets = pp_realloc(way->packets, way->cap * sizeof(struct pp_packet *));
    }
    way->packets[way->first + way->count++] = pp_packet_ref(packet);
    way->bytes += packet->len;
}

static struct pp_packet *shift(struct way *way)
{
    struct pp_packet *packet = way->packets[way->first++];
    way->bytes -= packet->len;
    if (--way->count == 0) { /* nothing is kept while nothing is on its way: there may be thousands of clients */
        free(way->packets);
        *way = (struct way){0};
    }
    return packet;
}

static void clear(struct way *way)
{
    while (way->count > 0)
        pp_packet_unref(shift(way));
}

/* --- the end --- */

static void free_unused(struct pp_virtual *client)
{
    if (client->ops != NULL || client->session != NULL || client->running)
        return;
    pp_loop_forget_task(client->loop, &client->task);
    if (client->options.admit != NULL) {
        pp_handshake_delete(client->options.handshake);
        free((char *)client->options.id);
    }
    clear(&client->in);
    clear(&client->out);
    free(client->reason);
    free(client);
}

static void begin_close(struct pp_virtual *client, uint16_t code, const char *reason, bool by_server)
{
    if (client->closing)
        return;
    client->closing = true;
    client->by_server = by_server;
    client->code = code;
    client->reason = pp_strndup(reason, strlen(reason));
    clear(by_server ? &client->in : &client->out); /* who closes hears no more */
    pp_loop_at_next_turn(client->loop, &client->task);
}

static void tell_closed(struct pp_virtual *client)
{
    struct pp_session *session = client->session;
    const struct pp_client_ops *ops = client->ops;
    client->session = NULL;
    client->ops = NULL;
    if (session != NULL)
        pp_session_on_closed(session, client->code, client->reason, !client->by_server);
    if (ops != NULL)
        ops->closed(client->owner, client->code, client->reason, client->by_server);
}

/* --- a turn --- */

static void admit(struct pp_virtual *client)
{
    char error[256] = "";
    struct pp_virtual_options *options = &client->options;
    struct pp_line line = {.sink = &sink, .self = client};
    char *id = (char *)options->id;
    client->session = options->admit(options->server, line, id, options->handshake, error, sizeof error);
    options->admit = NULL;
    options->handshake = NULL;
    options->id = NULL;
    free(id);
    if (client->session == NULL)
        begin_close(client, PP_WS_CLOSE_ABNORMAL, error, true);
    else if (client->ops != NULL)
        client->ops->open(client->owner);
}

static void hand_to_session(struct pp_virtual *client)
{
    bool resumed = client->resumed;
    client->resumed = false;
    if (resumed && client->session != NULL && !client->closing)
        pp_session_on_resumed(client->session);
    for (uint32_t n = client->in.count; n > 0 && client->in.count > 0 && !client->paused; n--) {
        struct pp_packet *packet = shift(&client->in);
        if (client->session != NULL)
            pp_session_on_bytes(client->session, pp_packet_data(packet), packet->len, false);
        pp_packet_unref(packet);
    }
}

static void hand_to_owner(struct pp_virtual *client)
{
    for (uint32_t n = client->out.count; n > 0 && client->out.count > 0; n--) {
        struct pp_packet *packet = shift(&client->out);
        unsigned char *end = pp_packet_data(packet) + packet->len;
        enum pp_ws_opcode opcode = pp_packet_data(packet)[0] & 15;
        pp_buf_clear(&scratch);
        pp_buf_append(&scratch, end - packet->payload, packet->payload);
        if (client->ops != NULL && (opcode == PP_WS_TEXT || opcode == PP_WS_BINARY))
            client->ops->message(client->owner, (unsigned char *)scratch.data, scratch.len, opcode == PP_WS_TEXT);
        pp_packet_unref(packet);
    }
}

static void run_task(struct pp_turn_task *task)
{
    struct pp_virtual *client = (struct pp_virtual *)((char *)task - offsetof(struct pp_virtual, task));
    client->running = true;
    bool ends = client->closing; /* an end that begins in this turn is told in the next */
    if (client->options.admit != NULL && !ends)
        admit(client);
    hand_to_session(client);
    hand_to_owner(client);
    if (ends)
        tell_closed(client);
    else if (client->closing || client->out.count > 0 || (client->in.count > 0 && !client->paused))
        pp_loop_at_next_turn(client->loop, &client->task);
    client->running = false;
    free_unused(client);
}

/* --- the session's side --- */

static enum pp_conn_send sink_send(void *self, struct pp_packet *packet)
{
    struct pp_virtual *client = self;
    if (client->closing)
        return PP_CONN_CLOSED;
    if (!has_room(&client->out, packet->len, client->options.limits))
        return PP_CONN_FULL;
    push(&client->out, packet);
    pp_loop_at_next_turn(client->loop, &client->task);
    return PP_CONN_QUEUED;
}

static size_t sink_queued(void *self)
{
    return ((struct pp_virtual *)self)->out.bytes;
}

static bool sink_is_open(void *self)
{
    return !((struct pp_virtual *)self)->closing;
}

static void sink_close(void *self, uint16_t code, const char *reason, bool drop)
{
    struct pp_virtual *client = self;
    if (drop && !client->closing)
        clear(&client->out);
    begin_close(client, code, reason, true);
}

static void sink_pause(void *self, bool paused)
{
    struct pp_virtual *client = self;
    if (client->paused == paused)
        return;
    client->paused = paused;
    client->resumed = !paused;
    pp_loop_at_next_turn(client->loop, &client->task);
}

static void sink_forget(void *self)
{
    struct pp_virtual *client = self;
    client->session = NULL;
    begin_close(client, PP_WS_CLOSE_ABNORMAL, "", true);
    free_unused(client);
}

static const struct pp_sink_ops sink = {
    .send = sink_send,
    .queued = sink_queued,
    .is_open = sink_is_open,
    .close = sink_close,
    .pause = sink_pause,
    .forget = sink_forget,
    .steady = true,
};

/* --- the owner's side --- */

struct pp_virtual *pp_virtual_new(struct pp_loop *loop, const struct pp_virtual_options *options,
                                  const struct pp_client_ops *ops, void *owner)
{
    struct pp_virtual *client = pp_calloc(1, sizeof *client);
    client->loop = loop;
    client->options = *options;
    client->options.id = pp_strndup(options->id, strlen(options->id));
    client->ops = ops;
    client->owner = owner;
    client->task.run = run_task;
    pp_loop_at_next_turn(loop, &client->task);
    return client;
}

enum pp_client_sent pp_virtual_send(struct pp_virtual *client, struct pp_packet *packet)
{
    if (client->closing)
        return PP_CLIENT_CLOSED;
    if (packet->len > client->options.limits->max_payload) { /* as a connection does */
        begin_close(client, PP_WS_CLOSE_TOO_BIG, "message too big", true);
        return PP_CLIENT_CLOSED;
    }
    if (!has_room(&client->in, packet->len, client->options.limits))
        return PP_CLIENT_FULL;
    push(&client->in, packet);
    pp_loop_at_next_turn(client->loop, &client->task);
    return PP_CLIENT_QUEUED;
}

size_t pp_virtual_queued(const struct pp_virtual *client)
{
    return client->in.bytes;
}

void pp_virtual_close(struct pp_virtual *client, uint16_t code, const char *reason)
{
    begin_close(client, code, reason, false);
}

void pp_virtual_drop(struct pp_virtual *client)
{
    client->ops = NULL;
    begin_close(client, PP_WS_CLOSE_ABNORMAL, "", true);
    free_unused(client);
}

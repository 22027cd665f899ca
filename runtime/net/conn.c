/* A WebSocket connection: reading frames, the send queue, the closing handshake. */
#include "net/conn.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "net/conn_internal.h"
#include "net/loop_internal.h"
#include "net/outq.h"

#include <stdlib.h>

#define MAX_FRAGMENTS 1024 /* of one message: more is an attack on the parser, not a message */
#define MAX_PONGS 16384    /* packets waiting: an empty pong is 2 bytes on the wire, but far more in memory */
#define READ_STEP 4096     /* room asked for while the length of a frame isn't known yet */

enum state { OPEN, CLOSING, DEAD };

/* What holds once the owner was told of the end: its own limits may be gone, and data is only skipped. */
static const struct pp_conn_limits limits_after = {.max_payload = 1024 * 1024};

/* A fragmented message on its way in. */
struct assembly {
    struct pp_buf bytes;
    unsigned count;
    bool text;
};

struct pp_conn {
    /* What each packet sent looks at stands together. */
    uint8_t state; /* enum state */
    bool wants_write, batch, deaf;
    const struct pp_conn_limits *limits;
    struct pp_turn_task task; /* flush, tell of the end, free */
    struct pp_outq outq;

    uv_poll_t poll;
    struct pp_stream stream;
    struct pp_loop *loop;
    const struct pp_conn_ops *ops;
    void *owner;
    struct pp_buf rx;          /* the head of a frame that is not whole; empty most of the time */
    struct assembly *assembly; /* NULL outside of a fragmented message */
    struct pp_timer close_timer;
    uint64_t last_heard, bytes_in, bytes_out;
    uint16_t close_code;
    bool close_sent, close_received, by_peer, told;
    bool paused, resumed;                    /* `resumed` until the turn's end, when what has waited is taken */
    char *close_reason;                      /* NULL where there is none */
    struct pp_conn *next_closing, **closing; /* in the loop's list while CLOSING: nobody else knows of it then */
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void read_on(struct pp_conn *conn);

static void watch(struct pp_conn *conn)
{
    int wanted = conn->paused ? UV_DISCONNECT : UV_READABLE;
    uv_poll_start(&conn->poll, wanted | (conn->wants_write ? UV_WRITABLE : 0), on_poll);
}

static void at_turn_end(struct pp_conn *conn)
{
    pp_loop_at_turn_end(conn->loop, &conn->task);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct pp_conn *conn = handle->data;
    free(conn->close_reason);
    free(conn);
}

static void free_assembly(struct pp_conn *conn)
{
    if (conn->assembly == NULL)
        return;
    pp_buf_destroy(&conn->assembly->bytes);
    free(conn->assembly);
    conn->assembly = NULL;
}

/* Lets go of the socket at once. The struct lives on until the turn's end. */
static void die(struct pp_conn *conn)
{
    if (conn->state == DEAD)
        return;
    if (conn->state == OPEN)
        conn->close_code = PP_WS_CLOSE_ABNORMAL;
    if (conn->state == CLOSING) {
        *conn->closing = conn->next_closing;
        if (conn->next_closing != NULL)
            conn->next_closing->closing = conn->closing;
    }
    conn->state = DEAD;
    pp_loop_timer_stop(conn->loop, &conn->close_timer);
    uv_poll_stop(&conn->poll);
    at_turn_end(conn);
}

static void leave_open(struct pp_conn *conn, uint16_t code, const char *reason, size_t len, bool by_peer)
{
    conn->state = CLOSING;
    conn->close_code = code;
    conn->close_reason = len > 0 ? pp_strndup(reason, len) : NULL;
    conn->by_peer = by_peer;
    conn->closing = &conn->loop->closing;
    conn->next_closing = conn->loop->closing;
    if (conn->next_closing != NULL)
        conn->next_closing->closing = &conn->next_closing;
    conn->loop->closing = conn;
    pp_loop_guard_start(conn->loop, &conn->close_timer, conn->limits ? conn->limits->close_after : 1000);
    pp_conn_resume(conn);
    at_turn_end(conn);
}

static void push(struct pp_conn *conn, struct pp_packet *packet)
{
    pp_outq_push(&conn->outq, packet);
    at_turn_end(conn);
}

static void push_owned(struct pp_conn *conn, struct pp_packet *packet)
{
    push(conn, packet);
    pp_packet_unref(packet);
}

void pp_conn_close(struct pp_conn *conn, uint16_t code, const char *reason)
{
    if (conn->state != OPEN)
        return;
    push_owned(conn, pp_ws_close_packet(code, reason));
    conn->close_sent = true;
    leave_open(conn, code, reason, strlen(reason), false);
}

void pp_conn_abort(struct pp_conn *conn, uint16_t code, const char *reason)
{
    if (conn->state != OPEN)
        return;
    pp_outq_drop_unbegun(&conn->outq); /* what has begun must be finished, or the close frame could not be read */
    pp_conn_close(conn, code, reason);
}

void pp_conn_drop(struct pp_conn *conn)
{
    conn->told = true;
    die(conn);
}

/* --- out --- */

/* False where the connection died of it. */
static bool flush(struct pp_conn *conn)
{
    const unsigned char *bytes;
    size_t len;
    bool blocked = false;
    if (conn->batch)
        pp_outq_join(&conn->outq);
    while (!blocked && (len = pp_outq_peek(&conn->outq, conn->loop->tx, sizeof conn->loop->tx, &bytes)) > 0) {
        ssize_t n = pp_stream_write(&conn->stream, bytes, len);
        if (n == PP_STREAM_CLOSED) {
            die(conn);
            return false;
        }
        if (n > 0) {
            conn->bytes_out += (uint64_t)n;
            conn->loop->clock.wrote = true;
            pp_outq_consume(&conn->outq, (size_t)n);
        } else if (n < 0 && conn->stream.ssl != NULL) {
            pp_outq_promise(&conn->outq, len);
        }
        /* TLS takes a record at a time; a short write to a plain socket means that it is full. */
        blocked = n < 0 || (conn->stream.ssl == NULL && (size_t)n < len);
    }
    if (blocked != conn->wants_write) {
        conn->wants_write = blocked;
        watch(conn);
    }
    return true;
}

static void tell_closed(struct pp_conn *conn)
{
    if (conn->told)
        return;
    conn->told = true;
    if (conn->ops != NULL)
        conn->ops->closed(conn->owner, conn->close_code, conn->close_reason ? conn->close_reason : "", conn->by_peer);
    conn->limits = &limits_after;
    free_assembly(conn);
}

static void run_task(struct pp_turn_task *task)
{
    struct pp_conn *conn = (struct pp_conn *)((char *)task - offsetof(struct pp_conn, task));
    if (conn->resumed)
        read_on(conn);
    if (conn->state != DEAD && flush(conn) && conn->state == CLOSING && conn->outq.count == 0 && conn->close_received)
        die(conn);
    if (conn->state != OPEN)
        tell_closed(conn);
    if (conn->state != DEAD || uv_is_closing((uv_handle_t *)&conn->poll))
        return;
    free_assembly(conn);
    pp_buf_destroy(&conn->rx);
    pp_outq_destroy(&conn->outq);
    conn->task.queued = true; /* nothing queues it again */
    uv_close((uv_handle_t *)&conn->poll, on_poll_closed);
    pp_stream_close(&conn->stream);
}

/* A message larger than the whole queue may go where nothing else waits: it would never fit otherwise. */
static bool has_room(const struct pp_conn *conn, const struct pp_packet *packet)
{
    return conn->outq.count == 0 || conn->outq.bytes + packet->len <= conn->limits->max_queue;
}

enum pp_conn_send pp_conn_send(struct pp_conn *conn, struct pp_packet *packet)
{
    if (conn->state != OPEN)
        return PP_CONN_CLOSED;
    /* The socket may have room: what waits for the turn's end is not yet a slow peer. */
    if (!has_room(conn, packet) && (conn->wants_write || !flush(conn) || !has_room(conn, packet)))
        return conn->state == OPEN ? PP_CONN_FULL : PP_CONN_CLOSED;
    push(conn, packet);
    return PP_CONN_QUEUED;
}

/* --- in --- */

static void fail(struct pp_conn *conn, uint16_t code, const char *reason)
{
    pp_conn_close(conn, code, reason);
    conn->deaf = true;
}

static void deliver(struct pp_conn *conn, unsigned char *bytes, size_t len, bool text)
{
    if (text && !pp_utf8_valid(bytes, len))
        fail(conn, PP_WS_CLOSE_BAD_UTF8, "invalid UTF-8");
    else if (conn->state == OPEN)
        conn->ops->message(conn->owner, bytes, len, text);
}

static void on_fragment(struct pp_conn *conn, const struct pp_ws_frame *frame)
{
    if (conn->assembly == NULL) {
        conn->assembly = pp_calloc(1, sizeof *conn->assembly);
        conn->assembly->text = frame->opcode == PP_WS_TEXT;
    }
    struct assembly *assembly = conn->assembly;
    if (++assembly->count > MAX_FRAGMENTS) {
        fail(conn, PP_WS_CLOSE_TOO_BIG, "too many fragments");
        return;
    }
    pp_buf_append(&assembly->bytes, frame->payload, frame->len);
    if (!frame->final)
        return;
    conn->assembly = NULL; /* the handler may close the connection: the bytes are ours until it returns */
    deliver(conn, (unsigned char *)assembly->bytes.data, assembly->bytes.len, assembly->text);
    pp_buf_destroy(&assembly->bytes);
    free(assembly);
}

static void on_data(struct pp_conn *conn, const struct pp_ws_frame *frame)
{
    bool continues = frame->opcode == PP_WS_CONTINUATION;
    if (continues != (conn->assembly != NULL))
        fail(conn, PP_WS_CLOSE_PROTOCOL, continues ? "nothing to continue" : "a fragmented message is not finished");
    else if (continues || !frame->final)
        on_fragment(conn, frame);
    else
        deliver(conn, frame->payload, frame->len, frame->opcode == PP_WS_TEXT);
}

static void on_close_frame(struct pp_conn *conn, const struct pp_ws_frame *frame)
{
    conn->close_received = true;
    conn->deaf = true;
    if (conn->state != OPEN) {
        at_turn_end(conn);
        return;
    }
    const char *reason = (const char *)frame->payload + 2;
    uint16_t code = PP_WS_CLOSE_NO_STATUS;
    if (frame->len >= 2)
        code = (uint16_t)(frame->payload[0] << 8 | frame->payload[1]);
    size_t len = frame->len >= 2 ? frame->len - 2 : 0;
    if (frame->len == 1 || (frame->len >= 2 && !pp_ws_close_code_valid(code)) || !pp_utf8_valid(reason, len)) {
        pp_conn_close(conn, len && pp_ws_close_code_valid(code) ? PP_WS_CLOSE_BAD_UTF8 : PP_WS_CLOSE_PROTOCOL,
                      "invalid close frame");
        return;
    }
    push_owned(conn, frame->len >= 2 ? pp_ws_close_packet(code, "") : pp_ws_control(PP_WS_CLOSE, NULL, 0));
    conn->close_sent = true;
    leave_open(conn, code, reason, len, true);
}

static void on_frame(struct pp_conn *conn, const struct pp_ws_frame *frame)
{
    switch (frame->opcode) {
    case PP_WS_CLOSE:
        on_close_frame(conn, frame);
        break;
    case PP_WS_PING:
        if (conn->state == OPEN && conn->outq.bytes <= conn->limits->max_queue && conn->outq.count < MAX_PONGS)
            push_owned(conn, pp_ws_control(PP_WS_PONG, frame->payload, frame->len));
        break;
    case PP_WS_PONG:
        if (conn->state == OPEN && conn->ops->pong != NULL)
            conn->ops->pong(conn->owner);
        break;
    default:
        if (conn->state == OPEN)
            on_data(conn, frame);
    }
}

/* What a frame may still hold: fragments count together. The limit may have been lowered since they came. */
static size_t payload_room(const struct pp_conn *conn)
{
    size_t held = conn->assembly ? conn->assembly->bytes.len : 0;
    return held < conn->limits->max_payload ? conn->limits->max_payload - held : 0;
}

/* Handles the whole frames in `bytes`, up to one that pauses the connection; returns how many bytes they took. *needed
 * is the length of the frame after them, where its header is whole. */
static size_t take_frames(struct pp_conn *conn, unsigned char *bytes, size_t len, size_t *needed)
{
    size_t at = 0;
    *needed = 0;
    while (!conn->deaf && conn->state != DEAD) {
        struct pp_ws_frame frame;
        uint16_t code;
        const char *reason;
        ptrdiff_t n = pp_ws_read(bytes + at, len - at, payload_room(conn), &frame, needed, &code, &reason);
        if (n == PP_WS_MORE)
            return at;
        if (n == PP_WS_ERROR) {
            fail(conn, code, reason);
            break;
        }
        on_frame(conn, &frame);
        at += (size_t)n;
        if (conn->paused)
            return at;
    }
    return len;
}

/* Room grows with what has come, not with what a header promises. */
static size_t read_room(const struct pp_conn *conn, size_t needed)
{
    size_t missing = needed > conn->rx.len ? needed - conn->rx.len : READ_STEP;
    size_t most = conn->rx.len > PP_LOOP_BUFFER ? conn->rx.len : PP_LOOP_BUFFER;
    return missing < most ? missing : most;
}

/* After take_frames took `taken` bytes of the buffer: what is left waits there for the rest of its frame. */
static void keep_rest(struct pp_conn *conn, size_t taken, size_t needed)
{
    struct pp_buf *rx = &conn->rx;
    rx->len -= taken;
    if (rx->len == 0) {
        pp_buf_destroy(rx);
        return;
    }
    memmove(rx->data, rx->data + taken, rx->len);
    pp_buf_reserve(rx, read_room(conn, needed));
}

static void take_kept(struct pp_conn *conn)
{
    size_t needed;
    size_t taken = take_frames(conn, (unsigned char *)conn->rx.data, conn->rx.len, &needed);
    keep_rest(conn, taken, needed);
}

static void received(struct pp_conn *conn, size_t len)
{
    conn->bytes_in += len;
    conn->last_heard = pp_loop_now(conn->loop);
}

/* Reads behind the head of a frame that came before. */
static bool read_more(struct pp_conn *conn)
{
    struct pp_buf *rx = &conn->rx;
    ssize_t n = pp_stream_read(&conn->stream, rx->data + rx->len, rx->cap - rx->len);
    if (n == PP_STREAM_CLOSED)
        die(conn);
    if (n < 0)
        return false;
    received(conn, (size_t)n);
    rx->len += (size_t)n;
    take_kept(conn);
    return true;
}

/* Reads into the loop's buffer: most of the time it holds whole frames. */
static bool read_fresh(struct pp_conn *conn)
{
    unsigned char *bytes = conn->loop->rx;
    ssize_t n = pp_stream_read(&conn->stream, bytes, sizeof conn->loop->rx);
    if (n == PP_STREAM_CLOSED)
        die(conn);
    if (n < 0)
        return false;
    received(conn, (size_t)n);
    if (conn->deaf)
        return true;
    size_t needed;
    size_t taken = take_frames(conn, bytes, (size_t)n, &needed);
    if (taken < (size_t)n) {
        pp_buf_append(&conn->rx, bytes + taken, (size_t)n - taken);
        pp_buf_reserve(&conn->rx, read_room(conn, needed));
    }
    return true;
}

/* Reads once. False where there was nothing, or the connection is gone. */
static bool read_once(struct pp_conn *conn)
{
    return conn->rx.len > 0 ? read_more(conn) : read_fresh(conn);
}

/* As long as TLS has more that poll would not tell of. */
static void read_buffered(struct pp_conn *conn, bool more)
{
    while (more && !conn->paused && conn->state != DEAD && pp_stream_has_buffered(&conn->stream))
        more = read_once(conn);
}

static void read_on(struct pp_conn *conn)
{
    conn->resumed = false;
    if (conn->state == OPEN && conn->ops->resumed != NULL)
        conn->ops->resumed(conn->owner);
    if (!conn->paused && conn->state != DEAD && conn->rx.len > 0)
        take_kept(conn);
    read_buffered(conn, true);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pp_conn *conn = poll->data;
    if (status < 0 || (events & UV_DISCONNECT && conn->paused)) {
        die(conn);
        return;
    }
    if (events & UV_WRITABLE)
        at_turn_end(conn);
    if (conn->paused || conn->resumed || (!(events & UV_READABLE) && !pp_stream_has_buffered(&conn->stream)))
        return;
    read_buffered(conn, read_once(conn));
}

static void on_close_timeout(struct pp_timer *timer)
{
    die((struct pp_conn *)((char *)timer - offsetof(struct pp_conn, close_timer)));
}

/* --- life --- */

struct pp_conn *pp_conn_new(struct pp_loop *loop, struct pp_stream stream)
{
    struct pp_conn *conn = pp_calloc(1, sizeof *conn);
    conn->loop = loop;
    conn->stream = stream;
    conn->task.run = run_task;
    conn->close_timer.fire = on_close_timeout;
    conn->last_heard = pp_loop_now(loop);
    conn->poll.data = conn;
    if (uv_poll_init(&loop->uv, &conn->poll, stream.fd) != 0) {
        pp_stream_close(&conn->stream);
        free(conn);
        return NULL;
    }
    /* With TLS the first message may already have been read off the socket: then poll would not wake for it. */
    conn->wants_write = pp_stream_has_buffered(&stream);
    watch(conn);
    return conn;
}

void pp_conn_set_owner(struct pp_conn *conn, const struct pp_conn_ops *ops, const struct pp_conn_limits *limits,
                       void *owner)
{
    conn->ops = ops;
    conn->limits = limits;
    conn->owner = owner;
}

void pp_conn_pause(struct pp_conn *conn)
{
    if (conn->state != OPEN || conn->paused)
        return;
    conn->paused = true;
    watch(conn);
}

void pp_conn_resume(struct pp_conn *conn)
{
    if (!conn->paused || conn->state == DEAD)
        return;
    conn->paused = false;
    conn->resumed = true;
    watch(conn);
    at_turn_end(conn);
}

bool pp_conn_is_paused(const struct pp_conn *conn)
{
    return conn->paused;
}

size_t pp_conn_closing(const struct pp_loop *loop, bool unwritten)
{
    size_t count = 0;
    for (const struct pp_conn *conn = loop->closing; conn != NULL; conn = conn->next_closing)
        count += !unwritten || conn->outq.count > 0;
    return count;
}

void pp_conn_drop_closing(struct pp_loop *loop)
{
    while (loop->closing != NULL)
        pp_conn_drop(loop->closing);
}

void pp_conn_set_batch(struct pp_conn *conn)
{
    conn->batch = true;
}

size_t pp_conn_queued(const struct pp_conn *conn)
{
    return conn->outq.bytes;
}

bool pp_conn_is_open(const struct pp_conn *conn)
{
    return conn->state == OPEN;
}

uint64_t pp_conn_last_heard(const struct pp_conn *conn)
{
    return conn->last_heard;
}

uint64_t pp_conn_bytes_in(const struct pp_conn *conn)
{
    return conn->bytes_in;
}

uint64_t pp_conn_bytes_out(const struct pp_conn *conn)
{
    return conn->bytes_out;
}

/* Sessions: what a WebSocket message must pass before it is a message of the application. */
#include "session/session.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/handshake.h"
#include "net/loop.h"
#include "value/json_writer.h"
#include "wire/compress.h"
#include "wire/envelope.h"
#include "wire/frame.h"
#include "wire/schema.h"

#include <stdlib.h>
#include <string.h>

#define MAX_MALFORMED 10

struct pp_session {
    struct pp_conn *conn;
    struct pp_loop *loop;
    const struct pp_session_config *config;
    struct pp_session_stats *stats;
    const struct pp_session_ops *ops;
    void *owner;
    struct pp_handshake *handshake;
    struct pp_timer heartbeat;
    struct pp_rate rate;
    const char *reason; /* why this side closed, NULL where it did not */
    uint64_t pinged;    /* when a ping was sent that nothing has been heard since; 0: none */
    uint8_t malformed;
    bool text;  /* the peer's last message was text, so it is answered in text */
    bool batch; /* it takes several frames in one message */
    char id[PP_UUID_SIZE];
};

/* --- out --- */

static void too_slow(struct pp_session *session)
{
    session->stats->dropped++;
    if (!session->config->drop_when_full && pp_conn_is_open(session->conn)) {
        session->reason = "too slow";
        pp_conn_abort(session->conn, PP_CLOSE_TOO_SLOW, "too slow");
    }
    session->ops->backpressure(session->owner);
}

static bool queue(struct pp_session *session, struct pp_packet *packet)
{
    enum pp_conn_send sent = pp_conn_send(session->conn, packet);
    if (sent == PP_CONN_QUEUED)
        session->stats->messages_out++;
    else if (sent == PP_CONN_FULL)
        too_slow(session);
    return sent != PP_CONN_CLOSED;
}

bool pp_session_send(struct pp_session *session, struct pp_outgoing *out, bool is_volatile)
{
    if (!pp_conn_is_open(session->conn))
        return false;
    if (is_volatile && pp_conn_queued(session->conn) > session->config->volatile_above) {
        session->stats->dropped++;
        return true;
    }
    struct pp_packet *packet = pp_outgoing_packet(out, session->text);
    return packet == NULL || queue(session, packet);
}

bool pp_session_send_raw(struct pp_session *session, const void *bytes, size_t len, bool text)
{
    struct pp_packet *packet = pp_packet_new(len);
    memcpy(pp_packet_data(packet), bytes, len);
    pp_ws_seal(packet, text ? PP_WS_TEXT : PP_WS_BINARY);
    packet->opcode = PP_WS_CONTINUATION; /* it may be no frame of the protocol: not to be joined with those that are */
    bool queued = queue(session, packet);
    pp_packet_unref(packet);
    return queued;
}

void pp_session_send_error(struct pp_session *session, const char *code, const char *message)
{
    struct pp_buf text = {0};
    pp_envelope_begin(&text, "__pp_error", 10);
    pp_buf_append_string(&text, "{\"code\":");
    bool valid = pp_json_write_string(&text, code, strlen(code));
    pp_buf_append_string(&text, ",\"message\":");
    valid = valid && pp_json_write_string(&text, message, strlen(message));
    pp_buf_append_char(&text, '}');
    pp_envelope_end(&text, NULL, 0, 0);
    struct pp_outgoing out = {.encoding = &session->config->encoding, .envelope = text.data, .envelope_len = text.len};
    if (valid)
        pp_session_send(session, &out, false);
    pp_outgoing_destroy(&out);
    pp_buf_destroy(&text);
}

void pp_session_close(struct pp_session *session, uint16_t code, const char *text, const char *reason)
{
    if (!pp_conn_is_open(session->conn))
        return;
    session->reason = reason;
    pp_conn_close(session->conn, code, text);
}

/* --- in --- */

void pp_session_malformed(struct pp_session *session, const char *code, const char *why)
{
    session->stats->malformed++;
    pp_session_send_error(session, code, why);
    if (++session->malformed >= MAX_MALFORMED)
        pp_session_close(session, PP_CLOSE_MALFORMED, "too many malformed frames", "forced server disconnect");
}

static bool is_control(const struct pp_message *message)
{
    return message->type_len >= 5 && memcmp(message->type, "__pp_", 5) == 0;
}

static void deliver(struct pp_session *session, struct pp_message *message)
{
    message->control = is_control(message);
    session->stats->messages_in++;
    session->ops->message(session->owner, message);
}

static struct pp_message message_of(const struct pp_envelope *envelope)
{
    return (struct pp_message){
        .type = envelope->type,
        .type_len = envelope->type_len,
        .payload = envelope->payload,
        .payload_len = envelope->payload_len,
        .ns = envelope->ns_len ? envelope->ns : NULL,
        .ns_len = envelope->ns_len,
        .ack_id = envelope->ack_id,
    };
}

/* True where the message was handled without a scan of its own. */
static bool deliver_unchecked(struct pp_session *session, const char *text, size_t len)
{
    struct pp_envelope envelope;
    if (!pp_envelope_peek(text, len, &envelope))
        return false;
    struct pp_message message = message_of(&envelope);
    return !is_control(&message) && session->ops->unchecked != NULL &&
           session->ops->unchecked(session->owner, &message);
}

static void on_envelope(struct pp_session *session, char *text, size_t len)
{
    struct pp_envelope envelope;
    if (deliver_unchecked(session, text, len)) {
        session->stats->messages_in++;
        return;
    }
    if (pp_envelope_scan(text, len, &envelope) != 0) {
        pp_session_malformed(session, "DECODE_ERROR", envelope.error);
        return;
    }
    struct pp_message message = message_of(&envelope);
    deliver(session, &message);
}

static void on_schema(struct pp_session *session, const struct pp_frame *frame, const char *payload, size_t len)
{
    const struct pp_schema *schema = pp_registry_by_id(session->config->registry, frame->type_id);
    if (schema == NULL) {
        pp_session_malformed(session, "SCHEMA_ERROR", "unknown schema id");
        return;
    }
    struct pp_message message = {
        .type = schema->name,
        .type_len = schema->name_len,
        .payload = payload,
        .payload_len = len,
        .schema = schema,
        .schema_version = frame->schema_version,
    };
    deliver(session, &message);
}

static void on_payload(struct pp_session *session, const struct pp_frame *frame, char *payload, size_t len)
{
    if (frame->type_id == 0)
        on_envelope(session, payload, len);
    else
        on_schema(session, frame, payload, len);
}

static void on_compressed(struct pp_session *session, const struct pp_frame *frame)
{
    struct pp_buf inflated = {0};
    switch (pp_inflate(session->config->inflater, frame->payload, frame->payload_len, session->config->max_decompressed,
                       &inflated)) {
    case PP_INFLATE_OK:
        on_payload(session, frame, inflated.data, inflated.len);
        break;
    case PP_INFLATE_CORRUPT:
        pp_session_malformed(session, "DECODE_ERROR", "the compressed payload is not valid zlib data");
        break;
    case PP_INFLATE_TOO_LARGE:
        pp_session_malformed(session, "DECODE_ERROR", "the payload inflates to more than maxDecompressedSize");
        break;
    }
    pp_buf_destroy(&inflated);
}

static void on_frame(struct pp_session *session, const struct pp_frame *frame, char *payload)
{
    if (frame->flags & PP_FLAG_COMPRESSED)
        on_compressed(session, frame);
    else
        on_payload(session, frame, payload, frame->payload_len);
}

static void on_bad_frame(struct pp_session *session, const struct pp_frame *frame)
{
    session->stats->malformed++;
    pp_session_send_error(session, "DECODE_ERROR", pp_frame_fault_text(frame->fault));
    if (frame->fault == PP_FRAME_BAD_VERSION)
        pp_session_close(session, PP_CLOSE_VERSION, "Invalid Protocol Version", "Invalid Protocol Version");
    else
        pp_session_close(session, PP_CLOSE_MALFORMED, "not a Painda frame", "forced server disconnect");
}

/* True where the rate limit lets one more message in. */
static bool within_rate(struct pp_session *session)
{
    const struct pp_rate_limit *limit = &session->config->rate;
    if ((limit->per_second | limit->per_minute) == 0 ||
        pp_rate_allow(&session->rate, limit, pp_loop_now(session->loop)))
        return true;
    session->stats->limited++;
    if (pp_rate_tell_once(&session->rate)) {
        pp_session_send_error(session, "RATE_LIMIT_ERROR", "too many messages");
        session->ops->limited(session->owner);
    }
    return false;
}

static void on_binary(struct pp_session *session, unsigned char *bytes, size_t len)
{
    do {
        struct pp_frame frame;
        ptrdiff_t n = pp_frame_decode(bytes, len, &frame);
        if (n == -1) {
            on_bad_frame(session, &frame);
            return;
        }
        if (n == -2) {
            pp_session_malformed(session, "DECODE_ERROR", "truncated frame");
            return;
        }
        if ((size_t)n < len && !session->batch) {
            pp_session_malformed(session, "DECODE_ERROR", "bytes after the frame, and batch was not agreed on");
            return;
        }
        if (within_rate(session))
            on_frame(session, &frame, (char *)bytes + (frame.payload - bytes));
        bytes += n;
        len -= (size_t)n;
    } while (len > 0 && pp_conn_is_open(session->conn));
}

static void on_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    struct pp_session *session = owner;
    session->text = text;
    if (!text)
        on_binary(session, bytes, len);
    else if (within_rate(session))
        on_envelope(session, (char *)bytes, len);
}

/* --- heartbeat --- */

static void ping(struct pp_session *session)
{
    struct pp_packet *packet = pp_ws_control(PP_WS_PING, NULL, 0);
    pp_conn_send(session->conn, packet);
    pp_packet_unref(packet);
}

/* Anything heard since the last look is as good as a pong; only silence is asked about. */
static void on_heartbeat(struct pp_timer *timer)
{
    struct pp_session *session = (struct pp_session *)((char *)timer - offsetof(struct pp_session, heartbeat));
    const struct pp_session_config *config = session->config;
    uint64_t now = pp_loop_now(session->loop), heard = pp_conn_last_heard(session->conn);
    if (session->pinged != 0 && heard < session->pinged) {
        uint64_t waited = now - session->pinged;
        if (waited < config->heartbeat_timeout) {
            pp_loop_timer_start(session->loop, timer, config->heartbeat_timeout - waited);
            return;
        }
        session->reason = "Ping timeout";
        pp_conn_abort(session->conn, PP_WS_CLOSE_GOING_AWAY, "Ping timeout");
        return;
    }
    session->pinged = 0;
    uint64_t silent = now - heard;
    if (silent < config->heartbeat_interval) {
        pp_loop_timer_start(session->loop, timer, config->heartbeat_interval - silent);
        return;
    }
    ping(session);
    session->pinged = now;
    /* Whichever comes first: the pong's last moment, or the next ping of those that answered. */
    bool soon = config->heartbeat_timeout < config->heartbeat_interval;
    pp_loop_timer_start(session->loop, timer, soon ? config->heartbeat_timeout : config->heartbeat_interval);
}

/* --- life --- */

static const char *disconnect_reason(const struct pp_session *session, bool by_peer)
{
    if (session->reason != NULL)
        return session->reason;
    return by_peer ? "client disconnect" : "transport close";
}

static void release(struct pp_session *session)
{
    pp_loop_timer_stop(session->loop, &session->heartbeat);
    session->stats->bytes_in += pp_conn_bytes_in(session->conn);
    session->stats->bytes_out += pp_conn_bytes_out(session->conn);
    pp_handshake_delete(session->handshake);
    session->handshake = NULL;
}

static void on_closed(void *owner, uint16_t code, const char *text, bool by_peer)
{
    struct pp_session *session = owner;
    (void)text;
    session->ops->closed(session->owner, disconnect_reason(session, by_peer), code);
    release(session);
    free(session);
}

void pp_session_delete(struct pp_session *session)
{
    release(session);
    pp_conn_drop(session->conn);
    free(session);
}

static const struct pp_conn_ops conn_ops = {.message = on_message, .closed = on_closed};

/* Is `name` one of the capabilities that the client offers (?pp_caps=batch,state)? */
static bool offers(const struct pp_handshake *handshake, const char *name)
{
    char caps[256], *rest = caps;
    if (!pp_handshake_query(handshake, "pp_caps", caps, sizeof caps))
        return false;
    for (const char *cap; (cap = strsep(&rest, ",")) != NULL;)
        if (strcmp(cap, name) == 0)
            return true;
    return false;
}

struct pp_session *pp_session_new(struct pp_loop *loop, const struct pp_session_config *config,
                                  struct pp_session_stats *stats, const struct pp_session_ops *ops, void *owner,
                                  struct pp_conn *conn, struct pp_handshake *handshake)
{
    struct pp_session *session = pp_calloc(1, sizeof *session);
    session->conn = conn;
    session->loop = loop;
    session->config = config;
    session->stats = stats;
    session->ops = ops;
    session->owner = owner;
    session->handshake = handshake;
    session->batch = offers(handshake, "batch");
    session->heartbeat.fire = on_heartbeat;
    pp_uuid(session->id);
    pp_conn_set_owner(conn, &conn_ops, &config->conn, session);
    if (session->batch)
        pp_conn_set_batch(conn);
    if (config->heartbeat_interval > 0)
        pp_loop_timer_start(loop, &session->heartbeat, config->heartbeat_interval);
    return session;
}

const char *pp_session_id(const struct pp_session *session)
{
    return session->id;
}

const struct pp_handshake *pp_session_handshake(const struct pp_session *session)
{
    return session->handshake;
}

void *pp_session_owner(const struct pp_session *session)
{
    return session->owner;
}

bool pp_session_speaks_text(const struct pp_session *session)
{
    return session->text;
}

size_t pp_session_queued(const struct pp_session *session)
{
    return pp_conn_queued(session->conn);
}

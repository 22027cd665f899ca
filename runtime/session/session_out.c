/* Messages to the client: where packets go. */
#include "session/session_internal.h"

#include "value/json_writer.h"
#include "wire/compress.h"
#include "wire/envelope.h"
#include "wire/frame.h"

#include <string.h>

/* The queue is full. True where the packet is left out for that; else the line is lost of it. */
static bool leave_out(struct pp_session *session)
{
    bool drop = session->config->drop_when_full;
    session->stats->dropped++;
    if (!drop && pp_line_is_open(&session->line)) {
        session->reason = "too slow";
        pp_line_abort(&session->line, PP_CLOSE_TOO_SLOW, "too slow");
    }
    session->ops->backpressure(session->owner);
    return drop;
}

/* The one place where packets leave for the client, or wait for its return (`counted`: a message of the application,
 * which its client counts too). False where there is neither. */
static bool give(struct pp_session *session, struct pp_packet *packet, bool counted)
{
    enum pp_conn_send sent = session->live ? pp_line_send(&session->line, packet) : PP_CONN_CLOSED;
    if (sent == PP_CONN_QUEUED)
        session->stats->messages_out++;
    else if (sent == PP_CONN_FULL && leave_out(session))
        return true;
    if (!counted || session->trail == NULL || session->over)
        return sent != PP_CONN_CLOSED;
    pp_trail_add(session->trail, packet);
    return true;
}

/* What need not arrive: it goes at once, and with little before it, or not at all. */
static bool give_volatile(struct pp_session *session, struct pp_packet *packet, bool counted)
{
    if (!session->live || pp_line_queued(&session->line) > session->config->volatile_above ||
        pp_line_send(&session->line, packet) != PP_CONN_QUEUED) {
        session->stats->dropped++;
        return true;
    }
    session->stats->messages_out++;
    if (counted && session->trail != NULL && !session->over)
        pp_trail_add(session->trail, packet);
    return true;
}

/* What its client does not count goes to whoever is on the line, replay or not. */
static bool give_control(struct pp_session *session, struct pp_packet *packet)
{
    if (session->live)
        return give(session, packet, false);
    return pp_line_exists(&session->line) && pp_line_send(&session->line, packet) == PP_CONN_QUEUED;
}

static bool is_gone(const struct pp_session *session)
{
    if (session->trail != NULL)
        return session->over;
    return !pp_line_is_open(&session->line);
}

void pp_session_foresee(const struct pp_session *session)
{
    if (session->line.conn != NULL) {
        __builtin_prefetch(session->line.conn);
        __builtin_prefetch((const char *)session->line.conn + 64); /* of which sending needs two lines of the cache */
    }
    if (session->trail != NULL)
        __builtin_prefetch(session->trail);
}

bool pp_session_send(struct pp_session *session, struct pp_outgoing *out, bool is_volatile)
{
    if (is_gone(session))
        return false;
    struct pp_packet *packet = pp_outgoing_packet(out, session->text && !out->only_framed);
    if (packet == NULL)
        return true;
    if (is_volatile)
        return give_volatile(session, packet, !out->control);
    return out->control ? give_control(session, packet) : give(session, packet, true);
}

void pp_session_send_control(struct pp_session *session, const char *type, const struct pp_buf *payload)
{
    struct pp_buf text = {0};
    pp_envelope_begin(&text, type, strlen(type));
    pp_buf_append(&text, payload->data, payload->len);
    pp_envelope_end(&text, NULL, 0, 0);
    struct pp_outgoing out = {
        .encoding = &session->config->encoding, .envelope = text.data, .envelope_len = text.len, .control = true};
    pp_session_send(session, &out, false);
    pp_outgoing_destroy(&out);
    pp_buf_destroy(&text);
}

void pp_session_send_error(struct pp_session *session, const char *code, const char *message)
{
    struct pp_buf payload = {0};
    pp_buf_append_string(&payload, "{\"code\":");
    bool valid = pp_json_write_string(&payload, code, strlen(code));
    pp_buf_append_string(&payload, ",\"message\":");
    valid = valid && pp_json_write_string(&payload, message, strlen(message));
    pp_buf_append_char(&payload, '}');
    if (valid)
        pp_session_send_control(session, "__pp_error", &payload);
    pp_buf_destroy(&payload);
}

void pp_session_ping(struct pp_session *session)
{
    struct pp_packet *packet = pp_ws_control(PP_WS_PING, NULL, 0);
    pp_line_send(&session->line, packet);
    pp_packet_unref(packet);
}

/* --- bytes of the application's own making --- */

static struct pp_packet *sealed(const void *bytes, size_t len, bool text)
{
    struct pp_packet *packet = pp_packet_new(len);
    memcpy(pp_packet_data(packet), bytes, len);
    pp_ws_seal(packet, text ? PP_WS_TEXT : PP_WS_BINARY);
    return packet;
}

/* Will the receiver of this envelope count it? Looks at a copy, since the scan changes what it reads. */
static bool is_counted(struct pp_session *session, const void *bytes, size_t len, bool compressed)
{
    struct pp_buf copy = {0};
    struct pp_envelope envelope;
    if (!compressed)
        pp_buf_append(&copy, bytes, len);
    else if (pp_inflate(session->config->inflater, bytes, len, session->config->max_decompressed, &copy) !=
             PP_INFLATE_OK)
        pp_buf_clear(&copy);
    bool counted = pp_envelope_scan(copy.data, copy.len, &envelope) == 0 &&
                   !(envelope.type_len >= 5 && memcmp(envelope.type, "__pp_", 5) == 0);
    pp_buf_destroy(&copy);
    return counted;
}

static void keep(struct pp_session *session, const void *bytes, size_t len, bool text)
{
    struct pp_packet *packet = sealed(bytes, len, text);
    pp_trail_add(session->trail, packet);
    pp_packet_unref(packet);
}

/* Keeps the messages of the protocol that the bytes hold. */
static void keep_messages(struct pp_session *session, const unsigned char *bytes, size_t len, bool text)
{
    struct pp_frame frame;
    if (text && is_counted(session, bytes, len, false))
        keep(session, bytes, len, true);
    for (ptrdiff_t n; !text && len > 0 && (n = pp_frame_decode(bytes, len, &frame)) > 0; bytes += n, len -= (size_t)n)
        if (frame.type_id != 0
                ? frame.type_id < PP_TYPE_PROTOCOL
                : is_counted(session, frame.payload, frame.payload_len, frame.flags & PP_FLAG_COMPRESSED))
            keep(session, bytes, (size_t)n, false);
}

bool pp_session_send_raw(struct pp_session *session, const void *bytes, size_t len, bool text)
{
    if (is_gone(session))
        return false;
    struct pp_packet *packet = sealed(bytes, len, text);
    packet->opcode = PP_WS_CONTINUATION; /* it may be no frame of the protocol: not to be joined with those that are */
    uint64_t dropped = session->stats->dropped;
    bool queued = give(session, packet, false);
    pp_packet_unref(packet);
    bool left_out = session->stats->dropped != dropped && session->config->drop_when_full;
    if (session->trail != NULL && !left_out) {
        keep_messages(session, bytes, len, text);
        return true;
    }
    return queued;
}

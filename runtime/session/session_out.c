/* Messages to the client: where packets go. */
#include "session/session_internal.h"

#include "base/buf.h"
#include "value/json_writer.h"
#include "wire/envelope.h"

#include <string.h>

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

/* Messages from the client: what a WebSocket message must pass before it is a message of the application. */
#include "session/session_internal.h"

#include "base/buf.h"
#include "wire/compress.h"
#include "wire/envelope.h"
#include "wire/frame.h"
#include "wire/schema.h"

#include <string.h>

#define MAX_MALFORMED 10

void pp_session_malformed(struct pp_session *session, const char *code, const char *why)
{
    session->stats->malformed++;
    pp_session_send_error(session, code, why);
    if (++session->malformed >= MAX_MALFORMED)
        pp_session_close(session, PP_CLOSE_MALFORMED, "too many malformed frames", "forced server disconnect");
}

bool pp_session_is_control(const char *type, size_t len)
{
    return len >= 5 && memcmp(type, "__pp_", 5) == 0;
}

/* --- rate --- */

static bool over(struct pp_session *session, const struct pp_refusal *refusal)
{
    session->stats->limited++;
    if (refusal->first) {
        pp_session_send_error(session, "RATE_LIMIT_ERROR", "too many messages");
        session->ops->limited(session->owner, refusal);
    }
    return false;
}

/* True where the limits let one more message in, as far as can be told before it is read. */
static bool within_rate(struct pp_session *session)
{
    const struct pp_limits *limits = &session->config->limits;
    struct pp_refusal refusal;
    if (!pp_limits_any(limits))
        return true;
    uint64_t now = pp_loop_now(session->loop);
    bool within = limits->override_count > 0 ? pp_limiter_may_look(&session->limiter, limits, now, &refusal)
                                             : pp_limiter_allow(&session->limiter, limits, NULL, 0, now, &refusal);
    return within || over(session, &refusal);
}

/* The same once its namespace is known. */
static bool within_rate_of(struct pp_session *session, const char *ns, size_t ns_len)
{
    const struct pp_limits *limits = &session->config->limits;
    struct pp_refusal refusal;
    return limits->override_count == 0 ||
           pp_limiter_allow(&session->limiter, limits, ns, ns_len, pp_loop_now(session->loop), &refusal) ||
           over(session, &refusal);
}

static void deliver(struct pp_session *session, struct pp_message *message)
{
    if (!within_rate_of(session, message->ns, message->ns_len))
        return;
    message->control = pp_session_is_control(message->type, message->type_len);
    session->stats->messages_in++;
    if (session->unheard && !message->control) /* the protocol's own may be sent by a client that waits to be told */
        pp_session_on_heard(session);
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
    return !pp_session_is_control(message.type, message.type_len) && session->ops->unchecked != NULL &&
           session->ops->unchecked(session->owner, &message);
}

static void on_envelope(struct pp_session *session, char *text, size_t len)
{
    struct pp_envelope envelope;
    if (!session->unheard && session->config->limits.override_count == 0 && deliver_unchecked(session, text, len)) {
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
    } while (len > 0 && pp_line_is_open(&session->line));
}

void pp_session_take(struct pp_session *session, unsigned char *bytes, size_t len, bool text)
{
    if (!text)
        on_binary(session, bytes, len);
    else if (within_rate(session))
        on_envelope(session, (char *)bytes, len);
}

void pp_session_on_bytes(void *owner, unsigned char *bytes, size_t len, bool text)
{
    struct pp_session *session = owner;
    session->text = text;
    if (session->held && len > 0)
        pp_session_on_held_bytes(session, bytes, len, text);
    else
        pp_session_take(session, bytes, len, text);
}

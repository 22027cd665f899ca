/* Holding: what a client sends before the application has let it in waits, but for the protocol's own messages. */
#include "base/buf.h"
#include "session/session_internal.h"
#include "wire/compress.h"
#include "wire/envelope.h"
#include "wire/frame.h"

#include <string.h>

static bool text_is_control(char *text, size_t len)
{
    struct pp_envelope envelope;
    return len > 0 && pp_envelope_scan(text, len, &envelope) == 0 &&
           pp_session_is_control(envelope.type, envelope.type_len);
}

/* Is this a message of the protocol? Looks at a copy, since the scan changes what it reads. */
static bool passes(struct pp_session *session, const void *bytes, size_t len, bool compressed)
{
    const struct pp_session_config *config = session->config;
    struct pp_buf copy = {0};
    bool readable = true;
    if (compressed)
        readable = pp_inflate(config->inflater, bytes, len, config->max_decompressed, &copy) == PP_INFLATE_OK;
    else
        pp_buf_append(&copy, bytes, len);
    bool control = readable && text_is_control(copy.data, copy.len);
    pp_buf_destroy(&copy);
    return control;
}

/* The length of the first frame where it may pass, else 0. */
static size_t passing_frame(struct pp_session *session, const unsigned char *bytes, size_t len)
{
    struct pp_frame frame;
    ptrdiff_t n = pp_frame_decode(bytes, len, &frame);
    if (n < 0 || ((size_t)n < len && !session->batch) || frame.type_id != 0 ||
        !passes(session, frame.payload, frame.payload_len, frame.flags & PP_FLAG_COMPRESSED))
        return 0;
    return (size_t)n;
}

void pp_session_on_held_bytes(struct pp_session *session, unsigned char *bytes, size_t len, bool text)
{
    while (session->held && len > 0) {
        size_t n = text ? len * passes(session, bytes, len, false) : passing_frame(session, bytes, len);
        if (n == 0) { /* what is malformed waits too, to be complained of in its turn */
            pp_buf_append(&session->kept, bytes, len);
            pp_line_pause(&session->line);
            return;
        }
        pp_session_take(session, bytes, n, text);
        bytes += n;
        len -= n;
    }
    if (len > 0 && pp_line_is_open(&session->line))
        pp_session_take(session, bytes, len, text);
}

void pp_session_on_resumed(void *owner)
{
    struct pp_session *session = owner;
    struct pp_buf kept = session->kept;
    session->kept = (struct pp_buf){0};
    if (kept.len > 0)
        pp_session_take(session, (unsigned char *)kept.data, kept.len, session->text);
    pp_buf_destroy(&kept);
}

void pp_session_hold(struct pp_session *session)
{
    session->held = true;
}

void pp_session_keep_out(struct pp_session *session)
{
    session->held = true;
    session->outside = true;
}

bool pp_session_is_outside(const struct pp_session *session)
{
    return session->outside;
}

bool pp_session_accept(struct pp_session *session)
{
    if (session->over || !pp_line_is_open(&session->line))
        return false;
    session->held = false;
    session->outside = false;
    pp_line_resume(&session->line);
    pp_session_begin_replay(session);
    return true;
}

/* Sessions that lose their connection, and clients that come back to them.
 *
 * The trail holds what was sent; `next` is where the client's copy ends while it is being sent the rest. As long as
 * that lasts, new messages go to the trail only and so stay behind the old. */
#include "session/session_internal.h"

#include "base/memory.h"
#include "net/handshake.h"
#include "value/json_writer.h"

#include <stdlib.h>
#include <string.h>

#define REPLAY_STEP 5 /* ms that a client has to take what was sent before it is sent more */

struct pp_comeback {
    struct pp_session *session;
    struct pp_timer timer; /* detached: the end of patience; connected: the next step of the replay */
    uint64_t next;         /* the number of the message to send next in a replay */
};

static struct pp_recovery_stats *stats_of(const struct pp_session *session)
{
    return pp_recovery_stats(pp_trail_recovery(session->trail));
}

/* --- what a client asks for --- */

static bool has_parameter(const char *query, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = query; at != NULL; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return true;
    }
    return false;
}

static uint64_t read_offset(const char *digits)
{
    uint64_t value = 0;
    if (*digits == '\0' || strlen(digits) > 18)
        return UINT64_MAX;
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9')
            return UINT64_MAX;
        value = value * 10 + (uint64_t)(*digits - '0');
    }
    return value;
}

void pp_resume_read(const struct pp_handshake *handshake, struct pp_resume *resume)
{
    char offset[32];
    *resume = (struct pp_resume){.asked = has_parameter(handshake->query, "pp_sid"), .offset = UINT64_MAX};
    if (!resume->asked)
        return;
    if (!pp_handshake_query(handshake, "pp_sid", resume->sid, sizeof resume->sid))
        resume->sid[0] = '\0';
    if (!pp_handshake_query(handshake, "pp_rtoken", resume->token, sizeof resume->token))
        resume->token[0] = '\0';
    if (pp_handshake_query(handshake, "pp_offset", offset, sizeof offset))
        resume->offset = read_offset(offset);
}

enum pp_verdict pp_session_judge(const struct pp_session *session, const struct pp_resume *resume)
{
    if (session->trail == NULL || session->over || session->config->recovery == NULL)
        return PP_RESUME_UNKNOWN;
    return pp_trail_judge(session->trail, resume->token, resume->offset);
}

/* --- what it is told --- */

/* {"sid":…,"offset":…, with more to follow. */
static void begin_payload(struct pp_buf *payload, const struct pp_session *session, uint64_t offset)
{
    pp_buf_append_string(payload, "{\"sid\":");
    pp_json_write_string(payload, session->id, strlen(session->id));
    pp_buf_append_string(payload, ",\"offset\":");
    pp_json_write_integer(payload, offset);
}

static void tell_session(struct pp_session *session, uint64_t offset)
{
    char token[PP_TOKEN_SIZE];
    struct pp_buf payload = {0};
    pp_trail_token(session->trail, token);
    begin_payload(&payload, session, offset);
    pp_buf_append_string(&payload, ",\"rtoken\":\"");
    pp_buf_append_string(&payload, token);
    pp_buf_append_string(&payload, "\",\"epoch\":\"");
    pp_buf_append_string(&payload, pp_recovery_epoch(pp_trail_recovery(session->trail)));
    pp_buf_append_string(&payload, "\"}");
    pp_session_send_control(session, "__pp_session", &payload);
    pp_buf_destroy(&payload);
}

static void tell_recovery(struct pp_session *session, bool recovered, uint64_t missed)
{
    struct pp_buf payload = {0};
    begin_payload(&payload, session, pp_trail_offset(session->trail));
    pp_buf_append_string(&payload, recovered ? ",\"recovered\":true" : ",\"recovered\":false");
    pp_buf_append_string(&payload, ",\"missedCount\":");
    pp_json_write_integer(&payload, missed);
    pp_buf_append_char(&payload, '}');
    pp_session_send_control(session, "__pp_recovery", &payload);
    pp_buf_destroy(&payload);
}

void pp_session_greet(struct pp_session *session, const struct pp_resume *resume, enum pp_verdict verdict)
{
    if (session->trail == NULL)
        return;
    tell_session(session, 0);
    if (!resume->asked)
        return;
    stats_of(session)->failed++;
    if (verdict == PP_RESUME_BAD_TOKEN)
        pp_session_send_error(session, "RECOVERY_AUTH_ERROR", "the token is not that of the session's last connection");
    tell_recovery(session, false, 0);
}

/* --- without a connection --- */

void pp_session_give_up(struct pp_session *session, const char *reason)
{
    session->over = true;
    session->reason = reason;
    pp_loop_timer_start(session->loop, &session->comeback->timer, 0);
}

void pp_session_evict(void *owner)
{
    pp_session_give_up(owner, "evicted");
}

void pp_session_detach(struct pp_session *session, const char *reason, uint16_t code)
{
    struct pp_handshake *handshake = session->handshake;
    pp_session_release_line(session);
    session->live = session->unheard = false;
    pp_trail_detach(session->trail);
    if (!session->over)
        pp_loop_timer_start(session->loop, &session->comeback->timer,
                            pp_recovery_limits(pp_trail_recovery(session->trail))->retention_ms);
    session->ops->detached(session->owner, reason, code);
    pp_handshake_delete(handshake);
    session->handshake = NULL;
}

static void expire(struct pp_session *session)
{
    const char *reason = session->reason;
    if (!session->over) {
        reason = "expired";
        stats_of(session)->expired++;
    }
    pp_session_end(session, reason, 0);
}

/* --- and back --- */

static void ignore_bytes(void *owner, unsigned char *bytes, size_t len, bool text)
{
    (void)owner, (void)bytes, (void)len, (void)text;
}

static void ignore_closed(void *owner, uint16_t code, const char *text, bool by_peer)
{
    (void)owner, (void)code, (void)text, (void)by_peer;
}

/* The line that the session still has goes: its client has another. */
static void take_over(struct pp_session *session)
{
    static const struct pp_conn_ops deaf = {.message = ignore_bytes, .closed = ignore_closed};
    static const struct pp_conn_limits limits = {.max_payload = 1 << 20, .max_queue = 4096, .close_after = 2000};
    struct pp_line line = session->line;
    struct pp_handshake *handshake = session->handshake;
    pp_session_release_line(session);
    session->live = false;
    if (line.conn != NULL)
        pp_conn_set_owner(line.conn, &deaf, &limits, NULL);
    pp_line_abort(&line, PP_CLOSE_TAKEN_OVER, "session taken over");
    if (line.sink != NULL)
        line.sink->forget(line.self);
    session->ops->detached(session->owner, "transport close", PP_CLOSE_TAKEN_OVER);
    pp_handshake_delete(handshake);
    session->handshake = NULL;
}

bool pp_session_resume(struct pp_session *session, const struct pp_resume *resume, struct pp_line line,
                       struct pp_handshake *handshake)
{
    if (pp_line_exists(&session->line))
        take_over(session);
    if (session->over)
        return false;
    pp_loop_timer_stop(session->loop, &session->comeback->timer);
    pp_trail_resume(session->trail, resume->token);
    session->comeback->next = resume->offset + 1;
    session->reason = NULL;
    pp_session_attach_line(session, line, handshake);
    return true;
}

/* Sends what is left of the replay, as far as the line takes it: more would count as a client that is too slow. */
static void replay(struct pp_session *session)
{
    uint64_t *next = &session->comeback->next;
    size_t room = session->config->conn.max_queue / 2;
    for (; *next <= pp_trail_offset(session->trail); ++*next) {
        struct pp_packet *packet = pp_trail_at(session->trail, *next);
        if (packet == NULL) { /* so much was sent meanwhile that the history has passed it by */
            session->reason = "too slow";
            pp_line_abort(&session->line, PP_CLOSE_TOO_SLOW, "too slow");
            return;
        }
        size_t queued = pp_line_queued(&session->line);
        if ((queued > 0 && queued + packet->len > room) || pp_line_send(&session->line, packet) == PP_CONN_FULL) {
            pp_loop_timer_start(session->loop, &session->comeback->timer, REPLAY_STEP);
            return;
        }
        session->stats->messages_out++;
    }
    session->live = true;
}

void pp_session_begin_replay(struct pp_session *session)
{
    if (session->live || session->trail == NULL || session->over || !pp_line_is_open(&session->line))
        return;
    uint64_t offset = session->comeback->next - 1;
    stats_of(session)->recovered++;
    session->unheard = true;
    tell_session(session, offset);
    tell_recovery(session, true, pp_trail_offset(session->trail) - offset);
    pp_session_ping(session); /* its pong proves that the token has arrived */
    replay(session);
}

void pp_session_on_heard(struct pp_session *session)
{
    session->unheard = false;
    pp_trail_heard(session->trail);
}

/* --- the trail itself --- */

static void on_timer(struct pp_timer *timer)
{
    struct pp_session *session = ((struct pp_comeback *)((char *)timer - offsetof(struct pp_comeback, timer)))->session;
    if (!pp_line_exists(&session->line))
        expire(session);
    else if (pp_line_is_open(&session->line) && !session->over)
        replay(session);
}

void pp_session_begin_trail(struct pp_session *session)
{
    session->comeback = pp_calloc(1, sizeof *session->comeback);
    session->comeback->session = session;
    session->comeback->timer.fire = on_timer;
    session->trail = pp_trail_new(session->config->recovery, session->id, session);
}

void pp_session_end_trail(struct pp_session *session)
{
    if (session->trail == NULL)
        return;
    pp_loop_timer_stop(session->loop, &session->comeback->timer);
    pp_trail_delete(session->trail);
    free(session->comeback);
}

/* The life of a session: identity, heartbeat, and why it ended. */
#include "session/session_internal.h"

#include "base/memory.h"
#include "net/handshake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- heartbeat --- */

/* Anything heard since the last look is as good as a pong; only silence is asked about. */
static void on_heartbeat(struct pp_timer *timer)
{
    struct pp_session *session = (struct pp_session *)((char *)timer - offsetof(struct pp_session, heartbeat));
    const struct pp_session_config *config = session->config;
    if (pp_conn_is_paused(session->line.conn)) { /* its answers wait with the rest */
        session->pinged = 0;
        pp_loop_timer_start(session->loop, timer, config->heartbeat_interval);
        return;
    }
    uint64_t now = pp_loop_now(session->loop), heard = pp_conn_last_heard(session->line.conn);
    if (session->pinged != 0 && heard < session->pinged) {
        uint64_t waited = now - session->pinged;
        if (waited < config->heartbeat_timeout) {
            pp_loop_timer_start(session->loop, timer, config->heartbeat_timeout - waited);
            return;
        }
        session->reason = "Ping timeout";
        pp_conn_abort(session->line.conn, PP_WS_CLOSE_GOING_AWAY, "Ping timeout");
        return;
    }
    session->pinged = 0;
    uint64_t silent = now - heard;
    if (silent < config->heartbeat_interval) {
        pp_loop_timer_start(session->loop, timer, config->heartbeat_interval - silent);
        return;
    }
    pp_session_ping(session);
    session->pinged = now;
    /* Whichever comes first: the pong's last moment, or the next ping of those that answered. */
    bool soon = config->heartbeat_timeout < config->heartbeat_interval;
    pp_loop_timer_start(session->loop, timer, soon ? config->heartbeat_timeout : config->heartbeat_interval);
}

/* --- life --- */

void pp_session_close(struct pp_session *session, uint16_t code, const char *text, const char *reason)
{
    bool open = pp_line_is_open(&session->line);
    if (session->over || (!open && session->trail == NULL))
        return;
    session->over = true;
    if (open) {
        session->reason = reason;
        pp_line_close(&session->line, code, text);
    } else if (!pp_line_exists(&session->line)) {
        pp_session_give_up(session, reason);
    }
}

static const char *disconnect_reason(const struct pp_session *session, bool by_peer)
{
    if (session->reason != NULL)
        return session->reason;
    return by_peer ? "client disconnect" : "transport close";
}

void pp_session_add_traffic(const struct pp_session *session, struct pp_session_stats *stats)
{
    if (session->line.conn == NULL)
        return;
    stats->bytes_in += pp_conn_bytes_in(session->line.conn);
    stats->bytes_out += pp_conn_bytes_out(session->line.conn);
}

void pp_session_release_line(struct pp_session *session)
{
    pp_loop_timer_stop(session->loop, &session->heartbeat);
    pp_session_add_traffic(session, session->stats);
    session->line = (struct pp_line){0};
    session->held = false;
    pp_buf_destroy(&session->kept);
}

static void free_session(struct pp_session *session)
{
    pp_limiter_destroy(&session->limiter);
    pp_session_release_line(session);
    pp_session_end_trail(session);
    pp_handshake_delete(session->handshake);
    free(session);
}

void pp_session_end(struct pp_session *session, const char *reason, uint16_t code)
{
    session->over = true;
    session->ops->closed(session->owner, reason, code);
    free_session(session);
}

/* Is there something to come back to? Not for a client that said goodbye, nor for one that was never let in. Any other
 * end of a line may be an accident. */
static bool outlives_line(const struct pp_session *session, uint16_t code, bool by_peer)
{
    bool goodbye = by_peer && (code == PP_WS_CLOSE_NORMAL || code == PP_WS_CLOSE_NO_STATUS);
    return session->trail != NULL && session->config->recovery != NULL && !session->over && !session->outside &&
           !goodbye;
}

void pp_session_on_closed(void *owner, uint16_t code, const char *text, bool by_peer)
{
    struct pp_session *session = owner;
    const char *reason = disconnect_reason(session, by_peer);
    (void)text;
    if (outlives_line(session, code, by_peer))
        pp_session_detach(session, reason, code);
    else
        pp_session_end(session, reason, code);
}

void pp_session_delete(struct pp_session *session)
{
    struct pp_line line = session->line;
    free_session(session);
    if (line.conn != NULL)
        pp_conn_drop(line.conn);
    else if (line.sink != NULL)
        line.sink->forget(line.self);
}

void pp_session_on_pong(void *owner)
{
    struct pp_session *session = owner;
    if (session->unheard)
        pp_session_on_heard(session);
}

static const struct pp_conn_ops conn_ops = {.message = pp_session_on_bytes,
                                            .pong = pp_session_on_pong,
                                            .resumed = pp_session_on_resumed,
                                            .closed = pp_session_on_closed};

/* Is `name` one of the capabilities that the client offers (?pp_caps=batch,state)? */
static bool offers(const struct pp_handshake *handshake, const char *name)
{
    char caps[256], *rest = caps;
    if (handshake == NULL || !pp_handshake_query(handshake, "pp_caps", caps, sizeof caps))
        return false;
    for (const char *cap; (cap = strsep(&rest, ",")) != NULL;)
        if (strcmp(cap, name) == 0)
            return true;
    return false;
}

void pp_session_attach_line(struct pp_session *session, struct pp_line line, struct pp_handshake *handshake)
{
    const struct pp_session_config *config = session->config;
    session->line = line;
    session->handshake = handshake;
    session->batch = offers(handshake, "batch");
    session->state = offers(handshake, "state");
    session->pinged = 0;
    if (line.conn == NULL)
        return;
    pp_conn_set_owner(line.conn, &conn_ops, &config->conn, session);
    if (session->batch)
        pp_conn_set_batch(line.conn);
    if (config->heartbeat_interval > 0)
        pp_loop_timer_start(session->loop, &session->heartbeat, config->heartbeat_interval);
}

struct pp_session *pp_session_new_on(struct pp_loop *loop, const struct pp_session_config *config,
                                     struct pp_session_stats *stats, const struct pp_session_ops *ops, void *owner,
                                     struct pp_line line, struct pp_handshake *handshake)
{
    struct pp_session *session = pp_calloc(1, sizeof *session);
    session->loop = loop;
    session->config = config;
    session->stats = stats;
    session->ops = ops;
    session->owner = owner;
    session->heartbeat.fire = on_heartbeat;
    session->live = true;
    pp_uuid(session->id);
    pp_session_attach_line(session, line, handshake);
    if (config->recovery != NULL && (line.sink == NULL || !line.sink->steady))
        pp_session_begin_trail(session);
    return session;
}

struct pp_session *pp_session_new(struct pp_loop *loop, const struct pp_session_config *config,
                                  struct pp_session_stats *stats, const struct pp_session_ops *ops, void *owner,
                                  struct pp_conn *conn, struct pp_handshake *handshake)
{
    return pp_session_new_on(loop, config, stats, ops, owner, (struct pp_line){.conn = conn}, handshake);
}

bool pp_session_is_detached(const struct pp_session *session)
{
    return !pp_line_exists(&session->line);
}

void pp_session_set_id(struct pp_session *session, const char *id)
{
    snprintf(session->id, sizeof session->id, "%s", id);
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

bool pp_session_takes_state(const struct pp_session *session)
{
    return session->state;
}

size_t pp_session_queued(const struct pp_session *session)
{
    return pp_line_queued(&session->line);
}

/* The life of a session: identity, heartbeat, and why it ended. */
#include "session/session_internal.h"

#include "base/memory.h"
#include "net/handshake.h"

#include <stdlib.h>
#include <string.h>

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
    if (pp_conn_is_paused(session->conn)) { /* its answers wait with the rest */
        session->pinged = 0;
        pp_loop_timer_start(session->loop, timer, config->heartbeat_interval);
        return;
    }
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

void pp_session_close(struct pp_session *session, uint16_t code, const char *text, const char *reason)
{
    if (!pp_conn_is_open(session->conn))
        return;
    session->reason = reason;
    pp_conn_close(session->conn, code, text);
}

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
    pp_buf_destroy(&session->kept);
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

static const struct pp_conn_ops conn_ops = {
    .message = pp_session_on_bytes, .resumed = pp_session_on_resumed, .closed = on_closed};

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

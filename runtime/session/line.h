/* What a session's packets go to: a connection, or a sink in its place (a client within this process), or nothing while
 * the session is detached. */
#ifndef PP_SESSION_LINE_H
#define PP_SESSION_LINE_H

#include "net/conn.h"

/* A sink tells the session what its client does by pp_session_on_bytes, pp_session_on_pong (where it was sent a ping)
 * and pp_session_on_closed. */
struct pp_sink_ops {
    enum pp_conn_send (*send)(void *self, struct pp_packet *packet); /* like pp_conn_send */
    size_t (*queued)(void *self);
    bool (*is_open)(void *self);
    /* Like pp_conn_close, with `drop` like pp_conn_abort. pp_session_on_closed follows, but not from within. */
    void (*close)(void *self, uint16_t code, const char *reason, bool drop);
    /* Like pp_conn_pause and pp_conn_resume: pp_session_on_resumed is called before it goes on. */
    void (*pause)(void *self, bool paused);
    /* The session is no longer interested: it tells no more. */
    void (*forget)(void *self);
    bool steady; /* never lost by accident: no session is kept for a return */
};

struct pp_line {
    struct pp_conn *conn;
    const struct pp_sink_ops *sink; /* where conn is NULL; both NULL: nothing */
    void *self;                     /* the sink's */
};

static inline bool pp_line_exists(const struct pp_line *line)
{
    return line->conn != NULL || line->sink != NULL;
}

static inline enum pp_conn_send pp_line_send(const struct pp_line *line, struct pp_packet *packet)
{
    return line->conn ? pp_conn_send(line->conn, packet) : line->sink->send(line->self, packet);
}

static inline size_t pp_line_queued(const struct pp_line *line)
{
    if (line->conn != NULL)
        return pp_conn_queued(line->conn);
    return line->sink ? line->sink->queued(line->self) : 0;
}

static inline bool pp_line_is_open(const struct pp_line *line)
{
    if (line->conn != NULL)
        return pp_conn_is_open(line->conn);
    return line->sink && line->sink->is_open(line->self);
}

static inline void pp_line_close(const struct pp_line *line, uint16_t code, const char *reason)
{
    if (line->conn != NULL)
        pp_conn_close(line->conn, code, reason);
    else
        line->sink->close(line->self, code, reason, false);
}

static inline void pp_line_abort(const struct pp_line *line, uint16_t code, const char *reason)
{
    if (line->conn != NULL)
        pp_conn_abort(line->conn, code, reason);
    else
        line->sink->close(line->self, code, reason, true);
}

static inline void pp_line_pause(const struct pp_line *line)
{
    if (line->conn != NULL)
        pp_conn_pause(line->conn);
    else if (line->sink != NULL)
        line->sink->pause(line->self, true);
}

static inline void pp_line_resume(const struct pp_line *line)
{
    if (line->conn != NULL)
        pp_conn_resume(line->conn);
    else if (line->sink != NULL)
        line->sink->pause(line->self, false);
}

#endif

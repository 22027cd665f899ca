/* A client above its connection: identity, heartbeat, limits, and the step between WebSocket messages and envelopes.
 *
 *     conn ─ bytes ─▶ rate, frame, inflate, envelope ─▶ ops->message
 *     pp_outgoing ─▶ pp_session_send ─ packet ─▶ conn, trail
 *
 * Where sessions are recovered (config->recovery), one outlives its connection:
 *
 *     CONNECTED ──line lost──▶ DETACHED ──pp_session_resume──▶ CONNECTED …     and from both ──▶ over
 *
 * What is sent to a detached session is kept for its client's return (session/recovery.h). */
#ifndef PP_SESSION_SESSION_H
#define PP_SESSION_SESSION_H

#include "net/conn.h"
#include "session/limiter.h"
#include "session/line.h"
#include "session/outgoing.h"
#include "session/recovery.h"
#include "session/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_handshake;
struct pp_inflater;
struct pp_loop;
struct pp_registry;
struct pp_schema;
struct pp_session;

/* Close codes of the protocol, beside WebSocket's own. */
enum pp_close {
    PP_CLOSE_AUTH_TIMEOUT = 4001,
    PP_CLOSE_AUTH_FAILED = 4002,
    PP_CLOSE_MIDDLEWARE = 4003,
    PP_CLOSE_TOO_SLOW = 4008,
    PP_CLOSE_TAKEN_OVER = 4009,
    PP_CLOSE_VERSION = 4010,
    PP_CLOSE_MALFORMED = 4011,
    PP_CLOSE_TOO_MANY = 4029,
};

/* One message from a client. All spans are good until the `message` callback returns. */
struct pp_message {
    const char *type;
    size_t type_len;
    const char *payload; /* JSON text, or a schema's bytes; NULL for an absent payload */
    size_t payload_len;
    const char *ns; /* NULL for the default namespace */
    size_t ns_len;
    uint64_t ack_id;                /* 0: no ack is asked for */
    const struct pp_schema *schema; /* NULL for JSON */
    uint16_t schema_version;
    bool control; /* the type begins with "__pp_" */
};

struct pp_session_ops {
    void (*message)(void *owner, const struct pp_message *message);
    /* May be NULL. Offers a message whose payload nobody has checked. True: the payload was one JSON value, and the
     * message is handled. False: nothing has happened, `message` will be called if it is valid. */
    bool (*unchecked)(void *owner, const struct pp_message *message);
    /* The first message of a window that is over the rate limit. */
    void (*limited)(void *owner, const struct pp_refusal *refusal);
    /* A message did not fit into the queue: it was dropped, or the session is closing, as configured. */
    void (*backpressure)(void *owner);
    /* The connection is lost, and the session kept for its client's return. May be NULL where none is recovered. */
    void (*detached)(void *owner, const char *reason, uint16_t code);
    /* The session is over. Told once. `reason` is one of the protocol's disconnect reasons, or why a detached session
     * was given up. The session is freed after it returns. */
    void (*closed)(void *owner, const char *reason, uint16_t code);
};

/* Shared by the sessions of a server, and must outlive them. */
struct pp_session_config {
    struct pp_conn_limits conn;
    struct pp_encoding encoding;
    struct pp_registry *registry; /* may be NULL */
    struct pp_inflater *inflater;
    size_t max_decompressed;
    struct pp_limits limits;
    uint32_t heartbeat_interval;  /* ms, 0: no heartbeat */
    uint32_t heartbeat_timeout;   /* ms that a pong may take */
    size_t volatile_above;        /* bytes queued from which on volatile messages are dropped */
    bool drop_when_full;          /* else the client is closed as too slow */
    struct pp_recovery *recovery; /* NULL: a session ends with its connection */
};

/* Counted by server. */
struct pp_session_stats {
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    uint64_t malformed, limited, dropped, forbidden;
};

/* Takes over `conn` and `handshake`. `owner` is handed to `ops`. */
struct pp_session *pp_session_new(struct pp_loop *loop, const struct pp_session_config *config,
                                  struct pp_session_stats *stats, const struct pp_session_ops *ops, void *owner,
                                  struct pp_conn *conn, struct pp_handshake *handshake);

/* The same with a line of any kind. The handshake may be NULL where there was none. */
struct pp_session *pp_session_new_on(struct pp_loop *loop, const struct pp_session_config *config,
                                     struct pp_session_stats *stats, const struct pp_session_ops *ops, void *owner,
                                     struct pp_line line, struct pp_handshake *handshake);

/* Adds to `stats` the bytes of the connection that it has now: the server's own get them when that ends. */
void pp_session_add_traffic(const struct pp_session *session, struct pp_session_stats *stats);

/* Drops the connection without a word and frees the session; `closed` is not told. */
void pp_session_delete(struct pp_session *session);

/* Before anybody was told of it: an id of fewer than PP_UUID_SIZE bytes instead of a random one. For sinks. */
void pp_session_set_id(struct pp_session *session, const char *id);

/* What a sink tells of its client: see struct pp_conn_ops; `owner` is the session, which may be
 * freed when on_closed returns. */
void pp_session_on_bytes(void *owner, unsigned char *bytes, size_t len, bool text);
void pp_session_on_pong(void *owner);
void pp_session_on_resumed(void *owner);
void pp_session_on_closed(void *owner, uint16_t code, const char *text, bool by_peer);

/* --- recovery --- */

/* What a client asks for that was connected before (?pp_sid=&pp_offset=&pp_rtoken=). */
struct pp_resume {
    bool asked; /* else the rest means nothing */
    char sid[PP_UUID_SIZE];
    char token[PP_TOKEN_SIZE];
    uint64_t offset; /* UINT64_MAX for what is no number */
};

void pp_resume_read(const struct pp_handshake *handshake, struct pp_resume *resume);

/* Says to a fresh session what it is: `__pp_session` and, where a resume was asked for that `verdict` refused, that it
 * is not recovered. Does nothing where sessions are not recovered. */
void pp_session_greet(struct pp_session *session, const struct pp_resume *resume, enum pp_verdict verdict);

/* May the client that asks go on with this session? */
enum pp_verdict pp_session_judge(const struct pp_session *session, const struct pp_resume *resume);

/* Gives the session a new line, by a request that was judged good. A line that it still has is closed (4009), and told
 * as lost. Until pp_session_accept what is sent only waits. False where the owner ended the session when told: then
 * line and handshake stay the caller's. */
bool pp_session_resume(struct pp_session *session, const struct pp_resume *resume, struct pp_line line,
                       struct pp_handshake *handshake);

bool pp_session_is_detached(const struct pp_session *session);

/* For pp_recovery_new: a trail's owner is its session. */
void pp_session_evict(void *owner);

/* --- looking, and sending --- */

const char *pp_session_id(const struct pp_session *session);
const struct pp_handshake *pp_session_handshake(const struct pp_session *session);
void *pp_session_owner(const struct pp_session *session);
bool pp_session_speaks_text(const struct pp_session *session);
bool pp_session_takes_state(const struct pp_session *session); /* the capability of that name */
size_t pp_session_queued(const struct pp_session *session);

/* Queues the message: true where it was, or was dropped as the options say, or is kept for the client's return; false
 * where the session is closing. `is_volatile` messages are dropped where the client is behind or away. */
bool pp_session_send(struct pp_session *session, struct pp_outgoing *out, bool is_volatile);

/* Asks for the memory that sending to the session will look at. */
void pp_session_foresee(const struct pp_session *session);

/* Queues a WebSocket message of these bytes; false where the session is closing. Text must be UTF-8. The messages of
 * the protocol in it count and are kept like others. */
bool pp_session_send_raw(struct pp_session *session, const void *bytes, size_t len, bool text);

/* Sends `__pp_error {code, message}`. */
void pp_session_send_error(struct pp_session *session, const char *code, const char *message);

/* Counts a frame that could not be read and answers it with `__pp_error`; too many of them close the session. */
void pp_session_malformed(struct pp_session *session, const char *code, const char *why);

/* The application's messages wait from here on, until accept: at the first of them reading stops, so what a client may
 * send ahead is bounded by one message and the connection's buffers. Messages of the protocol before it pass. */
void pp_session_hold(struct pp_session *session);

/* The same for a client that was never let in: it is also no part of any audience. */
void pp_session_keep_out(struct pp_session *session);
bool pp_session_is_outside(const struct pp_session *session);

/* The client is let in. What has waited is told at the end of the turn, in order. A resumed client (held or not) is
 * told that it is recovered and sent what it missed, before all that is sent from here on. False where the session is
 * being closed: then nothing changes. */
bool pp_session_accept(struct pp_session *session);

/* Ends the session, closing behind what is queued. `reason` is what the application will be told: a static text. */
void pp_session_close(struct pp_session *session, uint16_t code, const char *text, const char *reason);

#endif

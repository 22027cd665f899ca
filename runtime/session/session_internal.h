/* What the files of a session share: session.c (life), session_in.c (messages from the client), session_out.c (to it),
 * session_hold.c (before it is let in). */
#ifndef PP_SESSION_SESSION_INTERNAL_H
#define PP_SESSION_SESSION_INTERNAL_H

#include "base/buf.h"
#include "net/loop.h"
#include "session/session.h"

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
    bool text;          /* the peer's last message was text, so it is answered in text */
    bool batch;         /* it takes several frames in one message */
    bool held;          /* the application's messages wait */
    bool outside;       /* it was never let in */
    struct pp_buf kept; /* the message that reading stopped at, as it came: empty where it did not */
    char id[PP_UUID_SIZE];
};

/* A WebSocket message of the client, as struct pp_conn_ops tells it: `owner` is the session. */
void pp_session_on_bytes(void *owner, unsigned char *bytes, size_t len, bool text);

/* The same, past the hold. */
void pp_session_take(struct pp_session *session, unsigned char *bytes, size_t len, bool text);

/* The same while the session is held: takes what may pass and keeps the rest. */
void pp_session_on_held_bytes(struct pp_session *session, unsigned char *bytes, size_t len, bool text);

/* The connection reads on: as struct pp_conn_ops tells it. */
void pp_session_on_resumed(void *owner);

bool pp_session_is_control(const char *type, size_t len);

#endif

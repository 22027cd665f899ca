/* What the files of a session share: session.c (life), session_in.c (messages from the client), session_out.c (to it).
 */
#ifndef PP_SESSION_SESSION_INTERNAL_H
#define PP_SESSION_SESSION_INTERNAL_H

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
    bool text;  /* the peer's last message was text, so it is answered in text */
    bool batch; /* it takes several frames in one message */
    char id[PP_UUID_SIZE];
};

/* A WebSocket message of the client, as struct pp_conn_ops tells it: `owner` is the session. */
void pp_session_on_bytes(void *owner, unsigned char *bytes, size_t len, bool text);

#endif

/* What the files of a session share: session.c (its life), session_hold.c (before it is let in), session_recovery.c
 * (losing a connection and coming back), session_in.c (messages from the client), session_out.c (to it). */
#ifndef PP_SESSION_SESSION_INTERNAL_H
#define PP_SESSION_SESSION_INTERNAL_H

#include "base/buf.h"
#include "net/loop.h"
#include "session/session.h"

struct pp_comeback;

struct pp_session {
    /* What each message sent looks at stands together. */
    struct pp_line line;
    struct pp_trail *trail; /* NULL: the session ends with its connection */
    bool outside;           /* it was never let in */
    bool over;              /* the session does not outlive its connection: it was closed, or given up */
    bool live;              /* what is sent goes to the line at once */
    bool text;              /* the peer's last message was text, so it is answered in text */
    struct pp_session_stats *stats;
    const struct pp_session_config *config;

    struct pp_comeback *comeback; /* there where the trail is */
    struct pp_loop *loop;
    const struct pp_session_ops *ops;
    void *owner;
    struct pp_handshake *handshake;
    struct pp_timer heartbeat;
    struct pp_limiter limiter;
    const char *reason; /* why this side closed, NULL where it did not */
    uint64_t pinged;    /* when a ping was sent that nothing has been heard since; 0: none */
    uint8_t malformed;
    bool unheard;       /* resumed, and nothing heard yet that shows that the client knows it */
    bool batch;         /* it takes several frames in one message */
    bool state;         /* it takes the states of rooms as frames */
    bool held;          /* the application's messages wait */
    struct pp_buf kept; /* the message that reading stopped at, as it came: empty where it did not */
    char id[PP_UUID_SIZE];
};

/* --- session.c --- */

/* The session goes on by this line. */
void pp_session_attach_line(struct pp_session *session, struct pp_line line, struct pp_handshake *handshake);

/* The line is gone, or is another's business from here on. */
void pp_session_release_line(struct pp_session *session);

/* The session is over: its owner is told, and it is freed. */
void pp_session_end(struct pp_session *session, const char *reason, uint16_t code);

/* --- session_recovery.c --- */

void pp_session_begin_trail(struct pp_session *session);
void pp_session_end_trail(struct pp_session *session);

/* The line is lost, the session stays. */
void pp_session_detach(struct pp_session *session, const char *reason, uint16_t code);

/* A detached session was ended: its owner is told in the next turn. */
void pp_session_give_up(struct pp_session *session, const char *reason);

/* A resumed client is let in: it is sent what it missed. Nothing for others. */
void pp_session_begin_replay(struct pp_session *session);

/* The client has said something that it says to a session it knows. */
void pp_session_on_heard(struct pp_session *session);

/* --- session_out.c --- */

/* Sends a ping. */
void pp_session_ping(struct pp_session *session);

/* Sends one of the protocol's own messages, with `payload` being JSON, to whoever is on the line. */
void pp_session_send_control(struct pp_session *session, const char *type, const struct pp_buf *payload);

/* --- session_in.c, session_hold.c --- */

/* A WebSocket message of the client, past the hold. */
void pp_session_take(struct pp_session *session, unsigned char *bytes, size_t len, bool text);

/* The same while the session is held: takes what may pass and keeps the rest. */
void pp_session_on_held_bytes(struct pp_session *session, unsigned char *bytes, size_t len, bool text);

bool pp_session_is_control(const char *type, size_t len);

#endif

/* What a session needs to go on after its connection was lost: how many messages it was sent, the newest of them, and
 * a token that proves whose it is. Pure: no sockets, and no clock.
 *
 *     pp_recovery   of a server: the key, the bounds, and the trails whose connection is lost, oldest first
 *     pp_trail      of a session
 *
 * Everything that is held for recovery counts in one number of bytes (a packet once, however many trails share it, and
 * PP_DETACHED_COST for each detached session); above the bound the session that was detached first is given up. */
#ifndef PP_SESSION_RECOVERY_H
#define PP_SESSION_RECOVERY_H

#include "base/packet.h"
#include "session/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_DETACHED_COST 2048 /* bytes that a session without a connection counts beside its messages */

struct pp_recovery;
struct pp_trail;

struct pp_recovery_limits {
    uint32_t max_count;    /* messages of one session, 1 and above */
    size_t max_bytes;      /* of one session's messages */
    size_t max_total;      /* of all together */
    uint32_t retention_ms; /* that a session without a connection is kept */
};

struct pp_recovery_stats {
    uint64_t recovered, failed, evicted, expired;
};

/* The secret is random where it is NULL. `evict` is told of a trail whose session is to be given up: it has no messages
 * any more, and is not to be deleted before evict returns. */
struct pp_recovery *pp_recovery_new(const void *secret, size_t len, void (*evict)(void *owner));
void pp_recovery_delete(struct pp_recovery *recovery); /* its trails are gone; NULL is fine */

/* Holds for what is added from now on. */
void pp_recovery_set_limits(struct pp_recovery *recovery, struct pp_recovery_limits limits);
const struct pp_recovery_limits *pp_recovery_limits(const struct pp_recovery *recovery);
const char *pp_recovery_epoch(const struct pp_recovery *recovery);
size_t pp_recovery_bytes(const struct pp_recovery *recovery);
size_t pp_recovery_detached(const struct pp_recovery *recovery);
struct pp_recovery_stats *pp_recovery_stats(struct pp_recovery *recovery);

/* The trail of a session on its first connection. `sid` must outlive it; `owner` is handed to evict. */
struct pp_trail *pp_trail_new(struct pp_recovery *recovery, const char *sid, void *owner);
void pp_trail_delete(struct pp_trail *trail); /* NULL is fine */

struct pp_recovery *pp_trail_recovery(const struct pp_trail *trail);

/* One message more was sent to the client, or will be. */
void pp_trail_add(struct pp_trail *trail, struct pp_packet *packet);

/* How many messages the session was sent. */
uint64_t pp_trail_offset(const struct pp_trail *trail);

/* The message with that number (the first is 1), or NULL where it is not held any more, or not yet sent. */
struct pp_packet *pp_trail_at(const struct pp_trail *trail, uint64_t number);

/* The token for the client that is connected now. */
void pp_trail_token(const struct pp_trail *trail, char out[PP_TOKEN_SIZE]);

/* The client has shown that it got its token: the one before is no longer good. */
void pp_trail_heard(struct pp_trail *trail);

/* The connection is lost. May evict sessions, this one among them. */
void pp_trail_detach(struct pp_trail *trail);
bool pp_trail_is_detached(const struct pp_trail *trail);

enum pp_verdict { PP_RESUME_GOOD, PP_RESUME_UNKNOWN, PP_RESUME_BAD_TOKEN, PP_RESUME_GAP };

/* May a client with this token, which has got `offset` messages, go on? Changes nothing. */
enum pp_verdict pp_trail_judge(const struct pp_trail *trail, const char *token, uint64_t offset);

/* It does, with the token that was judged good: a new connection, with a token of its own. */
void pp_trail_resume(struct pp_trail *trail, const char *token);

#endif

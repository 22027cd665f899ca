/* Trails: offsets, generations of tokens, and the one budget that all share. */
#include "session/recovery.h"

#include "base/memory.h"
#include "session/history.h"

#include <stdlib.h>

struct pp_recovery {
    struct pp_recovery_limits limits;
    struct pp_recovery_stats stats;
    size_t bytes;                     /* that all trails hold together */
    struct pp_trail *oldest, *newest; /* of the detached */
    size_t detached;
    void (*evict)(void *owner);
    struct pp_token_key key;
};

struct pp_trail {
    struct pp_recovery *recovery;
    struct pp_history history;
    uint64_t offset;                /* messages sent so far; the last of them is the newest in the history */
    uint64_t generation;            /* connections so far: the token's */
    uint64_t proven;                /* the last generation whose token the client has shown to have */
    struct pp_trail *older, *newer; /* while detached */
    bool detached;
    const char *sid;
    void *owner;
};

/* --- the server's --- */

struct pp_recovery *pp_recovery_new(const void *secret, size_t len, void (*evict)(void *owner))
{
    struct pp_recovery *recovery = pp_calloc(1, sizeof *recovery);
    recovery->evict = evict;
    pp_token_key_create(&recovery->key, secret, len);
    return recovery;
}

void pp_recovery_delete(struct pp_recovery *recovery)
{
    if (recovery == NULL)
        return;
    pp_token_key_destroy(&recovery->key);
    free(recovery);
}

void pp_recovery_set_limits(struct pp_recovery *recovery, struct pp_recovery_limits limits)
{
    recovery->limits = limits;
}

const struct pp_recovery_limits *pp_recovery_limits(const struct pp_recovery *recovery)
{
    return &recovery->limits;
}

const char *pp_recovery_epoch(const struct pp_recovery *recovery)
{
    return recovery->key.epoch;
}

size_t pp_recovery_bytes(const struct pp_recovery *recovery)
{
    return recovery->bytes;
}

size_t pp_recovery_detached(const struct pp_recovery *recovery)
{
    return recovery->detached;
}

struct pp_recovery_stats *pp_recovery_stats(struct pp_recovery *recovery)
{
    return &recovery->stats;
}

/* --- detached ones --- */

static void leave_detached(struct pp_trail *trail)
{
    struct pp_recovery *recovery = trail->recovery;
    if (!trail->detached)
        return;
    *(trail->older ? &trail->older->newer : &recovery->oldest) = trail->newer;
    *(trail->newer ? &trail->newer->older : &recovery->newest) = trail->older;
    trail->older = trail->newer = NULL;
    trail->detached = false;
    recovery->detached--;
    recovery->bytes -= PP_DETACHED_COST;
}

static void evict(struct pp_trail *trail)
{
    leave_detached(trail);
    pp_history_clear(&trail->history, &trail->recovery->bytes);
    trail->recovery->stats.evicted++;
    trail->recovery->evict(trail->owner);
}

static void keep_within_budget(struct pp_recovery *recovery)
{
    while (recovery->bytes > recovery->limits.max_total && recovery->oldest != NULL)
        evict(recovery->oldest);
}

void pp_trail_detach(struct pp_trail *trail)
{
    struct pp_recovery *recovery = trail->recovery;
    trail->older = recovery->newest;
    *(trail->older ? &trail->older->newer : &recovery->oldest) = trail;
    recovery->newest = trail;
    trail->detached = true;
    recovery->detached++;
    recovery->bytes += PP_DETACHED_COST;
    keep_within_budget(recovery);
}

bool pp_trail_is_detached(const struct pp_trail *trail)
{
    return trail->detached;
}

/* --- a session's --- */

struct pp_trail *pp_trail_new(struct pp_recovery *recovery, const char *sid, void *owner)
{
    struct pp_trail *trail = pp_calloc(1, sizeof *trail);
    trail->recovery = recovery;
    trail->sid = sid;
    trail->owner = owner;
    trail->generation = trail->proven = 1;
    return trail;
}

void pp_trail_delete(struct pp_trail *trail)
{
    if (trail == NULL)
        return;
    leave_detached(trail);
    pp_history_clear(&trail->history, &trail->recovery->bytes);
    free(trail);
}

struct pp_recovery *pp_trail_recovery(const struct pp_trail *trail)
{
    return trail->recovery;
}

void pp_trail_add(struct pp_trail *trail, struct pp_packet *packet)
{
    struct pp_recovery *recovery = trail->recovery;
    const struct pp_recovery_limits *limits = &recovery->limits;
    trail->offset++;
    pp_history_push(&trail->history, packet, limits->max_count, limits->max_bytes, &recovery->bytes);
    if (recovery->bytes <= limits->max_total)
        return;
    keep_within_budget(recovery);
    while (recovery->bytes > limits->max_total && trail->history.count > 0)
        pp_history_shift(&trail->history, &recovery->bytes);
    if (recovery->bytes > limits->max_total) /* by the ring that this took: then it does without one */
        pp_history_clear(&trail->history, &recovery->bytes);
}

uint64_t pp_trail_offset(const struct pp_trail *trail)
{
    return trail->offset;
}

struct pp_packet *pp_trail_at(const struct pp_trail *trail, uint64_t number)
{
    if (number > trail->offset || number <= trail->offset - trail->history.count)
        return NULL;
    return pp_history_at(&trail->history, (uint32_t)(number - 1 - (trail->offset - trail->history.count)));
}

void pp_trail_token(const struct pp_trail *trail, char out[PP_TOKEN_SIZE])
{
    pp_token_write(&trail->recovery->key, trail->sid, trail->generation, out);
}

void pp_trail_heard(struct pp_trail *trail)
{
    trail->proven = trail->generation;
}

enum pp_verdict pp_trail_judge(const struct pp_trail *trail, const char *token, uint64_t offset)
{
    const struct pp_token_key *key = &trail->recovery->key;
    bool newest = pp_token_matches(key, trail->sid, trail->generation, token);
    bool proven = pp_token_matches(key, trail->sid, trail->proven, token);
    if (!newest && !proven)
        return PP_RESUME_BAD_TOKEN;
    if (offset > trail->offset || trail->offset - offset > trail->history.count)
        return PP_RESUME_GAP;
    return PP_RESUME_GOOD;
}

void pp_trail_resume(struct pp_trail *trail, const char *token)
{
    leave_detached(trail);
    if (pp_token_matches(&trail->recovery->key, trail->sid, trail->generation, token))
        trail->proven = trail->generation;
    trail->generation++;
}

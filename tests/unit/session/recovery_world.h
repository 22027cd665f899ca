/* A server, its clients and the lines between them, where nothing happens by itself: for the model of recovery.
 *
 *     client ◀── wire (packets that are under way) ◀── session          its twin: what the reference knows of the
 * session
 *
 * The twin keeps every message that the session was ever sent. A client that gets its n-th message looks whether that
 * is the twin's n-th: exactly once and in order is no more than that. */
#ifndef PP_TESTS_SESSION_RECOVERY_WORLD_H
#define PP_TESTS_SESSION_RECOVERY_WORLD_H

#include "base/memory.h"
#include "net/loop.h"
#include "net/loop_clock.h"
#include "random.h"
#include "session/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 5
#define TWINS 512
#define GENERATIONS 256
#define QUEUE 4096

struct message {
    unsigned id;
    size_t len; /* as sent */
};

struct twin {
    struct pp_session *session; /* NULL once its end was told */
    struct wire *wire;          /* the server's end of it; NULL while detached */
    char sid[PP_UUID_SIZE];
    struct message *sent;
    unsigned count, cap, start; /* those from `start` on can be sent again */
    unsigned rooms;             /* one bit each */
    unsigned generation, proven;
    char tokens[GENERATIONS][PP_TOKEN_SIZE]; /* by generation; empty where it was never sent */
    uint64_t until;                          /* detached: when it expires */
    bool over, accepted;
};

struct client {
    struct wire *wire; /* NULL: not connected */
    struct twin *twin;
    char sid[PP_UUID_SIZE], token[PP_TOKEN_SIZE];
    uint64_t offset;
};

struct wire {
    struct client *client; /* NULL: it is gone, whether the server has noticed or not */
    struct twin *twin;     /* NULL: the server has let go of it */
    struct pp_packet *queue[QUEUE];
    unsigned head, count;
    size_t bytes;
    uint16_t code; /* the server is closing with it; 0: open */
    bool took, refused;
    char old_sid[PP_UUID_SIZE]; /* of the session that was asked for; empty: none */
    uint64_t claimed;
    bool good; /* it is to be recovered */
};

struct world {
    uint64_t seed;
    unsigned step;
    struct pp_random random;
    struct pp_loop *loop;
    struct pp_session_config config;
    struct pp_session_stats stats;
    struct pp_recovery_limits limits;
    bool tight; /* the budget of all is small: what it takes is not foreseen */
    struct client clients[CLIENTS];
    struct twin *twins[TWINS];
    unsigned twin_count, next_id;
    struct wire *wires[TWINS];
    unsigned wire_count;
    bool faulty;
};

static struct world world;

__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
    va_list args;
    if (world.faulty)
        return;
    world.faulty = true;
    va_start(args, format);
    fprintf(stderr, "PP_SEED=%llu, step %u: ", (unsigned long long)world.seed, world.step);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

static unsigned below(unsigned n)
{
    return (unsigned)pp_random_below(&world.random, n);
}

static bool chance(unsigned percent)
{
    return below(100) < percent;
}

/* --- the wire --- */

static void drop_queue(struct wire *wire)
{
    for (; wire->count > 0; wire->head++, wire->count--)
        pp_packet_unref(wire->queue[wire->head % QUEUE]);
    wire->bytes = 0;
}

static enum pp_conn_send wire_send(void *self, struct pp_packet *packet)
{
    struct wire *wire = self;
    if (wire->code != 0)
        return PP_CONN_CLOSED;
    if (wire->count > 0 && wire->bytes + packet->len > world.config.conn.max_queue) {
        wire->refused = true;
        return PP_CONN_FULL;
    }
    if (wire->count == QUEUE)
        abort();
    wire->queue[(wire->head + wire->count++) % QUEUE] = pp_packet_ref(packet);
    wire->bytes += packet->len;
    wire->took = true;
    return PP_CONN_QUEUED;
}

static size_t wire_queued(void *self)
{
    return ((struct wire *)self)->bytes;
}

static bool wire_is_open(void *self)
{
    return ((struct wire *)self)->code == 0;
}

static void wire_close(void *self, uint16_t code, const char *reason, bool drop)
{
    struct wire *wire = self;
    (void)reason;
    wire->code = code;
    if (drop)
        drop_queue(wire);
}

static void wire_forget(void *self)
{
    struct wire *wire = self;
    wire->twin = NULL;
    if (wire->code == 0)
        wire->code = 1006;
}

static void wire_pause(void *self, bool paused)
{
    (void)self, (void)paused; /* the world sends nothing to a session that is held */
}

static const struct pp_sink_ops wire_ops = {.send = wire_send,
                                            .queued = wire_queued,
                                            .is_open = wire_is_open,
                                            .close = wire_close,
                                            .pause = wire_pause,
                                            .forget = wire_forget};

static struct wire *wire_new(struct client *client)
{
    struct wire *wire = pp_calloc(1, sizeof *wire);
    wire->client = client;
    client->wire = wire;
    world.wires[world.wire_count++] = wire;
    return wire;
}

/* What a connection does at the end of a turn: tells of an end, goes. */
static void settle_wires(void)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < world.wire_count; i++) {
        struct wire *wire = world.wires[i];
        struct twin *twin = wire->twin;
        if (wire->code != 0 && twin != NULL) {
            wire->twin = NULL;
            pp_session_on_closed(twin->session, wire->code, "", false);
        }
        if (wire->twin == NULL && (wire->client == NULL || wire->count == 0)) {
            if (wire->client != NULL)
                wire->client->wire = NULL;
            drop_queue(wire);
            free(wire);
        } else {
            world.wires[kept++] = wire;
        }
    }
    world.wire_count = kept;
}

/* --- the sessions' events --- */

static void on_message(void *owner, const struct pp_message *message)
{
    (void)owner, (void)message;
}

static void on_limited(void *owner, const struct pp_refusal *refusal)
{
    (void)owner, (void)refusal;
}

static void on_full(void *owner)
{
    (void)owner;
}

static void on_detached(void *owner, const char *reason, uint16_t code)
{
    struct twin *twin = owner;
    (void)reason, (void)code;
    twin->wire = NULL;
    twin->until = pp_loop_now(world.loop) + world.limits.retention_ms;
}

static void on_closed(void *owner, const char *reason, uint16_t code)
{
    struct twin *twin = owner;
    (void)code;
    bool expired = strcmp(reason, "expired") == 0, evicted = strcmp(reason, "evicted") == 0;
    if (expired && (twin->wire != NULL || pp_loop_now(world.loop) < twin->until))
        fault("it expired too early");
    if (evicted && !world.tight)
        fault("it was evicted without need");
    if (!twin->over && !expired && !evicted)
        fault("it ended for no reason: %s", reason);
    twin->over = true;
    twin->session = NULL;
    twin->wire = NULL;
}

static const struct pp_session_ops session_ops = {.message = on_message,
                                                  .limited = on_limited,
                                                  .backpressure = on_full,
                                                  .detached = on_detached,
                                                  .closed = on_closed};

/* --- the reference --- */

static struct twin *twin_of(const char *sid)
{
    for (unsigned i = 0; i < world.twin_count; i++)
        if (strcmp(world.twins[i]->sid, sid) == 0)
            return world.twins[i];
    return NULL;
}

static void twin_add(struct twin *twin, unsigned id, size_t len)
{
    size_t bytes = 0;
    unsigned first;
    if (twin->count == twin->cap) {
        twin->cap = twin->cap ? twin->cap * 2 : 16;
        twin->sent = pp_realloc(twin->sent, twin->cap * sizeof *twin->sent);
    }
    twin->sent[twin->count++] = (struct message){.id = id, .len = len};
    for (first = twin->count; first > twin->start; first--) {
        bytes += twin->sent[first - 1].len;
        if (bytes > world.limits.max_bytes || twin->count - first == world.limits.max_count)
            break;
    }
    twin->start = first;
}

/* What must become of a request. */
static enum pp_verdict expect(const struct twin *twin, const char *token, uint64_t offset)
{
    if (twin == NULL || twin->over || twin->session == NULL)
        return PP_RESUME_UNKNOWN;
    bool newest = *token != '\0' && strcmp(token, twin->tokens[twin->generation]) == 0;
    bool proven = *token != '\0' && strcmp(token, twin->tokens[twin->proven]) == 0;
    if (!newest && !proven)
        return PP_RESUME_BAD_TOKEN;
    return offset > twin->count || offset < twin->start ? PP_RESUME_GAP : PP_RESUME_GOOD;
}

#endif

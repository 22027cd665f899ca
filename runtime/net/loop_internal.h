/* What the files of net/ share of the loop. Not for other folders. */
#ifndef PP_NET_LOOP_INTERNAL_H
#define PP_NET_LOOP_INTERNAL_H

#include "net/loop.h"
#include "net/loop_task.h"

#include <stddef.h>
#include <uv.h>

#define PP_LOOP_BUFFER (64 * 1024)

struct lws_context;
struct pp_conn;
struct pp_histogram;

/* Timers on one clock, and what wakes the loop for them. */
struct pp_loop_timers {
    struct pp_wheel wheel;
    uv_timer_t handle;
    uint64_t armed; /* due time that the handle stands at, UINT64_MAX while stopped */
};

/* The clock of the loop: net/loop_clock.c. */
struct pp_loop_clock {
    bool frozen;
    uint64_t ahead;           /* of libuv's clock, modulo 2^64; while it runs */
    uint64_t now, target;     /* while it is frozen */
    bool wrote;               /* something may be on its way through the system */
    unsigned quiet;           /* turns in a row in which no socket was ready */
    int marker;               /* a datagram socket that hears itself, to know when it is not; -1: not made yet */
    struct pp_timer *at_once; /* those due already, newest first; while it is frozen */
    void (*done)(void *arg);  /* of the advance under way, or NULL */
    void *arg;
};

/* Tasks in the order in which they were queued. */
struct pp_turn_tasks {
    struct pp_turn_task *first, **tail;
};

struct pp_loop {
    uv_loop_t uv;
    uv_check_t check;
    uv_prepare_t prepare;
    struct pp_loop_timers timers; /* by the loop's clock */
    struct pp_loop_timers guards; /* by the machine's */
    struct pp_loop_clock clock;
    struct pp_turn_tasks tasks, later; /* of this turn, and of the next */
    uv_idle_t spin;                    /* keeps the loop from waiting while it is started */
    bool (*idle_step)(void *arg);
    void *idle_arg;
    struct pp_histogram *turns;       /* how long they are; NULL: nobody asks. net/loop_delay.c */
    uint64_t turn_began, idle_before; /* ns; the time that libuv had waited by then */
    uv_poll_t listened;               /* whom pp_loop_on_readable watches */
    void (*readable)(void);
    struct pp_conn *closing; /* those that no owner knows of any more: net/conn.c */
    struct lws_context *lws; /* made on first use: net/lws.h */
    int parked_fd;           /* takes the place of a descriptor that leaves libwebsockets: net/adopt.c */
    bool running;
    unsigned char rx[PP_LOOP_BUFFER]; /* what a readable connection reads into */
    unsigned char tx[PP_LOOP_BUFFER]; /* where small packets are gathered for one write */
};

/* The loop's clock: libuv's, unless it was ever frozen. */
static inline uint64_t pp_loop_time(const struct pp_loop *loop)
{
    return loop->clock.frozen ? loop->clock.now : uv_now(&loop->uv) + loop->clock.ahead;
}

/* Is no descriptor of the loop ready, at this moment? */
bool pp_loop_is_quiet(struct pp_loop *loop);

/* Runs what is queued for the end of the turn. */
void pp_loop_run_tasks(struct pp_loop *loop);

/* Around what is no part of a turn, where turns are measured. */
void pp_loop_turn_ends(struct pp_loop *loop);
void pp_loop_turn_begins(struct pp_loop *loop);

/* One step of a frozen clock, after the tasks of a turn. True where there is more to do without waiting. */
bool pp_loop_clock_step(struct pp_loop *loop);

#endif

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

struct pp_loop {
    uv_loop_t uv;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_timer_t wheel_timer;
    struct pp_wheel wheel;
    uint64_t wheel_armed; /* due time the uv timer stands at, UINT64_MAX while stopped */
    struct pp_turn_task *tasks, **tasks_tail;
    bool (*idle_step)(void *arg);
    void *idle_arg;
    struct pp_conn *closing; /* those that no owner knows of any more: net/conn.c */
    struct lws_context *lws; /* made on first use: net/lws.h */
    int parked_fd;           /* takes the place of a descriptor that leaves libwebsockets: net/adopt.c */
    bool running;
    unsigned char rx[PP_LOOP_BUFFER]; /* what a readable connection reads into */
    unsigned char tx[PP_LOOP_BUFFER]; /* where small packets are gathered for one write */
};

#endif

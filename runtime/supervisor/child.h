/* A worker as its supervisor sees it: starting it, looking whether its loop turns, and saying what it was doing. */
#ifndef PP_SUPERVISOR_CHILD_H
#define PP_SUPERVISOR_CHILD_H

#include "supervisor/pulse.h"
#include "supervisor/sockets.h"

#include <stdint.h>
#include <sys/types.h>

struct pp_child {
    pid_t pid; /* 0: there is none */
    int post;  /* -1 without it */
    struct pp_pulse *pulse;
    uint64_t started; /* ms */
    uint32_t ping;
    uint64_t hung; /* ms that the last ping is unanswered */
    uint64_t cpu;  /* ms of processor time that it had used at the last look */
    bool ready;    /* its application has loaded */
    bool ending;   /* it is being killed, because it hangs */
};

/* Runs this program again, with the same arguments, as a worker that has these sockets. It dies with the process that
 * calls this. False, logged, where it can't be. */
bool pp_child_start(struct pp_child *child, char **argv, const struct pp_sockets *sockets);

/* Looks whether its last ping was answered, and sends another then. `ms` is how long the look before was ago. Time in
 * which the worker was stopped or held by a debugger, or would have run and was not let, is not held against it. */
void pp_child_look(struct pp_child *child, uint64_t ms);

/* Logs an error about it, with the handler and message type that it was in. `extra` is one more field: its name, or
 * NULL, and its value. */
void pp_child_log(const struct pp_child *child, const char *text, const char *generation, const char *extra,
                  const char *value);

/* It has ended: frees what was kept for it. */
void pp_child_forget(struct pp_child *child);

#endif

/* A worker's side: what it gets from its supervisor and tells it. Without one, a process is its own: it takes nothing,
 * keeps nothing, and speaks to the service manager itself. */
#ifndef PP_SUPERVISOR_WORKER_H
#define PP_SUPERVISOR_WORKER_H

#include <stdbool.h>

/* The variable in which a supervisor names the descriptors of a worker's post and pulse. */
#define PP_WORKER_VARIABLE "PAINDA_WORKER"

/* Called first of all. True where this process is a worker. */
bool pp_worker_begin(void);

/* Called with each signal that the supervisor was sent. */
void pp_worker_on_signal(void (*caught)(int signum));

/* The descriptor on which the supervisor speaks, to be watched by the loop, or -1; and what to do once it is readable,
 * which is the proof that the loop turns. */
int pp_worker_post(void);
void pp_worker_answer(void);

/* Tells the supervisor (printf's format), or the service manager what concerns it. */
__attribute__((format(printf, 1, 2))) void pp_worker_tell(const char *format, ...);

/* A listening socket that the worker before had under `address`, or -1. It is the caller's. */
int pp_worker_take_socket(const char *address);

/* Hands the supervisor a listening socket to hold open for the next worker. The caller keeps its own. */
void pp_worker_keep_socket(const char *address, int fd);

/* Ends listening on the socket for everybody who holds it; the caller closes its own. */
void pp_worker_drop_socket(int fd);

/* The application has loaded: sockets that it did not ask for are closed. */
void pp_worker_is_ready(int generation);

#endif

/* The event loop: libuv below, one timer wheel, and the end of each turn, where what the turn queued is written.
 *
 *     timers, sockets → handlers queue packets → end of turn: one write per connection → idle work → wait */
#ifndef PP_NET_LOOP_H
#define PP_NET_LOOP_H

#include "base/wheel.h"

#include <stdbool.h>
#include <stdint.h>

struct pp_loop;

struct pp_loop *pp_loop_new(void);

/* Runs until pp_loop_stop, also where that was called before; may be called again after that. */
void pp_loop_run(struct pp_loop *loop);
void pp_loop_stop(struct pp_loop *loop);

/* Closes what is left open on the loop and frees it. */
void pp_loop_delete(struct pp_loop *loop);

/* Monotonic milliseconds of the loop's clock, read once a turn. It is the machine's, but for tests: net/loop_clock.h.
 */
uint64_t pp_loop_now(const struct pp_loop *loop);

/* The same clock in nanoseconds, read now. */
uint64_t pp_loop_now_ns(const struct pp_loop *loop);

/* Fires once, `after` ms from now or later. A pending timer is moved. Timers that are due at the same time fire in the
 * order in which they were started. */
void pp_loop_timer_start(struct pp_loop *loop, struct pp_timer *timer, uint64_t after);

/* The same by the machine's clock, whatever the loop's says: for what guards sockets and tests. */
void pp_loop_guard_start(struct pp_loop *loop, struct pp_timer *timer, uint64_t after);

/* Stops a timer of either kind. */
void pp_loop_timer_stop(struct pp_loop *loop, struct pp_timer *timer);

/* Work for when nothing is waiting, in small steps: `step` returns false once there is no more for now. It is called
 * again only while no socket is ready and no timer is due. */
void pp_loop_set_idle(struct pp_loop *loop, bool (*step)(void *arg), void *arg);

/* Calls `caught` in the loop for each signal until the loop is deleted. */
void pp_loop_on_signal(struct pp_loop *loop, int signum, void (*caught)(void *arg, int signum), void *arg);

/* Calls `readable` in the loop whenever the descriptor is, until the loop is deleted; it must then read all there is.
 * One descriptor a loop. */
void pp_loop_on_readable(struct pp_loop *loop, int fd, void (*readable)(void));

/* Tells of changes to the files in `directory`: `changed` gets the name within it, or NULL where the system did not
 * say. Returns 0, or a negative errno. The watch lasts until pp_loop_unwatch or the loop's end. */
struct pp_watch;
int pp_loop_watch(struct pp_loop *loop, const char *directory, void (*changed)(void *arg, const char *name), void *arg,
                  struct pp_watch **watch_out);
void pp_loop_unwatch(struct pp_watch *watch);

#endif

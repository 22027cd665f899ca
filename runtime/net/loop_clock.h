/* The loop's clock held still and moved by hand, so that tests need not wait. Sockets, and the timers of
 * pp_loop_guard_start, go on in real time meanwhile.
 *
 *     freeze ─▶ advance … advance ─▶ thaw: the clock goes on from where it stands */
#ifndef PP_NET_LOOP_CLOCK_H
#define PP_NET_LOOP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct pp_loop;

/* A clock that is frozen stays so. */
void pp_loop_clock_freeze(struct pp_loop *loop);
bool pp_loop_clock_frozen(const struct pp_loop *loop);

/* Moves the clock `ms` ahead, over the next turns: to each time that a timer is due at, in order, once what was started
 * before has come to rest (tasks of the turn, bytes on sockets). `done` is called when the clock is there and all is at
 * rest again. False where the clock is not frozen, or is being advanced already. */
bool pp_loop_clock_advance(struct pp_loop *loop, uint64_t ms, void (*done)(void *arg), void *arg);

/* Gives the clock back. Timers keep the time they have left. An advance under way ends where it is, `done` is called.
 */
void pp_loop_clock_thaw(struct pp_loop *loop);

#endif

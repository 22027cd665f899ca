/* Work beside the loop, on a thread of its own: for what takes too long between two messages and touches nothing that
 * the loop's thread does.
 *
 * A thread for each, and no pool: in a process with two threads every system call on a descriptor costs more, so the
 * second is gone once the work is done. It has the priority of the loop's: with a lower one, what both need of the
 * system waits for it as well. */
#ifndef PP_NET_WORK_H
#define PP_NET_WORK_H

struct pp_loop;
struct pp_work;

/* Calls work(arg) on a thread that hears no signals, then done(arg) in the loop. NULL where there is no thread to be
 * had: nothing is called then. */
struct pp_work *pp_work_start(struct pp_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* Waits until the work has ended; `done` is not called. For an owner that goes, and before the loop does. */
void pp_work_end(struct pp_work *work);

#endif

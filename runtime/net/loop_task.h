/* Work for the end of a loop turn, or for the next one: see net/loop.h. */
#ifndef PP_NET_LOOP_TASK_H
#define PP_NET_LOOP_TASK_H

#include <stdbool.h>

struct pp_loop;

/* Called once for each time that it was queued. Embedded in its owner. */
struct pp_turn_task {
    struct pp_turn_task *next;
    bool queued;
    void (*run)(struct pp_turn_task *task);
};

/* Queues `task` for the end of this turn; a queued one stays where it is. Tasks may queue tasks. */
void pp_loop_at_turn_end(struct pp_loop *loop, struct pp_turn_task *task);

/* Queues `task` for the next turn, which begins without waiting: it runs once the sockets were looked at. For what must
 * not keep the loop from them, however often it starts itself again. */
void pp_loop_at_next_turn(struct pp_loop *loop, struct pp_turn_task *task);

/* Takes a task back that may be queued: its owner goes. */
void pp_loop_forget_task(struct pp_loop *loop, struct pp_turn_task *task);

#endif

/* How long the turns of the loop are: the time that what is ready may have to wait for its own. */
#ifndef PP_NET_LOOP_DELAY_H
#define PP_NET_LOOP_DELAY_H

struct pp_histogram;
struct pp_loop;

/* From here on the length of each turn, from its waking to when the loop waits again, is added to `into`, which must
 * stay; NULL: no more. Work for when nothing waits is no part of a turn. */
void pp_loop_measure(struct pp_loop *loop, struct pp_histogram *into);

#endif

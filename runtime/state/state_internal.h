/* What state.c has for list.c. */
#ifndef PP_STATE_STATE_INTERNAL_H
#define PP_STATE_STATE_INTERNAL_H

#include "state/state.h"

/* The state that the block is in, or NULL. */
struct pp_state *pp_state_of(const struct pp_state_block *block);

/* Room for ids below `size`; false where the state would have too many. */
bool pp_state_reserve(struct pp_state_group *group, uint32_t size);

/* A block with initial values, which is touched, to be put into the group. The state has room for it. */
struct pp_state_block *pp_state_new_item(struct pp_state_group *group);

/* The block, which has been taken out of its group, is gone for good, but for who still holds it. */
void pp_state_drop(struct pp_state_block *block);

/* What is GONE is there again, with initial values: the same block, or where somebody holds that another one. */
struct pp_state_block *pp_state_resurrect(struct pp_state_block *block);

#endif

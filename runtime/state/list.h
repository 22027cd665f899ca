/* What of lists the other files of this folder need. */
#ifndef PP_STATE_LIST_H
#define PP_STATE_LIST_H

#include "state/state.h"

/* How far a walk through a list has come; zeroed it begins. */
struct pp_state_walk {
    uint32_t place;  /* now … */
    uint32_t before; /* … and at the last commit */
};

/* The next of the splices that make the list of the last commit what it is now; its new items stand in front of the
 * walk's place. False: there is none. */
bool pp_state_next_splice(const struct pp_state_group *list, struct pp_state_walk *walk,
                          struct pp_state_splice *splice);

/* The group is again as at the last commit, but for what is in its blocks; new ones are gone. For a list that has
 * `moved`. */
void pp_state_move_back(struct pp_state_group *list);

/* All items are where they were sent. */
void pp_state_note_places(struct pp_state_group *list);

#endif

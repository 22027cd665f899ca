/* Who sees which part of a state: some of the state's maps are of *entities*, of which each member sees its own choice;
 * all else is seen by everybody.
 *
 *     { phase = "night", players = { p1 = { x = 3, y = 4 }, p2 = … } }      players is such a map, p1 an entity
 *
 * An entity has a number, from when it comes until after it is gone, so that what somebody sees is a set of numbers for
 * each map: a *sight*. The change of an entity is written once, and put together for each sight by copying. What comes
 * into a sight is a member that was added, what leaves it one that was deleted (delta/delta.h).
 *
 *     pp_interest_look(interest, before, now);         at every change of the state
 *     pp_interest_find(interest, place, x, y, radius, &seen.sets[map]);    or number by number
 *     if (pp_interest_write(interest, &known, &seen, &out)) … send out, and `seen` is what is known …
 *
 * Where such a map is none (it is not there, or a list), nobody sees it. */
#ifndef PP_INTEREST_INTEREST_H
#define PP_INTEREST_INTEREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interest/set.h"
#include "value/value.h"

struct pp_buf;
struct pp_interest;
struct pp_state_block;

#define PP_INTEREST_MAPS 8
#define PP_INTEREST_PLACES 16

/* Zero-initialised nothing is seen. Of maps from `maps` on all is seen: they were asked for later. */
struct pp_sight {
    struct pp_set sets[PP_INTEREST_MAPS];
    uint32_t maps;
};

struct pp_interest *pp_interest_new(void);

/* The same of a declared state (state/view.h), which it holds: numbers are the ids of a map's items, which nobody can
 * keep, and what is written is bits instead of JSON. */
struct pp_interest *pp_interest_new_of_state(struct pp_state_block *root);
void pp_interest_delete(struct pp_interest *interest);

/* The number of the state's map of that name, which is one of entities from the next look on. -1: there are
 * PP_INTEREST_MAPS. */
int pp_interest_map(struct pp_interest *interest, const char *name, size_t len);

/* The number of a map's coordinates: what they are called in its entities. -1: there are PP_INTEREST_PLACES. */
int pp_interest_place(struct pp_interest *interest, int map, const char *x, const char *y);

uint32_t pp_interest_map_count(const struct pp_interest *interest);

/* The state was `before` and is `now`, which is the `before` of the next look; both stay until then. The first look's
 * `before` is `now`. */
void pp_interest_look(struct pp_interest *interest, const struct pp_value *before, const struct pp_value *now);

/* Of a declared state, after its delta, or where there was none (`changed` is false) without one. */
void pp_interest_look_at_state(struct pp_interest *interest, bool changed);

/* What is wrong with a map, as the end of a sentence ("is a list"); NULL where nothing is. */
const char *pp_interest_fault(const struct pp_interest *interest, int map);

/* --- what is seen: of the state now --- */

/* The number of an entity that is there; -1 where there is none of that name. */
int64_t pp_interest_entity(const struct pp_interest *interest, int map, const char *name, size_t len);

/* All that are there; good until the next look. */
const struct pp_set *pp_interest_there(const struct pp_interest *interest, int map);

/* Adds those that are within `radius` of x, y. One whose coordinates are no numbers is nowhere. `usual` is a radius
 * that many ask for. */
void pp_interest_find(struct pp_interest *interest, int place, double x, double y, double radius, double usual,
                      struct pp_set *set);

/* Where an entity is; false where it is nowhere. */
bool pp_interest_where(const struct pp_interest *interest, int place, const char *name, size_t len, double *x,
                       double *y);

/* Sets the maps that the sight does not have: all that was there before the last look. */
void pp_interest_complete(const struct pp_interest *interest, struct pp_sight *known);

/* --- writing --- */

/* Appends the delta from what was `known` of the state before to what is `seen` of it now: true; false where it is the
 * same, unless an empty one is wanted (`always`). The part of a map is never longer than PP_DELTA_SMALL or than
 * {"__pp_value":…} with all that is seen of it. */
bool pp_interest_write(struct pp_interest *interest, const struct pp_sight *known, const struct pp_sight *seen,
                       bool always, struct pp_buf *out);

/* The same from another state, `before`, of numbers that were not given to others since (pp_interest_keep). Slower. */
bool pp_interest_write_from(struct pp_interest *interest, const struct pp_value *before, const struct pp_sight *known,
                            const struct pp_sight *seen, struct pp_buf *out);

/* The same of a declared state, an empty delta too: `copy` has what became different from it (pp_state_keep_since).
 * False where there can be none. */
bool pp_interest_write_from_copy(struct pp_interest *interest, const struct pp_state_block *copy,
                                 const struct pp_sight *known, const struct pp_sight *seen, struct pp_buf *out);

/* Appends all that is seen. */
void pp_interest_write_whole(struct pp_interest *interest, const struct pp_sight *seen, struct pp_buf *out);

/* While anybody keeps them, the numbers of what is gone are not given to others. False where that would be too many:
 * then they are, and nobody may go on with them. */
void pp_interest_keep(struct pp_interest *interest);
void pp_interest_unkeep(struct pp_interest *interest);
bool pp_interest_is_crowded(const struct pp_interest *interest);

void pp_sight_destroy(struct pp_sight *sight);

#endif

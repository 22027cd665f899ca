/* Points in the plane, found by their distance. All are put in at once; to change one is to fill the grid again, which
 * takes some ten nanoseconds a point. */
#ifndef PP_INTEREST_GRID_H
#define PP_INTEREST_GRID_H

#include <stdint.h>

#include "interest/set.h"

struct pp_grid_point {
    double x, y; /* finite */
    uint32_t number;
};

/* Zero-initialised it is empty. */
struct pp_grid {
    struct pp_grid_point *points; /* those of a bucket beside each other */
    uint32_t *starts;             /* where the points of each bucket begin, and where the last one's end */
    uint32_t count, cap;
    uint32_t buckets; /* a power of two, or 0 */
    double cell;      /* the side of a square; several squares may share a bucket */
};

/* Replaces what is in the grid. It is fastest where `cell` is about the distance that is asked for; any will do. */
void pp_grid_fill(struct pp_grid *grid, const struct pp_grid_point *points, uint32_t count, double cell);

/* Adds to the set the numbers of the points that are at most `radius` from x, y. */
void pp_grid_find(const struct pp_grid *grid, double x, double y, double radius, struct pp_set *found);

void pp_grid_destroy(struct pp_grid *grid);

#endif

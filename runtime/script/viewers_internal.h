/* What viewers.c and viewers_publish.c share. */
#ifndef PP_SCRIPT_VIEWERS_INTERNAL_H
#define PP_SCRIPT_VIEWERS_INTERNAL_H

#include "script/viewers.h"

/* What the view sees; the sets are the view's and the interest's, good until the next look. */
struct pp_sight pp_viewers_seen(struct pp_viewers *viewers, uint32_t view);

/* The viewer knows this. */
void pp_viewers_note(struct pp_viewers *viewers, struct pp_viewer *viewer, const struct pp_sight *seen);

/* May be NULL. */
void pp_parcels_delete(struct pp_parcels *parcels);

#endif

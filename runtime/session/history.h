/* The newest messages that a session was sent, as references to their packets: a ring that grows from nothing.
 *
 * Histories share packets: a broadcast is one packet in all of them. What they hold together is counted in one number,
 * each packet once, and the rings themselves. */
#ifndef PP_SESSION_HISTORY_H
#define PP_SESSION_HISTORY_H

#include "base/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised it is empty. */
struct pp_history {
    struct pp_packet **slots;
    uint32_t first, count, cap; /* the oldest is at slots[first] */
    size_t bytes;               /* of the messages here, as they are sent */
};

/* Appends a reference. At most `max_count` (1 and above) messages of `max_bytes` together stay: the oldest go. A single
 * message above max_bytes leaves the history empty. *total follows what all histories hold. */
void pp_history_push(struct pp_history *history, struct pp_packet *packet, uint32_t max_count, size_t max_bytes,
                     size_t *total);

/* Lets go of the oldest; there must be one. */
void pp_history_shift(struct pp_history *history, size_t *total);

/* The message at `index`, 0 is the oldest; index is below the count. */
struct pp_packet *pp_history_at(const struct pp_history *history, uint32_t index);

/* Lets go of everything, the ring too. */
void pp_history_clear(struct pp_history *history, size_t *total);

#endif

/* Some of a hub's members: those of several rooms together, without those of others. Each is met once; who
 * was not let in yet is not met. */
#ifndef PP_HUB_AUDIENCE_H
#define PP_HUB_AUDIENCE_H

#include "hub/hub.h"

/* The key of a room (room.h). A member's id stands for a room with that member in it, beside any who joined a room
 * of that name; "/x\0ID" is the member where it is in the namespace "/x". */
struct pp_key {
    const char *bytes;
    size_t len;
};

/* Zero-initialised it is everybody. */
struct pp_audience {
    bool in_rooms; /* only who is in one of `rooms` */
    const struct pp_key *rooms;
    size_t room_count;
    const struct pp_key *without; /* but nobody who is in one of these */
    size_t without_count;
    struct pp_member *except; /* nor this one; may be NULL */
};

/* Calls `visit` for each member. It must not change who is in the hub or in rooms, nor look at another audience. */
void pp_audience_each(struct pp_hub *hub, const struct pp_audience *audience,
                      void (*visit)(void *arg, struct pp_member *member), void *arg);

/* Sends to each member. Returns how many it was sent to. */
uint32_t pp_audience_send(struct pp_hub *hub, const struct pp_audience *audience, struct pp_outgoing *out,
                          bool is_volatile);

/* Does any of them speak text? Then a message needs its envelope even where it has a schema. */
bool pp_audience_any_text(struct pp_hub *hub, const struct pp_audience *audience);

#endif

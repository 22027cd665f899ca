/* Rooms: sets of a hub's members, by key. A room is there while somebody is in it.
 *
 * The key of a room of the default namespace is its name. In the namespace "/x" the room "name" has the key
 * "/x\0name", and "/x\0" is the room of all who are in that namespace. A name holds no NUL, so these never clash. */
#ifndef PP_HUB_ROOM_H
#define PP_HUB_ROOM_H

#include "hub/hub.h"

struct pp_room {
    struct pp_member **members; /* in no order */
    uint32_t count, cap;
    uint32_t key_len;
    char key[];
};

/* What is wrong with the name of a room, as the end of a sentence ("is empty"); NULL where nothing is. A name has 1 to
 * `max` bytes of UTF-8 without control characters. */
const char *pp_room_name_fault(const char *name, size_t len, size_t max);

/* NULL where nobody is in it. */
struct pp_room *pp_room_find(const struct pp_hub *hub, const char *key, size_t len);

bool pp_room_has(const struct pp_hub *hub, const struct pp_room *room, const struct pp_member *member);

/* True where the member was not in it before. The key is copied. */
bool pp_room_join(struct pp_hub *hub, struct pp_member *member, const char *key, size_t len);

/* True where the member was in it. The last to leave takes the room away. */
bool pp_room_leave(struct pp_hub *hub, struct pp_member *member, const char *key, size_t len);
void pp_room_leave_all(struct pp_hub *hub, struct pp_member *member);

/* Is it a room with a name, and not that of all who are in a namespace? */
bool pp_room_is_named(const struct pp_room *room);

/* How many rooms with a name the member is in. */
uint32_t pp_room_count_named(const struct pp_member *member);

#endif

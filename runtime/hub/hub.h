/* The sessions of a server, by id, by address and by room. room.h has the rooms, audience.h says who hears what. */
#ifndef PP_HUB_HUB_H
#define PP_HUB_HUB_H

#include "base/map.h"
#include "session/session.h"

struct pp_room;

/* A session's place in the hub, embedded in what owns the session. Zero-initialised but for the session. */
struct pp_member {
    struct pp_session *session;
    char *address;          /* counted under this; owned; NULL while its session is detached */
    uint32_t index;         /* in the hub's members */
    uint32_t stamp;         /* the hub's, when an audience last had this member */
    struct pp_room **rooms; /* it is in these, in no order */
    uint32_t room_count, room_cap;
};

/* Zero-initialised it is empty. */
struct pp_hub {
    struct pp_member **members;
    uint32_t count, cap;
    uint32_t detached; /* how many of them have no connection */
    struct pp_map by_id, by_address;
    struct pp_map rooms;    /* key → struct pp_room */
    struct pp_map seats;    /* room and member → the place of each in the other's array */
    uint32_t named_rooms;   /* those that are not all of a namespace */
    uint32_t stamp;         /* of the last audience */
    uint64_t joins, leaves; /* of rooms with a name, ever */
};

/* How many members have this address. */
uint32_t pp_hub_count_address(const struct pp_hub *hub, const char *address);

/* `member->session` is set; the address is copied. */
void pp_hub_add(struct pp_hub *hub, struct pp_member *member, const char *address);

/* It leaves its rooms too. */
void pp_hub_remove(struct pp_hub *hub, struct pp_member *member);

/* The member's connection is lost and its session kept: it does not count under its address. Then it has another. */
void pp_hub_detach(struct pp_hub *hub, struct pp_member *member);
void pp_hub_attach(struct pp_hub *hub, struct pp_member *member, const char *address);

/* NULL where nobody has that id. */
struct pp_member *pp_hub_by_id(const struct pp_hub *hub, const char *id, size_t len);

/* Frees the tables; the members must be gone. */
void pp_hub_destroy(struct pp_hub *hub);

#endif

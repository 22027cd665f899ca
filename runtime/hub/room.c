/* Memberships. A seat tells where a member stands in its room's array and the room in the member's, so that either is
 * taken out by moving the last into its place:
 *
 *     room->members  [ a, m, b ]          seats[room, m] = {in_room: 1, in_member: 2}
 *     m->rooms       [ x, y, room ] */
#include "hub/room.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a seat is found by. */
struct pair {
    const struct pp_room *room;
    const struct pp_member *member;
};

struct seat {
    uint32_t in_room, in_member;
};

static_assert(sizeof(struct pair) == 2 * sizeof(void *), "it is hashed as bytes");
static_assert(sizeof(void *) == 8, "a seat is kept in a map's value");

/* A map's value is never NULL, so the first index is kept one higher. */
static void *packed(struct seat seat)
{
    return (void *)((uintptr_t)seat.in_member << 32 | ((uintptr_t)seat.in_room + 1));
}

static struct seat unpacked(const void *value)
{
    uintptr_t bits = (uintptr_t)value;
    return (struct seat){.in_room = (uint32_t)bits - 1, .in_member = (uint32_t)(bits >> 32)};
}

static void *seat_value(const struct pp_hub *hub, const struct pp_room *room, const struct pp_member *member)
{
    struct pair pair = {room, member};
    return pp_map_get(&hub->seats, &pair, sizeof pair);
}

static void put_seat(struct pp_hub *hub, const struct pp_room *room, const struct pp_member *member, struct seat seat)
{
    struct pair pair = {room, member};
    *pp_map_slot(&hub->seats, &pair, sizeof pair) = packed(seat);
}

const char *pp_room_name_fault(const char *name, size_t len, size_t max)
{
    if (len == 0)
        return "is empty";
    if (len > max)
        return "is too long";
    if (!pp_utf8_valid(name, len))
        return "is not valid UTF-8";
    const unsigned char *at = (const unsigned char *)name, *end = at + len;
    for (; at < end; at++) /* U+0000 to U+001F, U+007F, and U+0080 to U+009F */
        if (*at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] < 0xA0))
            return "holds a control character";
    return NULL;
}

struct pp_room *pp_room_find(const struct pp_hub *hub, const char *key, size_t len)
{
    return pp_map_get(&hub->rooms, key, len);
}

bool pp_room_is_named(const struct pp_room *room)
{
    return room->key[room->key_len - 1] != '\0';
}

bool pp_room_has(const struct pp_hub *hub, const struct pp_room *room, const struct pp_member *member)
{
    return seat_value(hub, room, member) != NULL;
}

static struct pp_room *find_or_make(struct pp_hub *hub, const char *key, size_t len)
{
    void **slot = pp_map_slot(&hub->rooms, key, len);
    if (*slot == NULL) {
        struct pp_room *room = pp_malloc(sizeof *room + len);
        *room = (struct pp_room){.key_len = (uint32_t)len};
        memcpy(room->key, key, len);
        *slot = room;
        hub->named_rooms += pp_room_is_named(room);
    }
    return *slot;
}

bool pp_room_join(struct pp_hub *hub, struct pp_member *member, const char *key, size_t len)
{
    struct pp_room *room = find_or_make(hub, key, len);
    if (pp_room_has(hub, room, member))
        return false;
    if (room->count == room->cap) {
        room->cap = room->cap ? room->cap * 2 : 2;
        room->members = pp_realloc(room->members, room->cap * sizeof(struct pp_member *));
    }
    if (member->room_count == member->room_cap) {
        member->room_cap = member->room_cap ? member->room_cap * 2 : 2;
        member->rooms = pp_realloc(member->rooms, member->room_cap * sizeof(struct pp_room *));
    }
    put_seat(hub, room, member, (struct seat){.in_room = room->count, .in_member = member->room_count});
    room->members[room->count++] = member;
    member->rooms[member->room_count++] = room;
    hub->joins += pp_room_is_named(room);
    return true;
}

static void take_out_of_room(struct pp_hub *hub, struct pp_room *room, uint32_t index)
{
    struct pp_member *last = room->members[--room->count];
    if (index == room->count)
        return;
    room->members[index] = last;
    struct seat seat = unpacked(seat_value(hub, room, last));
    put_seat(hub, room, last, (struct seat){.in_room = index, .in_member = seat.in_member});
}

static void take_out_of_member(struct pp_hub *hub, struct pp_member *member, uint32_t index)
{
    struct pp_room *last = member->rooms[--member->room_count];
    if (index < member->room_count) {
        member->rooms[index] = last;
        struct seat seat = unpacked(seat_value(hub, last, member));
        put_seat(hub, last, member, (struct seat){.in_room = seat.in_room, .in_member = index});
    }
    if (member->room_count == 0) {
        free(member->rooms);
        member->rooms = NULL;
        member->room_cap = 0;
    }
}

static void shrink_or_free(struct pp_hub *hub, struct pp_room *room)
{
    if (room->count == 0) {
        hub->named_rooms -= pp_room_is_named(room);
        pp_map_remove(&hub->rooms, room->key, room->key_len);
        free(room->members);
        free(room);
    } else if (room->cap > 64 && room->count < room->cap / 4) {
        room->cap /= 2;
        room->members = pp_realloc(room->members, room->cap * sizeof(struct pp_member *));
    }
}

static bool leave(struct pp_hub *hub, struct pp_member *member, struct pp_room *room)
{
    struct pair pair = {room, member};
    const void *value = pp_map_remove(&hub->seats, &pair, sizeof pair);
    if (value == NULL)
        return false;
    struct seat seat = unpacked(value);
    hub->leaves += pp_room_is_named(room);
    take_out_of_room(hub, room, seat.in_room);
    take_out_of_member(hub, member, seat.in_member);
    shrink_or_free(hub, room);
    return true;
}

bool pp_room_leave(struct pp_hub *hub, struct pp_member *member, const char *key, size_t len)
{
    struct pp_room *room = pp_room_find(hub, key, len);
    return room != NULL && leave(hub, member, room);
}

void pp_room_leave_all(struct pp_hub *hub, struct pp_member *member)
{
    while (member->room_count > 0)
        leave(hub, member, member->rooms[member->room_count - 1]);
}

uint32_t pp_room_count_named(const struct pp_member *member)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < member->room_count; i++)
        count += pp_room_is_named(member->rooms[i]);
    return count;
}

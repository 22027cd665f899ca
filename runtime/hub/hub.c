/* Members in a dense array, so that a broadcast walks memory in order. */
#include "hub/hub.h"

#include "base/memory.h"
#include "hub/room.h"

#include <stdlib.h>
#include <string.h>

uint32_t pp_hub_count_address(const struct pp_hub *hub, const char *address)
{
    return (uint32_t)(uintptr_t)pp_map_get(&hub->by_address, address, strlen(address));
}

static void count_address(struct pp_hub *hub, struct pp_member *member, const char *address)
{
    member->address = pp_strndup(address, strlen(address));
    void **count = pp_map_slot(&hub->by_address, address, strlen(address));
    *count = (void *)((uintptr_t)*count + 1);
}

static void uncount_address(struct pp_hub *hub, struct pp_member *member)
{
    size_t len = strlen(member->address);
    uintptr_t count = (uintptr_t)pp_map_get(&hub->by_address, member->address, len);
    if (count <= 1)
        pp_map_remove(&hub->by_address, member->address, len);
    else
        *pp_map_slot(&hub->by_address, member->address, len) = (void *)(count - 1);
    free(member->address);
    member->address = NULL;
}

void pp_hub_detach(struct pp_hub *hub, struct pp_member *member)
{
    uncount_address(hub, member);
    hub->detached++;
}

void pp_hub_attach(struct pp_hub *hub, struct pp_member *member, const char *address)
{
    count_address(hub, member, address);
    hub->detached--;
}

void pp_hub_add(struct pp_hub *hub, struct pp_member *member, const char *address)
{
    if (hub->count == hub->cap) {
        hub->cap = hub->cap ? hub->cap * 2 : 64;
        hub->members = pp_realloc(hub->members, hub->cap * sizeof(struct pp_member *));
    }
    member->index = hub->count;
    hub->members[hub->count++] = member;
    count_address(hub, member, address);
    const char *id = pp_session_id(member->session);
    *pp_map_slot(&hub->by_id, id, strlen(id)) = member;
}

void pp_hub_remove(struct pp_hub *hub, struct pp_member *member)
{
    pp_room_leave_all(hub, member);
    struct pp_member *last = hub->members[--hub->count];
    hub->members[member->index] = last;
    last->index = member->index;
    if (member->address != NULL)
        uncount_address(hub, member);
    else
        hub->detached--;
    const char *id = pp_session_id(member->session);
    pp_map_remove(&hub->by_id, id, strlen(id));
}

struct pp_member *pp_hub_by_id(const struct pp_hub *hub, const char *id, size_t len)
{
    return pp_map_get(&hub->by_id, id, len);
}

void pp_hub_destroy(struct pp_hub *hub)
{
    free(hub->members);
    pp_map_destroy(&hub->by_id);
    pp_map_destroy(&hub->by_address);
    pp_map_destroy(&hub->rooms);
    pp_map_destroy(&hub->seats);
    *hub = (struct pp_hub){0};
}

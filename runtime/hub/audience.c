/* Each audience has a stamp of its own. Who is left out gets it at the start, who was visited gets it then: a member
 * that has it is done. */
#include "hub/audience.h"

#include "hub/room.h"

#include <string.h>

struct walk {
    uint32_t stamp;
    void (*visit)(void *arg, struct pp_member *member); /* NULL: they are only stamped */
    void *arg;
};

static uint32_t next_stamp(struct pp_hub *hub)
{
    if (++hub->stamp == 0) { /* once in four billion: no member may have a stamp to come */
        for (uint32_t i = 0; i < hub->count; i++)
            hub->members[i]->stamp = 0;
        hub->stamp = 1;
    }
    return hub->stamp;
}

static inline void meet(const struct walk *walk, struct pp_member *member)
{
    if (member->stamp == walk->stamp)
        return;
    member->stamp = walk->stamp;
    if (walk->visit != NULL && !pp_session_is_outside(member->session))
        walk->visit(walk->arg, member);
}

/* With thousands of members little of them is in the processor's cache: it is asked for some members ahead, each thing
 * once what points to it should have come. */
static void meet_all(const struct walk *walk, struct pp_member *const *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i + 6 < count) {
            __builtin_prefetch(members[i + 6]);
            __builtin_prefetch(members[i + 4]->session);
            pp_session_foresee(members[i + 2]->session);
        }
        meet(walk, members[i]);
    }
}

/* The member whose id the key ends in; NULL where there is none, or where it is not in the key's namespace. */
static struct pp_member *member_of_key(const struct pp_hub *hub, const struct pp_key *key)
{
    const char *nul = memchr(key->bytes, '\0', key->len);
    size_t ns_len = nul ? (size_t)(nul - key->bytes) + 1 : 0;
    struct pp_member *member = pp_hub_by_id(hub, key->bytes + ns_len, key->len - ns_len);
    if (member == NULL || ns_len == 0)
        return member;
    const struct pp_room *everyone = pp_room_find(hub, key->bytes, ns_len);
    return everyone != NULL && pp_room_has(hub, everyone, member) ? member : NULL;
}

static void meet_keys(const struct pp_hub *hub, const struct walk *walk, const struct pp_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct pp_room *room = pp_room_find(hub, keys[i].bytes, keys[i].len);
        if (room != NULL)
            meet_all(walk, room->members, room->count);
        struct pp_member *member = member_of_key(hub, &keys[i]);
        if (member != NULL)
            meet(walk, member);
    }
}

void pp_audience_each(struct pp_hub *hub, const struct pp_audience *audience,
                      void (*visit)(void *arg, struct pp_member *member), void *arg)
{
    struct walk walk = {.stamp = next_stamp(hub)};
    if (audience->except != NULL)
        audience->except->stamp = walk.stamp;
    meet_keys(hub, &walk, audience->without, audience->without_count);
    walk.visit = visit;
    walk.arg = arg;
    if (audience->in_rooms)
        meet_keys(hub, &walk, audience->rooms, audience->room_count);
    else
        meet_all(&walk, hub->members, hub->count);
}

struct sending {
    struct pp_outgoing *out;
    bool is_volatile;
    uint32_t sent;
};

static void send_to(void *arg, struct pp_member *member)
{
    struct sending *sending = arg;
    sending->sent += pp_session_send(member->session, sending->out, sending->is_volatile);
}

uint32_t pp_audience_send(struct pp_hub *hub, const struct pp_audience *audience, struct pp_outgoing *out,
                          bool is_volatile)
{
    struct sending sending = {.out = out, .is_volatile = is_volatile};
    pp_audience_each(hub, audience, send_to, &sending);
    return sending.sent;
}

static void look_for_text(void *arg, struct pp_member *member)
{
    bool *found = arg;
    *found = *found || pp_session_speaks_text(member->session);
}

bool pp_audience_any_text(struct pp_hub *hub, const struct pp_audience *audience)
{
    bool found = false;
    pp_audience_each(hub, audience, look_for_text, &found);
    return found;
}

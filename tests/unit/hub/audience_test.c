/* Audiences: random unions of rooms without others, held against a walk over all members. */
#include "hub/audience.h"

#include "harness.h"
#include "hub/room.h"
#include "random.h"
#include "session/link.h"
#include "wire/frame.h"

#include <stdio.h>
#include <string.h>

#define CLIENTS 24
#define ROOMS 6

static const struct pp_session_config config = {
    .conn = {.max_payload = 100000, .max_queue = 1 << 20, .close_after = 20},
    .volatile_above = 1 << 20,
};
static struct pp_session_stats stats;
static struct pp_loop *loop;
static struct pp_hub hub;
static struct client {
    struct pp_member member;
    struct link link;
    bool in[ROOMS], in_ns;
    unsigned met;
} clients[CLIENTS];

static const char names[ROOMS][4] = {"a", "b", "c", "d", "/x\0a", "/x\0b"}; /* the last two are in a namespace */

static struct pp_key room_key(int r)
{
    return (struct pp_key){names[r], r < 4 ? 1 : 4};
}

static const struct pp_key ns_key = {"/x", 3};

static void on_message(void *owner, const struct pp_message *message)
{
    (void)owner, (void)message;
}

static void on_closed(void *owner, const char *reason, uint16_t code)
{
    struct client *client = owner;
    (void)reason, (void)code;
    client->link.session = NULL;
}

static const struct pp_session_ops ops = {.message = on_message, .closed = on_closed};

static void begin(void)
{
    loop = pp_loop_new();
    hub = (struct pp_hub){0};
    memset(clients, 0, sizeof clients);
    for (int c = 0; c < CLIENTS; c++) {
        link_open(&clients[c].link, loop, &config, &stats, &ops, &clients[c], "");
        clients[c].member.session = clients[c].link.session;
        pp_hub_add(&hub, &clients[c].member, "127.0.0.1");
    }
}

/* Members leave their rooms with the hub. */
static void end(void)
{
    for (int c = 0; c < CLIENTS; c++) {
        pp_hub_remove(&hub, &clients[c].member);
        link_close(&clients[c].link);
    }
    CU_ASSERT_EQUAL(hub.rooms.count, 0);
    CU_ASSERT_EQUAL(hub.seats.count, 0);
    pp_hub_destroy(&hub);
    pp_loop_delete(loop);
}

static void put(int c, int r, bool in)
{
    struct pp_key key = room_key(r);
    clients[c].in[r] = in;
    if (in)
        pp_room_join(&hub, &clients[c].member, key.bytes, key.len);
    else
        pp_room_leave(&hub, &clients[c].member, key.bytes, key.len);
}

static void put_in_namespace(int c, bool in)
{
    clients[c].in_ns = in;
    if (in)
        pp_room_join(&hub, &clients[c].member, ns_key.bytes, ns_key.len);
    else
        pp_room_leave(&hub, &clients[c].member, ns_key.bytes, ns_key.len);
}

/* One thing that an audience may name. */
struct part {
    enum { ROOM, NAMESPACE, NOBODY, ID, ID_IN_NAMESPACE } kind;
    int which;
    char text[64];
};

static struct part random_part(struct pp_random *random)
{
    struct part part = {.kind = (int)pp_random_below(random, 5)};
    part.which = (int)pp_random_below(random, part.kind == ROOM ? ROOMS : CLIENTS);
    return part;
}

static struct pp_key key_of(struct part *part)
{
    const char *id = pp_session_id(clients[part->which % CLIENTS].member.session);
    switch (part->kind) {
    case ROOM:
        return room_key(part->which);
    case NAMESPACE:
        return ns_key;
    case ID:
        return (struct pp_key){id, strlen(id)};
    case ID_IN_NAMESPACE:
        memcpy(part->text, ns_key.bytes, ns_key.len);
        return (struct pp_key){part->text, ns_key.len + (size_t)snprintf(part->text + ns_key.len, 60, "%s", id)};
    default:
        return (struct pp_key){"nobody is here", 14};
    }
}

static bool is_in(const struct part *part, int c)
{
    switch (part->kind) {
    case ROOM:
        return clients[c].in[part->which];
    case NAMESPACE:
        return clients[c].in_ns;
    case ID:
        return part->which == c;
    case ID_IN_NAMESPACE:
        return part->which == c && clients[c].in_ns;
    default:
        return false;
    }
}

static bool is_in_any(const struct part *parts, size_t count, int c)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(&parts[i], c))
            return true;
    return false;
}

static void meet(void *arg, struct pp_member *member)
{
    (void)arg;
    ((struct client *)((char *)member - offsetof(struct client, member)))->met++;
}

static void shuffle(struct pp_random *random)
{
    for (int i = 0; i < 10; i++) {
        int c = (int)pp_random_below(random, CLIENTS);
        put(c, (int)pp_random_below(random, ROOMS), pp_random_below(random, 2) == 0);
        put_in_namespace((int)pp_random_below(random, CLIENTS), pp_random_below(random, 2) == 0);
    }
}

/* One random audience; false where somebody is not met as often as they should be. */
static bool try_one(struct pp_random *random)
{
    struct part rooms[4], without[3];
    struct pp_key room_keys[4], without_keys[3];
    struct pp_audience audience = {
        .in_rooms = pp_random_below(random, 4) != 0,
        .rooms = room_keys,
        .room_count = pp_random_below(random, 5),
        .without = without_keys,
        .without_count = pp_random_below(random, 4),
    };
    int except = (int)pp_random_below(random, 2 * CLIENTS);
    audience.except = except < CLIENTS ? &clients[except].member : NULL;
    for (size_t i = 0; i < audience.room_count; i++)
        rooms[i] = random_part(random), room_keys[i] = key_of(&rooms[i]);
    for (size_t i = 0; i < audience.without_count; i++)
        without[i] = random_part(random), without_keys[i] = key_of(&without[i]);
    for (int c = 0; c < CLIENTS; c++)
        clients[c].met = 0;
    pp_audience_each(&hub, &audience, meet, NULL);
    for (int c = 0; c < CLIENTS; c++) {
        bool wanted = (!audience.in_rooms || is_in_any(rooms, audience.room_count, c)) && c != except &&
                      !is_in_any(without, audience.without_count, c);
        if (clients[c].met != wanted)
            return false;
    }
    return true;
}

static void are_met_once_each(void)
{
    struct pp_random random = {3};
    begin();
    hub.stamp = UINT32_MAX - 2000; /* stamps begin again on the way */
    for (int i = 0; i < 5000; i++) {
        shuffle(&random);
        if (!try_one(&random)) {
            fprintf(stderr, "audience %d\n", i);
            CU_FAIL("somebody was met too often or not at all");
            break;
        }
    }
    CU_ASSERT(hub.stamp < 5000);
    end();
}

static void get_one_packet_that_is_encoded_once(void)
{
    begin();
    for (int c = 0; c < 10; c++)
        put(c, 0, true), put(c + 5, 1, true);
    const struct pp_key rooms[] = {room_key(0), room_key(1)}, without[] = {room_key(2)};
    put(3, 2, true);
    struct pp_audience audience = {.in_rooms = true, .rooms = rooms, .room_count = 2, .without = without};
    audience.without_count = 1;
    audience.except = &clients[7].member;
    struct pp_outgoing out = {.encoding = &config.encoding, .envelope = "{\"type\":\"x\"}", .envelope_len = 12};
    CU_ASSERT_EQUAL(pp_audience_send(&hub, &audience, &out, false), 13);
    CU_ASSERT_EQUAL(out.binary->refs, 14);
    pp_outgoing_destroy(&out);
    for (int c = 0; c < CLIENTS; c++) {
        bool wanted = c < 15 && c != 3 && c != 7;
        link_run(&clients[c].link, 1);
        CU_ASSERT_EQUAL(clients[c].link.got.len, wanted ? 2 + PP_FRAME_HEADER + 12 : 0);
    }
    end();
}

static void speak_text_or_not(void)
{
    begin();
    put(0, 0, true);
    put(1, 1, true);
    link_send(&clients[1].link, 0x81, "{\"type\":\"x\"}", 12);
    const struct pp_key a = room_key(0), b = room_key(1);
    CU_ASSERT_FALSE(pp_audience_any_text(&hub, &(struct pp_audience){.in_rooms = true, .rooms = &a, .room_count = 1}));
    CU_ASSERT_TRUE(pp_audience_any_text(&hub, &(struct pp_audience){.in_rooms = true, .rooms = &b, .room_count = 1}));
    CU_ASSERT_TRUE(pp_audience_any_text(&hub, &(struct pp_audience){0}));
    CU_ASSERT_FALSE(pp_audience_any_text(&hub, &(struct pp_audience){.except = &clients[1].member}));
    end();
}

static void are_answered_each_in_their_form(void)
{
    begin();
    link_send(&clients[1].link, 0x81, "{\"type\":\"x\"}", 12);
    struct pp_outgoing out = {.encoding = &config.encoding, .envelope = "{\"type\":\"y\"}", .envelope_len = 12};
    CU_ASSERT_EQUAL(pp_audience_send(&hub, &(struct pp_audience){0}, &out, false), CLIENTS);
    pp_outgoing_destroy(&out);
    for (int c = 0; c < CLIENTS; c++) {
        link_run(&clients[c].link, 1);
        CU_ASSERT_EQUAL((unsigned char)clients[c].link.got.data[0], c == 1 ? 0x81 : 0x82);
    }
    end();
}

static void do_not_count_those_that_are_closing(void)
{
    begin();
    pp_session_close(clients[0].member.session, 4000, "", "forced server disconnect");
    struct pp_outgoing out = {.encoding = &config.encoding, .envelope = "{}", .envelope_len = 2};
    CU_ASSERT_EQUAL(pp_audience_send(&hub, &(struct pp_audience){0}, &out, false), CLIENTS - 1);
    pp_outgoing_destroy(&out);
    end();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"are met once each", are_met_once_each},
        {"get one packet that is encoded once", get_one_packet_that_is_encoded_once},
        {"speak text or not", speak_text_or_not},
        {"are answered each in their form", are_answered_each_in_their_form},
        {"do not count those that are closing", do_not_count_those_that_are_closing},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("hub/audience", tests);
}

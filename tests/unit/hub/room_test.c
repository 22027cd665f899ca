/* Rooms: memberships held against a table of who is where, through thousands of random steps. */
#include "hub/room.h"

#include "harness.h"
#include "random.h"

#include <stdio.h>
#include <string.h>

#define MEMBERS 40
#define ROOMS 30

static struct pp_hub hub;
static struct pp_member members[MEMBERS]; /* without sessions: rooms do not look at them */
static bool in[MEMBERS][ROOMS];           /* what must be so */

static void begin(void)
{
    hub = (struct pp_hub){0};
    memset(members, 0, sizeof members);
    memset(in, 0, sizeof in);
}

static void end(void)
{
    for (int m = 0; m < MEMBERS; m++)
        pp_room_leave_all(&hub, &members[m]);
    CU_ASSERT_EQUAL(hub.rooms.count, 0);
    CU_ASSERT_EQUAL(hub.seats.count, 0);
    pp_hub_destroy(&hub);
}

/* Half of the rooms have a NUL in their key, and one is nothing but a namespace. */
static size_t key_of(int r, char key[16])
{
    if (r == 0)
        return (size_t)snprintf(key, 16, "/x") + 1;
    if (r % 2 == 0)
        return (size_t)snprintf(key, 16, "room %d", r);
    memcpy(key, "/x", 3);
    return 3 + (size_t)snprintf(key + 3, 13, "room %d", r);
}

static bool join(int m, int r)
{
    char key[16];
    size_t len = key_of(r, key);
    bool joined = pp_room_join(&hub, &members[m], key, len);
    memset(key, '#', sizeof key); /* it was copied */
    return joined;
}

static bool leave(int m, int r)
{
    char key[16];
    size_t len = key_of(r, key);
    return pp_room_leave(&hub, &members[m], key, len);
}

static struct pp_room *find(int r)
{
    char key[16];
    size_t len = key_of(r, key);
    return pp_room_find(&hub, key, len);
}

static bool member_agrees(int m)
{
    uint32_t count = 0, named = 0;
    for (int r = 0; r < ROOMS; r++) {
        const struct pp_room *room = find(r);
        if ((room != NULL && pp_room_has(&hub, room, &members[m])) != in[m][r])
            return false;
        count += in[m][r];
        named += in[m][r] && r != 0;
    }
    return members[m].room_count == count && pp_room_count_named(&members[m]) == named;
}

/* Each member stands in the room's array once, and the room is there only where somebody is. */
static bool room_agrees(int r)
{
    const struct pp_room *room = find(r);
    uint32_t count = 0;
    for (int m = 0; m < MEMBERS; m++)
        count += in[m][r];
    if (room == NULL || count == 0)
        return room == NULL && count == 0;
    bool seen[MEMBERS] = {0};
    for (uint32_t i = 0; i < room->count; i++) {
        int m = (int)(room->members[i] - members);
        if (!in[m][r] || seen[m])
            return false;
        seen[m] = true;
    }
    return room->count == count && pp_room_is_named(room) == (r != 0);
}

static bool agrees(void)
{
    size_t rooms = 0, named = 0;
    for (int r = 0; r < ROOMS; r++) {
        if (!room_agrees(r))
            return false;
        rooms += find(r) != NULL;
        named += find(r) != NULL && r != 0;
    }
    for (int m = 0; m < MEMBERS; m++)
        if (!member_agrees(m))
            return false;
    return hub.rooms.count == rooms && hub.named_rooms == named;
}

static bool step(struct pp_random *random)
{
    int m = (int)pp_random_below(random, MEMBERS), r = (int)pp_random_below(random, ROOMS);
    switch (pp_random_below(random, 40)) {
    case 0:
        pp_room_leave_all(&hub, &members[m]);
        memset(in[m], 0, sizeof in[m]);
        return true;
    case 1: /* all leave one room */
        for (int other = 0; other < MEMBERS; other++) {
            if (leave(other, r) != in[other][r])
                return false;
            in[other][r] = false;
        }
        return true;
    default:
        break;
    }
    bool joins = pp_random_below(random, 2) == 0, was = in[m][r];
    in[m][r] = joins;
    return joins ? join(m, r) != was : leave(m, r) == was;
}

static void hold_whoever_joins_and_leaves(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct pp_random random = {seed};
        begin();
        for (int i = 0; i < 500; i++)
            if (!step(&random) || (i % 10 == 0 && !agrees())) {
                fprintf(stderr, "seed %llu fails at step %d\n", (unsigned long long)seed, i);
                CU_FAIL("memberships differ from the model");
                break;
            }
        end();
    }
}

static void vanish_with_their_last_member(void)
{
    begin();
    CU_ASSERT_TRUE(join(0, 2));
    CU_ASSERT_FALSE(join(0, 2));
    CU_ASSERT_TRUE(join(1, 2));
    CU_ASSERT_TRUE(leave(0, 2));
    CU_ASSERT_FALSE(leave(0, 2));
    CU_ASSERT_PTR_NOT_NULL(find(2));
    CU_ASSERT_TRUE(leave(1, 2));
    CU_ASSERT_PTR_NULL(find(2));
    CU_ASSERT_PTR_NULL(members[1].rooms);
    end();
}

static void give_back_room_that_is_not_needed(void)
{
    static struct pp_member crowd[10000];
    begin();
    memset(crowd, 0, sizeof crowd);
    for (int m = 0; m < 10000; m++)
        pp_room_join(&hub, &crowd[m], "crowd", 5);
    const struct pp_room *room = pp_room_find(&hub, "crowd", 5);
    CU_ASSERT_EQUAL(room->count, 10000);
    for (int m = 0; m < 9990; m++)
        pp_room_leave(&hub, &crowd[m], "crowd", 5);
    CU_ASSERT_EQUAL(room->count, 10);
    CU_ASSERT(room->cap <= 64);
    for (int m = 9990; m < 10000; m++)
        pp_room_leave_all(&hub, &crowd[m]);
    end();
}

static void assert_fault(const char *name, size_t len, const char *expected)
{
    const char *fault = pp_room_name_fault(name, len, 255);
    if (expected == NULL)
        CU_ASSERT_PTR_NULL(fault)
    else
        CU_ASSERT_STRING_EQUAL(fault ? fault : "nothing", expected)
}

#define FAULT(name, expected) assert_fault(name, sizeof(name) - 1, expected)

static void have_names_of_text(void)
{
    char longest[256];
    memset(longest, 'x', sizeof longest);
    assert_fault(longest, 255, NULL);
    assert_fault(longest, 256, "is too long");
    FAULT("", "is empty");
    FAULT("lobby 1/a:b", NULL);
    FAULT("b\xC3\xBC"
          "cher \xF0\x9F\x93\x9A \xC2\xA0",
          NULL);
    FAULT("a\0b", "holds a control character");
    FAULT("\n", "holds a control character");
    FAULT("a\x1F", "holds a control character");
    FAULT("a\x7F", "holds a control character");
    FAULT("a\xC2\x80", "holds a control character");
    FAULT("a\xC2\x9F", "holds a control character");
    FAULT("a\xC3\x80", NULL);
    FAULT("a\xC2", "is not valid UTF-8");
    FAULT("\xED\xA0\x80", "is not valid UTF-8");
    FAULT("\xC0\x80", "is not valid UTF-8");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"hold whoever joins and leaves", hold_whoever_joins_and_leaves},
        {"vanish with their last member", vanish_with_their_last_member},
        {"give back room that is not needed", give_back_room_that_is_not_needed},
        {"have names of text", have_names_of_text},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("hub/room", tests);
}

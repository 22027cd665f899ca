/* The hub: who is in it, by id and by address. */
#include "harness.h"
#include "hub/hub.h"
#include "random.h"
#include "session/link.h"

#include <stdio.h>
#include <string.h>

#define MOST 64

struct client {
    struct pp_member member; /* member.session is the link's */
    struct link link;
    bool in;
    char address[16];
};

static const struct pp_session_config config = {
    .conn = {.max_payload = 100000, .max_queue = 1 << 20, .close_after = 20},
    .volatile_above = 1 << 20,
};
static struct pp_session_stats stats;
static struct client clients[MOST];
static struct pp_loop *loop;
static struct pp_hub hub;

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

static void enter(struct client *client, const char *address)
{
    link_open(&client->link, loop, &config, &stats, &ops, client, "");
    client->member.session = client->link.session;
    snprintf(client->address, sizeof client->address, "%s", address);
    pp_hub_add(&hub, &client->member, client->address);
    memset(client->address, 0, sizeof client->address); /* it was copied */
    snprintf(client->address, sizeof client->address, "%s", address);
    client->in = true;
}

static void leave(struct client *client)
{
    pp_hub_remove(&hub, &client->member);
    link_close(&client->link);
    client->in = false;
}

static void begin(int count)
{
    loop = pp_loop_new();
    hub = (struct pp_hub){0};
    memset(clients, 0, sizeof clients);
    for (int i = 0; i < count; i++)
        enter(&clients[i], "127.0.0.1");
}

static void end(void)
{
    for (int i = 0; i < MOST; i++)
        if (clients[i].in)
            leave(&clients[i]);
    CU_ASSERT_EQUAL(hub.count, 0);
    CU_ASSERT_EQUAL(hub.by_id.count, 0);
    CU_ASSERT_EQUAL(hub.by_address.count, 0);
    pp_hub_destroy(&hub);
    pp_loop_delete(loop);
}

static struct pp_member *find(const struct client *client)
{
    const char *id = pp_session_id(client->member.session);
    return pp_hub_by_id(&hub, id, strlen(id));
}

static void is_empty_at_first(void)
{
    begin(0);
    CU_ASSERT_EQUAL(pp_hub_count_address(&hub, "127.0.0.1"), 0);
    CU_ASSERT_PTR_NULL(pp_hub_by_id(&hub, "x", 1));
    end();
}

static bool agrees_with(unsigned in, const unsigned by_address[3])
{
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.2", "::1"};
    if (hub.count != in)
        return false;
    for (int i = 0; i < 3; i++)
        if (pp_hub_count_address(&hub, addresses[i]) != by_address[i])
            return false;
    for (uint32_t i = 0; i < hub.count; i++)
        if (hub.members[i]->index != i)
            return false;
    for (int i = 0; i < MOST; i++)
        if (clients[i].in &&
            (find(&clients[i]) != &clients[i].member || hub.members[clients[i].member.index] != &clients[i].member))
            return false;
    return true;
}

static void knows_who_is_in_it(void)
{
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.2", "::1"};
    struct pp_random random = {9};
    unsigned in = 0, by_address[3] = {0};
    begin(0);
    struct link pump = {.loop = loop, .peer = -1};
    for (int step = 0; step < 3000; step++) {
        struct client *client = &clients[pp_random_below(&random, MOST)];
        unsigned which = (unsigned)pp_random_below(&random, 3);
        if (client->in) {
            for (unsigned i = 0; i < 3; i++)
                by_address[i] -= strcmp(client->address, addresses[i]) == 0;
            leave(client);
            in--;
        } else {
            enter(client, addresses[which]);
            by_address[which]++;
            in++;
        }
        if (!agrees_with(in, by_address))
            CU_FAIL("miscounted");
        if (step % 100 == 0) /* what was closed is let go at a turn's end */
            link_run(&pump, 1);
    }
    pp_buf_destroy(&pump.got);
    end();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"is empty at first", is_empty_at_first},
        {"knows who is in it, whoever comes and goes", knows_who_is_in_it},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("hub/hub", tests);
}

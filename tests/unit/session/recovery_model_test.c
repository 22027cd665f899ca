/* Recovery against a reference: random schedules of all that can happen to sessions, their clients and the lines
 * between them. Whatever happens, what a client gets is exactly what its session was sent, once and in order, or the
 * client is told that it is not.
 *
 *     PP_SCHEDULES=100000   how many schedules (2,000)
 *     PP_SEED=17            only that one: what a failure prints */
#define _GNU_SOURCE /* memmem */
#include "harness.h"
#include "recovery_world.h"

/* --- what a client reads --- */

static void read_field(const char *json, const char *name, char *out, size_t size)
{
    const char *at = strstr(json, name);
    size_t len = at ? strcspn(at + strlen(name), "\"") : 0;
    snprintf(out, size, "%.*s", (int)len, at ? at + strlen(name) : "");
}

static uint64_t read_number(const char *json, const char *name)
{
    const char *at = strstr(json, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : UINT64_MAX;
}

static void read_session(struct wire *wire, const char *json)
{
    struct client *client = wire->client;
    read_field(json, "\"sid\":\"", client->sid, sizeof client->sid);
    read_field(json, "\"rtoken\":\"", client->token, sizeof client->token);
    client->offset = read_number(json, "\"offset\":");
    client->twin = twin_of(client->sid);
    if (client->twin == NULL)
        fault("a session that the server does not have");
    bool same = strcmp(client->sid, wire->old_sid) == 0;
    if (same != wire->good)
        fault("the session %s to be another one", same ? "was" : "was not");
    if (client->offset != (same ? wire->claimed : 0))
        fault("the session begins with the wrong offset");
}

static void read_recovery(const struct wire *wire, const char *json)
{
    bool recovered = strstr(json, "\"recovered\":true") != NULL;
    uint64_t missed = read_number(json, "\"missedCount\":"), offset = read_number(json, "\"offset\":");
    if (recovered != wire->good)
        fault("recovered: %d, but the session says %d", recovered, wire->good);
    if (offset - missed != (recovered ? wire->claimed : 0))
        fault("missedCount is wrong");
}

static void read_message(struct client *client, const char *json)
{
    const struct twin *twin = client->twin;
    unsigned id = (unsigned)read_number(json, "\"id\":");
    uint64_t at = client->offset++;
    if (twin == NULL)
        fault("a message before the session");
    else if (at >= twin->count || twin->sent[at].id != id)
        fault("message %llu is %u, and should be %u of %u", (unsigned long long)at, id,
              at < twin->count ? twin->sent[at].id : 0, twin->count);
}

/* The client reads the next packet on its wire. */
static void read_one(struct client *client)
{
    struct wire *wire = client->wire;
    struct pp_packet *packet = wire->queue[wire->head++ % QUEUE];
    char json[4096];
    wire->count--;
    wire->bytes -= packet->len;
    size_t head = packet->len - packet->payload + (packet->opcode == PP_WS_BINARY ? 16 : 0);
    snprintf(json, sizeof json, "%.*s", (int)(packet->len - head), (const char *)pp_packet_data(packet) + head);
    if (packet->opcode == PP_WS_PING) {
        if (wire->twin != NULL && wire->code == 0 && chance(50)) { /* or it is lost with the line */
            wire->twin->proven = wire->twin->generation;
            pp_session_on_pong(wire->twin->session);
        }
    } else if (strncmp(json, "{\"type\":\"__pp_session\"", 22) == 0) {
        read_session(wire, json);
    } else if (strncmp(json, "{\"type\":\"__pp_recovery\"", 23) == 0) {
        read_recovery(wire, json);
    } else if (strncmp(json, "{\"type\":\"n\"", 11) == 0) {
        read_message(client, json);
    }
    pp_packet_unref(packet);
}

static void read_all(struct client *client)
{
    while (client->wire != NULL && client->wire->count > 0)
        read_one(client);
}

/* --- the server's side of a connection, as script/lua_client.c does it --- */

/* The token as the server has sent it, found on the wire. */
static void note_token(struct twin *twin, const struct wire *wire)
{
    for (unsigned i = 0; i < wire->count; i++) {
        struct pp_packet *packet = wire->queue[(wire->head + i) % QUEUE];
        char *at = memmem(pp_packet_data(packet), packet->len, "\"rtoken\":\"", 10);
        if (at != NULL)
            snprintf(twin->tokens[twin->generation], PP_TOKEN_SIZE, "%.*s", PP_TOKEN_SIZE - 1, at + 10);
    }
}

static void accept_client(struct twin *twin)
{
    if (twin->accepted || twin->wire == NULL || twin->wire->code != 0)
        return;
    twin->accepted = true;
    pp_session_accept(twin->session);
    note_token(twin, twin->wire);
}

static void open_session(struct wire *wire, const struct pp_resume *resume, enum pp_verdict verdict)
{
    struct twin *twin = pp_calloc(1, sizeof *twin);
    world.twins[world.twin_count++] = twin;
    wire->twin = twin;
    twin->wire = wire;
    twin->generation = twin->proven = 1;
    twin->accepted = true;
    twin->session = pp_session_new_on(world.loop, &world.config, &world.stats, &session_ops, twin,
                                      (struct pp_line){.sink = &wire_ops, .self = wire}, NULL);
    snprintf(twin->sid, sizeof twin->sid, "%s", pp_session_id(twin->session));
    pp_session_greet(twin->session, resume, verdict);
    note_token(twin, wire);
}

static void resume_session(struct twin *twin, struct wire *wire, const struct pp_resume *resume)
{
    if (!pp_session_resume(twin->session, resume, (struct pp_line){.sink = &wire_ops, .self = wire}, NULL)) {
        fault("a session that was judged good is over");
        return;
    }
    wire->good = true;
    wire->twin = twin;
    twin->wire = wire;
    if (strcmp(resume->token, twin->tokens[twin->generation]) == 0)
        twin->proven = twin->generation;
    if (++twin->generation == GENERATIONS)
        abort();
    twin->accepted = false;
    pp_session_hold(twin->session);
    if (chance(80))
        accept_client(twin);
}

static void connect_client(struct client *client, const struct pp_resume *resume)
{
    struct wire *wire = wire_new(client);
    struct twin *twin = resume->asked ? twin_of(resume->sid) : NULL;
    enum pp_verdict expected = resume->asked ? expect(twin, resume->token, resume->offset) : PP_RESUME_UNKNOWN;
    enum pp_verdict verdict = PP_RESUME_UNKNOWN;
    if (resume->asked)
        snprintf(wire->old_sid, sizeof wire->old_sid, "%s", resume->sid);
    wire->claimed = resume->offset;
    if (twin != NULL && twin->session != NULL)
        verdict = pp_session_judge(twin->session, resume);
    if (verdict != expected && !(world.tight && expected == PP_RESUME_GOOD && verdict != PP_RESUME_BAD_TOKEN) &&
        !(world.tight && verdict == PP_RESUME_UNKNOWN))
        fault("verdict %d, and should be %d", verdict, expected);
    if (verdict == PP_RESUME_GAP) {
        twin->over = true;
        pp_session_close(twin->session, PP_CLOSE_TAKEN_OVER, "session taken over", "transport close");
    }
    if (verdict == PP_RESUME_GOOD)
        resume_session(twin, wire, resume);
    else
        open_session(wire, resume, verdict);
}

/* --- what happens --- */

static void send_to(struct twin *twin, struct pp_outgoing *out, unsigned id, bool is_volatile)
{
    if (twin->session == NULL)
        return;
    struct wire *wire = twin->wire;
    if (wire != NULL)
        wire->took = wire->refused = false;
    size_t len = pp_outgoing_packet(out, pp_session_speaks_text(twin->session))->len;
    bool sent = pp_session_send(twin->session, out, is_volatile);
    bool took = wire != NULL && wire->took, dropped = wire != NULL && wire->refused && world.config.drop_when_full;
    if (is_volatile ? took && !twin->over : sent && !dropped)
        twin_add(twin, id, len);
    if (!sent && !twin->over && !world.tight)
        fault("a session that lives takes no message");
}

/* To everybody in one of the rooms (all bits: to everybody), encoded once. */
static void send_to_rooms(unsigned rooms, bool is_volatile)
{
    char json[2300];
    unsigned id = ++world.next_id, pad = chance(10) ? below(2000) : below(60);
    int len =
        snprintf(json, sizeof json, "{\"type\":\"n\",\"payload\":{\"id\":%u,\"pad\":\"%0*d\"}}", id, (int)pad + 1, 0);
    struct pp_outgoing out = {.encoding = &world.config.encoding, .envelope = json, .envelope_len = (size_t)len};
    for (unsigned i = 0; i < world.twin_count; i++)
        if (rooms == ~0u || (world.twins[i]->rooms & rooms) != 0)
            send_to(world.twins[i], &out, id, is_volatile);
    pp_outgoing_destroy(&out);
}

static struct twin *some_twin(void)
{
    return world.twin_count == 0
               ? NULL
               : world.twins[world.twin_count - 1 - below(world.twin_count < 8 ? world.twin_count : 8)];
}

static void send_to_one(void)
{
    struct twin *twin = some_twin();
    if (twin == NULL)
        return;
    unsigned rooms = twin->rooms;
    twin->rooms = 1u << 31;
    send_to_rooms(1u << 31, chance(20));
    twin->rooms = rooms;
}

/* The client's end of the line is gone; what had arrived by then was read. */
static void cut(struct client *client)
{
    struct wire *wire = client->wire;
    if (wire == NULL)
        return;
    for (unsigned n = below(wire->count + 1); n > 0; n--)
        read_one(client);
    drop_queue(wire);
    wire->client = NULL;
    client->wire = NULL;
}

/* The server notices lines whose client is gone. */
static void notice(unsigned percent)
{
    for (unsigned i = 0; i < world.wire_count; i++) {
        struct wire *wire = world.wires[i];
        if (wire->client == NULL && wire->code == 0 && chance(percent))
            wire->code = 1006;
    }
    settle_wires();
}

static void come_back(struct client *client)
{
    struct pp_resume resume = {.asked = client->sid[0] != '\0', .offset = client->offset};
    cut(client);
    resume.offset = client->offset; /* cut may have read some more */
    resume.asked = client->sid[0] != '\0';
    memcpy(resume.sid, client->sid, sizeof resume.sid);
    memcpy(resume.token, client->token, sizeof resume.token);
    connect_client(client, &resume);
}

/* Two connections of one client, with one token. */
static void come_back_twice(struct client *client)
{
    struct client before;
    cut(client);
    before = *client;
    come_back(client);
    if (chance(50))
        read_all(client);
    cut(client);
    struct pp_resume resume = {.asked = before.sid[0] != '\0', .offset = before.offset};
    memcpy(resume.sid, before.sid, sizeof resume.sid);
    memcpy(resume.token, before.token, sizeof resume.token);
    connect_client(client, &resume);
}

/* Somebody with a token of old, of another session or of his own making, or an offset that can't be. */
static void attack(struct client *client)
{
    struct twin *twin = some_twin(), *other = some_twin();
    if (twin == NULL)
        return;
    struct pp_resume resume = {.asked = true, .offset = below(twin->count + 3)};
    cut(client);
    memcpy(resume.sid, twin->sid, sizeof resume.sid);
    switch (below(4)) {
    case 0:
        memcpy(resume.token, twin->tokens[below(twin->generation + 1)], PP_TOKEN_SIZE);
        break;
    case 1:
        if (other != twin)
            memcpy(resume.token, other->tokens[other->generation], PP_TOKEN_SIZE);
        break;
    case 2:
        memset(resume.token, '0', PP_TOKEN_SIZE - 1);
        break;
    default:
        memcpy(resume.token, twin->tokens[twin->generation], PP_TOKEN_SIZE);
        resume.offset = chance(50) ? UINT64_MAX : twin->count + 1 + below(5);
    }
    connect_client(client, &resume);
}

static void speak(struct client *client)
{
    struct wire *wire = client->wire;
    if (wire == NULL || wire->twin == NULL || wire->code != 0 || !wire->twin->accepted)
        return;
    char text[] = "{\"type\":\"hello\",\"payload\":1}";
    struct twin *twin = wire->twin;
    pp_session_on_bytes(twin->session, (unsigned char *)text, sizeof text - 1, true);
    twin->proven = twin->generation;
}

static void say_goodbye(struct client *client)
{
    struct wire *wire = client->wire;
    if (wire == NULL || wire->twin == NULL || wire->code != 0)
        return;
    struct twin *twin = wire->twin;
    read_all(client);
    wire->twin = NULL;
    wire->code = 1000;
    wire->client = NULL;
    client->wire = NULL;
    twin->over = true;
    pp_session_on_closed(twin->session, 1000, "", true);
}

static void close_one(void)
{
    struct twin *twin = some_twin();
    if (twin == NULL || twin->session == NULL)
        return;
    twin->over = true;
    pp_session_close(twin->session, 1000, "", "forced server disconnect");
    settle_wires();
}

static void stop_loop(void *loop)
{
    pp_loop_stop(loop);
}

static void let_pass(uint64_t ms)
{
    pp_loop_clock_advance(world.loop, ms, stop_loop, world.loop);
    pp_loop_run(world.loop);
    settle_wires();
    for (unsigned i = 0; i < world.twin_count; i++) {
        const struct twin *twin = world.twins[i];
        if (twin->session != NULL && twin->wire == NULL && !twin->over && pp_loop_now(world.loop) > twin->until + 1)
            fault("it is kept for too long");
    }
}

static void change_limits(void)
{
    world.limits.max_count = 1 + below(12);
    world.limits.max_bytes = 200 + below(4000);
    world.limits.retention_ms = 20 + below(300);
    pp_recovery_set_limits(world.config.recovery, world.limits);
}

static void begin_server(void)
{
    world.config.recovery = pp_recovery_new("the same secret at every start", 30, pp_session_evict);
    change_limits();
}

static void end_server(void)
{
    for (unsigned i = 0; i < world.twin_count; i++)
        if (world.twins[i]->session != NULL) {
            pp_session_delete(world.twins[i]->session);
            world.twins[i]->session = NULL;
            world.twins[i]->wire = NULL;
        }
    if (pp_recovery_bytes(world.config.recovery) != 0 || pp_recovery_detached(world.config.recovery) != 0)
        fault("%zu bytes are counted that nobody holds", pp_recovery_bytes(world.config.recovery));
    pp_recovery_delete(world.config.recovery);
}

static void restart_server(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        cut(&world.clients[i]);
    end_server();
    settle_wires();
    begin_server();
}

/* --- schedules --- */

static void do_something(void)
{
    struct client *client = &world.clients[below(CLIENTS)];
    struct twin *twin = some_twin();
    unsigned what = below(100);
    if (what < 22)
        send_to_one();
    else if (what < 34)
        send_to_rooms(~0u, chance(25));
    else if (what < 42)
        send_to_rooms(1u << below(3), chance(15));
    else if (what < 48 && twin != NULL)
        twin->rooms ^= 1u << below(3);
    else if (what < 58)
        read_all(client);
    else if (what < 66)
        cut(client);
    else if (what < 70)
        notice(70);
    else if (what < 80)
        come_back(client);
    else if (what < 82)
        come_back_twice(client);
    else if (what < 85)
        attack(client);
    else if (what < 89)
        speak(client);
    else if (what < 94)
        let_pass(below(10) == 0 ? below(400) : below(20));
    else if (what < 95)
        say_goodbye(client);
    else if (what < 96)
        close_one();
    else if (what < 97)
        change_limits();
    else if (what < 99 && twin != NULL)
        accept_client(twin);
    else if (chance(10))
        restart_server();
    settle_wires();
    if (pp_recovery_bytes(world.config.recovery) > world.limits.max_total)
        fault("more is held than all together may");
}

/* Everybody comes back once more and reads all: what can be complete is. */
static void finish(void)
{
    world.step++;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &world.clients[i];
        come_back(client);
        for (unsigned n = 0; n < 2000 && client->wire != NULL && !world.faulty; n++) {
            struct twin *twin = client->wire->twin;
            if (twin != NULL)
                accept_client(twin);
            read_all(client);
            if (twin != NULL && twin->session != NULL && client->offset >= twin->count)
                break;
            let_pass(5);
        }
        if (chance(50)) { /* and is as any other from here on */
            send_to_rooms(~0u, false);
            read_all(client);
        }
        if (client->wire != NULL && client->twin != NULL && client->offset != client->twin->count)
            fault("client %u has %llu of %u messages", i, (unsigned long long)client->offset, client->twin->count);
        settle_wires();
    }
}

static bool run_schedule(struct pp_loop *loop, uint64_t seed)
{
    world = (struct world){.seed = seed, .random = {.state = seed}, .loop = loop};
    world.tight = chance(40);
    world.config = (struct pp_session_config){
        .conn = {.max_payload = 100000, .max_queue = chance(30) ? 1000 + below(6000) : 1 << 20},
        .encoding = {.threshold = 1 << 20},
        .volatile_above = below(2000),
        .drop_when_full = chance(50),
    };
    world.limits.max_total = world.tight ? 4096 + below(30000) : 1 << 30;
    begin_server();
    for (unsigned steps = 20 + below(180); world.step < steps && !world.faulty; world.step++)
        do_something();
    if (!world.faulty)
        finish();
    for (unsigned i = 0; i < CLIENTS; i++)
        cut(&world.clients[i]);
    end_server();
    settle_wires();
    for (unsigned i = 0; i < world.twin_count; i++) {
        free(world.twins[i]->sent);
        free(world.twins[i]);
    }
    return !world.faulty;
}

static void agrees_with_the_reference(void)
{
    const char *only = getenv("PP_SEED"), *many = getenv("PP_SCHEDULES");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, count = only ? 1 : many ? strtoull(many, NULL, 10) : 2000;
    struct pp_loop *loop = pp_loop_new();
    pp_loop_clock_freeze(loop);
    unsigned failed = 0;
    for (uint64_t seed = first; seed < first + count && failed < 3; seed++)
        failed += !run_schedule(loop, seed);
    CU_ASSERT_EQUAL(failed, 0);
    pp_loop_clock_thaw(loop);
    pp_loop_delete(loop);
}

int main(void)
{
    return pp_run_suite("session/recovery_model",
                        (CU_TestInfo[]){{"agrees with the reference", agrees_with_the_reference}, CU_TEST_INFO_NULL});
}

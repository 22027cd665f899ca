/* A client within the process: what it and its session tell each other, and the ends. */
#include "harness.h"
#include "net/handshake.h"
#include "net/loop.h"
#include "session/session.h"
#include "session/virtual.h"
#include "wire/compress.h"

#include <stdio.h>
#include <string.h>

static struct pp_loop *loop;
static struct pp_session_config config;
static struct pp_session_stats stats;
static struct pp_session *session;
static struct pp_virtual *client;
static char told[512]; /* "who: what; " of all that happened */
static const char *refusal;
static bool hold, close_on_message;

static void tell(const char *who, const char *what)
{
    size_t len = strlen(told);
    snprintf(told + len, sizeof told - len, "%s: %s; ", who, what);
}

/* --- the server's side --- */

static void server_message(void *owner, const struct pp_message *message)
{
    char text[32];
    (void)owner;
    snprintf(text, sizeof text, "%.*s", (int)message->type_len, message->type);
    tell("server", text);
    if (close_on_message)
        pp_session_close(session, 4005, "enough", "forced server disconnect");
}

static void server_closed(void *owner, const char *reason, uint16_t code)
{
    char text[64];
    (void)owner;
    snprintf(text, sizeof text, "%s %u", reason, code);
    tell("server", text);
    session = NULL;
}

static void ignore(void *owner)
{
    (void)owner;
}

static void ignore_limit(void *owner, const struct pp_refusal *refused)
{
    (void)owner, (void)refused;
}

static const struct pp_session_ops session_ops = {
    .message = server_message, .limited = ignore_limit, .backpressure = ignore, .closed = server_closed};

static struct pp_session *admit(void *server, struct pp_line line, const char *id, struct pp_handshake *handshake,
                                char *error, size_t error_size)
{
    (void)server;
    tell("admitted", id);
    if (refusal != NULL) {
        snprintf(error, error_size, "%s", refusal);
        pp_handshake_delete(handshake);
        return NULL;
    }
    session = pp_session_new_on(loop, &config, &stats, &session_ops, NULL, line, handshake);
    pp_session_set_id(session, id);
    if (hold)
        pp_session_hold(session);
    return session;
}

/* --- the client's side --- */

static void client_open(void *owner)
{
    (void)owner;
    tell("client", "open");
}

static void client_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    char seen[32];
    (void)owner;
    snprintf(seen, sizeof seen, "%s of %u", text ? "text" : "frame", (unsigned)len);
    tell("client", seen);
    memset(bytes, 'x', len); /* they are its own to change */
}

static void client_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    char text[64];
    (void)owner;
    snprintf(text, sizeof text, "%u %s%s", code, reason, by_peer ? ", by the server" : "");
    tell("client", text);
    client = NULL;
}

static const struct pp_client_ops client_ops = {
    .open = client_open, .message = client_message, .closed = client_closed};

/* --- both --- */

static void stop(struct pp_timer *timer)
{
    (void)timer;
    pp_loop_stop(loop);
}

static void turns(void)
{
    struct pp_timer timer = {.fire = stop};
    pp_loop_timer_start(loop, &timer, 2);
    pp_loop_run(loop);
}

static void begin(void)
{
    loop = pp_loop_new();
    config = (struct pp_session_config){
        .conn = {.max_payload = 1000, .max_queue = 300}, .inflater = pp_inflater_new(), .max_decompressed = 1000};
    session = NULL;
    refusal = NULL;
    hold = close_on_message = false;
    memset(told, 0, sizeof told);
    struct pp_virtual_options options = {.limits = &config.conn,
                                         .id = "bot",
                                         .handshake = pp_handshake_make("/", "pp_caps=batch", "127.0.0.1", ""),
                                         .admit = admit};
    client = pp_virtual_new(loop, &options, &client_ops, NULL);
}

static void end(void)
{
    if (client != NULL)
        pp_virtual_drop(client);
    if (session != NULL)
        pp_session_delete(session);
    turns();
    pp_loop_delete(loop);
    pp_inflater_delete(config.inflater);
}

/* A frame with the envelope of that type, and `extra` bytes of payload. */
static enum pp_client_sent send(const char *type, size_t extra)
{
    char text[2048];
    size_t len =
        (size_t)snprintf(text, sizeof text, "{\"type\":\"%s\",\"payload\":\"%0*d\"}", type, extra ? (int)extra : 1, 0);
    struct pp_packet *packet = pp_packet_new(16 + len);
    unsigned char header[16] = {'P', 'P', 'N', 'D', 0, 2, 0, 0, 0, 0, (unsigned char)(len >> 8), (unsigned char)len};
    memcpy(pp_packet_data(packet), header, 16);
    memcpy(pp_packet_data(packet) + 16, text, len);
    enum pp_client_sent sent = pp_virtual_send(client, packet);
    pp_packet_unref(packet);
    return sent;
}

static bool heard(const char *expected)
{
    bool same = strcmp(told, expected) == 0;
    if (!same)
        printf("\n  told:     %s\n  expected: %s\n", told, expected);
    memset(told, 0, sizeof told);
    return same;
}

static void connects_in_the_next_turn(void)
{
    begin();
    CU_ASSERT_EQUAL(send("early", 0), PP_CLIENT_QUEUED);
    CU_ASSERT_TRUE(pp_virtual_queued(client) > 0);
    CU_ASSERT_TRUE(heard(""));
    turns();
    CU_ASSERT_TRUE(heard("admitted: bot; client: open; server: early; "));
    CU_ASSERT_STRING_EQUAL(pp_session_id(session), "bot");
    CU_ASSERT_STRING_EQUAL(pp_session_handshake(session)->address, "127.0.0.1");
    CU_ASSERT_EQUAL(pp_virtual_queued(client), 0);
    end();
}

static void is_refused_with_a_reason(void)
{
    begin();
    refusal = "full";
    turns();
    CU_ASSERT_TRUE(heard("admitted: bot; client: 1006 full, by the server; "));
    end();
}

static void hands_over_in_later_turns(void)
{
    begin();
    turns();
    memset(told, 0, sizeof told);
    CU_ASSERT_TRUE(pp_session_send_raw(session, "abc", 3, true));
    CU_ASSERT_TRUE(pp_session_send_raw(session, "abcd", 4, false));
    CU_ASSERT_TRUE(pp_session_queued(session) > 0);
    send("a", 0);
    send("b", 0);
    CU_ASSERT_TRUE(heard(""));
    turns();
    CU_ASSERT_TRUE(heard("server: a; server: b; client: text of 3; client: frame of 4; "));
    CU_ASSERT_EQUAL(pp_session_queued(session), 0);
    end();
}

static void tells_both_of_the_servers_end(void)
{
    begin();
    turns();
    memset(told, 0, sizeof told);
    pp_session_send_raw(session, "last", 4, true);
    send("lost", 0); /* nobody listens any more */
    pp_session_close(session, 4005, "enough", "forced server disconnect");
    CU_ASSERT_EQUAL(send("x", 0), PP_CLIENT_CLOSED);
    CU_ASSERT_FALSE(pp_session_send_raw(session, "x", 1, true));
    turns();
    CU_ASSERT_TRUE(heard("client: text of 4; server: forced server disconnect 4005; "
                         "client: 4005 enough, by the server; "));
    end();
}

static void tells_both_of_the_clients_end(void)
{
    begin();
    turns();
    memset(told, 0, sizeof told);
    send("last", 0);
    pp_session_send_raw(session, "lost", 4, true);
    pp_virtual_close(client, 1000, "bye");
    turns();
    CU_ASSERT_TRUE(heard("server: last; server: client disconnect 1000; client: 1000 bye; "));
    end();
}

static void may_be_closed_from_within(void)
{
    begin();
    close_on_message = true;
    send("a", 0);
    send("b", 0);
    turns();
    CU_ASSERT_TRUE(heard("admitted: bot; client: open; server: a; server: forced server disconnect 4005; "
                         "client: 4005 enough, by the server; "));
    end();
}

static void is_bounded_both_ways(void)
{
    begin();
    turns();
    memset(told, 0, sizeof told);
    CU_ASSERT_EQUAL(send("large", 400), PP_CLIENT_QUEUED); /* alone it may be larger than the queue */
    CU_ASSERT_EQUAL(send("small", 0), PP_CLIENT_FULL);
    char bytes[200] = {0};
    CU_ASSERT_TRUE(pp_session_send_raw(session, bytes, sizeof bytes, false));
    pp_session_send_raw(session, bytes, sizeof bytes, false);
    turns();
    CU_ASSERT_TRUE(heard("server: too slow 4008; client: 4008 too slow, by the server; "));
    CU_ASSERT_EQUAL(stats.dropped, 1);
    end();
    begin();
    CU_ASSERT_EQUAL(send("huge", 1500), PP_CLIENT_CLOSED);
    turns();
    CU_ASSERT_TRUE(heard("client: 1009 message too big, by the server; "));
    end();
}

static void waits_while_the_session_is_held(void)
{
    begin();
    hold = true;
    send("__pp_auth", 0);
    send("a", 0);
    send("b", 0);
    turns();
    CU_ASSERT_TRUE(heard("admitted: bot; client: open; server: __pp_auth; "));
    pp_session_accept(session);
    send("c", 0);
    CU_ASSERT_TRUE(heard(""));
    turns();
    CU_ASSERT_TRUE(heard("server: a; server: b; server: c; "));
    end();
}

static void lives_without_the_other(void)
{
    begin(); /* dropped before it is admitted */
    end();
    begin();
    turns();
    pp_virtual_drop(client);
    client = NULL;
    memset(told, 0, sizeof told);
    turns();
    CU_ASSERT_TRUE(heard("server: transport close 1006; "));
    end();
    begin();
    turns();
    pp_session_delete(session);
    session = NULL;
    memset(told, 0, sizeof told);
    turns();
    CU_ASSERT_TRUE(heard("client: 1006 , by the server; "));
    end();
    begin(); /* both at once, at the loop's end */
    turns();
    send("x", 0);
    pp_session_send_raw(session, "x", 1, true);
    pp_session_delete(session);
    session = NULL;
    end();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"connects in the next turn", connects_in_the_next_turn},
        {"is refused with a reason", is_refused_with_a_reason},
        {"hands over in later turns", hands_over_in_later_turns},
        {"tells both of the server's end", tells_both_of_the_servers_end},
        {"tells both of the client's end", tells_both_of_the_clients_end},
        {"may be closed from within", may_be_closed_from_within},
        {"is bounded both ways", is_bounded_both_ways},
        {"waits while the session is held", waits_while_the_session_is_held},
        {"lives without the other", lives_without_the_other},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("session/virtual", tests);
}

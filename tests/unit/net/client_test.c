/* The client against our own listener, on one loop. The end-to-end tests hold it against another implementation. */
#include "harness.h"
#include "net/client.h"
#include "net/listener.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 20000 /* ms until a test that hangs is given up */

/* --- a server that sends back what it gets; "close" and "cut" make it do that --- */

static const struct pp_conn_limits server_limits = {.max_payload = 1 << 24, .max_queue = 1 << 26, .close_after = 1000};

struct echo {
    struct pp_conn *conn;
    struct pp_handshake *handshake;
};

static uint16_t server_saw_code;
static char server_saw_path[64], server_saw_header[64];

static void echo_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    struct echo *echo = owner;
    if (text && len == 5 && memcmp(bytes, "close", 5) == 0) {
        pp_conn_close(echo->conn, 4321, "as you wish");
        return;
    }
    struct pp_packet *packet = pp_packet_new(len);
    if (len > 0)
        memcpy(pp_packet_data(packet), bytes, len);
    pp_ws_seal(packet, text ? PP_WS_TEXT : PP_WS_BINARY);
    pp_conn_send(echo->conn, packet);
    pp_packet_unref(packet);
}

static void echo_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    struct echo *echo = owner;
    (void)reason;
    (void)by_peer;
    server_saw_code = code;
    pp_handshake_delete(echo->handshake);
    free(echo);
}

static const struct pp_conn_ops echo_ops = {.message = echo_message, .closed = echo_closed};

static int accept_all(void *owner, const struct pp_handshake *handshake)
{
    size_t len = 0;
    const char *header = pp_handshake_header(handshake, "authorization", &len);
    (void)owner;
    snprintf(server_saw_path, sizeof server_saw_path, "%s?%s", handshake->path, handshake->query);
    snprintf(server_saw_header, sizeof server_saw_header, "%.*s", (int)len, header ? header : "");
    return strcmp(handshake->path, "/refuse") == 0 ? 403 : 0;
}

static void on_conn(void *owner, struct pp_conn *conn, struct pp_handshake *handshake)
{
    struct echo *echo = calloc(1, sizeof *echo);
    (void)owner;
    *echo = (struct echo){conn, handshake};
    pp_conn_set_owner(conn, &echo_ops, &server_limits, echo);
}

static const struct pp_listener_ops listener_ops = {.upgrade = accept_all, .open = on_conn};

/* --- a client that notes what it is told --- */

static struct pp_loop *loop;
static struct pp_listener *listener;
static struct pp_timer guard;
static bool hung;

static struct {
    struct pp_client *client;
    void (*on_open)(void);
    int opened, closed, messages, wanted;
    size_t bytes;
    bool in_order, by_peer, drop_on_message;
    uint16_t code;
    char reason[200];
} seen;

static void told_open(void *owner)
{
    CU_ASSERT_PTR_EQUAL(owner, &seen);
    seen.opened++;
    if (seen.on_open != NULL)
        seen.on_open();
}

static void told_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    (void)owner;
    seen.in_order = seen.in_order && (len == 0 || bytes[0] == (unsigned char)seen.messages);
    seen.in_order = seen.in_order && text == (seen.messages % 2 == 1);
    seen.messages++;
    seen.bytes += len;
    if (seen.drop_on_message) {
        pp_client_drop(seen.client);
        seen.client = NULL;
        pp_loop_stop(loop);
    } else if (seen.messages == seen.wanted) {
        pp_client_close(seen.client, 1000, "done");
        pp_client_close(seen.client, 3000, "only the first counts");
    }
}

static void told_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    (void)owner;
    seen.closed++;
    seen.code = code;
    seen.by_peer = by_peer;
    snprintf(seen.reason, sizeof seen.reason, "%s", reason);
    seen.client = NULL;
    pp_loop_stop(loop);
}

static const struct pp_client_ops ops = {.open = told_open, .message = told_message, .closed = told_closed};

static void give_up(struct pp_timer *timer)
{
    (void)timer;
    hung = true;
    pp_loop_stop(loop);
}

static void begin(void)
{
    char error[200];
    loop = pp_loop_new();
    struct pp_listen_options options = {.host = "127.0.0.1", .handshake_timeout = 5000};
    listener = pp_listener_open(loop, &options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(listener);
    pp_listener_set_ws(listener, &listener_ops, NULL);
    memset(&seen, 0, sizeof seen);
    seen.in_order = true;
    server_saw_code = 0;
    hung = false;
    guard = (struct pp_timer){.fire = give_up};
    pp_loop_timer_start(loop, &guard, GUARD);
}

static struct pp_client_options options_for(const char *path)
{
    return (struct pp_client_options){
        .host = "127.0.0.1",
        .port = pp_listener_port(listener),
        .path = path,
        .headers = "Authorization: Bearer yes\r\n",
        .connect_timeout = 10000,
        .max_payload = 1 << 24,
        .max_queue = 1 << 24,
    };
}

static void connect_with(const struct pp_client_options *options)
{
    char error[200] = "";
    seen.client = pp_client_connect(loop, options, &ops, &seen, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen.client);
}

/* Runs until the client is closed or dropped, then a little longer for the server's side, and ends everything. */
static void finish(void)
{
    pp_loop_run(loop);
    CU_ASSERT_FALSE(hung);
    pp_loop_timer_start(loop, &guard, 50);
    pp_loop_run(loop);
    if (seen.client != NULL)
        pp_client_drop(seen.client);
    pp_listener_delete(listener);
    pp_loop_delete(loop);
}

static enum pp_client_sent send_bytes(size_t len, bool text, unsigned char first)
{
    struct pp_packet *packet = pp_packet_new(len);
    if (len > 0)
        memset(pp_packet_data(packet), first, len);
    enum pp_client_sent sent = pp_client_send(seen.client, packet, text);
    pp_packet_unref(packet);
    return sent;
}

/* --- the tests --- */

static void send_many(void)
{
    for (int i = 0; i < 120; i++)
        CU_ASSERT_EQUAL(send_bytes((size_t)i * 997, i % 2 == 1, (unsigned char)i), PP_CLIENT_QUEUED);
    CU_ASSERT_TRUE(pp_client_queued(seen.client) > 1000000);
}

static void echoes_in_order(void)
{
    begin();
    seen.on_open = send_many;
    seen.wanted = 120;
    struct pp_client_options options = options_for("/chat?room=1");
    connect_with(&options);
    CU_ASSERT_EQUAL(seen.opened, 0);
    CU_ASSERT_EQUAL(send_bytes(1, false, 0), PP_CLIENT_CLOSED);
    finish();
    CU_ASSERT_EQUAL(seen.opened, 1);
    CU_ASSERT_EQUAL(seen.messages, 120);
    CU_ASSERT_EQUAL(seen.bytes, 997 * (119 * 120 / 2));
    CU_ASSERT_TRUE(seen.in_order);
    CU_ASSERT_EQUAL(seen.closed, 1);
    CU_ASSERT_EQUAL(seen.code, 1000);
    CU_ASSERT_EQUAL(server_saw_code, 1000);
    CU_ASSERT_STRING_EQUAL(server_saw_path, "/chat?room=1");
    CU_ASSERT_STRING_EQUAL(server_saw_header, "Bearer yes");
}

static void fill_the_queue(void)
{
    CU_ASSERT_EQUAL(send_bytes(900, false, 0), PP_CLIENT_QUEUED);
    CU_ASSERT_EQUAL(send_bytes(200, false, 0), PP_CLIENT_FULL);
    CU_ASSERT_EQUAL(send_bytes(50, true, 1), PP_CLIENT_QUEUED);
}

static void bounds_its_queue(void)
{
    begin();
    seen.on_open = fill_the_queue;
    seen.wanted = 2;
    struct pp_client_options options = options_for("/");
    options.max_queue = 1000;
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.bytes, 950);
}

static void send_large(void)
{
    send_bytes(5000, false, 0);
}

static void refuses_what_is_too_long(void)
{
    begin();
    seen.on_open = send_large;
    struct pp_client_options options = options_for("/");
    options.max_payload = 4999;
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.messages, 0);
    CU_ASSERT_EQUAL(seen.code, 1009);
    CU_ASSERT_EQUAL(server_saw_code, 1009);
}

static void ask_for_the_close(void)
{
    struct pp_packet *packet = pp_packet_new(5);
    memcpy(pp_packet_data(packet), "close", 5);
    pp_client_send(seen.client, packet, true);
    pp_packet_unref(packet);
}

static void hears_the_servers_close(void)
{
    begin();
    seen.on_open = ask_for_the_close;
    struct pp_client_options options = options_for("/");
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.code, 4321);
    CU_ASSERT_TRUE(seen.by_peer);
    CU_ASSERT_STRING_EQUAL(seen.reason, "as you wish");
}

static void says_that_it_was_refused(void)
{
    begin();
    struct pp_client_options options = options_for("/refuse");
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.opened, 0);
    CU_ASSERT_EQUAL(seen.code, 1006);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen.reason, "403"));
}

static void says_that_nobody_listens(void)
{
    begin();
    struct pp_client_options options = options_for("/");
    pp_listener_stop(listener);
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.code, 1006);
    CU_ASSERT_STRING_EQUAL(seen.reason, "connection refused");
}

static void close_at_once(void)
{
    pp_client_close(seen.client, 3210, "no need");
}

static void closes_at_any_moment(void)
{
    begin();
    struct pp_client_options options = options_for("/");
    connect_with(&options); /* while the name is looked up */
    close_at_once();
    CU_ASSERT_EQUAL(seen.closed, 0);
    finish();
    CU_ASSERT_EQUAL(seen.closed, 1);
    CU_ASSERT_EQUAL(seen.code, 3210);

    begin();
    seen.on_open = close_at_once;
    options = options_for("/");
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.code, 3210);
    CU_ASSERT_EQUAL(server_saw_code, 3210);
}

static void drop_now(void)
{
    pp_client_drop(seen.client);
    seen.client = NULL;
    pp_loop_stop(loop);
}

static void is_dropped_at_any_moment(void)
{
    begin();
    struct pp_client_options options = options_for("/");
    connect_with(&options);
    drop_now();
    pp_loop_timer_start(loop, &guard, 10);
    pp_loop_run(loop);
    hung = false;
    pp_loop_timer_start(loop, &guard, 10);
    pp_loop_run(loop);
    pp_listener_delete(listener);
    pp_loop_delete(loop);

    begin();
    seen.on_open = drop_now;
    options = options_for("/");
    connect_with(&options);
    finish();

    begin();
    seen.on_open = send_many;
    seen.drop_on_message = true;
    options = options_for("/");
    connect_with(&options);
    finish();
    CU_ASSERT_EQUAL(seen.messages, 1);
    CU_ASSERT_EQUAL(seen.closed, 0);
}

static void refused(const struct pp_client_options *options, const char *word)
{
    char error[200] = "";
    CU_ASSERT_PTR_NULL(pp_client_connect(loop, options, &ops, &seen, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, word));
}

static void refuses_options_that_cannot_work(void)
{
    char path[PP_CLIENT_PATH_MAX + 2], host[200];
    begin();
    struct pp_client_options good = options_for("/"), bad = good;
    bad.host = "";
    refused(&bad, "host");
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    bad.host = host;
    refused(&bad, "100 bytes");
    bad = good;
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    bad.path = path;
    refused(&bad, "2000 bytes");
    bad.path = "/a b";
    refused(&bad, "spaces");
    bad.path = "/\r\nX: y";
    refused(&bad, "spaces");
    bad = good;
    bad.unix_path = "/run/x";
    bad.secure = true;
    refused(&bad, "Unix socket");
    bad = good;
    bad.secure = true;
    bad.ca_file = "/nowhere/ca.pem";
    refused(&bad, "/nowhere/ca.pem");
    pp_listener_delete(listener);
    pp_loop_delete(loop);
}

int main(void)
{
    return pp_run_suite("net/client",
                        (CU_TestInfo[]){{"what is sent comes back in order", echoes_in_order},
                                        {"the send queue is bounded", bounds_its_queue},
                                        {"a message that is too long closes", refuses_what_is_too_long},
                                        {"the server's close is told with its code", hears_the_servers_close},
                                        {"a refused upgrade is told with its status", says_that_it_was_refused},
                                        {"a port without a server is told as such", says_that_nobody_listens},
                                        {"it may be closed at any moment", closes_at_any_moment},
                                        {"it may be dropped at any moment", is_dropped_at_any_moment},
                                        {"options that cannot work are refused", refuses_options_that_cannot_work},
                                        CU_TEST_INFO_NULL});
}

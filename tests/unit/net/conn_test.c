/* Connections over a pair of sockets, on a real loop: what a peer does by hand, and what the owner is told. */
#include "base/memory.h"
#include "frames.h"
#include "harness.h"
#include "net/conn.h"
#include "net/conn_internal.h"
#include "net/loop.h"
#include "random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One connection, its owner and its peer. */
struct fixture {
    struct pp_loop *loop;
    struct pp_conn *conn; /* NULL once its end was told */
    struct pp_conn_limits *limits;
    int peer;
    struct pp_buf got;   /* what the peer has received */
    struct pp_buf heard; /* the messages: 't' or 'b', the bytes, '\n' */
    unsigned messages, pongs, resumed, told;
    uint16_t code;
    char reason[128];
    bool by_peer, eof;
    void (*on_message)(struct fixture *f);
    struct pp_timer patience;
};

static bool stop_when_idle(void *arg)
{
    pp_loop_stop(arg);
    return false;
}

static void stop_anyway(struct pp_timer *timer)
{
    struct fixture *f = (struct fixture *)((char *)timer - offsetof(struct fixture, patience));
    pp_loop_stop(f->loop);
}

/* Runs the loop until nothing waits. A loop that has just begun to watch something asks the system before it is idle:
 * the timer ends that. */
static void turn(struct fixture *f)
{
    f->patience.fire = stop_anyway;
    pp_loop_timer_start(f->loop, &f->patience, 2);
    pp_loop_run(f->loop);
    pp_loop_timer_stop(f->loop, &f->patience);
}

static void heard_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    struct fixture *f = owner;
    f->messages++;
    pp_buf_append_char(&f->heard, text ? 't' : 'b');
    pp_buf_append(&f->heard, bytes, len);
    pp_buf_append_char(&f->heard, '\n');
    memset(bytes, 0, len); /* they may be changed */
    if (f->on_message != NULL)
        f->on_message(f);
}

static void heard_pong(void *owner)
{
    ((struct fixture *)owner)->pongs++;
}

static void heard_resumed(void *owner)
{
    ((struct fixture *)owner)->resumed++;
}

static void heard_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    struct fixture *f = owner;
    f->told++;
    f->code = code;
    f->by_peer = by_peer;
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    f->conn = NULL;
    free(f->limits); /* nobody may look at them from here on */
    f->limits = NULL;
}

static const struct pp_conn_ops ops = {
    .message = heard_message, .pong = heard_pong, .resumed = heard_resumed, .closed = heard_closed};

static void open_with(struct fixture *f, int send_buffer)
{
    int pair[2];
    *f = (struct fixture){.loop = pp_loop_new()};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        abort();
    if (send_buffer > 0)
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    f->peer = pair[1];
    f->limits = pp_malloc(sizeof *f->limits);
    *f->limits = (struct pp_conn_limits){.max_payload = 100000, .max_queue = 4000000, .close_after = 60000};
    f->conn = pp_conn_new(f->loop, (struct pp_stream){.fd = pair[0]});
    pp_conn_set_owner(f->conn, &ops, f->limits, f);
    pp_loop_set_idle(f->loop, stop_when_idle, f->loop);
}

static void open_pair(struct fixture *f)
{
    open_with(f, 0);
}

static void close_pair(struct fixture *f)
{
    if (f->conn != NULL)
        pp_conn_drop(f->conn);
    if (f->peer >= 0)
        close(f->peer);
    pp_loop_set_idle(f->loop, NULL, NULL);
    pp_loop_delete(f->loop);
    free(f->limits);
    pp_buf_destroy(&f->got);
    pp_buf_destroy(&f->heard);
}

/* The peer takes what there is. */
static void receive(struct fixture *f)
{
    for (;;) {
        ssize_t n = recv(f->peer, pp_buf_reserve(&f->got, 65536), 65536, 0);
        f->eof = n == 0;
        if (n <= 0)
            return;
        f->got.len += (size_t)n;
    }
}

/* The peer sends all of it, and reads meanwhile. */
static void deliver(struct fixture *f, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(f->peer, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        at += n > 0 ? (size_t)n : 0;
        turn(f);
        receive(f);
    }
}

static void deliver_frame(struct fixture *f, unsigned first, const void *payload, size_t len)
{
    struct pp_buf out = {0};
    put_frame(&out, first, payload, len);
    deliver(f, out.data, out.len);
    pp_buf_destroy(&out);
}

/* Turns until the connection's descriptor is gone; false where that never happens. */
static bool ends(struct fixture *f)
{
    for (int i = 0; i < 2000 && !f->eof; i++) {
        turn(f);
        receive(f);
        if (!f->eof)
            usleep(1000);
    }
    return f->eof;
}

static void send_message(struct fixture *f, enum pp_ws_opcode opcode, const void *payload, size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    memcpy(pp_packet_data(packet), payload, len);
    pp_ws_seal(packet, opcode);
    CU_ASSERT_EQUAL(pp_conn_send(f->conn, packet), PP_CONN_QUEUED);
    pp_packet_unref(packet);
}

/* The last frame that the peer got is a close frame with this code, or with none where it is 1005. */
static void got_close(struct fixture *f, unsigned code)
{
    struct server_frame frame = {0};
    size_t at = 0;
    while (take_frame(&f->got, &at, &frame))
        ;
    CU_ASSERT_EQUAL(at, f->got.len);
    CU_ASSERT_EQUAL_FATAL(frame.first, 0x88);
    unsigned found = frame.len >= 2 ? (unsigned)frame.payload[0] << 8 | frame.payload[1] : 1005;
    CU_ASSERT_EQUAL(found, code);
}

static void heard_is(const struct fixture *f, const char *bytes, size_t len)
{
    CU_ASSERT_EQUAL_FATAL(f->heard.len, len);
    CU_ASSERT_EQUAL(memcmp(f->heard.data ? f->heard.data : "", bytes, len), 0);
}

/* --- in --- */

/* Whole messages, fragments with a ping between them, empty ones, and one longer than any buffer. */
static void put_conversation(struct pp_buf *out, struct pp_buf *expected)
{
    static char large[90000];
    memset(large, 'L', sizeof large);
    put_frame(out, 0x81, "hello", 5);
    put_frame(out, 0x02, "fra", 3);
    put_frame(out, 0x89, "are you there", 13);
    put_frame(out, 0x00, "", 0);
    put_frame(out, 0x00, "gmen", 4);
    put_frame(out, 0x8A, "unasked", 7);
    put_frame(out, 0x80, "ted", 3);
    put_frame(out, 0x81, "", 0);
    put_frame(out, 0x01, "\xE2\x82", 2); /* a character in two fragments */
    put_frame(out, 0x80, "\xAC", 1);
    put_frame(out, 0x82, large, sizeof large);
    put_frame(out, 0x82, "\0end", 4);
    pp_buf_append_string(expected, "thello\nbfragmented\nt\nt\xE2\x82\xAC\nb");
    pp_buf_append(expected, large, sizeof large);
    pp_buf_append(expected, "\nb\0end\n", 7);
}

static void check_conversation(struct fixture *f, const struct pp_buf *expected)
{
    turn(f);
    receive(f);
    heard_is(f, expected->data, expected->len);
    CU_ASSERT_EQUAL(f->pongs, 1);
    CU_ASSERT_EQUAL(f->told, 0);
    CU_ASSERT_EQUAL_FATAL(f->got.len, 15);
    CU_ASSERT_EQUAL(memcmp(f->got.data,
                           "\x8A\x0D"
                           "are you there",
                           15),
                    0);
}

static void hears_messages_at_once(void)
{
    struct fixture f;
    struct pp_buf out = {0}, expected = {0};
    open_pair(&f);
    put_conversation(&out, &expected);
    deliver(&f, out.data, out.len);
    check_conversation(&f, &expected);
    CU_ASSERT_EQUAL(pp_conn_bytes_in(f.conn), out.len);
    close_pair(&f);
    pp_buf_destroy(&out);
    pp_buf_destroy(&expected);
}

static void hears_messages_byte_by_byte(void)
{
    struct fixture f;
    struct pp_buf out = {0}, expected = {0};
    open_pair(&f);
    put_conversation(&out, &expected);
    for (size_t i = 0; i < out.len; i++)
        deliver(&f, out.data + i, 1);
    check_conversation(&f, &expected);
    close_pair(&f);
    pp_buf_destroy(&out);
    pp_buf_destroy(&expected);
}

static void hears_messages_in_slices_of_any_size(void)
{
    struct pp_buf out = {0}, expected = {0};
    put_conversation(&out, &expected);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct pp_random random = {seed};
        struct fixture f;
        open_pair(&f);
        for (size_t at = 0; at < out.len;) {
            size_t n = 1 + (size_t)pp_random_below(&random, seed % 2 ? 40 : 30000);
            n = n < out.len - at ? n : out.len - at;
            deliver(&f, out.data + at, n);
            at += n;
        }
        check_conversation(&f, &expected);
        close_pair(&f);
    }
    pp_buf_destroy(&out);
    pp_buf_destroy(&expected);
}

static void refuses(const char *what, const char *bytes, size_t len, unsigned code)
{
    struct fixture f;
    open_pair(&f);
    f.limits->close_after = 20;
    deliver(&f, bytes, len);
    deliver_frame(&f, 0x81, "too late", 8);
    if (f.told != 1 || f.by_peer || f.code != code || f.messages != 0) {
        fprintf(stderr, "%s: told %u times, code %u\n", what, f.told, f.code);
        CU_FAIL("was not refused as it should be");
    }
    got_close(&f, code);
    CU_ASSERT_TRUE(ends(&f)); /* also where the peer does not answer */
    close_pair(&f);
}

#define REFUSES(what, bytes, code) refuses(what, bytes, sizeof bytes - 1, code)
#define MASK "\0\0\0\0"

static void closes_with_the_code_of_the_fault(void)
{
    REFUSES("unmasked", "\x81\x01x", 1002);
    REFUSES("a reserved bit", "\xC1\x80" MASK, 1002);
    REFUSES("an unknown opcode", "\x83\x80" MASK, 1002);
    REFUSES("a fragmented ping", "\x09\x80" MASK, 1002);
    REFUSES("a long ping", "\x89\xFE\0\x7E" MASK, 1002);
    REFUSES("nothing to continue", "\x80\x80" MASK, 1002);
    REFUSES("a message inside of another", "\x01\x81" MASK "a\x81\x81" MASK "b", 1002);
    REFUSES("too long", "\x82\xFF\0\0\0\0\0\1\x86\xA1" MASK, 1009);
    REFUSES("2^63 bytes", "\x82\xFF\x80\0\0\0\0\0\0\0" MASK, 1009);
    REFUSES("text that is not UTF-8", "\x81\x82" MASK "\xC3\x28", 1007);
    REFUSES("text that ends inside of a character", "\x81\x81" MASK "\xC3", 1007);
    REFUSES("fragments that are not UTF-8 together", "\x01\x81" MASK "\xC3\x80\x81" MASK "\x28", 1007);
}

static void counts_fragments_together(void)
{
    static char part[60000];
    struct fixture f;
    open_pair(&f);
    deliver_frame(&f, 0x02, part, 60000);
    deliver_frame(&f, 0x80, part, 40000); /* exactly what may be */
    CU_ASSERT_EQUAL(f.messages, 1);
    deliver_frame(&f, 0x02, part, 60000);
    deliver_frame(&f, 0x80, part, 40001);
    CU_ASSERT_EQUAL(f.code, 1009);
    CU_ASSERT_EQUAL(f.messages, 1);
    close_pair(&f);
}

static void bounds_the_number_of_fragments(void)
{
    struct fixture f;
    struct pp_buf out = {0};
    open_pair(&f);
    put_frame(&out, 0x02, "", 0);
    for (int i = 0; i < 5000; i++)
        put_frame(&out, 0x00, "", 0);
    deliver(&f, out.data, out.len);
    CU_ASSERT_EQUAL(f.code, 1009);
    CU_ASSERT_EQUAL(f.messages, 0);
    close_pair(&f);
    pp_buf_destroy(&out);
}

/* A reload may lower the limit while a message is on its way. */
static void minds_a_limit_that_was_lowered(void)
{
    static char part[60000];
    struct fixture f;
    open_pair(&f);
    deliver_frame(&f, 0x02, part, sizeof part);
    f.limits->max_payload = 1000;
    deliver_frame(&f, 0x80, part, sizeof part);
    CU_ASSERT_EQUAL(f.code, 1009);
    CU_ASSERT_EQUAL(f.messages, 0);
    close_pair(&f);
}

static void answers_pings_in_order(void)
{
    struct fixture f;
    struct pp_buf out = {0};
    open_pair(&f);
    char payload[125];
    memset(payload, 'p', sizeof payload);
    for (size_t i = 0; i <= 125; i += 25)
        put_frame(&out, 0x89, payload, i);
    deliver(&f, out.data, out.len);
    size_t at = 0;
    struct server_frame frame;
    for (size_t i = 0; i <= 125; i += 25) {
        CU_ASSERT_TRUE_FATAL(take_frame(&f.got, &at, &frame));
        CU_ASSERT_EQUAL(frame.first, 0x8A);
        CU_ASSERT_EQUAL(frame.len, i);
    }
    CU_ASSERT_EQUAL(at, f.got.len);
    close_pair(&f);
    pp_buf_destroy(&out);
}

/* --- out --- */

static void writes_what_was_sent_in_order(void)
{
    struct fixture f;
    open_pair(&f);
    send_message(&f, PP_WS_TEXT, "one", 3);
    send_message(&f, PP_WS_BINARY, "two", 3);
    CU_ASSERT_EQUAL(pp_conn_queued(f.conn), 10);
    receive(&f);
    CU_ASSERT_EQUAL(f.got.len, 0); /* not before the turn's end */
    turn(&f);
    receive(&f);
    CU_ASSERT_EQUAL(pp_conn_queued(f.conn), 0);
    CU_ASSERT_EQUAL_FATAL(f.got.len, 10);
    CU_ASSERT_EQUAL(memcmp(f.got.data, "\x81\x03one\x82\x03two", 10), 0);
    CU_ASSERT_EQUAL(pp_conn_bytes_out(f.conn), 10);
    close_pair(&f);
}

static void joins_messages_where_the_peer_takes_batches(void)
{
    struct fixture f;
    open_pair(&f);
    pp_conn_set_batch(f.conn);
    send_message(&f, PP_WS_BINARY, "one", 3);
    send_message(&f, PP_WS_BINARY, "two", 3);
    send_message(&f, PP_WS_TEXT, "three", 5);
    turn(&f);
    receive(&f);
    CU_ASSERT_EQUAL_FATAL(f.got.len, 15);
    CU_ASSERT_EQUAL(memcmp(f.got.data, "\x82\x06onetwo\x81\x05three", 15), 0);
    close_pair(&f);
}

static void survives_a_peer_that_reads_slowly(void)
{
    static unsigned char large[3000000];
    struct fixture f;
    open_with(&f, 4096);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (unsigned char)(i * 7 + i / 251);
    send_message(&f, PP_WS_BINARY, large, sizeof large);
    send_message(&f, PP_WS_TEXT, "behind", 6);
    while (f.told == 0 && f.got.len < sizeof large + 10 + 8) {
        turn(&f);
        ssize_t n = recv(f.peer, pp_buf_reserve(&f.got, 50000), 50000, 0);
        f.got.len += n > 0 ? (size_t)n : 0;
    }
    CU_ASSERT_EQUAL(memcmp(f.got.data + 10, large, sizeof large), 0);
    CU_ASSERT_EQUAL(memcmp(f.got.data + 10 + sizeof large,
                           "\x81\x06"
                           "behind",
                           8),
                    0);
    CU_ASSERT_EQUAL(f.told, 0);
    close_pair(&f);
}

static void is_full_until_its_peer_has_read(void)
{
    static char part[10000];
    struct fixture f;
    open_with(&f, 4096);
    f.limits->max_queue = 50000;
    struct pp_packet *packet = pp_packet_new(sizeof part);
    memset(pp_packet_data(packet), 'x', sizeof part);
    pp_ws_seal(packet, PP_WS_BINARY);
    unsigned queued = 0;
    enum pp_conn_send sent;
    while ((sent = pp_conn_send(f.conn, packet)) == PP_CONN_QUEUED && queued < 1000)
        queued++;
    CU_ASSERT_EQUAL(sent, PP_CONN_FULL);
    CU_ASSERT_TRUE(pp_conn_queued(f.conn) <= 50000);
    CU_ASSERT_EQUAL(packet->refs,
                    1 + pp_conn_queued(f.conn) / packet->len + (pp_conn_queued(f.conn) % packet->len != 0));
    while (f.told == 0 && f.got.len < queued * packet->len) {
        turn(&f);
        receive(&f);
    }
    turn(&f);
    CU_ASSERT_EQUAL(pp_conn_send(f.conn, packet), PP_CONN_QUEUED);
    while (f.told == 0 && f.got.len < (queued + 1) * packet->len) {
        turn(&f);
        receive(&f);
    }
    CU_ASSERT_EQUAL(f.got.len, (queued + 1) * packet->len);
    pp_packet_unref(packet);
    close_pair(&f);
}

static void does_not_answer_pings_of_a_peer_that_does_not_read(void)
{
    static char part[100000];
    struct fixture f;
    struct pp_buf pings = {0};
    open_with(&f, 4096);
    f.limits->max_queue = 200000;
    send_message(&f, PP_WS_BINARY, part, sizeof part);
    turn(&f);
    for (int i = 0; i < 2000; i++)
        put_frame(&pings, 0x89, part, 125);
    for (size_t at = 0; at < pings.len;) {
        ssize_t n = send(f.peer, pings.data + at, pings.len - at, MSG_NOSIGNAL);
        at += n > 0 ? (size_t)n : 0;
        turn(&f);
    }
    CU_ASSERT_TRUE(pp_conn_queued(f.conn) <= 200000 + 127);
    close_pair(&f);
    pp_buf_destroy(&pings);
}

/* --- the end --- */

static void answers_the_closing_of_its_peer(void)
{
    struct fixture f;
    open_pair(&f);
    deliver_frame(&f, 0x88,
                  "\x0F\xA0"
                  "bye",
                  5);
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_EQUAL(f.code, 4000);
    CU_ASSERT_STRING_EQUAL(f.reason, "bye");
    CU_ASSERT_TRUE(f.by_peer);
    CU_ASSERT_TRUE(ends(&f));
    got_close(&f, 4000);
    close_pair(&f);
}

static void answers_a_closing_without_a_code(void)
{
    struct fixture f;
    open_pair(&f);
    deliver_frame(&f, 0x88, "", 0);
    CU_ASSERT_EQUAL(f.code, 1005);
    CU_ASSERT_TRUE(f.by_peer);
    CU_ASSERT_TRUE(ends(&f));
    got_close(&f, 1005);
    close_pair(&f);
}

static void wrong_closing(const char *payload, size_t len, unsigned code)
{
    struct fixture f;
    open_pair(&f);
    deliver_frame(&f, 0x88, payload, len);
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_EQUAL(f.code, code);
    CU_ASSERT_TRUE(ends(&f));
    got_close(&f, code);
    close_pair(&f);
}

static void refuses_a_wrong_closing(void)
{
    wrong_closing("\x03", 1, 1002);
    wrong_closing("\x03\xED", 2, 1002); /* 1005 */
    wrong_closing("\x03\xEE", 2, 1002); /* 1006 */
    wrong_closing("\x00\x00", 2, 1002);
    wrong_closing("\x13\x88", 2, 1002); /* 5000 */
    wrong_closing("\x03\xE8\xFF", 3, 1007);
}

static void closes_behind_what_is_queued(void)
{
    struct fixture f;
    open_pair(&f);
    send_message(&f, PP_WS_TEXT, "last words", 10);
    pp_conn_close(f.conn, 4321, "reason");
    pp_conn_close(f.conn, 1000, "again"); /* does nothing */
    CU_ASSERT_FALSE(pp_conn_is_open(f.conn));
    struct pp_packet *packet = pp_ws_control(PP_WS_PING, NULL, 0);
    CU_ASSERT_EQUAL(pp_conn_send(f.conn, packet), PP_CONN_CLOSED);
    pp_packet_unref(packet);
    CU_ASSERT_EQUAL(f.told, 0);
    turn(&f);
    receive(&f);
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_EQUAL(f.code, 4321);
    CU_ASSERT_STRING_EQUAL(f.reason, "reason");
    CU_ASSERT_FALSE(f.by_peer);
    CU_ASSERT_FALSE(f.eof);
    CU_ASSERT_EQUAL(memcmp(f.got.data, "\x81\x0Alast words\x88\x08\x10\xE1reason", 22), 0);
    deliver_frame(&f, 0x88, "\x10\xE1", 2);
    turn(&f);
    receive(&f);
    CU_ASSERT_TRUE(f.eof); /* at once: both have said it */
    CU_ASSERT_EQUAL(f.got.len, 22);
    close_pair(&f);
}

/* What comes after the owner was told is skipped, without a look at anything that was the owner's. */
static void skips_what_comes_while_it_closes(void)
{
    static char part[30000];
    struct fixture f;
    open_pair(&f);
    deliver_frame(&f, 0x01, "begun", 5);
    pp_conn_close(f.conn, 1000, "");
    turn(&f);
    CU_ASSERT_EQUAL(f.told, 1);
    deliver_frame(&f, 0x80, " and done", 9);
    deliver_frame(&f, 0x82, part, sizeof part);
    deliver_frame(&f, 0x89, "ping", 4);
    deliver_frame(&f, 0x8A, "pong", 4);
    deliver_frame(&f, 0x88, "\x03\xE8", 2);
    turn(&f);
    receive(&f);
    CU_ASSERT_TRUE(f.eof);
    CU_ASSERT_EQUAL(f.messages, 0);
    CU_ASSERT_EQUAL(f.pongs, 0);
    CU_ASSERT_EQUAL(f.told, 1);
    got_close(&f, 1000);
    close_pair(&f);
}

static void does_not_wait_forever_for_an_answer(void)
{
    struct fixture f;
    open_pair(&f);
    f.limits->close_after = 20;
    pp_conn_close(f.conn, 1001, "");
    CU_ASSERT_TRUE(ends(&f));
    CU_ASSERT_EQUAL(f.told, 1);
    close_pair(&f);
}

static void tells_of_a_lost_peer(void)
{
    struct fixture f;
    open_pair(&f);
    deliver(&f, "\x82", 1);
    close(f.peer);
    f.peer = -1;
    turn(&f);
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_EQUAL(f.code, 1006);
    CU_ASSERT_FALSE(f.by_peer);
    CU_ASSERT_STRING_EQUAL(f.reason, "");
    close_pair(&f);
}

static void hears_what_a_lost_peer_said_before(void)
{
    struct fixture f;
    struct pp_buf out = {0};
    open_pair(&f);
    for (int i = 0; i < 100; i++)
        put_frame(&out, 0x82, "last", 4);
    CU_ASSERT_EQUAL(send(f.peer, out.data, out.len, 0), (ssize_t)out.len);
    close(f.peer);
    f.peer = -1;
    turn(&f);
    CU_ASSERT_EQUAL(f.messages, 100);
    CU_ASSERT_EQUAL(f.told, 1);
    close_pair(&f);
    pp_buf_destroy(&out);
}

static void notices_a_lost_peer_when_it_writes(void)
{
    struct fixture f;
    open_pair(&f);
    shutdown(f.peer, SHUT_RD);
    send_message(&f, PP_WS_TEXT, "anyone?", 7);
    turn(&f);
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_EQUAL(f.code, 1006);
    close_pair(&f);
}

/* A message that has begun is finished, or the close frame behind it could not be read; the rest is dropped. */
static void aborts_behind_a_packet_that_is_half_written(void)
{
    static char large[2000000];
    struct fixture f;
    struct server_frame frame;
    size_t at = 0;
    open_with(&f, 4096);
    memset(large, 'L', sizeof large);
    send_message(&f, PP_WS_BINARY, large, sizeof large);
    send_message(&f, PP_WS_TEXT, "never", 5);
    turn(&f);
    size_t queued = pp_conn_queued(f.conn);
    CU_ASSERT_TRUE(queued > 1000000 && queued < sizeof large);
    pp_conn_abort(f.conn, 4008, "too slow");
    CU_ASSERT_EQUAL(pp_conn_queued(f.conn), queued - 7 + 12);
    while (!f.eof && f.got.len < sizeof large + 10 + 12) {
        turn(&f);
        receive(&f);
    }
    CU_ASSERT_EQUAL(f.code, 4008);
    CU_ASSERT_TRUE(take_frame(&f.got, &at, &frame));
    CU_ASSERT_EQUAL(frame.len, sizeof large);
    CU_ASSERT_EQUAL(memcmp(frame.payload, large, sizeof large), 0);
    CU_ASSERT_TRUE(take_frame(&f.got, &at, &frame));
    CU_ASSERT_EQUAL(frame.first, 0x88);
    CU_ASSERT_EQUAL(at, f.got.len);
    close_pair(&f);
}

static void aborts_at_once_where_nothing_has_begun(void)
{
    struct fixture f;
    open_pair(&f);
    send_message(&f, PP_WS_TEXT, "never", 5);
    pp_conn_abort(f.conn, 4008, "");
    turn(&f);
    receive(&f);
    CU_ASSERT_EQUAL(f.got.len, 4);
    got_close(&f, 4008);
    close_pair(&f);
}

static void gives_up_on_a_peer_that_never_reads(void)
{
    static char large[2000000];
    struct fixture f;
    open_with(&f, 4096);
    send_message(&f, PP_WS_BINARY, large, sizeof large);
    turn(&f);
    f.limits->close_after = 20;
    pp_conn_abort(f.conn, 4008, "");
    for (int i = 0; i < 100; i++) {
        turn(&f);
        usleep(1000);
    }
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_TRUE(ends(&f)); /* the timer ended it, not the peer */
    CU_ASSERT_TRUE(f.got.len < sizeof large);
    close_pair(&f);
}

static void close_it(struct fixture *f)
{
    if (f->conn != NULL)
        pp_conn_close(f->conn, 4001, "enough");
}

static void drop_it(struct fixture *f)
{
    pp_conn_drop(f->conn);
    f->conn = NULL;
}

static void may_be_closed_from_a_message(void)
{
    for (int fragmented = 0; fragmented < 2; fragmented++) {
        struct fixture f;
        struct pp_buf out = {0};
        open_pair(&f);
        f.on_message = close_it;
        if (fragmented)
            put_frame(&out, 0x01, "", 0);
        put_frame(&out, fragmented ? 0x80 : 0x81, "first", 5);
        put_frame(&out, 0x81, "second", 6);
        deliver(&f, out.data, out.len);
        heard_is(&f, "tfirst\n", 7);
        CU_ASSERT_EQUAL(f.code, 4001);
        close_pair(&f);
        pp_buf_destroy(&out);
    }
}

static void may_be_dropped_from_a_message(void)
{
    for (int fragmented = 0; fragmented < 2; fragmented++) {
        struct fixture f;
        struct pp_buf out = {0};
        open_pair(&f);
        f.on_message = drop_it;
        if (fragmented)
            put_frame(&out, 0x01, "", 0);
        put_frame(&out, fragmented ? 0x80 : 0x81, "first", 5);
        put_frame(&out, 0x81, "second", 6);
        put_frame(&out, 0x82, "cut", 3);
        deliver(&f, out.data, out.len - 1);
        heard_is(&f, "tfirst\n", 7);
        CU_ASSERT_TRUE(ends(&f));
        CU_ASSERT_EQUAL(f.told, 0);
        CU_ASSERT_EQUAL(f.got.len, 0);
        close_pair(&f);
        pp_buf_destroy(&out);
    }
}

static void remembers_when_it_heard_last(void)
{
    struct fixture f;
    open_pair(&f);
    uint64_t before = pp_conn_last_heard(f.conn);
    usleep(3000);
    deliver_frame(&f, 0x8A, "", 0);
    CU_ASSERT_TRUE(pp_conn_last_heard(f.conn) > before);
    CU_ASSERT_TRUE(pp_conn_last_heard(f.conn) <= pp_loop_now(f.loop));
    close_pair(&f);
}

/* --- pausing --- */

static void pause_at_b(struct fixture *f)
{
    if (memchr(f->heard.data, 'B', f->heard.len) != NULL && f->messages == 2)
        pp_conn_pause(f->conn);
}

static void stops_reading_behind_the_message_that_pauses_it(void)
{
    struct fixture f;
    struct pp_buf out = {0};
    open_pair(&f);
    f.on_message = pause_at_b;
    put_frame(&out, 0x82, "A", 1);
    put_frame(&out, 0x82, "B", 1);
    put_frame(&out, 0x82, "C", 1);
    put_frame(&out, 0x02, "D", 1);
    put_frame(&out, 0x89, "", 0);
    put_frame(&out, 0x80, "E", 1);
    put_frame(&out, 0x82, "FGH", 3);
    deliver(&f, out.data, out.len - 2); /* the last frame is not whole */
    heard_is(&f, "bA\nbB\n", 6);
    CU_ASSERT_TRUE(pp_conn_is_paused(f.conn));
    CU_ASSERT_EQUAL(f.got.len, 0);
    pp_conn_resume(f.conn);
    CU_ASSERT_EQUAL(f.messages, 2); /* not before the turn's end */
    turn(&f);
    CU_ASSERT_EQUAL(f.resumed, 1);
    heard_is(&f, "bA\nbB\nbC\nbDE\n", 13);
    deliver(&f, out.data + out.len - 2, 2);
    heard_is(&f, "bA\nbB\nbC\nbDE\nbFGH\n", 18);
    CU_ASSERT_EQUAL(f.got.len, 2); /* the pong */
    pp_buf_destroy(&out);
    close_pair(&f);
}

static void holds_its_peer_back_while_it_is_paused(void)
{
    struct fixture f;
    struct pp_buf out = {0};
    static char payload[50000];
    size_t sent = 0;
    open_pair(&f);
    pp_conn_pause(f.conn);
    while (out.len < 100 * sizeof payload)
        put_frame(&out, 0x82, payload, sizeof payload);
    for (ssize_t n; (n = send(f.peer, out.data + sent, out.len - sent, MSG_NOSIGNAL)) > 0; sent += (size_t)n)
        turn(&f);
    CU_ASSERT_TRUE(sent < out.len);
    CU_ASSERT_EQUAL(pp_conn_bytes_in(f.conn), 0);
    pp_conn_resume(f.conn);
    deliver(&f, out.data + sent, out.len - sent);
    CU_ASSERT_EQUAL(f.messages, out.len / (sizeof payload + 8));
    pp_buf_destroy(&out);
    close_pair(&f);
}

static void notices_that_its_peer_hung_up_while_it_is_paused(void)
{
    struct fixture f;
    open_pair(&f);
    pp_conn_pause(f.conn);
    deliver_frame(&f, 0x82, "never heard", 11);
    CU_ASSERT_EQUAL(f.told, 0);
    close(f.peer);
    f.peer = -1;
    turn(&f);
    CU_ASSERT_EQUAL(f.told, 1);
    CU_ASSERT_EQUAL(f.code, 1006);
    CU_ASSERT_EQUAL(f.messages, 0);
    close_pair(&f);
}

static void closes_while_it_is_paused(void)
{
    struct fixture f;
    struct pp_buf out = {0};
    open_pair(&f);
    f.on_message = pause_at_b;
    put_frame(&out, 0x82, "A", 1);
    put_frame(&out, 0x82, "B", 1);
    put_frame(&out, 0x82, "C", 1);
    put_frame(&out, 0x88, "\x03\xE8", 2);
    deliver(&f, out.data, out.len);
    CU_ASSERT_EQUAL(f.told, 0); /* the close frame waits too */
    pp_conn_close(f.conn, 4003, "no");
    CU_ASSERT_TRUE(ends(&f)); /* it was read after all */
    CU_ASSERT_EQUAL(f.code, 4003);
    CU_ASSERT_EQUAL(f.messages, 2);
    CU_ASSERT_EQUAL(f.resumed, 0);
    got_close(&f, 4003);
    pp_buf_destroy(&out);
    close_pair(&f);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"hears messages that come at once", hears_messages_at_once},
        {"hears messages that come byte by byte", hears_messages_byte_by_byte},
        {"hears messages in slices of any size", hears_messages_in_slices_of_any_size},
        {"closes with the code of the fault", closes_with_the_code_of_the_fault},
        {"counts the bytes of fragments together", counts_fragments_together},
        {"bounds the number of fragments", bounds_the_number_of_fragments},
        {"minds a limit that was lowered", minds_a_limit_that_was_lowered},
        {"answers pings in order", answers_pings_in_order},
        {"writes what was sent, in order, at the end of the turn", writes_what_was_sent_in_order},
        {"joins messages where the peer takes batches", joins_messages_where_the_peer_takes_batches},
        {"survives a peer that reads slowly", survives_a_peer_that_reads_slowly},
        {"is full until its peer has read", is_full_until_its_peer_has_read},
        {"does not answer pings of a peer that does not read", does_not_answer_pings_of_a_peer_that_does_not_read},
        {"answers the closing of its peer", answers_the_closing_of_its_peer},
        {"answers a closing without a code", answers_a_closing_without_a_code},
        {"refuses a wrong closing", refuses_a_wrong_closing},
        {"closes behind what is queued", closes_behind_what_is_queued},
        {"skips what comes while it closes", skips_what_comes_while_it_closes},
        {"does not wait forever for an answer", does_not_wait_forever_for_an_answer},
        {"tells of a lost peer", tells_of_a_lost_peer},
        {"hears what a lost peer said before", hears_what_a_lost_peer_said_before},
        {"notices a lost peer when it writes", notices_a_lost_peer_when_it_writes},
        {"aborts behind a packet that is half written", aborts_behind_a_packet_that_is_half_written},
        {"aborts at once where nothing has begun", aborts_at_once_where_nothing_has_begun},
        {"gives up on a peer that never reads", gives_up_on_a_peer_that_never_reads},
        {"may be closed from a message", may_be_closed_from_a_message},
        {"may be dropped from a message", may_be_dropped_from_a_message},
        {"remembers when it heard last", remembers_when_it_heard_last},
        {"stops reading behind the message that pauses it", stops_reading_behind_the_message_that_pauses_it},
        {"holds its peer back while it is paused", holds_its_peer_back_while_it_is_paused},
        {"notices that its peer hung up while it is paused", notices_that_its_peer_hung_up_while_it_is_paused},
        {"closes while it is paused", closes_while_it_is_paused},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/conn", tests);
}

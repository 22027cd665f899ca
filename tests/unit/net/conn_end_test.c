/* How connections end: by their peer, by their owner, by time, and from within a message. */
#include "conn_fixture.h"

static void answers_the_closing_of_its_peer(void)
{
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
    open_pair(&f);
    f.limits->close_after = 20;
    pp_conn_close(f.conn, 1001, "");
    CU_ASSERT_TRUE(ends(&f));
    CU_ASSERT_EQUAL(f.told, 1);
    close_pair(&f);
}

static void tells_of_a_lost_peer(void)
{
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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

static void close_it(struct conn_fixture *f)
{
    if (f->conn != NULL)
        pp_conn_close(f->conn, 4001, "enough");
}

static void drop_it(struct conn_fixture *f)
{
    pp_conn_drop(f->conn);
    f->conn = NULL;
}

static void may_be_closed_from_a_message(void)
{
    for (int fragmented = 0; fragmented < 2; fragmented++) {
        struct conn_fixture f;
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
        struct conn_fixture f;
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
    struct conn_fixture f;
    open_pair(&f);
    uint64_t before = pp_conn_last_heard(f.conn);
    usleep(3000);
    deliver_frame(&f, 0x8A, "", 0);
    CU_ASSERT_TRUE(pp_conn_last_heard(f.conn) > before);
    CU_ASSERT_TRUE(pp_conn_last_heard(f.conn) <= pp_loop_now(f.loop));
    close_pair(&f);
}

int main(void)
{
    CU_TestInfo tests[] = {
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
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/conn_end", tests);
}

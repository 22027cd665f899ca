/* Connections: what they hear, what they write, and pausing. How they end is in conn_end_test.c. */
#include "conn_fixture.h"
#include "random.h"

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

static void check_conversation(struct conn_fixture *f, const struct pp_buf *expected)
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
        struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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

/* --- pausing --- */

static void pause_at_b(struct conn_fixture *f)
{
    if (memchr(f->heard.data, 'B', f->heard.len) != NULL && f->messages == 2)
        pp_conn_pause(f->conn);
}

static void stops_reading_behind_the_message_that_pauses_it(void)
{
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
    struct conn_fixture f;
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
        {"stops reading behind the message that pauses it", stops_reading_behind_the_message_that_pauses_it},
        {"holds its peer back while it is paused", holds_its_peer_back_while_it_is_paused},
        {"notices that its peer hung up while it is paused", notices_that_its_peer_hung_up_while_it_is_paused},
        {"closes while it is paused", closes_while_it_is_paused},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/conn", tests);
}

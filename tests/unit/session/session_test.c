/* Sessions: from WebSocket messages to the protocol's, and what becomes of those that are none. */
#define _GNU_SOURCE /* memmem */
#include "harness.h"
#include "link.h"
#include "session/session.h"
#include "wire/compress.h"
#include "wire/frame.h"

#include <string.h>

static struct pp_session_config config;
static struct pp_session_stats stats;
static struct pp_inflater *inflater;

static struct {
    struct pp_buf messages; /* "type payload ns ack control\n" */
    unsigned count, limited, limit, closed, full;
    char limited_ns[16];
    char reason[64];
    uint16_t code;
} heard;

static void on_message(void *owner, const struct pp_message *message)
{
    char text[64];
    (void)owner;
    heard.count++;
    pp_buf_append(&heard.messages, message->type, message->type_len);
    pp_buf_append_char(&heard.messages, ' ');
    pp_buf_append(&heard.messages, message->payload, message->payload_len);
    snprintf(text, sizeof text, " %.*s %d%s\n", (int)message->ns_len, message->ns ? message->ns : "",
             (int)message->ack_id, message->control ? " control" : "");
    pp_buf_append_string(&heard.messages, text);
}

static void on_limited(void *owner, const struct pp_refusal *refusal)
{
    (void)owner;
    heard.limited++;
    heard.limit = refusal->limit;
    snprintf(heard.limited_ns, sizeof heard.limited_ns, "%.*s", (int)refusal->ns_len, refusal->ns ? refusal->ns : "");
}

static void on_backpressure(void *owner)
{
    (void)owner;
    heard.full++;
}

static void on_closed(void *owner, const char *reason, uint16_t code)
{
    heard.closed++;
    heard.code = code;
    snprintf(heard.reason, sizeof heard.reason, "%s", reason);
    ((struct link *)owner)->session = NULL;
}

static const struct pp_session_ops ops = {
    .message = on_message, .limited = on_limited, .backpressure = on_backpressure, .closed = on_closed};

static void begin(struct link *link, const char *query)
{
    memset(&heard, 0, sizeof heard);
    memset(&stats, 0, sizeof stats);
    link_open(link, pp_loop_new(), &config, &stats, &ops, link, query);
}

static void end(struct link *link)
{
    struct pp_loop *loop = link->loop;
    link_close(link);
    pp_loop_delete(loop);
    pp_buf_destroy(&heard.messages);
}

static void reset_config(void)
{
    config = (struct pp_session_config){
        .conn = {.max_payload = 100000, .max_queue = 1 << 20, .close_after = 20},
        .encoding = {.threshold = 1024},
        .inflater = inflater,
        .max_decompressed = 5000,
        .volatile_above = 1000,
    };
}

static void put_message(struct pp_buf *out, uint16_t flags, uint16_t type_id, const void *payload, size_t len)
{
    unsigned char header[PP_FRAME_HEADER];
    pp_frame_encode(header, flags, type_id, 0, (uint32_t)len);
    pp_buf_append(out, header, sizeof header);
    pp_buf_append(out, payload, len);
}

static void send_json(struct link *link, const char *text)
{
    struct pp_buf out = {0};
    put_message(&out, 0, 0, text, strlen(text));
    link_send(link, 0x82, out.data, out.len);
    pp_buf_destroy(&out);
}

static bool got(const struct link *link, const char *text)
{
    return link->got.len > 0 && memmem(link->got.data, link->got.len, text, strlen(text)) != NULL;
}

static void heard_is(const char *text)
{
    CU_ASSERT_EQUAL_FATAL(heard.messages.len, strlen(text));
    CU_ASSERT_EQUAL(memcmp(heard.messages.data ? heard.messages.data : "", text, strlen(text)), 0);
}

static void tells_of_messages(void)
{
    struct link link;
    begin(&link, "");
    send_json(&link, "{\"type\":\"greet\",\"payload\":{\"a\":1}}");
    send_json(&link, "{\"payload\":[1],\"__ackId\":7,\"type\":\"ask\",\"__ns\":\"/admin\"}");
    send_json(&link, "{\"type\":\"__pp_ack\",\"payload\":{}}");
    send_json(&link, "{\"type\":\"bare\"}");
    heard_is("greet {\"a\":1}  0\nask [1] /admin 7\n__pp_ack {}  0 control\nbare   0\n");
    CU_ASSERT_EQUAL(stats.messages_in, 4);
    CU_ASSERT_FALSE(pp_session_speaks_text(link.session));
    end(&link);
}

static void answers_text_in_text(void)
{
    struct link link;
    begin(&link, "");
    link_send(&link, 0x81, "{\"type\":\"x\",\"payload\":1}", 24);
    heard_is("x 1  0\n");
    CU_ASSERT_TRUE(pp_session_speaks_text(link.session));
    pp_session_send_error(link.session, "AUTH_ERROR", "say \"please\"");
    link_run(&link, 3);
    CU_ASSERT_EQUAL((unsigned char)link.got.data[0], 0x81);
    CU_ASSERT_TRUE(got(&link, "{\"type\":\"__pp_error\",\"payload\":{\"code\":\"AUTH_ERROR\","
                              "\"message\":\"say \\\"please\\\"\"}}"));
    send_json(&link, "{\"type\":\"y\"}");
    CU_ASSERT_FALSE(pp_session_speaks_text(link.session));
    end(&link);
}

/* The capability alone decides: states come as frames to who asked for them so, even where all else is text. */
static void sends_frames_of_states_to_who_takes_them(void)
{
    static const char *const queries[] = {"pp_caps=batch,state", "pp_caps=state", "pp_caps=states", ""};
    for (int i = 0; i < 4; i++) {
        struct link link;
        begin(&link, queries[i]);
        CU_ASSERT_EQUAL(pp_session_takes_state(link.session), i < 2);
        end(&link);
    }
    struct link link;
    begin(&link, "pp_caps=state");
    link_send(&link, 0x81, "{\"type\":\"x\"}", 12);
    CU_ASSERT_TRUE(pp_session_speaks_text(link.session));
    struct pp_outgoing out = {.encoding = &(struct pp_encoding){0},
                              .schema_payload = "state",
                              .schema_payload_len = 5,
                              .type_id = PP_TYPE_ROOM_DELTA,
                              .control = true,
                              .only_framed = true};
    CU_ASSERT_TRUE(pp_session_send(link.session, &out, false));
    pp_outgoing_destroy(&out);
    link_run(&link, 3);
    CU_ASSERT_EQUAL_FATAL((unsigned char)link.got.data[0], 0x82);
    CU_ASSERT_TRUE(got(&link, "state"));
    end(&link);
}

static void inflates(void)
{
    struct link link;
    struct pp_buf small = {0}, out = {0};
    char text[4000];
    struct pp_compressor *compressor = pp_compressor_new(1);
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"type\":\"big\",\"payload\":\"", 25);
    memcpy(text + sizeof text - 2, "\"}", 2);
    begin(&link, "");
    CU_ASSERT_TRUE(pp_compress(compressor, text, sizeof text, &small));
    put_message(&out, PP_FLAG_COMPRESSED, 0, small.data, small.len);
    link_send(&link, 0x82, out.data, out.len);
    CU_ASSERT_EQUAL(heard.count, 1);
    CU_ASSERT_EQUAL(heard.messages.len, 4 + (sizeof text - 25) + 4);
    config.max_decompressed = 3999;
    link_send(&link, 0x82, out.data, out.len);
    CU_ASSERT_EQUAL(heard.count, 1);
    CU_ASSERT_TRUE(got(&link, "maxDecompressedSize"));
    out.data[PP_FRAME_HEADER + 5] ^= 0x55;
    link_send(&link, 0x82, out.data, out.len);
    CU_ASSERT_EQUAL(heard.count, 1);
    CU_ASSERT_EQUAL(stats.malformed, 2);
    CU_ASSERT_TRUE(got(&link, "not valid zlib"));
    pp_compressor_delete(compressor);
    pp_buf_destroy(&small);
    pp_buf_destroy(&out);
    end(&link);
    reset_config();
}

static void answers_what_is_malformed_and_goes_on(void)
{
    static const char *const wrong[] = {"{\"type\":1}",    "{}",       "[]",
                                        "{\"type\":\"x\"", "nonsense", "{\"type\":\"\xFF\"}"};
    struct link link;
    begin(&link, "");
    for (size_t i = 0; i < 6; i++)
        send_json(&link, wrong[i]);
    link_send(&link, 0x82, "PPND\0\2\0\0\0\0\0\5\0\0\0\0abc", 19); /* truncated */
    link_send(&link, 0x82, "PPND\0\2\0\0\0\0\0\1\0\0\0\0{}", 18);  /* bytes behind it */
    send_json(&link, "{\"type\":\"fine\"}");
    heard_is("fine   0\n");
    CU_ASSERT_EQUAL(stats.malformed, 8);
    CU_ASSERT_TRUE(got(&link, "DECODE_ERROR"));
    CU_ASSERT_TRUE(got(&link, "truncated frame"));
    CU_ASSERT_EQUAL(heard.closed, 0);
    link_send(&link, 0x82, "PPND\0\2\0\0\0\0\0\1\x12\x34\0\0x", 17);
    CU_ASSERT_TRUE(got(&link, "SCHEMA_ERROR"));
    end(&link);
}

static void closes_after_ten_malformed_frames(void)
{
    struct link link;
    begin(&link, "");
    for (int i = 0; i < 9; i++)
        send_json(&link, "{}");
    CU_ASSERT_EQUAL(heard.closed, 0);
    send_json(&link, "{}");
    CU_ASSERT_EQUAL(heard.closed, 1);
    CU_ASSERT_EQUAL(heard.code, PP_CLOSE_MALFORMED);
    CU_ASSERT_STRING_EQUAL(heard.reason, "forced server disconnect");
    end(&link);
}

static void closes_with(const char *bytes, size_t len, unsigned code, const char *reason)
{
    struct link link;
    begin(&link, "");
    link_send(&link, 0x82, bytes, len);
    CU_ASSERT_EQUAL(heard.closed, 1);
    CU_ASSERT_EQUAL(heard.code, code);
    CU_ASSERT_STRING_EQUAL(heard.reason, reason);
    CU_ASSERT_TRUE(got(&link, "DECODE_ERROR"));
    CU_ASSERT_EQUAL(heard.count, 0);
    end(&link);
}

static void closes_on_what_is_no_frame(void)
{
    closes_with("GET / HTTP/1.1\r\n", 16, 4011, "forced server disconnect");
    closes_with("X", 1, 4011, "forced server disconnect");
    closes_with("PPND\0\1\0\0\0\0\0\0\0\0\0\0", 16, 4010, "Invalid Protocol Version");
    closes_with("PPND\0\3", 6, 4010, "Invalid Protocol Version");
}

static void takes_batches_where_they_were_agreed_on(void)
{
    struct link link;
    struct pp_buf out = {0};
    for (int i = 0; i < 5; i++)
        put_message(&out, 0, 0, "{\"type\":\"x\"}", 12);
    begin(&link, "a=1&pp_caps=state,batch");
    link_send(&link, 0x82, out.data, out.len);
    CU_ASSERT_EQUAL(heard.count, 5);
    link_send(&link, 0x82, out.data, out.len - 1); /* the last is cut */
    CU_ASSERT_EQUAL(heard.count, 9);
    CU_ASSERT_EQUAL(stats.malformed, 1);
    end(&link);
    begin(&link, "pp_caps=batches");
    link_send(&link, 0x82, out.data, out.len);
    CU_ASSERT_EQUAL(heard.count, 0);
    CU_ASSERT_EQUAL(stats.malformed, 1);
    end(&link);
    pp_buf_destroy(&out);
}

/* Raw bytes are one WebSocket message of their own, also where frames are joined. */
static void never_joins_raw_bytes_with_frames(void)
{
    struct link link;
    begin(&link, "pp_caps=batch");
    pp_session_send_error(link.session, "A", "");
    CU_ASSERT_TRUE(pp_session_send_raw(link.session, "raw", 3, false));
    pp_session_send_error(link.session, "B", "");
    pp_session_send_error(link.session, "C", "");
    link_run(&link, 3);
    struct server_frame frame;
    size_t at = 0;
    CU_ASSERT_TRUE(take_frame(&link.got, &at, &frame));
    CU_ASSERT_TRUE_FATAL(take_frame(&link.got, &at, &frame));
    CU_ASSERT_EQUAL(frame.len, 3);
    CU_ASSERT_EQUAL(memcmp(frame.payload, "raw", 3), 0);
    CU_ASSERT_TRUE(take_frame(&link.got, &at, &frame)); /* the last two */
    CU_ASSERT_EQUAL(at, link.got.len);
    end(&link);
}

static void limits_the_rate(void)
{
    struct link link;
    config.limits.rest.per_minute = 3;
    begin(&link, "");
    for (int i = 0; i < 8; i++)
        send_json(&link, "{\"type\":\"x\"}");
    CU_ASSERT_EQUAL(heard.count, 3);
    CU_ASSERT_EQUAL(stats.limited, 5);
    CU_ASSERT_TRUE(heard.limited >= 1);
    CU_ASSERT_TRUE(got(&link, "RATE_LIMIT_ERROR"));
    end(&link);
    reset_config();
}

/* Fills the queue with messages that nobody reads; returns how many were taken. */
static unsigned fill(struct link *link, bool is_volatile)
{
    static char text[10000] = "{}";
    unsigned sent = 0;
    struct pp_outgoing out = {.encoding = &config.encoding, .envelope = text, .envelope_len = sizeof text};
    while (sent < 1000 && pp_session_send(link->session, &out, is_volatile))
        sent++;
    pp_outgoing_destroy(&out);
    return sent;
}

static void limits_namespaces_of_their_own(void)
{
    static const struct pp_limit_override game = {.ns = "/game", .ns_len = 5, .limit = {.per_minute = 2}};
    struct link link;
    config.limits = (struct pp_limits){.rest = {.per_minute = 3}, .overrides = &game, .override_count = 1};
    begin(&link, "");
    for (int i = 0; i < 3; i++) {
        send_json(&link, "{\"type\":\"move\",\"__ns\":\"/game\"}");
        send_json(&link, "{\"type\":\"say\",\"payload\":1}");
    }
    CU_ASSERT_EQUAL(heard.count, 5);
    CU_ASSERT_EQUAL(heard.limited, 1);
    CU_ASSERT_EQUAL(heard.limit, 2);
    CU_ASSERT_STRING_EQUAL(heard.limited_ns, "/game");
    send_json(&link, "{\"type\":\"say\",\"__ns\":\"/other\"}");
    CU_ASSERT_EQUAL(heard.count, 5);
    CU_ASSERT_EQUAL(heard.limited, 2);
    CU_ASSERT_EQUAL(heard.limit, 3);
    for (int i = 0; i < 3; i++) /* ten were looked at: twice as many as may pass */
        send_json(&link, "{\"type\":\"say\"}");
    CU_ASSERT_EQUAL(stats.malformed, 0);
    send_json(&link, "nonsense");
    CU_ASSERT_EQUAL(stats.malformed, 0);
    end(&link);
    reset_config();
}

static void drops_volatile_messages_for_a_client_that_is_behind(void)
{
    struct link link;
    begin(&link, "");
    CU_ASSERT_EQUAL(fill(&link, true), 1000); /* answered as sent */
    CU_ASSERT_EQUAL(stats.messages_out, 1);
    CU_ASSERT_EQUAL(stats.dropped, 999);
    CU_ASSERT_TRUE(pp_session_queued(link.session) < 20000);
    end(&link);
}

static void closes_a_client_that_is_too_slow(void)
{
    struct link link;
    config.conn.max_queue = 100000;
    begin(&link, "");
    unsigned sent = fill(&link, false);
    CU_ASSERT_TRUE(sent < 1000);
    link_run(&link, 3);
    CU_ASSERT_EQUAL(heard.closed, 1);
    CU_ASSERT_EQUAL(heard.code, 4008);
    CU_ASSERT_STRING_EQUAL(heard.reason, "too slow");
    end(&link);
    reset_config();
}

static void drops_for_a_client_that_is_too_slow_where_that_was_chosen(void)
{
    struct link link;
    config.conn.max_queue = 100000;
    config.drop_when_full = true;
    begin(&link, "");
    CU_ASSERT_EQUAL(fill(&link, false), 1000);
    CU_ASSERT_TRUE(stats.dropped > 0 && heard.full == stats.dropped);
    CU_ASSERT_TRUE(pp_session_queued(link.session) <= 100000);
    link_run(&link, 3);
    CU_ASSERT_EQUAL(heard.closed, 0);
    end(&link);
    reset_config();
}

static unsigned pings(const struct link *link)
{
    struct server_frame frame;
    size_t at = 0;
    unsigned count = 0;
    while (take_frame(&link->got, &at, &frame))
        count += frame.first == 0x89;
    return count;
}

static void pings_a_client_that_is_silent(void)
{
    struct link link;
    config.heartbeat_interval = 20;
    config.heartbeat_timeout = 400;
    begin(&link, "");
    for (int i = 0; i < 400 && pings(&link) < 3; i++) { /* it answers, so it stays */
        unsigned before = pings(&link);
        link_run(&link, 2);
        if (pings(&link) > before)
            link_send(&link, 0x8A, "", 0);
    }
    CU_ASSERT_EQUAL(pings(&link), 3);
    CU_ASSERT_EQUAL(heard.closed, 0);
    for (int i = 0; i < 400 && !heard.closed; i++)
        link_run(&link, 5);
    CU_ASSERT_EQUAL(heard.closed, 1);
    CU_ASSERT_STRING_EQUAL(heard.reason, "Ping timeout");
    end(&link);
    reset_config();
}

static void tells_the_reason_of_its_end(void)
{
    struct link link;
    begin(&link, "");
    link_send(&link, 0x88, "\x03\xE8", 2);
    CU_ASSERT_STRING_EQUAL(heard.reason, "client disconnect");
    CU_ASSERT_EQUAL(heard.code, 1000);
    end(&link);
    begin(&link, "");
    close(link.peer);
    link.peer = -1;
    link_run(&link, 3);
    CU_ASSERT_STRING_EQUAL(heard.reason, "transport close");
    CU_ASSERT_EQUAL(heard.code, 1006);
    end(&link);
    begin(&link, "");
    pp_session_close(link.session, 4001, "late", "forced server disconnect");
    pp_session_close(link.session, 4002, "again", "server shutdown");
    CU_ASSERT_FALSE(pp_session_send_raw(link.session, "x", 1, true));
    link_run(&link, 3);
    CU_ASSERT_STRING_EQUAL(heard.reason, "forced server disconnect");
    CU_ASSERT_EQUAL(heard.code, 4001);
    CU_ASSERT_EQUAL(heard.closed, 1);
    end(&link);
}

static void holds_the_applications_messages(void)
{
    struct link link;
    begin(&link, "");
    pp_session_hold(link.session);
    send_json(&link, "{\"type\":\"__pp_auth\",\"payload\":1}");
    link_send(&link, 0x81, "{\"\\u0074ype\":\"__pp_\\u0061uth\"}", 30);
    heard_is("__pp_auth 1  0 control\n__pp_auth   0 control\n");
    send_json(&link, "{\"type\":\"\\u0061\"}");
    send_json(&link, "{\"type\":\"__pp_auth\",\"payload\":2}");
    send_json(&link, "nonsense");
    link_send(&link, 0x81, "{\"type\":\"b\"}", 12);
    CU_ASSERT_EQUAL(heard.count, 2);
    CU_ASSERT_EQUAL(stats.malformed, 0);
    pp_session_accept(link.session);
    CU_ASSERT_EQUAL(heard.count, 2);
    link_run(&link, 3);
    heard_is("__pp_auth 1  0 control\n__pp_auth   0 control\na   0\n__pp_auth 2  0 control\nb   0\n");
    CU_ASSERT_EQUAL(stats.malformed, 1);
    pp_session_accept(link.session); /* again: nothing */
    send_json(&link, "{\"type\":\"c\"}");
    CU_ASSERT_EQUAL(heard.count, 6);
    end(&link);
}

static void put_json(struct pp_buf *out, const char *text)
{
    put_message(out, 0, 0, text, strlen(text));
}

static void holds_the_rest_of_a_batch(void)
{
    struct link link;
    struct pp_buf out = {0}, small = {0};
    struct pp_compressor *compressor = pp_compressor_new(1);
    char text[2000];
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"type\":\"__pp_auth\",\"payload\":3", 31);
    text[sizeof text - 1] = '}';
    CU_ASSERT_TRUE(pp_compress(compressor, text, sizeof text, &small));
    begin(&link, "pp_caps=batch");
    config.limits.rest.per_minute = 4;
    pp_session_hold(link.session);
    put_message(&out, PP_FLAG_COMPRESSED, 0, small.data, small.len);
    put_json(&out, "{\"type\":\"a\",\"payload\":1}");
    put_json(&out, "{\"type\":\"__pp_ack\"}");
    put_json(&out, "{\"type\":\"b\"}");
    link_send(&link, 0x82, out.data, out.len);
    CU_ASSERT_EQUAL(heard.count, 1);
    pp_session_accept(link.session);
    link_run(&link, 3);
    heard_is("__pp_auth 3  0 control\na 1  0\n__pp_ack   0 control\nb   0\n"); /* each was counted once */
    CU_ASSERT_EQUAL(stats.limited, 0);
    pp_compressor_delete(compressor);
    pp_buf_destroy(&small);
    pp_buf_destroy(&out);
    end(&link);
    reset_config();
}

static void does_not_expect_a_pong_behind_what_it_holds(void)
{
    struct link link;
    config.heartbeat_interval = 20;
    config.heartbeat_timeout = 20;
    begin(&link, "");
    pp_session_hold(link.session);
    send_json(&link, "{\"type\":\"a\"}");
    for (int i = 0; i < 10; i++)
        link_run(&link, 20);
    CU_ASSERT_EQUAL(heard.closed, 0);
    pp_session_accept(link.session);
    link_run(&link, 3);
    CU_ASSERT_EQUAL(heard.count, 1);
    for (int i = 0; i < 400 && !heard.closed; i++)
        link_run(&link, 5);
    CU_ASSERT_STRING_EQUAL(heard.reason, "Ping timeout");
    end(&link);
    reset_config();
}

static void drops_what_it_holds_when_it_closes(void)
{
    struct link link;
    begin(&link, "");
    pp_session_hold(link.session);
    send_json(&link, "{\"type\":\"a\"}");
    pp_session_close(link.session, PP_CLOSE_MIDDLEWARE, "no", "forced server disconnect");
    CU_ASSERT_FALSE(pp_session_accept(link.session));
    link_run(&link, 3);
    CU_ASSERT_EQUAL(heard.count, 0);
    CU_ASSERT_EQUAL(heard.closed, 1);
    CU_ASSERT_EQUAL(heard.code, 4003);
    end(&link);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"tells of messages", tells_of_messages},
        {"answers text in text", answers_text_in_text},
        {"inflates, up to its limit", inflates},
        {"answers what is malformed and goes on", answers_what_is_malformed_and_goes_on},
        {"closes after ten malformed frames", closes_after_ten_malformed_frames},
        {"closes on what is no frame of this version", closes_on_what_is_no_frame},
        {"sends frames of states to who takes them", sends_frames_of_states_to_who_takes_them},
        {"takes batches where they were agreed on", takes_batches_where_they_were_agreed_on},
        {"never joins raw bytes with frames", never_joins_raw_bytes_with_frames},
        {"limits the rate", limits_the_rate},
        {"limits namespaces of their own, and what it reads for it", limits_namespaces_of_their_own},
        {"drops volatile messages for a client that is behind", drops_volatile_messages_for_a_client_that_is_behind},
        {"closes a client that is too slow", closes_a_client_that_is_too_slow},
        {"drops for a slow client where that was chosen", drops_for_a_client_that_is_too_slow_where_that_was_chosen},
        {"pings a client that is silent, and ends it where it stays so", pings_a_client_that_is_silent},
        {"tells the reason of its end", tells_the_reason_of_its_end},
        {"holds the application's messages until they are accepted", holds_the_applications_messages},
        {"holds the rest of a batch", holds_the_rest_of_a_batch},
        {"does not expect a pong behind what it holds", does_not_expect_a_pong_behind_what_it_holds},
        {"drops what it holds when it closes", drops_what_it_holds_when_it_closes},
        CU_TEST_INFO_NULL,
    };
    inflater = pp_inflater_new();
    reset_config();
    int status = pp_run_suite("session/session", tests);
    pp_inflater_delete(inflater);
    return status;
}

/* Messages on their way out: made once in each form, and readable by the wire's own decoders. */
#include "base/buf.h"
#include "harness.h"
#include "session/outgoing.h"
#include "wire/compress.h"
#include "wire/frame.h"

#include <string.h>

#define ENVELOPE "{\"type\":\"x\",\"payload\":1}"

static const struct pp_encoding plain = {.mode = PP_MODE_GAMING};

/* The frame in a packet; its WebSocket header is skipped. */
static struct pp_frame frame_of(struct pp_packet *packet)
{
    struct pp_frame frame = {0};
    ptrdiff_t n = pp_frame_decode(pp_packet_data(packet) + (packet->len - packet->payload), packet->payload, &frame);
    CU_ASSERT_EQUAL_FATAL(n, packet->payload);
    return frame;
}

static struct pp_outgoing json(const struct pp_encoding *encoding, const char *envelope)
{
    return (struct pp_outgoing){.encoding = encoding, .envelope = envelope, .envelope_len = strlen(envelope)};
}

static void frames_an_envelope(void)
{
    struct pp_outgoing out = json(&plain, ENVELOPE);
    struct pp_packet *packet = pp_outgoing_packet(&out, false);
    struct pp_frame frame = frame_of(packet);
    CU_ASSERT_EQUAL(frame.type_id, 0);
    CU_ASSERT_EQUAL(frame.schema_version, 0);
    CU_ASSERT_EQUAL(frame.flags, PP_MODE_GAMING);
    CU_ASSERT_EQUAL_FATAL(frame.payload_len, strlen(ENVELOPE));
    CU_ASSERT_EQUAL(memcmp(frame.payload, ENVELOPE, frame.payload_len), 0);
    CU_ASSERT_EQUAL(pp_packet_data(packet)[0], 0x82);
    pp_outgoing_destroy(&out);
}

static void sends_the_bare_envelope_as_text(void)
{
    struct pp_outgoing out = json(&plain, ENVELOPE);
    struct pp_packet *packet = pp_outgoing_packet(&out, true);
    CU_ASSERT_EQUAL_FATAL(packet->payload, strlen(ENVELOPE));
    CU_ASSERT_EQUAL(pp_packet_data(packet)[0], 0x81);
    CU_ASSERT_EQUAL(memcmp(pp_packet_data(packet) + 2, ENVELOPE, packet->payload), 0);
    pp_outgoing_destroy(&out);
}

static void makes_each_form_once(void)
{
    struct pp_outgoing out = json(&plain, ENVELOPE);
    struct pp_packet *binary = pp_outgoing_packet(&out, false), *text = pp_outgoing_packet(&out, true);
    CU_ASSERT_PTR_NOT_EQUAL(binary, text);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_PTR_EQUAL(pp_outgoing_packet(&out, false), binary);
        CU_ASSERT_PTR_EQUAL(pp_outgoing_packet(&out, true), text);
    }
    pp_packet_ref(binary);
    pp_outgoing_destroy(&out);
    CU_ASSERT_EQUAL(binary->refs, 1); /* whoever took it holds it on */
    pp_packet_unref(binary);
}

static void frames_the_payload_of_a_schema(void)
{
    struct pp_outgoing out = {
        .encoding = &plain, .schema_payload = "\1\2\3", .schema_payload_len = 3, .type_id = 77, .schema_version = 5};
    struct pp_frame frame = frame_of(pp_outgoing_packet(&out, false));
    CU_ASSERT_EQUAL(frame.type_id, 77);
    CU_ASSERT_EQUAL(frame.schema_version, 5);
    CU_ASSERT_EQUAL_FATAL(frame.payload_len, 3);
    CU_ASSERT_EQUAL(memcmp(frame.payload, "\1\2\3", 3), 0);
    CU_ASSERT_PTR_NULL(pp_outgoing_packet(&out, true)); /* there is no envelope for a peer that speaks text */
    out.envelope = ENVELOPE;
    out.envelope_len = strlen(ENVELOPE);
    CU_ASSERT_PTR_NOT_NULL(pp_outgoing_packet(&out, true));
    pp_outgoing_destroy(&out);
}

static void frames_an_empty_payload(void)
{
    struct pp_outgoing out = {.encoding = &plain, .schema_payload = "", .type_id = 1};
    CU_ASSERT_EQUAL(frame_of(pp_outgoing_packet(&out, false)).payload_len, 0);
    pp_outgoing_destroy(&out);
}

static void compresses_from_the_threshold_on(void)
{
    char text[3000];
    struct pp_encoding encoding = {.compressor = pp_compressor_new(1), .threshold = 1024};
    struct pp_inflater *inflater = pp_inflater_new();
    static const size_t lengths[] = {1023, 1024, 2999};
    for (size_t i = 0; i < 3; i++) {
        struct pp_buf back = {0};
        size_t len = lengths[i];
        memset(text, 'x', len);
        text[len] = '\0';
        struct pp_outgoing out = json(&encoding, text);
        struct pp_frame frame = frame_of(pp_outgoing_packet(&out, false));
        CU_ASSERT_EQUAL((frame.flags & PP_FLAG_COMPRESSED) != 0, len >= 1024);
        CU_ASSERT_EQUAL(frame.payload_len < len, len >= 1024);
        if (frame.flags & PP_FLAG_COMPRESSED) {
            CU_ASSERT_EQUAL(pp_inflate(inflater, frame.payload, frame.payload_len, len, &back), PP_INFLATE_OK);
            CU_ASSERT_EQUAL_FATAL(back.len, len);
            CU_ASSERT_EQUAL(memcmp(back.data, text, len), 0);
        }
        CU_ASSERT_EQUAL(pp_outgoing_packet(&out, true)->payload, len); /* text never is */
        pp_outgoing_destroy(&out);
        pp_buf_destroy(&back);
    }
    pp_inflater_delete(inflater);
    pp_compressor_delete(encoding.compressor);
}

static void leaves_alone_what_compression_makes_longer(void)
{
    unsigned char noise[4096];
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof noise; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        noise[i] = (unsigned char)(state >> 56);
    }
    struct pp_encoding encoding = {.compressor = pp_compressor_new(9)};
    struct pp_outgoing out = {
        .encoding = &encoding, .schema_payload = noise, .schema_payload_len = sizeof noise, .type_id = 1};
    struct pp_frame frame = frame_of(pp_outgoing_packet(&out, false));
    CU_ASSERT_EQUAL(frame.flags & PP_FLAG_COMPRESSED, 0);
    CU_ASSERT_EQUAL_FATAL(frame.payload_len, sizeof noise);
    CU_ASSERT_EQUAL(memcmp(frame.payload, noise, sizeof noise), 0);
    pp_outgoing_destroy(&out);
    pp_compressor_delete(encoding.compressor);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"frames an envelope", frames_an_envelope},
        {"sends the bare envelope as text", sends_the_bare_envelope_as_text},
        {"makes each form once", makes_each_form_once},
        {"frames the payload of a schema", frames_the_payload_of_a_schema},
        {"frames an empty payload", frames_an_empty_payload},
        {"compresses from the threshold on", compresses_from_the_threshold_on},
        {"leaves alone what compression makes longer", leaves_alone_what_compression_makes_longer},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("session/outgoing", tests);
}

/* The envelope scanner and the envelope's two ends for writing. */
#include "wire/envelope.h"

#include "base/buf.h"
#include "value/json_reader.h"
#include "value/json_writer.h"

#define MAX_ACK_ID (UINT64_C(1) << 53)

static int fail(struct pp_envelope *out, const struct pp_json_reader *reader, const char *error)
{
    size_t offset = pp_json_offset(reader);
    *out = (struct pp_envelope){.error = error, .offset = offset};
    return -1;
}

/* NULL, or the reason. The span of `type` and `__ns` still holds escapes; bit 0 and bit 1 of *escaped say so. */
static const char *read_type(struct pp_json_reader *reader, struct pp_envelope *out, unsigned *escaped)
{
    if (pp_json_next(reader) != PP_JSON_STRING)
        return "type must be a string";
    if (reader->span_len == 0)
        return "type must not be empty";
    out->type = reader->span;
    out->type_len = reader->span_len;
    *escaped = (*escaped & ~1U) | reader->escaped;
    return NULL;
}

static const char *read_ns(struct pp_json_reader *reader, struct pp_envelope *out, unsigned *escaped)
{
    if (pp_json_next(reader) != PP_JSON_STRING)
        return "__ns must be a string";
    out->ns = reader->span;
    out->ns_len = reader->span_len;
    *escaped = (*escaped & ~2U) | (unsigned)reader->escaped << 1;
    return NULL;
}

static const char *read_ack_id(struct pp_json_reader *reader, struct pp_envelope *out)
{
    static const char reason[] = "__ackId must be a positive integer";
    if (pp_json_next(reader) != PP_JSON_NUMBER)
        return reason;
    double value = pp_json_number(reader);
    if (!(value >= 1 && value <= (double)MAX_ACK_ID) || value != (double)(uint64_t)value)
        return reason;
    out->ack_id = (uint64_t)value;
    return NULL;
}

static const char *read_payload(struct pp_json_reader *reader, struct pp_envelope *out)
{
    reader->at = pp_json_skip_space(reader->at, reader->end);
    out->payload = reader->at;
    if (!pp_json_skip(reader))
        return reader->error;
    out->payload_len = (size_t)(reader->at - out->payload);
    return NULL;
}

enum field { FIELD_TYPE, FIELD_PAYLOAD, FIELD_NS, FIELD_ACK_ID, FIELD_UNKNOWN };

static enum field find_field(const char *name, size_t len)
{
    if (len == 4 && memcmp(name, "type", 4) == 0)
        return FIELD_TYPE;
    if (len == 7 && memcmp(name, "payload", 7) == 0)
        return FIELD_PAYLOAD;
    if (len == 4 && memcmp(name, "__ns", 4) == 0)
        return FIELD_NS;
    if (len == 7 && memcmp(name, "__ackId", 7) == 0)
        return FIELD_ACK_ID;
    return FIELD_UNKNOWN;
}

/* A key may be written with escapes; the longest of ours then takes six bytes for each of seven characters. */
static enum field find_escaped_field(const char *span, size_t len)
{
    char name[6 * 7];
    return len > sizeof name ? FIELD_UNKNOWN : find_field(name, pp_json_unescape(span, len, name));
}

/* The value of the key that was just read: NULL, or the reason why the envelope is refused. */
static const char *read_field(struct pp_json_reader *reader, struct pp_envelope *out, unsigned *escaped)
{
    switch (reader->escaped ? find_escaped_field(reader->span, reader->span_len)
                            : find_field(reader->span, reader->span_len)) {
    case FIELD_TYPE:
        return read_type(reader, out, escaped);
    case FIELD_PAYLOAD:
        return read_payload(reader, out);
    case FIELD_NS:
        return read_ns(reader, out, escaped);
    case FIELD_ACK_ID:
        return read_ack_id(reader, out);
    default:
        return pp_json_skip(reader) ? NULL : reader->error;
    }
}

/* `type` behind its opening quote: where the payload begins, or NULL. */
PP_JSON_INLINE const char *scan_usual_type(const char *at, const char *begin, const char *end, struct pp_envelope *out)
{
    struct pp_json_scan type = pp_json_scan_string(at, begin, end);
    if (type.error != NULL || type.escaped || type.at == at || !pp_json_is_next(type.at, end, "\",\"payload\":"))
        return NULL;
    out->type = at;
    out->type_len = (size_t)(type.at - at);
    return type.at + strlen("\",\"payload\":");
}

/* The same and the payload: one past it, or NULL. */
PP_JSON_INLINE const char *scan_usual_head(const char *at, const char *begin, const char *end, struct pp_envelope *out)
{
    at = scan_usual_type(at, begin, end, out);
    if (at == NULL)
        return NULL;
    pp_json_peek(&at, end);
    out->payload = at;
    at = pp_json_skip_value(at, begin, end, PP_JSON_MAX_DEPTH);
    if (at != NULL)
        out->payload_len = (size_t)(at - out->payload);
    return at;
}

static const char *scan_usual_ns(const char *at, const char *begin, const char *end, struct pp_envelope *out)
{
    struct pp_json_scan ns = pp_json_scan_string(at, begin, end);
    if (ns.error != NULL || ns.escaped)
        return NULL;
    out->ns = at;
    out->ns_len = (size_t)(ns.at - at);
    return ns.at + 1;
}

static const char *scan_usual_ack_id(const char *at, const char *end, struct pp_envelope *out)
{
    const char *first = at;
    for (; at < end && at - first < 15 && pp_json_is_digit(*at); at++)
        out->ack_id = out->ack_id * 10 + (uint64_t)(*at - '0');
    return at > first && *first != '0' ? at : NULL;
}

/* Most envelopes are written in one way: type, payload, and perhaps __ns and __ackId, without spaces between them. True
 * where this is one of them, checked whole; else nothing is known, and `out` holds anything. */
static bool scan_usual(const char *at, size_t len, struct pp_envelope *out)
{
    const char *begin = at, *end = at + len;
    if (!pp_json_is_next(at, end, "{\"type\":\""))
        return false;
    at = scan_usual_head(at + strlen("{\"type\":\""), begin, end, out);
    if (at != NULL && pp_json_is_next(at, end, ",\"__ns\":\""))
        at = scan_usual_ns(at + strlen(",\"__ns\":\""), begin, end, out);
    if (at != NULL && pp_json_is_next(at, end, ",\"__ackId\":"))
        at = scan_usual_ack_id(at + strlen(",\"__ackId\":"), end, out);
    return at != NULL && pp_json_is_next(at, end, "}") && at + 1 == end;
}

static int scan_any(char *text, size_t len, struct pp_envelope *out)
{
    struct pp_json_reader reader;
    unsigned escaped = 0;
    enum pp_json_token token;
    *out = (struct pp_envelope){0};
    pp_json_reader_init(&reader, text, len);
    if (pp_json_next(&reader) != PP_JSON_OBJECT_BEGIN)
        return fail(out, &reader, reader.error != NULL ? reader.error : "the envelope must be an object");
    while ((token = pp_json_next(&reader)) == PP_JSON_KEY) {
        const char *error = read_field(&reader, out, &escaped);
        if (error != NULL)
            return fail(out, &reader, reader.error != NULL ? reader.error : error);
    }
    if (token != PP_JSON_OBJECT_END || pp_json_next(&reader) != PP_JSON_END)
        return fail(out, &reader, reader.error);
    if (out->type == NULL)
        return fail(out, &reader, "type is missing");
    /* The spans lie in `text`, which is the caller's to change. */
    if (escaped & 1)
        out->type_len = pp_json_unescape(out->type, out->type_len, text + (out->type - text));
    if (escaped & 2)
        out->ns_len = pp_json_unescape(out->ns, out->ns_len, text + (out->ns - text));
    return 0;
}

bool pp_envelope_peek(const char *text, size_t len, struct pp_envelope *out)
{
    const char *end = text + len;
    *out = (struct pp_envelope){0};
    if (!pp_json_is_next(text, end, "{\"type\":\"") || end[-1] != '}')
        return false;
    out->payload = scan_usual_type(text + strlen("{\"type\":\""), text, end, out);
    if (out->payload == NULL || out->payload >= end - 1)
        return false;
    out->payload_len = (size_t)(end - 1 - out->payload);
    return true;
}

int pp_envelope_scan(char *text, size_t len, struct pp_envelope *out)
{
    *out = (struct pp_envelope){0};
    return scan_usual(text, len, out) ? 0 : scan_any(text, len, out);
}

bool pp_envelope_begin(struct pp_buf *out, const char *type, size_t type_len)
{
    size_t before = out->len;
    pp_buf_append(out, "{\"type\":", 8);
    if (!pp_json_write_string(out, type, type_len)) {
        out->len = before;
        return false;
    }
    pp_buf_append(out, ",\"payload\":", 11);
    return true;
}

bool pp_envelope_end(struct pp_buf *out, const char *ns, size_t ns_len, uint64_t ack_id)
{
    size_t before = out->len;
    if (ns_len > 0) {
        pp_buf_append(out, ",\"__ns\":", 8);
        if (!pp_json_write_string(out, ns, ns_len)) {
            out->len = before;
            return false;
        }
    }
    if (ack_id > 0) {
        pp_buf_append(out, ",\"__ackId\":", 11);
        pp_json_write_integer(out, ack_id);
    }
    pp_buf_append_char(out, '}');
    return true;
}

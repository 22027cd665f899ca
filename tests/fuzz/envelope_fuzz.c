/* The envelope scanner, with jansson as the oracle: what it accepts, jansson accepts with the same four fields; what it
 * refuses is refused by jansson or breaks a rule of the envelope. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "value/json_reader.h"
#include "wire/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOAD (JSON_DECODE_ANY | JSON_ALLOW_NUL)

static void expect(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "envelope_fuzz: %s\n", what);
    abort();
}

static bool is_string(const json_t *value, const char *text, size_t len)
{
    return json_is_string(value) && json_string_length(value) == len &&
           memcmp(json_string_value(value), text, len) == 0;
}

static int depth(const json_t *value)
{
    int deepest = 0, below;
    size_t i;
    const char *key;
    json_t *item;
    if (!json_is_array(value) && !json_is_object(value))
        return 0;
    for (i = 0; i < json_array_size(value); i++)
        if ((below = depth(json_array_get(value, i))) > deepest)
            deepest = below;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if ((below = depth(item)) > deepest)
            deepest = below;
    }
    return deepest + 1;
}

static bool is_ack_id(const json_t *value)
{
    double number = json_number_value(value);
    return json_is_number(value) && number >= 1 && number <= 9007199254740992.0 && number == (double)(uint64_t)number;
}

/* Whether the rules allow this text, which jansson has read without finding a key twice. */
static bool is_envelope(const json_t *root)
{
    const json_t *type = json_object_get(root, "type"), *ns = json_object_get(root, "__ns");
    const json_t *ack_id = json_object_get(root, "__ackId");
    return json_is_string(type) && json_string_length(type) > 0 && (ns == NULL || json_is_string(ns)) &&
           (ack_id == NULL || is_ack_id(ack_id)) && depth(root) <= 64;
}

static void check_fields(const json_t *root, const struct pp_envelope *found)
{
    const json_t *payload = json_object_get(root, "payload"), *ns = json_object_get(root, "__ns");
    const json_t *ack_id = json_object_get(root, "__ackId");
    expect(is_string(json_object_get(root, "type"), found->type, found->type_len), "another type");
    expect((ns == NULL) == (found->ns == NULL), "__ns appeared or vanished");
    expect(ns == NULL || is_string(ns, found->ns, found->ns_len), "another __ns");
    expect(found->ack_id == (ack_id == NULL ? 0 : (uint64_t)json_number_value(ack_id)), "another __ackId");
    expect((payload == NULL) == (found->payload == NULL), "the payload appeared or vanished");
    if (payload != NULL) {
        json_t *again = json_loadb(found->payload, found->payload_len, LOAD, NULL);
        expect(again != NULL && json_equal(payload, again), "another payload");
        json_decref(again);
    }
}

/* What was found, written as an envelope again, is found again. */
static void check_again(const struct pp_envelope *found)
{
    struct pp_buf out = {0};
    struct pp_envelope again;
    expect(pp_envelope_begin(&out, found->type, found->type_len), "an accepted type is refused for writing");
    if (found->payload == NULL)
        pp_buf_append(&out, "null", 4);
    else
        pp_buf_append(&out, found->payload, found->payload_len);
    expect(pp_envelope_end(&out, found->ns, found->ns_len, found->ack_id), "an accepted __ns is refused for writing");
    expect(pp_envelope_scan(out.data, out.len, &again) == 0, "what was written is refused");
    expect(again.type_len == found->type_len && memcmp(again.type, found->type, found->type_len) == 0, "type changed");
    expect(again.ns_len == found->ns_len && again.ack_id == found->ack_id, "__ns or __ackId changed");
    pp_buf_destroy(&out);
}

static bool same_span(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a == NULL || b == NULL)
        return a == b && a_len == b_len;
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* A space in front makes no difference, but hides the usual form from whoever looks for it. */
static void check_spaced(const uint8_t *data, size_t size, const struct pp_envelope *found)
{
    struct pp_envelope spaced;
    char *text = malloc(size + 1);
    *text = ' ';
    if (size > 0)
        memcpy(text + 1, data, size);
    pp_envelope_scan(text, size + 1, &spaced);
    /* But for a byte order mark, which is named only where it is the first. */
    bool same_error = found->error == spaced.error || (size > 0 && *data == 0xEF);
    expect(same_error && found->offset + (found->error != NULL) == spaced.offset, "a space makes another error");
    expect(same_span(found->type, found->type_len, spaced.type, spaced.type_len) &&
               same_span(found->payload, found->payload_len, spaced.payload, spaced.payload_len) &&
               same_span(found->ns, found->ns_len, spaced.ns, spaced.ns_len) && found->ack_id == spaced.ack_id,
           "a space makes other fields");
    free(text);
}

/* What a peek believes is so wherever its payload is one JSON value. */
static void check_peek(const uint8_t *data, size_t size, const struct pp_envelope *scanned)
{
    struct pp_envelope peeked;
    struct pp_json_reader reader;
    if (!pp_envelope_peek((const char *)data, size, &peeked))
        return;
    pp_json_reader_init(&reader, peeked.payload, peeked.payload_len);
    if (!pp_json_skip(&reader) || pp_json_next(&reader) != PP_JSON_END)
        return;
    expect(scanned->error == NULL, "a peek accepts what the scan refuses");
    expect(peeked.type_len == scanned->type_len && memcmp(peeked.type, scanned->type, peeked.type_len) == 0,
           "a peek finds another type");
    expect(scanned->ns == NULL && scanned->ack_id == 0, "a peek overlooks a field");
    expect(peeked.payload_len >= scanned->payload_len, "a peek finds another payload");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_envelope found;
    char *text = malloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(text, data, size);
    int status = pp_envelope_scan(text, size, &found);
    expect((status == 0) == (found.error == NULL) && found.offset <= size, "an error without a reason");
    check_spaced(data, size, &found);
    check_peek(data, size, &found);
    json_error_t error;
    json_t *root = json_loadb((const char *)data, size, LOAD | (status == 0 ? 0 : JSON_REJECT_DUPLICATES), &error);
    if (status != 0) {
        expect(found.type == NULL && found.payload == NULL, "a refused envelope holds spans");
        /* Jansson swallows a NUL byte behind a number. */
        bool nul = size > 0 && memchr(data, '\0', size) != NULL;
        expect(root == NULL || nul || !is_envelope(root), "refused, but it is an envelope");
    } else {
        bool janssons_own = root == NULL && (strstr(error.text, "integer") != NULL ||
                                             json_error_code(&error) == json_error_null_byte_in_key);
        expect(root != NULL || janssons_own, "accepted, but jansson refuses it");
        if (root != NULL)
            check_fields(root, &found);
        check_again(&found);
    }
    json_decref(root);
    free(text);
    return 0;
}

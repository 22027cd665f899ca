/* Struct payloads to values. Every length is held against the bytes that are left before anything is built from it. */
#include "wire/schema_codec.h"

#include "base/utf8.h"
#include "wire/bytes.h"
#include "wire/schema_walk.h"

#include <stdarg.h>
#include <stdio.h>

struct reader {
    const unsigned char *at, *end;
    const struct pp_value_sink *sink;
    void *self;
    char *error;
    size_t error_size;
};

static bool decode(struct reader *r, const struct pp_type *type, const struct pp_step *at);

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

__attribute__((format(printf, 3, 4))) static bool refuse(struct reader *r, const struct pp_step *at, const char *reason,
                                                         ...)
{
    char where[128], why[128];
    pp_step_path(at, where, sizeof(where));
    va_list args;
    va_start(args, reason);
    vsnprintf(why, sizeof(why), reason, args);
    va_end(args);
    snprintf(r->error, r->error_size, "%s: %s", where, why);
    return false;
}

/* Are there `need` bytes for a value or its length? */
static bool enough(struct reader *r, size_t need, const struct pp_step *at)
{
    if (need <= left(r))
        return true;
    return refuse(r, at, "the payload ends too early: %zu bytes needed, %zu left", need, left(r));
}

static double get_float32(const unsigned char *at)
{
    uint32_t bits = pp_get_u32(at);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return (double)value;
}

static double get_float64(const unsigned char *at)
{
    uint64_t bits = pp_get_u64(at);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double get_number(const unsigned char *at, enum pp_type_code code)
{
    switch (code) {
    case PP_UINT8:
        return at[0];
    case PP_INT8:
        return (int8_t)at[0];
    case PP_UINT16:
        return pp_get_u16(at);
    case PP_INT16:
        return (int16_t)pp_get_u16(at);
    case PP_UINT32:
        return pp_get_u32(at);
    case PP_INT32:
        return (int32_t)pp_get_u32(at);
    case PP_FLOAT32:
        return get_float32(at);
    default:
        return get_float64(at);
    }
}

static bool decode_varint(struct reader *r, const struct pp_step *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (!enough(r, 1, at))
            return false;
        unsigned char byte = *r->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (value > (uint64_t)PP_VARINT_MAX || (shift == 49 && byte >= 0x80))
            return refuse(r, at, "the varint is above 2^53 - 1");
        if (byte >= 0x80)
            continue;
        if (byte == 0 && shift > 0)
            return refuse(r, at, "the varint is longer than it needs to be");
        r->sink->number(r->self, (double)value);
        return true;
    }
}

static bool decode_bool(struct reader *r, const struct pp_step *at)
{
    if (*r->at > 1)
        return refuse(r, at, "a bool is 0 or 1, not %u", *r->at);
    r->sink->boolean(r->self, *r->at++ == 1);
    return true;
}

static bool decode_bytes(struct reader *r, enum pp_type_code code, const struct pp_step *at)
{
    size_t len = code == PP_TEXT ? pp_get_u16(r->at) : pp_get_u32(r->at);
    r->at += code == PP_TEXT ? 2 : 4;
    if (!enough(r, len, at))
        return false;
    const char *bytes = (const char *)r->at;
    r->at += len;
    if (code == PP_BYTES)
        r->sink->bytes(r->self, bytes, len);
    else if (!pp_utf8_valid(bytes, len))
        return refuse(r, at, "the text is not valid UTF-8");
    else
        r->sink->string(r->self, bytes, len);
    return true;
}

static bool decode_array(struct reader *r, const struct pp_type *type, const struct pp_step *at)
{
    size_t count = pp_get_u16(r->at);
    r->at += 2;
    if (count * type->of->least > left(r))
        return refuse(r, at, "%zu elements do not fit into the %zu bytes left", count, left(r));
    r->sink->array(r->self, count);
    struct pp_step step = {.up = at};
    for (; step.index < count; step.index++) {
        if (!decode(r, type->of, &step))
            return false;
        r->sink->append(r->self, step.index);
    }
    return true;
}

static bool decode_record(struct reader *r, const struct pp_record *record, const struct pp_step *at)
{
    r->sink->record(r->self, record);
    struct pp_step step = {.up = at};
    for (size_t i = 0; i < record->count; i++) {
        step.field = &record->fields[i];
        r->sink->key(r->self, step.field);
        if (!decode(r, step.field->type, &step))
            return false;
        r->sink->set(r->self);
    }
    return true;
}

static bool decode(struct reader *r, const struct pp_type *type, const struct pp_step *at)
{
    if (!enough(r, type->least, at))
        return false;
    switch (type->code) {
    case PP_BOOL:
        return decode_bool(r, at);
    case PP_VARINT:
        return decode_varint(r, at);
    case PP_TEXT:
    case PP_BYTES:
        return decode_bytes(r, type->code, at);
    case PP_ARRAY:
        return decode_array(r, type, at);
    case PP_RECORD:
        return decode_record(r, type->record, at);
    default:
        r->sink->number(r->self, get_number(r->at, type->code));
        r->at += type->least;
        return true;
    }
}

bool pp_record_decode(const struct pp_record *record, const void *payload, size_t len, const struct pp_value_sink *sink,
                      void *self, char *error, size_t error_size)
{
    const unsigned char *bytes = payload;
    struct reader r = {bytes, bytes + len, sink, self, error, error_size};
    if (len < record->least) {
        snprintf(error, error_size, "the payload is %zu bytes, at least %zu are needed", len, record->least);
        return false;
    }
    if (!decode_record(&r, record, NULL))
        return false;
    if (left(&r) == 0)
        return true;
    snprintf(error, error_size, "the payload is %zu bytes, only %zu of them belong to it", len, len - left(&r));
    return false;
}

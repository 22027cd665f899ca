/* Values to struct payloads. */
#include "wire/schema_codec.h"

#include "base/utf8.h"
#include "wire/bytes.h"
#include "wire/schema_walk.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

struct writer {
    const struct pp_value_source *source;
    void *self;
    struct pp_buf *out;
    char *error;
    size_t error_size;
};

static bool encode(struct writer *w, const struct pp_type *type, const struct pp_step *at);

static bool refuse(struct writer *w, enum pp_type_code code, const struct pp_step *at)
{
    char where[128], given[96];
    pp_step_path(at, where, sizeof(where));
    w->source->describe(w->self, given, sizeof(given));
    snprintf(w->error, w->error_size, "%s: expected %s, got %s", where, pp_type_expects(code), given);
    return false;
}

static bool whole(double value, double least, double most)
{
    return value >= least && value <= most && value == (double)(int64_t)value;
}

/* Writes a number at `to`, where eight bytes are free; returns how many it took, 0 where it is out of the type's range.
 */
static size_t put_number(unsigned char *to, enum pp_type_code code, double value)
{
    switch (code) {
    case PP_UINT8:
        return whole(value, 0, UINT8_MAX) ? (to[0] = (uint8_t)value, 1) : 0;
    case PP_INT8:
        return whole(value, INT8_MIN, INT8_MAX) ? (to[0] = (uint8_t)(int8_t)value, 1) : 0;
    case PP_UINT16:
        return whole(value, 0, UINT16_MAX) ? (pp_put_u16(to, (uint16_t)value), 2) : 0;
    case PP_INT16:
        return whole(value, INT16_MIN, INT16_MAX) ? (pp_put_u16(to, (uint16_t)(int16_t)value), 2) : 0;
    case PP_UINT32:
        return whole(value, 0, UINT32_MAX) ? (pp_put_u32(to, (uint32_t)value), 4) : 0;
    case PP_INT32:
        return whole(value, INT32_MIN, INT32_MAX) ? (pp_put_u32(to, (uint32_t)(int32_t)value), 4) : 0;
    default:
        return 0;
    }
}

static size_t put_float(unsigned char *to, enum pp_type_code code, double value)
{
    if (code == PP_FLOAT64) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof(bits));
        pp_put_u64(to, bits);
        return 8;
    }
    if (fabs(value) > FLT_MAX && !isinf(value))
        return 0;
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof(bits));
    pp_put_u32(to, bits);
    return 4;
}

static size_t put_varint(unsigned char *to, double value)
{
    if (!whole(value, 0, PP_VARINT_MAX))
        return 0;
    uint64_t rest = (uint64_t)value;
    size_t len = 0;
    for (; rest >= 0x80; rest >>= 7)
        to[len++] = (unsigned char)(rest | 0x80);
    to[len++] = (unsigned char)rest;
    return len;
}

static bool encode_number(struct writer *w, enum pp_type_code code, const struct pp_step *at)
{
    double value;
    if (!w->source->number(w->self, &value))
        return refuse(w, code, at);
    unsigned char *to = (unsigned char *)pp_buf_reserve(w->out, 8);
    size_t len;
    if (code == PP_FLOAT32 || code == PP_FLOAT64)
        len = put_float(to, code, value);
    else
        len = code == PP_VARINT ? put_varint(to, value) : put_number(to, code, value);
    w->out->len += len;
    return len > 0 || refuse(w, code, at);
}

static bool encode_bool(struct writer *w, const struct pp_step *at)
{
    bool value;
    if (!w->source->boolean(w->self, &value))
        return refuse(w, PP_BOOL, at);
    pp_buf_append_char(w->out, value);
    return true;
}

static bool encode_bytes(struct writer *w, enum pp_type_code code, const struct pp_step *at)
{
    const char *bytes;
    size_t len;
    if (!w->source->bytes(w->self, &bytes, &len))
        return refuse(w, code, at);
    if (code == PP_TEXT ? len > UINT16_MAX || !pp_utf8_valid(bytes, len) : len > UINT32_MAX)
        return refuse(w, code, at);
    unsigned char *to = (unsigned char *)pp_buf_reserve(w->out, len + 4);
    size_t prefix = code == PP_TEXT ? 2 : 4;
    if (code == PP_TEXT)
        pp_put_u16(to, (uint16_t)len);
    else
        pp_put_u32(to, (uint32_t)len);
    w->out->len += prefix;
    pp_buf_append(w->out, bytes, len);
    return true;
}

static bool encode_array(struct writer *w, const struct pp_type *type, const struct pp_step *at)
{
    size_t count;
    if (!w->source->is_array(w->self, &count) || count > PP_ARRAY_MAX)
        return refuse(w, PP_ARRAY, at);
    pp_put_u16((unsigned char *)pp_buf_reserve(w->out, 2), (uint16_t)count);
    w->out->len += 2;
    struct pp_step step = {.up = at};
    for (; step.index < count; step.index++) {
        w->source->element(w->self, step.index);
        if (!encode(w, type->of, &step))
            return false;
        w->source->leave(w->self);
    }
    return true;
}

static bool encode_record(struct writer *w, const struct pp_record *record, const struct pp_step *at)
{
    if (!w->source->is_record(w->self))
        return refuse(w, PP_RECORD, at);
    struct pp_step step = {.up = at};
    for (size_t i = 0; i < record->count; i++) {
        step.field = &record->fields[i];
        w->source->field(w->self, step.field);
        if (!encode(w, step.field->type, &step))
            return false;
        w->source->leave(w->self);
    }
    return true;
}

static bool encode(struct writer *w, const struct pp_type *type, const struct pp_step *at)
{
    switch (type->code) {
    case PP_BOOL:
        return encode_bool(w, at);
    case PP_TEXT:
    case PP_BYTES:
        return encode_bytes(w, type->code, at);
    case PP_ARRAY:
        return encode_array(w, type, at);
    case PP_RECORD:
        return encode_record(w, type->record, at);
    default:
        return encode_number(w, type->code, at);
    }
}

bool pp_record_encode(const struct pp_record *record, const struct pp_value_source *source, void *self,
                      struct pp_buf *out, char *error, size_t error_size)
{
    struct writer w = {source, self, out, error, error_size};
    size_t start = out->len;
    if (encode_record(&w, record, NULL))
        return true;
    out->len = start;
    return false;
}

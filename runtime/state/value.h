/* A field's value as the whole number of `bits` bits that travels (docs/protocol.md, "Values"). */
#ifndef PP_STATE_VALUE_H
#define PP_STATE_VALUE_H

#include <math.h>
#include <string.h>

#include "state/schema.h"

#define PP_STATE_LOAD(type)                                                                                            \
    type loaded;                                                                                                       \
    memcpy(&loaded, at, sizeof(loaded))

/* Of all kinds but texts, maps and lists. */
static inline uint64_t pp_state_value_get(const struct pp_state_field *field, const unsigned char *values)
{
    const unsigned char *at = values + field->offset;
    switch (field->kind) {
    case PP_STATE_UINT16:
    case PP_STATE_INT16: {
        PP_STATE_LOAD(uint16_t);
        return loaded;
    }
    case PP_STATE_UINT32:
    case PP_STATE_INT32:
    case PP_STATE_FLOAT32: {
        PP_STATE_LOAD(uint32_t);
        return loaded;
    }
    case PP_STATE_FLOAT64: {
        PP_STATE_LOAD(uint64_t);
        return loaded;
    }
    case PP_STATE_VARINT: {
        PP_STATE_LOAD(double);
        return (uint64_t)loaded;
    }
    case PP_STATE_QUANTIZED: {
        PP_STATE_LOAD(double);
        return (uint64_t)((loaded - field->min) * field->steps + 0.5);
    }
    default:
        return *at;
    }
}

static inline double pp_state_from_steps(const struct pp_state_field *field, uint64_t steps)
{
    double most = (double)((UINT64_C(1) << field->bits) - 1);
    return field->min + (double)steps * (field->max - field->min) / most;
}

/* False where the number is none that the field can hold: nothing is changed. */
static inline bool pp_state_value_set(const struct pp_state_field *field, unsigned char *values, uint64_t value)
{
    unsigned char *at = values + field->offset;
    double real;
    float single;
    switch (field->kind) {
    case PP_STATE_FLOAT32:
        memcpy(&single, &(uint32_t){(uint32_t)value}, 4);
        if (!isfinite(single))
            return false;
        memcpy(at, &single, 4);
        return true;
    case PP_STATE_FLOAT64:
        memcpy(&real, &value, 8);
        if (!isfinite(real))
            return false;
        memcpy(at, &value, 8);
        return true;
    case PP_STATE_VARINT:
        real = (double)value;
        memcpy(at, &real, 8);
        return true;
    case PP_STATE_QUANTIZED:
        real = pp_state_from_steps(field, value);
        memcpy(at, &real, 8);
        return true;
    case PP_STATE_UINT16:
    case PP_STATE_INT16:
        memcpy(at, &(uint16_t){(uint16_t)value}, 2);
        return true;
    case PP_STATE_UINT32:
    case PP_STATE_INT32:
        memcpy(at, &(uint32_t){(uint32_t)value}, 4);
        return true;
    default:
        *at = (unsigned char)value;
        return true;
    }
}

/* Whether two texts are the same one; equal texts of a block's values and its last commit are (state.h). */
static inline bool pp_state_same_text(const unsigned char *a, const unsigned char *b)
{
    const void *first, *second;
    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    return first == second;
}

/* What has to be added (of floats: XORed) to `before` to make `after`, as a number that is small for small changes. */
static inline uint64_t pp_state_difference(const struct pp_state_field *field, uint64_t before, uint64_t after)
{
    if (field->kind == PP_STATE_FLOAT32 || field->kind == PP_STATE_FLOAT64)
        return before ^ after;
    unsigned unused = 64 - field->bits;
    int64_t change = (int64_t)((after - before) << unused) >> unused; /* modulo 2^bits, signed */
    return ((uint64_t)change << 1 ^ (0 - (uint64_t)(change < 0))) & (UINT64_MAX >> unused);
}

static inline uint64_t pp_state_changed(const struct pp_state_field *field, uint64_t before, uint64_t difference)
{
    if (field->kind == PP_STATE_FLOAT32 || field->kind == PP_STATE_FLOAT64)
        return before ^ difference;
    uint64_t change = difference >> 1 ^ (0 - (difference & 1));
    return (before + change) & (UINT64_MAX >> (64 - field->bits));
}

/* The bits of the four sizes that a difference may have. */
static inline unsigned pp_state_class_bits(const struct pp_state_field *field, unsigned size)
{
    return (field->bits * (size + 1) + 3) / 4;
}

#endif

/* Struct payloads to and from values, by a record's field table. What a value is, this folder does not know: the layer
 * above fills in a table of functions to read one (source) or to build one (sink).
 *
 * Both walk with a notion of the current value. On encode a source starts with the value that stands for the record. */
#ifndef PP_WIRE_SCHEMA_CODEC_H
#define PP_WIRE_SCHEMA_CODEC_H

#include "base/buf.h"
#include "wire/schema_type.h"

struct pp_value_source {
    /* Can the current value have named members, does it have elements (and how many)? */
    bool (*is_record)(void *self);
    bool (*is_array)(void *self, size_t *count);
    /* Makes a member or element (0-based; a missing one too) the current value, until `leave` returns to what held it.
     */
    void (*field)(void *self, const struct pp_field *field);
    void (*element)(void *self, size_t index);
    void (*leave)(void *self);
    /* The current value, where it is one of these. Bytes must stay until `leave`. */
    bool (*number)(void *self, double *out);
    bool (*boolean)(void *self, bool *out);
    bool (*bytes)(void *self, const char **out, size_t *len);
    /* What the current value is, for an error message: `the string "abc"`, `nothing`. Cut at `size`, NUL-terminated. */
    void (*describe)(void *self, char *out, size_t size);
};

struct pp_value_sink {
    void (*number)(void *self, double value);
    void (*boolean)(void *self, bool value);
    void (*string)(void *self, const char *text, size_t len); /* valid UTF-8 */
    void (*bytes)(void *self, const char *bytes, size_t len);
    /* A record: then for each field `key`, its value, `set`. */
    void (*record)(void *self, const struct pp_record *record);
    void (*key)(void *self, const struct pp_field *field);
    void (*set)(void *self);
    /* An array: then each element's value and `append` with its index (0-based). */
    void (*array)(void *self, size_t count);
    void (*append)(void *self, size_t index);
};

/* Appends the value's bytes to `out`. False where a field is missing, of another type or out of its type's range:
 * nothing is rounded or wrapped. `error` then names the field, what it expected and what it got; `out` is as long as it
 * was. */
bool pp_record_encode(const struct pp_record *record, const struct pp_value_source *source, void *self,
                      struct pp_buf *out, char *error, size_t error_size);

/* Builds a value from exactly `len` bytes. False where they are too few, too many, or not what the type allows: `error`
 * names the field. The sink may then hold half a value, which the caller throws away. Accepts only what
 * pp_record_encode writes (any NaN aside), so encoding a decoded value gives the same bytes. */
bool pp_record_decode(const struct pp_record *record, const void *payload, size_t len, const struct pp_value_sink *sink,
                      void *self, char *error, size_t error_size);

#endif

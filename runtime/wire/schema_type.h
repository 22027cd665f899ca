/* What a struct schema is made of. A record is a list of named fields, packed without padding, big-endian, in the order
 * given:
 *
 *     uint8 int8 bool        1 byte; bool is 0 or 1 and nothing else
 *     uint16 int16           2
 *     uint32 int32 float32   4
 *     float64                8
 *     varint                 1-8: unsigned LEB128, 0 to 2^53 - 1, in as few bytes as it takes
 *     string                 u16 length in bytes | UTF-8
 *     bytes                  u32 length | bytes
 *     array                  u16 count | that many elements, all of one type
 *     record                 its fields, nothing around them
 *
 * Signed integers are two's complement, floats IEEE 754. */
#ifndef PP_WIRE_SCHEMA_TYPE_H
#define PP_WIRE_SCHEMA_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_TYPE_DEPTH 16      /* arrays and records inside each other */
#define PP_RECORD_FIELDS 1024 /* of one record */
#define PP_ARRAY_MAX 65535    /* elements */
#define PP_VARINT_MAX 9007199254740991.0

enum pp_type_code {
    PP_UINT8,
    PP_UINT16,
    PP_UINT32,
    PP_INT8,
    PP_INT16,
    PP_INT32,
    PP_FLOAT32,
    PP_FLOAT64,
    PP_BOOL,
    PP_VARINT,
    PP_TEXT, /* "string" */
    PP_BYTES,
    PP_ARRAY,
    PP_RECORD,
};

struct pp_record;

struct pp_type {
    enum pp_type_code code;
    unsigned depth;           /* arrays and records inside each other: 0 for a scalar */
    size_t least;             /* the fewest bytes that a value takes; at least 1 */
    struct pp_type *of;       /* PP_ARRAY */
    struct pp_record *record; /* PP_RECORD */
};

struct pp_field {
    char *name; /* NUL-terminated */
    size_t name_len;
    struct pp_type *type;
    int tag; /* the script layer's: a reference to the interned name. -1 at first */
};

struct pp_record {
    size_t count; /* 1 and above, once complete */
    unsigned depth;
    size_t least;
    struct pp_field *fields;
};

/* The code of a scalar type or PP_ARRAY by its name ("float32"), or -1. */
int pp_type_by_name(const char *name, size_t len);
const char *pp_type_name(enum pp_type_code code);

/* The known type name nearest to a misspelt one, or NULL where nothing is near. */
const char *pp_type_nearest(const char *name, size_t len);

/* What is handed in belongs to the type from here on. */
struct pp_type *pp_type_scalar(enum pp_type_code code);
struct pp_type *pp_type_array(struct pp_type *of);
struct pp_type *pp_type_record(struct pp_record *record);
void pp_type_delete(struct pp_type *type); /* NULL is fine */

struct pp_record *pp_record_new(void);
void pp_record_delete(struct pp_record *record); /* NULL is fine */

/* Adds a field and takes the type over; false (and the type is deleted) where the record has a field of that name
 * already, is full, or would nest deeper than PP_TYPE_DEPTH. */
bool pp_record_add(struct pp_record *record, const char *name, size_t len, struct pp_type *type);

#endif

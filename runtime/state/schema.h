/* What a declared state is made of: compiled from the bytes that are also what a client is sent (docs/protocol.md,
 * "Declared state"), so what a client can be told is all that there is.
 *
 * A record's nested records are flattened: "pos.x" and "pos.y" are fields of the record that has the field "pos". */
#ifndef PP_STATE_SCHEMA_H
#define PP_STATE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_STATE_FORMAT 1     /* the first byte of a schema */
#define PP_STATE_FIELDS 64    /* of a record, those of nested records counted */
#define PP_STATE_DEPTH 8      /* records, maps and lists in each other */
#define PP_STATE_RECORDS 256  /* in a schema */
#define PP_STATE_NAME_MAX 255 /* bytes of a field's name and of a map's key */
#define PP_STATE_TEXT_MAX 65535
#define PP_STATE_ITEMS_MAX (1U << 20)

/* Declared once more in lua/painda/declared/. */
enum pp_state_kind {
    PP_STATE_BOOL = 1,
    PP_STATE_UINT8,
    PP_STATE_UINT16,
    PP_STATE_UINT32,
    PP_STATE_INT8,
    PP_STATE_INT16,
    PP_STATE_INT32,
    PP_STATE_FLOAT32,
    PP_STATE_FLOAT64,
    PP_STATE_VARINT,
    PP_STATE_TEXT,
    PP_STATE_QUANTIZED,
    PP_STATE_RECORD, /* flattened: never the kind of a field */
    PP_STATE_MAP,
    PP_STATE_LIST
};

struct pp_state_record;

struct pp_state_field {
    uint8_t kind;
    uint8_t bits;    /* of a value on the wire where it is sent whole */
    uint16_t offset; /* among the record's values, in bytes; of a map or list: its place among the record's groups */
    uint32_t limit;  /* bytes of a text, items of a map or list */
    double min, max; /* of what is quantized */
    double steps;    /* (2^bits - 1) / (max - min) */
    double decimals; /* what is quantized is one of these parts of 1 where it is written as JSON: a power of ten */
    struct pp_state_record *element; /* of a map or list */
};

/* The names, as a tree. A leaf is one field; a nested record has members, which are the fields first … first+count. */
struct pp_state_member {
    char *name; /* "" of the whole record, and where the element of a map or list is no record */
    uint8_t name_len, first, count;
    uint16_t member_count; /* 0: a leaf */
    struct pp_state_member *members;
};

struct pp_state_record {
    struct pp_state_field fields[PP_STATE_FIELDS];
    struct pp_state_member names;
    struct pp_state_schema *schema;
    uint32_t count;         /* of fields */
    uint32_t size;          /* bytes of values, a multiple of 8 */
    uint32_t groups;        /* maps and lists */
    uint64_t texts;         /* which fields are strings: a bit for each */
    bool is_single;         /* the element of a map or list that is a plain value: one field without a name */
    unsigned char *initial; /* `size` bytes */
};

struct pp_state_schema {
    uint32_t refs;
    struct pp_state_record *root;
    unsigned char *bytes;
    size_t len;
    struct pp_state_record *records[PP_STATE_RECORDS];
    uint32_t record_count;
};

/* A schema with one reference, or NULL with the reason in `error`. */
struct pp_state_schema *pp_state_schema_new(const void *bytes, size_t len, char *error, size_t error_size);

static inline struct pp_state_schema *pp_state_schema_ref(struct pp_state_schema *schema)
{
    schema->refs++;
    return schema;
}

void pp_state_schema_unref(struct pp_state_schema *schema);

/* The offset of a field of the record that was declared as the n-th (pp_state_field). */
uint32_t pp_state_offset(const struct pp_state_schema *schema, uint32_t record, uint32_t field);

/* A number that it has not given before. */
uint32_t pp_state_serial(void);

static inline bool pp_state_is_group(const struct pp_state_field *field)
{
    return field->kind >= PP_STATE_MAP;
}

/* 0 where JavaScript or the protocol gives the name a meaning of its own, or it is empty, too long or not UTF-8. */
int pp_state_name_is_good(const char *name, size_t len);

/* 0 where it is not UTF-8. */
int pp_state_text_is_good(const char *text, size_t len);

#endif

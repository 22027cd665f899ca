/* The schema registry: which message names travel as bytes of a known layout, under which type id.
 *
 * A serializer says how a value becomes bytes; registered under a name it becomes a schema with an id and a version:
 *
 *     PP_STRUCT   the fields of a record, packed (schema_type.h); read and written by schema_codec.h
 *     PP_JSON     JSON text of the payload alone
 *     PP_STRING   UTF-8 text
 *     PP_BUFFER   bytes as they are
 *     PP_MIXED    u32 length of the JSON | JSON of the object without its binary member | bytes of that member
 *
 * The type id is the serializer's own, or pp_schema_derive_id(name): the same in every SDK, whatever the order. */
#ifndef PP_WIRE_SCHEMA_H
#define PP_WIRE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_SCHEMA_ID_MAX 0xFEFF /* 0xFF00-0xFFFF belong to the protocol */
#define PP_SCHEMA_NAME_MAX 255  /* bytes */

struct pp_record;
struct pp_registry;

enum pp_serializer_kind { PP_STRUCT, PP_JSON, PP_STRING, PP_BUFFER, PP_MIXED };

struct pp_layout { /* how the values of an earlier version were packed */
    uint16_t version;
    struct pp_record *record;
    struct pp_layout *next;
};

struct pp_serializer {
    enum pp_serializer_kind kind;
    uint16_t id; /* 0: derived from the name */
    uint32_t refs;
    struct pp_record *record;   /* PP_STRUCT */
    struct pp_layout *previous; /* PP_STRUCT */
    char *binary_field;         /* PP_MIXED */
    bool can_upgrade;           /* the script layer's: it has a function for payloads of other versions */
};

struct pp_schema {
    const char *name; /* NUL-terminated */
    size_t name_len;
    uint32_t hash;
    uint16_t id;
    uint16_t version; /* 1 and above */
    struct pp_serializer *serializer;
};

/* One reference, the caller's. id 0 leaves it to the name. `record` is PP_STRUCT's, else NULL, and belongs to the
 * serializer from here on; so does binary_field (heap), PP_MIXED's. */
struct pp_serializer *pp_serializer_new(enum pp_serializer_kind kind, uint16_t id, struct pp_record *record,
                                        char *binary_field);
struct pp_serializer *pp_serializer_ref(struct pp_serializer *serializer);
void pp_serializer_unref(struct pp_serializer *serializer); /* NULL is fine */

/* The layout of an earlier version; the record belongs to the serializer from here on. A version given twice: the last
 * wins. */
void pp_serializer_add_previous(struct pp_serializer *serializer, uint16_t version, struct pp_record *record);

/* NULL where that version's layout was not given. */
const struct pp_record *pp_serializer_previous(const struct pp_serializer *serializer, uint16_t version);

/* One reference, the caller's. The reloaded application makes a new registry; those who use it hold a reference. */
struct pp_registry *pp_registry_new(void);
struct pp_registry *pp_registry_ref(struct pp_registry *registry);
void pp_registry_unref(struct pp_registry *registry); /* NULL is fine */

/* Registers; the registry takes a reference of its own. NULL and a sentence in `error` where the name is taken, empty,
 * too long or the protocol's ("__pp_…"), the id is out of range or another name's (both are named), or the version is
 * 0; nothing is changed then. The schema lives as long as the registry. */
const struct pp_schema *pp_registry_add(struct pp_registry *registry, const char *name, size_t len, uint16_t version,
                                        struct pp_serializer *serializer, char *error, size_t error_size);

/* NULL where nobody has that name or id; a NULL registry has nobody. */
const struct pp_schema *pp_registry_by_name(const struct pp_registry *registry, const char *name, size_t len);
const struct pp_schema *pp_registry_by_id(const struct pp_registry *registry, uint16_t id);
size_t pp_registry_count(const struct pp_registry *registry);

/* The id that a name gives, exactly: h = FNV-1a of its UTF-8 bytes in 32 bits (offset basis 2166136261, prime
 * 16777619); id = (h >> 16) ^ (h & 0xFFFF); 0xFF00 and above lose their upper byte (id & 0xFF); then 0 becomes 1. */
uint16_t pp_schema_derive_id(const char *name, size_t len);

/* Splits a PP_MIXED payload; false where the JSON length reaches past the end. */
bool pp_mixed_split(const void *payload, size_t len, const char **json, size_t *json_len, const char **bytes,
                    size_t *bytes_len);

#endif

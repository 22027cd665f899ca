/* The registry: two open-addressing tables over the same schemas, by name and by id. */
#include "wire/schema.h"

#include "base/memory.h"
#include "wire/bytes.h"
#include "wire/schema_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pp_registry {
    uint32_t refs;
    size_t count;
    size_t mask;                /* slots - 1, or 0 while there are none; at most half of the slots are used */
    struct pp_schema **by_name; /* NULL is a free slot */
    struct pp_schema **by_id;
};

struct pp_serializer *pp_serializer_new(enum pp_serializer_kind kind, uint16_t id, struct pp_record *record,
                                        char *binary_field)
{
    struct pp_serializer *serializer = pp_calloc(1, sizeof(*serializer));
    serializer->kind = kind;
    serializer->id = id;
    serializer->refs = 1;
    serializer->record = record;
    serializer->binary_field = binary_field;
    return serializer;
}

struct pp_serializer *pp_serializer_ref(struct pp_serializer *serializer)
{
    serializer->refs++;
    return serializer;
}

void pp_serializer_unref(struct pp_serializer *serializer)
{
    if (serializer == NULL || --serializer->refs > 0)
        return;
    for (struct pp_layout *layout = serializer->previous, *next; layout; layout = next) {
        next = layout->next;
        pp_record_delete(layout->record);
        free(layout);
    }
    pp_record_delete(serializer->record);
    free(serializer->binary_field);
    free(serializer);
}

void pp_serializer_add_previous(struct pp_serializer *serializer, uint16_t version, struct pp_record *record)
{
    struct pp_layout *layout = pp_malloc(sizeof(*layout));
    *layout = (struct pp_layout){.version = version, .record = record, .next = serializer->previous};
    serializer->previous = layout;
}

const struct pp_record *pp_serializer_previous(const struct pp_serializer *serializer, uint16_t version)
{
    for (const struct pp_layout *layout = serializer->previous; layout; layout = layout->next)
        if (layout->version == version)
            return layout->record;
    return NULL;
}

struct pp_registry *pp_registry_new(void)
{
    struct pp_registry *registry = pp_calloc(1, sizeof(*registry));
    registry->refs = 1;
    return registry;
}

struct pp_registry *pp_registry_ref(struct pp_registry *registry)
{
    registry->refs++;
    return registry;
}

void pp_registry_unref(struct pp_registry *registry)
{
    if (registry == NULL || --registry->refs > 0)
        return;
    for (size_t i = 0; registry->mask > 0 && i <= registry->mask; i++) {
        struct pp_schema *schema = registry->by_name[i];
        if (schema == NULL)
            continue;
        pp_serializer_unref(schema->serializer);
        free((char *)schema->name);
        free(schema);
    }
    free(registry->by_name);
    free(registry->by_id);
    free(registry);
}

static uint32_t fnv1a(const char *name, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

static uint16_t fold(uint32_t hash)
{
    uint16_t id = (uint16_t)(hash >> 16 ^ (hash & 0xFFFF));
    if (id > PP_SCHEMA_ID_MAX)
        id &= 0xFF;
    return id ? id : 1;
}

uint16_t pp_schema_derive_id(const char *name, size_t len)
{
    return fold(fnv1a(name, len));
}

static void put(struct pp_registry *registry, struct pp_schema *schema)
{
    size_t at = schema->hash & registry->mask;
    while (registry->by_name[at])
        at = (at + 1) & registry->mask;
    registry->by_name[at] = schema;
    at = schema->id & registry->mask;
    while (registry->by_id[at])
        at = (at + 1) & registry->mask;
    registry->by_id[at] = schema;
}

static void grow(struct pp_registry *registry)
{
    struct pp_schema **old = registry->by_name;
    size_t slots = registry->mask > 0 ? registry->mask + 1 : 0;
    size_t wanted = slots > 0 ? slots * 2 : 16;
    free(registry->by_id);
    registry->by_name = pp_calloc(wanted, sizeof(struct pp_schema *));
    registry->by_id = pp_calloc(wanted, sizeof(struct pp_schema *));
    registry->mask = wanted - 1;
    for (size_t i = 0; i < slots; i++)
        if (old[i])
            put(registry, old[i]);
    free(old);
}

const struct pp_schema *pp_registry_by_name(const struct pp_registry *registry, const char *name, size_t len)
{
    if (registry == NULL || registry->count == 0)
        return NULL;
    uint32_t hash = fnv1a(name, len);
    for (size_t at = hash & registry->mask;; at = (at + 1) & registry->mask) {
        const struct pp_schema *schema = registry->by_name[at];
        if (schema == NULL)
            return NULL;
        if (schema->hash == hash && schema->name_len == len && memcmp(schema->name, name, len) == 0)
            return schema;
    }
}

const struct pp_schema *pp_registry_by_id(const struct pp_registry *registry, uint16_t id)
{
    if (registry == NULL || registry->count == 0)
        return NULL;
    for (size_t at = id & registry->mask;; at = (at + 1) & registry->mask) {
        const struct pp_schema *schema = registry->by_id[at];
        if (schema == NULL || schema->id == id)
            return schema;
    }
}

size_t pp_registry_count(const struct pp_registry *registry)
{
    return registry ? registry->count : 0;
}

/* Does the new schema stand in nobody's way? */
static bool fits(const struct pp_registry *registry, const struct pp_schema *schema, char *error, size_t error_size)
{
    const char *name = schema->name;
    if (schema->name_len == 0)
        snprintf(error, error_size, "the name of a schema can't be empty");
    else if (schema->name_len > PP_SCHEMA_NAME_MAX)
        snprintf(error, error_size, "the name \"%.32s…\" is %zu bytes long, at most %d are allowed", name,
                 schema->name_len, PP_SCHEMA_NAME_MAX);
    else if (strncmp(name, "__pp_", 5) == 0)
        snprintf(error, error_size, "\"%s\": names that begin with __pp_ belong to the protocol", name);
    else if (schema->version == 0)
        snprintf(error, error_size, "\"%s\": a version is a whole number from 1 to 65535", name);
    else if (schema->id > PP_SCHEMA_ID_MAX)
        snprintf(error, error_size, "\"%s\": a type id is a whole number from 1 to %d, not %u", name, PP_SCHEMA_ID_MAX,
                 schema->id);
    else if (pp_registry_by_name(registry, name, schema->name_len))
        snprintf(error, error_size, "\"%s\" is registered already", name);
    else {
        const struct pp_schema *other = pp_registry_by_id(registry, schema->id);
        if (other == NULL)
            return true;
        snprintf(error, error_size, "\"%s\" and \"%s\" both have the type id %u: give one of them another id", name,
                 other->name, schema->id);
    }
    return false;
}

const struct pp_schema *pp_registry_add(struct pp_registry *registry, const char *name, size_t len, uint16_t version,
                                        struct pp_serializer *serializer, char *error, size_t error_size)
{
    uint32_t hash = fnv1a(name, len);
    struct pp_schema schema = {
        .name = pp_strndup(name, len),
        .name_len = len,
        .hash = hash,
        .id = serializer->id ? serializer->id : fold(hash),
        .version = version,
        .serializer = serializer,
    };
    if (!fits(registry, &schema, error, error_size)) {
        free((char *)schema.name);
        return NULL;
    }
    if ((registry->count + 1) * 2 > registry->mask)
        grow(registry);
    pp_serializer_ref(serializer);
    struct pp_schema *kept = pp_malloc(sizeof(*kept));
    *kept = schema;
    put(registry, kept);
    registry->count++;
    return kept;
}

bool pp_mixed_split(const void *payload, size_t len, const char **json, size_t *json_len, const char **bytes,
                    size_t *bytes_len)
{
    if (len < 4 || pp_get_u32(payload) > len - 4)
        return false;
    *json = (const char *)payload + 4;
    *json_len = pp_get_u32(payload);
    *bytes = *json + *json_len;
    *bytes_len = len - 4 - *json_len;
    return true;
}

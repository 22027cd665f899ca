/* A hash map from bytes to pointers. The hash is keyed at random per process, since peers choose some of the keys. */
#ifndef PP_BASE_MAP_H
#define PP_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct pp_map_entry;

/* Zero-initialised it is empty. Not to be changed while iterated, but for removal of the entry at hand. */
struct pp_map {
    struct pp_map_entry **buckets;
    size_t count, size; /* entries; buckets, a power of two */
};

/* The value stored for the key, or NULL. */
void *pp_map_get(const struct pp_map *map, const void *key, size_t len);

/* The place of the key's value, made (holding NULL) where it was absent; the key is copied. Good until the key is
 * removed. */
void **pp_map_slot(struct pp_map *map, const void *key, size_t len);

/* Removes the key and returns its value; NULL where there was none. */
void *pp_map_remove(struct pp_map *map, const void *key, size_t len);

/* Calls `each` for every entry, in no order. */
void pp_map_each(const struct pp_map *map, void (*each)(void *arg, const char *key, size_t len, void *value),
                 void *arg);

/* Frees the map; the values are the caller's. */
void pp_map_destroy(struct pp_map *map);

/* The keyed hash the map uses. */
uint64_t pp_hash(const void *bytes, size_t len);

#endif

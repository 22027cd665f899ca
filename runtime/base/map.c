/* Chained buckets; each entry holds its key. */
#include "base/map.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct pp_map_entry {
    struct pp_map_entry *next;
    void *value;
    uint64_t hash;
    size_t len;
    char key[];
};

static uint64_t hash_key[2];

static void choose_key(void)
{
    if (getrandom(hash_key, sizeof hash_key, 0) != sizeof hash_key)
        hash_key[0] = (uint64_t)(uintptr_t)&hash_key;
    hash_key[0] |= 1; /* zero means "not chosen yet" */
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

#define SIP_ROUND(a, b, c, d)                                                                                          \
    (a += b, c += d, b = rotate(b, 13) ^ a, d = rotate(d, 16) ^ c, a = rotate(a, 32), c += b, a += d,                  \
     b = rotate(b, 17) ^ c, d = rotate(d, 21) ^ a, c = rotate(c, 32))

/* SipHash-1-3 (Aumasson and Bernstein, 2012, with one compression round). */
uint64_t pp_hash(const void *bytes, size_t len)
{
    if (hash_key[0] == 0)
        choose_key();
    const unsigned char *at = bytes;
    uint64_t a = hash_key[0] ^ UINT64_C(0x736f6d6570736575), b = hash_key[1] ^ UINT64_C(0x646f72616e646f6d);
    uint64_t c = hash_key[0] ^ UINT64_C(0x6c7967656e657261), d = hash_key[1] ^ UINT64_C(0x7465646279746573);
    size_t left = len;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        d ^= word;
        SIP_ROUND(a, b, c, d);
        a ^= word;
    }
    uint64_t last = (uint64_t)len << 56;
    memcpy(&last, at, left);
    if (left == 0)
        last = (uint64_t)len << 56;
    d ^= last;
    SIP_ROUND(a, b, c, d);
    a ^= last;
    c ^= 0xFF;
    for (int i = 0; i < 3; i++)
        SIP_ROUND(a, b, c, d);
    return a ^ b ^ c ^ d;
}

static struct pp_map_entry **find(const struct pp_map *map, const void *key, size_t len, uint64_t hash)
{
    struct pp_map_entry **link = &map->buckets[hash & (map->size - 1)];
    while (*link != NULL && ((*link)->hash != hash || (*link)->len != len || memcmp((*link)->key, key, len) != 0))
        link = &(*link)->next;
    return link;
}

void *pp_map_get(const struct pp_map *map, const void *key, size_t len)
{
    if (map->count == 0)
        return NULL;
    struct pp_map_entry *entry = *find(map, key, len, pp_hash(key, len));
    return entry ? entry->value : NULL;
}

static void grow(struct pp_map *map)
{
    size_t size = map->size ? map->size * 2 : 16;
    struct pp_map_entry **buckets = pp_calloc(size, sizeof *buckets);
    for (size_t i = 0; i < map->size; i++)
        while (map->buckets[i] != NULL) {
            struct pp_map_entry *entry = map->buckets[i];
            map->buckets[i] = entry->next;
            entry->next = buckets[entry->hash & (size - 1)];
            buckets[entry->hash & (size - 1)] = entry;
        }
    free(map->buckets);
    map->buckets = buckets;
    map->size = size;
}

void **pp_map_slot(struct pp_map *map, const void *key, size_t len)
{
    if (map->count >= map->size)
        grow(map);
    uint64_t hash = pp_hash(key, len);
    struct pp_map_entry **link = find(map, key, len, hash);
    if (*link == NULL) {
        struct pp_map_entry *entry = pp_malloc(sizeof *entry + len);
        *entry = (struct pp_map_entry){.hash = hash, .len = len};
        if (len > 0)
            memcpy(entry->key, key, len);
        *link = entry;
        map->count++;
    }
    return &(*link)->value;
}

void *pp_map_remove(struct pp_map *map, const void *key, size_t len)
{
    if (map->count == 0)
        return NULL;
    struct pp_map_entry **link = find(map, key, len, pp_hash(key, len));
    struct pp_map_entry *entry = *link;
    if (entry == NULL)
        return NULL;
    void *value = entry->value;
    *link = entry->next;
    free(entry);
    map->count--;
    return value;
}

void pp_map_each(const struct pp_map *map, void (*each)(void *arg, const char *key, size_t len, void *value), void *arg)
{
    for (size_t i = 0; i < map->size; i++)
        for (struct pp_map_entry *entry = map->buckets[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            each(arg, entry->key, entry->len, entry->value);
        }
}

void pp_map_destroy(struct pp_map *map)
{
    for (size_t i = 0; i < map->size; i++)
        while (map->buckets[i] != NULL) {
            struct pp_map_entry *entry = map->buckets[i];
            map->buckets[i] = entry->next;
            free(entry);
        }
    free(map->buckets);
    *map = (struct pp_map){0};
}

/* The hash map, held against an array. */
#include "base/map.h"
#include "harness.h"
#include "random.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void *value_of(uintptr_t n)
{
    return (void *)n;
}

static void *get(const struct pp_map *map, const char *key)
{
    return pp_map_get(map, key, strlen(key));
}

static void put(struct pp_map *map, const char *key, uintptr_t n)
{
    *pp_map_slot(map, key, strlen(key)) = value_of(n);
}

static void finds_nothing_when_empty(void)
{
    struct pp_map map = {0};
    CU_ASSERT_PTR_NULL(get(&map, "x"));
    CU_ASSERT_PTR_NULL(pp_map_remove(&map, "x", 1));
    pp_map_destroy(&map);
}

static void keeps_keys_of_any_bytes_apart(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } keys[] = {{"", 0},          {"\0", 1},         {"\0\0", 2},     {"a", 1},
                {"a\0", 2},       {"a\0b", 3},       {"1234567", 7},  {"12345678", 8},
                {"123456789", 9}, {"12345678\0", 9}, {"\xFF\xFF", 2}, {"12345678\0\0\0\0\0\0\0\0", 16}};
    struct pp_map map = {0};
    size_t count = sizeof keys / sizeof keys[0];
    for (size_t i = 0; i < count; i++) {
        void **slot = pp_map_slot(&map, keys[i].bytes, keys[i].len);
        CU_ASSERT_PTR_NULL(*slot);
        *slot = value_of(i + 1);
    }
    CU_ASSERT_EQUAL(map.count, count);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_PTR_EQUAL(pp_map_get(&map, keys[i].bytes, keys[i].len), value_of(i + 1));
    pp_map_destroy(&map);
}

static void copies_its_keys(void)
{
    struct pp_map map = {0};
    char key[] = "key";
    put(&map, key, 1);
    key[0] = 'x';
    CU_ASSERT_PTR_EQUAL(get(&map, "key"), value_of(1));
    CU_ASSERT_PTR_NULL(get(&map, key));
    pp_map_destroy(&map);
}

static void gives_the_same_slot_again(void)
{
    struct pp_map map = {0};
    put(&map, "a", 1);
    put(&map, "a", 2);
    CU_ASSERT_EQUAL(map.count, 1);
    CU_ASSERT_PTR_EQUAL(get(&map, "a"), value_of(2));
    CU_ASSERT_PTR_EQUAL(pp_map_remove(&map, "a", 1), value_of(2));
    CU_ASSERT_EQUAL(map.count, 0);
    CU_ASSERT_PTR_NULL(get(&map, "a"));
    pp_map_destroy(&map);
}

/* A slot stays where it is when others come: growing moves buckets, not entries. */
static void keeps_slots_while_it_grows(void)
{
    struct pp_map map = {0};
    void **first = pp_map_slot(&map, "first", 5);
    *first = value_of(7);
    char key[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        put(&map, key, 1);
    }
    CU_ASSERT_PTR_EQUAL(pp_map_slot(&map, "first", 5), first);
    CU_ASSERT_PTR_EQUAL(*first, value_of(7));
    CU_ASSERT_TRUE(map.size >= map.count);
    pp_map_destroy(&map);
}

#define KEYS 3000

static void agrees_with_a_model(void)
{
    struct pp_map map = {0};
    static uintptr_t model[KEYS];
    struct pp_random random = {1};
    size_t count = 0;
    memset(model, 0, sizeof model);
    for (uintptr_t step = 1; step <= 200000; step++) {
        uint32_t n = (uint32_t)pp_random_below(&random, KEYS);
        char key[40];
        size_t len = (size_t)snprintf(key, sizeof key, "room:%u:%u", n, n * n);
        switch (pp_random_below(&random, 3)) {
        case 0:
            count += model[n] == 0;
            model[n] = step;
            *pp_map_slot(&map, key, len) = value_of(step);
            break;
        case 1:
            if (pp_map_remove(&map, key, len) != value_of(model[n]))
                CU_FAIL("removed another value than was stored");
            count -= model[n] != 0;
            model[n] = 0;
            break;
        default:
            if (pp_map_get(&map, key, len) != value_of(model[n]))
                CU_FAIL("found another value than was stored");
        }
        if (map.count != count)
            CU_FAIL("miscounted");
    }
    pp_map_destroy(&map);
}

struct walk {
    struct pp_map *map;
    unsigned seen;
    bool keep_even;
};

static void visit(void *arg, const char *key, size_t len, void *value)
{
    struct walk *walk = arg;
    uint32_t n;
    CU_ASSERT_EQUAL_FATAL(len, sizeof n);
    memcpy(&n, key, sizeof n);
    CU_ASSERT_PTR_EQUAL(value, value_of(n + 1));
    walk->seen++;
    if (!walk->keep_even || n % 2)
        pp_map_remove(walk->map, key, len);
}

static void may_lose_the_entry_at_hand_while_it_is_walked(void)
{
    struct pp_map map = {0};
    for (uint32_t n = 0; n < 1000; n++)
        *pp_map_slot(&map, &n, sizeof n) = value_of(n + 1);
    struct walk walk = {&map, 0, true};
    pp_map_each(&map, visit, &walk);
    CU_ASSERT_EQUAL(walk.seen, 1000);
    CU_ASSERT_EQUAL(map.count, 500);
    walk = (struct walk){&map, 0, false};
    pp_map_each(&map, visit, &walk);
    CU_ASSERT_EQUAL(walk.seen, 500);
    CU_ASSERT_EQUAL(map.count, 0);
    pp_map_destroy(&map);
}

static void spreads_keys_that_look_alike(void)
{
    struct pp_map map = {0};
    unsigned used = 0;
    for (uint32_t n = 0; n < 4096; n++) {
        uint64_t key = (uint64_t)n << 32;
        *pp_map_slot(&map, &key, sizeof key) = value_of(1);
    }
    for (size_t i = 0; i < map.size; i++)
        used += map.buckets[i] != NULL;
    CU_ASSERT_TRUE(used > map.count / 2); /* by chance 63 in 100 buckets are in use */
    pp_map_destroy(&map);
}

static void hashes_every_byte(void)
{
    unsigned char bytes[24] = {0};
    for (size_t len = 1; len <= sizeof bytes; len++) {
        uint64_t before = pp_hash(bytes, len);
        CU_ASSERT_NOT_EQUAL(before, pp_hash(bytes, len - 1));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = 1;
            CU_ASSERT_NOT_EQUAL(pp_hash(bytes, len), before);
            bytes[i] = 0;
        }
        CU_ASSERT_EQUAL(pp_hash(bytes, len), before);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"finds nothing when empty", finds_nothing_when_empty},
        {"keeps keys of any bytes apart", keeps_keys_of_any_bytes_apart},
        {"copies its keys", copies_its_keys},
        {"gives the same slot again", gives_the_same_slot_again},
        {"keeps slots while it grows", keeps_slots_while_it_grows},
        {"agrees with a model over 200,000 steps", agrees_with_a_model},
        {"may lose the entry at hand while it is walked", may_lose_the_entry_at_hand_while_it_is_walked},
        {"spreads keys that look alike", spreads_keys_that_look_alike},
        {"hashes every byte and the length", hashes_every_byte},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/map", tests);
}

/* Random identifiers: their form, and that none comes twice. */
#include "base/map.h"
#include "harness.h"
#include "session/uuid.h"

#include <stdbool.h>
#include <string.h>

static bool is_version_4(const char *id)
{
    if (strlen(id) != 36)
        return false;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? id[i] != '-' : strchr("0123456789abcdef", id[i]) == NULL)
            return false;
    }
    return id[14] == '4' && strchr("89ab", id[19]) != NULL;
}

static void has_the_form_of_version_4(void)
{
    char id[PP_UUID_SIZE];
    for (int i = 0; i < 1000; i++) {
        pp_uuid(id);
        CU_ASSERT_TRUE(is_version_4(id));
    }
}

static void never_comes_twice(void)
{
    struct pp_map seen = {0};
    char id[PP_UUID_SIZE];
    for (int i = 0; i < 100000; i++) {
        pp_uuid(id);
        *pp_map_slot(&seen, id, 36) = id;
    }
    CU_ASSERT_EQUAL(seen.count, 100000);
    pp_map_destroy(&seen);
}

/* Every digit that is not fixed takes every value. */
static void is_random_in_every_digit(void)
{
    unsigned seen[36] = {0};
    char id[PP_UUID_SIZE];
    for (int i = 0; i < 2000; i++) {
        pp_uuid(id);
        for (int j = 0; j < 36; j++)
            seen[j] |= id[j] == '-' ? 0xFFFF : 1u << (id[j] <= '9' ? id[j] - '0' : id[j] - 'a' + 10);
    }
    for (int j = 0; j < 36; j++)
        CU_ASSERT_EQUAL(seen[j], j == 14 ? 1u << 4 : j == 19 ? 0xFu << 8 : 0xFFFF);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"has the form of version 4", has_the_form_of_version_4},
        {"never comes twice", never_comes_twice},
        {"is random in every digit", is_random_in_every_digit},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("session/uuid", tests);
}

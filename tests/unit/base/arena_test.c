#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "harness.h"

static void gives_memory(void)
{
    struct pp_arena arena = {0};
    char *pieces[500];
    for (size_t i = 0; i < 500; i++) {
        pieces[i] = pp_arena_take(&arena, i * 10 + 1);
        CU_ASSERT_EQUAL((uintptr_t)pieces[i] % 8, 0);
        memset(pieces[i], (int)i & 0xFF, i * 10 + 1);
    }
    for (size_t i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL((unsigned char)pieces[i][0], i & 0xFF);
        CU_ASSERT_EQUAL((unsigned char)pieces[i][i * 10], i & 0xFF);
    }
    pp_arena_destroy(&arena);
    CU_ASSERT_EQUAL(arena.total, 0);
}

static void comes_to_rest(void)
{
    struct pp_arena arena = {0};
    size_t total = 0;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 1000; i++)
            memset(pp_arena_take(&arena, 100), 1, 100);
        if (round == 1)
            total = arena.total;
        pp_arena_clear(&arena);
    }
    CU_ASSERT_EQUAL(arena.total, total);
    pp_arena_clear(&arena);
    pp_arena_destroy(&arena);
    pp_arena_clear(&arena);
    CU_ASSERT_EQUAL(arena.total, 0);
}

int main(void)
{
    return pp_run_suite("base/arena", (CU_TestInfo[]){{"gives memory", gives_memory},
                                                      {"is cleared and comes to rest", comes_to_rest},
                                                      CU_TEST_INFO_NULL});
}

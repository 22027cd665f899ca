/* Lua's allocator against what was written into its blocks. */
#include "harness.h"
#include "random.h"
#include "script/lua_alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLOCKS 500

struct block {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
};

static bool holds(const struct block *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block->bytes[i] != block->mark)
            return false;
    return true;
}

static void resize(struct block *block, size_t size, unsigned char mark)
{
    size_t common = size < block->size ? size : block->size;
    unsigned char *bytes = pp_lua_allocate(NULL, block->bytes, block->size, size);
    CU_ASSERT_EQUAL(bytes == NULL, size == 0);
    CU_ASSERT_EQUAL((uintptr_t)bytes % 16, 0);
    *block = (struct block){bytes, size, block->mark};
    CU_ASSERT(holds(block, common));
    block->mark = mark;
    if (size > 0)
        memset(bytes, mark, size);
}

static void blocks_keep_what_is_in_them(void)
{
    static struct block blocks[BLOCKS];
    struct pp_random random = {7};
    for (int step = 0; step < 100000; step++) {
        struct block *block = &blocks[pp_random_below(&random, BLOCKS)];
        CU_ASSERT(holds(block, block->size));
        size_t most = pp_random_below(&random, 10) == 0 ? 5000 : 600;
        resize(block, pp_random_below(&random, 3) == 0 ? 0 : pp_random_below(&random, (uint32_t)most),
               (unsigned char)step);
    }
    for (int i = 0; i < BLOCKS; i++)
        resize(&blocks[i], 0, 0);
    pp_lua_allocate_trim();
}

static void a_freed_block_is_the_next_of_its_size(void)
{
    void *first = pp_lua_allocate(NULL, NULL, 0, 40);
    pp_lua_allocate(NULL, first, 40, 0);
    void *second = pp_lua_allocate(NULL, NULL, 0, 48);
#ifndef __SANITIZE_ADDRESS__
    CU_ASSERT_PTR_EQUAL(first, second);
#endif
    pp_lua_allocate(NULL, second, 48, 0);
    CU_ASSERT_PTR_NULL(pp_lua_allocate(NULL, NULL, 0, 0));
    pp_lua_allocate_trim();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"blocks keep what is in them", blocks_keep_what_is_in_them},
        {"a freed block is the next of its size", a_freed_block_is_the_next_of_its_size},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("script/lua_alloc", tests);
}

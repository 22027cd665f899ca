/* Sizes are rounded up to classes of 16 bytes; each class has a list of free blocks, linked through their first bytes.
 */
#include "script/lua_alloc.h"

#include <stdlib.h>
#include <string.h>

#define STEP 16u
#define CLASSES 32u /* up to 512 bytes; larger blocks are the system's business */
#ifdef __SANITIZE_ADDRESS__
#define KEPT_BYTES 0u /* a block used after its end is to be seen */
#else
#define KEPT_BYTES (4u * 1024u * 1024u) /* of all classes together: what a collection frees at once, more or less */
#endif

static void *kept[CLASSES];
static size_t kept_bytes;

/* `size` is 1 or more; CLASSES and above are not kept. */
static size_t class_of(size_t size)
{
    return (size - 1) / STEP;
}

static void *take(size_t size)
{
    size_t class = class_of(size);
    if (class >= CLASSES)
        return malloc(size);
    void *block = kept[class];
    if (block == NULL)
        return malloc((class + 1) * STEP);
    memcpy(&kept[class], block, sizeof block);
    kept_bytes -= (class + 1) * STEP;
    return block;
}

static void give_back(void *block, size_t size)
{
    size_t class = class_of(size);
    if (class >= CLASSES || kept_bytes >= KEPT_BYTES) {
        free(block);
        return;
    }
    memcpy(block, &kept[class], sizeof block);
    kept[class] = block;
    kept_bytes += (class + 1) * STEP;
}

static void *change(void *block, size_t old_size, size_t size)
{
    if (class_of(old_size) >= CLASSES && class_of(size) >= CLASSES)
        return realloc(block, size);
    if (class_of(old_size) == class_of(size))
        return block;
    void *moved = take(size);
    if (moved == NULL)
        return size < old_size ? block : NULL; /* a block may always serve as a smaller one */
    memcpy(moved, block, old_size < size ? old_size : size);
    give_back(block, old_size);
    return moved;
}

void *pp_lua_allocate(void *arg, void *block, size_t old_size, size_t size)
{
    (void)arg;
    if (block == NULL)
        return size > 0 ? take(size) : NULL;
    if (size > 0)
        return change(block, old_size, size);
    give_back(block, old_size);
    return NULL;
}

void pp_lua_allocate_trim(void)
{
    for (size_t class = 0; class < CLASSES; class ++)
        for (void *block; (block = kept[class]) != NULL; free(block))
            memcpy(&kept[class], block, sizeof block);
    kept_bytes = 0;
}

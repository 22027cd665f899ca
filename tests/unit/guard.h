/* Bytes that end at a page that can't be touched: reading one too many is a crash, not a lucky zero. */
#ifndef PP_TESTS_GUARD_H
#define PP_TESTS_GUARD_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct pp_guard {
    unsigned char *base;
    size_t room, mapped;
};

/* Room for `size` bytes and the page behind them. */
static inline struct pp_guard pp_guard_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
    struct pp_guard guard = {.room = room, .mapped = room + page};
    guard.base = mmap(NULL, guard.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard.base == MAP_FAILED || mprotect(guard.base + room, page, PROT_NONE) != 0)
        abort();
    return guard;
}

/* A copy of the bytes that ends where the guarded page begins. */
static inline unsigned char *pp_guard_place(struct pp_guard *guard, const void *bytes, size_t len)
{
    unsigned char *at = guard->base + guard->room - len;
    if (len > 0)
        memcpy(at, bytes, len);
    return at;
}

static inline void pp_guard_delete(struct pp_guard *guard)
{
    munmap(guard->base, guard->mapped);
}

#endif

/* Allocation that can't fail. */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t size)
{
    if (memory == NULL && size > 0) {
        fprintf(stderr, "painda: out of memory (%zu bytes asked for)\n", size);
        abort();
    }
    return memory;
}

void *pp_malloc(size_t size)
{
    return checked(malloc(size), size);
}

void *pp_calloc(size_t count, size_t size)
{
    return checked(calloc(count, size), count * size);
}

void *pp_realloc(void *old, size_t size)
{
    return checked(realloc(old, size), size);
}

char *pp_strndup(const char *text, size_t len)
{
    char *copy = pp_malloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

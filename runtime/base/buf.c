/* Growing a buffer: by doubling, never by less than 64 bytes. */
#include "base/buf.h"

#include "base/memory.h"

#include <stdlib.h>

void pp_buf_grow(struct pp_buf *buf, size_t extra)
{
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap - buf->len < extra)
        cap *= 2;
    buf->data = pp_realloc(buf->data, cap);
    buf->cap = cap;
}

void pp_buf_destroy(struct pp_buf *buf)
{
    free(buf->data);
    *buf = (struct pp_buf){0};
}

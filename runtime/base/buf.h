/* A growable run of bytes. Zero-initialised it is empty and ready; pp_buf_destroy frees what it holds. */
#ifndef PP_BASE_BUF_H
#define PP_BASE_BUF_H

#include <stddef.h>
#include <string.h>

struct pp_buf {
    char *data;
    size_t len, cap;
};

/* Makes room for `extra` more bytes. Memory that can't be had ends the process with a message. */
void pp_buf_grow(struct pp_buf *buf, size_t extra);

/* Frees the bytes; the buffer is empty and may be used again. */
void pp_buf_destroy(struct pp_buf *buf);

/* At least `extra` writable bytes; advance with `buf->len += n` for what was written. */
static inline char *pp_buf_reserve(struct pp_buf *buf, size_t extra)
{
    if (buf->cap - buf->len < extra)
        pp_buf_grow(buf, extra);
    return buf->data + buf->len;
}

static inline void pp_buf_append(struct pp_buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(pp_buf_reserve(buf, len), bytes, len);
    buf->len += len;
}

static inline void pp_buf_append_char(struct pp_buf *buf, char c)
{
    *pp_buf_reserve(buf, 1) = c;
    buf->len++;
}

static inline void pp_buf_append_string(struct pp_buf *buf, const char *string)
{
    pp_buf_append(buf, string, strlen(string));
}

static inline void pp_buf_clear(struct pp_buf *buf)
{
    buf->len = 0;
}

#endif

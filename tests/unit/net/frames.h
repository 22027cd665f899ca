/* WebSocket frames as a client writes them and reads them, made by hand: the tests do not trust the code under test. */
#ifndef PP_TESTS_NET_FRAMES_H
#define PP_TESTS_NET_FRAMES_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends a masked frame; `first` is the first byte: FIN, reserved bits and opcode. */
static inline void put_frame(struct pp_buf *out, unsigned first, const void *payload, size_t len)
{
    static const unsigned char mask[4] = {0x12, 0x00, 0xFF, 0x9A};
    pp_buf_append_char(out, (char)first);
    int bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;
    pp_buf_append_char(out, (char)(0x80 | (bytes == 0 ? len : bytes == 2 ? 126 : 127)));
    for (int i = bytes - 1; i >= 0; i--)
        pp_buf_append_char(out, (char)((uint64_t)len >> 8 * i));
    pp_buf_append(out, mask, 4);
    for (size_t i = 0; i < len; i++)
        pp_buf_append_char(out, (char)(((const unsigned char *)payload)[i] ^ mask[i % 4]));
}

/* A server's frame: unmasked. */
struct server_frame {
    unsigned first; /* FIN, reserved bits, opcode */
    const unsigned char *payload;
    size_t len;
};

/* Reads the frame at *at and moves behind it; false where none is whole. */
static inline bool take_frame(const struct pp_buf *in, size_t *at, struct server_frame *frame)
{
    const unsigned char *bytes = (const unsigned char *)in->data + *at;
    size_t left = in->len - *at, header = 2;
    if (left < 2)
        return false;
    uint64_t len = bytes[1];
    if (len >= 126) {
        header = len == 126 ? 4 : 10;
        if (left < header)
            return false;
        len = 0;
        for (size_t i = 2; i < header; i++)
            len = len << 8 | bytes[i];
    }
    if (left - header < len)
        return false;
    *frame = (struct server_frame){bytes[0], bytes + header, (size_t)len};
    *at += header + (size_t)len;
    return true;
}

#endif

// WebSocket frame heads (RFC 6455, section 5.2), for both sides of the bench. Inline: this is the hot path of programs
// that have to cost less than whatever they measure.
#ifndef PP_BENCH_FRAME_H
#define PP_BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PP_BENCH_TEXT = 1, PP_BENCH_BINARY = 2, PP_BENCH_CLOSE = 8, PP_BENCH_PING = 9, PP_BENCH_PONG = 10 };
enum { PP_BENCH_HEAD_MAX = 14 };

struct pp_bench_frame {
    const uint8_t *payload; // inside the parsed buffer, still masked where the frame was
    const uint8_t *key;     // the four bytes of the mask, or NULL
    uint64_t length;        // of the payload
    uint8_t opcode;         // of a continuation it is 0
};

static inline uint64_t pp_bench_read_be(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

// One whole frame from the front of data. Returns the bytes it takes, or 0 where more are needed.
static inline size_t pp_bench_frame_parse(const uint8_t *data, size_t size, struct pp_bench_frame *frame)
{
    if (size < 2)
        return 0;
    bool masked = data[1] & 0x80;
    uint64_t length = data[1] & 0x7f;
    size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    size_t head = 2 + extended + (masked ? 4 : 0);
    if (size < head)
        return 0;
    if (extended)
        length = pp_bench_read_be(data + 2, extended);
    if (size - head < length)
        return 0;
    *frame = (struct pp_bench_frame){
        .payload = data + head, .key = masked ? data + head - 4 : NULL, .length = length, .opcode = data[0] & 0x0f};
    return head + (size_t)length;
}

// The head of an unfragmented frame, without a mask key. Returns its length: 2, 4 or 10.
static inline size_t pp_bench_head_write(uint8_t *out, uint8_t opcode, size_t length, bool masked)
{
    uint8_t mask_bit = masked ? 0x80 : 0;
    out[0] = 0x80 | opcode;
    if (length < 126) {
        out[1] = mask_bit | (uint8_t)length;
        return 2;
    }
    size_t bytes = length < 65536 ? 2 : 8;
    out[1] = mask_bit | (bytes == 2 ? 126 : 127);
    for (size_t i = 0; i < bytes; i++)
        out[2 + i] = (uint8_t)(length >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

// Masking and unmasking are the same. The two buffers may be one.
static inline void pp_bench_mask(uint8_t *to, const uint8_t *from, size_t length, const uint8_t key[4])
{
    uint64_t wide, word;
    memcpy(&wide, key, 4);
    memcpy((uint8_t *)&wide + 4, key, 4);
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    for (; i < length; i++)
        to[i] = from[i] ^ key[i & 3];
}

#endif

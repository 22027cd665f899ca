/* A stream of bits, the most significant first, and the numbers of unknown size that stand in it.
 *
 * Order k of an Exp-Golomb code: with m = (n >> k) + 1 of b bits, b - 1 zeros, m, then the low k bits of n. */
#ifndef PP_STATE_BITS_H
#define PP_STATE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PP_BITS_GOLOMB_ZEROS 24 /* so a number is below 2^25 + its order's bits */

struct pp_bit_writer {
    struct pp_buf *out;
    uint64_t pending; /* the low `count` bits, fewer than 32, are still to be written */
    unsigned count;
};

/* A reader that was asked for more than there is has failed, and gives zeros from then on. */
struct pp_bit_reader {
    const unsigned char *bytes;
    size_t at, end; /* in bits */
    bool failed;
};

/* The low `bits` (at most 32) of `value`; no others may be set. */
static inline void pp_bits_put(struct pp_bit_writer *writer, uint64_t value, unsigned bits)
{
    writer->pending = writer->pending << bits | value;
    writer->count += bits;
    if (writer->count < 32)
        return;
    writer->count -= 32;
    uint32_t word = __builtin_bswap32((uint32_t)(writer->pending >> writer->count));
    memcpy(pp_buf_reserve(writer->out, 4), &word, 4);
    writer->out->len += 4;
}

/* The same for up to 64. */
static inline void pp_bits_put_wide(struct pp_bit_writer *writer, uint64_t value, unsigned bits)
{
    if (bits > 32) {
        pp_bits_put(writer, value >> 32, bits - 32);
        value &= UINT32_MAX;
        bits = 32;
    }
    pp_bits_put(writer, value, bits);
}

/* `value` is below 2^24. */
static inline void pp_bits_put_golomb(struct pp_bit_writer *writer, uint32_t value, unsigned order)
{
    uint64_t high = (uint64_t)(value >> order) + 1, low = value & ((1U << order) - 1);
    unsigned bits = 64 - (unsigned)__builtin_clzll(high);
    if (2 * bits - 1 + order <= 32) { /* in one: the zeros are those above `high` */
        pp_bits_put(writer, high << order | low, 2 * bits - 1 + order);
        return;
    }
    pp_bits_put(writer, 0, bits - 1);
    pp_bits_put(writer, high, bits);
    pp_bits_put(writer, low, order);
}

/* Writes the last bits, filled up with zeros to a byte. */
static inline void pp_bits_finish(struct pp_bit_writer *writer)
{
    while (writer->count > 0) {
        unsigned take = writer->count < 8 ? writer->count : 8;
        unsigned byte = (unsigned)(writer->pending >> (writer->count - take)) & ((1U << take) - 1);
        pp_buf_append_char(writer->out, (char)(unsigned char)(byte << (8 - take)));
        writer->count -= take;
    }
}

/* At most 32 bits. */
static inline uint64_t pp_bits_get(struct pp_bit_reader *reader, unsigned bits)
{
    if (reader->end - reader->at < bits) {
        reader->failed = true;
        reader->at = reader->end;
        return 0;
    }
    uint64_t word = 0;
    size_t first = reader->at / 8, last = (reader->at + bits + 7) / 8;
    for (size_t i = first; i < last; i++)
        word = word << 8 | reader->bytes[i];
    word >>= last * 8 - reader->at - bits;
    reader->at += bits;
    return word & ((UINT64_C(1) << bits) - 1);
}

static inline uint64_t pp_bits_get_wide(struct pp_bit_reader *reader, unsigned bits)
{
    uint64_t high = bits > 32 ? pp_bits_get(reader, bits - 32) << 32 : 0;
    return high | pp_bits_get(reader, bits > 32 ? 32 : bits);
}

static inline uint32_t pp_bits_get_golomb(struct pp_bit_reader *reader, unsigned order)
{
    unsigned zeros = 0;
    while (!reader->failed && pp_bits_get(reader, 1) == 0)
        if (++zeros > PP_BITS_GOLOMB_ZEROS)
            reader->failed = true;
    uint64_t high = UINT64_C(1) << zeros;
    high = (high | pp_bits_get(reader, zeros)) - 1;
    uint64_t low = pp_bits_get(reader, order);
    return reader->failed ? 0 : (uint32_t)(high << order | low);
}

/* What is left is the filling of the last byte, and nothing went wrong. */
static inline bool pp_bits_ended(struct pp_bit_reader *reader)
{
    unsigned left = (unsigned)((8 - reader->at % 8) % 8);
    return !reader->failed && reader->end - reader->at == left && pp_bits_get(reader, left) == 0;
}

#endif

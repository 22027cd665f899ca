/* Big-endian integers in bytes of any alignment; compilers make one load or store and a byte swap of each. */
#ifndef PP_WIRE_BYTES_H
#define PP_WIRE_BYTES_H

#include <stdint.h>

static inline uint16_t pp_get_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t pp_get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t pp_get_u64(const unsigned char *at)
{
    return (uint64_t)pp_get_u32(at) << 32 | pp_get_u32(at + 4);
}

static inline void pp_put_u16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static inline void pp_put_u32(unsigned char *at, uint32_t value)
{
    pp_put_u16(at, (uint16_t)(value >> 16));
    pp_put_u16(at + 2, (uint16_t)value);
}

static inline void pp_put_u64(unsigned char *at, uint64_t value)
{
    pp_put_u32(at, (uint32_t)(value >> 32));
    pp_put_u32(at + 4, (uint32_t)value);
}

#endif

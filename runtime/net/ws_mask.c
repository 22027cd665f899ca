/* Masking. The mask must not be one that an application could have foreseen, so each frame has its own from OpenSSL. */
#include "net/ws_mask.h"

#include <openssl/rand.h>
#include <string.h>

#define CONTROL_MAX 125u

static void mask_bytes(unsigned char *bytes, size_t len, const unsigned char mask[4])
{
    uint32_t word;
    memcpy(&word, mask, sizeof word);
    uint64_t pair = (uint64_t)word << 32 | word, chunk;
    size_t at = 0;
    for (; at + sizeof chunk <= len; at += sizeof chunk) {
        memcpy(&chunk, bytes + at, sizeof chunk);
        chunk ^= pair;
        memcpy(bytes + at, &chunk, sizeof chunk);
    }
    for (; at < len; at++)
        bytes[at] ^= mask[at & 3];
}

static size_t length_field(size_t len)
{
    return len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;
}

void pp_ws_seal_masked(struct pp_packet *packet, enum pp_ws_opcode opcode)
{
    size_t len = packet->len, field = length_field(len);
    unsigned char mask[4];
    RAND_bytes(mask, sizeof mask);
    mask_bytes(pp_packet_data(packet), len, mask);
    unsigned char *header = pp_packet_push(packet, 2 + field + sizeof mask);
    header[0] = (unsigned char)(0x80 | opcode);
    header[1] = (unsigned char)(0x80 | (field == 0 ? len : field == 2 ? 126 : 127));
    for (size_t i = 0; i < field; i++)
        header[2 + i] = (unsigned char)(len >> 8 * (field - 1 - i));
    memcpy(header + 2 + field, mask, sizeof mask);
    packet->payload = (uint32_t)len;
    packet->opcode = (uint16_t)opcode;
}

struct pp_packet *pp_ws_control_masked(enum pp_ws_opcode opcode, const void *payload, size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    if (len > 0)
        memcpy(pp_packet_data(packet), payload, len);
    pp_ws_seal_masked(packet, opcode);
    return packet;
}

struct pp_packet *pp_ws_close_packet_masked(uint16_t code, const char *reason)
{
    unsigned char payload[CONTROL_MAX] = {(unsigned char)(code >> 8), (unsigned char)code};
    size_t len = strnlen(reason, CONTROL_MAX - 2);
    memcpy(payload + 2, reason, len);
    return pp_ws_control_masked(PP_WS_CLOSE, payload, 2 + len);
}

/* WebSocket frames in and out. */
#include "net/ws.h"

#include "base/utf8.h"

#include <string.h>

static bool is_control(unsigned opcode)
{
    return opcode >= PP_WS_CLOSE;
}

static bool is_known(unsigned opcode)
{
    return opcode <= PP_WS_BINARY || (opcode >= PP_WS_CLOSE && opcode <= PP_WS_PONG);
}

static void unmask(unsigned char *bytes, size_t len, const unsigned char mask[4])
{
    uint32_t mask32;
    memcpy(&mask32, mask, 4);
    uint64_t mask64 = (uint64_t)mask32 << 32 | mask32;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        word ^= mask64;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < len; i++)
        bytes[i] ^= mask[i & 3];
}

static uint64_t read_big_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static ptrdiff_t refuse(uint16_t *code, uint16_t value, const char **reason, const char *text)
{
    *code = value;
    *reason = text;
    return PP_WS_ERROR;
}

ptrdiff_t pp_ws_read(unsigned char *bytes, size_t len, size_t max_payload, struct pp_ws_frame *frame, size_t *needed,
                     uint16_t *code, const char **reason)
{
    *needed = 0;
    if (len < 2)
        return PP_WS_MORE;
    unsigned opcode = bytes[0] & 0x0F;
    unsigned length7 = bytes[1] & 0x7F;
    if (bytes[0] & 0x70)
        return refuse(code, PP_WS_CLOSE_PROTOCOL, reason, "reserved bits are set");
    if (!is_known(opcode))
        return refuse(code, PP_WS_CLOSE_PROTOCOL, reason, "unknown opcode");
    if (!(bytes[1] & 0x80))
        return refuse(code, PP_WS_CLOSE_PROTOCOL, reason, "a client's frames must be masked");
    if (is_control(opcode) && (length7 > 125 || !(bytes[0] & 0x80)))
        return refuse(code, PP_WS_CLOSE_PROTOCOL, reason, "control frames are short and whole");
    int extended = length7 == 127 ? 8 : length7 == 126 ? 2 : 0;
    size_t header = 2 + (size_t)extended + 4;
    if (len < header)
        return PP_WS_MORE;
    uint64_t payload = extended ? read_big_endian(bytes + 2, extended) : length7;
    if (payload > max_payload && !is_control(opcode))
        return refuse(code, PP_WS_CLOSE_TOO_BIG, reason, "message too big");
    *needed = header + (size_t)payload;
    if (len < *needed)
        return PP_WS_MORE;
    frame->final = (bytes[0] & 0x80) != 0;
    frame->opcode = (enum pp_ws_opcode)opcode;
    frame->payload = bytes + header;
    frame->len = (size_t)payload;
    unmask(frame->payload, frame->len, bytes + header - 4);
    return (ptrdiff_t)*needed;
}

void pp_ws_seal(struct pp_packet *packet, enum pp_ws_opcode opcode)
{
    size_t len = packet->len;
    packet->payload = packet->len;
    packet->opcode = (uint16_t)opcode;
    unsigned char *header;
    if (len < 126) {
        header = pp_packet_push(packet, 2);
        header[1] = (unsigned char)len;
    } else if (len < 65536) {
        header = pp_packet_push(packet, 4);
        header[1] = 126;
        header[2] = (unsigned char)(len >> 8);
        header[3] = (unsigned char)len;
    } else {
        header = pp_packet_push(packet, 10);
        header[1] = 127;
        for (int i = 0; i < 8; i++)
            header[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
    }
    header[0] = (unsigned char)(0x80 | opcode);
}

struct pp_packet *pp_ws_control(enum pp_ws_opcode opcode, const void *payload, size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    if (len > 0)
        memcpy(pp_packet_data(packet), payload, len);
    pp_ws_seal(packet, opcode);
    return packet;
}

struct pp_packet *pp_ws_close_packet(uint16_t code, const char *reason)
{
    unsigned char payload[125];
    size_t len = strnlen(reason, sizeof payload - 2);
    while (!pp_utf8_valid(reason, len)) /* cut between characters, or the peer would call the frame broken */
        len--;
    payload[0] = (unsigned char)(code >> 8);
    payload[1] = (unsigned char)code;
    memcpy(payload + 2, reason, len);
    return pp_ws_control(PP_WS_CLOSE, payload, len + 2);
}

bool pp_ws_close_code_valid(uint16_t code)
{
    if (code >= 3000)
        return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

/* Packets are one allocation: the count, the headroom and the payload. */
#include "base/packet.h"

#include "base/memory.h"

#include <stdlib.h>

struct pp_packet *pp_packet_new(size_t len)
{
    struct pp_packet *packet = pp_malloc(sizeof *packet + PP_PACKET_HEADROOM + len);
    packet->refs = 1;
    packet->len = packet->payload = (uint32_t)len;
    packet->start = PP_PACKET_HEADROOM;
    packet->opcode = 0;
    return packet;
}

void pp_packet_free(struct pp_packet *packet)
{
    free(packet);
}

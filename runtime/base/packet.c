/* Packets are one allocation: the count, the headroom and the payload. Small ones are most of them, and live for a loop
 * turn: they are kept for the next message instead of going through the allocator twice for each. */
#include "base/packet.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_LEN 224u /* payload bytes of the kept ones: 276 bytes with everything */
#ifdef __SANITIZE_ADDRESS__
#define KEPT_MAX 0u /* a packet used after its end is to be seen */
#else
#define KEPT_MAX 4096u
#endif

static struct pp_packet *kept; /* linked through their first bytes */
static unsigned kept_count;

static struct pp_packet *take_kept(void)
{
    struct pp_packet *packet = kept;
    memcpy(&kept, packet->bytes, sizeof kept);
    kept_count--;
    return packet;
}

static size_t memory_for(size_t len)
{
    return sizeof(struct pp_packet) + PP_PACKET_HEADROOM + (len <= SMALL_LEN ? SMALL_LEN : len);
}

size_t pp_packet_memory(const struct pp_packet *packet)
{
    return memory_for(packet->payload);
}

struct pp_packet *pp_packet_new(size_t len)
{
    struct pp_packet *packet = len <= SMALL_LEN && kept != NULL ? take_kept() : pp_malloc(memory_for(len));
    packet->refs = 1;
    packet->len = packet->payload = (uint32_t)len;
    packet->start = PP_PACKET_HEADROOM;
    packet->opcode = 0;
    packet->kept = 0;
    return packet;
}

void pp_packet_free(struct pp_packet *packet)
{
    if (packet->payload > SMALL_LEN || kept_count == KEPT_MAX) {
        free(packet);
        return;
    }
    memcpy(packet->bytes, &kept, sizeof kept);
    kept = packet;
    kept_count++;
}

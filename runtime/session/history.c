/* A ring of packets whose size is what it has needed so far, and never more than its bound. */
#include "session/history.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 8u

static uint32_t place(const struct pp_history *history, uint32_t index)
{
    uint32_t at = history->first + index;
    return at < history->cap ? at : at - history->cap;
}

struct pp_packet *pp_history_at(const struct pp_history *history, uint32_t index)
{
    return history->slots[place(history, index)];
}

static void grow(struct pp_history *history, uint32_t max_count, size_t *total)
{
    uint32_t cap = history->cap ? history->cap * 2 : FIRST_CAP;
    if (cap > max_count)
        cap = max_count;
    struct pp_packet **slots = pp_malloc(cap * sizeof(struct pp_packet *));
    for (uint32_t i = 0; i < history->count; i++)
        slots[i] = pp_history_at(history, i);
    *total += (cap - history->cap) * sizeof(struct pp_packet *);
    free(history->slots);
    history->slots = slots;
    history->first = 0;
    history->cap = cap;
}

void pp_history_push(struct pp_history *history, struct pp_packet *packet, uint32_t max_count, size_t max_bytes,
                     size_t *total)
{
    while (history->count > 0 && (history->count >= max_count || history->bytes + packet->len > max_bytes))
        pp_history_shift(history, total);
    if (packet->len > max_bytes)
        return;
    if (history->count == history->cap)
        grow(history, max_count, total);
    history->slots[place(history, history->count++)] = pp_packet_ref(packet);
    history->bytes += packet->len;
    if (packet->kept++ == 0)
        *total += pp_packet_memory(packet);
}

void pp_history_shift(struct pp_history *history, size_t *total)
{
    struct pp_packet *packet = history->slots[history->first];
    history->first = place(history, 1);
    history->count--;
    history->bytes -= packet->len;
    if (--packet->kept == 0)
        *total -= pp_packet_memory(packet);
    pp_packet_unref(packet);
}

void pp_history_clear(struct pp_history *history, size_t *total)
{
    while (history->count > 0)
        pp_history_shift(history, total);
    *total -= history->cap * sizeof(struct pp_packet *);
    free(history->slots);
    *history = (struct pp_history){0};
}

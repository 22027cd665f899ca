/* How states are written, bit by bit: what encode.c has for view.c. */
#ifndef PP_STATE_WRITER_H
#define PP_STATE_WRITER_H

#include "state/bits.h"
#include "state/state.h"

struct pp_state_writer {
    struct pp_bit_writer bits;
    bool whole; /* a snapshot, of the last commit; else what the last scan found */
};

struct pp_state_prefix {
    uint64_t mask; /* of the block before in the same group */
    bool any;      /* there was one */
};

/* How many ids follow, which are below `size`; returns the order of their code. */
uint32_t pp_state_put_count(struct pp_state_writer *w, uint32_t count, uint32_t size);

void pp_state_put_text(struct pp_state_writer *w, const char *bytes, uint32_t len);

/* The mask, and the fields that it names. */
void pp_state_put_block(struct pp_state_writer *w, struct pp_state_block *block, struct pp_state_prefix *prefix);
void pp_state_put_mask(struct pp_state_writer *w, const struct pp_state_record *record, uint64_t mask,
                       struct pp_state_prefix *prefix);
void pp_state_put_fields(struct pp_state_writer *w, struct pp_state_block *block, uint64_t mask);

/* Makes the scan's `changed` of the group all that was sent, in the order of the last commit. */
void pp_state_find_sent(struct pp_state_group *group);

/* The fields that a snapshot tells. */
uint64_t pp_state_whole_mask(struct pp_state_block *block);

/* FNV-1a of a snapshot's bits. */
uint32_t pp_state_hash_of(const struct pp_buf *body);

static inline void pp_state_put_u32(struct pp_buf *out, uint32_t value)
{
    value = __builtin_bswap32(value);
    pp_buf_append(out, &value, 4);
}

#endif

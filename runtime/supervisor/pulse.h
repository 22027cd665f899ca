/* What a worker lets its supervisor see, in memory that both have: it outlives the worker, however that ends. Parts are
 * written on the way of each message, so there is no call to the system in it, and no clock. */
#ifndef PP_SUPERVISOR_PULSE_H
#define PP_SUPERVISOR_PULSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_PULSE_TYPES 257 /* places for message types; the last is for those too long for any other */
#define PP_PULSE_TEXT 32

struct pp_pulse {
    volatile uint32_t answered;                /* the last ping that the worker's loop has seen */
    volatile uint32_t calls;                   /* into Lua: rises with each, odd while one runs */
    volatile uint32_t type;                    /* of the last message: a place in `types` */
    char what[PP_PULSE_TEXT];                  /* the call under way, or the last: "message", "timer", … */
    char where[160];                           /* the function it was in: of a worker that was asked to abort */
    char types[PP_PULSE_TYPES][PP_PULSE_TEXT]; /* cut off where they are longer */
};

/* This process's own; never NULL. Nobody looks at it where there is no supervisor. */
extern struct pp_pulse *pp_pulse;

/* Memory for a worker, to be handed on as a descriptor: -1 where there is none. */
int pp_pulse_create(struct pp_pulse **pulse);
void pp_pulse_destroy(struct pp_pulse *pulse);

/* In the worker: makes that descriptor's memory its own. */
bool pp_pulse_attach(int fd);

/* Writes `text` (any bytes) into a place of the page, ended and cut off at PP_PULSE_TEXT. */
void pp_pulse_write(char place[PP_PULSE_TEXT], const char *text, size_t len);

/* Is a call into Lua under way? */
static inline bool pp_pulse_is_in_lua(const struct pp_pulse *pulse)
{
    return pulse->calls & 1;
}

/* Reads a place of a page that the worker may have left in any state: `text` gets `size` - 1 bytes at most. */
void pp_pulse_read(const char *place, size_t place_size, char *text, size_t size);

#endif

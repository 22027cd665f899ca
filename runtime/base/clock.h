/* The only place that reads a clock. Everything else is handed the time, so that tests run in virtual time. */
#ifndef PP_BASE_CLOCK_H
#define PP_BASE_CLOCK_H

#include <stdint.h>

uint64_t pp_clock_ns(void);      /* monotonic nanoseconds */
uint64_t pp_clock_ms(void);      /* monotonic milliseconds */
uint64_t pp_clock_wall_ms(void); /* milliseconds since 1970, may jump */

#endif

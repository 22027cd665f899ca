/* What the service manager is told, as sd_notify(3) writes it down: a datagram to the socket that it named. Ours are
 * few lines of text, for which libsystemd would be a large guest. */
#ifndef PP_SUPERVISOR_NOTIFY_H
#define PP_SUPERVISOR_NOTIFY_H

#include <stdint.h>

/* Takes $NOTIFY_SOCKET and $WATCHDOG_USEC out of the environment, so that no process which we start speaks for us.
 * Without them nothing below does anything. */
void pp_notify_begin(void);

/* Milliseconds within which the manager wants to hear of us, 0: it does not. */
uint64_t pp_notify_watchdog_ms(void);

/* Tells it of `state`: "ready", "reloading", "stopping", "watchdog". Others are not told. `status` is a line for people
 * to read, or NULL. */
void pp_notify(const char *state, const char *status);

#endif

/* Why can an address not be reached? libwebsockets only says that it can't. */
#ifndef PP_NET_PROBE_H
#define PP_NET_PROBE_H

struct pp_loop;
struct pp_probe;
struct sockaddr;

/* Opens a TCP connection, closes it at once, and tells how that went: `reason` is what was wrong, or NULL where nothing
 * was. */
struct pp_probe *pp_probe_start(struct pp_loop *loop, const struct sockaddr *address,
                                void (*done)(void *arg, const char *reason), void *arg);

/* `done` will not be called. Not to be used after it was. */
void pp_probe_cancel(struct pp_probe *probe);

#endif

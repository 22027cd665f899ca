/* Unix sockets for tools of the same user: a listener on the loop, and the tool's own end, which blocks.
 *
 * Only peers of the user that the process runs as, and root, are let in; the file is 0600 from its first moment. */
#ifndef PP_NET_LOCAL_H
#define PP_NET_LOCAL_H

#include <stddef.h>
#include <sys/types.h>

struct pp_loop;
struct pp_local;          /* a connection */
struct pp_local_listener; /* lives until pp_local_unlisten */

#define PP_LOCAL_MAX 16           /* connections of a listener; more are closed at once */
#define PP_LOCAL_QUEUE (8u << 20) /* bytes that may wait for a peer which does not read; past them it is closed */

struct pp_local_ops {
    /* A peer is there, process `pid`. What it returns is `arg` for the calls about it. */
    void *(*accepted)(void *owner, struct pp_local *local, pid_t pid);
    void (*received)(void *arg, const char *bytes, size_t len);
    /* The last call, whoever closed, from within what closed it: `local` is not to be used from then on. */
    void (*closed)(void *arg);
};

/* Opens `path`, in place of a socket that nobody listens on any more. 0, or a negative errno with nothing left behind:
 * -EADDRINUSE where somebody listens there, -EEXIST where there is a file that is no socket. */
int pp_local_listen(struct pp_loop *loop, const char *path, const struct pp_local_ops *ops, void *owner,
                    struct pp_local_listener **listener_out);

/* Closes it and its connections (`closed` is called for each), and removes the file if it is still this one's. */
void pp_local_unlisten(struct pp_local_listener *listener);

/* Copies what can't be written at once. */
void pp_local_write(struct pp_local *local, const char *bytes, size_t len);

/* What was written goes out first, where the peer takes it at once. */
void pp_local_close(struct pp_local *local);

/* The tool's end. A descriptor, or a negative errno (-ECONNREFUSED: nobody is there any more). */
int pp_local_dial(const char *path);

/* Bytes, 0 at the end, -ETIMEDOUT after `timeout_ms` (below 0: never), -EINTR where a signal came, or another errno. */
ssize_t pp_local_read(int fd, char *bytes, size_t len, int timeout_ms);

/* All of it: 0, or a negative errno as above. */
int pp_local_send(int fd, const char *bytes, size_t len, int timeout_ms);

#endif

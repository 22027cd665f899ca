/* The listening sockets that outlive a worker: the supervisor holds them open, so that who connects while there is none
 * waits in the system's queue for the next. */
#ifndef PP_SUPERVISOR_SOCKETS_H
#define PP_SUPERVISOR_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#define PP_SOCKETS_MOST 64
#define PP_SOCKETS_ADDRESS 200

/* In the order in which they were opened: an address may be there several times, as "any free port". */
struct pp_sockets {
    struct pp_kept_socket {
        char address[PP_SOCKETS_ADDRESS]; /* as the application asked for it */
        uint64_t inode;
        int fd;
    } kept[PP_SOCKETS_MOST];
    unsigned count;
};

/* What tells one socket from all others, through whichever descriptor; 0 where `fd` is none. */
uint64_t pp_socket_inode(int fd);

/* `fd` is the table's from here on; closed where the table is full or the address too long, and false. */
bool pp_sockets_keep(struct pp_sockets *sockets, const char *address, int fd);

/* Takes the first that was asked for under that address out of the table: it is the caller's now. -1: there is none. */
int pp_sockets_take(struct pp_sockets *sockets, const char *address);

/* Closes the socket; nothing where it is not here. */
void pp_sockets_drop(struct pp_sockets *sockets, uint64_t inode);

void pp_sockets_drop_all(struct pp_sockets *sockets);

#endif

/* A small table of listening sockets. */
#include "supervisor/sockets.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t pp_socket_inode(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 ? about.st_ino : 0;
}

bool pp_sockets_keep(struct pp_sockets *sockets, const char *address, int fd)
{
    size_t len = strlen(address);
    if (fd < 0 || sockets->count == PP_SOCKETS_MOST || len >= PP_SOCKETS_ADDRESS) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    struct pp_kept_socket *kept = &sockets->kept[sockets->count++];
    memcpy(kept->address, address, len + 1);
    kept->inode = pp_socket_inode(fd);
    kept->fd = fd;
    return true;
}

static void take_out(struct pp_sockets *sockets, unsigned at)
{
    sockets->count--;
    memmove(&sockets->kept[at], &sockets->kept[at + 1], (sockets->count - at) * sizeof *sockets->kept);
}

int pp_sockets_take(struct pp_sockets *sockets, const char *address)
{
    for (unsigned i = 0; i < sockets->count; i++)
        if (strcmp(sockets->kept[i].address, address) == 0) {
            int fd = sockets->kept[i].fd;
            take_out(sockets, i);
            return fd;
        }
    return -1;
}

void pp_sockets_drop(struct pp_sockets *sockets, uint64_t inode)
{
    for (unsigned i = 0; i < sockets->count; i++)
        if (sockets->kept[i].inode == inode) {
            close(sockets->kept[i].fd);
            take_out(sockets, i);
            return;
        }
}

void pp_sockets_drop_all(struct pp_sockets *sockets)
{
    while (sockets->count > 0)
        close(sockets->kept[--sockets->count].fd);
}

/* Addresses as text. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void pp_peer_from(const struct sockaddr *address, struct pp_peer *peer)
{
    peer->port = 0;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, peer->address, sizeof peer->address);
        peer->port = ntohs(in->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, peer->address, sizeof peer->address);
        else
            inet_ntop(AF_INET6, &in6->sin6_addr, peer->address, sizeof peer->address);
        peer->port = ntohs(in6->sin6_port);
    } else {
        snprintf(peer->address, sizeof peer->address, "%s", address->sa_family == AF_UNIX ? "unix" : "unknown");
    }
}

void pp_peer_of(int fd, struct pp_peer *peer)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &len) != 0)
        address.ss_family = AF_UNSPEC;
    pp_peer_from((struct sockaddr *)&address, peer);
}
